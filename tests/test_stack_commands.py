"""What ``make deploy``, ``backup`` and ``restore`` do, as far as that needs no engine."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from deploy import backup, rollout
from deploy.backup import TAR_REPORTS
from deploy.compose import Failure, Stack
from deploy.make_env import fresh_env
from tests.world import ROUTES

ROOT = Path(settings.BASE_DIR)


def statements(folder: Path, output: Path, tools: Path) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    with output.open("wb") as file:
        return subprocess.run(
            ["sh", "-c", TAR_REPORTS, "sh", str(folder)], stdout=file, env=environment
        )


@pytest.mark.parametrize(("status", "kept"), [(0, True), (1, True), (2, False)])
def test_a_backup_survives_a_statement_that_is_rendered_meanwhile(
    tmp_path: Path, status: int, kept: bool
) -> None:
    """GNU tar ends with 1 if a file changed or vanished, and with 2 after other errors."""
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


def test_nginx_redirects_no_address_to_the_one_with_a_slash() -> None:
    """Nginx answers 301 where only the address with a slash is a location that it passes on."""
    locations = (ROOT / "nginx" / "locations.inc.template").read_text()
    found = re.findall(r"location (?:= |\^~ )?(/[^\s~]*) \{\s+include \S+/proxy", locations)
    assert "/api/v1/purchases/" in found
    for path in found:
        assert path == "/" or path.rstrip("/") in found, path


def seconds(service: dict[str, str]) -> int:
    return int(service["stop_grace_period"].removesuffix("s"))


def test_nginx_gives_up_an_idle_connection_long_before_a_replica_does() -> None:
    kept = re.search(r"keepalive_timeout (\d+)s;", (ROOT / "nginx" / "30-upstreams.sh").read_text())
    assert kept
    for file in ("Dockerfile", "Procfile"):
        words = re.sub(r'[",]', " ", (ROOT / file).read_text()).split()
        assert int(words[words.index("--timeout-keep-alive") + 1]) >= int(kept[1]) + 10


def test_nginx_lets_every_export_wait_for_its_client() -> None:
    """And counts it among the transfers of an address, whatever app it belongs to."""
    locations = (ROOT / "nginx" / "locations.inc.template").read_text()
    unbuffered = re.search(r"location ~ (\S+) \{\n[^}]*proxy_buffering off;[^}]*300s", locations)
    transfers = re.search(
        r"\$transfer \{[^}]*", (ROOT / "nginx" / "shop.conf.template").read_text()
    )
    assert unbuffered
    assert transfers
    patterns = re.findall(r'"~(\S.*)" \$network', transfers[0])
    exports = [route for route in ROUTES if "export." in route]
    assert len(exports) >= 12, exports
    for route in exports:
        path = "/" + re.sub("<[^>]*>", "one", route)
        assert re.search(unbuffered[1], path), path
        asked = f"{path} HTTP/1.1 GET  "
        assert any(re.search(pattern, asked) for pattern in patterns), path


def test_no_service_can_take_the_host_or_more_rights_than_it_needs() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    rights = {name: service.get("cap_add", []) for name, service in services.items()}
    assert {name for name, added in rights.items() if added} == {"nginx"}
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert all("size=" in mount for mount in service["tmpfs"]), name
        # A digest in .env pins an image.
        assert service["image"].startswith("${"), name


REFUSED = (
    "ERROR: for check  Cannot start service check: OCI runtime create failed: runc create failed:"
    " error setting rlimit type 7: operation not permitted: unknown"
)


def test_an_engine_with_fewer_files_is_told_the_way_out(tmp_path: Path) -> None:
    compose = tmp_path / "compose"
    compose.write_text(f"#!/bin/sh\necho '{REFUSED}' >&2\nexit 1\n")
    compose.chmod(0o755)
    (tmp_path / ".env").write_text("")
    finished = subprocess.run(
        [sys.executable, "-m", "deploy.stack", "up", "--no-build"],
        cwd=ROOT,
        env=os.environ | {"COMPOSE": str(compose), "ENV_FILE": str(tmp_path / ".env")},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 1
    assert REFUSED in finished.stderr
    assert "Set it to what `ulimit -Hn` shows" in finished.stderr
    assert finished.stderr.endswith("Nothing was changed.\n")


@pytest.mark.parametrize(("superusers", "told"), [("0", True), ("1", False)])
def test_up_tells_how_the_first_superuser_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], superusers: str, told: bool
) -> None:
    for name in ("check", "compose", "wait_healthy", "running_container"):
        monkeypatch.setattr(Stack, name, lambda *arguments, **options: None)
    monkeypatch.setattr(rollout, "direct_requests", lambda *arguments: None)
    monkeypatch.setattr(Stack, "sql", lambda stack, statement: superusers)
    rollout.up(Stack.__new__(Stack), build=False)
    assert ("create_account NAME --superuser" in capsys.readouterr().out) is told


class Killed(BaseException):
    """The process has ended here."""


class Containers(Stack):
    """A stack without an engine. ``steps`` are what was done, ``mark`` the database's."""

    def __init__(self, dies_at: str = "") -> None:
        self.dies_at, self.mark, self.steps = dies_at, False, list[str]()

    def step(self, *words: str, **options: object) -> str:
        self.steps.append(" ".join(words))
        if self.dies_at and self.dies_at in self.steps[-1]:
            raise Killed()
        if words[:2] == ("up", "-d") and "--no-deps" not in words and self.mark:
            raise Failure("service migrate didn't complete successfully")
        return ""

    compose = check = step  # type: ignore[assignment]
    run_once = wait_healthy = step  # type: ignore[assignment]

    def containers(self, service: str) -> list[str]:
        return [service]

    def sql(self, statement: str) -> str:
        self.step(statement)
        if "ALTER DATABASE" in statement and backup.MARK in statement:
            self.mark = " SET " in statement
        if backup.MARK in statement:
            return "yes" if self.mark else ""
        return "0"


@pytest.mark.parametrize("moment", ["DROP SCHEMA", "RESTORE", "prepare_database", "replay_journal"])
def test_a_restore_that_is_killed_lets_nothing_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moment: str
) -> None:
    monkeypatch.setattr("deploy.compose.ENV_FILE", tmp_path / ".env")
    file = tmp_path / "shop-1.tar"
    with tarfile.open(file, "w") as tar:
        for name, text in {
            "manifest.json": b'{"position": 1, "floors": ""}', "database.dump": b"",
            "reports.tar": b"", backup.JOURNAL: b"{}",
        }.items():  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    stack = Containers(moment)
    monkeypatch.setattr(rollout, "direct_requests", lambda *arguments: None)
    monkeypatch.setattr(backup, "run", lambda words, **options: stack.step("RESTORE"))
    with pytest.raises(Killed):
        backup.restore(stack, file)
    stack.dies_at = ""
    for _ in range(2):
        with pytest.raises(Failure, match="make replay FILE"):
            rollout.up(stack, build=False)
    # Nothing has served from it, so the whole restore may be repeated, or only its end.
    again = backup.replay if moment == "replay_journal" else backup.restore
    again(stack, file)
    assert not stack.mark
    steps = " | ".join(stack.steps)
    assert steps.rindex("replay_journal") < steps.rindex("RESET shop.not_replayed")
    assert steps.rindex("RESET shop.not_replayed") < steps.rindex("up -d")
    rollout.up(stack, build=False)
    with pytest.raises(Failure, match="No restore waits"):
        backup.replay(stack, file)


@pytest.mark.parametrize(
    ("port", "site"),
    [
        ("443", "https://localhost"),
        ("8443", "https://localhost:8443"),
        ("127.0.0.1:8443", "https://localhost:8443"),
        ("[::1]:443", "https://localhost"),
    ],
)
def test_plain_http_is_sent_to_the_port_that_https_has(port: str, site: str) -> None:
    text, _ = fresh_env((ROOT / ".env.example").read_text(), {"HTTPS_PORT": port})
    assert f"\nSITE_URL={site}\n" in text


def environment_of_nginx(folder: Path, workers: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", ROOT / "nginx" / "15-environment.sh", folder],
        env=os.environ | {"NGINX_WORKERS": workers},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("workers", "written", "whole"),
    [("", "auto", "4k"), ("1", "1", "32k"), ("auto", "auto", "4k"), ("12", "12", "4k")],
)
def test_lines_of_several_nginx_workers_do_not_mix(
    tmp_path: Path, workers: str, written: str, whole: str
) -> None:
    assert environment_of_nginx(tmp_path, workers).returncode == 0
    assert f"worker_processes {written};" in (tmp_path / "workers.inc").read_text()
    assert f" buffer={whole} " in (tmp_path / "access_log.inc").read_text()


@pytest.mark.parametrize("workers", ["0", "100", "-1", "two", "1; user root"])
def test_nginx_does_not_start_with_a_wrong_number_of_workers(tmp_path: Path, workers: str) -> None:
    finished = environment_of_nginx(tmp_path, workers)
    assert finished.returncode == 1
    assert finished.stderr.startswith("NGINX_WORKERS has to be auto or a number from 1 to 99")
