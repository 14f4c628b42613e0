"""Fifty who confirm one address at once, on a running site with billing's own coupons."""

import json
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quizzes.tests.running import Caller, Respondent
from tests.system import System, running, wait_for
from tests.wires import ask_all, head

pytestmark = pytest.mark.system
AT_ONCE = 50
CODE = re.compile(r"\b(?:[A-Z2-9]{4}-){2}[A-Z2-9]{4}\b")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A site with a quiz whose campaign has coupons, and whose web process may be killed."""
    folder: Path = tmp_path_factory.mktemp("confirms") / "data"
    with running(folder) as system:
        staff = Caller(system, "staff")
        staff("POST", "billing/coupons/", {"code": "WELCOME", "percent": "10"})
        staff.publish("shop", "tea", result={"coupon": "WELCOME"})
        yield system


def clicks(site: System, token: str) -> list[int]:
    """Click on the button of a mail fifty times at once; return the statuses, 0 for no answer."""
    body = json.dumps({"token": token}).encode()
    sizes = (f"Content-Length: {len(body)}", "Content-Type: application/json")
    request = head("POST", "/api/v1/q/confirm/", "", *sizes) + body
    return [told.status for told in ask_all(site.port, [request] * AT_ONCE)]


def codes(staff: Caller) -> set[str]:
    """Return the codes of all coupons but those of campaigns."""
    found: set[str] = set()
    path = "billing/coupons/?page_size=100"
    while path:
        page = staff("GET", path)
        found |= {each["code"] for each in page["results"] if CODE.fullmatch(each["code"])}
        path = (page["next"] or "").partition("/api/v1/")[2]
    return found


def confirmed(staff: Caller) -> Counter[str]:
    """Return how often each lead was told to be confirmed."""
    page = staff("GET", "events/?types=lead.confirmed&limit=5000")
    return Counter(event["data"]["lead"] for event in page["events"])


def results_mailed(site: System, one: Respondent) -> list[str]:
    """Return the coupon's code in each mail with the result."""
    bodies = [
        body.get_content()
        for mail in site.mails()
        if one.email in str(mail["To"]) and (body := mail.get_body(("plain",)))
    ]
    return ["".join(CODE.findall(body)) for body in bodies if "/q/result/" in body]


def answered(site: System) -> tuple[Respondent, str]:
    """Return a respondent who has left an address, and the token of the mail that asks it."""
    one = Respondent(site, "tea")
    one.answer()
    return one, one.mailed("confirm")


def check(site: System, staff: Caller, respondents: list[Respondent], before: set[str]) -> None:
    """Fail where a respondent has no result by mail, or anything of it is there twice."""
    wait_for(lambda: all(results_mailed(site, one) for one in respondents), 60)
    wait_for(lambda: len(confirmed(staff)) >= len(respondents), 60)
    mailed = [results_mailed(site, one) for one in respondents]
    given = codes(staff) - before
    assert len(given) == len(respondents)
    assert sorted(mailed) == sorted([code] for code in given)
    assert set(confirmed(staff).values()) == {1}


def test_one_is_confirmed_and_has_one_coupon(site: System) -> None:
    staff = Caller(site, "staff")
    before, leads = codes(staff), len(confirmed(staff))
    respondents = []
    for _ in range(3):
        one, token = answered(site)
        respondents.append(one)
        assert clicks(site, token) == [200] * AT_ONCE
    wait_for(lambda: len(confirmed(staff)) == leads + 3, 60)
    check(site, staff, respondents, before)


def test_so_it_is_where_the_web_process_is_killed_meanwhile(site: System) -> None:
    staff = Caller(site, "staff")
    before, leads = codes(staff), len(confirmed(staff))
    respondents, lost = [], 0
    waiting = [answered(site) for _ in range(4)]
    for number, (one, token) in enumerate(waiting):
        respondents.append(one)
        # Each time a little later, so that some are answered and some are not.
        killer = threading.Timer(0.01 + number * 0.03, _kill, [site.pids("uvicorn")])
        killer.start()
        statuses = clicks(site, token)
        killer.join()
        lost += statuses.count(0)
        assert set(statuses) <= {0, 200, 503}
        # Whoever had no answer clicks again.
        wait_for(site.healthy, 60)
        assert clicks(site, token) == [200] * AT_ONCE
    assert lost, "No click met the killed process."
    wait_for(lambda: len(confirmed(staff)) == leads + len(respondents), 60)
    check(site, staff, respondents, before)


def _kill(pids: list[int]) -> Any:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
