"""Rules that hold for the project as a whole."""

import json
import re
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.test import Client

from shop import env, health
from shop.errors import ApplicationError
from shop.parsers import decode_json

ROOT = Path(settings.BASE_DIR)


def test_the_committed_schema_is_what_the_code_says(client: Client):
    served = client.get("/documentation/openapi.json").json()
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert served == committed, "Run `make schema`."


def test_every_setting_from_the_environment_is_explained():
    read = set(
        re.findall(r"""env\.\w+\(\s*["']([A-Z_]+)""", (ROOT / "shop/settings.py").read_text())
    )
    explained = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    composed = set(re.findall(r"[A-Z_]+", (ROOT / "docker-compose.yml").read_text()))
    assert read <= explained
    assert explained <= read | composed


def test_secrets_come_from_files_too_and_never_from_examples(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "secret").write_text("s3cr3t\n")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))
    assert env.secret("THING") == "s3cr3t"
    monkeypatch.setenv("THING", "both")
    with pytest.raises(ImproperlyConfigured, match="not both"):
        env.secret("THING")
    monkeypatch.delenv("THING_FILE")
    for bad in ("", "change-me", "change-me-please"):
        monkeypatch.setenv("THING", bad)
        with pytest.raises(ImproperlyConfigured, match="THING"):
            env.secret("THING")
    monkeypatch.setenv("NUMBER", "many")
    with pytest.raises(ImproperlyConfigured, match="whole number"):
        env.integer("NUMBER", 1)


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

    monkeypatch.setattr(health, "CHECKS", {"postgresql": lambda: None, "valkey": fail})
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
        assert len(made) == 36


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


def test_the_locked_requirements_are_the_pinned_ones() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / name).read_text()
        return {
            re.sub(r"[-_.]+", "-", package).lower(): version
            for package, version in re.findall(
                r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.M
            )
        }

    pinned, locked = pins("requirements.txt"), pins("requirements.lock")
    assert pinned.items() <= locked.items()
