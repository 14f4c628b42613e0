"""Breaks a running system again and again, and prints what became of what was acknowledged.

    make soak ARGS="--minutes 10"

Each round is a fault under load, in turn, then the whole verdict: ledger, event log, every socket,
every report, ``manage.py verify_ledger``. Exits with 1 if anything is wrong.
"""

import argparse
import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.faults import FAKETIME, FAULTS, faked_clock, fill_the_disk, jump, small_disk
from tests.faults.load import Load, Verdict, recovery
from tests.smtp import smtp_server
from tests.system import running

HEAD = [
    "fault", "injected", "operations", "acknowledged", "lost", "doubled", "out of order",
    "longest outage s", "slowest 503 s", "recovery s",
]  # fmt: skip


def jumping_clock() -> tuple[Verdict, float]:
    """Set the clock of every process an hour ahead, an hour back, and right again, under load."""
    if FAKETIME is None:
        raise OSError("libfaketime is not installed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder / "data", **faked_clock(folder)) as system:
            load = Load(system, buyers=4)
            load.start()
            slowest = 0.0
            for seconds in (3600, -3600, 0):
                jump(folder, seconds)
                ahead = (load.clock() - datetime.now(UTC)).total_seconds()
                if abs(ahead - seconds) > 60:
                    load.wrong.append(f"The clock is {ahead:.0f} s ahead, not {seconds}.")
                slowest = max(slowest, recovery(system, load))
            return load.verdict(), slowest


def misbehaving_mail_server() -> tuple[Verdict, float]:
    """A mail server that refuses, hangs, or drops the connection after the mail, under load."""
    with (
        tempfile.TemporaryDirectory() as name,
        smtp_server() as mail,
        running(
            Path(name) / "data",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=str(mail.port),
            EMAIL_USE_TLS="false",
            REPORTS_RETRY_SECONDS="1",
            REPORTS_SENDING_SECONDS="4",
        ) as system,
    ):
        load = Load(system, buyers=2, mail=mail)
        load.start()
        for mode in ("refuse", "drop", "silent", "ok"):
            mail.mode = mode
            before = len(load.reports)
            while len(load.reports) < before + 2:
                load.progress(5)
        mail.released.set()
        verdict = load.verdict()
        taken = [str(message["Message-ID"]) for message in mail.accepted]
        if not taken or len(taken) != len(set(taken)):
            verdict.wrong.append(f"{len(taken)} mails were taken, {len(set(taken))} different.")
        return verdict, 0.0


def full_disk() -> tuple[Verdict, float]:
    """Fill the file system of PostgreSQL, Valkey and everything else, under load."""
    with (
        tempfile.TemporaryDirectory() as name,
        small_disk(Path(name) / "disk", 400) as folder,
        running(folder / "data") as system,
    ):
        load = Load(system, buyers=3)
        load.start()
        fill_the_disk(system)
        seconds = recovery(system, load)
        return load.verdict(), seconds


SCENARIOS: dict[str, Callable[[], tuple[Verdict, float]]] = {
    "the clock jumps by an hour": jumping_clock,
    "the mail server misbehaves": misbehaving_mail_server,
    "the disk is full": full_disk,
}
"""Faults that need a system of their own, once each."""


def main() -> int:
    """Run for so many minutes. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", help="a fault by name")
    options = parser.parse_args()
    faults = [options.only] if options.only else list(FAULTS)
    runs: dict[str, list[tuple[Verdict, float]]] = defaultdict(list)
    wrong: list[str] = []
    deadline = time.monotonic() + options.minutes * 60
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "data") as system,
    ):
        for number, name in enumerate(itertools.cycle(faults)):
            if time.monotonic() > deadline and number >= len(faults):
                break
            load = Load(system)
            load.start()
            FAULTS[name](system)
            seconds = recovery(system, load)
            load.progress(100, 60)
            verdict = load.verdict()
            runs[name].append((verdict, seconds))
            wrong += [f"{name}: {what}" for what in verdict.wrong]
            state = "; ".join(verdict.wrong) or "all holds"
            print(f"{name}: back after {seconds:.1f} s, {state}", flush=True)
    for name, scenario in () if options.only else SCENARIOS.items():
        try:
            verdict, seconds = scenario()
        except OSError as error:
            print(f"{name}: cannot be tried here, {error}", flush=True)
            continue
        runs[name].append((verdict, seconds))
        wrong += [f"{name}: {what}" for what in verdict.wrong]
        print(f"{name}: {'; '.join(verdict.wrong) or 'all holds'}", flush=True)
    print()
    print("| " + " | ".join(HEAD) + " |")
    print("|" + "---|" * len(HEAD))
    for name, results in runs.items():
        verdicts = [verdict for verdict, _ in results]
        cells = [
            name,
            len(results),
            sum(verdict.operations for verdict in verdicts),
            sum(verdict.acknowledged for verdict in verdicts),
            sum(verdict.lost for verdict in verdicts),
            sum(verdict.doubled for verdict in verdicts),
            sum(verdict.disordered for verdict in verdicts),
            f"{max(verdict.longest_outage for verdict in verdicts):.1f}",
            f"{max(verdict.slowest_refusal for verdict in verdicts):.1f}",
            f"{max(seconds for _, seconds in results):.1f}",
        ]
        print("| " + " | ".join(map(str, cells)) + " |")
    print()
    print("\n".join(wrong) or "Nothing was lost, doubled, out of order or stuck.")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
