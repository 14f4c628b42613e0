"""Every page of the site and who may see it, from the URL configuration and the access table.

A new route needs a row in its app's ``tests/access.py``, and so it is visited here. A route with a
parameter needs a line in ``PATHS``, and one that answers with something else than a page a line in
``NO_PAGES``.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.access import Row, Rows
from tests.browser.goods import OWN_NAME, Goods
from tests.world import DECLARED, ROUTES

ACTORS = {"guest": "anonymous", "customer": "owner", "staff": "admin"}
"""Who visits: the name of the column in the access table."""
NO_PAGES = {
    "healthz",
    "livez",
    "readyz",
    "metrics",
    "robots.txt",
    "documentation/",
    "documentation/openapi.json",
    "documentation/quiz.schema.json",
    "jsi18n/",
    "dashboard/figures/",
    "operations/figures/",
    "logs/lines/",
    "customers/export.csv",
    "customers/export.xlsx",
    "till/manifest.webmanifest",
    "till/worker.js",
    "till/session/",
    "till/customers/",
    ".well-known/jwks.json",
    "logo.png",
    "look.css",
    "billing/invoices/<uuid:id>/pdf/",
    "billing/credit-notes/<uuid:id>/pdf/",
    "quizzes/<uuid:id>/export.json",
    "quizzes/<uuid:id>/results/<uuid:rid>/pdf/",
    "quizzes/<uuid:id>/preview/",
    "q/<str:slug>/brand.css",
    "q/<str:slug>/logo.png",
    "q/<str:slug>/embed.js",
    "q/<str:slug>/worker.js",
}
"""Routes that answer with text, JSON, a file, a part of a page or a redirect to the page."""
PATHS: dict[str, Callable[[Goods], str]] = {
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": lambda goods: "accounts/confirm-email/wrong/",
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": (
        lambda goods: "accounts/password/reset/key/1-wrong-key/"
    ),
    "accounts/keys/<uuid:id>/": lambda goods: f"accounts/keys/{goods.key}/",
    "operations/deploys/<uuid:id>/": lambda goods: f"operations/deploys/{goods.deploy}/",
    "webhooks/<uuid:id>/": lambda goods: f"webhooks/{goods.webhook}/",
    "purchases/<uuid:id>/": lambda goods: f"purchases/{goods.purchase}/",
    "logs/<uuid:id>/": lambda goods: f"logs/{goods.line}/",
    "audit/<int:seq>/": lambda goods: "audit/1/",
    "customers/<path:userid>/": lambda goods: f"customers/{goods.userid}/",
    "people/accounts/<path:userid>/": lambda goods: f"people/accounts/{goods.userid}/",
    "people/erasing/<path:userid>/": lambda goods: f"people/erasing/{goods.userid}/",
    "people/teams/<str:id>/": lambda goods: f"people/teams/{goods.team}/",
    "billing/invoices/<uuid:id>/": lambda goods: f"billing/invoices/{goods.invoice}/",
    "billing/credit-notes/<uuid:id>/": lambda goods: f"billing/credit-notes/{goods.credit_note}/",
    "billing/test-payment/<uuid:id>/": lambda goods: f"billing/test-payment/{goods.pending}/",
    "billing/invoices/<uuid:id>/book/": lambda goods: f"billing/invoices/{goods.invoice}/book/",
    "billing/invoices/<uuid:id>/credit/": (
        lambda goods: f"billing/invoices/{goods.invoice}/credit/?all=1"
    ),
    "billing/manage/addresses/<path:userid>/": (
        lambda goods: f"billing/manage/addresses/{goods.userid}/"
    ),
    "billing/manage/drafts/<uuid:id>/": lambda goods: f"billing/manage/drafts/{goods.draft}/",
    "billing/manage/coupons/<uuid:id>/": lambda goods: f"billing/manage/coupons/{goods.coupon}/",
    "billing/manage/runs/<uuid:id>/": lambda goods: f"billing/manage/runs/{goods.run}/",
    "billing/manage/payments/<uuid:id>/": lambda goods: f"billing/manage/payments/{goods.paid}/",
    "quizzes/companies/<str:company>/": lambda goods: "quizzes/companies/shop/",
    "quizzes/<uuid:id>/": lambda goods: f"quizzes/{goods.quiz}/",
    "quizzes/<uuid:id>/versions/": lambda goods: f"quizzes/{goods.quiz}/versions/",
    "quizzes/<uuid:id>/funnel/": lambda goods: f"quizzes/{goods.quiz}/funnel/",
    "quizzes/<uuid:id>/results/": lambda goods: f"quizzes/{goods.quiz}/results/",
    "quizzes/<uuid:id>/results/<uuid:rid>/": (
        lambda goods: f"quizzes/{goods.quiz}/results/{goods.result}/"
    ),
    "quizzes/leads/<str:company>/<uuid:id>/": lambda goods: f"quizzes/leads/shop/{goods.lead}/",
    "quizzes/<uuid:id>/opening/": lambda goods: f"quizzes/{goods.quiz}/opening/",
    "people/roles/<str:code>/": lambda goods: "people/roles/finance/",
    "q/<str:slug>/": lambda goods: "q/coffee/",
}
"""Where a route with a parameter leads."""


@dataclass(frozen=True)
class Visit:
    """``who`` is at ``path``, does ``steps``, and finds a page with ``status``."""

    who: str
    name: str
    path: Callable[[Goods], str]
    status: int = 200
    steps: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        return f"{self.who}-{self.name}"


def _at(path: str) -> Callable[[Goods], str]:
    return lambda goods: path


STATES = [
    Visit("customer", "missing", _at("/nothing/"), 404),
    Visit("customer", "refused", _at("/live/"), 403),
    Visit("customer", "purchases-refused-filter", _at("/purchases/?since=foo&min_price=x"), 400),
    Visit("staff", "purchases-filtered", _at(f"/purchases/?username={OWN_NAME}&since=2024-01-01")),
    Visit("customer", "purchases-without-match", _at("/purchases/?item=nothing-like-it")),
    Visit("newcomer", "shop", _at("/")),
    Visit("guest", "people-invitation", lambda goods: goods.invitation),
    Visit("guest", "link-confirm", _at("/q/confirm/?quiz=coffee&lang=de#wrong")),
    Visit("guest", "link-leave", _at("/q/leave/?quiz=coffee&lang=en#wrong")),
    Visit(
        "staff",
        "people-role-refused",
        _at("/people/roles/"),
        steps=(("#name", "Finance"), ("#code", "Finance\n")),
    ),
    Visit("newcomer", "purchases", _at("/purchases/")),
    Visit("newcomer", "reports", _at("/reports/")),
    Visit(
        "customer",
        "shop-refused-purchase",
        _at("/"),
        steps=(("#item", "Ink"), ("#price", "x"), ("#buy-button", "")),
    ),
    Visit(
        "guest",
        "accounts-login-refused",
        _at("/accounts/login/"),
        steps=(("#id_login", "joe"), ("#id_password", "wrong\n")),
    ),
    Visit(
        "guest",
        "accounts-signup-refused",
        _at("/accounts/signup/"),
        steps=(
            ("#id_username", "joe"),
            ("#id_email", "joe@example.com"),
            ("#id_password1", "short"),
            ("#id_password2", "other\n"),
        ),
    ),
]
"""States of pages that no address alone leads to, and pages of errors.

A step is a selector with what is typed there, or with nothing to press it. A line break is Enter.
"""

PAGES: Rows = {}
for each in DECLARED.values():
    PAGES |= each.pages


def _sees(row: Row, who: str) -> bool:
    return row.get(ACTORS[who], row["default"]) == 200


def _name(route: str) -> str:
    plain = re.sub(r"\(\?P<(\w+)>.*?\)(?=[-/$])|<(?:\w+:)?(\w+)>", r"\1\2", route)
    name = "".join(letter if letter.isalnum() else "-" for letter in plain)
    return "-".join(filter(None, name.split("-")))[:60] or "home"


def _path(route: str) -> Callable[[Goods], str]:
    if route in PATHS:
        return lambda goods: "/" + PATHS[route](goods)
    assert not set("<^(") & set(route), f"Say in PATHS where {route} leads."
    return _at(f"/{route}")


def visits() -> Iterator[Visit]:
    """Yield what is visited of the site's own pages."""
    for route in ROUTES:
        if route not in PAGES or route in NO_PAGES or route.startswith("admin/"):
            continue
        row = PAGES[route]["GET"]
        # A page that is the same for everybody is seen once.
        is_open = row == {"default": 200} and route != ""
        for who in ("guest",) if is_open else ACTORS:
            if _sees(row, who):
                yield Visit(who, _name(route), _path(route))
    yield from STATES


def admin_lists() -> Iterator[str]:
    """Yield the paths of the admin's index and lists."""
    for route in ROUTES:
        is_list = route.count("/") == 3 and "<" not in route and PAGES.get(f"{route}add/")
        if route.startswith("admin/") and (route == "admin/" or is_list):
            yield f"/{route}"
