"""Make an account of a kind that cannot sign up: staff, somebody with a role, a client program."""

import getpass
import sys
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.emails import email_taken, lock_email
from accounts.models import Token, User
from accounts.permissions import GIVEN_ROLES


class Command(BaseCommand):
    help = (
        "Makes an account for staff, who sees everything and enters the admin, for somebody with "
        "roles, or for a client program, which records for any customer. A password is asked for, "
        "or is the first line of standard input; a client program gets a token, printed once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        kind = parser.add_mutually_exclusive_group(required=True)
        kind.add_argument("--superuser", action="store_true", help="staff that may do everything")
        kind.add_argument("--staff", action="store_true", help="staff with permissions to be given")
        kind.add_argument(
            "--role",
            action="append",
            choices=[role for role in GIVEN_ROLES if role not in ("admin", "client")],
            help="somebody with this role; may be given more than once",
        )
        kind.add_argument("--client", action="store_true", help="a client program, such as a till")
        parser.add_argument("--email", default="", help="counts as verified; staff needs one")
        parser.add_argument("--userid", help="by default a random one")

    def handle(self, *args: Any, **options: Any) -> None:
        client = options["client"]
        if not client and not options["email"]:
            raise CommandError("Whoever signs in needs an address: give --email.")
        user = User(
            username=User.normalize_username(options["username"]),
            email=options["email"].lower(),
            is_client=client,
            is_staff=options["staff"] or options["superuser"],
            is_superuser=options["superuser"],
        )
        user.give_roles(options["role"] or ())
        if options["userid"]:
            user.userid = options["userid"]
        user.set_unusable_password()
        try:
            user.full_clean()
            if not client:
                password = _password()
                validate_password(password, user)
                user.set_password(password)
            token = _save(user, with_token=client)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(f"Made {user.username}, whose userid is {user.userid}.")
        if token:
            self.stdout.write(f"Its token, shown only now: {token}")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandError("The two passwords differ.")
    return password


@transaction.atomic
def _save(user: User, *, with_token: bool) -> str:
    """Save the account with its address. Return its token, or ``None``."""
    if user.email:
        lock_email(user.email)
        if email_taken(user.email):
            raise ValidationError("A user with that e-mail address already exists.")
    user.save(force_insert=True)
    if user.email:
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return Token.objects.create(user=user)[1] if with_token else ""
