"""The player in a real browser, on the running site, behind a network that fails.

After each fault the rows are counted: there is one attempt and one result, with every answer.
"""

import json
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from quizzes.management.commands.demo_quizzes import SAMPLES
from quizzes.tests.generated import cases
from tests.browser.checks import unseen_focus, violations, wide
from tests.browser.windows import ARGUMENTS, BROWSERS, chromium
from tests.system import System, wait_for

pytestmark = pytest.mark.system

CASES = 10_000
AT_ONCE = 1000
_PATHS = """async (text) => {
  const cases = JSON.parse(text);
  const { path } = await import("/static/quizzes/player/path.js");
  return cases.map(([questions, answers]) => path(questions, answers));
}"""
_KEPT = """async () => {
  const found = [];
  for (const name of await caches.keys()) {
    const requests = await (await caches.open(name)).keys();
    found.push(...requests.map(({ url }) => new URL(url).pathname));
  }
  return found;
}"""
_IS_FORGOTTEN = """async () => {
  const workers = await navigator.serviceWorker.getRegistrations();
  return workers.length + (await caches.keys()).length === 0;
}"""
# As in a frame whose browser blocks storage.
_NO_STORAGE = """
for (const name of ["indexedDB", "localStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });
}
"""


class Played:
    """A quiz of the running site, and its rows."""

    def __init__(self, system: System, sample: str, **changes: Any) -> None:
        self.system, self.slug = system, f"{sample}-{uuid.uuid4().hex[:8]}"
        definition = json.loads((SAMPLES / f"{sample}.json").read_bytes())
        definition.update(changes.pop("definition", {}))
        base, token = "/api/v1/companies/shop/quizzes/", system.token("staff")
        made = system.request("POST", base, {"slug": self.slug, "definition": definition}, token)
        assert made.status == 201, made.body
        place = f"{base}{made.json()['id']}/"
        answer = system.request("POST", f"{place}publish/", {}, token)
        assert answer.status == 201, answer.body
        if changes:
            assert system.request("PATCH", place, changes, token).status == 200
        self.address = f"{system.url}/q/{self.slug}/"

    def rows(self, what: str = "answers", table: str = "attempt") -> list[Any]:
        with psycopg.connect(self.system.servers()["DATABASE_OWNER_URL"]) as database:
            found = database.execute(
                f"SELECT {what} FROM quizzes_{table} one JOIN quizzes_quiz quiz"
                " ON quiz.id = one.quiz_id WHERE slug = %s",
                [self.slug],
            ).fetchall()
        return [row[0] for row in found]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def window(browser: Browser) -> Iterator[Callable[..., Page]]:
    opened: list[BrowserContext] = []

    def open_one(**options: Any) -> Page:
        context = browser.new_context(locale="en-GB", **options)
        context.set_default_timeout(15_000)
        opened.append(context)
        return context.new_page()

    yield open_one
    for context in opened:
        context.close()


def begin(page: Page, quiz: Played, query: str = "") -> None:
    page.goto(f"{quiz.address}{query}")
    expect(page.locator("body.ready")).to_be_attached()


def at(page: Page, key: str) -> None:
    expect(page.locator(f"#q-{key}.now")).to_be_visible()


def go_on(page: Page, key: str) -> None:
    page.locator("#next").click()
    at(page, key)


def choose(page: Page, title: str) -> None:
    page.locator(".question.now").get_by_label(title, exact=True).check()


def until(page: Page, condition: Callable[[], Any]) -> None:
    """Wait for the condition. Routes are only asked while the test is inside of Playwright."""

    def is_so() -> Any:
        page.wait_for_timeout(50)
        return condition()

    wait_for(is_so)


def kept(page: Page) -> list[str]:
    """Return the paths of what the page keeps for a start without a connection."""
    found: list[str] = page.evaluate(_KEPT)
    return found


def lose(page: Page, method: str, times: int) -> list[str]:
    """Let so many requests reach the site, and lose their answers."""
    lost: list[str] = []

    def handle(route: Route) -> None:
        if route.request.method != method or len(lost) >= times:
            route.fallback()
            return
        lost.append(route.request.url)
        route.fetch()
        route.abort()

    page.route("**/api/v1/q/*/attempts/**", handle)
    return lost


def test_offline_from_the_second_question_and_closed_is_one_attempt_with_every_answer(
    system: System, browser: Browser, tmp_path: Path
) -> None:
    quiz = Played(system, "coffee")
    path = next(filter(None, map(shutil.which, BROWSERS)))

    def device() -> tuple[BrowserContext, Page]:
        context = browser.browser_type.launch_persistent_context(
            tmp_path / "device", executable_path=path, args=ARGUMENTS, locale="en-GB"
        )
        context.set_default_timeout(15_000)
        return context, context.pages[0]

    context, page = device()
    first = lose(page, "PUT", 1)
    begin(page, quiz, "?ref=letter")
    # Nothing is kept on the device of somebody who only looks.
    assert kept(page) == []
    choose(page, "Coffee, black")
    go_on(page, "cups")
    until(page, lambda: first and f"/q/{quiz.slug}/" in kept(page))
    assert [
        path for path in kept(page) if not path.startswith(("/static/", f"/q/{quiz.slug}/"))
    ] == []
    context.set_offline(True)
    choose(page, "2")
    go_on(page, "time")
    expect(page.locator("#note")).to_contain_text("Saved on this device")
    # Another branch, and back again: what was answered on it is not lost.
    page.locator("#back").click()
    page.locator("#back").click()
    choose(page, "No coffee at all")
    go_on(page, "why")
    page.locator("#back").click()
    choose(page, "Coffee, black")
    go_on(page, "cups")
    expect(page.locator("#q-cups").get_by_label("2", exact=True)).to_be_checked()
    context.close()

    # The page opens without a connection, at the same question.
    context, page = device()
    context.set_offline(True)
    begin(page, quiz)
    at(page, "cups")
    expect(page.locator("#q-cups").get_by_label("2", exact=True)).to_be_checked()
    go_on(page, "time")
    choose(page, "Five minutes")
    go_on(page, "have")
    choose(page, "A kettle")
    choose(page, "None of these")
    go_on(page, "wish")
    page.fill("#a-wish", "Cold, or <b>late</b>")
    page.locator("#next").click()
    expect(page.locator("#sending")).to_be_visible()
    expect(page.locator("#note")).to_contain_text("Saved on this device")
    context.close()

    context, page = device()
    context.set_offline(True)
    page.goto(quiz.address)
    expect(page.locator("#sending")).to_be_visible()
    lost = lose(page, "POST", 1)
    context.set_offline(False)
    heading = page.locator("#result h2").first
    expect(heading).to_have_text("Filter coffee, slowly")
    assert [url for url in lost if url.endswith("finish/")]
    # A second window shows the same, and so does the page when it is loaded again.
    other = context.new_page()
    other.goto(quiz.address)
    expect(other.locator("#result h2").first).to_have_text("Filter coffee, slowly")
    assert context.cookies() == []
    # Nothing is kept for an attempt that is over.
    until(page, lambda: page.evaluate(_IS_FORGOTTEN))
    context.close()
    answers = {"drink": "black", "cups": 2, "time": "five", "have": ["kettle", "nothing"]}
    assert quiz.rows() == [answers]
    assert quiz.rows("source ->> 'ref'") == ["letter"]
    assert quiz.rows("answers", "result") == [{**answers, "wish": None}]
    assert quiz.rows("private <> ''", "result") == [True]


def test_a_time_limit_is_counted_down_in_minutes(
    system: System, window: Callable[..., Page]
) -> None:
    settings = {"headline": "outcome", "time_limit": 90}
    quiz = Played(system, "coffee", definition={"settings": settings})
    page = window()
    page.clock.install()
    begin(page, quiz)
    expect(page.locator("#left")).to_be_hidden()
    choose(page, "Coffee, black")
    page.clock.run_for(2_000)
    expect(page.locator("#left")).to_have_text("2 minutes are left.")
    page.clock.run_for(30_000)
    expect(page.locator("#left")).to_have_text("Less than a minute is left.")
    page.clock.run_for(60_000)
    expect(page.locator("#left")).to_contain_text("The time is over.")


def test_two_windows_share_an_attempt_and_one_without_storage_says_so(
    system: System, window: Callable[..., Page]
) -> None:
    quiz = Played(system, "barista")
    one = window()
    begin(one, quiz)
    choose(one, "Arabica")
    go_on(one, "capital")
    other = one.context.new_page()
    begin(other, quiz)
    at(other, "capital")
    other.fill("#a-capital", "Addis Ababa")
    go_on(other, "fruit")
    # The first window is behind, and adds to what the other has answered.
    one.locator("#next").click()
    choose(one, "The seed of a fruit")
    go_on(one, "heat")
    one.fill("#a-heat", "3e2")
    one.locator("#next").click()
    expect(one.locator("#e-heat")).to_have_text("Write a number such as 12.5.")
    expect(one.locator("#a-heat")).to_be_focused()
    one.fill("#a-heat", "92,5")
    for key in ("slow", "decaf", "roast", "drinks"):
        go_on(one, key)
    one.locator("#next").click()
    expect(one.locator("#result .score")).to_have_text("9 of 20 points, 45 %")
    # The other window hears of the end.
    expect(other.locator("#result .score")).to_have_text("9 of 20 points, 45 %")
    assert quiz.rows() == [{"species": "arabica", "fruit": "seed", "heat": "92.5"}]

    alone = window()
    alone.add_init_script(_NO_STORAGE)
    alone.goto(quiz.address)
    choose(alone, "Robusta")
    expect(alone.locator("#note")).to_contain_text("This browser keeps nothing")
    for key in ("capital", "fruit", "heat", "slow", "decaf", "roast", "drinks"):
        go_on(alone, key)
    alone.locator("#next").click()
    expect(alone.locator("#result h2").first).to_have_text("A welcome guest")
    # Loaded again it is another attempt, as nothing was kept.
    alone.reload()
    at(alone, "species")
    assert len(quiz.rows()) == 2


def test_keys_alone_in_two_languages_at_any_size(
    system: System, window: Callable[..., Page]
) -> None:
    quiz = Played(system, "coffee")
    page = window()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    begin(page, quiz)
    assert violations(page) == []
    expect(page.locator("#progress-words")).to_have_text("Question 1 of up to 7")
    page.locator("#next").focus()
    page.keyboard.press("Enter")
    # The fault is told, tied to its field, and nothing goes on.
    expect(page.locator("#e-drink")).to_have_text("Please answer this question.")
    expect(page.locator("#q-drink fieldset")).to_have_attribute("aria-invalid", "true")
    assert violations(page) == []
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    at(page, "drink")
    page.keyboard.press("Enter")
    at(page, "why")
    expect(page.locator("#q-why h2")).to_be_focused()
    expect(page.locator("#progress-words")).to_have_text("Question 2 of 5")
    assert violations(page) == []
    page.get_by_role("link", name="Deutsch").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Welcher Kaffee passt zu dir?")
    expect(page.locator("#progress-words")).to_have_text("Frage 2 von 5")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    for direction in ("", "rtl"):
        assert wide(page, 320, direction) == []
    # A window of 1280 pixels at 200 % has half of them.
    assert wide(page, 640) == []
    assert unseen_focus(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    page.locator("#next").focus()
    for key in ("time", "have", "wish"):
        page.keyboard.press("Enter")
        at(page, key)
        page.locator("#next").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#result h2").first).to_have_text("Ehrlich gesagt: Tee")
    expect(page.locator("#result h2").first).to_be_focused()
    assert violations(page) == []
    trap = page.locator("#website").bounding_box()
    assert trap is not None
    assert trap["x"] < 0
    expect(page.locator("#contact-form input[type=checkbox]")).not_to_be_checked()
    for direction in ("", "rtl"):
        assert wide(page, 320, direction) == []
    assert [url for url in asked if not url.startswith(system.url)] == []
    assert complaints == []
    assert quiz.rows("language", "result") == ["de"]


@contextmanager
def site(body: Callable[[], str]) -> Iterator[int]:
    """Serve a page of another site, during the block. Yield its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body().encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_only_its_own_origins_frame_a_quiz_and_hear_its_height(
    system: System, window: Callable[..., Page]
) -> None:
    quizzes: list[Played] = []

    def body() -> str:
        script = f"{quizzes[0].address}embed.js?lang=de"
        return f'<!doctype html><p>Shop</p><script src="{script}" async></script>'

    with site(body) as port:
        quizzes.append(Played(system, "coffee", embed=[f"http://localhost:{port}"]))
        _framed(quizzes[0], window(), port)


def _framed(quiz: Played, page: Page, port: int) -> None:
    page.goto(f"http://localhost:{port}/?utm_source=letter")
    frame = page.frame_locator("iframe")
    expect(frame.locator("body.ready.embedded")).to_be_attached()
    expect(frame.locator("h1")).to_have_text("Welcher Kaffee passt zu dir?")
    wait_for(lambda: page.locator("iframe").evaluate("each => each.style.height") != "480px")
    height = page.locator("iframe").evaluate("each => parseInt(each.style.height)")
    assert height % 40 == 0
    assert 200 <= height <= 1200
    frame.get_by_label("Kaffee, schwarz", exact=True).check()
    frame.locator("#next").click()
    expect(frame.locator("#q-cups.now")).to_be_visible()
    wait_for(lambda: quiz.rows("source ->> 'utm_source'") == ["letter"])
    assert page.context.cookies() == []
    # The same page at another origin.
    page.goto(f"http://127.0.0.1:{port}/")
    wait_for(lambda: len(page.frames) > 1)
    expect(page.frame_locator("iframe").locator("body.quiz")).to_have_count(0)


def test_an_address_is_given_before_the_result_is_shown(
    system: System, window: Callable[..., Page]
) -> None:
    quiz = Played(system, "back-office")
    page = window()
    begin(page, quiz)
    choose(page, "I work alone")
    go_on(page, "how")
    expect(page.locator("#q-how h2")).to_be_focused()
    for key in ("invoices", "overdue", "margin", "has_stock"):
        go_on(page, key)
        page.locator(f"#q-{key} input").last.check()
    for key in ("away", "evenings"):
        go_on(page, key)
        page.locator(f"#q-{key} input").first.check()
    go_on(page, "hours")
    page.locator("#next").click()
    expect(page.locator("#contact-ready")).to_be_focused()
    expect(page.locator("#result-body")).to_be_empty()
    page.locator("#contact-form button").click()
    expect(page.locator("#contact-error")).to_contain_text("name@example.org")
    expect(page.locator("#email")).to_be_focused()
    page.fill("#email", "zoe@example.org")
    page.locator("#contact-form input[type=checkbox]").check()
    assert violations(page) == []
    page.locator("#contact-form button").click()
    expect(page.locator("#given")).to_contain_text("z…@example.org")
    expect(page.locator("#result-body h2")).to_have_text("In order, with gaps")
    expect(page.locator("#result .parts")).to_contain_text("Money")
    assert violations(page) == []
    # It is shown again when the page is loaded again, and asked for no more.
    page.reload()
    expect(page.locator("#result-body h2")).to_have_text("In order, with gaps")
    expect(page.locator("#contact")).to_be_hidden()


def test_without_javascript_one_form_has_everything(
    system: System, window: Callable[..., Page]
) -> None:
    quiz = Played(system, "barista")
    page = window(java_script_enabled=False)
    page.goto(f"{quiz.address}?lang=de")
    assert page.locator(".question:visible").count() == 8
    page.get_by_label("Arabica", exact=True).check()
    page.fill("#a-heat", "viel")
    page.get_by_role("button").click()
    expect(page.locator("#e-heat")).to_be_visible()
    expect(page.get_by_label("Arabica", exact=True)).to_be_checked()
    page.fill("#a-heat", "93,5")
    page.get_by_role("button").click()
    expect(page.locator("#result .score")).to_have_text("5 von 20 Punkten, 25 %")
    page.reload()
    assert quiz.rows() == [{"species": "arabica", "heat": "93.5"}]


def test_javascript_and_python_agree_on_the_path(
    system: System, window: Callable[..., Page]
) -> None:
    page = window()
    begin(page, Played(system, "coffee"))
    waiting: list[Any] = []
    compared = 0
    for case in cases(CASES):
        questions = [
            {name: question[name] for name in ("key", "show_if") if name in question}
            for question in case.definition["questions"]
        ]
        waiting.append((questions, case.answers, case.path))
        if len(waiting) == AT_ONCE:
            found = page.evaluate(_PATHS, json.dumps([each[:2] for each in waiting]))
            wrong = [each for each, keys in zip(waiting, found, strict=True) if each[2] != keys]
            assert wrong == []
            compared += len(waiting)
            waiting.clear()
    assert compared == CASES
