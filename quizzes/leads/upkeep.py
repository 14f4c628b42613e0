"""How long what respondents left is kept.

Unfinished attempts go after 30 days, addresses that nobody confirmed after 14, and all other leads
when the company's ``retention_days`` are over since they were last seen. Figures stay.
"""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from quizzes.answering.models import Attempt, Result
from quizzes.companies.brand import brand_of
from quizzes.companies.models import Company
from quizzes.leads.erasing import erase
from quizzes.leads.models import Lead, LeadMail, MailToken

OPEN_KEPT = timedelta(days=30)
UNCONFIRMED_KEPT = timedelta(days=14)
COUNTED_KEPT = timedelta(days=2)
BATCH = 500
BATCHES = 200
"""Of one run, so that it ends before the next begins."""


def leads_purge() -> dict[str, int]:
    """Erase and delete what is past its time; return how many of each."""
    LeadMail.objects.filter(created_at__lt=Now() - COUNTED_KEPT).exclude(address="").update(
        address=""
    )
    return {
        "attempts": _attempts_delete(),
        "leads": sum(erase(id) is not None for id in _leads_over()),
        "texts": _texts_empty(),
        "links": MailToken.objects.filter(expires_at__lt=Now()).delete()[0],
    }


def _attempts_delete() -> int:
    deleted = 0
    # The ids are those of devices, so only the time of the server tells the age.
    over = Attempt.objects.filter(
        state=Attempt.State.OPEN, saved_at__lt=Now() - OPEN_KEPT, started_at__lt=Now() - OPEN_KEPT
    )
    for _ in range(BATCHES):
        ids = list(over.values_list("pk", flat=True)[:BATCH])
        if not ids:
            break
        deleted += over.filter(pk__in=ids).delete()[0]
    return deleted


def _leads_over() -> Iterator[UUID]:
    new = Lead.objects.filter(state=Lead.State.NEW, seen_at__lt=Now() - UNCONFIRMED_KEPT)
    yield from list(new.values_list("pk", flat=True)[: BATCH * BATCHES])
    for company in Company.objects.iterator():
        over = timezone.now() - timedelta(days=brand_of(company).retention_days)
        old = Lead.objects.filter(~Q(state=Lead.State.ERASED), company=company, seen_at__lt=over)
        yield from list(old.values_list("pk", flat=True)[: BATCH * BATCHES])


def _texts_empty() -> int:
    """Empty what respondents wrote in results that are past the time of their company."""
    emptied = 0
    for company in Company.objects.iterator():
        over = timezone.now() - timedelta(days=brand_of(company).retention_days)
        for model, moment in ((Result, "finished_at"), (Attempt, "saved_at")):
            written = model.objects.filter(quiz__company=company, **{f"{moment}__lt": over})
            for _ in range(BATCHES):
                ids = list(written.exclude(private="").values_list("pk", flat=True)[:BATCH])
                if not ids:
                    break
                emptied += model.objects.filter(pk__in=ids).update(private="")
    return emptied
