"""Respondents of a quiz under a load: what was acknowledged to them must be there afterwards."""

import json
import os
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from typing import Any

from shop.core.ids import uuid7
from tests.system import ROOT, Answer, System

SLUG = "coffee"
ANSWERS: list[dict[str, Any]] = [
    {"drink": "black"},
    {"drink": "black", "cups": 2},
    {"drink": "black", "cups": 2, "time": "five", "have": ["kettle"]},
]
"""The state at each save; the last one is finished with."""
ATTEMPTS_MAX = 12
"""So few that no limit asks for work."""
PAUSE = 0.5


class Respondents(threading.Thread):
    """One attempt after the other, each sent as the player sends it: until it is answered."""

    def __init__(self, system: System, staff: str) -> None:
        super().__init__(daemon=True)
        self.system = system
        self.version = _published(system, staff)
        self.wrong: list[str] = []
        self.refused = 0
        # The secret, the newest acknowledged state, and the result of each attempt.
        self.attempts: dict[uuid.UUID, tuple[str, int, bytes]] = {}
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Begin no other attempt, and end the one that is open."""
        self._stop_asked.set()

    def run(self) -> None:
        for _ in range(ATTEMPTS_MAX):
            if self._stop_asked.is_set():
                return
            id, secret = uuid7(), urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
            for rev, answers in enumerate(ANSWERS, 1):
                body = {"rev": rev, "version": self.version, "language": "en", "answers": answers}
                self._until_answered("PUT", id, secret, "", body)
                self.attempts[id] = (secret, rev, b"")
            end = {"rev": len(ANSWERS), "answers": ANSWERS[-1]}
            answer = self._until_answered("POST", id, secret, "finish/", end)
            self.attempts[id] = (secret, len(ANSWERS), answer.body)

    def _until_answered(self, method: str, id: uuid.UUID, secret: str, more: str, body: Any) -> Any:
        while True:
            time.sleep(PAUSE)
            try:
                answer = self._ask(method, id, secret, more, body)
            except OSError:
                continue
            if answer.status in (200, 201):
                return answer
            self.refused += 1
            if answer.status != 503 or not answer.headers["Retry-After"]:
                self.wrong.append(f"{method} {more} answered {answer.status} {answer.body!r}")
                return answer

    def _ask(self, method: str, id: uuid.UUID, secret: str, more: str, body: Any = None) -> Answer:
        path = f"/api/v1/q/{SLUG}/attempts/{id}/{more}"
        return self.system.request(method, path, body, None, 20, Authorization=f"Attempt {secret}")

    def look(self) -> list[str]:
        """Return what is wrong now, when the system is back and all has an answer."""
        for id, (secret, rev, result) in self.attempts.items():
            kept = self._ask("GET", id, secret, "").json()
            if kept.get("rev", 0) < rev:
                self.wrong.append(f"An attempt has rev {kept.get('rev')} of {rev}.")
            end = {"rev": len(ANSWERS), "answers": ANSWERS[-1]}
            again = self._ask("POST", id, secret, "finish/", end)
            if result and (again.status, again.body) != (200, result):
                self.wrong.append(f"A finished attempt answers {again.status} {again.body!r}.")
        return self.wrong


def _published(system: System, token: str) -> int:
    """Publish the sample quiz unless it is; return its version."""
    quizzes = "/api/v1/companies/shop/quizzes/"
    definition = json.loads((ROOT / "quizzes" / "samples" / f"{SLUG}.json").read_text())
    made = system.request("POST", quizzes, {"slug": SLUG, "definition": definition}, token)
    if made.status == 201:
        quiz = f"{quizzes}{made.json()['id']}/"
        published = system.request("POST", f"{quiz}publish/", None, token)
        assert published.status == 201, published.body
        opened = system.request("PATCH", quiz, {"state": "open"}, token)
        assert opened.status == 200, opened.body
    else:
        assert made.status == 409, made.body
    return int(system.request("GET", f"/api/v1/q/{SLUG}/").json()["version"])
