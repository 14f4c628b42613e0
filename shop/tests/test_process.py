"""The work that goes on in every process: it starts, ends, and survives outages and forks."""

import os
import threading
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError

from shop.core import process
from shop.core.process import Process

PATIENCE = 20.0


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> list[process.ProcessLoop]:
    """Return the list of the loops that apps declare."""
    declared: list[process.ProcessLoop] = []
    monkeypatch.setattr(process, "declared", lambda kind: list(declared))
    monkeypatch.setattr(process, "RETRY_SECONDS", 0.01)
    return declared


def test_loops_share_a_thread_and_are_called_a_last_time(loops) -> None:
    calls: dict[str, list[tuple[Process, int]]] = {"often": [], "rarely": []}

    def often(this: Process) -> float:
        calls["often"].append((this, threading.get_ident()))
        return 0.01

    def rarely(this: Process) -> float:
        calls["rarely"].append((this, threading.get_ident()))
        return 3600.0

    loops += [often, rarely]
    assert process.current() is None
    with process.running("beat"):
        current = process.current()
        assert current is not None
        assert (current.kind, current.pid, current.stopping) == ("beat", os.getpid(), False)
        process.start("web")
        assert process.current() is current
        wait_until(lambda: len(calls["often"]) > 3)
    assert process.current() is None
    # The rare one was called once at the start, and both at the end.
    assert [this.stopping for this, _ in calls["rarely"]] == [False, True]
    assert [this.stopping for this, _ in calls["often"]][-2:] == [False, True]
    seen = [each for some in calls.values() for each in some]
    assert {this.id for this, _ in seen} == {current.id}
    threads = {thread for _, thread in seen}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    process.stop()


def test_a_loop_that_fails_is_tried_again_and_stops_no_other(loops, caplog) -> None:
    tries = {"broken": 0, "away": 0, "good": 0}

    def broken(this: Process) -> float:
        tries["broken"] += 1
        raise ValueError("a mistake")

    def away(this: Process) -> float:
        tries["away"] += 1
        if tries["away"] < 4:
            raise OperationalError("the server is away")
        return 0.01

    def good(this: Process) -> float:
        tries["good"] += 1
        return 0.01

    loops += [broken, away, good]
    with process.running("web"):
        wait_until(lambda: min(tries.values()) > 5)
    failures = [each for each in caplog.records if "process_loop.failed" in each.getMessage()]
    # A mistake has its traceback, an outage is a line.
    for name, level in (("broken", "ERROR"), ("away", "WARNING")):
        levels = {each.levelname for each in failures if f"'{name}'" in each.getMessage()}
        assert levels == {level}


def test_a_fork_has_begun_nothing_and_may_begin_its_own(loops) -> None:
    def work(this: Process) -> float:
        return 0.01

    loops.append(work)
    with process.running("worker"):
        parent = process.current()
        assert parent is not None
        answers, writes = os.pipe()
        child = os.fork()
        if child == 0:
            fresh = process.current() is None
            process.start("task")
            mine = process.current()
            good = fresh and mine is not None and mine.id != parent.id and mine.pid == os.getpid()
            process.stop()
            os.write(writes, b"good" if good else b"bad")
            os._exit(0)
        os.close(writes)
        os.waitpid(child, 0)
        assert os.read(answers, 10) == b"good"
        os.close(answers)
        assert process.current() is parent


def test_the_end_waits_for_a_loop_for_some_seconds_only(loops, monkeypatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hangs(this: Process) -> float:
        begun.set()
        go_on.wait(PATIENCE)
        return 1.0

    loops.append(hangs)
    monkeypatch.setattr(process, "STOP_SECONDS", 0.05)
    process.start("web")
    assert begun.wait(PATIENCE)
    started = time.monotonic()
    process.stop()
    assert time.monotonic() - started < PATIENCE / 2
    go_on.set()
