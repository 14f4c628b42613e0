"""Give a development database three quizzes to answer."""

from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from accounts.models import User
from quizzes.authoring.models import Quiz
from quizzes.authoring.services import quiz_create, quiz_publish
from quizzes.companies.access import shop_company

SAMPLES = settings.BASE_DIR / "quizzes" / "samples"


class Command(BaseCommand):
    help = (
        "Publishes and opens the three samples of quizzes for the company `shop`, unless they are "
        "there; for development only."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("There is a demo only where ENVIRONMENT=development.")
        samples = {path.stem: path for path in sorted(SAMPLES.glob("*.json"))}
        there = Quiz.objects.filter(slug__in=samples).values_list("slug", flat=True)
        missing = samples.keys() - set(there)
        if not missing:
            return
        actor = User.objects.filter(username="staff").first()
        if actor is None:
            raise CommandError("There are no demo accounts; `make run` makes them.")
        company = shop_company()
        for slug in sorted(missing):
            definition = msgspec.json.decode(samples[slug].read_bytes())
            quiz = quiz_create(actor=actor, company=company, slug=slug, definition=definition)
            quiz_publish(actor=actor, quiz=quiz)
            self.stdout.write(f"Made the demo quiz {reverse('quiz_player', args=[slug])}.")
