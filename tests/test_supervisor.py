"""The supervisor, really run on a toy checkout: nothing stays down, and nothing stays behind."""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg.conninfo import conninfo_to_dict

from shop.local.embedded import started_at, wait_until
from shop.local.supervisor import StartError, expand, read_procfile
from tests.faults.engine import small_disk
from tests.system import servers
from tests.test_embedded import AS_ROOT, CHECKOUT, ENVIRONMENT, copy_for_everybody, python_for

MANAGE = "import sys; print('prepared with', *sys.argv[1:])"
WEB = "web: python3 -m http.server --bind 127.0.0.1 $PORT\n"
# Like a Celery worker: a parent with a child in the same process group.
FAMILY = "family: sh -c 'sleep 1000 & echo child $!; wait'\n"
ELSEWHERE = {"DATABASE_URL": "postgresql://elsewhere/", "REDIS_URL": "redis://elsewhere/"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    return started_at(pid) is not None


class Site:
    """A toy checkout in a folder of its own, and its supervisor once it is started."""

    def __init__(self, folder: Path, procfile: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.data_dir = folder / "var"
        self.output = folder / "output"
        self.command = [sys.executable, "-m", "shop.local.supervisor"]
        (folder / "shop").mkdir(parents=True, exist_ok=True)
        shutil.copytree(CHECKOUT / "shop" / "local", folder / "shop" / "local", dirs_exist_ok=True)
        (folder / "manage.py").write_text(MANAGE)
        (folder / "livez").touch()
        (folder / "Procfile").write_text(procfile)

    def start(self, **variables: str) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=ENVIRONMENT | {"PORT": str(self.port)} | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self.process

    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_for(self, pattern: str, count: int = 1, timeout: float = 15.0) -> list[str]:
        """All matches of `pattern` in the output, as soon as there are `count`."""

        def found() -> list[str]:
            return re.findall(pattern, self.text(), re.MULTILINE)

        assert wait_until(lambda: len(found()) >= count, timeout), self.text()
        return found()

    def pids(self) -> list[int]:
        """Every process below the supervisor, in whatever session, its guard included."""
        parents: dict[int, list[int]] = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = status.read_text(errors="replace").rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(status.parent.name))
        found, pending = [], [self.process.pid]
        while pending:
            children = parents.get(pending.pop(), [])
            found += children
            pending += children
        return found

    def pid_of(self, command: str) -> int:
        """The one child whose command line holds `command`."""

        def matches(pid: int) -> bool:
            with contextlib.suppress(OSError):
                return command in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            return False

        (pid,) = [pid for pid in self.recorded() if matches(pid)]
        return pid

    def recorded(self) -> list[int]:
        return [
            entry["pid"] for entry in json.loads((self.data_dir / "processes.json").read_text())
        ]

    def guard(self) -> int:
        (pid,) = [
            pid
            for pid in self.pids()
            if "--guard" in Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        ]
        return pid

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        self.process.kill()
        self.process.wait()


MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Make a site from a Procfile; whatever becomes of the test, it is stopped."""
    sites: list[Site] = []

    def make(procfile: str, name: str = "site") -> Site:
        sites.append(Site(tmp_path / name, procfile))
        return sites[-1]

    yield make
    for site in sites:
        if hasattr(site, "process"):
            site.clean_up()


def gone(pids: list[int], timeout: float = 12.0) -> bool:
    return wait_until(lambda: not any(alive(pid) for pid in pids), timeout)


# --- The Procfile ------------------------------------------------------------------------------


def test_the_procfile_is_split_without_a_shell(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text("# comment\n\nweb: serve '--name=a b' --port $PORT ${DATA_DIR}/x\n")
    commands = read_procfile(path)
    assert list(commands) == ["web"]
    values = {"PORT": "80", "DATA_DIR": "/a b"}
    assert expand(commands["web"], values) == ["serve", "--name=a b", "--port", "80", "/a b/x"]
    with pytest.raises(StartError, match=r"\$PORT, which is not set"):
        expand(commands["web"], {})


@pytest.mark.parametrize("text", ["web serve", "web: a\nweb: b", "a b: c"])
def test_a_malformed_procfile_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "Procfile").write_text(text)
    with pytest.raises(StartError, match="`name: command` is expected"):
        read_procfile(tmp_path / "Procfile")


# --- A whole run -------------------------------------------------------------------------------


def test_a_site_survives_the_death_of_anything(make_site: MakeSite) -> None:
    site = make_site(WEB)
    site.start()
    site.wait_for(r"The shop is running at http://127.0.0.1:\d+/$")
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
    # Straight away, while the guard is still at it.
    site.start()
    site.wait_for("The shop is running")
    assert gone(everything)
    assert kept()

    # Nobody is left to tidy up, so the next run does.
    everything = [site.process.pid, *site.pids()]
    os.kill(site.guard(), signal.SIGKILL)
    site.process.kill()
    site.process.wait()
    # Which of them are servers' own short-lived workers is not ours to say.
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
    """The record of what runs cannot be written then, which holds nothing up for good."""
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
        # All at once, so that one look has to find them all.
        site.process.send_signal(signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        site.process.send_signal(signal.SIGCONT)
        assert gone(pids)
        time.sleep(1)
        (folder / "filler").unlink()
        site.wait_for(r"child (\d+)", 2)
        site.wait_for(r"cousin (\d+)", 2)


def test_a_log_on_a_full_disk_goes_on_once_there_is_room() -> None:
    script = """
import os, sys, time
from shop.local.supervisor import Console
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


# --- Starts that fail --------------------------------------------------------------------------


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


# --- Output ------------------------------------------------------------------------------------


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


# --- Under make, and side by side --------------------------------------------------------------


def under_make(site: Site) -> Site:
    shutil.copy(CHECKOUT / "Makefile", site.folder)
    site.command = ["make", f"PYTHON={sys.executable}", "-o", ".venv/.installed", "run"]
    return site


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_the_end_of_make_is_the_end_of_everything(
    make_site: MakeSite, number: signal.Signals
) -> None:
    site = under_make(make_site(WEB + FAMILY))
    site.start(**ELSEWHERE)
    site.wait_for("The shop is running")
    everything = [site.process.pid, *site.pids()]
    assert len(everything) == 6
    site.process.send_signal(number)
    assert gone(everything[1:], 5)
    site.process.wait(5)


@AS_ROOT
def test_two_copies_of_two_users_run_side_by_side(make_site: MakeSite) -> None:
    nobody = pwd.getpwnam("nobody")
    ours = make_site(WEB)
    ours.start()
    with tempfile.TemporaryDirectory(prefix="shop-test-") as name:
        theirs = make_site(WEB, name)
        copy_for_everybody(theirs.folder)
        theirs.data_dir.mkdir()
        os.chown(theirs.data_dir, nobody.pw_uid, nobody.pw_gid)
        theirs.command[:1] = python_for(nobody)
        theirs.command += ["--prepare", "python3 manage.py"]
        theirs.start()
        for site in (ours, theirs):
            site.wait_for("The shop is running")
        everything = [*ours.pids(), *theirs.pids()]
        owners = {os.stat(f"/proc/{pid}").st_uid for pid in theirs.pids()}
        assert owners == {nobody.pw_uid}
        for site in (ours, theirs):
            site.process.terminate()
        for site in (ours, theirs):
            assert site.process.wait(10) == 0
        assert gone(everything, 1)
