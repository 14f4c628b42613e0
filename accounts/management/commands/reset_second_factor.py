"""Remove the second factors of somebody who has lost them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.factors.services import second_factor_reset
from accounts.models import User


class Command(BaseCommand):
    help = (
        "Removes all second factors of an account, for somebody who has lost phone and recovery "
        "codes. All its sessions, tokens and keys end, and a mail tells its owner."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.named(options["username"]).first()
        if user is None:
            raise CommandError("There is no such account.")
        with transaction.atomic():
            removed = second_factor_reset(user=user, actor_id=None)
        if not removed:
            raise CommandError(f"{user.username} has no second factor.")
        self.stdout.write(f"Removed the second factors of {user.username}.")
