"""Load on a running system, and what must hold afterwards, all seen from outside.

A ``Load`` posts purchases on both routes, and repeats what got no answer under the same key. It
reads the feed on sockets that resume, asks for statements, and answers a quiz. ``Load.verdict``
then compares what was acknowledged with the ledger, the event log, what every socket saw, what was
mailed, and the attempts.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from tests.faults.respondents import Respondents
from tests.smtp import SMTPServer
from tests.system import ROOT, System, wait_for

ANSWER_SECONDS = 6.0
"""A request that cannot be carried out is answered within this time."""
RECOVERY_SECONDS = 10.0
"""The service is back this long after its dependencies are."""


@dataclass
class Verdict:
    """The result of a load; ``wrong`` lists in words what must not happen."""

    operations: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    reports: int = 0
    longest_outage: float = 0.0
    slowest_refusal: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Reader(threading.Thread):
    """A socket that resumes after its last position, and keeps every frame."""

    def __init__(self, system: System, token: str, query: str, after: int) -> None:
        super().__init__(daemon=True)
        self.system, self.token, self.query = system, token, query
        self.position = after
        self.seen: list[tuple[int, str]] = []
        self.stopping = False
        self.closes: Counter[int] = Counter()

    def run(self) -> None:
        while not self.stopping:
            try:
                self._follow()
            except ConnectionClosed as closed:
                self.closes[closed.rcvd.code if closed.rcvd else 1006] += 1
            except (OSError, InvalidHandshake, TimeoutError):
                self.closes[0] += 1
            time.sleep(0.05)

    def _follow(self) -> None:
        url = f"{self.system.ws_url}?after={self.position}{self.query}"
        headers = {"Authorization": f"Token {self.token}"}
        with connect(url, additional_headers=headers, open_timeout=5, proxy=None) as socket:
            while not self.stopping:
                try:
                    message = json.loads(socket.recv(timeout=0.5))
                except TimeoutError:
                    continue
                for event in message.get("events", ()):
                    self.seen.append((event["position"], event["purchase"]["id"]))
                self.position = max(self.position, message["position"])


class Load:
    """Buyers, readers and reports on one system, from ``start`` to ``stop``."""

    _runs = itertools.count()

    def __init__(self, system: System, *, buyers: int = 6, mail: SMTPServer | None = None) -> None:
        self.system, self.mail = system, mail
        self.tokens = {name: system.token(name) for name in ("joe", "ann", "staff")}
        self.run = f"{next(self._runs)}-{os.getpid()}-{time.monotonic_ns()}"
        self.after = int(self._events(0, 1, "staff", last=True))
        self.acknowledged: dict[str, str] = {}
        self.reports: list[str] = []
        self.operations = 0
        self.longest_outage = self.slowest_refusal = 0.0
        self.wrong: list[str] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._buyers = [
            threading.Thread(target=self._buy, args=(number,), daemon=True)
            for number in range(buyers)
        ]
        self._reporter = threading.Thread(target=self._report, daemon=True)
        self.respondents = Respondents(system, self.tokens["staff"])
        self.readers = {
            "everything": Reader(system, self.tokens["staff"], "&scope=all", self.after),
            "joe": Reader(system, self.tokens["joe"], "", self.after),
            "ann": Reader(system, self.tokens["ann"], "", self.after),
        }

    def start(self) -> None:
        """Start everything, and wait until purchases are recorded and delivered."""
        for thread in (*self._buyers, self._reporter, self.respondents, *self.readers.values()):
            thread.start()
        self.progress()
        wait_for(lambda: all(reader.seen for reader in self.readers.values()), 20)

    def progress(self, purchases: int = 40, seconds: float = 30) -> float:
        """Wait for so many more acknowledged purchases. Return the seconds that this took."""
        before, started = len(self.acknowledged), time.monotonic()
        wait_for(lambda: len(self.acknowledged) >= before + purchases, seconds)
        return time.monotonic() - started

    def clock(self) -> datetime:
        """Return the database's time of a purchase that is recorded now."""
        body = {"item": f"{self.run} clock {time.monotonic_ns()}", "price": "1"}
        answer = self.system.request("POST", "/api/v1/purchases/", body, self.tokens["joe"])
        return datetime.fromisoformat(answer.json()["received_at"])

    def stop(self) -> None:
        """Stop buying. Purchases without an answer are repeated until they have one."""
        self._stop.set()
        self.respondents.stop()
        for thread in (*self._buyers, self._reporter, self.respondents):
            thread.join(60)
            assert not thread.is_alive(), "A request is not answered even now."

    # --- buying ------------------------------------------------------------------------------

    def _buy(self, buyer: int) -> None:
        name = ("joe", "ann")[buyer % 2]
        number = 0
        while not self._stop.is_set():
            number += 1
            key = f"{self.run}-{buyer}-{number}"
            if buyer % 3 == 2:
                # The original route has no item, so its purchases differ by microseconds.
                moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(
                    seconds=buyer, microseconds=number
                )
                userid = {"joe": "005", "ann": "006"}[name]
                body: dict[str, Any] = {
                    "username": name, "userid": userid, "price": "1.00",
                    "timestamp": moment.isoformat(),
                }  # fmt: skip
                path, field_name = "/buy", "_id"
            else:
                body = {"item": key, "price": "12.50"}
                path, field_name = "/api/v1/purchases/", "id"
            id = self._until_answered(path, body, name, key, field_name)
            with self._lock:
                self.acknowledged[key] = id

    def _until_answered(self, path: str, body: Any, name: str, key: str, field_name: str) -> str:
        failing_since: float | None = None
        while True:
            started = time.monotonic()
            try:
                answer = self.system.request(
                    "POST", path, body, self.tokens[name], 20, Idempotency_Key=key
                )
            except OSError:
                answer = None
            now = time.monotonic()
            with self._lock:
                self.operations += 1
            if answer is not None and answer.status in (200, 201):
                if failing_since is not None:
                    with self._lock:
                        self.longest_outage = max(self.longest_outage, now - failing_since)
                return str(answer.json()[field_name])
            failing_since = failing_since or started
            if answer is not None:
                with self._lock:
                    self.slowest_refusal = max(self.slowest_refusal, now - started)
                    if answer.status != 503 or not answer.headers["Retry-After"]:
                        self.wrong.append(f"{path} answered {answer.status} {answer.body!r}")
                        return ""
            time.sleep(0.05)

    def _report(self) -> None:
        number = 0
        body = {"kind": "statement", "since": "2024-01-01", "until": "2024-01-31"}
        while not self._stop.wait(1.0):
            number += 1
            key = f"{self.run}-report-{number}"
            while True:
                with contextlib.suppress(OSError):
                    answer = self.system.request(
                        "POST", "/api/v1/reports/", body, self.tokens["joe"], 20,
                        Idempotency_Key=key,
                    )  # fmt: skip
                    if answer.status == 202:
                        self.reports.append(answer.json()["id"])
                        break
                    if answer.status == 429:
                        break
                time.sleep(0.1)

    # --- looking -----------------------------------------------------------------------------

    def _events(
        self,
        after: int,
        limit: int,
        name: str,
        types: str = "purchase.recorded",
        *,
        last: bool = False,
    ) -> Any:
        if last:
            # A feed without a position would start at the end of the log.
            with connect(
                f"{self.system.ws_url}?scope=all",
                additional_headers={"Authorization": f"Token {self.tokens[name]}"},
                proxy=None,
            ) as socket:
                return json.loads(socket.recv(timeout=10))["position"]
        path = f"/api/v1/events/?after={after}&limit={limit}&types={types}"
        return self.system.request("GET", path, token=self.tokens[name]).json()

    def _since(self, name: str, types: str) -> Iterator[Any]:
        """Yield the events of some types since the load began."""
        position = self.after
        while True:
            page = self._events(position, 5000, name, types)
            yield from page["events"]
            if len(page["events"]) < 5000:
                return
            position = page["position"]

    def _log(self, name: str) -> list[tuple[int, str, str]]:
        """Return position, purchase and item of every purchase since the load began."""
        return [
            (event["position"], event["purchase"]["id"], event["purchase"]["item"])
            for event in self._since(name, "purchase.recorded")
        ]

    def verdict(self) -> Verdict:
        """Stop, wait until all is settled, and return what holds and what does not."""
        self.stop()
        wrong = self.wrong
        wait_for(self.system.healthy, 30)
        ids = set(self.acknowledged.values()) - {""}
        wait_for(lambda: ids <= {row[1] for row in self._log("staff")}, 20)
        log = self._log("staff")
        times = Counter(row[1] for row in log)
        items = Counter(row[2] for row in log if row[2].startswith(self.run))
        lost = len(ids - times.keys())
        doubled = sum(count > 1 for count in times.values()) + sum(
            count > 1 for count in items.values()
        )
        if len(ids) != len(self.acknowledged):
            wrong.append("Two requests with different keys were given one purchase.")
        positions = [event["position"] for event in self._since("staff", "*")]
        if positions != list(range(self.after + 1, self.after + 1 + len(positions))):
            wrong.append("The positions of the log do not follow each other.")
        disordered = 0
        for name, reader in self.readers.items():
            wanted = [row[:2] for row in (log if name == "everything" else self._log(name))]
            with contextlib.suppress(AssertionError):
                wait_for(lambda r=reader, w=wanted: len(r.seen) >= len(w), 20)  # type: ignore[misc]
            reader.stopping = True
            if reader.seen != wanted:
                disordered += 1
                wrong.append(
                    f"The socket of {name} saw {len(reader.seen)} of {len(wanted)} events."
                )
        for reader in self.readers.values():
            reader.join(10)
        self._look_at_reports()
        wrong += self.respondents.look()
        if lost or doubled:
            wrong.append(f"{lost} purchases are lost, {doubled} doubled.")
        if self.slowest_refusal > ANSWER_SECONDS * self.system.slowness:
            wrong.append(f"A refusal took {self.slowest_refusal:.1f} s.")
        said = verify(self.system)
        if said.returncode:
            wrong.append(said.stdout.decode() + said.stderr.decode())
        return Verdict(
            operations=self.operations,
            acknowledged=len(self.acknowledged),
            lost=lost,
            doubled=doubled,
            disordered=disordered,
            reports=len(self.reports),
            longest_outage=self.longest_outage,
            slowest_refusal=self.slowest_refusal,
            wrong=wrong,
        )

    def _look_at_reports(self) -> None:
        def state(id: str) -> tuple[str, str]:
            answer = self.system.request("GET", f"/api/v1/reports/{id}/", token=self.tokens["joe"])
            return (answer.json()["status"], answer.json().get("error", ""))

        def settled() -> bool:
            return all(state(id)[0] in ("sent", "failed") for id in self.reports)

        try:
            wait_for(settled, 90)
        except AssertionError:
            states = Counter(state(id)[0] for id in self.reports)
            self.wrong.append(f"Reports are stuck: {dict(states)}.")
        mails = (
            [str(mail["Message-ID"]) for mail in self.mail.received]
            if self.mail
            else [str(mail["Message-ID"]) for mail in self.system.mails()]
        )
        for id in self.reports:
            status, error = state(id)
            count = sum(id in mail for mail in mails)
            if count > 1 and self.mail is None:
                self.wrong.append(f"Report {id} was mailed {count} times.")
            if status == "sent" and count < 1:
                self.wrong.append(f"Report {id} counts as sent and never was.")
            if status == "failed" and not error:
                self.wrong.append(f"Report {id} failed without saying why.")


def verify(system: System) -> "subprocess.CompletedProcess[bytes]":
    """Run ``manage.py verify_ledger`` on the system's own database."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    } | {"DATA_DIR": str(system.data_dir)}
    return subprocess.run(
        [sys.executable, "manage.py", "verify_ledger"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
    )


def recovery(system: System, load: Load) -> float:
    """Return the seconds until the site is healthy and purchases are acknowledged again."""
    started = time.monotonic()
    wait_for(system.healthy, 60)
    load.progress(20, 60)
    return time.monotonic() - started
