"""One web process on the tests' own database, as a container of the image runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
from django.db import connection

from tests.system import ROOT, wait_for


def database_url() -> str:
    """Return the URL of the tests' own database."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return url.geturl()


def losing_the_database(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``work``, after which the connection of Django is cut by PostgreSQL."""

    def cut(*arguments: Any, **options: Any) -> Any:
        result = work(*arguments, **options)
        with psycopg.connect(database_url()) as other:
            pid = connection.connection.info.backend_pid
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        return result

    return cut


@contextmanager
def serving(port: int, **extra: str) -> Iterator[subprocess.Popen[bytes]]:
    """Serve during the block, which begins once requests are answered.

    ``extra`` are environment variables.
    """
    image = (ROOT / "Dockerfile").read_text().rpartition("CMD ")[2].replace("\\\n", "")
    _, *words = json.loads(image)
    process = subprocess.Popen(
        [sys.executable, *words, "--host", "127.0.0.1", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url(), **extra},
    )
    try:
        wait_for(lambda: _answers(port), 30)
        yield process
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    except httpx.TransportError:
        return False
