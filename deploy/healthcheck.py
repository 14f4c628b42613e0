"""A container's health check: short, and without an import of the application.

``http PATH`` asks the ASGI server for a path and wants 200. ``connected NAME`` checks whether a
process of the container has a connection to the port of POSTGRES or VALKEY, which is ``NAME_PORT``.
Relay, worker and beat have one as long as they work, and reopen it when it is lost.
"""

import http.client
import os
import sys
from pathlib import Path

PORTS = {"POSTGRES": 5432, "VALKEY": 6379}
ESTABLISHED = "01"


def answers(path: str) -> bool:
    """Return whether our own server answers ``path`` with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=4)
    connection.request("GET", path)
    return connection.getresponse().status == 200


def connected(name: str) -> bool:
    """Return whether there is an established connection to the port of ``name``."""
    port = int(os.environ.get(f"{name}_PORT") or PORTS[name])
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            _, _, remote, state, *_ = line.split()
            if state == ESTABLISHED and int(remote.rpartition(":")[2], 16) == port:
                return True
    return False


if __name__ == "__main__":
    check, argument = sys.argv[1:]
    try:
        healthy = answers(argument) if check == "http" else connected(argument)
    except OSError as error:
        sys.exit(f"{check} {argument}: {error}")
    sys.exit(0 if healthy else f"{check} {argument}: no")
