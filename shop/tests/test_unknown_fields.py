"""Bodies whose fields the site does not know."""

import json
from pathlib import Path
from typing import Any

from tests.callers import Api, make

ROOT = Path(__file__).resolve().parents[2]
LENIENT = {
    # The first routes of the site; their clients may send more than is read.
    "SignUpRequest",
    "SignInRequest",
    "PurchaseInputRequest",
    "ClassicPurchaseRequest",
    "ReportInputRequest",
}


def test_a_mistyped_field_is_refused(db: None) -> None:
    boss = Api(make("boss", "admin", "finance"))
    discount = {"percent": "10", "reason": "loyal", "line": [1]}
    for path, body, attrs in [
        (
            "billing/coupons/",
            {"code": "SPRING", "percent": "10", "max_redemption": 5},
            ["max_redemption"],
        ),
        (
            "billing/invoices/",
            {"username": "boss", "discounts": [discount], "colour": ""},
            ["colour", "discounts.0.line"],
        ),
        ("teams/", {"role": ["finance"]}, ["role", "name"]),
        ("teams/", {"name": "Office", "x" * 300: 1}, ["x" * 100]),
        ("webhooks/", {"url": "https://example.com", "event": []}, ["event", "events"]),
        ("auth/jwt/", {"username": "boss", "password": "x", "scopes": ""}, ["scopes"]),
        ("sessions/end/", {"key": True}, ["key"]),
    ]:
        answer = boss("POST", path, body)
        errors = answer.json()["errors"]
        assert (answer.status_code, [each["attr"] for each in errors]) == (400, attrs), path
        assert errors[0]["code"] == "unknown_field", path
    many = boss("POST", "teams/", {"name": "Office"} | {f"x{number}": 1 for number in range(500)})
    assert (many.status_code, len(many.json()["errors"])) == (400, 20)


def test_what_the_site_answered_may_be_sent_back(db: None) -> None:
    boss = Api(make("boss", "admin", "finance"))
    shown = boss("GET", "billing/profile/").json()
    del shown["userid"]  # Either name says whose profile it is.
    assert boss("PUT", "billing/profile/", shown).status_code == 200


def test_every_new_body_is_read_strictly() -> None:
    schema = json.loads((ROOT / "docs" / "openapi.json").read_text())
    lenient = set()

    def look(part: Any) -> None:
        name = part.get("$ref", "").rpartition("/")[2]
        found = schema["components"]["schemas"][name] if name else part
        if found.get("type") == "object" and "properties" in found:
            if found.get("additionalProperties") is not False:
                lenient.add(name)
            for each in found["properties"].values():
                look(each)
        if "items" in found:
            look(found["items"])

    for operations in schema["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                look(content["schema"])
    assert lenient == LENIENT
