"""Everything is broken once under load; `make soak` does the same for as long as you like."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reports.tests.smtp import smtp_server
from tests.faults.engine import (
    FAULTS,
    RECOVERY_SECONDS,
    Load,
    fill_the_disk,
    recovery,
    small_disk,
)
from tests.system import System, running


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of its own, because it is broken again and again."""
    with running(tmp_path_factory.mktemp("faults") / "data") as system:
        yield system


# One load for faults of one kind: what the first leaves behind, the next one meets.
ROUNDS = {
    "the stores die": ["kill -9 PostgreSQL", "kill -9 Valkey", "kill -9 Valkey, data lost"],
    "our processes die": ["kill -9 relay", "kill -9 web and feed", "kill -9 worker"],
    "PostgreSQL hangs": ["PostgreSQL hangs 7 s"],
    "everything dies": ["kill -9 everything"],
}


@pytest.mark.parametrize("name", ROUNDS)
def test_nothing_is_lost_and_nothing_comes_twice_when(broken: System, name: str) -> None:
    load = Load(broken)
    load.start()
    for fault in ROUNDS[name]:
        FAULTS[fault](broken)
        seconds = recovery(broken, load)
        assert seconds < RECOVERY_SECONDS, f"{fault}: back after {seconds:.1f} s"
    verdict = load.verdict()
    assert not verdict.wrong, "\n".join(verdict.wrong)
    assert (verdict.lost, verdict.doubled, verdict.disordered) == (0, 0, 0)
    assert verdict.acknowledged > 40
    assert verdict.reports


def test_a_full_disk_is_survived(tmp_path: Path) -> None:
    try:
        with small_disk(tmp_path / "disk", 400) as folder, running(folder / "data") as system:
            load = Load(system, buyers=3)
            load.start()
            fill_the_disk(system)
            assert recovery(system, load) < RECOVERY_SECONDS
            verdict = load.verdict()
    except OSError as error:
        pytest.skip(f"No file system can be mounted here: {error}")
    assert not verdict.wrong, "\n".join(verdict.wrong)
    assert (verdict.lost, verdict.doubled, verdict.disordered) == (0, 0, 0)


def test_a_mail_server_that_misbehaves_gets_each_mail_once_at_most(tmp_path: Path) -> None:
    with (
        smtp_server() as mail,
        running(
            tmp_path / "data",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=str(mail.port),
            EMAIL_USE_TLS="false",
            REPORTS_RETRY_SECONDS="1",
            REPORTS_SENDING_SECONDS="4",
        ) as system,
    ):
        load = Load(system, buyers=2, mail=mail)
        load.start()
        for mode in ("refuse", "drop", "ok"):
            mail.mode = mode
            load.progress(10)
            before = len(load.reports)
            while len(load.reports) < before + 2:
                load.progress(5)
        verdict = load.verdict()
        assert not verdict.wrong, "\n".join(verdict.wrong)
        taken = [str(message["Message-ID"]) for message in mail.accepted]
        assert taken
        assert len(taken) == len(set(taken))
