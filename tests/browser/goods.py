"""Accounts and purchases for looking at pages: names that break layouts, and every currency."""

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.sessions import Browser
from tests.system import System, wait_for

LONG_NAME = "Maximiliana.Theresia-Brzeczyszczykiewicz.von.und.zu.Hohenlohe-Waldenburg_0123456789"
OWN_NAME, NEWCOMER = "Maximiliana.Theresia-Brzeczyszczykiewicz_0123456789", "newcomer"
CUSTOMERS = [
    (LONG_NAME, "id-of-a-customer-that-is-as-long-as-an-id-may-be-in-this-shop-64"),
    ("山田太郎・東京支店", "山田-0042"),
    ("מרים כהן", "לקוח-17"),
    ("عبد الرحمن السيد", "عميل-18"),
    ("Zoë 🎈🛍️ O'Brien", "emoji-🎈"),
    ("अनुष्का शर्मा", "in-77"),
    ('<b>Bold</b> & "quoted"', "<i>19</i>"),
]
ITEMS = [
    "w" * 200,
    "Eine außergewöhnlich lange Artikelbezeichnung mit allem Drum und Dran, in zwei Farben",
    "万年筆用インク 五十ミリリットル 夜空の青",
    "دفتر ملاحظات بغلاف جلدي",
    "מנורת קריאה מתכווננת",
    "🎁 Gift box 🎀 with 👩‍👩‍👧‍👦",
    "पढ़ने का चश्मा",
    "<script>alert(1)</script>",
    "",
    "Moby-Dick, hardcover",
    "Notebook, A5",
]
AMOUNTS = [
    ("9999999999.99", "EUR", 1),
    ("1195.30", "EUR", 1),
    ("0", "EUR", 1),
    ("12.50", "USD", 3),
    ("1000", "JPY", 1_000_000),
    ("24.46", "GBP", 12),
    ("0.01", "EUR", 1_000),
]
SAMPLES = Path(__file__).resolve().parents[2] / "quizzes" / "samples"
PASSWORD = "orchid-lamp-42"


@dataclass(frozen=True)
class Goods:
    """What there is to look at. ``purchase``, ``report`` and ``key`` are ids of the customer's.

    ``deploy`` is the id of one, ``webhook`` of one of the customer's, ``team`` that of a team
    that the customer is in,
    and ``invitation`` is the path of an invitation to it. ``draft``, ``coupon``, ``run``,
    ``quiz`` (one of the shop's), ``result`` (one of it), ``invoice``, ``credit_note`` and
    ``paid`` (a payment) are ids, ``pending`` is that of a payment by the provider for trying out.
    """

    customer: str
    userid: str
    newcomer: str
    purchase: str
    report: str
    key: str
    webhook: str
    deploy: str
    line: str
    team: str
    invitation: str
    quiz: str
    result: str
    lead: str
    draft: str
    coupon: str
    run: str
    invoice: str
    credit_note: str
    paid: str
    pending: str

    def password(self, username: str) -> str:
        return f"demo-{username}" if username in ("staff", "joe") else PASSWORD


def stock(system: System) -> Goods:
    """Fill the site. Return what there is then."""
    userid = _account(system, OWN_NAME)
    _account(system, NEWCOMER)
    staff = system.token("staff")
    lines = [*_lines(OWN_NAME, userid, 60), *_lines("joe", "005", 20)]
    for username, customer_id in CUSTOMERS:
        lines += _lines(username, customer_id, 11)
    body = "\n".join(json.dumps(line) for line in lines).encode()
    answer = system.request(
        "POST", "/api/v1/purchases/bulk/", body, staff, Content_Type="application/x-ndjson"
    )
    assert answer.status in (200, 201), answer.body
    token = system.request(
        "POST", "/api/v1/auth/token/", {"username": OWN_NAME, "password": PASSWORD}
    ).json()["token"]
    theirs = system.request("GET", "/api/v1/purchases/?page_size=1", token=token).json()
    today = datetime.now(UTC).date().isoformat()
    asked = {"kind": "statement", "since": "2024-01-01", "until": today}
    report = system.request("POST", "/api/v1/reports/", asked, token).json()
    team = _team(system, staff, userid)
    invited = "invited@example.com"
    sent = {"email": invited}
    answer = system.request("POST", f"/api/v1/teams/{team}/invitations/", sent, staff)
    assert answer.status == 202, answer.body
    invitation = wait_for(lambda: link(system, invited, "/people/invitations/"))
    return Goods(
        OWN_NAME,
        userid,
        NEWCOMER,
        theirs["results"][0]["id"],
        report["id"],
        _key(system),
        _webhook(system, token),
        system.request("POST", "/api/v1/operations/deploys/", {"version": "1.1"}, staff).json()[
            "id"
        ],
        wait_for(lambda: _line(system, staff)),
        team,
        str(invitation),
        _quiz(system, staff),
        _result(system),
        _lead(system, staff),
        **_billing(system, staff),
    )


def _line(system: System, staff: str) -> str:
    """Return the id of a line of the log, once there is one."""
    found = system.request("GET", "/api/v1/logs/?page_size=1", token=staff).json()["results"]
    return str(found[0]["id"]) if found else ""


def _billing(system: System, staff: str) -> dict[str, str]:
    """Bill the customer: an invoice that is paid and credited in part, and a draft of the rest."""
    base = "/api/v1/billing/"

    def sent(path: str, body: dict[str, Any]) -> str:
        answer = system.request("POST", f"{base}{path}", body, staff)
        assert answer.status in (200, 201, 202), answer.body
        return str(answer.json()["id"])

    rate = {"code": "standard", "category": "S", "rate": "19.00", "valid_from": "2021-01-01"}
    sent("tax-rates/", rate)
    invoice = sent("invoices/", {"username": OWN_NAME, "currency": "EUR"})
    sent(f"invoices/{invoice}/issue/", {})
    today = datetime.now(UTC).date().isoformat()
    paid = {"amount": "5.00", "paid_on": today, "reference": "R-1"}
    credited = {"reason": "Zurückgeschickt", "lines": [{"position": 1, "quantity": 1}]}
    chosen = {"provider": "test"}
    answer = system.request("POST", f"{base}invoices/{invoice}/pay/", chosen, staff)
    return {
        "invoice": invoice,
        "pending": str(answer.json()["payment"]),
        "paid": sent(f"invoices/{invoice}/payments/", paid),
        "credit_note": sent(f"invoices/{invoice}/credit-notes/", credited),
        "coupon": sent("coupons/", {"code": "WELCOME", "percent": "10.00", "max_redemptions": 100}),
        "run": sent("runs/", {"until": "2023-01-01", "issue": False}),
        "draft": sent("invoices/", {"username": OWN_NAME, "currency": "USD"}),
    }


def _quiz(system: System, staff: str) -> str:
    """Publish a sample as a quiz of the shop. Return its id."""
    base = "/api/v1/companies/shop/quizzes/"
    sample = SAMPLES / "coffee.json"
    body = {"slug": sample.stem, "definition": json.loads(sample.read_bytes())}
    made = system.request("POST", base, body, staff)
    assert made.status == 201, made.body
    answer = system.request("POST", f"{base}{made.json()['id']}/publish/", {}, staff)
    assert answer.status == 201, answer.body
    return str(made.json()["id"])


def _result(system: System) -> str:
    """Answer the quiz. Return the id of the result."""
    id, secret = "01a21d04-a56a-7b2a-942c-7960fd40e786", "A" * 43
    path = f"/api/v1/q/coffee/attempts/{id}/"
    answers = {"drink": "black", "cups": 5, "alone": "me", "time": "five", "wish": "山田 🎈"}
    saved = {"rev": 1, "version": 1, "language": "en", "answers": answers}
    for method, more, body in (
        ("PUT", "", saved),
        ("POST", "finish/", {"rev": 1, "answers": answers}),
    ):
        sent = system.request(method, path + more, body, Authorization=f"Attempt {secret}")
        assert sent.status == 201, sent.body
    sent = system.request(
        "POST",
        f"{path}contact/",
        {"email": f"{'w' * 60}@example.org"},
        Authorization=f"Attempt {secret}",
    )
    assert sent.status == 202, sent.body
    return id


def _lead(system: System, staff: str) -> str:
    """Return the id of who left an address for the result."""
    found = system.request("GET", "/api/v1/companies/shop/leads/", token=staff).json()
    return str(found["results"][0]["id"])


def _team(system: System, staff: str, userid: str) -> str:
    """Make a team with a long name and members. Return its id."""
    body = {"name": "Kundendienst und Reklamationen, Hohenlohe-Waldenburg", "roles": []}
    made = system.request("POST", "/api/v1/teams/", body, staff)
    assert made.status == 201, made.body
    team = str(made.json()["id"])
    for member in (userid, quote("山田-0042"), quote("לקוח-17")):
        path = f"/api/v1/teams/{team}/members/{member}/"
        assert system.request("PUT", path, token=staff).status == 204
    return team


def _key(system: System) -> str:
    """Make a key of the customer's. Return its id."""
    person = Browser(system)
    with person.http:
        person.sign_in(OWN_NAME, PASSWORD)
        form = {"name": "Kasse 3", "permissions": "purchases:write", "networks": "192.0.2.0/24"}
        assert person.post("/accounts/keys/", **form, life="90").status_code == 200
        keys: list[dict[str, str]] = person.http.get("/api/v1/keys/").json()["results"]
        return keys[0]["id"]


def _webhook(system: System, token: str) -> str:
    """Make a webhook of the customer's. Return its id."""
    body = {"url": "https://93.184.215.14/events?" + "x" * 200, "events": ["purchase.recorded"]}
    return str(system.request("POST", "/api/v1/webhooks/", body, token).json()["id"])


def _lines(username: str, userid: str, count: int) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    lines = []
    for n in range(count):
        price, currency, quantity = AMOUNTS[n % len(AMOUNTS)]
        lines.append(
            {
                "username": username,
                "userid": userid,
                "item": ITEMS[(n + len(username)) % len(ITEMS)],
                "price": price,
                "currency": currency,
                "quantity": quantity,
                # The newest first, back through two weeks.
                "timestamp": (now - timedelta(minutes=7 + n * 347)).isoformat(),
            }
        )
    return lines


def _account(system: System, username: str) -> str:
    """Make an account whose address is verified. Return its userid."""
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    body = {"username": username, "email": email, "password": PASSWORD}
    answer = system.request("POST", "/api/v1/accounts/", body)
    assert answer.status == 201, answer.body
    confirmation = wait_for(lambda: link(system, email, "/accounts/confirm-email/"))
    person = Browser(system)
    with person.http:
        person.post(confirmation)
    return str(answer.json()["userid"])


def link(system: System, email: str, start: str) -> str | None:
    """Return the path of the newest link in a mail to ``email`` that begins with ``start``."""
    for mail in reversed(system.mails()):
        if mail["To"] == email:
            found = re.search(rf"https?://[^\s/]+({start}\S+)", mail.get_content())
            if found:
                return found[1]
    return None
