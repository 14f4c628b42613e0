"""Write that a version began to serve, for the operating figures."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Writes that a version began to serve, so that its effect can be judged."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "name",
            metavar="VERSION",
            nargs="?",
            default=settings.APPLICATION_VERSION,
            help="default: that of the code that runs this command",
        )
        parser.add_argument("--by", default="manage.py", help="who or what brought it")
        parser.add_argument("--started-at", help="ISO 8601 with an offset; default now")
        parser.add_argument("--notes", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        from operations.deploys import deploy_record

        began = None
        if options["started_at"]:
            try:
                began = datetime.fromisoformat(options["started_at"])
            except ValueError:
                raise CommandError("Give --started-at as 2026-11-27T14:05:00Z.") from None
            if began.tzinfo is None:
                raise CommandError("Give --started-at with an offset.")
        deploy = deploy_record(
            version=options["name"][:100],
            by=options["by"],
            actor_id=None,
            started_at=began,
            finished_at=datetime.now(UTC) if began else None,
            notes=options["notes"][:2000],
        )
        self.stdout.write(f"Recorded the deploy {deploy.pk}.")
