"""A running stack of containers, and how to talk to it from outside."""

import contextlib
import email
import email.policy
import itertools
import json
import os
import resource
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from deploy.compose import Failure, compose_command
from deploy.make_env import fresh_env

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "shop.test"
IMAGE = "shop-stack-test"
# The most files that an engine on this machine can give a container.
OPEN_FILES = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])

ACCOUNTS = """
from django.contrib.auth.hashers import make_password
from allauth.account.models import EmailAddress
from accounts.models import User
for name, userid, extra in (
    ("joe", "005", {}),
    ("ann", "006", {}),
    ("till", "till", {"is_client": True}),
    ("staff", "staff", {"is_staff": True, "is_superuser": True}),
):
    address = f"{name}@shop.test"
    password = make_password(f"stack-{name}")
    user = User.objects.create(
        username=name, userid=userid, email=address, password=password, **extra
    )
    EmailAddress.objects.create(user=user, email=address, verified=True, primary=True)
"""
KILL = (
    "import os\n"
    "for name in os.listdir('/proc'):\n"
    "    if name.isdigit() and int(name) not in (1, os.getpid()):\n"
    "        os.kill(int(name), 9)\n"
)
LEADER = (
    "SELECT host(activity.client_addr) FROM pg_locks AS held JOIN pg_stat_activity AS activity"
    " USING (pid) WHERE held.locktype = 'advisory' AND held.granted AND held.objid = 1936224112"
)


def engine_problem() -> str:
    """Return in one line why no stack can run here; empty if one can."""
    if not shutil.which("docker"):
        return "this needs Docker, and there is no `docker` here."
    answer = subprocess.run(["docker", "info"], capture_output=True, text=True)
    if answer.returncode:
        return "this needs Docker, and no engine answers `docker info`."
    try:
        compose_command()
    except Failure as failure:
        return f"this needs Compose. {failure}"
    return ""


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return the condition's first true value. Fail if there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "What was waited for did not happen."
        time.sleep(0.1)
    return value


def checkout_with(folder: Path, changes: dict[str, str]) -> Path:
    """Return a copy of the checkout with these files added or replaced."""
    ignored = shutil.ignore_patterns(
        *(".git", ".venv", "var", "backups", "certificates", "secrets", ".env", "__pycache__"),
        *(".*_cache", "node_modules"),
    )
    shutil.copytree(ROOT, folder, ignore=ignored)
    for name, text in changes.items():
        (folder / name).write_text(text)
    return folder


@dataclass
class Stack:
    """The stack, by the ports that nginx publishes. Ports come from STACK_HTTP_PORT and so on."""

    env_file: Path
    backups: Path
    http_port: int
    https_port: int
    backend_port: int
    environment: dict[str, str]
    _items: Any = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def make(cls, folder: Path) -> "Stack":
        """Write the stack's ``.env``; nothing is started yet."""
        ports = [
            int(os.environ.get(f"STACK_{name}_PORT", default))
            for name, default in (("HTTP", 18080), ("HTTPS", 18443), ("BACKEND", 12002))
        ]
        front = os.environ.get("STACK_FRONT_NETWORK", "172.31.223")
        given = {
            "ALLOWED_HOSTS": f"{HOST},127.0.0.1",
            "SITE_URL": f"https://{HOST}:{ports[1]}",
            "EMAIL_HOST": "mail",
            "EMAIL_PORT": "2525",
            "EMAIL_USE_TLS": "false",
            "SECRET_EMAIL_USER": "shop",
            "SECRET_EMAIL_USER_PSWD": "mail-password",
            "HTTP_PORT": f"127.0.0.1:{ports[0]}",
            "HTTPS_PORT": f"127.0.0.1:{ports[1]}",
            "BACKEND_PORT": f"127.0.0.1:{ports[2]}",
            "FRONT_NETWORK": front,
            # The tests act as a proxy in front, which has an address of the engine.
            "TRUSTED_PROXIES": f"{front}.0/24",
            "NGINX_TRANSFERS": "4",
            "CERTIFICATES_DIR": str(folder / "certificates"),
            "IMAGE": IMAGE,
            "BUILD_NETWORK": os.environ.get("BUILD_NETWORK", "default"),
            "OPEN_FILES": str(OPEN_FILES),
            "NGINX_RATE": "100000",
            "REPORTS_CLAIM_SECONDS": "5",
            "REPORTS_SWEEP_SECONDS": "5",
        }
        (folder / "certificates").mkdir()
        text, _ = fresh_env((ROOT / ".env.example").read_text(), given)
        env_file = folder / "stack.env"
        env_file.write_text(text)
        env_file.chmod(0o600)
        environment = {name: value for name, value in os.environ.items() if name not in given}
        environment |= {
            "ENV_FILE": str(env_file),
            "COMPOSE_PROJECT_NAME": os.environ.get("STACK_PROJECT", "shop-stack-test"),
            "COMPOSE_FILE": f"docker-compose.yml{os.pathsep}tests/stack/docker-compose.yml",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        http, https, backend = ports
        return cls(env_file, folder / "backups", http, https, backend, environment)

    # --- the stack itself --------------------------------------------------------------------

    def compose(self, *words: str, **options: Any) -> str:
        command = [*compose_command(), "--env-file", str(self.env_file), *words]
        finished = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, **options
        )
        assert finished.returncode == 0, finished.stderr[-3000:]
        return finished.stdout

    def make_target(self, *words: str, checkout: Path = ROOT) -> None:
        """Run ``make up``, ``deploy``, ``backup`` or ``restore``."""
        command = [sys.executable, "-m", "deploy.stack", *words]
        subprocess.run(command, cwd=checkout, env=self.environment, check=True)

    def start_target(self, *words: str, checkout: Path = ROOT) -> subprocess.Popen[str]:
        """Start what ``make_target`` runs; a pipe carries its output, errors included."""
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.stack", *words],
            cwd=checkout,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def remove(self, *, images: bool = False) -> None:
        """Remove everything of the stack, its data included."""
        project = f"label=com.docker.compose.project={self.environment['COMPOSE_PROJECT_NAME']}"
        for attempt in range(3):
            try:
                self.compose("down", "-v", "--remove-orphans", "--timeout", "20")
            except AssertionError as error:
                # A container that is being restarted cannot be removed for a moment.
                print(f"down, attempt {attempt + 1}: {error}", file=sys.stderr)
                time.sleep(3)
            if not docker("network", "ls", "-q", "--filter", project):
                break
        assert not docker("network", "ls", "-q", "--filter", project)
        assert not docker("volume", "ls", "-q", "--filter", project)
        if images:
            found = docker("images", "-q", IMAGE).split()
            if found:
                docker("rmi", "-f", *sorted(set(found)))

    def containers(self, service: str) -> list[str]:
        ids = self.compose("ps", "-q", service).split()
        return [one for one in ids if inspect(one, "{{.State.Running}}") == "true"]

    def healthy(self, service: str, count: int) -> bool:
        ids = self.containers(service)
        states = [inspect(one, "{{.State.Health.Status}}") for one in ids]
        return states == ["healthy"] * count

    def scale(self, **counts: int) -> None:
        words = [f"--scale={service}={count}" for service, count in counts.items()]
        self.compose("up", "-d", "--no-recreate", *words)
        for service, count in counts.items():
            wait_for(lambda: self.healthy(service, count), 120)  # noqa: B023

    def shell(self, code: str) -> str:
        """Run Python in the application."""
        one = self.containers("web")[0]
        words = ["docker", "exec", "-i", one, "python", "manage.py", "shell", "-v", "0"]
        finished = subprocess.run(words, input=code, check=True, capture_output=True, text=True)
        return finished.stdout

    def sql(self, statement: str) -> str:
        one = self.containers("postgres")[0]
        words = ["sh", "-c", 'psql -X -At -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "$1"', "sh"]
        return docker("exec", one, *words, statement).strip()

    def make_accounts(self) -> None:
        self.shell(ACCOUNTS)

    def kill(self, container: str) -> None:
        """kill -9 the process of a container, so that only its restart policy helps."""
        docker("exec", container, "python", "-c", KILL, check=False)

    def leading_relay(self) -> str:
        """Return the container of the relay that leads, or nothing."""
        address = self.sql(LEADER)
        path = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        found = [one for one in self.containers("relay") if address in inspect(one, path).split()]
        return found[0] if address and found else ""

    def totals(self) -> str:
        return self.sql(
            "SELECT count(*), sum(price * quantity), count(DISTINCT customer_id),"
            " (SELECT count(*) FROM reports_report),"
            " (SELECT count(*) FROM events_event)"
            " FROM purchases_purchase"
        )

    def mails(self) -> list[EmailMessage]:
        one = self.containers("mail")[0]
        names = docker("exec", one, "sh", "-c", "ls /mail").split()
        found = []
        for name in names:
            if name.endswith(".eml"):
                words = ["docker", "exec", one, "cat", f"/mail/{name}"]
                raw = subprocess.run(words, check=True, capture_output=True).stdout
                found.append(email.message_from_bytes(raw, policy=email.policy.default))
        return found

    # --- from outside ------------------------------------------------------------------------

    def client(self, username: str = "", **options: Any) -> httpx.Client:
        """Return a client of the HTTPS port; with a name it is signed in by a token."""
        options = {"timeout": 30, "verify": False} | options
        client = httpx.Client(
            base_url=f"https://127.0.0.1:{self.https_port}",
            headers={"Host": f"{HOST}:{self.https_port}"},
            **options,
        )
        if username:
            client.headers["Authorization"] = f"Token {self.token(username)}"
        return client

    def token(self, username: str) -> str:
        tokens = self.__dict__.setdefault("_tokens", {})
        if username not in tokens:
            with self.client() as client:
                answer = client.post(
                    "/api/v1/auth/token/",
                    json={"username": username, "password": f"stack-{username}"},
                )
            assert answer.status_code == 200, answer.text
            tokens[username] = answer.json()["token"]
        return str(tokens[username])

    def item(self) -> str:
        """Return an item that no purchase has."""
        return f"item {next(self._items)} of {time.time_ns()}"

    def socket(self, username: str, query: str) -> ClientConnection:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return connect(
            f"wss://127.0.0.1:{self.https_port}/ws/purchases/?{query}",
            ssl=context,
            additional_headers={"Authorization": f"Token {self.token(username)}"},
            open_timeout=10,
            close_timeout=2,
            proxy=None,
        )


class Follower(threading.Thread):
    """Follows the feed as clients should: when a socket ends, it resumes after its position.

    ``events`` are the received events in order; ``codes`` are the close codes of ended sockets.
    """

    def __init__(self, stack: Stack, username: str = "staff", query: str = "scope=all") -> None:
        super().__init__(daemon=True)
        self.stack, self.username, self.query = stack, username, query
        self.events: list[dict[str, Any]] = []
        self.codes: list[int] = []
        self.refused = 0
        self.position: int | None = None
        self.ready = threading.Event()
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            after = "" if self.position is None else f"&after={self.position}"
            try:
                with self.stack.socket(self.username, self.query + after) as socket:
                    self.follow(socket)
            except ConnectionClosed as error:
                self.codes.append(error.rcvd.code if error.rcvd else 1006)
            except (OSError, InvalidStatus, TimeoutError):
                self.refused += 1
                time.sleep(0.1)

    def follow(self, socket: ClientConnection) -> None:
        while not self.stopping.is_set():
            try:
                message = json.loads(socket.recv(timeout=0.5))
            except TimeoutError:
                continue
            if message["type"] == "hello" and self.position is None:
                self.position = message["position"]
                self.ready.set()
            if message["type"] == "events":
                self.events += message["events"]
                self.position = message["position"]

    @property
    def items(self) -> list[str]:
        return [event["purchase"]["item"] for event in self.events]

    def __enter__(self) -> "Follower":
        self.start()
        assert self.ready.wait(20)
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        self.join(15)

    def check_order(self) -> None:
        positions = [event["position"] for event in self.events]
        assert positions == sorted(set(positions))


class Load(threading.Thread):
    """One caller that keeps asking and stores failures. It repeats no request."""

    def __init__(self, stack: Stack, number: int) -> None:
        super().__init__(daemon=True)
        self.stack, self.number = stack, number
        self.stopping = threading.Event()
        self.done = 0
        self.bought: list[str] = []
        self.failed: list[str] = []

    def run(self) -> None:
        with self.stack.client("till") as client:
            while not self.stopping.is_set():
                for ask in (self.buy, self.read, self.page):
                    try:
                        answer = ask(client)
                        self.done += 1
                        if answer.status_code not in (200, 201):
                            self.failed.append(f"{answer.request.url} {answer.status_code}")
                    except httpx.HTTPError as error:
                        self.failed.append(f"{ask.__name__} {error!r}")

    def buy(self, client: httpx.Client) -> httpx.Response:
        item = f"{self.number}-{self.stack.item()}"
        body = {"username": "joe", "userid": "005", "price": "1.50", "item": item}
        answer = client.post("/api/v1/purchases/", json=body)
        if answer.status_code == 201:
            self.bought.append(item)
        return answer

    @staticmethod
    def read(client: httpx.Client) -> httpx.Response:
        return client.get("/api/v1/purchases/?page_size=1")

    @staticmethod
    def page(client: httpx.Client) -> httpx.Response:
        return client.get("/documentation/openapi.json", headers={"Authorization": ""})


class Upload(threading.Thread):
    """A bulk request that goes on until it is told to end its body."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.stack = stack
        self.items: list[str] = []
        self.ending = threading.Event()
        self.answer: httpx.Response | None = None

    def run(self) -> None:
        with self.stack.client("till", timeout=60) as client:
            self.answer = client.post(
                "/api/v1/purchases/bulk/",
                content=self.lines(),
                headers={"Content-Type": "application/x-ndjson"},
            )

    def lines(self) -> Iterator[bytes]:
        # A body slower than 16 kB a second is cut off.
        while not self.ending.wait(0.2):
            self.items.append(self.stack.item())
            line = {"username": "joe", "userid": "005", "price": "1", "item": self.items[-1]}
            yield f"{json.dumps(line):5000}\n".encode()

    def end(self) -> httpx.Response:
        """End the body. Return the answer."""
        self.ending.set()
        self.join(60)
        assert self.answer, "The bulk request was cut."
        return self.answer


@dataclass
class Watch:
    """What runs beside an event that no client should notice."""

    loads: list[Load]
    followers: list[Follower] = field(default_factory=list)


@contextlib.contextmanager
def everything_watched(stack: Stack, loads: int = 3, followers: int = 3) -> Iterator[Watch]:
    """Load the stack and follow its feed during the block. Nothing may fail or be missed."""
    watch = Watch([Load(stack, number) for number in range(loads)])
    watch.followers = [Follower(stack) for _ in range(followers)]
    for follower in watch.followers:
        follower.__enter__()
    try:
        for load in watch.loads:
            load.start()
        yield watch
        time.sleep(2)
    finally:
        for load in watch.loads:
            load.stopping.set()
        for load in watch.loads:
            load.join(40)
        bought = [item for load in watch.loads for item in load.bought]
        for follower in watch.followers:
            deadline = time.monotonic() + 20
            while not set(bought) <= set(follower.items) and time.monotonic() < deadline:
                time.sleep(0.1)
            follower.__exit__()
    assert [problem for load in watch.loads for problem in load.failed] == []
    assert sum(load.done for load in watch.loads) > 100
    for follower in watch.followers:
        follower.check_order()
        assert sorted(item for item in follower.items if item in set(bought)) == sorted(bought)


def docker(*words: str, check: bool = True) -> str:
    finished = subprocess.run(["docker", *words], check=check, capture_output=True, text=True)
    return finished.stdout


def inspect(container: str, template: str) -> str:
    return docker("inspect", "--format", template, container, check=False).strip()
