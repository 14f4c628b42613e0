"""The outside look at a site: sign in, buy, see it live, read it back, and time each step.

It knows the site by its address alone, as any client does. So it finds what no process can find
about itself: a proxy, a certificate, a name, a feed that stands still.
"""

import json
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect


class StepFailed(Exception):
    """The site did not do what a step of the probe asks for."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step that was taken: its name, how long it took, and what is wrong, if anything."""

    name: str
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """The account that the probe buys with: a name and a password, or a token or key instead."""

    username: str = ""
    password: str = ""
    token: str = ""


class Probe:
    """One look. A step that fails ends it, because the next ones need it."""

    def __init__(self, url: str, account: Account, *, seconds: float, item: str) -> None:
        self._url = url.rstrip("/")
        self._account, self._seconds, self._item = account, seconds, item
        self._token = account.token
        self._closing = ExitStack()
        self._session = self._closing.enter_context(requests.Session())
        # Neither a proxy nor a password of the machine's user is meant for this.
        self._session.trust_env = False
        self._session.verify = ssl.get_default_verify_paths().cafile or True
        self._feed: ClientConnection | None = None
        self._purchase: dict[str, Any] = {}

    def steps(self) -> Iterator[Step]:
        """Take the steps one after the other; yield each once it was taken."""
        with self._closing:
            taken = [self._reach, self._sign_in, self._listen, self._buy, self._see, self._read]
            for work in taken:
                step = self._take(work)
                yield step
                if step.error:
                    break
            if self._token and not self._account.token:
                yield self._take(self._sign_out)

    def _take(self, work: Callable[[], None]) -> Step:
        begun = time.monotonic()
        error = ""
        try:
            work()
        except (StepFailed, requests.RequestException, WebSocketException, OSError) as failure:
            error = str(failure) or type(failure).__name__
        except (ValueError, KeyError, TypeError) as failure:
            error = f"The answer is not what was expected ({type(failure).__name__})."
        return Step(work.__name__.strip("_"), time.monotonic() - begun, error)

    def _reach(self) -> None:
        self._ask("GET", "/livez", 200)

    def _sign_in(self) -> None:
        if self._token:
            self._ask("GET", "/api/v1/purchases/?page_size=1", 200)
            return
        given = {"username": self._account.username, "password": self._account.password}
        self._token = str(self._ask("POST", "/api/v1/auth/token/", 200, given)["token"])

    def _listen(self) -> None:
        parts = urlsplit(self._url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        self._feed = self._closing.enter_context(
            connect(
                f"{scheme}://{parts.netloc}{parts.path}/ws/purchases/?scope=mine",
                additional_headers={"Authorization": f"Token {self._token}"},
                open_timeout=self._seconds,
                close_timeout=1,
                proxy=None,
            )
        )
        if self._received(self._seconds)["type"] != "hello":
            raise StepFailed("The feed does not say hello.")

    def _buy(self) -> None:
        # It costs nothing, so that no figure of the shop counts it as revenue.
        given = {"item": self._item, "quantity": 1, "price": "0.00"}
        key = str(uuid.uuid4())
        self._purchase = self._ask("POST", "/api/v1/purchases/", 201, given, key)

    def _see(self) -> None:
        until = time.monotonic() + self._seconds
        with suppress(TimeoutError):
            while (left := until - time.monotonic()) > 0:
                for event in self._received(left).get("events", ()):
                    if event["purchase"]["id"] == self._purchase["id"]:
                        return
        raise StepFailed("The purchase did not come in the feed.")

    def _read(self) -> None:
        found = self._ask("GET", f"/api/v1/purchases/{self._purchase['id']}/", 200)
        if found != self._purchase:
            raise StepFailed("The purchase that is read is not the one that was recorded.")

    def _sign_out(self) -> None:
        self._ask("POST", "/api/v1/auth/logout/", 204)

    def _received(self, seconds: float) -> dict[str, Any]:
        if self._feed is None:
            raise StepFailed("There is no feed.")
        message: dict[str, Any] = json.loads(self._feed.recv(timeout=seconds))
        return message

    def _ask(
        self, method: str, path: str, expected: int, body: Any = None, key: str = ""
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        if self._token:
            headers["Authorization"] = f"Token {self._token}"
        answer = self._session.request(
            method,
            self._url + path,
            json=body,
            headers=headers,
            timeout=self._seconds,
            allow_redirects=False,
        )
        if answer.status_code != expected:
            raise StepFailed(f"{path} answered {answer.status_code} instead of {expected}.")
        found: dict[str, Any] = {}
        if answer.headers.get("Content-Type", "").startswith("application/json"):
            found = answer.json()
        return found
