"""Who sells and who buys, as the next document names them."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress

from accounts.models import User
from billing.content import Buyer, Seller
from billing.parties.buyers import buyer_of, buyers_of
from billing.parties.models import Profile
from billing.parties.seller import seller

pytestmark = pytest.mark.django_db


def test_the_seller_is_that_of_the_settings(settings: Any) -> None:
    settings.BILLING_SELLER = {"name": "Shop", "country": "DE", "vat_id": "DE136695976"}
    assert seller() == Seller(name="Shop", country="DE", vat_id="DE136695976")


def test_the_buyer_is_the_profile_and_else_the_account(
    django_assert_num_queries: Any,
) -> None:
    joe = User.objects.create_user("joe", userid="005", email="Joe@example.com")
    zoe = User.objects.create_user("zoe", userid="006", email="zoe@example.com")
    EmailAddress.objects.create(user=joe, email="joe@example.com", verified=True)
    EmailAddress.objects.create(user=zoe, email="zoe@example.com", verified=False)
    Profile.objects.create(
        account=joe,
        name="Joe Ltd",
        address="1 High Street\nBath",
        country="GB",
        vat_id="GB980780684",
    )
    # An address that nobody has proved may be somebody else's.
    assert buyer_of(zoe) == Buyer(name="zoe", userid="006")
    with django_assert_num_queries(2):
        buyers = buyers_of([joe, zoe])
    assert buyers[joe.pk] == Buyer(
        name="Joe Ltd",
        address="1 High Street\nBath",
        country="GB",
        vat_id="GB980780684",
        userid="005",
        email=joe.email,
    )
