"""Which exceptions are outages, wherever they occur."""

import asyncio
import errno
import threading
import time
from typing import Any

import psycopg
import pytest
import redis
from allauth.account.models import EmailAddress
from django.db import IntegrityError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.client import MULTIPART_CONTENT
from redis._parsers.base import BaseParser

from accounts.models import User
from purchases.bulk import ClientGone
from purchases.entries import KeyHeld
from reports.models import Report
from shop.core.errors import OutcomeUnknown, error_response
from shop.core.exception_handler import exception_handler
from shop.core.outages import is_outage
from shop.server import gate as gate_module
from shop.server.bodies import Bodies
from shop.server.failures import Failures
from shop.server.gate import Gate

# Valkey's own messages when it cannot do something now.
VALKEY = [
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Valkey is configured to save RDB snapshots, but it's unable to persist on disk.",
    "NOREPLICAS Not enough good replicas to write.",
    "READONLY You can't write against a read only replica.",
    "LOADING Valkey is loading the dataset in memory",
    "BUSY Valkey is busy running a script. You can only call SCRIPT KILL.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "EXECABORT Transaction discarded because of previous errors.",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM this user has no permissions to run the 'set' command",
    "ERR max number of clients reached",
    "UNBLOCKED force unblock from blocking operation, instance state changed",
]
STATES = [
    *("25006", "25P03", "53000", "53100", "53200", "53300", "53400"),
    *("57P01", "57P02", "57P03", "57P04", "57P05", "57014", "58000", "58030", "08006", "55P03"),
]
ERRNOS = [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE]


@pytest.mark.parametrize("words", VALKEY)
def test_what_valkey_refuses_is_an_outage(words: str) -> None:
    assert is_outage(BaseParser.parse_error(words)), words


@pytest.mark.parametrize("state", STATES)
def test_what_postgresql_refuses_for_now_is_an_outage(state: str) -> None:
    raw = psycopg.errors.lookup(state)("refused")
    assert is_outage(raw)
    django_error = OperationalError if isinstance(raw, psycopg.OperationalError) else InternalError
    error = django_error("refused")
    error.__cause__ = raw
    assert is_outage(error)


def test_defects_are_no_outages() -> None:
    for error in (
        ValueError(),
        None,
        FileNotFoundError(errno.ENOENT, "no such file"),
        IntegrityError("duplicate"),
        InternalError("unknown"),
        psycopg.errors.UndefinedTable("no such table"),
        BaseParser.parse_error("ERR syntax error"),
        BaseParser.parse_error("WRONGTYPE Operation against a key"),
    ):
        assert not is_outage(error), error
    assert all(is_outage(OSError(number, "refused")) for number in ERRNOS)


def _failing(error: Exception) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    return app


async def _answer(app: Any, path: str, parts: list[bytes]) -> tuple[int, dict[str, str], bytes]:
    messages = [
        {"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"transfer-encoding", b"chunked")],
        "shop.holder": "account:1",
        "shop.unsure": False,
    }
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError(errno.ENOSPC, "full"), 503),
        (redis.exceptions.OutOfMemoryError("full"), 503),
        (OperationalError("gone"), 503),
        (KeyError("a defect"), 500),
    ],
)
async def test_what_no_view_answers_is_answered_in_the_envelope(
    error: Exception, status: int
) -> None:
    for path, word in (("/api/v1/purchases/", b'"errors"'), ("/buy", b'"status":"Error"')):
        found, headers, body = await _answer(Failures(_failing(error)), path, [b"x"])
        assert found == status
        assert word in body
        assert headers["cache-control"] == "private, no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert ("retry-after" in headers) == (status == 503)


async def test_a_body_that_the_full_temporary_folder_does_not_take_is_refused_for_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full = open("/dev/full", "w+b")  # noqa: SIM115
    # /dev/full takes no byte, like a full disk.
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **options: full)

    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    parts = [b"x" * 300_000 for _ in range(5)]
    limits = {"/api/v1/purchases/bulk/": 64 * 1024 * 1024}
    answer = await _answer(Failures(Bodies(never, limits)), "/api/v1/purchases/bulk/", parts)
    status, headers, body = answer
    assert status == 503, body
    assert headers["retry-after"] == "2"


@pytest.mark.django_db
def test_pages_and_api_answer_503_and_say_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client(raise_request_exception=False)
    error = InternalError("cannot execute INSERT in a read-only transaction")
    error.__cause__ = psycopg.errors.ReadOnlySqlTransaction()

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", refuse)
    client.cookies["sessionid"] = "x" * 32
    for path in ("/", "/purchases/", "/api/v1/purchases/", "/getAllUserBuys/joe", "/admin/"):
        answer = client.get(path)
        assert answer.status_code == 503, path
        assert answer["Retry-After"] == "2", path


def test_a_page_of_an_unknown_outcome_does_not_say_that_nothing_was_recorded() -> None:
    page = error_response(RequestFactory().get("/reports/"), OutcomeUnknown()).content.decode()
    assert "not known yet" in page
    assert "othing was recorded" not in page


REPORT = {"kind": "statement", "since": "2024-01-01", "until": "2024-01-31"}
EVE = {"username": "eve", "email": "eve@example.com"}
PASSWORD = "orchid-lamp-42"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broken_at", ["insert", "commit"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/accounts/", {**EVE, "password": PASSWORD}),
        ("/accounts/signup/", {**EVE, "password1": PASSWORD, "password2": PASSWORD}),
        ("/api/v1/reports/", REPORT),
        ("/reports/", REPORT),
    ],
)
def test_a_lost_commit_is_never_said_to_have_recorded_nothing(
    monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, str], broken_at: str
) -> None:
    client = Client(raise_request_exception=False)
    if "reports" in path:
        joe = User.objects.create(username="joe", userid="005", email="joe@example.com")
        EmailAddress.objects.create(user=joe, email=joe.email, primary=True, verified=True)
        client.force_login(joe)
    commit = psycopg.Connection.commit

    def lose(*arguments: Any) -> None:
        commit(*arguments)
        raise psycopg.OperationalError("the connection is lost")

    def refuse(*arguments: Any, **options: Any) -> None:
        raise _refused(psycopg.OperationalError("the connection is lost"))

    with monkeypatch.context() as patch:
        if broken_at == "commit":
            patch.setattr(psycopg.Connection, "commit", lose)
        else:
            patch.setattr(User, "save", refuse)
            patch.setattr(Report, "save", refuse)
        kind = "application/json" if path.startswith("/api/") else MULTIPART_CONTENT
        answer = client.post(path, body, content_type=kind)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert (b"not known yet" in answer.content) == (broken_at == "commit")
    assert (b"nothing was recorded" in answer.content) == (broken_at == "insert")
    recorded = User.objects.filter(username="eve").exists() or Report.objects.exists()
    assert recorded == (broken_at == "commit")


def _refused(cause: Exception) -> OperationalError:
    error = OperationalError("refused")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "others"),
    [
        (KeyHeld(), 200),
        (ClientGone(), 200),
        (_refused(psycopg.errors.LockNotAvailable()), 200),
        (_refused(psycopg.errors.DeadlockDetected()), 200),
        (_refused(psycopg.errors.ConfigurationLimitExceeded()), 200),
        (_refused(psycopg.errors.QueryCanceled()), 503),
        (_refused(psycopg.OperationalError("gone")), 503),
        (redis.TimeoutError("gone"), 503),
    ],
)
async def test_only_what_everybody_would_meet_turns_away_who_waits(
    error: Exception, others: int
) -> None:
    app = _Application(error)
    gate = Gate(app, threads=1, large_threads=1, large=1)
    failing = asyncio.create_task(_ask(gate, "/fails", "account:1"))
    await asyncio.to_thread(app.begun.wait, 10)
    # The next request may get the thread of the first, whose fate is not known yet.
    following = asyncio.create_task(_ask(gate, "/held", "account:2"))
    waiting = asyncio.create_task(_ask(gate, "/", "account:3"))
    await asyncio.sleep(0)
    app.fail.set()
    assert await failing == 503
    app.go_on.set()
    assert await following in (200, others)
    assert await waiting == others


async def test_an_outage_ends_once_the_servers_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "OUTAGE_SECONDS", 1000.0)
    monkeypatch.setattr(gate_module, "CHECK_SECONDS", 0.01)
    app, over = _Application(redis.TimeoutError("gone")), threading.Event()
    app.fail.set()
    gate = Gate(app, threads=1, large_threads=1, large=1, over=over.is_set)
    assert await _ask(gate, "/fails", "account:1") == 503
    async with asyncio.timeout(30):
        held = await _kept_waiting(gate, "/held", "account:1")
        assert await _ask(gate, "/", "account:2") == 503
        over.set()
        waiting = await _kept_waiting(gate, "/", "account:2")
    app.go_on.set()
    assert [await held, await waiting] == [200, 200]


async def _kept_waiting(gate: Gate, path: str, holder: str) -> "asyncio.Task[int]":
    """Ask until a request is not answered at once, and return that request."""
    while True:
        asked = asyncio.create_task(_ask(gate, path, holder))
        if not (await asyncio.wait({asked}, timeout=0.1))[0]:
            return asked


async def test_what_was_waited_for_before_the_gate_counts_in_an_outage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate_module, "OUTAGE_SECONDS", 1000.0)
    monkeypatch.setattr(gate_module, "ANSWER_SECONDS", 1000.0)
    app = _Application(redis.TimeoutError("gone"))
    app.fail.set()
    gate = Gate(app, threads=1, large_threads=1, large=1)
    assert await _ask(gate, "/fails", "account:1") == 503
    long_ago = {"shop.arrived": time.monotonic() - 1000}
    async with asyncio.timeout(30):
        assert await _ask(gate, "/held", "account:2", **long_ago) == 503
    app.go_on.set()


class _Application:
    """Answers 200; ``/fails`` meets the error when told, and ``/held`` waits until it may go on."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.begun, self.fail, self.go_on = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> HttpResponse:
        status = "200 OK"
        if environ["PATH_INFO"] == "/fails":
            self.begun.set()
            assert self.fail.wait(10)
            request = HttpRequest()
            request.META = environ
            told = exception_handler(self.error, {"request": request})
            assert told is not None
            status = f"{told.status_code} Unavailable"
        elif environ["PATH_INFO"] == "/held":
            assert self.go_on.wait(60)
        start_response(status, [])
        return HttpResponse()


async def _ask(gate: Gate, path: str, holder: str, **more: Any) -> int:
    sent: list[Any] = []

    async def receive() -> Any:
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "server": ("127.0.0.1", 80),
        "shop.holder": holder,
        **more,
    }
    await gate(scope, receive, send)
    return int(sent[0]["status"])
