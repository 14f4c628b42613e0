"""``manage.py import_quiz FILE --format gift --company shop``: a quiz from a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from quizzes.authoring.files import file_read, slug_of
from quizzes.authoring.imports import FORMATS
from quizzes.authoring.services import quiz_create, quiz_publish
from quizzes.companies.access import shop_company
from quizzes.companies.models import SHOP, Company
from quizzes.definition.structs import MAX_BYTES
from shop.core.errors import ApplicationError


class Command(BaseCommand):
    """Make a quiz, and tell what of the file is not in it."""

    help = "Make a quiz from a file of another program, or from our own format."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the file, and where and how its quiz is made."""
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=FORMATS, default="quiz")
        parser.add_argument("--company", default=SHOP, help="Its slug.")
        parser.add_argument("--slug", help="The name in addresses; else the title makes one.")
        parser.add_argument("--language", default="en", help="Of the texts.")
        parser.add_argument("--account", help="The name of who makes it; else an administrator.")
        parser.add_argument("--publish", action="store_true", help="Publish it, too.")
        parser.add_argument("--dry-run", action="store_true", help="Make nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the quiz."""
        try:
            with options["file"].open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}") from None
        try:
            self._make(data, options)
        except ApplicationError as error:
            faults = (f"{each.attr or 'file'}: {each.detail}" for each in error.errors)
            raise CommandError("\n".join(faults)) from None

    def _make(self, data: bytes, options: dict[str, Any]) -> None:
        imported = file_read(options["format"], data, options["language"])
        for each in (*imported.skipped, *imported.notes):
            place = f"line {each.line}: " if each.line else ""
            self.stderr.write(f"{place}{each.detail} ({each.code})")
        done = f"{imported.questions} questions, {len(imported.skipped)} skipped"
        if options["dry_run"]:
            self.stdout.write(f"{done}; nothing was made")
            return
        actor = _actor(options["account"])
        slug = options["slug"] or slug_of(imported, data)
        quiz = quiz_create(
            actor=actor,
            company=_company(options["company"]),
            slug=slug,
            definition=imported.definition,
        )
        if options["publish"]:
            quiz_publish(actor=actor, quiz=quiz)
        self.stdout.write(f"{done}; quiz {quiz.pk} at /q/{quiz.slug}/")


def _actor(username: str | None) -> User:
    if username is None:
        found = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    else:
        found = User.objects.filter(username=username).first()
    if found is None:
        raise CommandError("Say with --account who makes the quiz.")
    return found


def _company(slug: str) -> Company:
    if slug == SHOP:
        return shop_company()
    found = Company.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no company {slug}.")
    return found
