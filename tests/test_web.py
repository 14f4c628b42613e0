"""One web process: one that takes HTTPS only, and one that is cut off from PostgreSQL."""

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict

from accounts.models import Token, User
from purchases.models import Purchase
from tests.system import free_port, wait_for
from tests.web import database_url, serving

pytestmark = pytest.mark.django_db(transaction=True)

BUYS = ("/api/v1/purchases/", "/buy")


@pytest.fixture
def authorization() -> dict[str, str]:
    user = User.objects.create(username="joe", userid="005", email="joe@example.com")
    return {"Authorization": f"Token {Token.objects.create(user)[1]}"}


def test_a_batched_purchase_is_taken_over_https_only(
    authorization: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    production = {
        "ENVIRONMENT": "production",
        "PASSWORD_HASH_KIB": "102400",
        "DJANGO_SECRET_KEY": uuid.uuid4().hex * 2,
        "DATA_KEYS": "k1:" + "A" * 43 + "=",
        "SECRET_EMAIL_USER": "shop",
        "SECRET_EMAIL_USER_PSWD": uuid.uuid4().hex,
        "ALLOWED_HOSTS": "127.0.0.1",
        "SITE_URL": "https://shop.example",
        "STATIC_ROOT": str(tmp_path),
        "TRUSTED_PROXIES": "127.0.0.1",
    }

    def buy(path: str, address: str, **headers: str) -> httpx.Response:
        given = authorization | {name.replace("_", "-"): value for name, value in headers.items()}
        transport = httpx.HTTPTransport(local_address=address)
        with httpx.Client(transport=transport, timeout=30) as client:
            return client.post(f"http://127.0.0.1:{port}{path}", json={"price": "1"}, headers=given)

    with serving(port, **production):
        for path in BUYS:
            # From a trusted proxy that says HTTP, and from an untrusted one that says HTTPS.
            for refused in (
                buy(path, "127.0.0.1", X_Forwarded_Proto="http"),
                buy(path, "127.0.0.1"),
                buy(path, "127.0.0.2", X_Forwarded_Proto="https"),
            ):
                assert refused.status_code == 403, refused.text
                assert refused.json()["errors"][0]["code"] == "https_required"
        assert not Purchase.objects.exists()
        for path in BUYS:
            taken = buy(path, "127.0.0.1", X_Forwarded_Proto="https")
            assert taken.is_success, taken.text
            hsts = taken.headers["Strict-Transport-Security"]
            assert hsts == "max-age=31536000; includeSubDomains; preload"
    assert Purchase.objects.count() == len(BUYS)


class Proxy:
    """A TCP proxy of PostgreSQL's socket that can fall silent, like a cut network.

    Connections from before stay open and silent for good. Later ones are silent as long as the
    proxy is.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._silences = 0
        self._silent = False
        threading.Thread(target=self._accept, daemon=True).start()

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Carry nothing during the block."""
        self._silent = True
        self._silences += 1
        try:
            yield
        finally:
            self._silent = False

    def close(self) -> None:
        """End every connection."""
        for end in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._open.append(client)
                if self._silent:
                    continue
                server = socket.socket(socket.AF_UNIX)
                self._open.append(server)
                server.connect(self._target)
                for ends in ((client, server), (server, client)):
                    threading.Thread(
                        target=self._carry, args=(*ends, self._silences), daemon=True
                    ).start()

    def _carry(self, source: socket.socket, sink: socket.socket, silences: int) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._silences != silences:
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def test_a_web_process_cut_off_from_postgresql_says_so_and_goes_on(
    authorization: dict[str, str],
) -> None:
    where = conninfo_to_dict(database_url())
    proxy = Proxy(f"{where['host']}/.s.PGSQL.{where.get('port', 5432)}")
    name = f"{where['user']}@127.0.0.1:{proxy.port}/{where['dbname']}"
    port = free_port()

    unknown: set[str] = set()

    def buy(item: str) -> tuple[int, float]:
        started = time.monotonic()
        body = {"item": item, "price": "1"}
        url = f"http://127.0.0.1:{port}{BUYS[0]}"
        answer = httpx.post(url, json=body, headers=authorization, timeout=30)
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
            if "nothing was recorded" not in answer.text:
                unknown.add(item)
        return answer.status_code, time.monotonic() - started

    with (
        contextlib.closing(proxy),
        serving(port, DATABASE_URL=f"postgresql://{name}?sslmode=disable"),
        ThreadPoolExecutor(12) as threads,
    ):
        # Every writer has a connection by then.
        assert {status for status, _ in threads.map(buy, ["before"] * 60)} == {201}
        with proxy.silence():
            told = list(threads.map(buy, [f"meanwhile {number}" for number in range(12)]))
        assert {status for status, _ in told} == {503}
        # Six seconds are promised; the rest is for a busy machine.
        assert max(seconds for _, seconds in told) < 9
        wait_for(lambda: buy("after")[0] == 201, 5)
        assert {status for status, _ in threads.map(buy, ["after"] * 12)} == {201}
    recorded = Purchase.objects.filter(item__startswith="meanwhile").values_list("item", flat=True)
    assert set(recorded) <= unknown
