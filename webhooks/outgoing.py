"""One request to a receiver: to an address that was checked, and bounded in time and size.

No redirect is followed, no proxy of the environment is used, and nothing is decompressed. A thread
with a client library could be held for hours by a receiver that sends a byte now and then, so this
speaks HTTP itself: ``httptools`` parses, and one deadline ends everything.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import httptools

from webhooks.addresses import NotPublic, Target, look_up, permitted
from webhooks.models import RESPONSE_MAX_LENGTH

SECONDS = 15.0
ANSWER_MAX = 64 * 1024
ADDRESSES_MAX = 3
_CHUNK = 16 * 1024
# A look-up that hangs holds a thread, so there is one for each request that may be under way.
LOOKUPS = 256
_lookups = ThreadPoolExecutor(LOOKUPS, "webhooks.dns")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request. Without a ``status`` there was no answer, and ``error`` says why."""

    milliseconds: int
    status: int | None = None
    error: str = ""
    response_start: str = ""
    retry_after: int | None = None

    @property
    def is_taken(self) -> bool:
        """Return whether the receiver has taken the delivery."""
        return not self.error and self.status is not None and 200 <= self.status < 300


class _Answer:
    """The answer as far as it was read; the methods are those that ``httptools`` calls."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.start = bytearray()
        self.retry_after: int | None = None
        self.is_whole = False
        self.headed = False
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 8:
            self.retry_after = int(value)

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()
        self.headed = True

    def on_body(self, body: bytes) -> None:
        self.start += body[: max(0, 4 * RESPONSE_MAX_LENGTH - len(self.start))]

    def on_message_complete(self) -> None:
        # An interim answer, such as 100 and 103, comes before the answer.
        self.is_whole = self.status is not None and self.status >= 200

    @property
    def text(self) -> str:
        """Return the start of the body as one that can be stored and shown."""
        text = self.start.decode("utf-8", "replace")
        shown = "".join(each if each.isprintable() or each in "\n\t" else "�" for each in text)
        return shown[:RESPONSE_MAX_LENGTH]


@cache
def tls() -> ssl.SSLContext:
    """Return the settings of TLS: the machine's authorities, and names are compared."""
    return ssl.create_default_context()


async def send(
    target: Target, *, headers: Mapping[str, str], body: bytes, seconds: float = SECONDS
) -> Outcome:
    """Send a POST request; return what came of it. Never raise for what the receiver does."""
    begun = time.monotonic()
    answer = _Answer()
    error = ""
    try:
        async with asyncio.timeout(seconds):
            error = await _exchange(target, _request(target, headers, body), answer)
    except TimeoutError:
        error = "timeout"
    except NotPublic:
        error = "address_not_allowed"
    except ssl.SSLError:
        error = "tls_failed"
    except httptools.HttpParserError:
        error = "malformed_answer"
    except OSError:
        error = "not_reached" if answer.status is None else "broken_off"
    return Outcome(
        milliseconds=round((time.monotonic() - begun) * 1000),
        status=answer.status,
        error=error,
        response_start=answer.text,
        retry_after=answer.retry_after,
    )


def _request(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    given = {
        "Host": target.authority,
        "User-Agent": "scalable-shop-webhooks/1",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {given[name]}" for name in given)]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


async def _exchange(target: Target, request: bytes, answer: _Answer) -> str:
    """Send the request and read the answer; return what is wrong with it, if anything."""
    reader, writer = await _connect(target)
    try:
        writer.write(request)
        received = 0
        while not answer.is_whole:
            chunk = await reader.read(_CHUNK)
            if not chunk:
                break
            received += len(chunk)
            if received > ANSWER_MAX:
                return "answer_too_large"
            try:
                answer.parser.feed_data(chunk)
            except httptools.HttpParserUpgrade:
                return "malformed_answer"
        if answer.is_whole:
            return ""
        return _broken_off(answer)
    finally:
        # The receiver is not waited for, not even to end TLS in order.
        writer.transport.abort()


def _broken_off(answer: _Answer) -> str:
    """Return what is wrong where the receiver closed the connection."""
    if answer.status is None:
        return "no_answer"
    # Without a length, the end of the connection is the end of the answer.
    return "" if answer.status >= 200 and not answer.parser.should_keep_alive() else "broken_off"


async def _connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    found = await asyncio.get_running_loop().run_in_executor(_lookups, look_up, target)
    addresses = permitted(target, found)[:ADDRESSES_MAX]
    failed = OSError("no address")
    for address in addresses:
        try:
            return await asyncio.open_connection(
                str(address),
                target.port,
                ssl=tls() if target.secure else None,
                server_hostname=target.host if target.secure else None,
            )
        except ssl.SSLError:
            raise
        except OSError as error:
            failed = error
    raise failed
