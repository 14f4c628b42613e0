from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Runs what follows the event log until a signal: everything, or some by name."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="a follower; default all")
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="let these followers derive everything anew from position 0, and end",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from events.followers import declared_followers, rebuild
        from events.following import Following, declared_work
        from shop.core import process

        followers, work = declared_followers(), declared_work()
        if options["rebuild"]:
            work = {}
        names = options["names"] or ([] if options["rebuild"] else [*followers, *work])
        if unknown := [name for name in names if name not in followers and name not in work]:
            raise CommandError(f"No app declares the follower {', '.join(unknown)}.")
        if not names:
            raise CommandError("Name a follower." if followers else "No app declares a follower.")
        chosen = [followers[name] for name in dict.fromkeys(names) if name in followers]
        if not options["rebuild"]:
            with process.running("follower"):
                Following(chosen, {name: work[name] for name in names if name in work}).run()
            return
        for follower in chosen:
            rebuild(follower)
            self.stdout.write(f"{follower.name} begins anew at position 0.")
