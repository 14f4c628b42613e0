"""Files in an S3-compatible store.

Every wait has a deadline of a few seconds. After an outage, requests fail at once for a moment, so
that callers do not queue up (a circuit breaker).
"""

import contextlib
import errno
import io
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from obstore.store import S3Store as Client

CONNECT_SECONDS = 2
READ_SECONDS = 4
WRITE_SECONDS = 60
"""Timeout of one request: a look-up, a block that is read, or a part that is written."""
RETRY_SECONDS = 3
"""A request whose connection breaks within this time is retried once."""
REST_SECONDS = 2.0
"""How long requests fail at once after an outage."""
BLOCK = 1024 * 1024
PART = 16 * 1024 * 1024


class StoreAway(OSError):
    """The store does not answer, or refuses; the API answers ``503``."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EIO, reason)


class S3Store:
    """One bucket."""

    def __init__(
        self, bucket: str, endpoint: str, region: str, access_key: str, secret_key: str
    ) -> None:
        try:
            import obstore.exceptions
        except ImportError:
            raise ImproperlyConfigured(
                "S3_BUCKET is set, and obstore is not installed: pip install -r requirements-s3.txt"
            ) from None
        self._obstore: Any = obstore
        self._error: type[Exception] = obstore.exceptions.BaseError
        config = {
            "bucket": bucket,
            "endpoint": endpoint,
            "region": region,
            "access_key_id": access_key,
            "secret_access_key": secret_key,
        }
        self._config = {name: value for name, value in config.items() if value}
        self._away_until = float("-inf")

    # The clients are made at their first use, because a forked process must not share one.

    @cached_property
    def _reading(self) -> "Client":
        return self._client(READ_SECONDS)

    @cached_property
    def _writing(self) -> "Client":
        return self._client(WRITE_SECONDS)

    def _client(self, seconds: int) -> "Client":
        from obstore.store import S3Store as Client

        config: Any = self._config
        return Client(
            config=config,
            client_options={
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                "timeout": timedelta(seconds=seconds),
                "allow_http": config.get("endpoint", "").startswith("http://"),
            },
            retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
        )

    @contextlib.contextmanager
    def _asked(self) -> Iterator[None]:
        """Fail at once after a recent outage, and raise every error as ``StoreAway``."""
        if time.monotonic() < self._away_until:
            raise StoreAway("The store was away a moment ago.")
        try:
            yield
        except self._error as error:
            self._away_until = time.monotonic() + REST_SECONDS
            reason = " ".join(str(error).split())[:300]
            raise StoreAway(f"{type(error).__name__}: {reason}") from None

    def open(self, name: str) -> IO[bytes]:
        with self._asked():
            size = self._obstore.head(self._reading, name)["size"]
        return io.BufferedReader(RemoteFile(self, name, size), BLOCK)

    def block(self, name: str, start: int, length: int) -> bytes:
        """Return some bytes of a file."""
        with self._asked():
            return bytes(self._obstore.get_range(self._reading, name, start=start, length=length))

    def put(self, name: str, source: Path) -> None:
        with self._asked():
            self._obstore.put(self._writing, name, source, chunk_size=PART, max_concurrency=1)

    def delete(self, name: str) -> None:
        with self._asked(), contextlib.suppress(FileNotFoundError):
            self._obstore.delete(self._reading, name)

    def exists(self, name: str) -> bool:
        try:
            with self._asked():
                self._obstore.head(self._reading, name)
        except FileNotFoundError:
            return False
        return True

    def clear(self, prefix: str) -> None:
        folder, _, start = prefix.rpartition("/")
        with self._asked():
            found = self._obstore.list(self._reading, folder).collect()
        for item in found:
            if item["path"].startswith(f"{folder}/{start}"):
                self.delete(item["path"])

    def check(self) -> None:
        with self._asked():
            next(iter(self._obstore.list(self._reading, "-", chunk_size=1)), None)


class RemoteFile(io.RawIOBase):
    """A file in the store, read block by block, so that it holds no connection between blocks."""

    def __init__(self, store: S3Store, name: str, size: int) -> None:
        self._store = store
        self.name = name
        self._size = size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readall(self) -> bytes:
        # The inherited method would read a few kilobytes at a time.
        parts = []
        while part := self.read(BLOCK):
            parts.append(part)
        return b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._place)
        if length <= 0:
            return 0
        data = self._store.block(self.name, self._place, length)
        if not data:
            raise StoreAway("The store returned fewer bytes than the file's size.")
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
