"""Guesses at passwords and names, and weak passwords."""

import re
import threading
from collections import Counter
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import hashers
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.db import connections
from django.test import Client

from accounts.attempts import AT_ONE_ADDRESS, Attempt, TooManyAttempts
from accounts.mailing import mails_send
from accounts.models import User
from tests.access import PASSWORD
from tests.security.forms import login, sign_in_token, sign_up_form
from tests.world import World, world

__all__ = ["world"]


def test_a_session_gets_a_new_key_at_sign_in_and_none_that_was_planted(world: World) -> None:
    client = Client()
    client.cookies["sessionid"] = "a" * 32
    client.post("/accounts/login/", {"login": "other", "password": PASSWORD})
    first = client.cookies["sessionid"].value
    assert first != "a" * 32
    session = client.session
    session["before"] = 1
    session.save()
    client.post("/accounts/logout/")
    client.post("/accounts/login/", {"login": "other", "password": PASSWORD})
    assert client.cookies["sessionid"].value != first
    assert "before" not in client.session


def test_failing_at_somebodys_account_locks_out_only_the_one_who_fails(world: World) -> None:
    for sign_in in (sign_in_token, login):
        cache.clear()
        good = 200 if sign_in is sign_in_token else 302
        answers = [sign_in("owner", "wrong", "10.6.6.6").status_code for _ in range(8)]
        assert answers.count(429) == (3 if sign_in is sign_in_token else 0)
        assert sign_in("owner", PASSWORD, "10.6.6.6").status_code != good
        assert sign_in("owner", PASSWORD, "10.0.0.1").status_code == good
        assert sign_in("OWNER", PASSWORD, "10.6.6.6").status_code != good
        assert sign_in("other", PASSWORD, "10.6.6.6").status_code == good


def test_guesses_from_many_addresses_end_and_the_owner_still_gets_in(world: World) -> None:
    assert sign_in_token("owner", PASSWORD, "10.0.0.1").status_code == 200
    answers = [
        sign_in_token("owner", "wrong", f"10.7.{number // 5}.1").status_code
        for number in range(120)
    ]
    assert answers[:100] == [401] * 100
    assert set(answers[100:]) == {429}
    assert sign_in_token("owner", PASSWORD, "10.8.8.8").status_code == 429
    assert sign_in_token("owner", PASSWORD, "10.0.0.1").status_code == 200
    assert sign_in_token("other", PASSWORD, "10.8.8.8").status_code == 200


def test_many_guesses_at_once_are_no_more_than_one_after_the_other(world: World) -> None:
    """Each attempt is counted before its password is checked."""
    gate, passed = threading.Barrier(30), []

    def guess() -> None:
        request = Client(REMOTE_ADDR="10.9.9.9").get("/livez").wsgi_request
        gate.wait()
        try:
            Attempt(request, "owner").begin()
            passed.append(1)
        except TooManyAttempts:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=guess) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == AT_ONE_ADDRESS


def _hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the slow part of a sign-in: passwords hashed or compared."""
    done: list[str] = []
    # The first hasher makes all passwords here; the other one is for old ones.
    hasher = type(hashers.get_hashers()[0])
    for name in ("encode", "verify"):
        original = getattr(hasher, name)

        def counted(self: Any, *args: Any, _original: Any = original, **options: Any) -> Any:
            done.append("")
            return _original(self, *args, **options)

        monkeypatch.setattr(hasher, name, counted)
    return done


@pytest.mark.parametrize("sign_in", [sign_in_token, login])
def test_sign_in_does_not_tell_who_has_an_account(
    world: World, monkeypatch: pytest.MonkeyPatch, sign_in: Any
) -> None:
    """A wrong password and an unknown name get the same answer, work and limits."""
    User.objects.filter(username="client").update(is_active=False)
    hashed, answers, work = _hashes(monkeypatch), [], []
    for number, name in enumerate(("owner", "nobody", "client")):
        del hashed[:]
        statuses = []
        for _ in range(7):
            response = sign_in(name, "wrong-guess-1", f"10.5.0.{number}")
            text = response.content.decode().replace(f'value="{name}"', "")
            text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text)
            statuses.append((response.status_code, text))
            if len(statuses) == 1:
                work.append(len(hashed))
        answers.append(statuses)
    assert answers[0] == answers[1] == answers[2]
    # `verify` may call `encode`, so one comparison may count twice.
    assert max(work) <= 2 * min(work)
    assert min(work) >= 1


def test_reset_does_not_tell_who_has_an_account(world: World) -> None:
    answers = []
    for number, address in enumerate(("owner@example.com", "nobody@example.com")):
        client = Client(REMOTE_ADDR=f"10.4.0.{number}")
        form = {"email": address}
        responses = [client.post("/accounts/password/reset/", form) for _ in range(21)]
        answers.append([(each.status_code, each.get("Location")) for each in responses])
    assert answers[0] == answers[1]
    assert answers[0][:20] == [(302, "/accounts/password/reset/done/")] * 20
    assert answers[0][20][0] == 429
    # Both get the same number of mails, fewer than were asked for.
    mails_send()
    counts = Counter(message.to[0] for message in mail.outbox)
    assert counts == {"owner@example.com": 5, "nobody@example.com": 5}


def test_a_stranger_locks_nobody_out_of_a_reset_and_fills_no_mailbox(world: World) -> None:
    """Neither requests from one address nor from many may do so."""
    form = {"email": "owner@example.com"}
    for number in range(30):
        Client(REMOTE_ADDR=f"10.4.{number}.1").post("/accounts/password/reset/", form)
    answer = Client(REMOTE_ADDR="10.0.0.1").post("/accounts/password/reset/", form)
    assert answer["Location"] == "/accounts/password/reset/done/"
    mails_send()
    assert len(mail.outbox) == 20
    # The owner may use any of them.
    (link,) = re.findall(r"http://\S+(/accounts/password/reset/key/\S+)", str(mail.outbox[7].body))
    assert b"password1" in Client().get(link, follow=True).content


@pytest.mark.parametrize(
    "password", ["short1", "12345678901", "password", "owner2owner", "iloveyou"]
)
def test_weak_passwords_are_refused_everywhere(world: World, password: str) -> None:
    account = {"username": "owner2", "email": "owner2@example.com", "password": password}
    response = Client().post("/api/v1/accounts/", account, content_type="application/json")
    assert response.status_code == 400
    form = sign_up_form("owner2") | {"password1": password, "password2": password}
    assert Client().post("/accounts/signup/", form).status_code == 200
    client = world.client("other", api=False)
    form = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    if "owner" not in password:
        assert client.post("/accounts/password/change/", form).status_code == 200
    assert not User.objects.filter(username="owner2").exists()


@pytest.mark.django_db(transaction=True)
def test_two_sign_ups_at_once_with_one_address_are_one_account() -> None:
    """On the page, by the API, and one each."""
    call_command("flush", interactive=False, verbosity=0)
    gate = threading.Barrier(4)

    def sign_up(number: int) -> None:
        name = f"user{number}"
        client = Client(REMOTE_ADDR=f"10.3.0.{number}")
        gate.wait()
        if number % 2:
            form = sign_up_form(name) | {"email": "Same@example.com"}
            client.post("/accounts/signup/", form)
        else:
            account = {"username": name, "email": "same@example.com", "password": PASSWORD}
            client.post("/api/v1/accounts/", account, content_type="application/json")
        connections.close_all()

    threads = [threading.Thread(target=sign_up, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert User.objects.count() == 1
    assert EmailAddress.objects.filter(email__iexact="same@example.com").count() == 1
