"""The cache in Valkey."""

from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient


class _Client(RedisCacheClient):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._only: Any = None

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """Return the client of the one server.

        Django makes one for each command, which takes longer than the command. Threads may share
        a client, because it takes a connection of the pool for each command.
        """
        if self._only is None:
            self._only = super().get_client(key, write=write)
        return self._only


class Cache(RedisCache):
    """Django's cache in Redis, on one server."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client
