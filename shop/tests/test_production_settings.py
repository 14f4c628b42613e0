"""What a start in production refuses: settings that are missing, malformed or examples."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from shop.connections import FURTHER
from shop.core import env
from shop.tests.production import PRODUCTION, refusal

ROOT = Path(settings.BASE_DIR)


@pytest.mark.parametrize("files", [False, True])
def test_make_env_writes_random_secrets_once(tmp_path: Path, files: bool):
    (tmp_path / "deploy").mkdir()
    for name in ("deploy/make_env.py", ".env.example"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())

    def make_env() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "deploy/make_env.py"],
            cwd=tmp_path,
            env={"SITE_URL": "https://a.example.org", "SECRETS": "files" if files else ""},
            capture_output=True,
            text=True,
        )

    first = make_env()
    assert first.returncode == 0, first.stderr
    written = (tmp_path / ".env").read_text()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert "\nALLOWED_HOSTS=a.example.org,localhost,127.0.0.1\n" in written
    set_lines = [line for line in written.splitlines() if not line.startswith("#")]
    assert not [line for line in set_lines if "change-me" in line]
    assert "\nEMAIL_WITHOUT_ACCOUNT=true\n" in written
    passwords = {"POSTGRES_PASSWORD", "POSTGRES_APP_PASSWORD", "VALKEY_PASSWORD"}
    if files:
        given = {name: (tmp_path / "secrets" / name.lower()).read_text() for name in passwords}
        assert not [line for line in set_lines if "PASSWORD=" in line]
    else:
        given = dict(line.split("=", 1) for line in set_lines if "PASSWORD=" in line)
    assert len({given[name] for name in passwords}) == 3
    assert all(len(given[name]) >= 60 for name in passwords)
    second = make_env()
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert (tmp_path / ".env").read_text() == written


def test_secrets_come_from_files_too_and_never_from_examples(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "secret").write_text("s3cr3t\n")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))
    assert env.secret("THING") == "s3cr3t"
    (tmp_path / "secret").write_text("one, two,\n")
    assert env.secrets("THING") == ["one", "two"]
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
    "name", [name for name in PRODUCTION if re.search("SECRET|PASS|KEYS", name)]
)
def test_production_does_not_start_where_a_secret_is_missing_or_an_example(
    monkeypatch: pytest.MonkeyPatch, name: str
):
    for value in ("", "change-me"):
        assert refusal(monkeypatch, **{name: value}).startswith(f"{name} ")


URLS = (
    *("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_REPLICA_URL", "REDIS_URL"),
    *(f"DATABASE_{kind.upper()}_URL" for kind in FURTHER),
)


@pytest.mark.parametrize("name", URLS)
def test_production_does_not_start_with_a_url_of_the_examples(
    monkeypatch: pytest.MonkeyPatch, name: str
):
    (published,) = re.findall(rf"^#?{name}=(.*)$", (ROOT / ".env.example").read_text(), re.M)
    assert ":password@" in published
    for password in ("password", "change-me", "p%61ssword"):
        value = published.replace(":password@", f":{password}@")
        assert refusal(monkeypatch, **{name: value}) == f"{name} still has its example value."
        assert refusal(monkeypatch, **{name: value}, ENVIRONMENT="development") == ""
    real = published.replace(":password@", ":" + "e" * 40 + "@")
    assert refusal(monkeypatch, **{name: real}) == ""


@pytest.mark.parametrize("name", URLS)
def test_a_url_that_cannot_be_read_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str
):
    scheme = "redis" if name == "REDIS_URL" else "postgresql"
    for rest in (
        *("u:geheim@[::1/0", "u:geheim@host:port/0", "u:geheim@host:99999/0"),
        *(("u:ge#heim@host/0", "u:geheim@host/zero") if scheme == "redis" else ("u:ge%zz@host/0",)),
    ):
        for url in (f"{scheme}://{rest}", f"mysql://{rest}", rest):
            told = refusal(monkeypatch, **{name: url})
            assert told.startswith(f"{name} cannot be read."), url
            assert "heim" not in told
            assert "%zz" not in told


@pytest.mark.parametrize("name", ["SITE_URL", "S3_ENDPOINT", "BILLING_VIES_URL", "STRIPE_API_URL"])
def test_an_address_that_is_none_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str):
    for value in (
        *("shop.example.org", "javascript:x", "https://", "https://shop.example.org:port"),
        *("https://shop.example.org:99999", "http://[::1", "https://shop example.org"),
        *(
            "https://u:geheim@shop.example.org",
            "https://shop.example.org/?x=1",
            "ftp://shop.example",
        ),
    ):
        told = refusal(monkeypatch, **{name: value})
        assert told.startswith(f"{name} must be an address"), value
        assert "geheim" not in told
    for value in ("https://shop.example.org:8443/", "http://[::1]:8000", "https://a.example/base"):
        assert refusal(monkeypatch, **{name: value}) == ""


def test_a_refused_start_says_one_line():
    finished = subprocess.run(
        [sys.executable, "manage.py", "check_environment"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | PRODUCTION | {"DJANGO_SECRET_KEY": ""},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 1
    assert finished.stderr.startswith("manage.py: DJANGO_SECRET_KEY is not set.")
    assert finished.stderr.count("\n") == 1


def test_a_mail_server_may_want_no_account_if_that_is_said(monkeypatch: pytest.MonkeyPatch):
    nobody = {"SECRET_EMAIL_USER": "", "SECRET_EMAIL_USER_PSWD": ""}
    assert refusal(monkeypatch) == ""
    assert refusal(monkeypatch, **nobody, EMAIL_WITHOUT_ACCOUNT="true") == ""
    half = refusal(monkeypatch, SECRET_EMAIL_USER_PSWD="", EMAIL_WITHOUT_ACCOUNT="true")
    assert half.startswith("SECRET_EMAIL_USER_PSWD ")
