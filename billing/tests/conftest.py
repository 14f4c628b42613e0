"""Customers, finance, purchases and clients of the API for the tests of billing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.content import Body, Buyer, ContentLine, ContentTax
from billing.invoices.issuing import issue_document
from billing.invoices.models import Document
from purchases.models import Purchase
from tests import callers
from tests.callers import make

SELLER = {
    "name": "Scalable Shop GmbH",
    "address": "Long Street 1",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
    "vat_id": "DE123456788",
    "tax_number": "",
    "email": "billing@example.org",
    "iban": "DE89370400440532013000",
    "bic": "COBADEFFXXX",
}


@pytest.fixture(autouse=True)
def _seller(settings: Any) -> None:
    settings.BILLING_SELLER = SELLER
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def buy(
    user: User,
    price: str = "9.99",
    quantity: int = 1,
    *,
    item: str = "book",
    currency: str = "EUR",
    at: datetime | None = None,
    count: int = 1,
) -> list[UUID]:
    """Put purchases into the ledger, a second apart; return their ids, oldest first."""
    start = at or timezone.now() - timedelta(days=1)
    made = Purchase.objects.bulk_create(
        Purchase(
            id=uuid4(),
            customer=user,
            recorded_by=user,
            item=item,
            quantity=quantity,
            price=Decimal(price),
            currency=currency,
            timestamp=start + timedelta(seconds=number),
            dedupe_key=uuid4(),
        )
        for number in range(count)
    )
    return [each.pk for each in made]


class Api(callers.Api):
    """A client of the API of billing."""

    below = "billing/"


@pytest.fixture
def customer(db: None) -> User:
    return make("joe", userid="005")


@pytest.fixture
def other(db: None) -> User:
    return make("ann", userid="006")


@pytest.fixture
def finance(db: None) -> Api:
    """Return the client of somebody who may do everything in billing."""
    return Api(make("fin", "finance"))


@pytest.fixture
def mine(customer: User) -> Api:
    """Return the customer's own client."""
    return Api(customer)


def body_of(net: str = "22.66", tax: str = "4.31", **changed: Any) -> Body:
    """Return what an invoice of one line says: 3 books of 9.99 less 10 %, with 19 % tax."""
    values: dict[str, Any] = {
        "currency": "EUR",
        "exponent": 2,
        "prices_include_tax": True,
        "lines": [
            ContentLine(
                position=1,
                purchase=uuid4(),
                text="book",
                quantity=3,
                price=Decimal("9.99"),
                gross=Decimal("29.97"),
                discount=Decimal("3.00"),
                net=Decimal(net),
                tax_category="S",
                tax_rate=Decimal("19.00"),
                supplied_on=datetime(2026, 4, 1, tzinfo=UTC).date(),
            )
        ],
        "discounts": [],
        "taxes": [
            ContentTax(category="S", rate=Decimal("19.00"), net=Decimal(net), tax=Decimal(tax))
        ],
        "net": Decimal(net),
        "tax": Decimal(tax),
        "total": Decimal(net) + Decimal(tax),
    }
    return Body(**{**values, **changed})


Issue = Callable[..., Document]


@pytest.fixture
def issue(customer: User, finance: Api) -> Issue:
    """Return a function that issues an invoice of a body, without a draft."""

    def issued(body: Body | None = None, **given: Any) -> Document:
        values: dict[str, Any] = {
            "kind": "invoice",
            "id": uuid4(),
            "customer_id": customer.pk,
            "actor_id": finance.user.pk,
            "body": body or body_of(),
            "buyer": Buyer(name="Joe Doe", address="Short Street 2\n10117 Berlin", country="DE"),
            "due_days": 14,
        }
        with transaction.atomic():
            return issue_document(**{**values, **given})

    return issued
