"""Do again, after a restore, what the journals tell of, and what apps ask for then."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from people.guard import admins
from personal.journal import journal_files, journal_read
from personal.replaying import journal_replay
from shop.core.apps import declared


class Command(BaseCommand):
    help = (
        "After a restore and before anything serves: erases again whoever was erased since the "
        "backup, ends what was revoked since, all browser sessions and all JWTs, and lets no "
        "password, factor or right of before in that was taken away since. It reads this "
        "site's journal, and others' that are named (- is the standard input)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="*", help="more journals, such as those of backups")

    def handle(self, *args: Any, **options: Any) -> None:
        with ExitStack() as stack:
            files: list[Any] = []
            for name in [*map(str, journal_files()), *options["files"]]:
                try:
                    files.append(
                        sys.stdin
                        if name == "-"
                        else stack.enter_context(Path(name).open(encoding="utf-8"))
                    )
                except OSError as error:
                    raise CommandError(f"{name} cannot be read: {error.strerror}") from None
            entries = list(journal_read(files))
        done = journal_replay(entries)
        for restored in declared("after_restore"):
            self.stdout.write(restored(entries))
        self.stdout.write(
            f"Erased {done.erased} accounts again, ended {done.revoked} revoked credentials and "
            f"{done.sessions} sessions, and narrowed {done.narrowed} passwords, factors and rights."
        )
        if not admins().exists():
            self.stdout.write(
                "Nobody may administer accounts now: manage.py create_account NAME --superuser"
            )
        if done.kept:
            raise CommandError(f"{done.kept} accounts could not be erased again; the log says why.")
