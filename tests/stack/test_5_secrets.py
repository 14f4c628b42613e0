"""Secrets: missing ones, those of the examples, and those in files.

The tests of a stack run in the order of their files. Each finds what the ones before it have left,
as a stack that is in use does.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack.shared import project
from tests.stack.stack import (
    OPEN_FILES,
    ROOT,
    Stack,
    docker,
    inspect,
    wait_for,
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES_PASSWORD", "change-me"),
        ("POSTGRES_APP_PASSWORD", ""),
        ("VALKEY_PASSWORD", ""),
        ("DJANGO_SECRET_KEY", "change-me-to-50-or-more-random-characters"),
        ("DATA_KEYS", ""),
        ("DATA_KEYS", "k1:change-me"),
        ("SECRET_EMAIL_USER_PSWD", ""),
    ],
)
def test_a_missing_or_an_example_secret_stops_the_start(
    stack: Stack, tmp_path: Path, name: str, value: str
):
    lines = stack.env_file.read_text().splitlines()
    text = [f"{name}={value}" if line.startswith(f"{name}=") else line for line in lines]
    (tmp_path / "bad.env").write_text("\n".join(text) + "\n")
    environment = stack.environment | {
        "ENV_FILE": str(tmp_path / "bad.env"),
        "COMPOSE_PROJECT_NAME": f"{project(stack)}-secrets",
        "FRONT_NETWORK": "172.31.224",
    }
    finished = subprocess.run(
        [sys.executable, "-m", "deploy.stack", "up", "--no-build"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    try:
        assert finished.returncode == 1
        assert f"manage.py: {name} " in finished.stderr
        assert "Traceback" not in finished.stderr
        words = [
            "ps",
            "-aq",
            "--filter",
            f"label=com.docker.compose.project={project(stack)}-secrets",
        ]
        assert docker(*words) == ""
    finally:
        stack.environment, kept = environment, stack.environment
        try:
            stack.remove()
        finally:
            stack.environment = kept


def test_secrets_can_be_files(stack: Stack, tmp_path: Path):
    """Run ``make env SECRETS=files`` in a copy of the checkout, and use the result."""
    (tmp_path / "deploy").mkdir()
    for name in ("deploy/make_env.py", ".env.example"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "deploy/make_env.py"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "SECRETS": "files"},
        check=True,
    )
    folder = tmp_path / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    environment = {
        name: value for name, value in stack.environment.items() if "SECRET" not in name
    } | {
        "ENV_FILE": str(tmp_path / ".env"),
        "COMPOSE_FILE": "docker-compose.yml:docker-compose.secrets.yml",
        "COMPOSE_PROJECT_NAME": f"{project(stack)}-files",
        "SECRETS_DIR": str(folder),
        "IMAGE": "shop-stack-test",
        "OPEN_FILES": str(OPEN_FILES),
        "FRONT_NETWORK": "172.31.224",
    }
    stack.environment, kept = environment, stack.environment
    stack.env_file, kept_file = tmp_path / ".env", stack.env_file
    try:
        stack.compose("up", "-d", "relay", "worker")
        wait_for(lambda: stack.healthy("relay", 1) and stack.healthy("worker", 1), 60)
        shown = inspect(stack.containers("relay")[0], "{{.Config.Env}}")
        for secret in folder.iterdir():
            value = secret.read_text().strip()
            assert not value or value == "shop" or value not in shown
    finally:
        stack.remove()
        stack.environment, stack.env_file = kept, kept_file
