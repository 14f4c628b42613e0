"""The file by which a running site tells management commands how to reach its servers."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from pathlib import Path

RUNNING = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "DATA_DIR", "ENVIRONMENT", "PORT")


def running_path(data_dir: Path) -> Path:
    """Return the path of the file in which a running site says how to reach its servers."""
    return data_dir / "running.json"


def write_running(data_dir: Path, environment: Mapping[str, str]) -> None:
    """Write how to reach the servers of the site that runs on ``data_dir``."""
    path = running_path(data_dir)
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(
        json.dumps({name: environment[name] for name in RUNNING if name in environment})
    )
    partial.replace(path)


def adopt_running(environment: MutableMapping[str, str], default: Path) -> bool | None:
    """Give a management command the servers of the site that runs on DATA_DIR.

    ``default`` is the data folder if DATA_DIR is not set. Return whether such a site runs. Return
    ``None`` and change nothing if the environment names a database or is that of production.
    """
    if environment.get("ENVIRONMENT") == "production" or any(
        environment.get(name)
        for name in ("DATABASE_URL", "POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE")
    ):
        return None
    path = running_path(Path(environment.get("DATA_DIR") or default))
    try:
        running = json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    for name, value in running.items():
        environment.setdefault(name, value)
    return True
