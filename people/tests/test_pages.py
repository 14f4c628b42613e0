"""The pages of people: the reset of second factors, the audit of a person, and their queries."""

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Token, User
from audit.models import Waiting
from audit.sealing import seal_waiting
from audit.services import record
from people.models import Membership, Role, Team
from people.tests.conftest import make
from personal.tests.conftest import recent

pytestmark = pytest.mark.django_db


def test_an_admin_resets_second_factors_on_the_page(sent_mail: Any) -> None:
    boss, ann = make("boss", "admin"), make("ann")
    Authenticator.objects.create(user=ann, type="totp", data={"secret": "s"})
    Token.objects.create(user=ann)
    theirs, admin = recent(ann), recent(boss)
    path, person = "/people/second-factor/id-ann/", "/people/accounts/id-ann/"
    assert f'action="{path}"' in admin.get(person).content.decode()
    late = recent(boss, seconds=301).post(path)
    assert late["Location"].startswith("/accounts/reauthenticate/")
    assert recent(make("joe")).post(path).status_code == 403
    assert Authenticator.objects.filter(user=ann).exists()
    assert theirs.get("/api/v1/accounts/me/").status_code == 200
    done = admin.post(path, follow=True).content.decode()
    assert "The second factors are gone" in done
    assert f'action="{path}"' not in done
    assert not Authenticator.objects.filter(user=ann).exists()
    assert not Token.objects.filter(user=ann).exists()
    assert theirs.get("/api/v1/accounts/me/").status_code == 401
    assert [mail.to for mail in sent_mail()] == [["ann@example.com"]]
    told = Waiting.objects.filter(object=f"account:{ann.pk}", actor_id=boss.pk)
    assert sorted(told.values_list("action", flat=True)) == ["factor.reset", "sessions.ended"]
    # The page shows it to whoever may read the audit, and to nobody else.
    seal_waiting()
    shown = admin.get(person).content.decode()
    assert "What happened to the account" in shown
    assert f"/audit/?account=account%3A{ann.pk}" in shown
    assert re.search(r'href="/audit/\d+/"', shown)
    assert "/audit/" not in recent(make("sue", "support")).get(person).content.decode()
    # Nobody resets their own.
    Authenticator.objects.create(user=boss, type="totp", data={"secret": "s"})
    admin.post("/people/second-factor/id-boss/")
    assert Authenticator.objects.filter(user=boss).exists()


def test_a_custom_role_has_its_name_and_the_page_of_a_person_what_is_signed_in() -> None:
    Role.objects.create(code="nightshift", name="Night shift", permissions=1)
    ann = make("ann", "nightshift")
    own = recent(ann).get("/accounts/").content.decode()
    assert "Night shift" in own
    assert ">nightshift<" not in own
    Token.objects.create(user=ann)
    person = "/people/accounts/id-ann/"
    shown = recent(make("boss", "admin")).get(person).content.decode()
    signed_in = shown.partition("What is signed in")[2].partition("</section>")[0]
    assert ("Browser" in signed_in, "Token" in signed_in) == (True, True)
    assert "What is signed in" not in recent(make("sue", "support")).get(person).content.decode()


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
