"""The till in a real browser, on the running site, behind a network that fails.

After each fault the rows of the ledger are counted: nothing typed is lost, and nothing is twice.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright._impl._api_structures import SetCookieParam
from playwright.sync_api import BrowserContext, Error, Page, expect, sync_playwright
from playwright.sync_api import Playwright as Engine

from tests.browser.windows import ARGUMENTS, BROWSERS, chromium
from tests.sessions import Browser
from tests.system import System, wait_for
from till.tests.proxy import Proxy, network

pytestmark = pytest.mark.system

Open = Callable[..., BrowserContext]
MANY = 150
_TOKENS: dict[str, str] = {}
"""Three times what a list of the page shows."""
# The page waits until the service worker answers for it.
CONTROLLED = """navigator.serviceWorker.controller ? 0 : new Promise(
  (done) => navigator.serviceWorker.addEventListener("controllerchange", () => done(0)))"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Skip without a browser, or fail on CI."""
    with chromium():
        pass
    with sync_playwright() as started:
        yield started


@pytest.fixture
def net(system: System) -> Iterator[Proxy]:
    with network(system.port) as proxy:
        yield proxy


@pytest.fixture
def device(engine: Engine, tmp_path: Path) -> Iterator[Open]:
    """Open the browser of one device, whose data stay when it is closed."""
    path = next(filter(None, map(shutil.which, BROWSERS)))
    opened: list[BrowserContext] = []

    def start(**options: Any) -> BrowserContext:
        context = engine.chromium.launch_persistent_context(
            tmp_path / "device", executable_path=path, args=ARGUMENTS, **options
        )
        context.set_default_timeout(15_000)
        opened.append(context)
        return context

    yield start
    for context in opened:
        context.close()


def sign_in(context: BrowserContext, net: Proxy, name: str = "till") -> Page:
    """Sign in by the form, and come to the till."""
    page = context.new_page()
    page.goto(f"{net.url}/accounts/login/?next=/till/")
    fill_sign_in(page, name)
    ready(page)
    return page


def fill_sign_in(page: Page, name: str) -> None:
    page.fill("#id_login", name)
    page.fill("#id_password", f"demo-{name}")
    page.keyboard.press("Enter")


@pytest.fixture(scope="module")
def cookies(system: System) -> list[SetCookieParam]:
    """A session of the demo account till. Cookies belong to a host, whatever the port."""
    browser = Browser(system)
    browser.sign_in("till", "demo-till")
    found = browser.http.cookies
    browser.http.close()
    return [{"name": name, "value": found[name], "url": system.url} for name in found]


@pytest.fixture
def till(device: Open, net: Proxy, cookies: list[SetCookieParam]) -> Page:
    """The till in a browser that is signed in."""
    context = device()
    context.add_cookies(cookies)
    return window(context, net)


def window(context: BrowserContext, net: Proxy) -> Page:
    """Open the till in one more window."""
    page = context.new_page()
    page.goto(f"{net.url}/till/")
    ready(page)
    return page


def end_session(context: BrowserContext) -> None:
    """Take the session away, as its end does; the token of forms stays."""
    (name,) = [each["name"] for each in context.cookies() if each["name"].startswith("sessionid")]
    context.clear_cookies(name=name)


def ready(page: Page) -> None:
    """Wait until the scripts have shown the queue."""
    expect(page.locator("#device")).to_be_visible()


def type_entry(page: Page, item: str, price: str = "2,50", customer: str = "") -> None:
    """Type an entry by the keyboard alone, from the first field."""
    if page.locator("#username").count():
        page.keyboard.type(customer)
        page.keyboard.press("Tab")
    page.keyboard.type(item)
    page.keyboard.press("Tab")
    page.keyboard.type(price)
    page.keyboard.press("Enter")
    expect(page.locator("#told")).to_contain_text(item)


def counted(page: Page, state: str, count: int, timeout: float = 15_000) -> None:
    """Wait until the list has so many entries."""
    badge = page.locator(f"[data-list={state}] .badge")
    if count:
        expect(badge).to_have_text(str(count), timeout=timeout)
    else:
        expect(page.locator(f"[data-list={state}]")).to_be_hidden(timeout=timeout)


def staff_token(system: System) -> str:
    """Return a token of staff, of one sign-in, because a site lets an address sign in so often."""
    if system.url not in _TOKENS:
        _TOKENS[system.url] = system.token("staff")
    return _TOKENS[system.url]


def rows(system: System, item: str) -> list[dict[str, Any]]:
    """Return the ledger's purchases of an item."""
    token = staff_token(system)
    return list(
        system.request("GET", f"/api/v1/purchases/?item={item}", token=token).json()["results"]
    )


def recorded_since(system: System, position: int) -> list[str]:
    """Return the items of all purchases recorded since, in the ledger's order."""
    token = staff_token(system)
    page = system.request("GET", f"/api/v1/events/?after={position}&limit=5000", token=token)
    return [event["purchase"]["item"] for event in page.json()["events"] if "purchase" in event]


def new_item(word: str) -> str:
    return f"{word}-{uuid.uuid4().hex[:8]}"


def test_keys_alone_record_and_items_come_back_by_one_key(
    system: System, net: Proxy, till: Page
) -> None:
    page = till
    item = new_item("book")
    page.keyboard.type("jo")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(item)
    page.keyboard.press("Tab")
    page.keyboard.type("1.195,30")
    expect(page.locator("#price-understood")).to_contain_text("1,195.30")
    page.keyboard.press("Enter")
    counted(page, "sent", 1)
    expect(page.locator("#username")).to_be_focused()
    page.keyboard.press("Alt+Digit1")
    expect(page.locator("#item")).to_have_value(item)
    page.keyboard.press("Enter")
    counted(page, "sent", 2)
    found = rows(system, item)
    assert [row["price"] for row in found] == ["1195.30", "1195.30"]
    assert sorted(row["username"] for row in found) == ["joe", "till"]


def test_an_answer_that_is_lost_and_a_busy_server_record_once(
    system: System, net: Proxy, till: Page
) -> None:
    page = till
    lost, busy, hotel = new_item("lost"), new_item("busy"), new_item("hotel")
    for mode, item in (("deaf", lost), ("busy", busy), ("hotel", hotel)):
        net.be(mode, 1)
        type_entry(page, item)
        expect(page.locator(f"[data-list=sent] li:has-text('{item}')")).to_have_count(1)
        assert len(rows(system, item)) == 1
    # The purchase whose answer was lost was sent twice, under one key.
    assert len({key for item, key in net.sent if item == lost}) == 1
    assert len([item for item, _ in net.sent if item == lost]) == 2
    expect(page.locator("[data-list=sent]")).to_contain_text("recorded once")


def test_a_killed_browser_starts_without_a_connection_and_loses_nothing(
    system: System, net: Proxy, device: Open, till: Page, cookies: list[SetCookieParam]
) -> None:
    page = till
    page.evaluate(CONTROLLED)
    kept = page.evaluate(
        "caches.keys().then(async names => (await Promise.all(names.map(async name =>"
        " (await (await caches.open(name)).keys()).map(r => new URL(r.url).pathname)))).flat())"
    )
    assert "/till/" in kept
    others = {path for path in kept if not path.startswith("/static/")}
    assert others <= {"/till/", "/jsi18n/"}, "Only the page and its files are kept."
    items = [new_item("dark") for _ in range(3)]
    net.be("away")
    for item in items[:2]:
        type_entry(page, item)
    counted(page, "waiting", 2)
    _kill(page)
    # Started again, still without a connection.
    context = device()
    page = window(context, net)
    counted(page, "waiting", 2)
    type_entry(page, items[2])
    counted(page, "waiting", 3)
    assert not [row for item in items for row in rows(system, item)]
    # A browser writes cookies to the disk only now and then.
    context.add_cookies(cookies)
    net.be("through")
    page.click("#send-now")
    counted(page, "sent", 3)
    assert [item for item, _ in net.sent] == items
    assert [len(rows(system, item)) for item in items] == [1, 1, 1]


def _kill(page: Page) -> None:
    """End the browser's process as a power cut does."""
    session = page.context.new_cdp_session(page)
    with suppress(Error):
        session.send("Browser.crash")


def test_many_wait_and_are_sent_in_order_by_one_of_two_windows(
    system: System, net: Proxy, till: Page
) -> None:
    page, second = till, window(till.context, net)
    net.be("away")
    run = new_item("run")
    # Typing them would take minutes, so they are put into the queue by its own code.
    page.evaluate(
        """async ([run, many]) => {
          const { openQueue } = await import("/static/till/queue.js");
          const queue = await openQueue();
          const account = Number(document.getElementById("till").dataset.account);
          for (let at = 0; at < many; at += 1) {
            await queue.add({ key: `${run}-${at}`, account, name: "till", typed_at: Date.now(),
              fields: { item: `${run}-${at}`, quantity: 1, price: "1.00", currency: "EUR" } });
          }
        }""",
        [run, MANY],
    )
    position = system.log_end(staff_token(system))
    net.be("through")
    for each in (page, second):
        each.evaluate("dispatchEvent(new Event('online'))")
    wait_for(lambda: len(net.sent) >= MANY, 120)
    for each in (page, second):
        counted(each, "waiting", 0)
    expected = [f"{run}-{at}" for at in range(MANY)]
    assert [item for item, _ in net.sent] == expected, "One window sends, in order."
    wait_for(lambda: len(recorded_since(system, position)) >= MANY)
    assert recorded_since(system, position) == expected


def test_a_deploy_while_entries_wait_sends_each_once(
    system: System, net: Proxy, till: Page
) -> None:
    """A window of the old version stays open beside one of the new, and both have typed."""
    old = till
    old.evaluate(CONTROLLED)
    (name,) = old.evaluate("caches.keys()")
    items = [new_item("deploy") for _ in range(3)]
    net.be("away")
    type_entry(old, items[0])
    counted(old, "waiting", 1)
    net.deployed = (name.removeprefix("till-").encode(), b"another-version")
    net.be("busy")
    new = window(till.context, net)
    wait_for(lambda: new.evaluate("caches.keys()") == ["till-another-version"])
    counted(new, "waiting", 1)
    for page, item in ((new, items[1]), (old, items[2])):
        page.bring_to_front()
        type_entry(page, item)
    counted(new, "waiting", 3)
    net.be("through")
    new.click("#send-now")
    for page in (new, old):
        counted(page, "waiting", 0)
    assert [len(rows(system, item)) for item in items] == [1, 1, 1]
    assert [item for item, _ in net.sent] == items
    # The new version starts without a connection.
    net.be("away")
    new.reload()
    ready(new)
    counted(new, "sent", 3)


def test_what_is_refused_stops_nothing_and_is_mended_or_dropped(
    system: System, net: Proxy, till: Page
) -> None:
    page = till
    bad, good, gone = new_item("bad"), new_item("good"), new_item("gone")
    net.be("away")
    page.fill("#currency", "QQQ")
    page.focus("#username")
    type_entry(page, bad)
    type_entry(page, gone)
    page.fill("#currency", "EUR")
    page.focus("#username")
    type_entry(page, good)
    net.be("through")
    page.evaluate("dispatchEvent(new Event('online'))")
    counted(page, "refused", 2)
    counted(page, "sent", 1)
    refused = page.locator("[data-list=refused] li")
    expect(refused.first).to_contain_text("no such currency")
    typed_at = page.locator(f"[data-list=refused] li:has-text('{bad}') time").get_attribute(
        "datetime"
    )
    page.locator(f"[data-list=refused] li:has-text('{bad}')").get_by_text("Mend").click()
    expect(page.locator("#currency")).to_be_focused()
    page.fill("#currency", "EUR")
    page.keyboard.press("Enter")
    counted(page, "refused", 1)
    counted(page, "sent", 2)
    drop = page.locator(f"[data-list=refused] li:has-text('{gone}')").get_by_text("Drop")
    drop.click()
    page.get_by_text("Drop it for good?").click()
    counted(page, "refused", 0)
    assert [len(rows(system, item)) for item in (bad, good, gone)] == [1, 1, 0]
    assert rows(system, bad)[0]["timestamp"][:23] == str(typed_at)[:23]
    # A server that makes a mistake each time is told apart, and the next entry goes on.
    doomed, next_one = new_item("doomed"), new_item("next")
    net.be("broken", 3)
    type_entry(page, doomed)
    type_entry(page, next_one)
    expect(page.locator("[data-list=refused]")).to_contain_text(
        "Trying again is safe", timeout=30_000
    )
    expect(page.locator(f"[data-list=sent] li:has-text('{next_one}')")).to_have_count(1)
    page.locator("[data-list=refused]").get_by_text("Try again").click()
    counted(page, "refused", 0)
    assert len(rows(system, doomed)) == 1


def test_a_session_that_ended_and_another_account_send_nothing_that_is_not_theirs(
    system: System, net: Proxy, till: Page
) -> None:
    page, context = till, till.context
    item, after = new_item("mine"), new_item("after")
    end_session(context)
    type_entry(page, item)
    expect(page.locator("#connection")).to_have_text("Signed out")
    counted(page, "waiting", 1)
    # Somebody else signs in, in another window.
    other = sign_in(context, net, "joe")
    expect(other.locator("#warnings")).to_contain_text("1 entry of till")
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.locator("#connection")).to_have_text("Somebody else is signed in")
    type_entry(page, after)
    counted(page, "waiting", 2)
    type_entry(other, new_item("joes"))
    counted(other, "sent", 1)
    assert rows(system, item) == rows(system, after) == []
    end_session(context)
    back = sign_in(context, net)
    counted(back, "waiting", 0)
    assert [len(rows(system, each)) for each in (item, after)] == [1, 1]
    assert {row["username"] for each in (item, after) for row in rows(system, each)} == {"till"}


def test_a_renewed_token_does_not_stop_the_queue(system: System, net: Proxy, till: Page) -> None:
    page, context = till, till.context
    end_session(context)
    sign_in(context, net)
    item = new_item("token")
    page.bring_to_front()
    type_entry(page, item)
    counted(page, "sent", 1)
    assert len(rows(system, item)) == 1


@pytest.mark.parametrize("hours", [-3, 2])
def test_a_wrong_clock_is_shown_and_put_right(
    system: System, net: Proxy, device: Open, cookies: list[SetCookieParam], hours: int
) -> None:
    context = device()
    context.add_init_script(
        f"const real = Date.now; Date.now = () => real.call(Date) + {hours} * 3600e3;"
    )
    context.add_cookies(cookies)
    page = window(context, net)
    expect(page.locator("#warnings")).to_contain_text("slow" if hours < 0 else "fast")
    item = new_item("clock")
    type_entry(page, item)
    counted(page, "sent", 1)
    (row,) = rows(system, item)
    # Both are the server's times, so they differ by the way only.
    assert (
        row["timestamp"][:15] == row["received_at"][:15]
        or abs(_seconds(row["timestamp"]) - _seconds(row["received_at"])) < 30
    )


def _seconds(text: str) -> float:
    hours, minutes, seconds = text[11:26].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def test_a_device_that_keeps_nothing_says_so_and_sends_at_once(
    system: System, net: Proxy, device: Open, cookies: list[SetCookieParam]
) -> None:
    context = device()
    context.add_init_script("Object.defineProperty(globalThis, 'indexedDB', { value: undefined });")
    context.add_cookies(cookies)
    page = window(context, net)
    expect(page.locator("#warnings")).to_contain_text("keeps nothing")
    item = new_item("private")
    net.be("deaf", 1)
    page.focus("#username")
    page.keyboard.press("Tab")
    page.keyboard.type(item)
    page.keyboard.press("Tab")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    counted(page, "sent", 1)
    assert len(rows(system, item)) == 1


def test_a_device_without_room_sends_at_once_and_a_full_one_takes_no_more(
    system: System, net: Proxy, till: Page
) -> None:
    page = till
    # What a browser does whose disk is full.
    page.evaluate(
        """() => {
          const { add } = IDBObjectStore.prototype;
          globalThis.makeRoom = () => { IDBObjectStore.prototype.add = add; };
          IDBObjectStore.prototype.add = () => {
            throw new DOMException("", "QuotaExceededError");
          };
        }"""
    )
    item, more = new_item("room"), new_item("more")
    page.keyboard.press("Tab")
    page.keyboard.type(item)
    page.keyboard.press("Tab")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(page.locator("#told")).to_contain_text("has no room")
    counted(page, "sent", 1)
    assert len(rows(system, item)) == 1
    net.be("away")
    page.evaluate(
        """async () => {
          makeRoom();
          const { LIMIT } = await import("/static/till/queue.js");
          const opened = indexedDB.open("till");
          await new Promise((done) => (opened.onsuccess = done));
          const writing = opened.result.transaction("entries", "readwrite");
          for (let at = 0; at < LIMIT; at += 1)
            writing.objectStore("entries").add({ key: `full-${at}`, account: 0, state: "waiting" });
          await new Promise((done) => (writing.oncomplete = done));
        }"""
    )
    page.focus("#username")
    page.keyboard.press("Tab")
    page.keyboard.type(more)
    page.keyboard.press("Tab")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(page.locator("#told")).to_contain_text("2000 entries wait")
    # It stays in the form, to be recorded when there is room.
    expect(page.locator("#item")).to_have_value(more)


def test_without_javascript_the_form_records_and_keeps_what_was_typed(
    system: System, net: Proxy, device: Open, cookies: list[SetCookieParam]
) -> None:
    context = device(java_script_enabled=False)
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(f"{net.url}/till/")
    item = new_item("plain")
    page.fill("#item", item)
    page.fill("#price", "4,75")
    end_session(context)
    page.click("#record")
    page.get_by_role("link", name="Sign in and go on").click()
    fill_sign_in(page, "till")
    expect(page.locator("#item")).to_have_value(item)
    expect(page.locator("#price")).to_have_value("4,75")
    page.click("#record")
    expect(page.locator(".messages")).to_contain_text("4.75")
    assert len(rows(system, item)) == 1
