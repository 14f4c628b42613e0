"""What `make deploy`, `backup` and `restore` do, as far as it needs no engine."""

import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from deploy.stack import STATEMENTS

ROOT = Path(settings.BASE_DIR)


def statements(folder: Path, output: Path, tools: Path) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    with output.open("wb") as file:
        return subprocess.run(
            ["sh", "-c", STATEMENTS, "sh", str(folder)], stdout=file, env=environment
        )


@pytest.mark.parametrize(("status", "kept"), [(0, True), (1, True), (2, False)])
def test_a_backup_survives_a_statement_that_is_rendered_meanwhile(
    tmp_path: Path, status: int, kept: bool
) -> None:
    """GNU tar ends with 1 where a file changed or went while it was read, and with 2 otherwise."""
    month = tmp_path / "reports" / "2026" / "05"
    month.mkdir(parents=True)
    for name in ("a.pdf", "b.pdf", "c.0123456789abcdef", ".d.pdf.tmp"):
        (month / name).write_bytes(b"%PDF")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "tar").write_text(f'#!/bin/sh\n/bin/tar "$@"\nexit {status}\n')
    (tools / "tar").chmod(0o755)
    output = tmp_path / "reports.tar"
    finished = statements(tmp_path / "reports", output, tools)
    assert (finished.returncode == 0) is kept
    with tarfile.open(output) as tar:
        assert sorted(tar.getnames()) == ["./2026/05/a.pdf", "./2026/05/b.pdf"]


def test_a_backup_without_a_statement_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    output = tmp_path / "reports.tar"
    assert statements(tmp_path / "reports", output, tmp_path).returncode == 0
    with tarfile.open(output) as tar:
        assert tar.getnames() == []
    assert statements(tmp_path / "nothing", output, tmp_path).returncode != 0


def test_a_container_may_take_as_long_to_end_as_what_it_does() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    image = (ROOT / "Dockerfile").read_text().rpartition("CMD ")[2].replace("\\\n", "")
    words = json.loads(image)
    drain = int(words[words.index("--timeout-graceful-shutdown") + 1])
    locations = (ROOT / "nginx" / "locations.inc.template").read_text()
    assert drain == max(map(int, re.findall(r"proxy_read_timeout (\d+)s;", locations)))
    for name in ("web", "live"):
        # 2 s for sockets, and a margin.
        assert seconds(services[name]) >= drain + 10
    assert seconds(services["worker"]) > settings.CELERY_TASK_TIME_LIMIT


def seconds(service: dict[str, str]) -> int:
    return int(service["stop_grace_period"].removesuffix("s"))
