"""Move the files of documents to another store, while the site runs."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from documents.moving import Moved, move_all
from documents.storage import FOLDER, S3, store


class Command(BaseCommand):
    help = (
        "Moves all files to --to s3 or --to file. It can be stopped and run again: a file is "
        "removed from its old store only after the new one has been read back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", choices=(FOLDER, S3), required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        target: str = options["to"]
        if S3 not in store.stores:
            raise CommandError("There is one store only: set S3_BUCKET and what belongs to it.")
        counts: Counter[Moved] = Counter()
        try:
            for name, outcome in move_all(target):
                counts[outcome] += 1
                if outcome in (Moved.MISSING, Moved.DAMAGED):
                    self.stderr.write(f"{outcome.value}: {name}")
                elif counts.total() % 500 == 0:
                    self.stdout.write(f"{counts.total()} looked at")
        except OSError as error:
            self._tell(counts)
            raise CommandError(
                f"A store is away: {error}. Nothing is lost; run this again.", returncode=1
            ) from error
        self._tell(counts)
        if store.kind != target:
            self.stdout.write(
                f"New files still go elsewhere: set DOCUMENT_STORAGE={target}, start the site "
                "anew, and run this again."
            )
        if counts[Moved.MISSING] or counts[Moved.DAMAGED]:
            raise CommandError("Some files were left as they are.", returncode=1)

    def _tell(self, counts: "Counter[Moved]") -> None:
        found = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Moved)
        self.stdout.write(f"{counts.total()} files: {found}")
