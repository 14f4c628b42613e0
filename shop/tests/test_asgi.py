"""What the ASGI application does before and beside its requests."""

import asyncio
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from shop import asgi

ROOT = Path(settings.BASE_DIR)

STARTUP = """
import asyncio, resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
from shop.asgi import application

messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

async def receive():
    return next(messages)

async def send(message):
    print(message["type"], *resource.getrlimit(resource.RLIMIT_NOFILE))

asyncio.run(application({"type": "lifespan"}, receive, send))
"""


def test_a_process_that_serves_may_open_as_many_files_as_the_system_lets_it() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", STARTUP], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert f"lifespan.startup.complete {hard} {hard}" in finished.stdout, finished.stderr


def test_every_container_of_the_stack_may_open_many_files() -> None:
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for name, service in composed["services"].items():
        limit = "${OPEN_FILES:-65536}"
        assert service["ulimits"]["nofile"] == {"soft": limit, "hard": limit}, name
    configuration = (ROOT / "nginx" / "nginx.conf.template").read_text()
    assert "worker_rlimit_nofile ${OPEN_FILES};" in configuration


def status(path: str, host: bytes) -> int:
    sent: list[Any] = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", host)],
        "client": ("172.31.222.130", 40000),
        "server": ("172.31.222.140", 8000),
    }

    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return messages.pop() if messages else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(asgi.application(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize("hosts", [["shop.example"], [".shop.example"], ["*"]])
def test_probes_and_scrapers_may_ask_by_address(settings: Any, hosts: list[str]) -> None:
    settings.ALLOWED_HOSTS = hosts
    for host in (b"web:8000", b"172.31.222.140:8000"):
        assert status("/livez", host) == 200
        if hosts != ["*"]:
            assert status("/documentation", host) == 400
