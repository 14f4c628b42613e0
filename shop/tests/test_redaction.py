"""No sink of the log gets a secret, and every event is one line."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shop.core import env, logs
from shop.core.redaction import clean, hide, know

KEY = "shk_Zk3vQ9aTcanaryCanaryCanary0123456789abcdefAB"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ"
TICKET = "q8Zcanary-0Tt_5xWv3uYb1NfKcRrE2sGdH7jLmPoIaU"
DIGEST = "0f" * 32
SECRETS = {
    "key": KEY,
    "jwt": JWT,
    "ticket": TICKET,
    "knox": "ca" * 32,
    "cookie": "abcdefcanarysession0123456789xy",
    "password": "hunter2 canary!",
    "word": "correcthorse",
    "whsec": "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5",
    "stripe": "sk_live_51Hcanary",
    "basic": "am9lOmNhbmFyeQ==",
    "known": "a-secret-of-the-environment",
    "card": "4111 1111 1111 1111",
    "number": "5500000000000004",
    "amex": "3782-822463-10005",
    "mailbox": "canary.person+x",
}
TEXTS = (
    "Authorization: Token {knox}",
    "authorization: bearer {word}",
    "{{'Authorization': 'Basic {basic}', 'Cookie': 'a=b; sessionid={cookie}; csrftoken=x'}}",
    "Cookie: sessionid_8000={cookie}; other={word}",
    "Set-Cookie: csrftoken={cookie}; Path=/",
    "GET /ws/feed/?ticket={ticket}&after=1",
    "GET /people/invitations/{ticket}/",
    'b\'{{"username": "joe", "password": "{password}"}}\'',
    'said "{{\\"password\\": \\"{password}\\", \\"a\\": 1}}"',
    "{{'new_password1': '{password}', 'token': b'{word}'}}",
    "username=joe&password={word}&csrfmiddlewaretoken={word}",
    "postgresql://shop:{word}@db:5432/shop and redis://:{word}@valkey/0 http://{word}@host/",
    "host=db password={word} dbname=shop",
    "sent Bearer {jwt} and {key} and {whsec}, {stripe}",
    "the ticket {ticket} is spent; the token {knox} too",
    "client_secret={word}, api_key: {word}; X-Shop-Key={word} otp=123456",
    "something knows {known}",
    "Invalid HTTP_HOST header: 'joe:{word}@127.0.0.1:8000'",
    "%7B%22password%22%3A%22{word}%22%7D and /x?next=%2Fa%3Ftoken%3D{word}",
    "said \\u0022password\\u0022: \\u0022{word}\\u0022 and &quot;token&quot;: &quot;{word}&quot;",
    "<soap:password>{word}</soap:password> secretKey: {word}, Kennwort={word}",
    "shop --admin-password {word} --token {knox}",
    "the card {card} was declined, and {number}, and {amex}; cvc=1234567",
    "refused {{'{mailbox}@example.org': (550, b'<{mailbox}@mail.example.org>')}}",
)
FIELDS = (
    *({name: "{word}"} for name in ("password", "new_password1", "Authorization", "set-cookie")),
    *({name: "{word}"} for name in ("refresh_token", "sessionid", "csrf_token", "api_key", "DSN")),
    {"headers": {"cookie": "{word}", "nested": [{"secret": "{word}"}, ("x", b"token={word}")]}},
    {"code": {"otp": 123456}},
    {"body": b"\xff password={word}"},
    {"{key}": 1},
    {"tokens": ["{word}"]},
    {"item": 5500000000000004, "{mailbox}@example.org": "{card}"},
)


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Sinks:
    """Our handler with loggers of its own, and everything that was written and copied."""

    def __init__(self, written: io.StringIO, json: bool) -> None:
        self._written = written
        self.copied: list[dict[str, Any]] = []
        config = logs.logging_config(json=json)["formatters"]["structured"]
        handler = logs.Stderr(written)
        handler.setFormatter(structlog.stdlib.ProcessorFormatter(
            processors=config["processors"], foreign_pre_chain=config["foreign_pre_chain"]
        ))  # fmt: skip
        # Loggers without a parent, because pytest's handlers cannot have everything.
        self.foreign, own = logging.Logger("foreign.canary"), logging.Logger("shop.canary")
        for logger in (self.foreign, own):
            logger.addHandler(handler)
        self.ours: Any = structlog.wrap_logger(own, processors=structlog.get_config()["processors"])

    @property
    def written(self) -> str:
        return self._written.getvalue()

    def copy(self, event: dict[str, Any], size: int) -> None:
        self.copied.append(event)


@pytest.fixture(params=["json", "readable"])
def sinks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sinks]:
    """Yield sinks of each form."""
    written = io.StringIO()
    sinks = Sinks(written, request.param == "json")
    monkeypatch.setattr(logs, "copies", [sinks.copy])
    yield sinks
    know(env.secret_texts())


def _fill(value: Any) -> Any:
    if isinstance(value, str):
        return value.format(**SECRETS) if "{" in value else value
    if isinstance(value, bytes):
        return value.replace(b"{word}", SECRETS["word"].encode())
    if isinstance(value, dict):
        return {_fill(name): _fill(item) for name, item in value.items()}
    return type(value)(map(_fill, value)) if isinstance(value, list | tuple) else value


def test_planted_secrets_reach_no_sink(
    sinks: Sinks,
) -> None:
    know([SECRETS["known"]])
    ours, foreign = sinks.ours, sinks.foreign
    for text in TEXTS:
        said = _fill(text)
        ours.warning("canary.planted", reason=said)
        ours.warning(said)
        foreign.warning("%s", said)
        foreign.warning(said.replace("%", "%%"), extra={"password": SECRETS["word"]})
        try:
            raise ValueError(said) from KeyError(said)
        except ValueError:
            ours.exception("canary.failed")
            foreign.exception("failed")
    for fields in FIELDS:
        ours.warning("canary.field", **{"x": 1} | _fill(fields))
        foreign.warning("said %s", _fill(fields))
    # Python itself would show the arguments of a line that cannot be formatted.
    foreign.warning("%d", SECRETS["key"])
    written, copied = sinks.written, sinks.copied
    for sink in (written, json.dumps(copied)):
        for name, secret in SECRETS.items():
            assert secret not in sink, (name, sink[sink.index(secret) - 200 :][:300])
        assert "1234567" not in sink
        assert "123456" not in sink.replace("0123456", "")
    assert len(copied) == 6 * len(TEXTS) + 2 * len(FIELDS)
    assert "log.failed" in written


def test_what_is_no_secret_stays() -> None:
    event = {
        "event": "credentials.ended", "tokens": 3, "password_changed": True, "token_id": "7",
        "hash": DIGEST, "reason": "Basic authentication failed, the token expired",
        "request": "POST /api/v1/accounts/tokens/", "image": f"shop@sha256:{DIGEST}",
        "url": "https://example.org/a@b?c=1", "session": "", "cookie": None,
        "file": "/srv/shop/accounts/tests/test_a_name_that_is_really_rather_long_indeed.py",
        "id": "0199c1f2-7d3e-7b7a-8a3c-0123456789ab", "rate": 1.5, "position": 4111111111111112,
        "at": 1795780800000000, "host": "celery@worker", "moment": "2026-11-27T08:00:00.123456Z",
    }  # fmt: skip
    assert clean(event) == event


def test_every_event_is_one_line(sinks: Sinks) -> None:
    ours, foreign = sinks.ours, sinks.foreign
    evil = [
        "a\r\nb", "a\nb", "a\x1b[31mb", "a\0b", "a\x85b", "a\u2028b\u2029", "a\ud800b", "\u202eb",
        "x" * 1_000_000, "password=" * 100_000, b"\xff\xfe\n\0", "🦆" * 300_000, "a-" * 500_000,
    ]  # fmt: skip
    odd = [
        float("nan"), float("inf"), 10**5000, {1: {2: {3: {4: {5: {6: "deep"}}}}}}, Unshowable(),
        list(range(10_000)), {f"n{name}": name for name in range(5_000)}, {"a\nb": 1},
    ]  # fmt: skip
    for value in [*evil, *odd]:
        ours.warning("canary.evil", value=value)
        foreign.warning("%s", value)
        foreign.warning(value)
    ours.warning("canary.many", **{f"field{name}": name for name in range(1_000)})
    recursive: list[Any] = []
    recursive.append(recursive)
    ours.warning("canary.recursive", value=recursive)
    try:
        raise ValueError("forged\r\nWARNING line\x1b[2J\ud800\0")
    except ValueError:
        ours.exception("canary.forged", name="joe\n2026-01-01 [error] forged")
    written, copied = sinks.written, sinks.copied
    lines = written.removesuffix("\n").split("\n")
    trace = [line for line in lines if line.startswith("  | ")]
    # Two of them cannot be formatted by the standard library.
    assert len(lines) - len(trace) == len(copied) + 4 == 3 * len(evil + odd) + 3
    assert all(len(line) < 400_000 for line in lines)
    assert not set("\r\0\x1b\x85\u2028\u2029\u202e\ud800") & set(written)
    for event in copied:
        assert {"event", "level", "logger", "timestamp"} <= set(event)
        stored = json.dumps(event, ensure_ascii=False, allow_nan=False)
        assert "\0" not in stored
        stored.encode()
    if not trace:
        events = [json.loads(line)["event"] for line in lines]
        events = [event for event in events if event != "log.failed"]
        assert events == [one["event"] for one in copied]


@pytest.mark.parametrize("part", ["csrf", "-eyJaaaa", "csrf_", "a.b@", "token ", "<a:", "shk_-"])
def test_a_text_costs_what_its_length_is(part: str) -> None:
    """A pattern that takes the square of the length would need minutes here.

    It would hold up everybody, because the address of a socket is a line of the log.
    """
    assert hide(part * 25_000)
