"""The output of the processes, and a terminal that does not read it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from shop.local.processes import wait_until
from tests.local.toy_site import (
    CHECKOUT,
    ELSEWHERE,
    ENVIRONMENT,
    MakeSite,
    Site,
)


def test_a_log_on_a_full_disk_goes_on_once_there_is_room() -> None:
    script = """
import os, sys, time
from shop.local.console import Console
console = Console(["one"])
console.line("one", b"lost")
time.sleep(0.3)
os.dup2(2, 1)
console.line("one", b"kept")
console.close()
"""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=CHECKOUT, stdout=full, stderr=subprocess.PIPE,
            check=True,
        )  # fmt: skip
    assert done.stderr == b"one | kept\n"


def test_output_without_end_takes_no_memory_and_stays_in_its_lines(make_site: MakeSite) -> None:
    site = make_site("flood: python flood.py\nlines: python lines.py\n")
    (site.folder / "flood.py").write_text(
        "import os, time\n"
        "for _ in range(320): os.write(1, b'x' * 65536)\n"
        "open('over', 'w').close()\n"
        "time.sleep(1000)\n"
    )
    (site.folder / "lines.py").write_text(
        "import time\nwhile True: print('y' * 99), time.sleep(0.001)\n"
    )
    site.start(**ELSEWHERE)
    assert wait_until((site.folder / "over").exists, 20)
    assert _peak_kilobytes(site.process.pid) < 100_000
    site.process.terminate()
    assert site.process.wait(10) == 0
    whole = r"flood    \| x+|lines    \| y{,99}|(shop|prepare) +\| [^xy].*|\(\d+ lines dropped\)"
    for line in site.text().splitlines():
        assert re.fullmatch(whole, line), line[:200]


def test_a_terminal_that_stands_still_stops_nothing(make_site: MakeSite) -> None:
    site = make_site("lines: python lines.py\n")
    (site.folder / "lines.py").write_text("while True: print('y' * 50_000)")
    read, write = os.pipe()
    process = site.process = subprocess.Popen(
        site.command,
        cwd=site.folder,
        env=ENVIRONMENT | ELSEWHERE | {"PORT": str(site.port)},
        stdout=write,
        start_new_session=True,
    )
    os.close(write)
    try:
        record = site.data_dir / "processes.json"
        assert wait_until(lambda: record.exists() and b"lines" in _commands(site), 10)
        (first,) = site.recorded()
        os.kill(first, signal.SIGKILL)
        assert wait_until(lambda: site.recorded() not in ([], [first]), 5)
        assert wait_until(lambda: _written_bytes(site.recorded()[0]) > 200_000_000, 20)
        assert _peak_kilobytes(process.pid) < 100_000
        process.terminate()
        assert process.wait(10) == 0
    finally:
        os.close(read)


def _written_bytes(pid: int) -> int:
    return int(re.findall(r"wchar: (\d+)", Path(f"/proc/{pid}/io").read_text())[0])


def _peak_kilobytes(pid: int) -> int:
    return int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])


def _commands(site: Site) -> bytes:
    with contextlib.suppress(OSError, ValueError):
        return b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in site.recorded())
    return b""
