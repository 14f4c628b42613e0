"""Invitations: to whom they are mailed, and who may accept them."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import Waiting
from people.models import Invitation
from people.tests.conftest import make
from people.tests.test_roles_and_teams import code_of
from tests.callers import Api

pytestmark = pytest.mark.django_db
SentMail = Callable[[], list[EmailMessage]]


@pytest.fixture
def team(boss: Api) -> dict[str, Any]:
    made: dict[str, Any] = boss("POST", "teams/", {"name": "Office", "roles": ["finance"]}).json()
    return made


def invite(boss: Api, team: dict[str, Any], email: str, sent_mail: SentMail) -> str:
    """Invite the reader of an address. Return the token of the mail."""
    answer = boss("POST", f"teams/{team['id']}/invitations/", {"email": email})
    assert (answer.status_code, answer.content) == (202, b"")
    mail = sent_mail()[-1]
    assert mail.to == [email.lower()]
    found = re.search(r"http\S+/people/invitations/(\S+)/", str(mail.body))
    assert found
    return found[1]


def test_an_invitation_is_for_who_has_the_address(
    boss: Api, team: dict[str, Any], sent_mail: SentMail
) -> None:
    token = invite(boss, team, "Zoe@example.com", sent_mail)
    assert token not in str(Invitation.objects.values().get())
    assert "boss invites you to the team Office" in str(sent_mail()[-1].body)
    other, zoe = Api(make("other")), Api(make("zoe"))
    address = EmailAddress.objects.get(user=zoe.user)
    EmailAddress.objects.filter(pk=address.pk).update(verified=False)
    for asked in (other, zoe):
        answer = asked("POST", "invitations/accept/", {"token": token})
        assert code_of(answer) == (403, "invitation_address")
    assert not zoe.user.memberships.exists()
    EmailAddress.objects.filter(pk=address.pk).update(verified=True)
    accepted = zoe("POST", "invitations/accept/", {"token": token}, Idempotency_Key="k")
    assert (accepted.status_code, accepted.json()["team"]) == (200, team | {"members": 1})
    assert zoe("GET", "accounts/me/").json()["roles"] == ["customer", "finance"]
    # The same request again has the same answer, and another one finds nothing any more.
    again = zoe("POST", "invitations/accept/", {"token": token}, Idempotency_Key="k")
    assert (again.status_code, again.json()) == (200, accepted.json())
    assert again["Idempotent-Replayed"] == "true"
    for asked in (other, zoe):
        assert asked("POST", "invitations/accept/", {"token": token}).status_code == 404
    entries = Waiting.objects.filter(action__startswith="invitation.").order_by("id")
    assert [each.action for each in entries] == ["invitation.created", "invitation.accepted"]


def test_what_is_old_withdrawn_or_not_backed_any_more_is_not_found(
    boss: Api, team: dict[str, Any], sent_mail: SentMail
) -> None:
    zoe = Api(make("zoe"))

    def accept(token: str) -> int:
        status: int = zoe("POST", "invitations/accept/", {"token": token}).status_code
        return status

    token = invite(boss, team, "zoe@example.com", sent_mail)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert accept(token) == 404
    # A new invitation ends the one before.
    first = invite(boss, team, "zoe@example.com", sent_mail)
    second = invite(boss, team, "zoe@example.com", sent_mail)
    assert first != second
    assert accept(first) == 404
    path = f"/people/teams/{team['id']}/"
    browser = Client()
    browser.force_login(boss.user)
    shown = browser.get(path).text
    assert "zoe@example.com" in shown
    waiting = Invitation.objects.get(accepted_at=None, expires_at__gt=timezone.now())
    assert browser.post(path, {"action": "withdraw", "invitation": waiting.pk}).status_code == 302
    assert accept(second) == 404
    # Nobody gives by an old invitation what they may not give any more.
    third = invite(boss, team, "zoe@example.com", sent_mail)
    make("root", is_staff=True, is_superuser=True)
    User.objects.filter(pk=boss.user.pk).update(role_permissions=0, roles=[])
    assert accept(third) == 404
    User.objects.filter(pk=boss.user.pk).update(is_staff=True)
    assert accept(third) == 200


def test_the_answer_tells_nothing_and_what_is_no_address_is_refused(
    boss: Api, team: dict[str, Any], sent_mail: SentMail
) -> None:
    make("zoe")
    answers = [
        boss("POST", f"teams/{team['id']}/invitations/", {"email": email})
        for email in ("zoe@example.com", "nobody@example.com", "zoe@example.com")
    ]
    assert {(each.status_code, each.content) for each in answers} == {(202, b"")}
    for email in ("zoe", "zoe@localhost", "", "a\n@example.com"):
        answer = boss("POST", f"teams/{team['id']}/invitations/", {"email": email})
        assert answer.status_code == 400, email
    # However often one is invited, a mailbox gets only so many mails.
    for _ in range(30):
        answer = boss("POST", f"teams/{team['id']}/invitations/", {"email": "zoe@example.com"})
        assert answer.status_code == 202
    assert len([mail for mail in sent_mail() if mail.to == ["zoe@example.com"]]) <= 20


def test_the_page_leads_somebody_without_an_account_to_one(
    boss: Api, team: dict[str, Any], sent_mail: SentMail
) -> None:
    token = invite(boss, team, "zoe@example.com", sent_mail)
    path = f"/people/invitations/{token}/"
    guest = Client()
    shown = guest.get(path)
    assert (shown.status_code, "Office" in shown.text) == (200, True)
    for name in ("login", "signup"):
        assert f"/accounts/{name}/?next={path}" in shown.text
    assert guest.post(path).status_code == 403
    assert guest.get("/people/invitations/unknown/").status_code == 404
    zoe = make("zoe")
    browser = Client()
    browser.force_login(make("other"))
    assert browser.post(path).status_code == 403
    browser.force_login(zoe)
    zoe.language = "de"
    zoe.save()
    assert "Dem Team beitreten" in browser.get(path).text
    assert browser.post(path).status_code == 302
    assert zoe.memberships.get().team.name == "Office"
    assert browser.get(path).status_code == 404
