"""When each credential was last used, and from where.

A process remembers the first use of each minute and writes all of them in one statement a minute.
So a key that makes a thousand purchases a second costs one update a minute.
"""

import asyncio
import contextlib
import ipaddress
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from shop.core import background
from shop.core.threads import Threads

SECONDS = 60.0
REMEMBERED = 20_000
STOP_SECONDS = 2.0

# Another process that writes the same rows has news that are as good, so nobody waits for it.
_WRITE = """
UPDATE knox_authtoken AS token SET last_used_at = used.at, last_used_address = used.address
FROM (
    SELECT digest FROM knox_authtoken WHERE digest = ANY(%(digests)s)
    ORDER BY digest FOR NO KEY UPDATE SKIP LOCKED
) AS free
JOIN unnest(%(digests)s::text[], %(times)s::timestamptz[], %(addresses)s::inet[])
    AS used (digest, at, address) USING (digest)
WHERE token.digest = free.digest AND (token.last_used_at IS NULL OR token.last_used_at < used.at)
"""


class LastUses:
    """The uses that were not written yet: a bounded number of digests."""

    def __init__(self) -> None:
        self._uses: dict[str, tuple[datetime, str]] = {}
        self._lock = threading.Lock()
        self._threads = Threads(1, "last-uses")
        self._task: asyncio.Task[None] | None = None

    def note(self, digest: str, address: Callable[[], str]) -> None:
        """Remember that a good credential was used. ``address`` is called once a minute at most."""
        if digest not in self._uses and len(self._uses) < REMEMBERED:
            self._uses[digest] = datetime.now(UTC), address()

    def write(self) -> int:
        """Write what is remembered, in one statement. Return how many rows have changed.

        Raise the database's errors; what was remembered waits for the next time then.
        """
        with self._lock:
            taken, self._uses = self._uses, {}
            # A thread that has just noted a use may still hold the dictionary.
            uses = list(taken.items())
            if not uses:
                return 0
            arrays: Any = {
                "digests": [digest for digest, _ in uses],
                "times": [at for _, (at, _) in uses],
                "addresses": [_stored(address) for _, (_, address) in uses],
            }
            try:
                with connection.cursor() as cursor:
                    cursor.execute(_WRITE, arrays)
                    return int(cursor.rowcount)
            except Exception:
                self._uses = taken | self._uses
                raise

    def start(self) -> None:
        """Write every minute, as long as the process runs."""
        self._task = background.start(self._work, name="accounts.last_uses")

    async def stop(self) -> None:
        """Write what is left, unless that takes long."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._threads.run(self._write)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            await self._threads.run(self._write)

    def _write(self) -> int:
        try:
            return self.write()
        finally:
            connection.close()


def _stored(address: str) -> str | None:
    """Return an address as PostgreSQL reads it, or ``None`` for text that is none."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


last_uses = LastUses()
