"""The containers of one Compose project, and the commands that every task needs.

It needs the standard library only, and Compose in either of its forms: ``docker compose`` or
``docker-compose`` 1.29 (COMPOSE="…" names another). COMPOSE_PROJECT_NAME, COMPOSE_FILE and ENV_FILE
(.env) mean what they mean for Compose itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
ENV_FILE = Path(os.environ.get("ENV_FILE") or CHECKOUT / ".env")
ROLLED = ("web", "live")
"""Services behind nginx, whose replicas are replaced without a gap."""
OVERLAPPING = ("relay", "follower", "worker")
"""Services that take work by a lock or from a queue, so that old and new replicas may overlap."""
SINGLE = ("beat",)
"""Services that may have one replica only."""
REPLACED = (*OVERLAPPING, *SINGLE)
RESTARTS_MAX = 3
"""A container that Docker has restarted this often does not become healthy any more."""
HEALTHY_SECONDS = 120.0
READY_SECONDS = 20.0
FEWER_FILES = (
    "This engine may not open as many files as OPEN_FILES in .env says (65536 without it)."
    " Set it to what `ulimit -Hn` shows, OPEN_FILES=1024 at worst, and try again. "
)
LABEL = "com.docker.compose"
"""The prefix of the labels that Compose gives its containers."""
PSQL = (
    "exec psql -X -q -v ON_ERROR_STOP=1 -h /var/run/postgresql"
    ' -U "$POSTGRES_USER" -d "$POSTGRES_DB" -At'
)


class Failure(Exception):
    """The command cannot be carried out; the message is one line for the person at the shell."""


def print_line(text: str) -> None:
    """Print one line."""
    print(text, flush=True)


def compose_command() -> list[str]:
    """Return the words that run Compose on this machine. Raise ``Failure`` if it has none."""
    if given := os.environ.get("COMPOSE"):
        return shlex.split(given)
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]):
            answer = subprocess.run([*words, "version"], capture_output=True, text=True)
            if answer.returncode == 0:
                return words
    raise Failure("Neither `docker compose` nor `docker-compose` is here.")


def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command. Raise ``Failure`` with what it wrote if it fails."""
    finished = subprocess.run(words, **options)
    if finished.returncode:
        wrote = finished.stderr or b""
        text = wrote if isinstance(wrote, str) else wrote.decode(errors="replace")
        raise Failure(f"`{' '.join(words[:8])}` failed. {text.strip()[-2000:]}".strip())
    return finished


@contextlib.contextmanager
def exclusive_lock() -> Iterator[None]:
    """Hold the lock of this stack. It ends with the block, and with the process.

    Raise ``Failure`` if another process holds it.
    """
    descriptor = os.open(ENV_FILE.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure("Another make up, deploy or restore is at work.") from None
        yield
    finally:
        os.close(descriptor)


class Stack:
    """The containers of one Compose project."""

    def __init__(self) -> None:
        if not ENV_FILE.exists():
            raise Failure(f"There is no {ENV_FILE.name}. Run `make env` first.")
        self.words = [*compose_command(), "--env-file", str(ENV_FILE)]
        self.tag = os.environ.get("TAG") or read_env(ENV_FILE).get("TAG") or "local"

    def compose(self, *words: str, quiet: bool = False, **options: Any) -> str:
        """Run Compose. Return what it has printed if ``quiet``, else an empty text."""
        if quiet:
            options |= {"capture_output": True, "text": True}
        return str(run([*self.words, *words], cwd=CHECKOUT, **options).stdout or "")

    def run_once(self, *words: str, **options: Any) -> None:
        """Run a service's command, or another command, in a new container that is then deleted."""
        self.compose("run", "--rm", "--no-deps", "-T", *words, **options)

    def containers(self, service: str) -> list[str]:
        """Return the ids of the service's running containers, oldest first."""
        ids = self.compose("ps", "-q", service, quiet=True).split()
        found = sorted(inspect(ids), key=lambda one: str(one["Created"]))
        return [one["Id"] for one in found if one["State"]["Running"]]

    def all_containers(self, service: str) -> list[str]:
        """Return the ids of the service's containers, running or not, oldest first."""
        labels = inspect([self.running_container("nginx")])[0]["Config"]["Labels"]
        project = f"{LABEL}.project={labels[f'{LABEL}.project']}"
        words = ["docker", "ps", "--all", "--quiet", "--no-trunc"]
        for label in (project, f"{LABEL}.service={service}", f"{LABEL}.oneoff=False"):
            words += ["--filter", f"label={label}"]
        ids = run(words, capture_output=True, text=True).stdout.split()
        return [one["Id"] for one in sorted(inspect(ids), key=lambda one: str(one["Created"]))]

    def generation(self, service: str, colour: str) -> list[str]:
        """Return the ids of the service's containers of that colour, oldest first."""
        return [
            one["Id"]
            for one in inspect(self.all_containers(service))
            if one["Config"]["Labels"].get("shop.colour") == colour
        ]

    def running_container(self, service: str) -> str:
        """Return the id of a running container of the service."""
        found = self.containers(service)
        if not found:
            raise Failure(f"{service} does not run.")
        return found[0]

    def wait_healthy(self, *services: str, ids: list[str] | None = None) -> None:
        """Wait until every container, of the services or with the ids, is healthy."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        while True:
            found = inspect(ids or [one for name in services for one in self.containers(name)])
            ill = [
                one["Name"].lstrip("/")
                for one in found
                if one["State"].get("Health", {}).get("Status") != "healthy"
            ]
            if found and not ill:
                return
            dying = [one for one in found if one["RestartCount"] >= RESTARTS_MAX]
            if ids and dying:
                log = run(["docker", "logs", "--tail", "5", dying[0]["Id"]], capture_output=True)
                print(log.stderr.decode(errors="replace"), file=sys.stderr, end="")
                raise Failure(f"{dying[0]['Name'].lstrip('/')} dies again and again.")
            if time.monotonic() > deadline:
                raise Failure(f"Not healthy in time: {', '.join(ill) or ', '.join(services)}.")
            time.sleep(0.5)

    def sql(self, statement: str) -> str:
        """Run a statement as the owner in PostgreSQL's container. Return its result as text."""
        words = ["docker", "exec", "-i", self.running_container("postgres"), "sh", "-c", PSQL]
        return str(run(words, input=statement, capture_output=True, text=True).stdout).strip()

    def check(self, *command: str, **options: Any) -> None:
        """Check the environment in the image, or run another check in it.

        Raise ``Failure`` if the check fails. It has printed the reason then.
        """
        words = [*self.words, "run", "--rm", "--no-deps", "-T", "check", *command]
        finished = subprocess.run(
            words, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True, errors="replace", **options
        )
        print(finished.stderr, end="", file=sys.stderr, flush=True)
        if finished.returncode:
            hint = FEWER_FILES if "rlimit" in finished.stderr else ""
            raise Failure(f"{hint}Nothing was changed.")


def inspect(ids: list[str]) -> list[dict[str, Any]]:
    """Return what Docker knows of the containers, without those that no longer exist."""
    if not ids:
        return []
    answer = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(answer.stdout or "[]")
    return found


def wait_ready(ids: list[str]) -> None:
    """Wait until each container reaches what it depends on.

    A healthy container need not, because its health check does not ask for that. Raise ``Failure``
    if a container is not ready in time.
    """
    deadline = time.monotonic() + READY_SECONDS
    for one in ids:
        words = ["docker", "exec", one, "python", "-S", "deploy/healthcheck.py", "http", "/readyz"]
        while (answer := subprocess.run(words, capture_output=True, text=True)).returncode:
            if time.monotonic() > deadline:
                name = inspect([one])[0]["Name"].lstrip("/")
                raise Failure(f"{name} is not ready. {answer.stderr.strip()}")
            time.sleep(0.5)


def remove(ids: list[str]) -> None:
    """Stop the containers, each within its own ``stop_grace_period``, and delete them."""
    if ids:
        run(["docker", "stop", *ids], capture_output=True)
        run(["docker", "rm", *ids], capture_output=True)


def run_in(container: str, command: str) -> None:
    """Run a shell command in a container."""
    run(["docker", "exec", container, "sh", "-c", command], capture_output=True)


def read_env(path: Path) -> dict[str, str]:
    """Return the variables of an ``.env`` file."""
    pairs = re.findall(r"^([A-Za-z_][A-Za-z_0-9]*)=(.*)$", path.read_text(encoding="utf-8"), re.M)
    return {name: value.strip().strip("'\"") for name, value in pairs}


def write_env(path: Path, values: dict[str, str]) -> None:
    """Set variables in an ``.env`` file, and keep all its other lines."""
    text = path.read_text(encoding="utf-8")
    for name, value in values.items():
        text, count = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.M)
        if not count:
            text += f"{name}={value}\n"
    beside = path.with_name(path.name + ".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
