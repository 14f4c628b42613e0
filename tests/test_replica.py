"""Lists and exports from a real streaming replica, which never hides a caller's own purchases."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from shop.embedded import Postgres, services
from tests.system import System, running, wait_for


@dataclass
class Replicated:
    system: System
    replica_url: str
    replica: "subprocess.Popen[bytes]"

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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicated]:
    folder = tmp_path_factory.mktemp("replica")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        patch.delenv("REDIS_URL", raising=False)
        with services(folder / "primary", throwaway=True) as pair:
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
                    DATABASE_URL=pair.database_url,
                    REDIS_URL=pair.redis_url,
                    DATABASE_REPLICA_URL=standby.url,
                ) as system:
                    yield Replicated(system, standby.url, process)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(20)


def test_a_list_may_lag_but_never_behind_what_its_reader_wrote(site: Replicated) -> None:
    joe, ann, till, staff = (site.system.token(name) for name in ("joe", "ann", "till", "staff"))
    site.buy(joe)
    site.buy(till, userid="006", username="ann")
    wait_for(lambda: "book" in site.items(ann), 10)
    site.on_replica("SELECT pg_wal_replay_pause()")
    wait_for(lambda: site.on_replica("SELECT pg_get_wal_replay_pause_state()") == "paused", 5)
    try:
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
    finally:
        site.on_replica("SELECT pg_wal_replay_resume()")
    wait_for(lambda: other in site.items(ann), 10)


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
