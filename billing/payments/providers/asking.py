"""Requests to a payment provider's API: bounded in time, size and number.

What an answer means for money is the caller's; this says only whether there was one.
"""

import json
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

CONNECT_SECONDS = 3
READ_SECONDS = 10
TOTAL_SECONDS = 20
ANSWER_MAX = 1024 * 1024
AT_ONCE = 4
"""Requests under way in one process. A provider that hangs must not take all threads."""

_places = threading.BoundedSemaphore(AT_ONCE)


class NotAsked(Exception):
    """The request certainly did not reach the provider."""


class NoAnswer(Exception):
    """The request may have reached the provider; its answer did not come."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON object."""

    status: int
    body: dict[str, Any]


def ask(
    method: str,
    url: str,
    *,
    key: str,
    form: Mapping[str, str] | None = None,
    idempotency_key: str = "",
) -> Answer:
    """Return the provider's answer. Raise ``NotAsked`` and ``NoAnswer``."""
    if not _places.acquire(timeout=CONNECT_SECONDS):
        raise NotAsked("all places are taken")
    try:
        with requests.Session() as session, ExitStack() as closing:
            # Neither a proxy nor a password of the machine's user is meant for this.
            session.trust_env = False
            session.verify = ssl.get_default_verify_paths().cafile or True
            headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
            if idempotency_key:
                headers["Idempotency-Key"] = idempotency_key
            response = session.request(
                method,
                url,
                data=form if method == "POST" else None,
                params=form if method == "GET" else None,
                headers=headers,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
            )
            closing.callback(response.close)
            return Answer(response.status_code, _body(response))
    except requests.ConnectionError as error:
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        if isinstance(reason, NewConnectionError | ConnectTimeoutError):
            raise NotAsked(str(error)) from error
        raise NoAnswer(str(error)) from error
    except (requests.RequestException, OSError) as error:
        raise NoAnswer(str(error)) from error
    finally:
        _places.release()


def _body(response: requests.Response) -> dict[str, Any]:
    until = time.monotonic() + TOTAL_SECONDS
    body = b""
    for part in response.iter_content(16 * 1024):
        body += part
        if len(body) > ANSWER_MAX or time.monotonic() > until:
            raise NoAnswer("the answer is too long, or takes too long")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise NoAnswer(f"status {response.status_code} and no JSON") from None
    if not isinstance(found, dict):
        raise NoAnswer("the answer is no JSON object")
    return found
