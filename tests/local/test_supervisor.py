"""The supervisor, run on a toy checkout: what dies comes back, and what ends leaves nothing."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg.conninfo import conninfo_to_dict

from shop.local.processes import wait_until
from tests.faults.faults import small_disk
from tests.local.toy_site import (
    ELSEWHERE,
    FAMILY,
    WEB,
    MakeSite,
    Site,
    alive,
    gone,
)
from tests.system import servers


def test_a_site_survives_the_death_of_anything(make_site: MakeSite) -> None:
    site = make_site(WEB)
    site.start()
    site.wait_for(r"The shop is running at http://localhost:\d+/$")
    text = site.text()
    assert "prepare  | prepared with prepare_development\n" in text
    assert f"mails           {site.data_dir}/mail/" in text
    assert text.index("ready to accept") < text.index("prepared with") < text.index("Serving")
    site.wait_for("ready to accept connections")
    urls = servers(site.data_dir)
    database = urls["DATABASE_OWNER_URL"]
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with redis.Redis.from_url(urls["REDIS_URL"]) as client:
        client.set("kept", "42")

    def kept() -> bool:
        with contextlib.suppress(psycopg.OperationalError, redis.RedisError):
            with psycopg.connect(database) as connection:
                row = connection.execute("SELECT answer FROM kept").fetchone()
            with redis.Redis.from_url(urls["REDIS_URL"]) as client:
                return row == (42,) and client.get("kept") == b"42"
        return False

    os.kill(site.pid_of("/bin/postgres "), signal.SIGKILL)
    os.kill(site.pid_of("valkey-server"), signal.SIGKILL)
    site.wait_for(r"^shop     \| (postgres|valkey) was killed by SIGKILL; starting it again", 2)
    assert wait_until(kept, 10)

    everything = [site.process.pid, *site.pids()]
    assert len(everything) > 8
    site.process.kill()
    site.process.wait()
    # At once, while the guard still works.
    site.start()
    site.wait_for("The shop is running")
    assert gone(everything)
    assert kept()

    # The guard is gone, too, so the next run tidies up.
    everything = [site.process.pid, *site.pids()]
    os.kill(site.guard(), signal.SIGKILL)
    site.process.kill()
    site.process.wait()
    # Some of them are servers' short-lived workers, so not all need to be alive.
    assert any(alive(pid) for pid in everything)
    site.start()
    site.wait_for("stopped what an earlier run had left behind")
    site.wait_for("The shop is running")
    assert gone(everything)
    assert kept()

    everything = [site.process.pid, *site.pids()]
    site.process.terminate()
    assert site.process.wait(10) == 0
    assert gone(everything, 1)
    assert "database system is shut down" in site.text()
    sockets = Path(str(conninfo_to_dict(database)["host"]))
    assert site.data_dir in sockets.parents or not sockets.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(make_site: MakeSite, number: signal.Signals) -> None:
    site = make_site(WEB + FAMILY)
    site.start(**ELSEWHERE)
    site.wait_for("The shop is running")
    everything = [site.process.pid, *site.pids()]
    assert int(site.wait_for(r"child (\d+)")[0]) in everything
    site.process.send_signal(number)
    assert site.process.wait(5) == 0
    assert gone(everything, 1)


def test_a_second_signal_hurries(make_site: MakeSite) -> None:
    site = make_site(
        """stubborn: sh -c "trap 'echo no' TERM; echo set; while :; do sleep 0.1; done"\n"""
    )
    site.start(**ELSEWHERE)
    site.wait_for(r"stubborn \| set")
    everything = [site.process.pid, *site.pids()]
    site.process.send_signal(signal.SIGINT)
    site.wait_for(r"stubborn \| no")
    before = time.monotonic()
    site.process.send_signal(signal.SIGINT)
    assert site.process.wait(5) == 0
    assert time.monotonic() - before < 3
    assert gone(everything, 1)


def test_a_killed_process_takes_its_children_along_and_comes_back(make_site: MakeSite) -> None:
    site = make_site(FAMILY)
    site.start(**ELSEWHERE)
    child = int(site.wait_for(r"child (\d+)")[0])
    began = time.monotonic()
    os.kill(site.recorded()[0], signal.SIGKILL)
    site.wait_for(r"child (\d+)", 2)
    assert time.monotonic() - began < 5
    assert gone([child], 1)


def test_what_keeps_dying_is_started_again_ever_more_slowly(make_site: MakeSite) -> None:
    site = make_site("brief: sh -c 'exit 3'\n")
    site.start(**ELSEWHERE)
    delays = site.wait_for(r"brief ended with 3; starting it again in ([\d.]+) s", 3)
    assert delays[:3] == ["0.2", "0.4", "0.8"]


def test_what_dies_while_the_disk_is_full_comes_back_once_there_is_room(
    make_site: MakeSite, tmp_path: Path
) -> None:
    """The record cannot be written then, but must not hold anything up for good."""
    site = make_site(FAMILY + FAMILY.replace("family", "second").replace("child", "cousin"))
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(small_disk(tmp_path / "disk", 1))
        except OSError as error:
            pytest.skip(f"No file system can be mounted here: {error}")
        site.data_dir = folder / "data"
        site.start(**ELSEWHERE, DATA_DIR=str(site.data_dir))
        stack.callback(site.clean_up)
        site.wait_for(r"child \d+")
        site.wait_for(r"cousin \d+")
        pids = site.recorded()
        with (folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        # Kill them all at once, so that one SIGCHLD has to find them all.
        site.process.send_signal(signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        site.process.send_signal(signal.SIGCONT)
        assert gone(pids)
        time.sleep(1)
        # No try has left anything, so the guard is the only process.
        assert wait_until(lambda: len(site.pids()) == 1, 5), site.text()
        (folder / "filler").unlink()
        site.wait_for(r"child (\d+)", 2)
        site.wait_for(r"cousin (\d+)", 2)


def test_a_site_whose_data_folder_is_gone_ends(make_site: MakeSite) -> None:
    site = make_site(FAMILY)
    site.start(**ELSEWHERE)
    site.wait_for(r"child \d+")
    everything = [site.process.pid, *site.pids()]
    (family,) = site.recorded()
    shutil.rmtree(site.data_dir)
    os.kill(family, signal.SIGKILL)
    assert site.process.wait(10) == 1
    assert site.text().endswith(f"\nmake run: {site.data_dir} is gone\n")
    assert gone(everything, 1)


def test_the_guard_comes_back_and_does_its_work(make_site: MakeSite) -> None:
    site = make_site(WEB + FAMILY)
    site.start(**ELSEWHERE)
    site.wait_for("The shop is running")
    first = site.guard()
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: not alive(first) and any(True for _ in _guards(site)), 5)
    everything = [site.process.pid, *site.pids()]
    site.process.kill()
    assert gone(everything)


def _guards(site: Site) -> Iterator[int]:
    with contextlib.suppress(ValueError, OSError):
        yield site.guard()


def test_a_second_start_is_refused_in_one_line(make_site: MakeSite) -> None:
    site = make_site(WEB)
    site.start(**ELSEWHERE)
    site.wait_for("The shop is running")
    second = make_site("", "second")
    second.start(DATA_DIR=str(site.data_dir), **ELSEWHERE)
    assert second.process.wait(5) == 1
    expected = f"make run: {site.data_dir} is in use by process {site.process.pid} already\n"
    assert second.text() == expected

    third = make_site("", "third")
    third.port = site.port
    third.start(**ELSEWHERE)
    assert third.process.wait(5) == 1
    assert third.text().startswith(f"make run: port {site.port} is in use already")
    assert third.text().count("\n") == 1


def test_a_failed_preparation_ends_the_start(make_site: MakeSite) -> None:
    site = make_site(WEB)
    (site.folder / "manage.py").write_text("import sys; print('why'); sys.exit(3)")
    site.start(**ELSEWHERE)
    assert site.process.wait(5) == 1
    *_, why, last = site.text().splitlines()
    assert why == "prepare  | why"
    assert last == "make run: `python manage.py prepare_development` ended with 3"
    assert "Serving" not in site.text()


def test_a_port_that_is_none_is_refused(make_site: MakeSite) -> None:
    site = make_site(WEB)
    site.start(PORT="http", **ELSEWHERE)
    assert site.process.wait(5) == 1
    assert site.text() == "make run: PORT is 'http', which is not a port number\n"
