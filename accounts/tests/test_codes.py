"""Signing in by a mailed code, and what ends when an address is proved late."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import OutgoingMail, Token, User
from accounts.tests.conftest import PASSWORD, SentMail
from accounts.tests.test_emails import VICTIM, ask_for_reset, link_to, reset, sign_up, signed_in

pytestmark = pytest.mark.django_db

ASK, CONFIRM = "/accounts/login/code/", "/accounts/login/code/confirm/"
NOBODY = "alica@example.com"


def ask(client: Client, email: str, **form: str) -> Any:
    answer = client.post(ASK, {"email": email, **form})
    assert answer.status_code == 302, re.findall("error.*", answer.content.decode())
    return answer


def code_to(email: str, sent_mail: SentMail) -> str:
    for message in reversed(sent_mail()):
        found = re.search(r"^([A-Z]{4}-[A-Z]{4})$", str(message.body), re.M)
        if found and message.to == [email]:
            return found[1]
    raise AssertionError(f"no code for {email}")


def is_signed_in(client: Client) -> bool:
    return bool(client.get("/accounts/").status_code == 200)


def proved(user: User) -> None:
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)


def test_a_code_signs_in_once_where_it_was_asked_for(alice: User, sent_mail: SentMail) -> None:
    proved(alice)
    client, other = Client(), Client()
    assert ask(client, " Alice@Example.COM ", next="/purchases/")["Location"].startswith(CONFIRM)
    code = code_to(alice.email, sent_mail)
    ask(other, alice.email)
    assert other.post(CONFIRM, {"code": code}).status_code == 200
    form = {"code": code.lower().replace("-", " "), "next": "/purchases/"}
    assert client.post(CONFIRM, form)["Location"] == "/purchases/"
    assert is_signed_in(client)
    assert not is_signed_in(other)
    # It is a recent sign-in, and the account is as it was.
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    client.logout()
    assert client.post(CONFIRM, {"code": code})["Location"] == ASK
    assert not is_signed_in(client)


def test_the_third_wrong_code_ends_the_attempt(alice: User, sent_mail: SentMail) -> None:
    proved(alice)
    client = Client()
    ask(client, alice.email)
    code = code_to(alice.email, sent_mail)
    for wrong in ("", "AAAA-AAAA", "é", "\0", "A" * 5000):
        if not wrong.isascii() or len(wrong) > 9:
            ask(client, alice.email)
        assert client.post(CONFIRM, {"code": wrong}).status_code in (200, 302), wrong
    ask(client, alice.email)
    code = code_to(alice.email, sent_mail)
    tries = [client.post(CONFIRM, {"code": "BBBB-BBBB"}) for _ in range(3)]
    assert [one.status_code for one in tries] == [200, 200, 302]
    assert tries[2]["Location"] == ASK
    assert client.post(CONFIRM, {"code": code}).status_code == 302
    assert not is_signed_in(client)


@pytest.mark.django_db(transaction=True)
def test_of_many_codes_at_once_one_counts_and_three_wrong_ones_are_tried(
    alice: User, sent_mail: SentMail
) -> None:
    proved(alice)

    def answers(client: Client, code: str) -> list[int]:
        def answer(_: int) -> int:
            tab = Client()
            tab.cookies.update(client.cookies)
            try:
                sent = tab.post(CONFIRM, {"code": code})
                return 1 if sent.status_code == 302 and is_signed_in(tab) else sent.status_code
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            return sorted(pool.map(answer, range(24)))

    client = Client()
    ask(client, alice.email)
    assert answers(client, code_to(alice.email, sent_mail)) == [1] + [302] * 23
    client = Client()
    ask(client, alice.email)
    assert answers(client, "AAAA-AAAA") == [200] * 2 + [302] * 22


def test_known_and_unknown_addresses_are_answered_alike(
    alice: User, sent_mail: SentMail, settings: Any
) -> None:
    proved(alice)
    User.objects.create_user("closed", "close@example.com", PASSWORD, is_active=False)
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"request_login_code": "5/m/key"}

    def told(email: str) -> list[Any]:
        client = Client()
        found: list[Any] = []
        for path, form in [
            *[(ASK, {"email": email}), (CONFIRM, {"code": "AAAA-AAAA"})],
            *[(CONFIRM, {"code": "AAAA-AAAA"}), (CONFIRM, {"code": "AAAA-AAAA"})],
            *[(ASK, {"email": email})] * 6,
        ]:
            with CaptureQueriesContext(
                connection,
            ) as queries:
                answer = client.post(path, form)
            body = answer.content.decode().replace(email, "it")
            body = re.sub(r'csrfmiddlewaretoken" value="\w+"', "", body)
            headers = {k: v for k, v in answer.headers.items() if k not in ("X-Request-ID", "Date")}
            headers.pop("Expires", None)
            cookies = sorted(answer.cookies)
            found.append((answer.status_code, body, headers, cookies, len(queries)))
        return found

    known, unknown, closed = told(alice.email), told(NOBODY), told("close@example.com")
    for one, other in zip(known, unknown, strict=True):
        assert one[1].splitlines() == other[1].splitlines()
        assert one[:4] == other[:4]
    assert [one[:4] for one in closed] == [one[:4] for one in unknown]
    # In time, too: the database is asked about as often.
    counts = [(one[4], other[4]) for one, other in zip(known, unknown, strict=True)]
    assert all(abs(one - other) <= 3 for one, other in counts), counts
    # The sixth within a minute is refused to both.
    assert "Too many failed attempts" in known[-1][1]
    mails = OutgoingMail.objects.values_list("recipient", flat=True)
    assert sorted(mails).count(alice.email) == sorted(mails).count(NOBODY) == 5
    bodies = {message.to[0]: str(message.body) for message in sent_mail()}
    assert "this code signs you in" in bodies[alice.email]
    assert "No account here can be reached that way" in bodies[NOBODY]
    assert "No account here can be reached that way" in bodies["close@example.com"]


def mallory(provider: bool = True) -> dict[str, Any]:
    """Let Mallory sign up with the victim's address, and make all there is to get in again."""
    assert sign_up("mallory", VICTIM).status_code == 201
    user = User.objects.get(username="mallory")
    body: dict[str, Any] = {"username": "mallory", "password": PASSWORD}
    answer = Client().post("/api/v1/auth/token/", body, content_type="application/json")
    session = signed_in("mallory")
    body = {"name": "k", "permissions": ["purchases:read"]}
    key = session.post("/api/v1/keys/", body, content_type="application/json")
    assert key.status_code == 201, key.content
    SocialAccount.objects.create(user=user, provider="example", uid="mallory")
    return {
        "user": user,
        "session": session,
        "credentials": [f"Token {answer.json()['token']}", f"Bearer {key.json()['key']}"],
    }


def check_all_ended(made: dict[str, Any]) -> None:
    user: User = made["user"]
    user.refresh_from_db()
    assert not user.check_password(PASSWORD)
    assert not is_signed_in(made["session"])
    for credential in made["credentials"]:
        answer = Client().get("/api/v1/accounts/me/", headers={"authorization": credential})
        assert answer.status_code == 401, credential
    assert not Token.objects.filter(user=user).exists()
    assert not SocialAccount.objects.filter(user=user).exists()
    assert list(EmailAddress.objects.filter(user=user).values_list("email", "verified")) == [
        (VICTIM, True)
    ]


def test_a_code_ends_all_that_somebody_made_before_who_had_not_proved_the_address(
    sent_mail: SentMail,
) -> None:
    made = mallory()
    stale_link = link_to(VICTIM, "/accounts/confirm-email/", sent_mail)
    client = Client()
    ask(client, VICTIM)
    answer = client.post(CONFIRM, {"code": code_to(VICTIM, sent_mail)}, follow=True)
    assert "all other sign-ins have ended" in answer.content.decode()
    check_all_ended(made)
    # The session of who proved it goes on, and may set a password.
    assert is_signed_in(client)
    new = {"password1": "another-lamp-43", "password2": "another-lamp-43"}
    assert client.post("/accounts/password/set/", new).status_code == 302
    assert signed_in("mallory", "another-lamp-43")
    assert any("yours alone now" in mail.subject for mail in sent_mail())
    assert Client().post(stale_link).status_code in (302, 404)
    # Later codes end nothing, because nothing is proved for the first time.
    other = Client()
    ask(other, VICTIM)
    other.post(CONFIRM, {"code": code_to(VICTIM, sent_mail)})
    assert is_signed_in(other)
    assert is_signed_in(client)


def test_a_reset_ends_all_of_it_too(sent_mail: SentMail) -> None:
    made = mallory()
    ask_for_reset(VICTIM)
    assert reset(link_to(VICTIM, "/accounts/password/reset/key/", sent_mail)).status_code == 302
    check_all_ended(made)


def test_a_code_is_no_way_into_an_account_with_another_address(sent_mail: SentMail) -> None:
    made = mallory()
    client = Client()
    ask(client, VICTIM)
    code = code_to(VICTIM, sent_mail)
    # Mallory proves another address meanwhile, so this one is a mere claim.
    EmailAddress.objects.create(user=made["user"], email="evil@example.com", verified=True)
    assert client.post(CONFIRM, {"code": code}).status_code == 200
    assert not is_signed_in(client)
    ask(client, VICTIM)
    bodies = [str(mail.body) for mail in sent_mail() if mail.to == [VICTIM]]
    assert "No account here" in bodies[-1]


def test_whoever_opens_the_link_after_signing_up_is_not_surprised(sent_mail: SentMail) -> None:
    """The mail was sent because of this sign-up, and its page names the account."""
    made = mallory()
    link = link_to(VICTIM, "/accounts/confirm-email/", sent_mail)
    assert b"mallory" in Client().get(link).content
    assert Client().post(link).status_code == 302
    assert is_signed_in(made["session"])
    for credential in made["credentials"]:
        answer = Client().get("/api/v1/accounts/me/", headers={"authorization": credential})
        assert answer.json()["email_verified"] is True
    assert made["user"].check_password(PASSWORD)


def test_who_did_not_make_the_account_takes_the_address_from_it(sent_mail: SentMail) -> None:
    made = mallory()
    link = link_to(VICTIM, "/accounts/confirm-email/", sent_mail)
    assert b"I did not make this account" in Client().get(link).content
    assert Client().post(link, {"disown": ""}).status_code == 302
    made["user"].refresh_from_db()
    assert made["user"].email == ""
    assert not EmailAddress.objects.exists()
    assert Client().post(link, {"disown": ""}).status_code == 404
    assert sign_up("victim", VICTIM).status_code == 201


def test_a_second_factor_is_asked_for_after_a_code_and_after_a_reset(
    alice: User, sent_mail: SentMail
) -> None:
    proved(alice)
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={"secret": "s"})
    User.objects.update(second_factor=True)
    client = Client()
    ask(client, alice.email)
    answer = client.post(CONFIRM, {"code": code_to(alice.email, sent_mail)})
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert not is_signed_in(client)
    client = Client()
    ask_for_reset(alice.email)
    reset(link_to(alice.email, "/accounts/password/reset/key/", sent_mail), client)
    assert not is_signed_in(client)
    answer = client.post("/accounts/login/", {"login": "alice", "password": "another-lamp-43"})
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert not is_signed_in(client)
    # Its address is proved, so a reset leaves the second factor.
    assert Authenticator.objects.exists()
    # A code does not reach an account with a second factor by a mere claim.
    EmailAddress.objects.update(verified=False)
    ask(client, alice.email)
    assert "No account here can be reached" in str(sent_mail()[-1].body)


def test_an_account_without_a_password_confirms_its_session_by_signing_in_again(
    alice: User, sent_mail: SentMail
) -> None:
    proved(alice)
    alice.set_unusable_password()
    alice.save()
    client = Client()
    ask(client, alice.email)
    client.post(CONFIRM, {"code": code_to(alice.email, sent_mail)})
    session = client.session
    session["account_authentication_methods"][-1]["at"] -= 301
    session.save()
    answer = client.post(
        "/accounts/email/", {"action_add": "", "email": "b@example.com"}, follow=True
    )
    assert "sign in again" in answer.content.decode()
    assert EmailAddress.objects.count() == 1
    assert 'action="/accounts/logout/"' in answer.content.decode()
    new = {"password1": "another-lamp-43", "password2": "another-lamp-43"}
    answer = client.post("/accounts/password/set/", new)
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    alice.refresh_from_db()
    assert not alice.has_usable_password()


def test_a_proved_address_stays_beside_a_second_factor(alice: User) -> None:
    proved(alice)
    client = signed_in("alice")
    User.objects.update(second_factor=True)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/email/", {"action_remove": "", "email": alice.email})
    assert EmailAddress.objects.filter(user=alice, verified=True).exists()
    User.objects.update(second_factor=False)
    client.post("/accounts/email/", {"action_remove": "", "email": alice.email})
    assert not EmailAddress.objects.filter(user=alice).exists()
