"""Companies and respondents of a running site, through its public interface."""

import os
import re
from base64 import urlsafe_b64encode
from typing import Any

from shop.core.ids import uuid7
from tests.system import Answer, System, wait_for

DEFINITION: dict[str, Any] = {
    "format": "shop-quiz/1",
    "languages": ["en"],
    "title": {"en": "Tea"},
    "settings": {"headline": "band", "contact": "after_result"},
    "bands": [{"key": "all", "from": 0, "title": {"en": "Everybody"}}],
    "questions": [
        {
            "key": "leaf",
            "type": "single",
            "title": {"en": "Which leaf?"},
            "required": True,
            "options": [
                {"key": "black", "title": {"en": "Black"}, "points": 3},
                {"key": "green", "title": {"en": "Green"}, "points": 1},
            ],
        }
    ],
    "contact": {"name": "none", "consents": []},
}


class Caller:
    """Somebody with a token, who calls the API of a running site."""

    def __init__(self, site: System, username: str) -> None:
        self.site = site
        self.username = username
        self.token = site.token(username)

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        return self.site.request(method, f"/api/v1/{path}", body, self.token)

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """Return the body of the answer, which must be no refusal."""
        answer = self.ask(method, path, body)
        assert answer.status < 300, (method, path, answer.status, answer.body)
        return answer.json() if answer.body else None

    def publish(self, company: str, slug: str, **more: Any) -> str:
        """Make, publish and open a quiz; return its id."""
        body = {"slug": slug, "definition": DEFINITION | more}
        id = str(self("POST", f"companies/{company}/quizzes/", body)["id"])
        self("POST", f"companies/{company}/quizzes/{id}/publish/")
        return id


class Respondent:
    """A device that answers a quiz of the definition above, and leaves an address."""

    def __init__(self, site: System, slug: str) -> None:
        self.site = site
        self.slug = slug
        self.id = uuid7()
        self.email = f"{self.id.hex}@example.com"
        self._secret = urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")

    def answer(self) -> None:
        """Save, finish, and leave the address."""
        state = {"rev": 1, "version": 1, "language": "en", "answers": {"leaf": "black"}}
        self._send("PUT", "", state)
        self._send("POST", "finish/", {"rev": 1, "answers": {"leaf": "black"}})
        self._send("POST", "contact/", {"email": self.email, "consents": {}, "texts": {}})

    def mailed(self, page: str) -> str:
        """Return the token of the link to the page ``/q/{page}/``, once it was mailed."""

        def look() -> str:
            for mail in self.site.mails():
                body = mail.get_body(("plain",)) if self.email in str(mail["To"]) else None
                found = re.search(rf"/q/{page}/\?\S*#(\S+)", body.get_content() if body else "")
                if found:
                    return found[1]
            return ""

        return str(wait_for(look, 60))

    def click(self, action: str, token: str) -> int:
        """Send what the button of a mailed page sends; return the status."""
        path = f"/api/v1/q/{action}/"
        return self.site.request("POST", path, {"token": token}).status

    def _send(self, method: str, more: str, body: Any) -> None:
        path = f"/api/v1/q/{self.slug}/attempts/{self.id}/{more}"
        secret = f"Attempt {self._secret}"
        answer = self.site.request(method, path, body, Authorization=secret)
        assert answer.status in (200, 201, 202), answer.body
