"""What the ASGI application does before and beside its requests."""

import resource
import subprocess
import sys
from pathlib import Path

import yaml
from django.conf import settings

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
        assert service["ulimits"]["nofile"] == {"soft": 65536, "hard": 65536}, name
    assert "worker_rlimit_nofile 65536;" in (ROOT / "nginx" / "nginx.conf.template").read_text()
