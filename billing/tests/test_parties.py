"""Who sells and who buys, as the next document names them."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from allauth.account.models import EmailAddress
from django.db.models.functions import Now

from accounts.models import User
from audit.models import Waiting
from billing.content import Buyer, Seller
from billing.parties import vies
from billing.parties.buyers import buyer_of, buyers_of
from billing.parties.checking import vat_ids_check
from billing.parties.models import Profile
from billing.parties.seller import seller
from billing.parties.vat_ids import written
from billing.tests.conftest import Api, make

pytestmark = pytest.mark.django_db


def test_the_seller_is_that_of_the_settings(settings: Any) -> None:
    settings.BILLING_SELLER = {"name": "Shop", "country": "DE", "vat_id": "DE136695976"}
    assert seller() == Seller(name="Shop", country="DE", vat_id="DE136695976")


def test_the_buyer_is_the_profile_and_else_the_account() -> None:
    joe = User.objects.create_user("joe", userid="005", email="Joe@example.com")
    zoe = User.objects.create_user("zoe", userid="006", email="zoe@example.com")
    EmailAddress.objects.create(user=joe, email="joe@example.com", verified=True)
    EmailAddress.objects.create(user=zoe, email="zoe@example.com", verified=False)
    Profile.objects.create(
        account=joe,
        name="Joe Ltd",
        address="1 High Street\nBath",
        country="GB",
        vat_id="GB980780684",
    )
    # An address that nobody has proved may be somebody else's.
    assert buyer_of(zoe.pk) == Buyer(name="zoe", userid="006")
    buyers = buyers_of([joe.pk, zoe.pk])
    assert buyers[joe.pk] == Buyer(
        name="Joe Ltd",
        address="1 High Street\nBath",
        country="GB",
        vat_id="GB980780684",
        userid="005",
        email=joe.email,
    )


PROFILE = {
    "name": "Joe Ltd",
    "address": "Short Street 2\n10117 Berlin",
    "country": "DE",
    "vat_id": "DE136695976",
}


def test_customers_write_their_own_profile(mine: Api, other: User, finance: Api) -> None:
    assert mine("GET", "profile/").json() == {
        "username": "joe",
        "userid": "005",
        "name": "",
        "address": "",
        "country": "",
        "vat_id": "",
        "vat_check": "unchecked",
        "vat_checked_at": None,
    }
    typed = {
        **PROFILE,
        "address": " Short Street 2 \r\n\r\n10117 Berlin",
        "vat_id": "de 136 695-976",
    }
    answer = mine("PUT", "profile/", {**typed, "country": "de"})
    assert answer.status_code == 200, answer.content
    assert {name: answer.json()[name] for name in PROFILE} == PROFILE
    assert mine("PUT", "profile/", PROFILE).json() == answer.json()
    # One change, one entry; it says which fields, and names nobody.
    (entry,) = Waiting.objects.filter(action="profile.changed")
    assert entry.after == {"fields": ["name", "address", "country", "vat_id"]}
    # Others' profiles are not there for a customer, and staff may write them.
    for whose in ("username=ann", "userid=006", "username=nobody"):
        assert mine("GET", f"profile/?{whose}").status_code == 404
    assert mine("PUT", "profile/", {"username": "ann", "name": "x"}).status_code == 404
    assert mine("PUT", "profile/", {"username": "joe", **PROFILE}).status_code == 200
    assert finance("PUT", "profile/", {"userid": "006", "name": "Ann"}).json()["name"] == "Ann"
    assert finance("GET", "profile/?username=ann").json()["name"] == "Ann"
    assert finance("GET", "profile/").json()["username"] == "fin"
    support = Api(make("sue", "support"))
    assert support("GET", "profile/?username=ann").status_code == 200
    refused = support("PUT", "profile/", {"username": "ann", "name": "x"})
    assert refused.status_code == 403
    assert refused.headers["Accepted-Permissions"] == "billing:write_all"
    assert buyer_of(other.pk).name == "Ann"
    # What is left out becomes empty.
    assert mine("PUT", "profile/", {"name": "Joe"}).json()["vat_id"] == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vat_id", "DE136695977"),
        ("vat_id", "DE12"),
        ("vat_id", "136695976"),
        ("vat_id", "XX136695976"),
        ("vat_id", "US136695976"),
        ("vat_id", "DE１36695976"),
        ("vat_id", 136695976),
        ("vat_id", "x" * 41),
        ("country", "XX"),
        ("country", "Germany"),
        ("name", "two\nlines"),
        ("name", "x" * 201),
        ("address", "x" * 501),
        ("address", "x\n" * 9),
        ("address", "bell\x07"),
    ],
)
def test_a_malformed_profile_is_refused(mine: Api, field: str, value: Any) -> None:
    answer = mine("PUT", "profile/", {**PROFILE, field: value})
    assert answer.status_code == 400
    assert [each["attr"] for each in answer.json()["errors"]] == [field]
    assert not Profile.objects.exists()


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("GR 094259216", "EL094259216"),
        ("xi432525179", "XI432525179"),
        ("GB 980 7806 84", "GB980780684"),
        ("CHE-107.787.577 MWST", "CHE107787577MWST"),
        ("FR 23 334 175 221", "FR23334175221"),
    ],
)
def test_a_vat_id_has_one_spelling(typed: str, stored: str) -> None:
    assert written(typed) == stored
    assert written(stored) == stored


class Vies(BaseHTTPRequestHandler):
    """A stand-in of the EU's register, which answers as it is told."""

    answers: ClassVar[list[tuple[int, Any]]] = []
    asked: ClassVar[list[tuple[str, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, body))
        status, answer = self.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def register(settings: Any) -> Iterator[type[Vies]]:
    Vies.answers, Vies.asked = [], []
    server = HTTPServer(("127.0.0.1", 0), Vies)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    settings.BILLING_VAT_CHECK = True
    settings.BILLING_VIES_URL = f"http://127.0.0.1:{server.server_port}"
    try:
        yield Vies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _due() -> None:
    Profile.objects.filter(vat_next_check_at__isnull=False).update(vat_next_check_at=Now())


AWAY: list[tuple[int, Any]] = [
    # Faults of craft commerce 2500 and vat_check 1: away was read as invalid, or as valid.
    (200, {"actionSucceed": False, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]}),
    (200, {"valid": False, "userError": "MS_MAX_CONCURRENT_REQ"}),
    (200, {"valid": True, "userError": "SERVICE_UNAVAILABLE"}),
    (200, {"valid": "false"}),
    (200, {}),
    (200, [True]),
    (500, {"valid": True}),
    (302, {"valid": True}),
    (200, b"<html>"),
    (200, b"x" * 100_000),
]


def test_only_the_register_says_that_a_vat_id_is_not_in_force(
    mine: Api, register: type[Vies]
) -> None:
    answer = mine("PUT", "profile/", PROFILE)
    # Nobody has waited for it.
    assert (answer.json()["vat_check"], register.asked) == ("unchecked", [])
    for failure in AWAY:
        register.answers = [failure]
        _due()
        assert vat_ids_check() == 0
        profile = Profile.objects.get()
        assert (profile.vat_check, profile.vat_checked_at) == ("unchecked", None), failure
        # It is tried again later, and not at once.
        assert profile.vat_next_check_at
        assert vat_ids_check() == 0
    assert len(register.asked) == len(AWAY)
    assert register.asked[0] == (
        "/check-vat-number",
        {"countryCode": "DE", "vatNumber": "136695976"},
    )
    for valid, verdict in ((False, "invalid"), (True, "valid")):
        register.answers = [(200, {"valid": valid, "userError": "VALID" if valid else "INVALID"})]
        Profile.objects.update(vat_next_check_at=Now())
        assert vat_ids_check() == 1
        shown = mine("GET", "profile/").json()
        assert (shown["vat_check"], bool(shown["vat_checked_at"])) == (verdict, True)
    # The verdict stays with its id.
    assert mine("PUT", "profile/", {**PROFILE, "name": "Joe"}).json()["vat_check"] == "valid"
    assert vat_ids_check() == 0
    changed = mine("PUT", "profile/", {**PROFILE, "vat_id": "ATU13585627"}).json()
    assert (changed["vat_check"], changed["vat_checked_at"]) == ("unchecked", None)


def test_a_verdict_about_another_vat_id_is_not_written(
    mine: Api, register: type[Vies], monkeypatch: Any
) -> None:
    mine("PUT", "profile/", PROFILE)

    def answer(vat_id: str) -> bool:
        Profile.objects.update(vat_id="ATU13585627")
        return True

    monkeypatch.setattr(vies, "is_in_force", answer)
    assert vat_ids_check() == 1
    assert Profile.objects.get().vat_check == "unchecked"


def test_the_register_is_asked_until_a_deadline_and_only_if_it_may_be(
    mine: Api, register: type[Vies], settings: Any
) -> None:
    mine("PUT", "profile/", PROFILE)
    Profile.objects.update(vat_check_until=Now())
    register.answers = [(503, {})]
    assert vat_ids_check() == 0
    assert Profile.objects.get().vat_next_check_at is None
    # It does not know ids of other countries.
    mine("PUT", "profile/", {**PROFILE, "vat_id": "GB980780684"})
    assert Profile.objects.get().vat_next_check_at is None
    settings.BILLING_VAT_CHECK = False
    mine("PUT", "profile/", PROFILE)
    assert Profile.objects.get().vat_next_check_at is None
    Profile.objects.update(vat_next_check_at=Now())
    assert vat_ids_check() == 0
    assert len(register.asked) == 1
