"""Rules that hold for the project as a whole."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis
import yaml
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.test import Client

from shop.core import env, health, site_settings
from shop.core.errors import ApplicationError
from shop.core.logs import OneLine
from shop.core.parsers import decode_json
from shop.local.procfile import read_procfile
from shop.tests.production import refusal

ROOT = Path(settings.BASE_DIR)


def test_the_committed_schema_is_what_the_code_says(client: Client):
    served = client.get("/documentation/openapi.json").json()
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert served == committed, "Run `make schema`."


# A process of its own, because a generator that was used once has loaded what it needs.
_AT_ONCE = """
import django
from concurrent.futures import ThreadPoolExecutor
django.setup()
import sys
from django.test import Client
import shop.urls
sys.setswitchinterval(1e-5)
with ThreadPoolExecutor(6) as pool:
    ask = Client(raise_request_exception=False, headers={"host": "localhost"}).get
    print({answer.status_code for answer in pool.map(ask, ["/documentation/openapi.json"] * 6)})
"""


def test_the_first_readers_of_the_schema_may_come_at_once() -> None:
    environment = {**os.environ, "ENVIRONMENT": "development"}
    environment["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    command = [sys.executable, "-c", _AT_ONCE]
    asked = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=True)
    assert asked.stdout.decode().strip().endswith("{200}"), asked.stderr.decode()[-2000:]


NAME = re.compile(r"^#?([A-Z0-9_]+)=", re.M)


@pytest.fixture
def read_names(monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], set[str]]:
    """Return the variables that the settings read, and those that are secrets."""
    monkeypatch.setattr(env, "VARIABLES", set())
    monkeypatch.setattr(env, "SECRETS", set())
    for role in ("application", "owner"):
        assert refusal(monkeypatch, DATABASE_ROLE=role) == ""
    assert refusal(monkeypatch, ENVIRONMENT="development") == ""
    of_settings = {setting.variable for setting in site_settings.registry().values()}
    return env.VARIABLES | of_settings - {""}, env.SECRETS


def test_every_setting_from_the_environment_is_explained(
    read_names: tuple[set[str], set[str]],
) -> None:
    read, _ = read_names
    example = (ROOT / ".env.example").read_text()
    of_settings, of_compose = map(
        set, map(NAME.findall, example.split("read by docker-compose.yml only"))
    )
    assert read == of_settings
    assert not of_settings & of_compose
    composed = (ROOT / "docker-compose.yml").read_text()
    composed += (ROOT / "docker-compose.secrets.yml").read_text()
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", composed)) | set(
        re.findall(r"^ +([A-Z0-9_]+):", composed, re.M)
    )
    # Compose itself reads this one. We set the others, for the containers.
    assert of_compose - used == {"COMPOSE_FILE"}
    known = of_settings | of_compose
    assert {name for name in used - known if name.removesuffix("_FILE") not in known} == set()


FOLDERS = "accounts|benchmarks|deploy|documents|events|nginx|purchases|reports|search|shop|tests"


def test_files_that_the_documents_name_exist():
    """Decisions are left out, because they tell of their own time."""
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]*\.\w+)`", document.read_text()):
            assert (ROOT / path).exists(), f"{document.name}: {path}"


def _anchors(document: Path) -> set[str]:
    """Return what a link may name in a document, as code hosts make it of its headings."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ +(.*?) *$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_links_of_the_documents_lead_somewhere():
    dead = []
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    for document in documents:
        text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
        links = re.findall(r"\]\(([^()\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", text)
        for link in filter(None, (one or other for one, other in links)):
            if re.match(r"[a-z]+:|/", link):
                continue
            path, _, anchor = link.partition("#")
            target = (document.parent / path).resolve() if path else document
            if not target.exists() or (anchor and anchor not in _anchors(target)):
                dead.append(f"{document.relative_to(ROOT)}: {link}")
    assert len(documents) > 100
    assert dead == []


# A stack has servers of its own, so the addresses of others are not passed on.
ELSEWHERE = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "POSTGRES_PORT", "VALKEY_PORT"}


def test_a_stack_gets_every_setting_that_it_may_set():
    composed = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / ".env.example").read_text().partition("read by docker-compose.yml only")[0]
    # The image sets these.
    fixed = {"DATA_DIR", "STATIC_ROOT", "REPORTS_DIR", "JOURNAL_DIR", "PORT"}
    for name in set(NAME.findall(example)) - fixed - ELSEWHERE:
        assert re.search(rf"^ +{name}:", composed, re.M), name


def test_every_secret_may_be_a_file_in_the_stack(read_names: tuple[set[str], set[str]]) -> None:
    _, names = read_names
    composed = (ROOT / "docker-compose.yml").read_text()
    assert "DJANGO_SECRET_KEY_FALLBACKS" in names
    for name in names - ELSEWHERE:
        assert re.search(rf"^ +{name}_FILE:", composed, re.M), name


def test_a_stack_uses_its_own_servers():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        given = service["environment"]
        assert not {one.removesuffix("_FILE") for one in given} & ELSEWHERE, name
        if "DATABASE_ROLE" in given:
            assert (given["POSTGRES_HOST"], given["VALKEY_HOST"]) == ("postgres", "valkey")


def test_the_image_installs_what_requirements_say():
    for name in ("requirements", "requirements-s3", "requirements-kafka"):
        locked = (ROOT / f"{name}.lock").read_text()
        versions = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", locked, re.M))
        for line in (ROOT / f"{name}.txt").read_text().splitlines():
            package, _, version = re.sub(r"#.*|\[.*\]", "", line).partition("==")
            package = re.sub(r"[-_.]+", "-", package).lower()
            assert versions.get(package, "") == version, f"Run `make lock`: {line}"
        blocks = re.split(r"^(?=\S)", locked, flags=re.M)[1:]
        assert all("--hash=sha256:" in block for block in blocks)


def test_the_container_serves_as_the_procfile_does():
    def options(words: list[str]) -> dict[str, str]:
        text = " ".join(words).partition("shop.asgi:application")[2]
        return {name: value.strip() for name, value in re.findall(r"--(\S+)((?: [^-]\S*)?)", text)}

    image = (ROOT / "Dockerfile").read_text().rpartition("CMD ")[2].replace("\\\n", "")
    procfile = read_procfile(ROOT / "Procfile")
    here, there = options(procfile["web"]), options(json.loads(image))
    different = {"host", "port", "timeout-graceful-shutdown"}
    assert {k: v for k, v in here.items() if k not in different} == {
        k: v for k, v in there.items() if k not in different
    }
    composed = (ROOT / "docker-compose.yml").read_text()
    for name in procfile.keys() - {"web"}:
        words = [word for word in procfile[name] if "$" not in word]
        assert re.search(r'", "'.join(map(re.escape, words[:-1])), composed), name


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/api/v1/nothing/", 404),
        ("get", "/api/", 404),
        ("get", "/api/v1/purchases/", 401),
        ("put", "/api/v1/auth/token/", 405),
        ("get", "/api/v1/purchases/?item=%00", 400),
        ("get", "/api/v1/purchases/?" + "x" * 9000, 400),
    ],
)
@pytest.mark.django_db
def test_every_error_below_api_is_the_envelope(client: Client, method: str, path: str, status: int):
    response = getattr(client, method)(path)
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert body["type"] in ("validation_error", "client_error")
    assert all(error.keys() == {"code", "detail", "attr"} for error in body["errors"])


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError("gone"), redis.ConnectionError("gone")])
@pytest.mark.parametrize(
    ("path", "key"), [("/api/v1/accounts/me/", "type"), ("/getAllUserBuys/joe", "status")]
)
def test_a_lost_dependency_is_503_with_retry_after(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, path: str, key: str
):
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    client.raise_request_exception = False
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", fail)
    monkeypatch.setattr("accounts.authentication.TokenAuthentication.authenticate", fail)
    response = client.get(path, headers={"Cookie": "sessionid=" + "a" * 32})
    assert response.status_code == 503
    assert response["Retry-After"]
    assert key in response.json()


@pytest.mark.django_db
def test_pages_answer_503_without_the_database(client: Client, monkeypatch: pytest.MonkeyPatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise OperationalError("gone")

    client.raise_request_exception = False
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", fail)
    response = client.get("/", headers={"Cookie": "sessionid=" + "a" * 32})
    assert response.status_code == 503
    assert b"Not available" in response.content


@pytest.mark.django_db
def test_every_page_forbids_inline_scripts_and_frames(client: Client):
    response = client.get("/")
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert b"<script>" not in response.content
    assert b"style=" not in response.content


def test_health_names_what_does_not_answer(client: Client, monkeypatch: pytest.MonkeyPatch):
    def fail() -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(health, "checks", lambda: {"postgresql": lambda: None, "valkey": fail})
    response = client.get("/healthz")
    assert response.status_code == 503
    assert b"valkey" in response.content
    assert b"postgresql" not in response.content
    ready = client.get("/readyz").json()
    assert ready["dependencies"]["valkey"]["ok"] is False
    assert client.get("/livez").status_code == 200


def test_a_request_keeps_the_proxys_id_and_gets_one_otherwise(client: Client):
    given = client.get("/livez", headers={"X-Request-ID": "abc-123"})
    assert given["X-Request-ID"] == "abc-123"
    for bad in ("", "a b", "x" * 65):
        made = client.get("/livez", headers={"X-Request-ID": bad})["X-Request-ID"]
        assert made != bad
        assert len(made) == 32


@pytest.mark.django_db
def test_metrics_count_requests_by_route(client: Client):
    client.get("/livez")
    text = client.get("/metrics").content.decode()
    assert 'shop_http_requests_total{method="GET",route="livez",status="200"}' in text
    assert "shop_event_position" in text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b'{"a": Infinity}',
        b"\xff",
        b'"\\ud800"',
        b"[" * 100_000,
        b"{} {}",
        b'{"a": 1e9999999999}',
    ],
)
def test_text_that_is_not_json_is_an_error_and_nothing_else(body: bytes):
    try:
        decode_json(body)
    except ApplicationError as error:
        assert error.status == 400  # noqa: PT017
        assert error.code == "parse_error"  # noqa: PT017
    else:
        assert b"1e999" in body


def test_what_anybody_can_cause_is_logged_in_one_line() -> None:
    stderr = settings.LOGGING["handlers"]["stderr"]
    assert stderr["filters"] == ["one_line"]
    try:
        raise SuspiciousOperation("Invalid HTTP_HOST header: 'x'.")
    except SuspiciousOperation:
        record = logging.LogRecord(
            "django.security.DisallowedHost", 40, "", 1, "bad host", (), sys.exc_info()
        )
    assert OneLine().filter(record)
    assert record.exc_info is None
