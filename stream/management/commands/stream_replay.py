from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.selectors import PositionUnknown
from stream.cursor import rewind


class Command(BaseCommand):
    help = "Lets the stream publish everything after a position again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--after", type=int, required=True, metavar="POSITION")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["after"] < 0:
            raise CommandError("A position is 0 or more.")
        try:
            before = rewind(options["after"])
        except PositionUnknown as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"The stream was at position {before}, and publishes everything after"
            f" {options['after']} again."
        )
