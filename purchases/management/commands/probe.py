import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from purchases.probe import Account, Probe
from shop.core import env


class Command(BaseCommand):
    help = (
        "Looks at a site from outside: signs in, buys with a test account, sees it live, reads it"
        " back. Times each step, and ends with 1 where one fails. It needs no database. The account"
        " is PROBE_USERNAME and PROBE_PASSWORD, or PROBE_TOKEN, a token or an API key."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "url", metavar="URL", help="where the site is, such as https://shop.example"
        )
        parser.add_argument("--timeout", type=float, default=10.0, help="seconds for each step")
        parser.add_argument("--item", default="probe", help="what is bought, for nothing")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        account = Account(
            env.text("PROBE_USERNAME", ""),
            env.secret("PROBE_PASSWORD", optional=True),
            env.secret("PROBE_TOKEN", optional=True),
        )
        if not account.token and not (account.username and account.password):
            raise CommandError("Set PROBE_USERNAME and PROBE_PASSWORD, or PROBE_TOKEN.")
        if not options["url"].lower().startswith(("http://", "https://")):
            raise CommandError("The address begins with https:// or http://.")
        probe = Probe(options["url"], account, seconds=options["timeout"], item=options["item"])
        steps = []
        for step in probe.steps():
            steps.append(step)
            if not options["json"]:
                said = f"  {step.error}" if step.error else ""
                self.stdout.write(f"{step.name:<10}{step.seconds:8.3f} s{said}")
        failed = [step for step in steps if step.error]
        if options["json"]:
            told = [
                {"step": each.name, "seconds": round(each.seconds, 3), "error": each.error}
                for each in steps
            ]
            self.stdout.write(json.dumps({"ok": not failed, "steps": told}))
        if failed:
            raise CommandError(f"{failed[0].name} failed: {failed[0].error}")
