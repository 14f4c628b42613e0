"""The second factor where programs sign in, through the token route."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.db import connections
from django.test import Client
from django.utils import timezone

from accounts.factors import recovery, totp
from accounts.factors.models import CodeAttempt
from accounts.models import User
from accounts.tests.conftest import PASSWORD

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = 1_800_000_015.0
STEP = int(NOW) // 30


def code_of(step: int) -> str:
    return format_hotp_value(hotp_value(SECRET, step))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stop the clock of the codes; return a function that sets it."""
    times = [NOW]
    monkeypatch.setattr("accounts.factors.totp.time", lambda: times[0])

    def set_to(seconds: float) -> None:
        times[0] = NOW + seconds

    return set_to


def switch_on(user: User) -> list[str]:
    """Give the account an authenticator app and recovery codes; return the codes."""
    codes = recovery.codes_new()
    for kind, data in (
        ("totp", totp.data_of(SECRET, STEP - 10, account=user.pk)),
        ("recovery_codes", recovery.data_of(codes, account=user.pk)),
    ):
        Authenticator.objects.create(user=user, type=kind, data=data)
    return codes


def answer(code: str | None = None, password: str = PASSWORD, address: str = "10.0.0.1") -> Any:
    body = {"username": "alice", "password": password}
    response = Client(REMOTE_ADDR=address).post(
        "/api/v1/auth/token/",
        body if code is None else body | {"code": code},
        content_type="application/json",
    )
    if response.status_code == 200:
        return 200, response.json()["token"]
    return response.status_code, response.json()["errors"][0]["code"]


def test_a_code_is_asked_for_and_is_good_once_and_no_older_one_after_it(
    alice: User, clock: Any
) -> None:
    assert answer()[0] == 200
    codes = switch_on(alice)
    assert answer() == (401, "mfa_required")
    assert answer("") == (401, "mfa_required")
    assert answer(password="wrong") == (401, "invalid_credentials")
    assert answer(code_of(STEP), password="wrong") == (401, "invalid_credentials")
    assert answer(code_of(STEP)[:3] + " " + code_of(STEP)[3:])[0] == 200
    # A clock may be a step behind or ahead. The same code never signs in again, nor an older one.
    for seconds in (0, 1, 31, 61):
        clock(seconds)
        assert answer(code_of(STEP)) == (401, "invalid_credentials"), seconds
    assert answer(code_of(STEP - 1)) == (401, "invalid_credentials")
    CodeAttempt.objects.all().delete()
    assert answer(code_of(STEP + 2))[0] == 200
    assert answer(code_of(STEP + 1)) == (401, "invalid_credentials")
    for wrong in ("０" * 6, "\x00" * 6, "é", "9" * 64):
        CodeAttempt.objects.all().delete()
        assert answer(wrong)[0] in (400, 401), wrong
    assert answer(codes[0].upper().replace("-", " "))[0] == 200
    assert answer(codes[0]) == (401, "invalid_credentials")
    assert answer(codes[1])[0] == 200


def test_the_jwt_route_asks_for_it_too(alice: User) -> None:
    codes = switch_on(alice)

    def jwt(**more: str) -> tuple[int, str]:
        body = {"username": "alice", "password": PASSWORD, **more}
        response = Client().post("/api/v1/auth/jwt/", body, content_type="application/json")
        errors = response.json().get("errors", [{"code": ""}])
        return response.status_code, errors[0]["code"]

    assert jwt() == (401, "mfa_required")
    assert jwt(code="000000") == (401, "invalid_credentials")
    assert jwt(code=codes[0]) == (200, "")
    assert jwt(code=codes[0]) == (401, "invalid_credentials")


def test_five_wrong_codes_in_five_minutes_and_fifty_a_day_from_any_address(alice: User) -> None:
    codes = switch_on(alice)
    # Only somebody with the right password can use them up.
    for number in range(8):
        assert answer("000000", password="wrong", address=f"10.1.0.{number}")[0] == 401
    for number in range(5):
        assert answer("000000", address=f"10.0.0.{number}") == (401, "invalid_credentials")
    assert answer(code_of(STEP), address="10.0.9.9") == (429, "throttled")
    # The window slides, so the sixth has to wait for the first to leave it.
    CodeAttempt.objects.update(at=timezone.now() - timedelta(seconds=301))
    assert answer(code_of(STEP))[0] == 200
    assert CodeAttempt.objects.count() == 5
    CodeAttempt.objects.bulk_create(
        CodeAttempt(user=alice, at=timezone.now() - timedelta(hours=23)) for _ in range(45)
    )
    assert answer(codes[0], address="10.0.9.8") == (429, "throttled")


def test_a_password_alone_makes_no_address_a_known_one(alice: User) -> None:
    switch_on(alice)
    name = f"account:{alice.pk}"
    from django.core.cache import cache

    from accounts.attempts import _key

    assert answer(address="10.7.7.7") == (401, "mfa_required")
    assert cache.get(_key("known", "10.7.7.7", name)) is None
    assert answer(code_of(STEP), address="10.7.7.7")[0] == 200
    assert cache.get(_key("known", "10.7.7.7", name)) == 1


def test_an_account_with_passkeys_only_is_told_to_make_a_key(alice: User) -> None:
    Authenticator.objects.create(user=alice, type="webauthn", data={"name": "phone", "id": "x"})
    assert answer() == (401, "mfa_required")
    assert answer("123456") == (401, "mfa_required")
    codes = recovery.codes_new()
    data = recovery.data_of(codes, account=alice.pk)
    Authenticator.objects.create(user=alice, type="recovery_codes", data=data)
    assert answer() == (401, "mfa_required")
    assert answer(codes[3])[0] == 200


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_one_gets_in() -> None:
    alice = User.objects.create_user("alice", "alice@example.com", PASSWORD)
    codes = switch_on(alice)
    user = User.objects.get(pk=alice.pk)

    with ThreadPoolExecutor(10) as pool:
        tried = [code_of(STEP - 1)] * 30
        found = list(pool.map(lambda code: _closing(lambda: answer(code)[0]), tried))
    assert found.count(200) == 1
    CodeAttempt.objects.all().delete()

    def use(code: str) -> bool:
        from accounts.factors import codes as module

        try:
            return bool(module._use(user, code))
        finally:
            connections.close_all()

    for code in (code_of(STEP), codes[0]):
        with ThreadPoolExecutor(10) as pool:
            assert sum(pool.map(use, [code] * 50)) == 1
    # The limit of sign-ins counts some of the first thirty, and would refuse before that of codes.
    cache.clear()
    # Counted before they are compared, so that fifty guesses at once are no more than five.
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: _closing(lambda: answer("000000")[0]), range(20)))
    assert sorted(set(found)) == [401, 429]
    assert found.count(401) == 5


def _closing(work: Any) -> Any:
    try:
        return work()
    finally:
        connections.close_all()


def test_a_code_is_text(alice: User) -> None:
    for code in (123456, 0, None, ["123456"], True):
        body = {"username": "alice", "password": PASSWORD, "code": code}
        answered = Client().post("/api/v1/auth/token/", body, content_type="application/json")
        assert answered.status_code == 400, code
        assert answered.json()["errors"][0]["attr"] == "code"
