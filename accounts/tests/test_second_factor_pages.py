"""The pages of second factors, and the sign-in that asks for them."""

import re
from io import StringIO
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.factors.models import CodeAttempt
from accounts.models import Token, User
from accounts.tests.conftest import PASSWORD, SentMail
from accounts.tests.test_second_factor_codes import NOW, STEP
from audit.models import Waiting

ACTIVATE = "/accounts/2fa/totp/activate/"
SECOND = "/accounts/2fa/authenticate/"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    times = [NOW]
    monkeypatch.setattr("accounts.factors.totp.time", lambda: times[0])
    return times


@pytest.fixture
def owner(alice: User) -> User:
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    return alice


def sign_in(next: str = "") -> tuple[Client, Any]:
    client = Client()
    form = {"login": "alice", "password": PASSWORD, "next": next}
    return client, client.post("/accounts/login/", form)


def signed_in(client: Client) -> bool:
    return client.get("/api/v1/accounts/me/").status_code == 200


def set_up(client: Client) -> tuple[str, list[str]]:
    """Set an app up; return its secret and the recovery codes."""
    content = client.get(ACTIVATE).content.decode()
    assert "data:image/svg+xml;base64," in content
    found = re.search(r"<code[^>]*>([A-Z2-7 ]{39})</code>", content)
    assert found is not None
    secret = found[1].replace(" ", "")
    assert "is wrong" in client.post(ACTIVATE, {"code": "000000"}).content.decode()
    shown = client.post(ACTIVATE, {"code": code(secret, STEP)}).content.decode()
    codes = re.findall(
        r"\b(?:[0-9a-z]{4}-){3}[0-9a-z]{4}\b", shown.split("<pre")[1].split("</pre")[0]
    )
    assert len(set(codes)) == 10
    return secret, codes


def code(secret: str, step: int) -> str:
    return format_hotp_value(hotp_value(secret, step))


def test_an_app_is_set_up_and_asked_for_and_removed(owner: User, sent_mail: SentMail) -> None:
    client, _ = sign_in()
    secret, codes = set_up(client)
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert codes[0] not in stored
    assert client.get("/api/v1/accounts/me/").json()["mfa"] is True
    assert codes[0] not in client.get("/accounts/2fa/").content.decode()

    other, response = sign_in("/purchases/")
    assert response["Location"] == SECOND
    assert not signed_in(other)
    for path in ("/", "/accounts/2fa/", "/accounts/keys/", "/accounts/password/change/", ACTIVATE):
        assert other.get(path).status_code in (200, 302, 404), path
        assert not signed_in(other)
    # The code that set the app up does not sign in.
    assert other.post(SECOND, {"code": code(secret, STEP)}).status_code == 200
    assert not signed_in(other)
    assert other.post(SECOND, {"code": code(secret, STEP + 1)})["Location"] == "/purchases/"
    assert signed_in(other)
    used, _ = sign_in()
    used.post(SECOND, {"code": code(secret, STEP + 1)})
    assert not signed_in(used)
    used.post(SECOND, {"code": codes[0]})
    assert signed_in(used)
    # New recovery codes end the old ones.
    shown = client.post("/accounts/2fa/recovery-codes/").content.decode()
    again, _ = sign_in()
    again.post(SECOND, {"code": codes[1]})
    assert not signed_in(again)
    assert "9 codes" not in client.get("/accounts/2fa/").content.decode()
    assert shown.count("-") > 30

    assert client.post("/accounts/2fa/totp/deactivate/").status_code == 302
    assert not Authenticator.objects.exists()
    # Without a factor there is nothing that codes could stand for.
    for path in ("recovery-codes/", "passkeys/7/remove/"):
        refused = client.post(f"/accounts/2fa/{path}")
        assert (refused.status_code, refused.templates[0].name) == (404, "404.html"), path
    assert sign_in()[1]["Location"] != SECOND
    assert [mail.subject.partition(" your")[0] for mail in sent_mail()] == [
        "An authenticator app was added to",
        "New recovery codes of",
        "The authenticator app was removed from",
    ]
    actions = Waiting.objects.filter(action__startswith="factor.").order_by("id")
    assert [entry.action for entry in actions] == [
        "factor.added",
        *["factor.failed"] * 2,
        "factor.codes_made",
        "factor.failed",
        "factor.removed",
    ]


def test_wrong_codes_at_the_page_count_with_those_of_the_token_route(owner: User) -> None:
    _, codes = set_up(sign_in()[0])
    CodeAttempt.objects.all().delete()
    for _ in range(5):
        client, _ = sign_in()
        client.post(SECOND, {"code": "000000"})
    client, _ = sign_in()
    assert client.post(SECOND, {"code": codes[0]}).status_code == 429
    assert not signed_in(client)
    body = {"username": "alice", "password": PASSWORD, "code": codes[0]}
    response = Client().post("/api/v1/auth/token/", body, content_type="application/json")
    assert response.status_code == 429


def test_somebody_elses_address_cannot_be_locked_in(alice: User) -> None:
    address = EmailAddress.objects.create(user=alice, email=alice.email, primary=True)
    client, _ = sign_in()
    content = client.get(ACTIVATE).content.decode()
    secret = re.findall(r"<code[^>]*>([A-Z2-7 ]{39})</code>", content)[0].replace(" ", "")
    answer = client.post(ACTIVATE, {"code": code(secret, STEP)})
    assert "Verify your email address first" in answer.content.decode()
    assert not Authenticator.objects.exists()
    address.verified = True
    address.save()
    client.post(ACTIVATE, {"code": code(secret, STEP)})
    assert Authenticator.objects.filter(type="totp").count() == 1


def test_the_sign_in_is_confirmed_by_a_code_and_leads_back(owner: User) -> None:
    client, _ = sign_in()
    _, codes = set_up(client)
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 400
    session.save()
    sent = client.post("/accounts/2fa/totp/deactivate/")
    assert sent["Location"].startswith("/accounts/reauthenticate/?next=")
    page = client.get("/accounts/2fa/reauthenticate/?next=/accounts/2fa/")
    assert page.status_code == 200
    form = {"code": "wrong", "next": "/accounts/2fa/"}
    assert client.post("/accounts/2fa/reauthenticate/", form).status_code == 200
    form["code"] = codes[5]
    confirmed = client.post("/accounts/2fa/reauthenticate/", form)
    assert confirmed["Location"] == "/accounts/2fa/"
    client.post("/accounts/2fa/totp/deactivate/")
    assert not Authenticator.objects.exists()


def test_a_new_password_by_mail_asks_for_the_factor(owner: User, sent_mail: SentMail) -> None:
    _, codes = set_up(sign_in()[0])
    client = Client()
    client.post("/accounts/password/reset/", {"email": owner.email})
    link = re.findall(r"http://[^/]+(/accounts/password/reset/key/\S+)", str(sent_mail()[-1].body))[
        0
    ]
    path = client.get(link)["Location"]
    new = "another-lamp-43"
    client.post(path, {"password1": new, "password2": new}, follow=True)
    assert not signed_in(client)
    client.post("/accounts/login/", {"login": "alice", "password": new})
    assert not signed_in(client)
    assert client.post(SECOND, {"code": codes[0]}).status_code == 302
    assert signed_in(client)


def test_another_account_can_be_chosen_at_the_second_step(owner: User) -> None:
    set_up(sign_in()[0])
    client, _ = sign_in()
    client.post("/accounts/logout/")
    assert client.get("/accounts/login/").status_code == 200


def test_staff_reset_somebodys_factors_but_not_their_own_nor_upwards(
    owner: User, sent_mail: SentMail
) -> None:
    set_up(sign_in()[0])
    token = Token.objects.create(user=owner)[1]
    boss = User.objects.create_user("boss", password=PASSWORD, is_staff=True)
    admin, other = (Client(), Client())
    for client, name in ((admin, "boss"), (other, "ann")):
        if name == "ann":
            ann = User.objects.create_user("ann", password=PASSWORD)
            ann.give_roles(["support"])
            ann.save()
        client.post("/accounts/login/", {"login": name, "password": PASSWORD})
        assert signed_in(client)

    def reset(client: Client, userid: str, **how: Any) -> int:
        return client.post(f"/api/v1/accounts/{userid}/second-factor/reset/", **how).status_code

    assert reset(other, owner.userid) == 403
    key = Token.objects.create(user=boss)[1]
    assert reset(Client(), owner.userid, headers={"authorization": f"Token {key}"}) == 403
    assert reset(admin, boss.userid) == 403
    User.objects.create_superuser("root", password=PASSWORD, userid="root")
    assert reset(admin, "root") == 403
    assert reset(admin, "nobody") == 404
    assert Authenticator.objects.filter(user=owner).count() == 2
    victim, _ = sign_in()
    assert reset(admin, owner.userid) == 204
    assert not Authenticator.objects.filter(user=owner).exists()
    headers = {"authorization": f"Token {token}"}
    assert Client().get("/api/v1/accounts/me/", headers=headers).status_code == 401
    assert "were removed" in sent_mail()[-1].subject
    entry = Waiting.objects.get(action="factor.reset")
    assert (entry.actor_id, entry.object) == (boss.pk, f"account:{owner.pk}")
    assert sign_in()[1]["Location"] != SECOND
    # A sign-in that waits for the factor does not go on without it.
    assert victim.get(SECOND)["Location"].startswith("/accounts/login/")


def test_the_command_resets_the_factors_of_somebody_who_has_lost_them(owner: User) -> None:
    set_up(sign_in()[0])
    out = StringIO()
    call_command("reset_second_factor", "ALICE", stdout=out)
    assert "Removed" in out.getvalue()
    assert not Authenticator.objects.exists()
    for name in ("alice", "nobody"):
        with pytest.raises(CommandError):
            call_command("reset_second_factor", name)


def test_a_mailed_code_and_the_admin_ask_for_the_factor(owner: User, sent_mail: SentMail) -> None:
    User.objects.filter(pk=owner.pk).update(is_staff=True)
    _, codes = set_up(sign_in()[0])
    client = Client()
    client.post("/accounts/login/code/", {"email": owner.email}, follow=True)
    mailed = re.findall(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", str(sent_mail()[-1].body))[0]
    assert client.post("/accounts/login/code/confirm/", {"code": mailed})["Location"] == SECOND
    assert not signed_in(client)
    client.post(SECOND, {"code": codes[0]})
    assert signed_in(client)

    admin = Client()
    page = admin.get("/admin/", follow=True)
    assert page.redirect_chain[-1][0].startswith("/accounts/login/?next=/admin/")
    form = {"login": "alice", "password": PASSWORD, "next": "/admin/"}
    assert admin.post("/accounts/login/", form)["Location"] == SECOND
    assert admin.get("/admin/").status_code == 302
    assert admin.post(SECOND, {"code": codes[1]})["Location"] == "/admin/"
    assert admin.get("/admin/").status_code == 200
