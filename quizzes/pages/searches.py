"""What the search finds of quizzes."""

from types import SimpleNamespace
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from quizzes.companies.access import companies_for
from quizzes.leads.selectors import leads_of
from shop.core.search import Hit

COMPANIES_MAX = 200


def find_leads(caller: Any, text: str, limit: int) -> list[Hit]:
    """Return the leads with this whole address, in each company that the caller reaches."""
    if "@" not in text:
        return []
    hits: list[Hit] = []
    user = SimpleNamespace(pk=caller.id, permissions=caller.permissions)
    for company in companies_for(user)[:COMPANIES_MAX]:
        for lead in leads_of(company, email=text)[:1]:
            url = reverse("lead", args=[company.slug, lead.pk])
            hits.append(Hit(_("Lead"), text, company.name, url, exact=True))
            if len(hits) == limit:
                return hits
    return hits
