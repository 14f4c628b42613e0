"""Lists and exports from a real streaming replica, which never hides a caller's own purchases."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import psycopg
import pytest

from shop.local.pair import run_pair
from shop.local.postgres import Postgres
from tests import template
from tests.system import FEED, System, running, wait_for


@dataclass
class Replicated:
    system: System
    replica_url: str
    replica: "subprocess.Popen[bytes]"
    valkey: psutil.Process

    def on_replica(self, statement: str) -> object:
        with psycopg.connect(self.replica_url, autocommit=True) as connection:
            row = connection.execute(statement).fetchone()
            return row[0] if row else None

    def items(self, token: str, path: str = "/api/v1/purchases/") -> str:
        answer = self.system.request("GET", path, token=token)
        assert answer.status == 200, answer.body
        return answer.body.decode()

    def buy(self, token: str, **names: str) -> str:
        item = f"book {uuid.uuid4()}"
        body = {"item": item, "price": "1", **names}
        answer = self.system.request("POST", "/api/v1/purchases/", body, token)
        assert answer.status == 201, answer.body
        return item

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let the replica replay nothing during the block."""
        self.on_replica("SELECT pg_wal_replay_pause()")
        wait_for(lambda: self.on_replica("SELECT pg_get_wal_replay_pause_state()") == "paused", 5)
        try:
            yield
        finally:
            self.on_replica("SELECT pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicated]:
    folder = tmp_path_factory.mktemp("replica")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        patch.delenv("REDIS_URL", raising=False)
        template.copy(folder / "primary")
        with run_pair(folder / "primary", throwaway=True) as pair:
            standby = Postgres(folder / "standby", throwaway=True)
            primary = Postgres(folder / "primary", throwaway=True)
            subprocess.run(
                [
                    *(primary._binaries / "pg_basebackup", "-D", standby.folder, "-R"),
                    *("-h", primary.sockets, "-U", "shop", "-c", "fast"),
                ],
                check=True,
                env=Postgres.environment(),
            )
            standby.folder.chmod(0o700)
            process = subprocess.Popen(
                standby.command(), env=Postgres.environment(), start_new_session=True
            )
            try:
                wait_for(standby.ready, 20)
                with running(
                    folder / "site",
                    FEED,
                    DATABASE_URL=pair.database_url,
                    REDIS_URL=pair.redis_url,
                    DATABASE_REPLICA_URL=standby.url,
                ) as system:
                    (valkey,) = (
                        child
                        for child in psutil.Process().children(recursive=True)
                        if "valkey-server" in child.name()
                        and any(str(folder) in word for word in child.cmdline())
                    )
                    yield Replicated(system, standby.url, process, valkey)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(20)


def test_a_list_may_lag_but_never_behind_what_its_reader_wrote(site: Replicated) -> None:
    joe, ann, till, staff = (site.system.token(name) for name in ("joe", "ann", "till", "staff"))
    site.buy(joe)
    site.buy(till, userid="006", username="ann")
    wait_for(lambda: "book" in site.items(ann), 10)
    with site.standing_still():
        own = [site.buy(joe) for _ in range(3)]
        for path in ("", "export.jsonl", "export.csv"):
            seen = site.items(joe, f"/api/v1/purchases/{path}")
            assert all(item in seen for item in own), path
        other = site.buy(till, userid="006", username="ann")
        # Ann has written nothing, so her list comes from the replica, which stands still.
        assert other not in site.items(ann)
        assert other not in site.items(ann, "/api/v1/purchases/export.jsonl")
        assert own[0] not in site.items(staff)
        by_staff = site.buy(staff)
        seen = site.items(staff)
        assert by_staff in seen
        assert own[0] in seen
    wait_for(lambda: other in site.items(ann), 10)


def test_a_write_that_valkey_was_not_told_of_hides_no_later_one(site: Replicated) -> None:
    joe = site.system.token("joe")
    site.valkey.suspend()
    try:
        untold = site.buy(joe)
        with site.standing_still():
            # A second purchase, so that the replica does not stop just before the first.
            assert site.buy(joe) in (seen := site.items(joe))
            assert untold in seen
    finally:
        site.valkey.resume()
    with psycopg.connect(site.system.servers()["DATABASE_URL"]) as primary:
        position = primary.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert position
    replayed = f"SELECT pg_last_wal_replay_lsn() >= '{position[0]}'"
    wait_for(lambda: site.on_replica(replayed), 10)
    with site.standing_still():
        assert site.buy(joe) in site.items(joe)


def test_a_replica_that_dies_costs_no_request(site: Replicated) -> None:
    joe, ann = site.system.token("joe"), site.system.token("ann")
    site.items(ann)
    os.kill(site.replica.pid, signal.SIGKILL)
    started = time.monotonic()
    item = site.buy(joe)
    for _ in range(5):
        assert item in site.items(joe)
        site.items(ann)
    assert time.monotonic() - started < 6
