"""Back the stack up, and fill an empty stack from a backup."""

from __future__ import annotations

import datetime
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.compose import REPLACED, ROLLED, Failure, Stack, exclusive_lock, print_line, run

REPORTS = "/var/lib/shop/reports"
CAT_JOURNAL = 'cat "$JOURNAL_DIR"/*.jsonl 2>/dev/null || true'
JOURNAL = "journal.jsonl"
"""What was erased and revoked. A restore reads the journals of newer backups, too."""
NOT_REPLAYED = (
    "A restore has not ended: what was erased and revoked since the backup may be back, so nothing"
    " is started. `make replay FILE=…` ends it, or repeat `make restore FILE=…`. Read"
    " *Nobody comes back* in docs/operations.md."
)
MARK = "shop.not_replayed"
"""A setting of the database while a restore is at work; ``prepare_database`` refuses it."""
POSITION_GAP = 1_000_000_000
"""How far positions jump at a restore, so that none given out after the backup is used again."""
DUMP = (
    "exec pg_dump -h /var/run/postgresql --format custom --no-owner --no-privileges"
    ' -U "$POSTGRES_USER" -d "$POSTGRES_DB"'
)
RESTORE = (
    "exec pg_restore -h /var/run/postgresql --exit-on-error --single-transaction --no-owner"
    ' --no-privileges -U "$POSTGRES_USER" -d "$POSTGRES_DB"'
)
TAR_REPORTS = (
    'cd "$1" || exit 2; find . -type f -name "*.pdf" -print0'
    " | tar -c --null --no-recursion -T - || [ $? -eq 1 ]"
)
"""Files that are being rendered have other names. tar ends with 1 if a file changed meanwhile."""
FLOORS = "current_setting('shop.position_floors', true)"
POSITION = f"""
SELECT greatest(
    max(position),
    (SELECT max(floor::bigint)
     FROM unnest(string_to_array(nullif({FLOORS}, ''), ',')) AS floor), 0)
FROM {{log}}
"""  # noqa: S608
LOG = "SELECT coalesce(to_regclass('events_event'), to_regclass('purchases_event'))"
"""The version before this one, which may still run, has the log under the second name."""
ANEW = """
DROP SCHEMA public CASCADE;
DROP SCHEMA IF EXISTS partitions, reporting CASCADE;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO public;
"""
"""The tables of an empty stack go, since those of another version are not those of the backup."""
EMPTY = """
DO $$ BEGIN
  IF to_regclass('purchases_purchase') IS NOT NULL THEN
    IF EXISTS (SELECT FROM purchases_purchase) THEN RAISE 'this has purchases'; END IF;
  END IF;
  IF to_regclass('accounts_user') IS NOT NULL THEN
    IF EXISTS (SELECT FROM accounts_user) THEN RAISE 'this has accounts'; END IF;
  END IF;
END $$
"""


def backup(stack: Stack, folder: Path) -> Path:
    """Write a backup and return its path: first the database, then the PDFs that it names.

    A dump is one snapshot. A PDF is stored before its row says so, and does not change afterwards.
    So the files that are copied after the dump include every file that it names.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"shop-{moment}.tar"
    with tempfile.TemporaryDirectory(dir=folder) as work:
        dump, files = Path(work) / "database.dump", Path(work) / "reports.tar"
        words = ["docker", "exec", stack.running_container("postgres"), "sh", "-c", DUMP]
        with dump.open("wb") as output:
            run(words, stdout=output, stderr=subprocess.PIPE)
        words = [
            "docker",
            "exec",
            stack.running_container("web"),
            "sh",
            "-c",
            TAR_REPORTS,
            "sh",
            REPORTS,
        ]
        with files.open("wb") as output:
            run(words, stdout=output, stderr=subprocess.PIPE)
        journal = Path(work) / JOURNAL
        words = ["docker", "exec", stack.running_container("web"), "sh", "-c", CAT_JOURNAL]
        with journal.open("wb") as output:
            run(words, stdout=output, stderr=subprocess.PIPE)
        manifest = {
            "version": 1,
            "made_at": moment,
            "position": int(stack.sql(POSITION.format(log=stack.sql(LOG)))),
            "floors": stack.sql(f"SELECT {FLOORS}"),
        }
        incomplete = path.with_suffix(".incomplete")
        descriptor = os.open(incomplete, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
            text = json.dumps(manifest).encode()
            member = tarfile.TarInfo("manifest.json")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
            tar.add(dump, "database.dump")
            tar.add(files, "reports.tar")
            tar.add(journal, JOURNAL)
        incomplete.replace(path)
    print_line(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB).")
    return path


def restore(stack: Stack, path: Path) -> None:
    """Fill an empty stack from a backup, and start it.

    The database is marked before it has any data, until the journals are replayed. So wherever this
    is cut off, nothing starts, and it can be repeated.
    """
    with exclusive_lock(), tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        with tarfile.open(path) as tar:
            for name in ("manifest.json", "database.dump", "reports.tar"):
                source = tar.extractfile(name)
                if source is None:
                    raise Failure(f"{path} is not a backup.")
                with (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
        manifest = json.loads((folder / "manifest.json").read_text())
        stack.check()
        # No running container is touched before the stack is known to be empty.
        stack.compose("up", "-d", "--no-deps", "--no-recreate", "postgres", "valkey")
        stack.wait_healthy("postgres", "valkey")
        if not is_marked(stack):
            require_empty(stack)
        stack.compose("stop", *ROLLED, *REPLACED, "nginx", quiet=True)
        floor = int(manifest["position"]) + POSITION_GAP
        floors = ",".join(filter(None, [str(manifest["floors"]), str(floor)]))
        database = stack.sql("SELECT quote_ident(current_database())")
        stack.sql(f"ALTER DATABASE {database} SET shop.position_floors = '{floors}'")
        stack.sql(f"ALTER DATABASE {database} SET {MARK} = 'yes'")
        print_line("Restoring the statements.")
        with (folder / "reports.tar").open("rb") as files:
            stack.run_once("worker", "tar", "-C", REPORTS, "-x", stdin=files)
        print_line("Restoring the database.")
        stack.sql(ANEW)
        words = ["docker", "exec", "-i", stack.running_container("postgres"), "sh", "-c", RESTORE]
        with (folder / "database.dump").open("rb") as dump:
            run(words, stdin=dump, capture_output=True)
        # The application's role and its rights are not in the dump.
        stack.run_once("migrate", "python", "manage.py", "prepare_database", "--before-replay")
        replay_journals(stack, path.parent)
    start(stack)
    print_line(f"Restored {path.name}. Positions go on after {floor}.")


def replay(stack: Stack, path: Path) -> None:
    """End a restore that was cut off after the data were back: replay the journals, and start.

    Raise ``Failure`` if no restore waits for that.
    """
    with exclusive_lock():
        stack.compose("up", "-d", "--no-deps", "--no-recreate", "postgres", "valkey")
        stack.wait_healthy("postgres", "valkey")
        if not is_marked(stack):
            raise Failure("No restore waits to be ended.")
        if stack.sql("SELECT to_regclass('accounts_user')") == "":
            raise Failure("The restore was cut off before the data were back. Repeat it.")
        stack.run_once("migrate", "python", "manage.py", "prepare_database", "--before-replay")
        replay_journals(stack, path.parent)
    start(stack)
    print_line("The restore has ended.")


def replay_journals(stack: Stack, folder: Path) -> None:
    """Do again what the journals of all backups in a folder tell of, and take the mark away."""
    print_line("Erasing and revoking again what was erased and revoked since.")
    with tempfile.TemporaryFile() as lines:
        lines.writelines(journals(folder))
        lines.seek(0)
        try:
            stack.run_once("worker", "python", "manage.py", "replay_journal", "-", stdin=lines)
        except Failure as failure:
            raise Failure(f"{failure}\n{NOT_REPLAYED}") from None
    stack.sql(f"ALTER DATABASE {stack.sql('SELECT quote_ident(current_database())')} RESET {MARK}")
    stack.run_once("worker", "python", "manage.py", "verify_ledger")


def start(stack: Stack) -> None:
    """Start every container, and wait until each is healthy."""
    stack.compose("up", "-d")
    stack.wait_healthy(*ROLLED, *REPLACED, "nginx")


def is_marked(stack: Stack) -> bool:
    """Return whether a restore was begun and has not ended."""
    return bool(stack.sql(f"SELECT current_setting('{MARK}', true)"))


def journals(folder: Path) -> Iterator[bytes]:
    """Yield the journals of all backups in a folder; those of before there were journals have none.

    The site's own journal, if its volume is still there, is read inside the container.
    """
    for path in sorted(folder.glob("shop-*.tar")):
        with tarfile.open(path) as tar:
            if JOURNAL in tar.getnames() and (source := tar.extractfile(JOURNAL)):
                yield source.read()


def require_empty(stack: Stack) -> None:
    """Raise ``Failure`` if the database has purchases or accounts."""
    try:
        stack.sql(EMPTY)
    except Failure as failure:
        found = re.search("this has (purchases|accounts)", str(failure))
        if not found:
            raise
        raise Failure(f"A backup goes into an empty stack, and {found[0]}.") from None
