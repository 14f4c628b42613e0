"""The funnel: views, counts of rows, coupons with results, and purchases that came of them."""

import copy
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from billing.coupons.models import Coupon
from events.followers import follow, rebuild
from events.models import Event
from events.tests.log import number
from people.tests.conftest import Api, make
from purchases.models import Purchase
from quizzes.answering.models import Attempt, Result
from quizzes.authoring.models import Quiz, Version
from quizzes.authoring.services import quiz_publish
from quizzes.companies.models import Company
from quizzes.funnel import viewing
from quizzes.funnel.attribution import Attributions
from quizzes.funnel.coupons import coupon_give, lead_forget
from quizzes.funnel.models import REFS_A_DAY, Attribution, Grant, View
from quizzes.leads.models import Lead, LeadResult
from quizzes.leads.sealing import index_of, new_key
from quizzes.tests.access_authoring import DEFINITION, make_quiz

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def author() -> Api:
    return Api(make("author", "author"))


@pytest.fixture
def quiz(author: Api) -> Quiz:
    return make_quiz(author.user)


class Respondents:
    """Makes attempts, results and leads of one version of a quiz."""

    def __init__(self, quiz: Quiz) -> None:
        self.quiz = quiz
        self.version = Version.objects.get(quiz=quiz, number=quiz.version or 0)

    def begin(self, **fields: Any) -> Attempt:
        given: dict[str, Any] = {"seen": ["roast"], "at": "roast", **fields}
        return Attempt.objects.create(
            id=uuid4(),
            quiz=self.quiz,
            version=self.version,
            secret_sha256=b"s" * 32,
            rev=1,
            digest=b"d" * 32,
            language="en",
            **given,
        )

    def finish(self, attempt: Attempt, **fields: Any) -> Result:
        attempt.state = "finished"
        attempt.save()
        given: dict[str, Any] = {"answers": {"roast": "dark"}, "path": ["roast"], "band": "all"}
        return Result.objects.create(
            attempt=attempt,
            quiz=self.quiz,
            version=self.version,
            language="en",
            digest=b"d" * 32,
            points=3,
            max=3,
            percent=100,
            test=attempt.test,
            suspect=attempt.suspect,
            **given | fields,
        )

    def contact(
        self, result: Result, email: str, *, confirmed: bool = True, company: Any = None
    ) -> Lead:
        company = company or self.quiz.company
        index = index_of(company.pk, email)
        now = timezone.now()
        lead = Lead.objects.filter(company=company, email_index=index).first()
        if lead is None:
            lead = Lead(id=uuid4(), company=company, email_index=index)
            lead.key = new_key(lead.pk)[1]
            lead.state = "confirmed" if confirmed else "new"
            lead.confirmed_at = now if confirmed else None
            lead.save(force_insert=True)
        LeadResult.objects.create(result=result, lead=lead, confirmed_at=now if confirmed else None)
        return lead


def funnel(api: Api, quiz: Quiz, query: str = "", company: str = "shop") -> Any:
    answer = api("GET", f"companies/{company}/quizzes/{quiz.pk}/funnel/{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


STAGES = ("started", "answered", "finished", "contact", "confirmed", "bought")


def stages(found: Any) -> list[int]:
    counts = [found[name] for name in STAGES]
    assert counts == sorted(counts, reverse=True)
    return counts


def buy(user: User, price: str = "10.00", *, currency: str = "EUR", **fields: Any) -> UUID:
    """Record a purchase as the ledger has it, with its event."""
    purchase = Purchase.objects.create(
        customer=user,
        recorded_by=user,
        price=price,
        currency=currency,
        dedupe_key=uuid4(),
        **{"item": "beans", "quantity": 2, "timestamp": timezone.now(), **fields},
    )
    position = Event.objects.order_by("-position").values_list("position", flat=True).first() or 0
    Event.objects.create(
        position=position + 1, key=purchase.pk, type=1, customer=user, at=timezone.now()
    )
    return purchase.pk


def derive() -> None:
    """Let the follower apply everything."""
    number()
    while follow(Attributions()) == 0:
        pass


def test_each_stage_counts_the_rows_of_attempts_that_began_in_the_period(
    author: Api, quiz: Quiz
) -> None:
    makes = Respondents(quiz)
    long_ago = timezone.now() - timedelta(hours=1)
    makes.begin()
    makes.begin(answers={"roast": "dark"}, at="", saved_at=long_ago, times={"roast": 4000})
    makes.begin(saved_at=long_ago)
    makes.begin(started_at=long_ago - timedelta(days=40), saved_at=long_ago)
    done = [makes.begin(answers={"roast": "dark"}, times={"roast": ms}) for ms in (1000, 9000)]
    results = [makes.finish(attempt, outcome=key) for attempt, key in zip(done, "ab", strict=True)]
    makes.contact(results[0], "joe@example.com")
    makes.contact(results[1], "ann@example.com", confirmed=False)
    # Previews and attempts that were too fast are in no stage.
    for mark in ("test", "suspect"):
        makes.contact(makes.finish(makes.begin(**{mark: True})), f"{mark}@example.com")
    found = funnel(author, quiz)
    assert stages(found) == [6, 3, 2, 2, 1, 0]
    assert (found["views"], found["revenue"]) == (0, [])
    assert (found["outcomes"], found["bands"]) == ({"a": 1, "b": 1}, {"all": 2})
    assert found["questions"] == [
        {"key": "roast", "seen": 6, "answered": 3, "left": 3, "median_seconds": 4.0}
    ]
    today = timezone.now().date()
    recent = funnel(author, quiz, f"?since={today - timedelta(days=30)}&until={today}")
    assert stages(recent) == [5, 3, 2, 2, 1, 0]
    assert stages(funnel(author, quiz, "?until=2020-01-01T00:00:00Z")) == [0] * 6
    assert stages(funnel(author, quiz, "?version=1")) == stages(found)
    path = f"companies/shop/quizzes/{quiz.pk}/funnel/"
    for query, attr in (("version=2", "version"), ("version=x", "version"), ("since=x", "since")):
        answer = author("GET", f"{path}?{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["attr"] == attr
    outsider = Api(make("joe"))
    assert outsider("GET", path).status_code == 403


def test_questions_are_counted_on_the_path_that_was_really_shown(author: Api, quiz: Quiz) -> None:
    """Drop-off from the question in front would be wrong with branches."""
    draft: dict[str, Any] = copy.deepcopy(DEFINITION)
    shown = {"all": [{"q": "roast", "is": ["dark"]}]}
    draft["questions"] += [
        {"key": "cups", "type": "number", "title": {"en": "Cups?"}, "show_if": shown},
        {"key": "why", "type": "text", "title": {"en": "Why?"}},
    ]
    quiz.draft = draft
    quiz.save(update_fields=["draft"])
    quiz_publish(actor=author.user, quiz=quiz)
    quiz.refresh_from_db()
    makes = Respondents(quiz)
    old = timezone.now() - timedelta(hours=1)
    # One left at the question that only dark roast leads to; one never saw it, and one went back.
    makes.begin(answers={"roast": "dark"}, seen=["roast", "cups"], at="cups", saved_at=old)
    light = makes.begin(answers={"roast": "light", "cups": "3"}, private="x", seen=["roast", "why"])
    said = {"roast": "light", "why": None}
    makes.finish(light, answers=said, path=["roast", "why"], private="x")
    makes.begin(answers={"roast": "light", "cups": "2"}, seen=["roast", "why"], at="why")
    # A text that is there is an answer; a question that was passed without one is none.
    written = {"written": ["why"], "private": "x", "at": "why"}
    makes.begin(answers={"roast": "light"}, seen=["roast", "why"], **written)
    makes.finish(
        makes.begin(answers={"roast": "light"}, seen=["roast", "why"]),
        answers={"roast": "light"},
        path=["roast", "why"],
    )
    counts = {
        each["key"]: (each["seen"], each["answered"], each["left"])
        for each in funnel(author, quiz, "?version=2")["questions"]
    }
    assert counts == {"roast": (5, 5, 0), "cups": (1, 0, 1), "why": (4, 2, 0)}
    assert list(counts) == ["roast", "cups", "why"]


def test_views_are_counted_by_day_and_ref_and_nothing_else_counts_one(
    author: Api, quiz: Quiz, client: Any
) -> None:
    def post(body: Any, slug: str = "coffee") -> Any:
        return client.post(
            f"/api/v1/q/{slug}/views/", body, content_type="application/json", REMOTE_ADDR="::9"
        )

    for body in ({"ref": "mail"}, {"ref": "mail"}, {}):
        answer = post(body)
        assert (answer.status_code, answer.content, answer.cookies) == (204, b"", {})
    assert post({"ref": "mail"}, "unknown").status_code == 204
    wrong: list[Any] = [{"ref": "a b"}, {"ref": "x" * 41}, {"who": "joe"}, {"ref": 3.5}, []]
    for body in wrong:
        assert post(body).status_code == 400
    viewing.flush()
    assert dict(View.objects.values_list("ref", "count")) == {"mail": 2, "": 1}
    for count in range(REFS_A_DAY + 9):
        viewing.view_count(slug="coffee", ref=f"r{count}", network=f"n{count}")
    viewing.view_count(slug="coffee", ref="mail", network="n")
    viewing.flush()
    counts = dict(View.objects.values_list("ref", "count"))
    assert (counts["mail"], counts["other"], len(counts)) == (3, 11, REFS_A_DAY + 1)
    # One network counts so many times in a minute.
    for _ in range(viewing.A_MINUTE + 50):
        viewing.view_count(slug="coffee", ref="", network="busy")
    viewing.flush()
    assert View.objects.get(ref="").count <= 1 + viewing.A_MINUTE + 2
    assert funnel(author, quiz)["views"] == sum(View.objects.values_list("count", flat=True))
    assert funnel(author, quiz, "?until=2020-01-01")["views"] == 0


def test_a_lead_gets_one_code_of_the_campaign_or_the_company_is_told_why(
    author: Api, quiz: Quiz, settings: Any
) -> None:
    makes = Respondents(quiz)
    acme = Company.objects.create(slug="acme", name="Acme")

    def give(campaign: str, company: Company | None = None, lead: UUID | None = None) -> str:
        result = makes.finish(makes.begin())
        with transaction.atomic():
            return coupon_give(
                lead_id=lead or uuid4(),
                company=company or quiz.company,
                campaign=campaign,
                result_id=result.pk,
            )

    def coupon(code: str, **terms: Any) -> Coupon:
        return Coupon.objects.create(
            code=code, percent=10, created_by=author.user, **{"max_redemptions": 2, **terms}
        )

    coupon("WELCOME")
    coupon("ACME--WELCOME", max_redemptions=None)
    coupon("ENDED", ends_at=timezone.now() - timedelta(days=1))
    coupon("STOPPED", active=False)
    first, second = uuid4(), uuid4()
    code = give("welcome", lead=first)
    assert code == give("welcome", lead=first)
    minted = Coupon.objects.get(code=code)
    assert (minted.percent, minted.max_redemptions, minted.customer) == (10, 1, None)
    assert give("welcome", lead=second) not in ("", code)
    assert give("welcome") == give("ENDED") == give("STOPPED") == give("NOTHING") == ""
    # Another company reaches its own campaigns only, and none of the shop's.
    assert give("WELCOME", acme)
    assert give("ENDED", acme) == give("WELCOME--WELCOME", acme) == ""
    assert give("ACME--WELCOME") != ""
    settings.BILLING = False
    assert give("WELCOME", acme) == ""
    reasons = sorted(Grant.objects.exclude(reason="").values_list("reason", flat=True))
    assert reasons == [
        "billing_off",
        "campaign_over",
        "campaign_over",
        "no_campaign",
        "no_campaign",
        "no_campaign",
        "none_left",
    ]
    # An erasure leaves the count of the codes that were given, and no way to the result.
    lead_forget(first)
    settings.BILLING = True
    assert give("welcome") == ""
    assert Grant.objects.filter(code=code, result=None).exclude(lead_id=first).count() == 1


def test_a_purchase_is_of_one_result_at_most_and_a_coupon_decides(author: Api, quiz: Quiz) -> None:
    makes = Respondents(quiz)
    acme = Company.objects.create(slug="acme", name="Acme")
    theirs = Respondents(Quiz.objects.get(pk=make_quiz(author.user, "tea").pk))
    Quiz.objects.filter(pk=theirs.quiz.pk).update(company=acme)
    theirs.quiz.refresh_from_db()
    joe, ann, eve = (
        User.objects.create(username=name, userid=name) for name in ("joe", "ann", "eve")
    )
    for user, verified in ((joe, True), (ann, True), (eve, False)):
        EmailAddress.objects.create(
            user=user, email=f"{user.username}@example.com", verified=verified
        )
    mine = makes.finish(makes.begin())
    lead = makes.contact(mine, "Joe@Example.com")
    makes.contact(makes.finish(makes.begin()), "ann@example.com", confirmed=False)
    makes.contact(makes.finish(makes.begin()), "eve@example.com")
    before = buy(joe, timestamp=timezone.now() - timedelta(days=2))
    first = buy(joe)
    # Not confirmed, not proved, and nobody's.
    others = [buy(ann), buy(eve), buy(author.user)]
    derive()
    assert dict(Attribution.objects.values_list("pk", "result")) == {first: mine.pk}
    # The last result decides, of whichever company.
    later = theirs.finish(theirs.begin())
    theirs.contact(later, "joe@example.com")
    second = buy(joe, "7.50", currency="CHF")
    # A coupon that came with the first one decides before.
    template = Coupon.objects.create(code="WELCOME", percent=10, created_by=author.user)
    with transaction.atomic():
        code = coupon_give(
            lead_id=lead.pk, company=quiz.company, campaign="WELCOME", result_id=mine.pk
        )
    third = buy(ann, "20.00")
    given = Coupon.objects.get(code=code)
    assert given != template
    given.redemptions.create(customer=ann, purchase=third, amount=1)
    derive()
    assert {row.pk: (row.result_id, row.via) for row in Attribution.objects.all()} == {
        first: (mine.pk, "address"),
        second: (later.pk, "address"),
        third: (mine.pk, "coupon"),
    }
    found = funnel(author, quiz)
    assert stages(found) == [3, 3, 3, 3, 2, 1]
    assert found["revenue"] == [{"currency": "EUR", "total": "60.00"}]
    acmes = funnel(author, theirs.quiz, company="acme")
    assert (stages(acmes)[-1], acmes["revenue"]) == (1, [{"currency": "CHF", "total": "15.00"}])
    # An event that is applied again adds nothing, and a rebuild finds the same.
    same = set(Attribution.objects.values_list("pk", "result", "via", "total"))
    rebuild(Attributions())
    derive()
    assert set(Attribution.objects.values_list("pk", "result", "via", "total")) == same
    # After an erasure totals stay, and nothing leads from a purchase to the answers.
    lead_forget(lead.pk)
    assert not Attribution.objects.filter(pk__in=[before, first, third, *others]).exists()
    assert funnel(author, quiz) == found
    assert sum(Attribution.objects.values_list("total", flat=True)) == Decimal("75.00")


def test_the_page_shows_the_stages_with_the_arms_side_by_side(author: Api, quiz: Quiz) -> None:
    client = Client()
    client.force_login(author.user)
    path = f"/quizzes/{quiz.pk}/funnel/"
    assert b"Nobody has opened this quiz" in client.get(path).content
    draft = {**DEFINITION, "intro": {"en": "Another one"}}
    Quiz.objects.filter(pk=quiz.pk).update(draft=draft)
    quiz.refresh_from_db()
    quiz_publish(actor=author.user, quiz=quiz)
    makes = Respondents(quiz)
    result = makes.finish(makes.begin(answers={"roast": "dark"}, times={"roast": 2500}))
    quiz.refresh_from_db()
    other = Respondents(quiz)
    assert other.version != makes.version
    for _ in range(2):
        other.begin()
    arms = [{"version": 1, "weight": 1}, {"version": 2, "weight": 3}]
    Quiz.objects.filter(pk=quiz.pk).update(arms=arms)
    with transaction.atomic():
        coupon_give(lead_id=uuid4(), company=quiz.company, campaign="NOTHING", result_id=result.pk)
    text = re.sub(r"<[^>]*>|\s+", " ", client.get(path).content.decode())
    text = " ".join(text.split())
    assert "Stage All % Version 1 Version 2" in text
    assert "Began 3 100 1 2" in text
    assert "Finished 1 33 1 0" in text
    assert "Which roast? 3 1 0 0 2.5" in text
    assert "1 lead got no coupon, because there is no such campaign." in text
    assert client.get(f"{path}?version=9").status_code == 400
    assert client.get(f"{path}?since=someday").status_code == 400
    stranger = Client()
    stranger.force_login(make("eve"))
    assert stranger.get(path).status_code == 403


def test_arms_divide_attempts_by_their_ids_for_good(author: Api, quiz: Quiz, client: Any) -> None:
    Quiz.objects.filter(pk=quiz.pk).update(draft={**DEFINITION, "intro": {"en": "Another one"}})
    quiz.refresh_from_db()
    quiz_publish(actor=author.user, quiz=quiz)
    path = f"companies/shop/quizzes/{quiz.pk}/"
    body = {"arms": [{"version": 1, "weight": 25}, {"version": 2, "weight": 75}]}
    assert author("PATCH", path, body).status_code == 200
    ids = [uuid5(NAMESPACE_URL, str(n)) for n in range(60)]

    def versions() -> list[int]:
        address = "/api/v1/q/coffee/?attempt="
        return [client.get(f"{address}{id}").json()["version"] for id in ids]

    first = versions()
    assert 5 <= first.count(1) <= 25
    assert versions() == first
    assert client.get("/api/v1/q/coffee/").json()["version"] == 2
    assert author("PATCH", path, {"arms": []}).status_code == 200
    assert set(versions()) == {2}
