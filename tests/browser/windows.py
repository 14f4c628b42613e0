"""Windows of a real browser on a running site."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Response,
    sync_playwright,
)

# The same engine without windows needs a third less processor time, and so it is the first.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the machine's browser. Skip the test if there is none, or fail on CI."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("There is no browser, and CI must have one.")
        pytest.skip("No chromium is installed here, so the pages are not tried in a browser.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Windows:
    """Browser windows of the site at ``url``; each signed-in account is a context of its own.

    Complaints of the browser, such as a blocked script or a style sheet that is missing, are put
    into ``problems``.
    """

    def __init__(self, browser: Browser, url: str, problems: list[str]) -> None:
        self.browser, self.url, self.problems = browser, url, problems
        self.contexts: list[BrowserContext] = []

    def open(self, path: str = "/", **options: object) -> Page:
        return self._visit(self._context(**options), path)

    def _context(self, **options: object) -> BrowserContext:
        context = self.browser.new_context(base_url=self.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        self.contexts.append(context)
        return context

    def _visit(self, context: BrowserContext, path: str) -> Page:
        page = context.new_page()
        self.watch(page)
        page.goto(path)
        return page

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._console)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self.problems.append(message.text)

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type in (
            "stylesheet",
            "script",
            "image",
            "font",
            "manifest",
        ):
            self.problems.append(f"{response.status} {response.url}")

    def sign_in(self, username: str, password: str | None = None, **options: object) -> Page:
        """Return the first page after a sign-in, in a session of its own.

        The form is sent without its page, because a page takes a second. Tests that type into it
        are in ``test_keyboard.py``.
        """
        context = self._context(**options)
        context.request.get("/accounts/login/")
        (token,) = (
            cookie["value"] for cookie in context.cookies() if cookie["name"].startswith("csrf")
        )
        form = {"login": username, "password": password or f"demo-{username}"}
        answer = context.request.post(
            "/accounts/login/",
            form={**form, "csrfmiddlewaretoken": token},
            headers={"Referer": self.url},
            max_redirects=0,
        )
        assert answer.status == 302, answer.text()
        return self._visit(context, answer.headers["location"])

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        self.contexts.clear()


def submit(page: Page, button: Locator | None = None) -> None:
    """Send the form by Enter or by ``button``, and wait until its answer has replaced the page.

    A visit that began earlier would be interrupted by the answer.
    """
    with page.expect_navigation():
        if button is None:
            page.keyboard.press("Enter")
        else:
            button.click()
