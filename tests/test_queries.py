"""Every parameter of every list, export and event route, with absurd values."""

import base64
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from purchases.models import Purchase
from quizzes.tests.access_authoring import DEFINITION
from tests.callers import Api, make

pytestmark = pytest.mark.django_db

KEY = "0197f3c0-7a51-7c21-9c3e-0a4f6d2b9f10"
MOMENTS = [
    *("2024-01-01T00:00:00+23:00", "2024-01-01T00:00:00-23:59", "2024-01-01T00:00:00+01:00:30.5"),
    *("2024-01-01T00:00:00+00:00:00.000001", "2024-01-01T00:00:00", "2024-01-01", "2024-W01-1"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z"),
    *("0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2024-02-30T00:00:00Z", "20240101T000000Z"),
    *("2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z", "-infinity", "infinity", "now", "epoch"),
]
NUMBERS = [
    *("", " ", "+", "-", "-0", "-1", "+1", "00", "1.0", "1e3", "1e999999999", "0e999999999999"),
    *("0e-999999999999", "NaN", "sNaN", "-Infinity", "Infinity", "0x10", "1_000", "1,5", "٣", "²"),
    *(
        "9" * 19,
        "9" * 20,
        "9" * 5000,
        str(2**63 - 1),
        str(2**63),
        str(2**64),
        "." * 50,
        "1" + "0" * 400,
    ),
]
WORDS = [
    *(
        "\x00",
        "a\x00b",
        "\ud7ff",
        "\ufffe",
        "\u202e",
        "\U0010ffff",
        "%",
        "%s",
        "%(x)s",
        "'",
        '"',
        "\\",
    ),
    *(
        "';--",
        "{}",
        "[]",
        "null",
        "true",
        "*",
        "(",
        "[",
        "a" * 3000,
        "\r\n",
        "\t",
        "\u0130",
        "last",
    ),
]
CURSORS = [
    base64.urlsafe_b64encode(text.encode("utf-8", "replace")).decode().rstrip("=")
    for text in (
        *(f"{way}|{moment}|{key}" for way in "np" for moment in MOMENTS for key in (KEY,)),
        f"n|2024-01-01T00:00:00+00:00|{{{KEY}}}",
        f"n|2024-01-01T00:00:00+00:00|urn:uuid:{KEY}",
        f"n|2024-01-01T00:00:00+00:00|{KEY.upper()}",
        f"n|2024-01-01 00:00:00+00:00|{KEY}",
        *("", "|", "||", "|||", "n||", "n|é|é", "\x00|\x00|\x00"),
    )
] + ["=", "====", "é", "_" * 200, "A" * 201]
VALUES = [*MOMENTS, *NUMBERS, *WORDS]
LISTS = {
    "/api/v1/purchases/": (
        "cursor",
        "page_size",
        *(FILTERS := ("since", "until", "min_price", "max_price", "item", "username")),
    ),
    "/purchases/": ("cursor", *FILTERS),
    "/api/v1/purchases/export.csv": (*FILTERS, "excel"),
    "/api/v1/purchases/export.jsonl": FILTERS,
    "/api/v1/reports/": ("cursor", "page_size"),
    "/reports/": ("cursor",),
    "/api/v1/events/": ("after", "limit", "scope", "types"),
}
PATHS = (
    "/api/v1/purchases/{}/",
    "/api/v1/reports/{}/",
    "/api/v1/reports/{}/pdf/",
    "/getAllUserBuys/{}",
    "/buyList/{}",
    "/accounts/confirm-email/{}/",
)


@pytest.fixture
def reader() -> Client:
    user = User.objects.create_user("joe", password="x", userid="005")
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", LISTS)
def test_no_value_of_a_parameter_is_a_mistake_of_ours(reader: Client, path: str) -> None:
    for name in LISTS[path]:
        for value in CURSORS + VALUES if name == "cursor" else VALUES:
            answer = reader.get(f"{path}?{urlencode({name: value})}")
            assert answer.status_code in (200, 400, 403, 404, 409), (name, value)
            if answer.streaming:
                b"".join(answer)
            elif path.startswith("/api/") and answer.status_code >= 400:
                assert answer.json()["errors"], (name, value)
    for raw in ("%", "%ff", "%C0%80", "%ED%A0%80", "&&==&", "a[]=1", "\xff", "cursor=%00"):
        assert reader.get(f"{path}?{raw}").status_code < 500, raw


@pytest.mark.parametrize("path", PATHS)
def test_no_name_in_an_address_is_a_mistake_of_ours(reader: Client, path: str) -> None:
    for value in VALUES:
        answer = reader.get(path.format(quote(value, safe="")))
        assert answer.status_code < 500, value


def _parameters() -> Iterator[tuple[str, list[str]]]:
    """Yield each route of the API that is read, and the parameters that it has."""
    schema = json.loads((Path(settings.BASE_DIR) / "docs/openapi.json").read_text())
    for path, methods in schema["paths"].items():
        found = methods.get("get", {}).get("parameters", [])
        names = [each["name"] for each in found if each["in"] == "query"]
        if path.startswith("/api/v1/") and names:
            yield path, names


def test_no_moment_or_number_is_a_mistake_of_ours_on_any_route() -> None:
    admin = Api(make("boss", "admin"))
    body = {"slug": "coffee", "definition": DEFINITION}
    quiz = admin("POST", "companies/shop/quizzes/", body).json()["id"]
    assert admin("POST", f"companies/shop/quizzes/{quiz}/publish/").status_code == 201
    others = ["0e999999999999", "9" * 5000, str(2**63), "NaN", "²", "a\x00b", "\u202e", "("]
    for path, names in _parameters():
        route = path.removeprefix("/api/v1/").format_map(
            {"company": "shop", "id": quiz, "kind": "sales", "code": "INV", "slug": "coffee"}
        )
        # To wait is tried elsewhere.
        for name in set(names) - {"wait"}:
            for value in MOMENTS if name in ("since", "until") else others:
                answer = admin("GET", f"{route}?{urlencode({name: value})}")
                assert answer.status_code < 500, (path, name, value)


def test_a_cursor_is_taken_only_as_it_was_given(reader: Client) -> None:
    joe = User.objects.get(username="joe")
    given = itertools.count()
    for _ in range(3):
        reader.post(
            "/api/v1/purchases/",
            {"price": "1.00", "item": str(next(given))},
            content_type="application/json",
        )
    assert Purchase.objects.filter(customer=joe).count() == 3
    page = reader.get("/api/v1/purchases/?page_size=2").json()
    cursor = page["next"].partition("cursor=")[2].partition("&")[0]
    assert len(reader.get(f"/api/v1/purchases/?cursor={cursor}").json()["results"]) == 1
    text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    other = base64.urlsafe_b64encode(text.replace("+00:00", "+00:00:00").encode()).decode()
    assert reader.get(f"/api/v1/purchases/?cursor={other.rstrip('=')}").status_code == 400
