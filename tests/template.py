"""A migrated database that the processes of one run copy, because each migration takes seconds.

The run makes it anew, so every run tries the migrations on an empty database.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from shop.local.pair import run_pair
from shop.local.postgres import Postgres

VARIABLE = "TEST_TEMPLATE"
"""The environment variable with the folder of the template; without it nothing is copied."""
ROOT = Path(__file__).resolve().parent.parent


def begin() -> None:
    """Make the folder of the template, for this process and those that it starts."""
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix="shop-template-")


def make(folder: Path) -> None:
    """Make the template in ``folder`` unless it is there. Whoever comes meanwhile waits."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = folder / "ready"
        if ready.exists():
            return
        with run_pair(folder / "data", throwaway=True) as pair:
            subprocess.run(
                [sys.executable, "manage.py", "prepare_database", "--verbosity", "0"],
                cwd=ROOT,
                env=os.environ
                | {"DATABASE_URL": pair.database_url, "REDIS_URL": pair.redis_url}
                | {"ENVIRONMENT": "development"},
                check=True,
                capture_output=True,
            )
        ready.touch()


def is_there() -> bool:
    """Return whether this run has a template."""
    return VARIABLE in os.environ


def copy(data_dir: Path) -> None:
    """Give ``data_dir`` a database that is migrated, if this run has a template."""
    if not is_there():
        return
    folder = Path(os.environ[VARIABLE])
    make(folder)
    target = Postgres(data_dir).folder
    if not target.exists():
        # The owner of the files counts, because root runs the server as somebody else.
        source = Postgres(folder / "data").folder
        subprocess.run(["cp", "-a", source, target], check=True)


def end() -> None:
    """Delete the template."""
    folder = Path(os.environ.pop(VARIABLE))
    Postgres(folder / "data").discard()
    shutil.rmtree(folder, ignore_errors=True)
