"""Fifty at once: an administrator always remains, and an invitation is good once."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connections, transaction
from django.test import Client

from accounts.models import User
from accounts.permissions import Permission
from people import invitations, roles, services, teams
from people.guard import LastAdmin, admin_remains, admins, lock_people
from people.models import Membership
from people.tests.conftest import make
from tests.callers import Api

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("patient")]
AT_ONCE = 50


def at_once(calls: Sequence[Callable[[], Any]]) -> Counter[Any]:
    """Call all at the same moment. Return how often each result came."""
    gate, results = threading.Barrier(len(calls)), Counter[Any]()

    def run(call: Callable[[], Any]) -> None:
        try:
            gate.wait()
            results[call()] += 1
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_an_administrator_remains_whoever_leaves_by_whatever_way() -> None:
    """Everybody takes their own rights away: by API, by the admin, by an erasure."""
    boss = make("boss", "admin")
    roles.role_create(
        actor=boss, code="chief", name="Chief", permissions=[each.code for each in Permission]
    )
    team = teams.team_create(actor=boss, name="Chiefs", roles=["chief"])
    calls: list[Callable[[], Any]] = []

    def api(user: User, method: str, path: str, body: Any = None) -> None:
        asked = Api(user)
        calls.append(lambda: asked(method, path, body).status_code)

    def erased(user: User) -> Callable[[], int]:
        def strip() -> int:
            try:
                with transaction.atomic():
                    # As an erasure does it.
                    lock_people()
                    User.objects.filter(pk=user.pk).update(is_active=False, is_staff=False)
                    admin_remains()
            except LastAdmin as error:
                return error.status
            return 200

        return strip

    def in_admin(user: User) -> Callable[[], int]:
        client = Client()
        client.force_login(user)
        path = f"/admin/accounts/user/{user.pk}/change/"
        form = {"username": user.username, "userid": user.userid, "email": user.email}

        def leave() -> int:
            answer = client.post(path, form)
            # The page of a refused change is shown again.
            return 409 if answer.get("Location") == path else answer.status_code

        return leave

    for number in range((AT_ONCE - 2) // 6):
        given, chief, member = (make(f"{name}{number}") for name in ("given", "chief", "member"))
        services.account_change(actor=boss, account_id=given.pk, roles=["admin"])
        services.account_change(actor=boss, account_id=chief.pk, roles=["chief"])
        teams.member_add(actor=boss, id=team.pk, account_id=member.pk)
        api(given, "PATCH", f"accounts/{given.userid}/", {"roles": []})
        api(chief, "PATCH", f"accounts/{chief.userid}/", {"is_active": False})
        api(member, "DELETE", f"teams/{team.pk}/members/{member.userid}/")
        calls.append(erased(make(f"gone{number}", is_staff=True)))
        calls.append(in_admin(make(f"root{number}", is_staff=True, is_superuser=True)))
        other = make(f"other{number}", "admin")
        api(other, "PATCH", "roles/chief/", {"permissions": []})
    api(boss, "PATCH", "accounts/id-boss/", {"roles": []})
    api(make("last", "admin"), "PATCH", "accounts/id-last/", {"is_active": False})
    # Those who only take the role's rights away keep their own, so they leave at last.
    first = at_once(calls)
    assert first.keys() <= {200, 204, 302, 403, 409}
    others = list(admins())
    assert others
    leave = [Api(user) for user in others]
    second = at_once(
        [
            lambda asked=asked: (
                asked(  # type: ignore[misc]
                    "PATCH", f"accounts/{asked.user.userid}/", {"is_active": False}
                ).status_code
            )
            for asked in leave
        ]
    )
    assert second == {200: len(others) - 1, 409: 1}
    assert admins().count() == 1


def test_of_many_who_remove_each_other_one_remains() -> None:
    people = [make(f"p{number}", "admin") for number in range(AT_ONCE)]
    ring = [(Api(one), other) for one, other in zip(people, [*people[1:], people[0]], strict=True)]

    def remove(asked: Api, other: User) -> Callable[[], int]:
        body: dict[str, Any] = {"roles": []} if other.pk % 2 else {"is_active": False}
        return lambda: asked("PATCH", f"accounts/{other.userid}/", body).status_code

    found = at_once([remove(asked, other) for asked, other in ring])
    assert found.keys() <= {200, 401, 403}
    assert found[200] > 0
    # Who has lost the right while it waited removed nobody any more.
    assert admins().count() == AT_ONCE - found[200] > 0


def test_an_invitation_is_accepted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    boss = make("boss", "admin")
    team = teams.team_create(actor=boss, name="Office", roles=["support"])
    monkeypatch.setattr(invitations.secrets, "token_urlsafe", lambda size: "the-token")
    invitations.invitation_create(actor=boss, id=team.pk, email="zoe@example.com")
    people = [make(f"p{number}") for number in range(4)]
    EmailAddress.objects.create(user=people[0], email="zoe@example.com", verified=True)
    asked = [Api(person) for person in people]

    def accept(number: int) -> Callable[[], tuple[str, int]]:
        who = asked[number % len(asked)]
        body = json.loads('{"token": "the-token"}')
        return lambda: (
            who.user.username,
            who("POST", "invitations/accept/", body).status_code,
        )

    found = at_once([accept(number) for number in range(AT_ONCE)])
    assert found["p0", 200] == 1
    assert {status for (name, status) in found if name != "p0"} <= {403, 404}
    assert [*Membership.objects.values_list("user", flat=True)] == [people[0].pk]
