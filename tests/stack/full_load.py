"""Purchases as fast as open connections allow, and the outcome of each."""

import asyncio
import json
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.stack.stack import HOST, Stack

ANSWER_SECONDS = 20.0


@dataclass
class Outcome:
    """The number of each outcome: a status, or what broke the connection."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)

    @property
    def failures(self) -> dict[str, int]:
        """Every outcome but ``201``."""
        statuses = {str(status): count for status, count in self.statuses.items() if status != 201}
        return statuses | self.broken


class _Caller:
    """One connection, reopened when it ends. It repeats no request."""

    def __init__(
        self, stack: Stack, number: int, outcome: Outcome, context: ssl.SSLContext
    ) -> None:
        self.stack, self.number, self.outcome, self.context = stack, number, outcome, context
        self.token = stack.token("till")
        self.sent = 0
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            try:
                status = await asyncio.wait_for(self.buy(), ANSWER_SECONDS)
                self.outcome.statuses[status] += 1
            except (OSError, EOFError, TimeoutError) as error:
                self.outcome.broken[repr(error)] += 1
                self.close()
        self.close()

    async def buy(self) -> int:
        if self.streams is None:
            self.streams = await asyncio.open_connection(
                "127.0.0.1", self.stack.https_port, ssl=self.context
            )
        reader, writer = self.streams
        self.sent += 1
        item = f"load {self.number} {self.sent} {time.time_ns()}"
        body = json.dumps({"username": "ann", "userid": "006", "price": "1.50", "item": item})
        writer.write(
            f"POST /api/v1/purchases/ HTTP/1.1\r\nHost: {HOST}:{self.stack.https_port}\r\n"
            f"Authorization: Token {self.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        await reader.readexactly(int(fields["content-length"]))
        if fields.get("connection") == "close":
            self.close()
        return int(head.split()[1])

    def close(self) -> None:
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


def buy_for(stack: Stack, seconds: float, connections: int = 64) -> Outcome:
    """Buy for so many seconds over so many connections. Return the outcomes."""
    outcome = Outcome()

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    callers = [_Caller(stack, number, outcome, context) for number in range(connections)]

    async def everything() -> None:
        deadline = time.monotonic() + seconds
        await asyncio.gather(*(caller.run(deadline) for caller in callers))

    asyncio.run(everything())
    return outcome
