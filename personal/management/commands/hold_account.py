"""Keep an account from being erased, because the law asks for its data."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from personal.models import REASON_MAX_LENGTH
from personal.services import hold_place, hold_release
from shop.core.errors import NotFound


class Command(BaseCommand):
    help = "Keeps an account from being erased, or lets it be erased again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("userid")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--reason", help="who asks for the data, and why")
        what.add_argument("--release", action="store_true", help="let it be erased again")

    def handle(self, *args: Any, **options: Any) -> None:
        account = User.objects.filter(userid=options["userid"]).first()
        if account is None:
            raise CommandError(f"There is no account with the userid {options['userid']}.")
        if options["release"]:
            try:
                hold_release(actor=None, account=account)
            except NotFound:
                raise CommandError("Nothing keeps it from being erased.") from None
            self.stdout.write("It may be erased again.")
            return
        if not 0 < len(options["reason"]) <= REASON_MAX_LENGTH:
            raise CommandError(f"The reason has 1 to {REASON_MAX_LENGTH} characters.")
        hold_place(actor=None, account=account, reason=options["reason"])
        self.stdout.write("It is kept from being erased.")
