"""Buyers of issued documents stay sealed, whoever is erased, for as long as the law asks."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from billing.invoices.models import Draft
from billing.parties.keeping import parties_purge
from billing.parties.models import Party
from billing.parties.sealed import opened
from billing.tests.conftest import Api, Issue, buy
from personal.erasing import erase
from personal.models import Erasure

pytestmark = pytest.mark.django_db


@transaction.atomic
def _issued_in(label: str, year: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = 'replica'")
        cursor.execute(
            "UPDATE billing_document SET issued_on = %s WHERE label = %s", [f"{year}-12-31", label]
        )
        cursor.execute("SET LOCAL session_replication_role = 'origin'")


def test_an_erasure_keeps_young_buyers_sealed_and_deletes_old_ones(
    issue: Issue, customer: User, finance: Api, settings: Any, tmp_path: Any
) -> None:
    settings.JOURNAL_DIR = tmp_path
    old, young = issue(), issue()
    year = timezone.now().year - settings.BILLING_KEEP_YEARS
    _issued_in(old.label, year - 1)
    _issued_in(young.label, year)
    buy(customer)
    finance("POST", "invoices/", {"username": "joe"})
    erasure = Erasure.objects.create(account_id=customer.pk, due_at=timezone.now())
    assert erase(erasure)
    assert not Draft.objects.exists()
    (party,) = Party.objects.all()
    assert party.document_id == young.pk
    assert "Joe" not in party.sealed
    assert opened(party)[0].name == "Joe Doe"
    assert parties_purge() == 0
    _issued_in(young.label, year - 1)
    assert parties_purge() == 1
    # What was issued to others stays.
    assert finance("GET", f"invoices/{young.pk}/").status_code == 200
