"""Known figures of real purchases, which plain Python counted: a fortieth of CDNOW's customers."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.test import Client

from accounts.models import User
from insight.tests.questions import get
from insight.tests.test_rollups import bought, follow_now

pytestmark = pytest.mark.django_db
WHOLE = {"since": "2017-01", "until": "2018-06"}


@pytest.fixture
def staff() -> Client:
    with (Path(__file__).parent / "real_purchases.csv").open() as file:
        lines = list(csv.DictReader(file))
    ids = sorted({line["customer"] for line in lines})
    made = User.objects.bulk_create(User(username=f"c{id}", userid=id) for id in ids)
    customers = dict(zip(ids, (each.pk for each in made), strict=True))
    bought(
        {
            "customer_id": customers[line["customer"]],
            "item": "",
            "price": Decimal(line["amount"]),
            "currency": "EUR",
            "timestamp": datetime.strptime(line["day"], "%Y%m%d").replace(tzinfo=UTC),
        }
        for line in lines
    )
    user = User.objects.create(username="boss", userid="boss", is_staff=True)
    client = Client()
    client.force_login(user)
    return client


def test_the_figures_of_real_purchases_are_known(staff: Client) -> None:
    for rolled in (False, True):
        if rolled:
            follow_now()
        (block,) = get(staff, "sales", interval="month", **WHOLE)["currencies"]
        totals = block["totals"]
        assert (totals["purchases"], totals["revenue"]) == (1654, "61554.30")
        assert (totals["customers"], totals["average"]) == (588, "37.22")
        months = [each["customers"] for each in block["periods"]]
        assert months[:3] == [196, 231, 240]
        assert sum(months) == 1368
        west = {"time_zone": "America/Los_Angeles", "interval": "month"}
        (block,) = get(staff, "sales", since="2016-12", until="2017-02", **west)["currencies"]
        assert [
            (each["purchases"], each["revenue"], each["customers"]) for each in block["periods"]
        ] == [(5, "212.05", 5), (231, "8155.63", 198), (267, "9161.13", 231)]
        cohorts = get(staff, "cohorts", **WHOLE)["cohorts"]
        assert [each["active"][:4] for each in cohorts] == [
            [196, 22, 25, 20],
            [209, 32, 24, 21],
            [183, 20, 17, 23],
        ]
        customers = get(staff, "customers", limit="1", **WHOLE)
        assert (customers["new"], customers["returning"], customers["repeat"]) == (588, 0, 287)
        assert customers["top"][0]["userid"] == "22492"
        assert customers["top"][0]["revenue"] == "2388.72"
