"""Names: one account for all spellings of its name, and names that may not be new."""

import importlib
import json
import unicodedata
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from accounts.models import Token, User
from accounts.names import KEY, fold, normalise
from accounts.services import customers_resolve, system_account
from accounts.tests.conftest import PASSWORD, make_recent
from accounts.tests.test_services import code, resolve

pytestmark = pytest.mark.django_db

NFC = "José"
NFD = unicodedata.normalize("NFD", NFC)
# A stored name, and typed forms of it.
SAME = [
    ("joe", "JOE"),
    (NFC, NFD),
    (NFC, NFD.upper()),
    ("straße", "STRASSE"),
    ("ΣΑΣ", "σας"),
    ("istanbul", "Istanbul"),
    ("İpek", "i\u0307pek"),
    ("sam", "ſam"),
    ("joe", "\uff4a\uff4f\uff45"),
]


def headers(user: User) -> dict[str, str]:
    return {"authorization": f"Token {Token.objects.create(user=user)[1]}"}


def post(client: Client, path: str, data: Any, who: dict[str, str] | None = None) -> Any:
    return client.post(path, data, content_type="application/json", headers=who or {})


@pytest.fixture
def till(db: Any) -> dict[str, str]:
    return headers(User.objects.create_user("till", userid="till", is_client=True))


@pytest.fixture
def staff(db: Any) -> User:
    return User.objects.create_user("boss", userid="boss", is_staff=True, is_superuser=True)


@pytest.mark.parametrize(("stored", "typed"), SAME)
def test_one_account_however_its_name_is_typed(
    client: Client, till: dict[str, str], staff: User, stored: str, typed: str
) -> None:
    user = User.objects.create_user(stored, "one@example.com", PASSWORD, userid=f"id-{NFC}")
    assert user.username == unicodedata.normalize("NFC", stored)
    own = headers(user)
    boss = headers(staff)
    # Nobody else can sign up with it.
    form = {"username": typed, "email": "two@example.com", "password": PASSWORD}
    refused = post(client, "/api/v1/accounts/", form)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "taken")
    page = {**form, "password1": PASSWORD, "password2": PASSWORD}
    assert b"already exists" in client.post("/accounts/signup/", page).content
    # It can sign in.
    token = post(client, "/api/v1/auth/token/", {"username": typed, "password": PASSWORD})
    assert token.status_code == 200
    door = Client()
    assert door.post("/accounts/login/", {"login": typed, "password": PASSWORD}).status_code == 302
    # The till, staff and the customer name it, with its userid in either form, too.
    for who, userid in ((till, f"id-{NFD}"), (own, f"id-{NFD}"), (boss, None), (till, None)):
        purchase = {"username": typed, "userid": userid, "price": "1"}
        answer = post(client, "/api/v1/purchases/", purchase, who)
        assert answer.status_code == 201, answer.content
        assert answer.json()["username"] == user.username
        assert answer.json()["userid"] == f"id-{NFC}"
    assert post(client, "/buy", {"username": typed, "price": 2}, till).status_code == 200
    assert User.objects.count() == 3
    # It can be found.
    found = client.get("/api/v1/purchases/", {"username": typed}, headers=boss).json()
    assert len(found["results"]) == 5
    for route in ("getAllUserBuys", "buyList"):
        listed: Any = client.get(f"/{route}/%20{typed}%20", headers=own)
        assert listed.status_code == 200
        # A list is a stream, which is read to its end.
        body = b"".join(listed.streaming_content) if listed.streaming else listed.content
        assert len(json.loads(body)["purchases"]) == 5
    client.force_login(staff)
    make_recent(client, staff)
    for search in (typed, f"id-{NFD}"):
        text = client.get("/admin/accounts/user/", {"q": search}).content.decode()
        assert "one@example.com" in text
        text = client.get("/admin/purchases/purchase/", {"q": search}).content.decode()
        assert "5 purchases" in text
    # The admin makes no second one, either.
    new = {"username": typed, "userid": "2", "usable_password": "false"}
    assert b"already exists" in client.post("/admin/accounts/user/add/", new).content
    assert User.objects.count() == 3


def test_every_spelling_of_a_name_is_guessed_at_together(client: Client) -> None:
    User.objects.create_user("sam", "one@example.com", PASSWORD)
    spellings = ["sam", "SAM", "\u017fam", "\uff53am", "\U0001d42cam", "sAm"]
    statuses = [
        post(client, "/api/v1/auth/token/", {"username": name, "password": "wrong"}).status_code
        for name in spellings
    ]
    assert statuses == [401] * 5 + [429]
    # PostgreSQL's `lower()` makes these the same name in some locales; here they are two.
    user = User.objects.create_user("till", "two@example.com", PASSWORD)
    for name in ("t\u0130ll", "t\u0131ll"):
        form = {"username": name, "password": PASSWORD}
        assert post(client, "/api/v1/auth/token/", form).status_code == 401
        door = Client()
        door.post("/accounts/login/", {"login": name, "password": PASSWORD})
        assert door.get("/purchases/").status_code == 302
    assert user.is_active


def test_python_and_postgresql_fold_alike() -> None:
    """Every letter that Python knows. PostgreSQL knows some newer ones."""
    letters = [
        letter
        for letter in map(chr, range(1, 0x110000))
        if unicodedata.category(letter) not in ("Cn", "Cs", "Co", "Lo", "So")
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {KEY.format('x')} FROM unnest(%s::text[]) AS x", [letters])
        folded = [key for (key,) in cursor.fetchall()]
    assert [
        (letter, key) for letter, key in zip(letters, folded, strict=True) if fold(letter) != key
    ] == []


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_look_up_takes_the_index(name: str) -> None:
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SET LOCAL enable_seqscan = off")
        query = str(User.objects.named(name).values("pk").query)
        cursor.execute(f"EXPLAIN {query}".replace(name, f"'{name}'"))
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "accounts_user_name_key" in plan, plan


# --- Names that may not be new ----------------------------------------------------------------

MISLEADING = [
    "a/b", "a\uff0fb", ".", "..", "\u2025", "a\\b", "a\u202eb", "a\u2066b", "a\u200bb", "a\u200db",
    "a\ufeffb", "a\u00adb", "a\u034fb", "a\u3164b", "a\ufe0fb", "a\ue000b", "j\u043ee",
    "\u0458\u043ee", "p\u0430ypal", "\u03bfne", "j\u0585e", "\u0430\u03b1", "importer", "IMPORTER",
    "\uff49mporter", "system:importer", "System:x",
]  # fmt: skip
FINE = [
    "jürgen", "Иван", "Ελένη", "田中さん", "カナkana", "김철수", "李ming", "محمد", "שרה", "नेहा",
    "a.b-c_d@e+f",
]  # fmt: skip


@pytest.mark.parametrize("name", MISLEADING)
def test_a_name_that_misleads_is_not_given(
    client: Client, till: dict[str, str], staff: User, name: str
) -> None:
    form = {"username": name, "email": "x@example.com", "password": PASSWORD}
    refused = post(client, "/api/v1/accounts/", form)
    assert refused.status_code == 400
    assert {error["attr"] for error in refused.json()["errors"]} == {"username"}
    page = {**form, "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/accounts/signup/", page).status_code == 200
    purchases = [{"username": name, "userid": "77"}, {"userid": name}]
    for purchase in purchases if "\u0458" not in name else purchases[:1]:
        answer = post(client, "/api/v1/purchases/", {**purchase, "price": "1"}, till)
        assert answer.status_code == 400, answer.content
        assert answer.json()["errors"][0]["attr"] in purchase
    line = post(client, "/api/v1/purchases/bulk/", [{**purchases[0], "price": "1"}], till).json()
    assert (line["recorded"], line["rejected"]) == (0, 1)
    client.force_login(staff)
    make_recent(client, staff)
    new = {"username": name, "userid": "2", "usable_password": "false"}
    assert client.post("/admin/accounts/user/add/", new).status_code == 200
    assert User.objects.count() == 2


@pytest.mark.parametrize("userid", ["a/b", "..", "a\\b", "a\u202eb", "importer", "SYSTEM:importer"])
def test_a_userid_that_misleads_is_not_given(till: dict[str, str], userid: str) -> None:
    answer = post(
        Client(), "/api/v1/purchases/", {"userid": userid, "username": "joe", "price": "1"}, till
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == "userid"


@pytest.mark.parametrize("name", FINE)
def test_names_of_the_world_are_given(client: Client, till: dict[str, str], name: str) -> None:
    form = {"username": name, "email": "x@example.com", "password": PASSWORD}
    assert post(client, "/api/v1/accounts/", form).status_code == 201
    purchase = {"username": f"{name} Иванов", "userid": "77", "price": "1"}
    assert post(client, "/api/v1/purchases/", purchase, till).status_code == 201


@pytest.mark.parametrize("name", ["a/b", "a\u202eb", "p\u0430ypal", "importer", "Joe Smith"])
def test_a_name_that_is_there_already_keeps_working(
    client: Client, till: dict[str, str], staff: User, name: str
) -> None:
    user = User.objects.create_user(name, "old@example.com", PASSWORD, userid=name)
    token = post(client, "/api/v1/auth/token/", {"username": name, "password": PASSWORD})
    assert token.status_code == 200
    purchase = {"userid": name, "username": name, "price": "1"}
    assert post(client, "/api/v1/purchases/", purchase, till).status_code == 201
    client.force_login(staff)
    make_recent(client, staff)
    form = {"username": name, "userid": name, "email": "new@example.com", "is_active": "on"}
    assert client.post(f"/admin/accounts/user/{user.pk}/change/", form).status_code == 302
    user.refresh_from_db()
    assert (user.username, user.email) == (name, "new@example.com")


# --- System accounts and what was there before ------------------------------------------------


def test_nobody_can_take_the_account_of_the_import(till: dict[str, str]) -> None:
    # These are older than the rules.
    for name, userid in (("importer", "1"), ("IMPORTER2", "importer"), ("x", "System:Importer")):
        User.objects.create_user(name, userid=userid, password=PASSWORD)
    first = system_account("importer")
    assert (first, first.is_client, first.has_usable_password()) == (
        system_account("importer"),
        True,
        False,
    )
    [answer] = resolve(("system:importer", "thief"))
    assert code(answer)[0] == 409


def test_names_that_became_the_same_keep_their_accounts() -> None:
    """What the migration does to names that the version before took for different ones."""
    migration = importlib.import_module("accounts.migrations.0003_names").Migration
    names = [NFD, NFC, "strasse", "straße", NFD.replace("J", "R"), "plain", "importer"]
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX accounts_user_name_key")
        cursor.executemany(
            "INSERT INTO accounts_user (password, is_superuser, username, userid, email, is_staff,"
            " is_active, is_client, date_joined) VALUES ('!', false, %s, %s, '', false, true,"
            " %s, now())",
            [(name, name, name == "importer") for name in names],
        )
        for operation in migration.operations[3:5]:
            for statement in [operation.sql] if isinstance(operation.sql, str) else operation.sql:
                cursor.execute(statement)
        (create,) = migration.operations[5].database_operations
        cursor.execute(create.sql.replace("CONCURRENTLY", ""))
    stored = dict(User.objects.order_by("pk").values_list("username", "namesake"))
    rose = NFC.replace("J", "R")
    assert stored == {
        NFD: 0, NFC: 1, "strasse": 0, "straße": 1, rose: 0, "plain": 0, "system:importer": 0
    }  # fmt: skip
    # One userid is in NFC; that of the other two would become the same.
    assert [user.userid for user in User.objects.filter(username__in=[rose, NFD])] != [NFC, NFC]
    for name in (NFC, "strasse", "straße"):
        user = User.objects.get_by_natural_key(name)
        assert user.username == name
        assert customers_resolve([(None, name)])[0].id == user.pk  # type: ignore[union-attr]
    assert User.objects.get_by_natural_key("STRASSE").username == "strasse"
    assert system_account("importer").pk == User.objects.get(username="system:importer").pk


def test_a_text_that_is_too_long_for_a_name_costs_what_its_length_is() -> None:
    """Sorting so many marks would take hours, here or in PostgreSQL."""
    text = "a" + "\u0315\u0300" * 500_000
    assert normalise(text) == fold(text) == text
    assert not User.objects.known_as(text)
    assert not User.objects.starting_with("username", text)
