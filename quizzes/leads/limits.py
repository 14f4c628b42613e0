"""How many mails anybody can cause to an address that they type. The tables are the count.

Nobody is told that a mail was left out, because the answer would tell whose address is known.
"""

from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from quizzes.leads.models import LeadMail
from quizzes.leads.sealing import digest_of_day
from quizzes.leads.site_settings import (
    QUIZ_MAILS_PER_DAY,
    QUIZ_MAILS_PER_HOUR,
    QUIZ_MAILS_PER_QUIZ,
)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def may_mail(*, company: UUID, quiz: UUID, address: str) -> bool:
    """Return whether one more mail may go to the address.

    The caller holds the lock of the address (``accounts.emails.lock_email``).
    """
    today = timezone.now().date()
    digests = [digest_of_day(today - n * DAY, address) for n in range(2)]
    lately = LeadMail.objects.filter(
        counted=True, address__in=digests, created_at__gt=Now() - DAY
    ).values_list("quiz_id", flat=True)
    quizzes = list(lately[: QUIZ_MAILS_PER_DAY.value])
    of_company = LeadMail.objects.filter(
        company=company, counted=True, created_at__gt=Now() - HOUR
    )[: QUIZ_MAILS_PER_HOUR.value]
    return (
        len(quizzes) < QUIZ_MAILS_PER_DAY.value
        and quizzes.count(quiz) < QUIZ_MAILS_PER_QUIZ.value
        and of_company.count() < QUIZ_MAILS_PER_HOUR.value
    )


def address_of_today(address: str) -> str:
    """Return the digest under which a mail of today is counted."""
    return digest_of_day(timezone.now().date(), address)
