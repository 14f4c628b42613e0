"""Captchas: what solves one, and where it is asked for."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import altcha
import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.captcha import challenges
from accounts.captcha.challenges import COUNTER_MAX, is_solved
from accounts.models import CaptchaUsed, User
from accounts.tasks import purge
from accounts.tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
SIGN_UP, SIGN_IN = "/api/v1/accounts/", "/api/v1/auth/token/"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenges, "COST", 1)


def got(action: str = "sign_up") -> dict[str, Any]:
    """Return a challenge, and its solution as a client finds it."""
    answer = Client().get(f"/api/v1/captcha/?action={action}")
    assert answer.status_code == 200, answer.content
    assert "no-store" in answer.headers["Cache-Control"]
    given: dict[str, Any] = answer.json()
    solution = altcha.solve_challenge(altcha.Challenge.from_dict(given))
    assert solution is not None
    return {"challenge": given, "solution": solution.to_dict()}


def sent(payload: Any) -> str:
    return base64.b64encode(json.dumps(payload).encode()).decode()


def solved(action: str = "sign_up") -> str:
    return sent(got(action))


def post(path: str, **body: Any) -> tuple[int, str]:
    answer = Client().post(path, body, content_type="application/json")
    errors = answer.json().get("errors") if answer.status_code >= 400 else None
    return answer.status_code, errors[0]["code"] if errors else ""


def new(name: str) -> dict[str, str]:
    return {"username": name, "email": f"{name}@example.com", "password": PASSWORD}


def test_a_solution_is_good_once_for_its_action_and_for_ten_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload = solved()
    assert not is_solved(payload, "sign_in")
    assert is_solved(payload, "sign_up")
    assert not is_solved(payload, "sign_up")
    late = solved()
    now = timezone.now().timestamp()
    monkeypatch.setattr("altcha.v2.time.time", lambda: now + 602)
    assert not is_solved(late, "sign_up")
    monkeypatch.undo()
    assert is_solved(late, "sign_up")
    CaptchaUsed.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    purge()
    assert not CaptchaUsed.objects.exists()


def test_nothing_but_a_solution_of_an_unchanged_challenge_is_one() -> None:
    payload = got()
    parameters = payload["challenge"]["parameters"]
    counter = payload["solution"]["counter"]
    unsolved = altcha.derive_key_pbkdf2(
        altcha.ChallengeParameters.from_dict(parameters),
        bytes.fromhex(parameters["salt"]),
        bytes.fromhex(parameters["nonce"]) + bytes(4),
    ).hex()
    key = payload["solution"]["derivedKey"]
    solutions: list[Any] = [
        {"counter": 0, "derivedKey": unsolved},
        {"counter": 0, "derivedKey": key},
        {"counter": counter % COUNTER_MAX + 1, "derivedKey": key},
        {"counter": counter + 2**32, "derivedKey": key},
        {"counter": -counter, "derivedKey": key},
        {"counter": float(counter), "derivedKey": key},
        {"counter": str(counter), "derivedKey": key},
        {"counter": True, "derivedKey": key},
        {"counter": counter, "derivedKey": ""},
        {"counter": counter},
        [],
        None,
    ]
    bad: list[Any] = [{**payload, "solution": solution} for solution in solutions]
    changes: list[dict[str, Any]] = [
        {"expiresAt": parameters["expiresAt"] + 1},
        {"expiresAt": None},
        {"cost": 2},
        {"keyPrefix": ""},
        {"keyPrefix": unsolved[:2]},
        {"nonce": parameters["nonce"].upper()},
        {"algorithm": "SHA-256"},
        {"data": None},
        {"data": {**parameters["data"], "action": "sign_in"}},
        {"data": {**parameters["data"], "key": "k9"}},
        {"data": {**parameters["data"], "key": []}},
        {"data": {**parameters["data"], "max": 2**32}},
    ]
    for change in changes:
        challenge = {**payload["challenge"], "parameters": {**parameters, **change}}
        if challenge != payload["challenge"]:
            bad.append({**payload, "challenge": challenge})
    bad += [
        {**payload, "challenge": {"parameters": parameters}},
        {**payload, "challenge": {"parameters": parameters, "signature": ""}},
        {**payload, "challenge": {"parameters": parameters, "signature": "0" * 64}},
        {**payload, "challenge": []},
        {},
        [],
        1,
        None,
        "x",
    ]
    for each in bad:
        assert not is_solved(sent(each), "sign_up"), each
    for text in ("", "x", "=", "\0", "é", "[" * 4000, sent("[" * 3000), "A" * 10_000):
        assert not is_solved(text, "sign_up"), text
    assert not CaptchaUsed.objects.exists()
    assert is_solved(sent(payload), "sign_up")


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_one_is_let_through() -> None:
    payload = solved()

    def use(_: int) -> bool:
        try:
            return is_solved(payload, "sign_up")
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as threads:
        assert sorted(threads.map(use, range(50))) == [False] * 49 + [True]


def test_the_action_has_to_be_one_that_there_is() -> None:
    for query in ("", "?action=", "?action=buy", "?action=sign_up%00", "?action=SIGN_UP"):
        assert Client().get(f"/api/v1/captcha/{query}").status_code == 400


def test_where_it_is_off_nothing_is_asked(site_settings: Any, alice: User) -> None:
    site_settings.captcha = "off"
    assert post(SIGN_UP, **new("joe")) == (201, "")
    assert post(SIGN_UP, **new("jim"), captcha="nonsense") == (201, "")
    assert "data-captcha" not in Client().get("/accounts/signup/").content.decode()
    assert post(SIGN_IN, username="alice", password=PASSWORD, captcha="") == (200, "")
    others: list[Any] = [0, [], {}, True]
    for given in others:
        assert post(SIGN_IN, username="alice", password=PASSWORD, captcha=given)[0] == 400


def test_everywhere_it_is_asked_of_programs_too(site_settings: Any, alice: User) -> None:
    site_settings.captcha = "everywhere"
    ours = {"username": "alice", "password": PASSWORD}
    assert post(SIGN_UP, **new("joe")) == (400, "captcha_required")
    assert post(SIGN_IN, **ours) == (400, "captcha_required")
    assert post(SIGN_UP, **new("joe"), captcha=solved("sign_in")) == (400, "captcha_invalid")
    assert post(SIGN_IN, **ours, captcha=solved("sign_up")) == (400, "captcha_invalid")
    payload = solved("sign_in")
    assert post(SIGN_IN, **ours, captcha=payload) == (200, "")
    assert post(SIGN_IN, **ours, captcha=payload) == (400, "captcha_invalid")
    assert post(SIGN_UP, **new("joe"), captcha=solved()) == (201, "")
    page = Client().get("/accounts/login/").content.decode()
    assert 'data-captcha="/api/v1/captcha/?action=sign_in"' in page
    form = {"login": "alice", "password": PASSWORD}
    assert Client().post("/accounts/login/", form).status_code == 200
    answer = Client().post("/accounts/login/", {**form, "captcha": solved("sign_in")})
    assert answer.status_code == 302


def test_on_pages_it_is_asked_at_sign_up(site_settings: Any) -> None:
    site_settings.captcha = "pages"
    form = {"username": "zoe", "email": "zoe@example.com"}
    form |= {"password1": PASSWORD, "password2": PASSWORD}
    page = Client().get("/accounts/signup/").content.decode()
    assert 'data-captcha="/api/v1/captcha/?action=sign_up"' in page
    assert "<noscript>" in page
    assert "data-captcha" not in Client().get("/accounts/login/").content.decode()
    for captcha in ("", "nonsense", solved("sign_in")):
        answer = Client().post("/accounts/signup/", {**form, "captcha": captcha})
        assert (answer.status_code, User.objects.count()) == (200, 0)
    # What is wrong with the form costs nobody their solution.
    payload = solved()
    Client().post("/accounts/signup/", {**form, "password2": "x", "captcha": payload})
    answer = Client().post("/accounts/signup/", {**form, "captcha": payload})
    assert (answer.status_code, User.objects.count()) == (302, 1)
    # The API asks for none, until the address has used up its free tries.
    assert post(SIGN_UP, **new("joe")) == (201, "")


def test_an_address_over_its_free_tries_may_solve_one_instead_of_waiting(
    site_settings: Any, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_settings.captcha = "pages"
    wrong = {"username": "alice", "password": "wrong"}
    assert [post(SIGN_IN, **wrong)[0] for _ in range(6)] == [401] * 5 + [429]
    ours = {"username": "alice", "password": PASSWORD}
    assert post(SIGN_IN, **ours) == (429, "throttled")
    assert post(SIGN_IN, **wrong, captcha=solved("sign_in")) == (401, "invalid_credentials")
    assert post(SIGN_IN, **ours, captcha=solved("sign_up")) == (400, "captcha_invalid")
    payload = solved("sign_in")
    # On the page, too, which shows one by now.
    form = {"login": "alice", "password": PASSWORD}
    page = Client().post("/accounts/login/", form)
    assert "data-captcha" in page.content.decode()
    bad = Client().post("/accounts/login/", {**form, "captcha": "nonsense"})
    assert (bad.status_code, "data-captcha" in bad.content.decode()) == (200, True)
    assert Client().post("/accounts/login/", {**form, "captcha": payload}).status_code == 302
    assert post(SIGN_IN, **ours) == (200, "")

    cache.clear()
    monkeypatch.setattr("accounts.api.ratelimit.consume", lambda *args, **kwargs: None)
    assert post(SIGN_UP, **new("joe")) == (429, "throttled")
    assert post(SIGN_UP, **new("joe"), captcha=solved()) == (201, "")
    # An address cannot go on so for ever.
    monkeypatch.setattr("accounts.captcha.checks.HOURLY_FROM_ONE_ADDRESS", 1)
    assert post(SIGN_UP, **new("jim"), captcha=solved()) == (429, "throttled")
    site_settings.captcha = "off"
    assert post(SIGN_UP, **new("jim"), captcha=solved()) == (429, "throttled")
