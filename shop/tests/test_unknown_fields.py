"""Bodies whose fields the site does not know, and queries whose parameters it does not know."""

import json
import re
import uuid
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
LENIENT_READS = {
    "/api/v1/purchases/",
    "/api/v1/purchases/export.csv",
    "/api/v1/purchases/export.jsonl",
    "/api/v1/purchases/export.xlsx",
    "/api/v1/events/",
    "/api/v1/reports/",
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


def test_a_parameter_that_a_route_does_not_have_is_refused(db: None) -> None:
    boss = Api(make("boss", "admin", "finance"))
    schema = json.loads((ROOT / "docs" / "openapi.json").read_text())
    lenient = set()
    for path, operations in schema["paths"].items():
        parameters = operations.get("get", {}).get("parameters", [])
        if not path.startswith("/api/v1/") or not any(each["in"] == "query" for each in parameters):
            continue
        plain = path.removeprefix("/api/v1/").replace("{id}", str(uuid.UUID(int=0)))
        answer = boss("GET", f"{re.sub('{.*?}', 'sales', plain)}?nonsense=1")
        if answer.status_code == 403:  # It needs a session.
            continue
        said = answer.json()["errors"] if answer.status_code == 400 else []
        if [(each["code"], each["attr"]) for each in said] != [("unknown_parameter", "nonsense")]:
            lenient.add(path)
    assert lenient == LENIENT_READS


def test_the_parameters_that_are_known_are_those_of_the_schema(db: None) -> None:
    boss = Api(make("boss", "admin", "finance"))
    assert boss("GET", "logs/?field.colour=red&level=info").status_code == 200
    assert boss("GET", "statistics/sales/?username=boss&week_start=sunday").status_code == 200
    assert boss("GET", "billing/coupons/?username=boss&page_size=1&active=true").status_code == 200
