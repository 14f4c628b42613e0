"""Sessions on the running site, as a browser has them."""

import httpx

from tests.system import System


class Browser:
    """A session on the running site, as a browser has it."""

    def __init__(self, system: System) -> None:
        self.http = httpx.Client(base_url=system.url, timeout=20)

    def post(self, path: str, **form: str) -> httpx.Response:
        """Send a form from its own page."""
        self.http.get(path)
        form["csrfmiddlewaretoken"] = self.http.cookies[f"csrftoken_{self.http.base_url.port}"]
        return self.http.post(path, data=form, headers={"Referer": str(self.http.base_url)})

    def sign_in(self, username: str, password: str) -> None:
        answer = self.post("/accounts/login/", login=username, password=password)
        assert answer.status_code == 302, answer.text
