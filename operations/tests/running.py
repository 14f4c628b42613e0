"""A process of the shop in a test: it reports, answers requests, and dies when it is told."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

_PROGRAM = """
import sys
import django
django.setup()
from events.hub import hub
from operations import beats
from shop.core.metrics import observe_request
from shop.core.process import Process
this = Process(sys.argv[1])
print(this.id, flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


class Running:
    """A process that runs the lines that it is given."""

    def __init__(self, kind: str) -> None:
        url = urlsplit(os.environ["DATABASE_URL"])._replace(
            path="/" + connection.settings_dict["NAME"]
        )
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "DATABASE_URL": url.geturl(),
        }
        self._child = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=settings.BASE_DIR,
            env=environment,
        )
        self.id = self._read()

    def _read(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline().strip()

    def run(self, line: str) -> None:
        """Run a line of Python there."""
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()
        assert self._read() == "done", line

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._child.kill()
        self._child.communicate()


@contextmanager
def processes(*kinds: str) -> Iterator[list[Any]]:
    """Run a process of each kind during the block."""
    started = [Running(kind) for kind in kinds]
    try:
        yield started
    finally:
        for each in started:
            each.kill()
