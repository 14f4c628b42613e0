"""The lists of people cost the same for many rows."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.sealing import seal_waiting
from audit.services import record
from people.models import Membership, Role, Team
from people.tests.conftest import make
from personal.tests.conftest import recent

pytestmark = pytest.mark.django_db


def test_the_lists_cost_the_same_queries_for_many_rows() -> None:
    admin = recent(make("boss", "admin", is_staff=True))
    urls = ("/people/?who=everybody", "/people/", "/people/teams/", "/people/roles/", "/audit/")

    def add(first: int, end: int) -> None:
        for number in range(first, end):
            user = User.objects.create(
                username=f"u{number}", userid=f"u{number}", roles=["support"], role_permissions=1
            )
            team = Team.objects.create(name=f"Team {number}", roles=["support"])
            team.refresh_from_db()
            Membership.objects.create(user=user, team=team)
            Role.objects.create(code=f"role{number}", name=f"Role {number}", permissions=1)
            record("account.ranked", object=f"account:{user.pk}", actor_id=user.pk)
        seal_waiting()

    def costs() -> list[int]:
        counts = []
        for url in urls:
            admin.get(url)
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert admin.get(url).status_code == 200
            counts.append(len(queries))
        return counts

    add(0, 2)
    few = costs()
    add(2, 50)
    pages = [admin.get(url).content.decode() for url in urls]
    assert all(page.count("<tr") + page.count("<li") > 20 for page in pages)
    assert dict(zip(urls, costs(), strict=True)) == dict(zip(urls, few, strict=True))
