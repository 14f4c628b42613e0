"""Which account an address belongs to: Alice owns it, and Mallory claims it."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.emails import reset_addresses
from accounts.models import Token, User
from accounts.tests.conftest import PASSWORD, SentMail
from audit.models import Waiting

pytestmark = pytest.mark.django_db

VICTIM, EVIL, NEW = "victim@example.com", "evil@example.com", "another-lamp-43"


def sign_up(name: str, email: str) -> Any:
    return Client().post(
        "/api/v1/accounts/",
        {"username": name, "email": email, "password": PASSWORD},
        content_type="application/json",
    )


def link_to(email: str, part: str, sent_mail: SentMail) -> str:
    for message in reversed(sent_mail()):
        found = re.search(rf"http://\S+?({part}\S+)", str(message.body))
        if found and message.to == [email]:
            return found[1]
    raise AssertionError(f"no link for {email}")


def ask_for_reset(email: str) -> None:
    answer = Client().post("/accounts/password/reset/", {"email": email})
    assert answer.status_code == 302


def reset(link: str, client: Client | None = None) -> Any:
    client = client or Client()
    form = client.get(link)
    if form.status_code != 302:
        return form
    return client.post(form["Location"], {"password1": NEW, "password2": NEW})


def verified(user: User, email: str, *, primary: bool = True) -> None:
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=primary)


def signed_in(username: str, password: str = PASSWORD) -> Client:
    client = Client()
    answer = client.post("/accounts/login/", {"login": username, "password": password})
    assert answer.status_code == 302
    return client


def confirm_password(client: Client, then: str) -> Any:
    return client.post(then, {"password": PASSWORD})


def test_an_unverified_second_address_resets_nothing(alice: User, sent_mail: SentMail) -> None:
    verified(alice, alice.email)
    EmailAddress.objects.create(user=alice, email="typo@example.com")
    ask_for_reset("typo@example.com")
    [message] = [one for one in sent_mail() if one.to == ["typo@example.com"]]
    assert "/password/reset/key/" not in str(message.body)
    ask_for_reset(alice.email)
    assert link_to(alice.email, "/accounts/password/reset/key/", sent_mail)


def test_the_sole_address_resets_though_it_is_not_verified(
    alice: User, sent_mail: SentMail
) -> None:
    ask_for_reset("Alice@Example.com")
    link = link_to(alice.email, "/accounts/password/reset/key/", sent_mail)
    assert reset(link).status_code == 302
    address = EmailAddress.objects.get(user=alice)
    assert (address.email, address.verified, address.primary) == (alice.email, True, True)
    assert b"password1" not in reset(link).content


def test_a_link_ends_where_its_address_no_longer_counts(alice: User, sent_mail: SentMail) -> None:
    ask_for_reset(alice.email)
    link = link_to(alice.email, "/accounts/password/reset/key/", sent_mail)
    verified(alice, "mine@example.com")
    assert reset(link).status_code == 200
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


@pytest.mark.parametrize("action", ["add", "remove", "primary"])
def test_every_change_of_address_asks_for_the_password(alice: User, action: str) -> None:
    verified(alice, alice.email)
    verified(alice, "second@example.com", primary=False)
    client = signed_in("alice")
    before = set(EmailAddress.objects.values_list("email", "primary"))
    email = "third@example.com" if action == "add" else "second@example.com"
    answer = client.post("/accounts/email/", {f"action_{action}": "", "email": email})
    assert answer["Location"].startswith("/accounts/reauthenticate/")
    assert set(EmailAddress.objects.values_list("email", "primary")) == before
    wrong = client.post(answer["Location"], {"password": "wrong-lamp-42"})
    assert wrong.status_code == 200
    assert set(EmailAddress.objects.values_list("email", "primary")) == before
    # With the password the requested change is made.
    form = {"password": PASSWORD, "next": "/accounts/email/"}
    assert client.post("/accounts/reauthenticate/", form).status_code == 302
    assert set(EmailAddress.objects.values_list("email", "primary")) != before


def test_an_account_has_a_few_addresses(alice: User) -> None:
    client = signed_in("alice")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    for number in range(8):
        client.post("/accounts/email/", {"action_add": "", "email": f"a{number}@example.com"})
    assert EmailAddress.objects.filter(user=alice).count() == 5


def mallory_claims(sent_mail: SentMail, *, evil: bool) -> User:
    assert sign_up("mallory", VICTIM).status_code == 201
    mallory = User.objects.get(username="mallory")
    if evil:
        verified(mallory, EVIL, primary=False)
    return mallory


def test_a_claim_with_another_address_keeps_nobody_from_signing_up(sent_mail: SentMail) -> None:
    mallory = mallory_claims(sent_mail, evil=True)
    assert sign_up("victim", VICTIM).status_code == 201
    victim = User.objects.get(username="victim")
    # The opened link decides, and it names the account.
    link = link_to(VICTIM, "/accounts/confirm-email/", sent_mail)
    assert b"victim" in Client().get(link).content
    assert Client().post(link).status_code == 302
    assert list(EmailAddress.objects.filter(email=VICTIM).values_list("user", "verified")) == [
        (victim.pk, True)
    ]
    mallory.refresh_from_db()
    assert mallory.email == EVIL
    assert sign_up("third", VICTIM).status_code == 400


def test_a_claim_alone_ends_with_a_reset_and_nothing_of_the_claimant_survives(
    sent_mail: SentMail,
) -> None:
    mallory = mallory_claims(sent_mail, evil=False)
    old_link = link_to(VICTIM, "/accounts/confirm-email/", sent_mail)
    session = signed_in("mallory")
    Token.objects.create(user=mallory)
    # The victim cannot sign up for a day, but can reset the claimant.
    assert sign_up("victim", VICTIM).status_code == 400
    ask_for_reset(VICTIM)
    link = link_to(VICTIM, "/accounts/password/reset/key/", sent_mail)
    # Mallory proves another address meanwhile, and asks for a link by it.
    verified(mallory, EVIL, primary=False)
    ask_for_reset(EVIL)
    evil_link = link_to(EVIL, "/accounts/password/reset/key/", sent_mail)
    assert reset(link).status_code == 200
    # So the address can be signed up with again.
    assert sign_up("victim", VICTIM).status_code == 201
    assert reset(evil_link).status_code == 302
    assert list(EmailAddress.objects.filter(user=mallory).values_list("email")) == [(EVIL,)]
    assert session.get("/purchases/").status_code == 302
    assert not Token.objects.filter(user=mallory).exists()
    assert Client().post(old_link).status_code == 404


def test_a_completed_reset_drops_other_addresses_and_tells_them(sent_mail: SentMail) -> None:
    mallory = mallory_claims(sent_mail, evil=True)
    EmailAddress.objects.filter(user=mallory, email=VICTIM).update(verified=True)
    session, evil_session = signed_in("mallory"), signed_in("mallory")
    Token.objects.create(user=mallory)
    ask_for_reset(EVIL)
    evil_link = link_to(EVIL, "/accounts/password/reset/key/", sent_mail)
    ask_for_reset(VICTIM)
    link = link_to(VICTIM, "/accounts/password/reset/key/", sent_mail)
    assert reset(link).status_code == 302
    mallory.refresh_from_db()
    assert mallory.email == VICTIM
    assert reset_addresses(mallory) == [VICTIM]
    assert not Token.objects.exists()
    assert {one.get("/purchases/").status_code for one in (session, evil_session)} == {302}
    assert reset(evil_link).status_code == 200
    ask_for_reset(EVIL)
    assert [
        message for message in sent_mail() if message.to == [EVIL] and VICTIM in str(message.body)
    ] == []
    assert [
        message.subject
        for message in sent_mail()
        if message.to == [EVIL] and "remov" in str(message.body)
    ]


@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_use_one_link_at_once_one_does(alice: User, sent_mail: SentMail) -> None:
    ask_for_reset(alice.email)
    link = link_to(alice.email, "/accounts/password/reset/key/", sent_mail)
    # An address has only so many tries, and whoever waits too long is told so by 503.
    clients = [
        Client(raise_request_exception=False, REMOTE_ADDR=f"192.0.2.{place}") for place in range(50)
    ]
    form = {client.get(link)["Location"] for client in clients}.pop()

    def use(place: int) -> tuple[str, str]:
        password = f"another-lamp-{place}"
        given = {"password1": password, "password2": password}
        try:
            return clients[place].post(form, given).headers.get("Location", ""), password
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        used = [password for then, password in pool.map(use, range(50)) if "key/done" in then]
    assert len(used) == 1
    alice.refresh_from_db()
    assert alice.check_password(used[0])


@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_confirm_by_one_link_at_once_none_ends_what_came_after(
    alice: User, sent_mail: SentMail
) -> None:
    """An address that is proved late ends what is older, once."""
    EmailAddress.objects.create(user=alice, email=alice.email, verified=False, primary=True)
    signed_in("alice").post("/accounts/email/", {"email": alice.email, "action_send": ""})
    link = link_to(alice.email, "/accounts/confirm-email/", sent_mail)

    def confirm(_: int) -> int:
        try:
            return Client(raise_request_exception=False).post(link).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        # A used link is found no more.
        assert set(pool.map(confirm, range(50))) - {404, 429, 503} == {302}
    assert EmailAddress.objects.get(email=alice.email).verified
    told = Waiting.objects.filter(action="address.verified").count()
    assert told == 1


def test_a_claim_holds_for_a_day(alice: User) -> None:
    assert sign_up("second", alice.email).status_code == 400
    alice.date_joined = timezone.now() - timedelta(days=1, seconds=1)
    alice.save()
    assert sign_up("second", alice.email).status_code == 201
    assert sign_up("third", alice.email).status_code == 400


def test_a_disabled_password_is_not_enabled_by_mail(alice: User, sent_mail: SentMail) -> None:
    verified(alice, alice.email)
    ask_for_reset(alice.email)
    link = link_to(alice.email, "/accounts/password/reset/key/", sent_mail)
    alice.set_unusable_password()
    alice.save()
    assert reset(link).status_code == 200
    ask_for_reset(alice.email)
    assert not User.objects.get().has_usable_password()


@pytest.mark.parametrize(
    "email",
    [
        "a@localhost",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "a@127.0.0.11",
        "a@printer.local",
        "a@db.internal",
        "a@LOCALHOST",
        "a@x.LocalHost",
        "a@1.0.0.127.in-addr.arpa",
        "a@x\u202e.example.com",
        "a@example.com\u2028x",
        f"a@{'ß' * 60}.example.com",
        f"{'a' * 300}@example.com",
        # In lower case it is twice as long.
        f"a@{'İ' * 60}.{'İ' * 60}.{'İ' * 60}.example.com",
    ],
)
def test_addresses_that_lead_nowhere_are_refused(alice: User, email: str) -> None:
    assert sign_up("eve", email).status_code == 400
    form = {"username": "eve", "email": email, "password1": PASSWORD, "password2": PASSWORD}
    assert Client().post("/accounts/signup/", form).status_code == 200
    assert Client().post("/accounts/password/reset/", {"email": email}).status_code == 200
    client = signed_in("alice")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    answer = client.post("/accounts/email/", {"action_add": "", "email": email})
    assert answer.status_code == 200
    assert User.objects.count() == 1
    assert not EmailAddress.objects.filter(email=email.lower()).exists()
