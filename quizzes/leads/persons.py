"""Leads of somebody who has an account, too: they are found by its proved addresses."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from quizzes.leads.erasing import erase
from quizzes.leads.models import IndexKey, Lead
from quizzes.leads.sealing import known_index, normalized
from quizzes.leads.selectors import lead_detail

WHAT = _("What you left with companies at the end of their quizzes.")


def leads_known_by(addresses: Sequence[str]) -> Iterator[Lead]:
    """Yield the leads of all companies that have one of these addresses."""
    for company in IndexKey.objects.values_list("pk", flat=True):
        digests = {known_index(company, address) for address in _mailed(addresses)} - {None}
        yield from Lead.objects.filter(company=company, email_index__in=digests)


def _mailed(addresses: Sequence[str]) -> Iterator[str]:
    for address in addresses:
        try:
            yield normalized(address)
        except ValidationError:
            continue


def erase_of(addresses: Sequence[str]) -> None:
    """Erase the leads of somebody whose account is erased, in the same transaction."""
    for lead in list(leads_known_by(addresses)):
        erase(lead.pk)


def export_of(addresses: Sequence[str]) -> tuple[str, str | Promise, Iterator[dict[str, Any]]]:
    """Return the name of the file in an account's archive, what it is, and its rows."""
    rows = ({"company": lead.company.slug, **lead_detail(lead)} for lead in _shown(addresses))
    return "leads", WHAT, rows


def _shown(addresses: Sequence[str]) -> Iterator[Lead]:
    for lead in leads_known_by(addresses):
        if lead.state != Lead.State.ERASED:
            yield lead
