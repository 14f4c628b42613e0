"""The whole system, started as ``make run`` starts it, for tests from outside."""

import email
import email.policy
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from shop.local.running import running_path
from tests import template

ROOT = Path(__file__).resolve().parent.parent
# The time of a start on two idle cores: on an empty folder, and on a copy of what is migrated.
START_SECONDS = 8.0
COPY_START_SECONDS = 5.0


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return the condition's first true value. Fail if there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "What was waited for did not happen."
        time.sleep(0.05)


def servers(data_dir: Path) -> dict[str, str]:
    """Return the environment variables that lead to the servers of a folder."""
    found: dict[str, str] = json.loads(running_path(data_dir).read_text())
    return found


@dataclass
class System:
    """A running system: where it is, and how to talk to it.

    ``slowness`` is 1 on a machine that is fast enough for the promised seconds. It is more if the
    start took longer, because the machine is busy.
    """

    port: int
    data_dir: Path
    log: Path
    process: subprocess.Popen[bytes]
    slowness: float = 1.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/purchases/"

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        timeout: float = 30,
        **headers: str,
    ) -> Answer:
        """Send a request. ``body`` is bytes, or a value that becomes JSON."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        if token:
            given["Authorization"] = f"Token {token}"
        request = urllib.request.Request(self.url + path, body, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def token(self, username: str) -> str:
        """Sign a demo account in. Return its token."""
        answer = self.request(
            "POST",
            "/api/v1/auth/token/",
            {"username": username, "password": f"demo-{username}"},
        )
        assert answer.status == 200, answer.body
        return str(answer.json()["token"])

    def log_end(self, token: str) -> int:
        """Return the position of the newest purchase that the token's account may see."""
        position, is_full = 0, True
        while is_full:
            path = f"/api/v1/events/?after={position}&limit=5000"
            page = self.request("GET", path, token=token).json()
            position, is_full = page["position"], len(page["events"]) == 5000
        return int(position)

    def mails(self) -> list[EmailMessage]:
        """Return every mail that was written, oldest first."""
        return [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in sorted((self.data_dir / "mail").glob("*.eml"))
        ]

    def servers(self) -> dict[str, str]:
        """Return the environment variables that lead to the system's servers."""
        return servers(self.data_dir)

    def pids(self, pattern: str) -> list[int]:
        """Return the system's processes whose command line contains ``pattern``."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            ours = f"DATA_DIR={self.data_dir}\0".encode() in environment
            if pattern in command and (ours or str(self.data_dir) in command):
                found.append(int(entry.name))
        return found

    def kill(self, pattern: str) -> None:
        """kill -9 what ``pids`` finds, which must be something."""
        pids = self.pids(pattern)
        assert pids, f"nothing to kill: {pattern}"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def healthy(self) -> bool:
        try:
            return self.request("GET", "/healthz", timeout=8).status == 200
        except OSError:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


FEED = ("web", "relay")
"""The processes that record purchases and tell of them: half of all, and of what a start takes."""


def _supervisor(data_dir: Path, processes: Collection[str]) -> list[str]:
    """Return the command of a supervisor that runs only these processes of the Procfile."""
    lines = (ROOT / "Procfile").read_text().splitlines(keepends=True)
    manage = str(ROOT / "manage.py")
    procfile = data_dir.with_suffix(".procfile")
    procfile.write_text(
        "".join(line for line in lines if line.partition(":")[0] in processes).replace(
            "manage.py", manage
        )
    )
    words = ["--procfile", str(procfile), "--prepare", f"python {manage} prepare_development"]
    return [sys.executable, "-m", "shop.local.supervisor", *words]


def launch(data_dir: Path, port: int, processes: Collection[str] = (), **extra: str) -> System:
    """Start the system on a folder with servers of its own. Return at once.

    ``processes`` are all that it runs, if they are given.
    """
    log = data_dir.with_suffix(".log")
    command = [sys.executable, "-m", "shop.local.supervisor"]
    if processes:
        command = _supervisor(data_dir, processes)
        # The supervisor works in the folder of the Procfile.
        extra = {"PYTHONPATH": str(ROOT), **extra}
    if "DATABASE_URL" not in extra:
        template.copy(data_dir)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    }
    environment |= {
        "PORT": str(port),
        "DATA_DIR": str(data_dir),
        "ENVIRONMENT": "development",
        "REPORTS_CLAIM_SECONDS": "4",
        **extra,
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return System(port, data_dir, log, process)


@contextmanager
def running(data_dir: Path, processes: Collection[str] = (), **extra: str) -> Iterator[System]:
    """Run the system on an empty folder with servers of its own, during the block.

    ``processes`` are those of ``launch``; ``extra`` are environment variables.
    """
    started = time.monotonic()
    system = launch(data_dir, free_port(), processes, **extra)
    try:
        wait_for(lambda: system.process.poll() is not None or system.healthy(), 60)
        assert system.process.poll() is None, system.log.read_text()
        usual = COPY_START_SECONDS if template.is_there() else START_SECONDS
        system.slowness = max(1.0, (time.monotonic() - started) / usual)
        yield system
    finally:
        system.process.send_signal(signal.SIGTERM)
        try:
            system.process.wait(20)
        except subprocess.TimeoutExpired:
            system.process.kill()
            raise
