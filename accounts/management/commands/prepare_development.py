"""Migrate a development database and make the demo accounts."""

from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.models import User
from accounts.permissions import role_mask
from shop.core.apps import demo_commands

# username, userid, further fields
DEMO_ACCOUNTS: list[tuple[str, str, dict[str, Any]]] = [
    ("joe", "005", {}),
    ("ann", "006", {}),
    ("till", "till", {"is_client": True}),
    ("staff", "staff", {"is_staff": True, "is_superuser": True}),
    ("fin", "fin", {"roles": ["finance"]}),
    ("eve", "eve", {"roles": ["support"]}),
]


class Command(BaseCommand):
    help = "Migrates where needed and makes the demo accounts; for development only."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--demo", action="store_true", help="also give each app's pages something to show"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("Demo accounts exist only where ENVIRONMENT=development.")
        # One line for each migration would push the sign-in names off the screen.
        verbosity = options["verbosity"] if options["verbosity"] > 1 else 0
        call_command("prepare_database", stdout=self.stdout, verbosity=verbosity)
        existing = set(
            User.objects.filter(username__in=[name for name, _, _ in DEMO_ACCOUNTS]).values_list(
                "username", flat=True
            )
        )
        for username, userid, extra in DEMO_ACCOUNTS:
            if username not in existing:
                self._create(username, userid, extra)
        if options["demo"]:
            for command in demo_commands():
                call_command(command, stdout=self.stdout)

    def _create(self, username: str, userid: str, extra: dict[str, Any]) -> None:
        email = f"{username}@example.com"
        extra = {**extra, "role_permissions": int(role_mask(extra.get("roles", [])))}
        with transaction.atomic():
            user, created = User.objects.get_or_create(
                username=username,
                defaults={
                    "userid": userid,
                    "email": email,
                    "password": make_password(f"demo-{username}"),
                    **extra,
                },
            )
            if created:
                EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
                self.stdout.write(f"Made the demo account {username}.")
