"""API keys: who makes them, what they may do, from where, and how they are replaced."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha512
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.authentication import Presented, ticket_redeem, tokens_look_up
from accounts.keys import services
from accounts.keys.networks import is_within, parse_network
from accounts.keys.usage import LastUses
from accounts.models import LiveTicket, Token, TokenKind, User
from accounts.permissions import Permission
from accounts.tests.conftest import PASSWORD, SentMail
from audit.models import Waiting

pytestmark = pytest.mark.django_db
KEYS = "/api/v1/keys/"
BUY = {"item": "tea", "quantity": 1, "price": "1.00", "currency": "EUR"}


def browser(name: str = "alice", **headers: str) -> Client:
    """Return a browser that has just signed in on the page."""
    client = Client(headers=headers)
    answer = client.post("/accounts/login/", {"login": name, "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return client


def grow_old(client: Client) -> None:
    """Make the sign-in of a browser older than what is recent."""
    session = client.session
    for each in session["account_authentication_methods"]:
        each["at"] -= 400
    session.save()


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    data = {} if body is None else {"data": body, "content_type": "application/json"}
    return getattr(client, method)(path, **data)


def made(client: Client, **body: Any) -> dict[str, Any]:
    answer = send(client, "post", KEYS, {"name": "till", **body})
    assert answer.status_code == 201, answer.content
    key: dict[str, Any] = answer.json()
    return key


def program(key: str, scheme: str = "Token", address: str = "127.0.0.1", **more: Any) -> Client:
    return Client(headers={"authorization": f"{scheme} {key}", **more}, REMOTE_ADDR=address)


def status(key: str, **where: Any) -> int:
    return program(key, **where).get("/api/v1/accounts/me/").status_code


def actions() -> list[str]:
    return list(Waiting.objects.order_by("id").values_list("action", flat=True))


def test_a_key_is_shown_once_and_found_by_its_digest_only(alice: User) -> None:
    client = browser()
    key = made(client, permissions=["purchases:read"])
    assert re.fullmatch(r"shk_[0-9A-Za-z]{43}", key["key"])
    assert key["prefix"] == key["key"][:12]
    assert key["last_used_at"] is None
    assert key["networks"] == []
    assert key["expires_at"] is None
    row = Token.objects.get(id=key["id"])
    assert (row.kind, row.digest) == (TokenKind.KEY, sha512(key["key"].encode()).hexdigest())
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM knox_authtoken t WHERE kind = 1")
        assert key["key"] not in cursor.fetchone()[0]
    shown = client.get(KEYS).json()["results"]
    assert [each["id"] for each in shown] == [key["id"]]
    assert "key" not in shown[0]
    assert "key" not in client.get(f"{KEYS}{key['id']}/").json()
    for scheme in ("Token", "Bearer", "bearer"):
        assert status(key["key"], scheme=scheme) == 200
    for other in (row.digest, key["prefix"], row.token_key, key["id"], key["key"][:-1], "shk_"):
        assert status(other) == 401, other


def test_a_key_may_do_what_it_and_its_account_may(alice: User) -> None:
    client = browser()
    nothing = made(client)
    assert program(nothing["key"]).get("/api/v1/purchases/").status_code == 403
    assert program(nothing["key"]).get("/api/v1/accounts/me/").json()["permissions"] == []
    reads = made(client, permissions=["purchases:read"])["key"]
    assert program(reads).get("/api/v1/purchases/").status_code == 200
    answer = send(program(reads), "post", "/api/v1/purchases/", BUY)
    assert (answer.status_code, answer["Accepted-Permissions"]) == (403, "purchases:write")
    writes = made(client, permissions=["purchases:write"])["key"]
    assert send(program(writes), "post", "/api/v1/purchases/", BUY).status_code == 201
    for given, code in ((["purchases:read_all"], 403), (["purchases:fly"], 400), (["x"] * 99, 400)):
        answer = send(client, "post", KEYS, {"name": "more", "permissions": given})
        assert answer.status_code == code, given
        assert code != 403 or answer["Accepted-Permissions"] == "purchases:read_all"
    # What the account loses, the key loses with it; and more than it had it never gets.
    alice.is_client = True
    alice.save()
    assert program(writes).get("/api/v1/accounts/me/").json()["permissions"] == []
    User.objects.update(is_staff=True)
    assert program(writes).get("/api/v1/accounts/me/").json()["permissions"] == ["purchases:write"]
    User.objects.update(is_active=False)
    assert status(writes) == 401


def test_only_a_browser_manages_keys_and_only_a_recent_one_gives_more(
    alice: User, sign_in: Callable[..., dict[str, str]]
) -> None:
    client = browser()
    key = made(client, permissions=["purchases:read", "reports:read"], networks=["10.0.0.0/8"])
    local = made(client, permissions=[each.code for each in Permission if each & alice.permissions])
    path = f"{KEYS}{key['id']}/"
    more = [*key["permissions"], "purchases:write"]
    tries: list[tuple[str, str, Any]] = [
        ("get", KEYS, None), ("get", path, None), ("delete", path, None),
        ("post", KEYS, {"name": "x"}), ("patch", path, {"name": "x"}),
        ("post", f"{path}rotate/", {"overlap": 0}),
    ]  # fmt: skip
    # A program that signs out does not end the key that other programs may have.
    assert program(local["key"]).post("/api/v1/auth/logout/").status_code == 403
    for programs in (Client(headers=sign_in()), program(local["key"])):
        for method, where, body in tries:
            answer = send(programs, method, where, body)
            assert answer.status_code == 403, (method, where)
            recent = method == "post"
            code = "reauthentication_required" if recent else "credential_kind"
            assert answer.json()["errors"][0]["code"] == code
    grow_old(client)
    changes: list[tuple[str, str, Any, int]] = [
        ("post", KEYS, {"name": "x"}, 403),
        ("post", f"{path}rotate/", {"overlap": 0}, 403),
        ("patch", path, {"permissions": more}, 403),
        ("patch", path, {"networks": []}, 403),
        ("patch", path, {"networks": ["10.0.0.0/8", "192.0.2.0/24"]}, 403),
        ("patch", path, {"networks": ["10.1.0.0/16"], "name": "y"}, 200),
        ("patch", path, {"permissions": ["purchases:read"]}, 200),
        ("patch", path, {"permissions": more}, 403),
    ]
    for method, where, body, expected in changes:
        assert send(client, method, where, body).status_code == expected, (method, body)
    now = Token.objects.get(id=key["id"])
    assert (now.name, now.permissions, now.networks) == ("y", 1, ["10.1.0.0/16"])
    fresh = browser()
    assert send(fresh, "patch", path, {"permissions": more, "networks": []}).status_code == 200
    assert send(fresh, "patch", path, {"permissions": ["audit:read_all"]}).status_code == 403
    User.objects.create_user("bob", "bob@example.com", PASSWORD)
    bob = browser("bob")
    for method, where, body in tries:
        if where != KEYS:
            assert send(bob, method, where, body).status_code == 404, method
    assert bob.get(f"{KEYS}none/").status_code == 404
    assert bob.get(KEYS).json()["results"] == []
    assert send(fresh, "delete", path).status_code == 204
    assert status(key["key"]) == 401
    assert send(fresh, "delete", path).status_code == 404


def test_a_key_of_networks_is_good_only_there(alice: User, settings: Any) -> None:
    client = browser()
    key = made(client, networks=["10.0.0.0/8", "2001:db8::/32", "::ffff:192.0.2.0/120"])
    assert key["networks"] == ["10.0.0.0/8", "2001:db8::/32", "192.0.2.0/24"]
    for address, code in {
        "10.1.2.3": 200, "::ffff:10.0.0.1": 200, "2001:db8::1": 200, "192.0.2.9": 200,
        "11.0.0.1": 401, "::ffff:11.0.0.1": 401, "2001:db9::1": 401, "127.0.0.1": 401,
        "": 401, "garbage": 401, "10.0.0.1, 11.0.0.1": 401, "unix:": 401,
    }.items():  # fmt: skip
        assert status(key["key"], address=address) == code, address
        found = tokens_look_up([Presented(sha512(key["key"].encode()).hexdigest(), address)])
        assert bool(found) is (code == 200)
    # No header says where a client is, unless a proxy of ours has written it.
    for name in ("x-forwarded-for", "cf-connecting-ip", "x-real-ip", "forwarded", "true-client-ip"):
        assert status(key["key"], address="11.0.0.1", **{name: "10.0.0.1"}) == 401, name
    for wrong in ("10.0.0.1/8", "nonsense", "10.0.0.0/33", "", "1.2.3", "fe80::1%eth0", "::1%1"):
        answer = send(client, "post", KEYS, {"name": "x", "networks": [wrong]})
        assert answer.status_code == 400, wrong
    assert parse_network("::1") == "::1/128"
    assert is_within(None, "garbage")
    # A ticket to the live feed is good where its key is.
    answer = program(key["key"], address="10.0.0.1").post("/api/v1/live-ticket/")
    assert ticket_redeem(answer.json()["ticket"], "11.0.0.1") is None
    answer = program(key["key"], address="10.0.0.1").post("/api/v1/live-ticket/")
    redeemed = ticket_redeem(answer.json()["ticket"], "10.0.0.2")
    assert redeemed is not None
    assert redeemed[0].permissions == 0
    assert not LiveTicket.objects.exists()


def test_rotating_leaves_the_old_key_for_a_while_and_happens_once(
    alice: User, sent_mail: SentMail
) -> None:
    client = browser()
    ends = (timezone.now() + timedelta(days=40)).isoformat()
    old = made(client, permissions=["purchases:read"], networks=["127.0.0.0/8"], expires_at=ends)
    rotate = f"{KEYS}{old['id']}/rotate/"
    answer = send(client, "post", rotate, {"overlap": 3600})
    new = answer.json()
    assert answer.status_code == 201
    assert answer["Cache-Control"] == "no-store"
    same = ("name", "permissions", "networks", "expires_at")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert status(old["key"]) == status(new["key"]) == 200
    before = list(Token.objects.order_by("digest").values())
    again = send(client, "post", rotate, {"overlap": 0})
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "already_rotated")
    assert list(Token.objects.order_by("digest").values()) == before
    shown = client.get(f"{KEYS}{old['id']}/").json()
    assert shown["replaced_by"] == new["id"]
    assert shown["expires_at"] < (timezone.now() + timedelta(seconds=3700)).isoformat()
    Token.objects.filter(id=old["id"]).update(expiry=timezone.now())
    assert (status(old["key"]), status(new["key"])) == (401, 200)
    # The answer was lost: the successor is in the list, and can be rotated itself.
    third = send(client, "post", f"{KEYS}{new['id']}/rotate/", {"overlap": 0}).json()
    assert (status(new["key"]), status(third["key"])) == (401, 200)
    for wrong in (-1, 10**9, "soon", None):
        path = f"{KEYS}{third['id']}/rotate/"
        assert send(client, "post", path, {"overlap": wrong}).status_code == 400
    assert send(client, "delete", f"{KEYS}{third['id']}/").status_code == 204
    kinds = [each for each in actions() if each.startswith("key.")]
    assert kinds == ["key.created", "key.rotated", "key.rotated", "key.ended"]
    mails = [mail for mail in sent_mail() if "key" in mail.subject.lower()]
    assert len(mails) == 4
    texts = "".join(f"{mail.subject}{mail.body}" for mail in mails)
    assert old["prefix"] in texts
    assert not any(key["key"] in texts for key in (old, new, third))
    trail = json.dumps(list(Waiting.objects.values("before", "after", "object")), default=str)
    assert "till" not in trail
    assert "127.0.0.0" not in trail


def test_keys_are_limited_and_end_with_their_time(
    alice: User, settings: Any, site_settings: Any
) -> None:
    site_settings.keys_per_account = 2
    client = browser()
    first = made(client, expires_at=(timezone.now() + timedelta(hours=1)).isoformat())
    made(client)
    answer = send(client, "post", KEYS, {"name": "third"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "key_limit")
    Token.objects.filter(id=first["id"]).update(expiry=timezone.now())
    assert status(first["key"]) == 401
    assert client.get(f"{KEYS}{first['id']}/").status_code == 404
    made(client)
    wrong: Any
    for wrong in (
        {}, {"name": ""}, {"name": "x" * 101}, {"name": "x", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "permissions": "purchases:read"}, {"name": "x", "networks": "10.0.0.0/8"},
        {"name": "x", "expires_at": "soon"}, {"name": "a\0b"}, [],
        {"name": "a\nb"}, {"name": "a\u202eb"},
    ):  # fmt: skip
        assert send(client, "post", KEYS, wrong).status_code == 400, wrong
    # Tokens of sign-ins neither count as keys nor push them out.
    settings.TOKENS_PER_ACCOUNT = 1
    body = {"username": "alice", "password": PASSWORD}
    for _ in range(2):
        assert send(Client(), "post", "/api/v1/auth/token/", body).status_code == 200
    assert Token.objects.filter(kind=TokenKind.KEY).count() == 3
    assert Token.objects.filter(kind=TokenKind.SIGN_IN).count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_of_many_rotations_at_once_makes_a_successor(alice: User) -> None:
    key = services.key_create(user=alice, name="till", permissions=Permission.PURCHASES_READ).key

    def rotate(_: int) -> bool:
        try:
            services.key_rotate(user=alice, key_id=key.id)
            return True
        except services.AlreadyRotated:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(rotate, range(24))) == 1
    assert Token.objects.count() == 2


def test_the_last_use_is_written_once_a_minute_however_many_there_are(
    alice: User, django_assert_num_queries: Any
) -> None:
    used, other = (Token.objects.create(alice)[0] for _ in range(2))
    uses = LastUses()
    asked = []

    def address() -> str:
        asked.append(1)
        return "192.0.2.7"

    for _ in range(10_000):
        uses.note(used.digest, address)
    uses.note("gone", lambda: "garbage")
    with django_assert_num_queries(1):
        assert uses.write() == 1
    with django_assert_num_queries(0):
        assert uses.write() == 0
    used.refresh_from_db()
    assert used.last_used_at is not None
    other.refresh_from_db()
    assert (used.last_used_address, other.last_used_at, len(asked)) == ("192.0.2.7", None, 1)
    assert timezone.now() - used.last_used_at < timedelta(minutes=1)
    uses.note(other.digest, lambda: "not an address")
    assert uses.write() == 1


def test_the_pages_make_show_change_replace_and_end_keys(alice: User) -> None:
    client = browser()
    page = "/accounts/keys/"
    assert "No keys yet" in client.get(page).text
    assert "See one&#x27;s own purchases" in client.get(page).text  # the words of the roles' page
    form = {"name": "till <3", "permissions": ["purchases:read"], "networks": "10.0.0.0/8 ::1"}
    answer = client.post(page, form | {"life": "30"})
    text = re.findall(r"shk_\w{43}", answer.text)[0]
    key = Token.objects.get(kind=TokenKind.KEY)
    assert (status(text, address="10.0.0.1"), key.permissions) == (200, 1)
    assert key.networks == ["10.0.0.0/8", "::1/128"]
    assert key.expiry is not None
    assert "no-store" in answer["Cache-Control"]
    shown = client.get(page).text
    assert text not in shown
    assert "till &lt;3" in shown
    assert key.prefix in shown
    # The grid has what the account may do, and nothing else.
    assert 'value="purchases:write"' in shown
    assert "read_all" not in shown
    for wrong in ({"name": ""}, {"networks": "x"}, {"permissions": ["purchases:read_all"]}):
        answer = client.post(page, form | wrong)
        assert answer.status_code in (400, 403), wrong
        assert 'role="alert"' in answer.text
    detail = f"{page}{key.id}/"
    assert 'value="purchases:read" checked' in client.get(detail).text
    assert client.post(detail, form | {"name": "two"}).status_code == 302
    made = client.post(f"{detail}rotate/", {"overlap": "0"})
    successor = re.findall(r"shk_\w{43}", made.text)[0]
    assert [status(each, address="10.0.0.1") for each in (text, successor)] == [401, 200]
    newest = Token.objects.get(kind=TokenKind.KEY, replaced_by=None)
    detail = f"{page}{newest.id}/"
    grow_old(client)
    # What needs a recent sign-in leads to it, and back to the form as it was.
    for path, body in (
        (page, form),
        (detail, form | {"permissions": ["purchases:read", "purchases:write"]}),
        (f"{detail}rotate/", {}),
    ):
        answer = client.post(path, body)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/reauthenticate/?next="), path
    typed = client.get(page, form).text
    assert 'value="till &lt;3"' in typed
    assert 'value="purchases:read" checked' in typed
    assert client.post(f"{detail}end/").status_code == 302
    assert status(successor, address="10.0.0.1") == 401
    assert client.get(detail).status_code == 404


def test_a_repeated_request_makes_one_key_and_gets_it_again(alice: User, settings: Any) -> None:
    client = browser()
    body = {"name": "till", "permissions": ["purchases:read"]}

    def ask(path: str, given: Any, key: str = "k1") -> Any:
        return client.post(
            path, given, content_type="application/json", headers={"idempotency-key": key}
        )

    first, again = ask(KEYS, body), ask(KEYS, body)
    assert first.json()["key"] == again.json()["key"]
    assert (first.status_code, again.status_code) == (201, 201)
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert ask(KEYS, body | {"name": "other"}).status_code == 422
    assert ask(KEYS, body, "k2").json()["key"] != first.json()["key"]
    assert ask(KEYS, body, " ").status_code == 400
    assert Token.objects.filter(kind=TokenKind.KEY).count() == 2
    rotate = f"{KEYS}{first.json()['id']}/rotate/"
    new, same = ask(rotate, {"overlap": 60}), ask(rotate, {"overlap": 60})
    assert new.json()["key"] == same.json()["key"] != first.json()["key"]
    assert ask(rotate, {"overlap": 61}).status_code == 422
    assert ask(rotate, {"overlap": 60}, "k3").status_code == 409
    # The secret is rotated: what was made under the one before is still found.
    settings.DATA_KEYS = {"new": b"n" * 32, **settings.DATA_KEYS}
    assert ask(KEYS, body).json()["key"] == first.json()["key"]
    # A key that has ended stays ended.
    assert send(client, "delete", f"{KEYS}{first.json()['id']}/").status_code == 204
    another = ask(KEYS, body).json()["key"]
    assert [status(each) for each in (first.json()["key"], another)] == [401, 200]
