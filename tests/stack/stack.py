"""A running stack of containers, and how to talk to it from outside."""

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
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
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
            # Networks that the engine makes. The mail server receives webhooks, too.
            "WEBHOOK_ALLOW": "172.16.0.0/12,192.168.0.0/16",
            "BILLING": "true",
            "BILLING_SELLER_NAME": "Shop",
            "BILLING_SELLER_ADDRESS": "Street 1",
            "BILLING_SELLER_POSTCODE": "10115",
            "BILLING_SELLER_CITY": "Berlin",
            "BILLING_SELLER_COUNTRY": "DE",
            "BILLING_SELLER_VAT_ID": "DE136695976",
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

    def posted(self) -> list[Any]:
        """Return the bodies of the webhooks that were received, in order."""
        one = self.containers("mail")[0]
        lines = docker("exec", one, "sh", "-c", "cat /mail/hooks.jsonl 2>/dev/null || true")
        return [json.loads(line) for line in lines.splitlines()]

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


def docker(*words: str, check: bool = True) -> str:
    finished = subprocess.run(["docker", *words], check=check, capture_output=True, text=True)
    return finished.stdout


def inspect(container: str, template: str) -> str:
    return docker("inspect", "--format", template, container, check=False).strip()
