"""Sign-ins by JWTs: their tokens, how they are refreshed, and what ends them."""

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt as pyjwt
import pytest
from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.authentication import (
    Credential,
    callers_by_credential,
    read_token,
    ticket_redeem,
    token_digest,
)
from accounts.factors.totp import data_of
from accounts.jwt import signing
from accounts.jwt.refreshing import Refresh, parse_refresh, refresh_token
from accounts.jwt.services import grant_by_token, grant_refresh
from accounts.jwt.signing import grant_digest
from accounts.keys import services as keys
from accounts.models import Token, TokenKind, User
from accounts.permissions import CUSTOMER, Permission, codes
from accounts.tests.conftest import PASSWORD, SentMail
from audit.models import Waiting

pytestmark = pytest.mark.django_db
JWT = "/api/v1/auth/jwt/"
ME = "/api/v1/accounts/me/"


def post(path: str, body: Any, **headers: str) -> Any:
    return Client(headers=headers).post(path, body, content_type="application/json")


def sign_in_by(authorization: str = "", **body: Any) -> dict[str, Any]:
    headers = {"authorization": authorization} if authorization else {}
    given = body if authorization else {"username": "alice", "password": PASSWORD, **body}
    answer = post(JWT, given, **headers)
    assert answer.status_code == 200, answer.content
    pair: dict[str, Any] = answer.json()
    return pair


def refresh(token: str) -> Any:
    return post(f"{JWT}refresh/", {"refresh": token})


def me(access: str, scheme: str = "Bearer") -> Any:
    return Client(headers={"authorization": f"{scheme} {access}"}).get(ME)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def claims_of(access: str) -> dict[str, Any]:
    claims: dict[str, Any] = pyjwt.decode(access, options={"verify_signature": False})
    return claims


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let every clock of the site be so much later."""
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now + timedelta(seconds=seconds))
    monkeypatch.setattr(time, "time", lambda: (now + timedelta(seconds=seconds)).timestamp())


def test_an_access_token_is_verified_by_the_public_keys_and_good_for_five_minutes(
    alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = post(JWT, {"username": "alice", "password": PASSWORD})
    pair = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert set(pair) == {"access", "expires_in", "refresh", "refresh_expires_at", "scope"}
    assert (pair["expires_in"], pair["scope"]) == (300, " ".join(codes(CUSTOMER)))
    published = Client().get("/.well-known/jwks.json")
    assert published["Cache-Control"] == "public, max-age=3600"
    (key,) = pyjwt.PyJWKSet.from_dict(published.json()).keys
    claims = pyjwt.decode(
        pair["access"],
        key.key,
        algorithms=["EdDSA"],
        audience=settings.SITE_URL,
        issuer=settings.SITE_URL,
    )
    assert set(claims) == {"iss", "aud", "sub", "gid", "scope", "iat", "exp", "jti"}
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("100", 300)
    assert pyjwt.get_unverified_header(pair["access"])["kid"] == key.key_id
    for scheme in ("Bearer", "Token", "bearer"):
        assert me(pair["access"], scheme).status_code == 200
    grant = Token.objects.get()
    assert (grant.kind, grant.methods) == (TokenKind.JWT, "password")
    # Neither what is stored nor what the token says opens anything by itself.
    for other in (claims["gid"], claims["jti"], grant.digest, pair["refresh"], str(grant.id)):
        assert me(other).status_code == 401, other
    credential = Credential(grant.digest, ends=float(claims["exp"]))
    assert credential in callers_by_credential([credential])
    later(monkeypatch, 301)
    assert me(pair["access"]).status_code == 401
    assert credential not in callers_by_credential([credential])


def _encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def test_tokens_that_we_did_not_sign_as_they_are_are_refused(alice: User, settings: Any) -> None:
    access = sign_in_by()["access"]
    head, body, signature = access.split(".")
    claims = claims_of(access)
    kid = pyjwt.get_unverified_header(access)["kid"]
    own = signing._key(kid)
    other = Ed25519PrivateKey.generate()

    def signed(key: Any = own, algorithm: str = "EdDSA", kid: Any = kid, **changed: Any) -> str:
        given = {k: v for k, v in (claims | changed).items() if v is not None}
        return pyjwt.encode(given, key, algorithm=algorithm, headers={"kid": kid})

    assert me(signed()).status_code == 200
    (published,) = signing.public_keys()["keys"]
    forged = [
        signed(other),
        signed("x" * 32, "HS256"),
        signed(published["x"], "HS256"),
        signed(kid="none"),
        f"{_encoded({'alg': 'EdDSA', 'kid': 7})}.{body}.{signature}",
        f"{_encoded({'alg': 'none', 'kid': kid})}.{body}.",
        f"{head}.{body}.",
        f"{head}.{_encoded(claims | {'sub': '1'})}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        signed(exp=int(time.time()) - 1),
        signed(exp=None),
        signed(exp="never"),
        signed(gid=None),
        signed(sub=None),
        signed(iss="https://elsewhere.example"),
        signed(aud="https://elsewhere.example"),
        signed(aud=None),
        signed(gid="unknown"),
        "..",
        "a.b.c",
        "é.é.é",
        "." * 5000,
        f"{access}.",
        access + "A" * 5000,
    ]
    for token in forged:
        raw = token.encode("utf-8").decode("latin-1")
        assert me(raw).status_code == 401, token
    assert token_digest(access) == grant_digest(claims["gid"])
    # Another key signs now; the old one still verifies until it is taken away.
    before = dict(settings.DATA_KEYS)
    settings.DATA_KEYS = {"new": b"n" * 32, **before}
    signing._known.clear()
    assert me(access).status_code == 200
    newer = sign_in_by()["access"]
    assert pyjwt.get_unverified_header(newer)["kid"] == "new"
    assert len(Client().get("/.well-known/jwks.json").json()["keys"]) == 2
    settings.DATA_KEYS = {"new": b"n" * 32}
    signing._known.clear()
    assert (me(access).status_code, me(newer).status_code) == (401, 200)


def test_a_scope_is_never_more_than_account_and_credential_have(
    alice: User, sign_in: Callable[..., dict[str, str]]
) -> None:
    read = sign_in_by(scope="purchases:read")
    assert (read["scope"], claims_of(read["access"])["scope"]) == ("purchases:read",) * 2
    assert me(read["access"]).json()["permissions"] == ["purchases:read"]
    for scope in ("purchases:read_all", "purchases:read accounts:admin", "purchases:fly", "x"):
        answer = post(JWT, {"username": "alice", "password": PASSWORD, "scope": scope})
        assert code(answer) == (400, "invalid_scope"), scope
    # A key's JWT has at most what the key has, ends with it, and does not become longer.
    ends = timezone.now() + timedelta(hours=1)
    key, text, _ = keys.key_create(
        user=alice,
        name="till",
        permissions=Permission.PURCHASES_READ | Permission.PURCHASES_WRITE,
        expires_at=ends,
        networks=["127.0.0.0/8"],
    )
    for header in (f"Token {text}", f"Bearer {text}"):
        pair = sign_in_by(header)
        assert pair["scope"] == "purchases:read purchases:write"
        assert pair["refresh_expires_at"] == ends.isoformat().replace("+00:00", "Z")
    answer = post(JWT, {"scope": "reports:read"}, authorization=f"Token {text}")
    assert code(answer) == (400, "invalid_scope")
    assert code(post(JWT, {}, authorization=f"Bearer {pair['access']}")) == (
        403,
        "credential_kind",
    )
    away = Client(headers={"authorization": f"Bearer {pair['access']}"}, REMOTE_ADDR="10.0.0.1")
    assert away.get(ME).status_code == 401
    with pytest.raises(Exception, match="unknown or has ended"):
        grant_refresh(pair["refresh"], address="10.0.0.1")
    # What the key loses, its JWT loses at once.
    narrower = keys.Changes(permissions=Permission.PURCHASES_READ)
    keys.key_change(user=alice, key_id=key.id, changes=narrower, may_widen=False)
    assert me(pair["access"]).json()["permissions"] == ["purchases:read"]
    keys.key_rotate(user=alice, key_id=key.id, overlap=60)
    grants = Token.objects.filter(parent=key)
    assert all(g.expiry < timezone.now() + timedelta(seconds=61) for g in grants if g.expiry)
    keys.key_end(user=alice, key_id=key.id)
    assert me(pair["access"]).status_code == 401
    assert code(refresh(pair["refresh"])) == (401, "refresh_invalid")
    actions = Waiting.objects.filter(action__startswith="jwt.").values_list("action", flat=True)
    assert list(actions) == ["jwt.created", "jwt.created"]
    # The sign-out of a token ends what was made from it, and nothing else.
    token = sign_in()
    made = sign_in_by(token["authorization"])
    assert Client(headers=token).post("/api/v1/auth/logout/").status_code == 204
    assert (me(made["access"]).status_code, me(read["access"]).status_code) == (401, 200)


def test_no_jwt_becomes_anything_more(alice: User) -> None:
    pair = sign_in_by(scope="purchases:read")
    client = Client(headers={"authorization": f"Bearer {pair['access']}"})
    for method, path, body in (
        ("get", "/api/v1/keys/", None),
        ("post", "/api/v1/keys/", {"name": "x"}),
        ("post", JWT, {}),
    ):
        answer = getattr(client, method)(path, body, content_type="application/json")
        assert answer.status_code == 403, path
    assert client.get("/api/v1/events/?scope=all").status_code == 403
    assert client.get("/accounts/keys/").status_code == 302
    ticket = client.post("/api/v1/live-ticket/").json()["ticket"]
    redeemed = ticket_redeem(ticket, "127.0.0.1")
    assert redeemed is not None
    assert redeemed[0].permissions == Permission.PURCHASES_READ
    assert redeemed[1].ends == claims_of(pair["access"])["exp"]
    assert read_token(pair["access"])[1] == redeemed[1].ends


def test_a_refresh_token_is_good_once_and_a_lost_answer_comes_again(
    alice: User, sent_mail: SentMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sign_in_by(scope="purchases:read purchases:write")
    second = refresh(first["refresh"]).json()
    assert second["refresh"] != first["refresh"]
    assert second["scope"] == first["scope"]
    assert second["refresh_expires_at"] == first["refresh_expires_at"]
    assert [me(pair["access"]).status_code for pair in (first, second)] == [200, 200]
    with monkeypatch.context() as patch:
        later(patch, 5)
        assert refresh(first["refresh"]).json()["refresh"] == second["refresh"]
    third = refresh(second["refresh"]).json()
    with monkeypatch.context() as patch:
        later(patch, 59)
        assert refresh(second["refresh"]).json()["refresh"] == third["refresh"]
    assert not [mail for mail in sent_mail() if "ended" in mail.subject]
    with monkeypatch.context() as patch:
        later(patch, 120)
        assert code(refresh(second["refresh"])) == (401, "refresh_reused")
    for pair in (first, second, third):
        assert me(pair["access"]).status_code == 401
        assert code(refresh(pair["refresh"])) == (401, "refresh_invalid")
    assert [mail.to for mail in sent_mail() if "ended" in mail.subject] == [["alice@example.com"]]
    actions = Waiting.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["account.created", "account.signed_in", "jwt.reused"]


@pytest.mark.django_db(transaction=True)
def test_many_refreshes_at_once_get_one_successor(alice: User) -> None:
    pair = sign_in_by()

    def again(_: int) -> str:
        try:
            return str(refresh(pair["refresh"]).json()["refresh"])
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        successors = set(pool.map(again, range(50)))
    assert len(successors) == 1
    assert Token.objects.get().refreshes == 1
    assert refresh(successors.pop()).status_code == 200


def test_what_ends_a_grant_ends_its_tokens_at_once(alice: User) -> None:
    def both(pair: dict[str, Any]) -> list[int]:
        return [me(pair["access"]).status_code, refresh(pair["refresh"]).status_code]

    pair = sign_in_by()
    for wrong in ("shr_x", "x", pair["access"][:190], "shr_" + "A" * 70, "é" * 74):
        assert post(f"{JWT}revoke/", {"refresh": wrong}).status_code == 204
    assert me(pair["access"]).status_code == 200
    newest = refresh(pair["refresh"]).json()
    # A refresh token of any age revokes the whole sign-in.
    assert post(f"{JWT}revoke/", {"refresh": pair["refresh"]}).status_code == 204
    assert both(newest) == [401, 401]
    ends: list[Callable[[str], Any]] = [
        lambda access: User.objects.update(is_active=False),
        lambda access: _new_password(alice),
        lambda access: Token.objects.update(expiry=timezone.now()),
        lambda access: Client(headers={"authorization": f"Bearer {access}"}).post(
            "/api/v1/auth/logout/"
        ),
    ]
    for end in ends:
        pair = sign_in_by()
        end(pair["access"])
        assert both(pair) == [401, 401]
        User.objects.update(is_active=True)
    wrong_password = post(JWT, {"username": "alice", "password": "wrong"})
    assert code(wrong_password) == (401, "invalid_credentials")
    assert post(JWT, {}).status_code == 400
    assert post(JWT, {"username": "alice"}).status_code == 400
    assert post(JWT, {}, authorization="Token unknown-token-unknown").status_code == 401
    assert post(f"{JWT}refresh/", {}).status_code == 400


def _new_password(user: User) -> None:
    user.set_password("another-lamp-43")
    user.save()
    user.set_password(PASSWORD)
    user.save()


def test_a_jwt_by_password_asks_for_what_a_token_asks_for(alice: User, site_settings: Any) -> None:
    site_settings.captcha = "everywhere"
    body = {"username": "alice", "password": PASSWORD}
    assert code(post(JWT, body)) == (400, "captcha_required")
    assert code(post(JWT, body | {"captcha": "x"})) == (400, "captcha_invalid")
    site_settings.captcha = "off"
    data = data_of("A" * 32, 0, account=alice.pk)
    Authenticator.objects.create(user=alice, type="totp", data=data)
    assert code(post(JWT, body)) == (401, "mfa_required")
    assert code(post(JWT, body | {"code": "000000"})) == (401, "invalid_credentials")
    assert not Token.objects.exists()


def test_an_account_keeps_its_newest_grants(alice: User, settings: Any) -> None:
    settings.JWT_GRANTS_PER_ACCOUNT = 2
    token, _ = Token.objects.create(alice)
    pairs = [grant_by_token(user=alice, token=token, scope=None) for _ in range(3)]
    assert [me(pair.access).status_code for pair in pairs] == [401, 200, 200]
    assert Token.objects.filter(kind=TokenKind.SIGN_IN).count() == 1


def test_a_refresh_token_says_nothing_that_we_did_not_sign(settings: Any) -> None:
    given = Refresh("A" * 21 + "Q", 7)
    text = refresh_token(given)
    assert parse_refresh(text) == given
    for place in range(4, len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert parse_refresh(changed) in (None, given)
    settings.DATA_KEYS = {"new": b"n" * 32, **settings.DATA_KEYS}
    assert parse_refresh(text) == given
    assert refresh_token(given) != text
    settings.DATA_KEYS = {"other": b"o" * 32}
    assert parse_refresh(text) is None
