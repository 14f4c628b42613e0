"""What the people of a company do with leads, and what the audit keeps of it."""

from django.db import transaction

from accounts.models import User
from audit.services import record
from quizzes.companies.models import Company
from quizzes.leads.erasing import erase
from quizzes.leads.models import Lead
from shop.core.errors import NotFound


def lead_erase(*, actor: User, lead: Lead) -> str:
    """Erase a lead for an owner of its company; return the id of the event that tells of it."""
    with transaction.atomic():
        event = erase(lead.pk)
        if event is None:
            raise NotFound()
        record("lead.erased", object=f"lead:{lead.pk}", actor_id=actor.pk)
    return str(event)


def leads_exported(*, actor: User, company: Company, format: str, everybody: bool) -> None:
    """Record that somebody takes the leads of a company away."""
    with transaction.atomic():
        record(
            "lead.exported",
            object=f"company:{company.slug}",
            actor_id=actor.pk,
            after={"format": format, "all": everybody},
        )
