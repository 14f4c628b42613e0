"""Invoices are issued by many at once, while web and PostgreSQL are killed."""

import os
import runpy
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.faults import FAULTS
from tests.system import ROOT, System, running, wait_for

faults = runpy.run_path(str(ROOT / "examples" / "verify_invoices.py"))["faults"]
ISSUERS = 64
DRAFTS = 90
PURCHASES = 70
SECONDS = 90


def _asked(system: System, token: str, method: str, path: str, body: Any = None) -> Any:
    """Send a request until it has an answer of its own. Return the answer."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            answer = system.request(method, f"/api/v1/{path}", body, token, timeout=10)
        except OSError:
            time.sleep(0.2)
            continue
        if answer.status not in (500, 503):
            return answer
        time.sleep(0.2)
    raise AssertionError(f"{method} {path} has had no answer.")


def _more_than(futures: list[Future[Any]], count: int) -> bool:
    return sum(future.done() for future in futures) > count


def test_64_issuers_and_kill_9_leave_no_gap(tmp_path: Path) -> None:
    with running(tmp_path / "data", QUOTA_REQUESTS_PER_MINUTE="0") as system:
        joe, admin = system.token("joe"), system.token("staff")
        lines = "price,item\n" + "".join(f"{n}.00,book {n}\n" for n in range(1, PURCHASES + 1))
        answer = system.request(
            "POST",
            "/api/v1/purchases/bulk/",
            lines.encode(),
            joe,
            Content_Type="text/csv",
        )
        assert answer.status == 200, answer.body
        listed = system.request("GET", "/api/v1/purchases/?page_size=500", token=joe).json()
        ids = [row["id"] for row in listed["results"]]
        assert len(ids) == PURCHASES
        # Some purchases are on two drafts, of which only one can be issued.

        def draft(number: int) -> str:
            body = {"username": "joe", "purchases": [ids[number % PURCHASES]]}
            made = _asked(system, admin, "POST", "billing/invoices/", body)
            assert made.status == 201, made.body
            return str(made.json()["id"])

        def issue(id: str) -> tuple[int, Any]:
            answer = _asked(system, admin, "POST", f"billing/invoices/{id}/issue/")
            return answer.status, answer.json()

        with ThreadPoolExecutor(ISSUERS) as issuers:
            drafts = list(issuers.map(draft, range(DRAFTS)))
            futures = [issuers.submit(issue, id) for id in drafts]
            for fault in ("kill -9 web and feed", "kill -9 PostgreSQL, children too"):
                count = sum(future.done() for future in futures)
                wait_for(partial(_more_than, futures, count + 9), 60)
                FAULTS[fault](system)
            answers = [future.result() for future in futures]
        issued = [body for status, body in answers if status == 200]
        refused = [body for status, body in answers if status != 200]
        assert len(issued) == PURCHASES
        codes = {error["code"] for body in refused for error in body["errors"]}
        assert codes == {"already_invoiced"}
        series = issued[0]["number"][:8]
        path = f"billing/series/{series}/chain/?contents=true"
        links: list[Any] = []
        while page := _asked(system, admin, "GET", f"{path}&after={len(links)}").json():
            links += page
        assert list(faults(series, links)) == []
        assert sorted(body["number"] for body in issued) == [link["number"] for link in links]
        checked = subprocess.run(
            [sys.executable, "manage.py", "verify_billing"],
            cwd=ROOT,
            env={**os.environ, **system.servers(), "ENVIRONMENT": "development"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
