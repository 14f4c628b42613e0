"""PostgreSQL or Valkey that answers but refuses writes: 503, nothing done, and then back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest
import redis

from tests.system import Answer, System, wait_for

pytestmark = pytest.mark.system

PURCHASES = "/api/v1/purchases/"
LATE = {"username": "late", "email": "late@example.com", "password": "kR3-otter-9"}
# What a caller without a token sends.
SIGNED_OUT = [
    ("/api/v1/auth/token/", {"username": "joe", "password": "demo-joe"}),
    ("/api/v1/accounts/", LATE),
]


@contextmanager
def _read_only(system: System) -> Iterator[None]:
    """PostgreSQL refuses writes, like a server that lost a failover."""
    url = system.servers()["DATABASE_OWNER_URL"]
    with psycopg.connect(url, autocommit=True) as admin:
        name = f'"{admin.info.dbname}"'
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        try:
            yield
        finally:
            # Open connections stay read-only, so a writer has to connect anew.
            admin.execute("SET transaction_read_only = off")
            admin.execute("SET default_transaction_read_only = off")
            admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


def _refused(answer: Answer | httpx.Response) -> bool:
    status = answer.status if isinstance(answer, Answer) else answer.status_code
    assert status != 500
    return status == 503 and int(answer.headers["Retry-After"]) > 0


def _all_refused(system: System, requests: list[tuple[str, Any, str | None]]) -> None:
    """Send them at once, because the server tries each for a second before it refuses."""
    with ThreadPoolExecutor(len(requests)) as threads:
        for path, refused in threads.map(
            lambda each: (each[0], _refused(system.request("POST", *each))), requests
        ):
            assert refused, path


def _form(page: httpx.Client, path: str, **fields: str) -> httpx.Response:
    fields["csrfmiddlewaretoken"] = page.cookies[f"csrftoken_{page.base_url.port}"]
    return page.post(path, data=fields)


def _items(system: System, token: str) -> set[str]:
    lines = system.request("GET", f"{PURCHASES}export.jsonl", token=token).body.splitlines()
    return {str(httpx.Response(200, content=line).json()["item"]) for line in lines}


def test_a_read_only_postgresql_is_told_and_got_over(system: System) -> None:
    token = system.token("joe")
    for _ in range(2):
        body = {"item": "before", "price": "1.00"}
        assert system.request("POST", PURCHASES, body, token).status == 201
    with httpx.Client(base_url=system.url, timeout=30) as page:
        page.get("/accounts/login/")
        signed_in = _form(page, "/accounts/login/", login="joe", password="demo-joe")
        assert signed_in.status_code == 302
        with _read_only(system):
            wait_for(lambda: system.request("GET", PURCHASES, token=token).status == 200)
            body = {"item": "refused", "price": "1.00"}
            _all_refused(
                system,
                [
                    (PURCHASES, body, token),
                    (f"{PURCHASES}?view", body, token),
                    ("/buy", {"price": "1.01"}, token),
                ]
                * 3,
            )

            def nothing_was_recorded() -> bool:
                # A writer whose connection was just ended cannot know that.
                refused = system.request("POST", PURCHASES, body, token)
                return b"nothing was recorded" in refused.body

            wait_for(nothing_was_recorded)
            line = b'{"item":"refused","price":"1.00"}\n'
            bulk: Any = line * 3
            report = {"kind": "statement", "since": "2024-01-01", "until": "2024-01-31"}
            for path, given, kind in (
                (f"{PURCHASES}bulk/", bulk, "application/x-ndjson"),
                ("/api/v1/reports/", report, "application/json"),
                ("/api/v1/live-ticket/", {}, "application/json"),
            ):
                refused = system.request("POST", path, given, token, Content_Type=kind)
                assert _refused(refused), (path, refused)
                assert refused.json()["errors"][0]["code"] == "service_unavailable"
            _all_refused(system, [(path, given, None) for path, given in SIGNED_OUT])
            assert _refused(_form(page, "/", item="refused", price="1.00"))
            with httpx.Client(base_url=system.url, timeout=30) as other:
                other.get("/accounts/login/")
                answer = _form(other, "/accounts/login/", login="ann", password="demo-ann")
                assert _refused(answer)
            health = system.request("GET", "/healthz")
            assert health.status == 503
            assert b"postgresql" in health.body
            assert _refused(system.request("GET", "/readyz"))
        wait_for(system.healthy)
        body = {"item": "after", "price": "1.00"}

        def all_is_well() -> bool:
            # A connection that was opened meanwhile stays read-only. The first write on it fails
            # with 503, and then the pool closes all of them.
            asked = (PURCHASES, f"{PURCHASES}?view")
            return all(
                system.request("POST", asked[number % 2], body, token).status == 201
                for number in range(20)
            )

        wait_for(all_is_well)
        assert _form(page, "/", item="after", price="1.00").status_code == 302
    items = _items(system, token)
    assert "refused" not in items
    assert {"before", "after"} <= items


@pytest.mark.parametrize(("setting", "value"), [("maxmemory", "1"), ("min-replicas-to-write", "1")])
def test_a_valkey_that_takes_no_writes_is_told(system: System, setting: str, value: str) -> None:
    token = system.token("joe")
    valkey = redis.Redis.from_url(system.servers()["REDIS_URL"])
    usual = str(valkey.config_get(setting)[setting])
    valkey.config_set(setting, value)
    try:
        _all_refused(system, [(path, given, None) for path, given in SIGNED_OUT])
        with httpx.Client(base_url=system.url, timeout=30) as page:
            page.get("/accounts/login/")
            assert _refused(_form(page, "/accounts/login/", login="joe", password="demo-joe"))
        health = wait_for(
            lambda: answer if (answer := system.request("GET", "/healthz")).status == 503 else None
        )
        assert b"valkey" in health.body
        assert system.request("GET", "/readyz").json()["dependencies"]["valkey"]["ok"] is False
        # The ledger needs no Valkey.
        body = {"item": setting, "price": "1.00"}
        wait_for(lambda: system.request("POST", PURCHASES, body, token).status == 201)
    finally:
        valkey.config_set(setting, usual)
    wait_for(system.healthy)
    assert (
        system.request(
            "POST", "/api/v1/auth/token/", {"username": "joe", "password": "demo-joe"}
        ).status
        == 200
    )
