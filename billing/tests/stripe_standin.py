"""A small server that answers as Stripe's API does, and messages as Stripe sends them.

It keeps idempotency keys, and can be told to fail before or after it does what it is asked for.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from billing.payments.providers.signatures import HEADER, sign

SECRET = "whsec_test"
_numbers = count(1)


def _id(prefix: str) -> str:
    return f"{prefix}_{next(_numbers)}"


def intent(payment: Any, amount: int, *, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    """Return a payment intent of a payment of ours."""
    thing = {
        "object": "payment_intent",
        "id": f"pi_{payment.pk.hex}",
        "status": status,
        "amount": amount,
        "amount_received": amount if status == "succeeded" else 0,
        "currency": payment.currency.lower(),
        "metadata": {"payment": str(payment.pk)},
        "created": 1_777_593_600,
    }
    return {**thing, **more}


def refund(payment: Any, amount: int, *, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    """Return a refund of a payment of ours, as somebody makes it in the dashboard."""
    thing = {
        "object": "refund",
        "id": f"re_{payment.pk.hex}",
        "payment_intent": f"pi_{payment.pk.hex}",
        "status": status,
        "amount": amount,
        "currency": payment.currency.lower(),
        "metadata": {},
    }
    return {**thing, **more}


def dispute(
    payment: Any, amount: int, *, status: str = "needs_response", **more: Any
) -> dict[str, Any]:
    """Return a dispute about a payment of ours."""
    thing = {
        "object": "dispute",
        "id": f"dp_{payment.pk.hex}",
        "payment_intent": f"pi_{payment.pk.hex}",
        "status": status,
        "amount": amount,
        "currency": payment.currency.lower(),
        "reason": "fraudulent",
        "created": 1_777_593_600,
    }
    return {**thing, **more}


def event(kind: str, thing: dict[str, Any], *, id: str = "") -> bytes:
    """Return the body of a message about an object."""
    message = {"id": id or f"evt_{uuid4().hex}", "type": kind, "data": {"object": thing}}
    return json.dumps({"object": "event", **message}).encode()


def post(client: Any, body: bytes, *, provider: str = "test", signature: str | None = None) -> Any:
    """Send a message to the shop; return its answer."""
    return client.post(
        f"/api/v1/billing/webhooks/{provider}/",
        body,
        content_type="application/json",
        headers={HEADER: sign(body, SECRET) if signature is None else signature},
    )


class StandIn:
    """The state of the server. ``fails`` is what happens to the next writes.

    ``before`` and ``after`` break the connection before or after the work, a status is answered
    without it, and ``hang`` waits for ``go`` after it.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.fails: list[str | int] = []
        self.refunds: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}
        self.refund_status = "succeeded"
        self.kept: dict[str, dict[str, Any]] = {}
        self.hangs, self.go = threading.Event(), threading.Event()
        self.lock = threading.Lock()

    def write(self, path: str, form: dict[str, str], key: str) -> dict[str, Any]:
        """Make an object, or return the one that was made under the key."""
        with self.lock:
            if path.endswith("/expire"):
                session = self.sessions[path.split("/")[-2]]
                session["status"] = "expired"
                return session
            if key not in self.kept:
                made = self._session(form) if "sessions" in path else self._refund(form)
                self.kept[key] = made
            return self.kept[key]

    def _session(self, form: dict[str, str]) -> dict[str, Any]:
        session: dict[str, Any] = {
            "object": "checkout.session",
            "id": _id("cs"),
            "mode": "payment",
            "url": f"{self.url}/pay/",
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
            "currency": form["line_items[0][price_data][currency]"],
            "metadata": {"payment": form["metadata[payment]"]},
        }
        self.sessions[session["id"]] = session
        return session

    def _refund(self, form: dict[str, str]) -> dict[str, Any]:
        made: dict[str, Any] = {
            "object": "refund",
            "id": _id("re"),
            "payment_intent": form["payment_intent"],
            "status": self.refund_status,
            "amount": int(form["amount"]),
            "currency": "eur",
            "metadata": {"refund": form["metadata[refund]"]},
        }
        self.refunds[made["id"]] = made
        return made

    def read(self, path: str, query: dict[str, str]) -> dict[str, Any] | None:
        """Return an object, or a list of the refunds of a payment."""
        name, _, id = path.removeprefix("/v1/").partition("/")
        if name == "refunds" and not id:
            intent = query["payment_intent"]
            found = [each for each in self.refunds.values() if each["payment_intent"] == intent]
            return {"object": "list", "data": found, "has_more": False}
        things = {"refunds": self.refunds, "disputes": self.disputes, "checkout": self.sessions}
        return things[name].get(id.removeprefix("sessions/"))


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """Run the server."""
    state = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Stay silent."""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            state.asked.append(f"GET {parts.path}")
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if state.fails and state.fails[0] == "away":
                self._break()
                return
            found = state.read(parts.path, query)
            self._answer(200 if found else 404, found or {"error": {"message": "None."}})

        def do_POST(self) -> None:
            state.asked.append(f"POST {self.path}")
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            how = state.fails.pop(0) if state.fails else ""
            if how in ("before", "away"):
                self._break()
                return
            if isinstance(how, int):
                self._answer(how, {"error": {"message": "It says no."}})
                return
            made = state.write(self.path, form, self.headers.get("Idempotency-Key", ""))
            if how == "after":
                self._break()
                return
            if how == "hang":
                state.hangs.set()
                state.go.wait(30)
            self._answer(200, made)

        def _break(self) -> None:
            self.close_connection = True

        def _answer(self, status: int, thing: dict[str, Any]) -> None:
            body = json.dumps(thing).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                # Who asked is gone.
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.go.set()
        server.shutdown()
        thread.join()
        server.server_close()
