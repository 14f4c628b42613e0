"""Second factors in a browser, with a passkey that Chromium keeps; by keyboard, without scripts."""

from collections.abc import Callable, Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.browser import checks
from tests.browser.looking import photograph
from tests.browser.windows import Windows, submit
from tests.system import System

pytestmark = pytest.mark.system
NAME, PASSWORD = "ann", "demo-ann"


@pytest.fixture
def windows(browser: Browser, system: System, problems: list[str]) -> Iterator[Windows]:
    # Passkeys are for the name that `make run` prints.
    opened = Windows(browser, f"http://localhost:{system.port}", problems)
    yield opened
    opened.close()


@pytest.fixture
def authenticator() -> Callable[[Page], tuple[CDPSession, str]]:
    """Return a function that gives a window a passkey store which verifies its user."""

    def add(page: Page) -> tuple[CDPSession, str]:
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return session, made["authenticatorId"]

    return add


def looks(page: Page, name: str) -> list[str]:
    """Return what is wrong with the page, after taking its pictures."""
    faults = [f"{name}: {each}" for each in checks.violations(page)]
    faults += [f"{name}: {each}" for each in checks.unseen_focus(page)]
    for width, theme in ((1280, "light"), (390, "dark")):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        photograph(page, f"2fa-{name}", width, theme)  # type: ignore[arg-type]
    faults += [f"{name}: {each}" for each in checks.wide(page, 320)]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
    return faults


def sign_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    submit(page, page.locator("main form button").first)


def test_a_passkey_is_added_signs_in_and_confirms(
    windows: Windows, authenticator: Callable[[Page], tuple[CDPSession, str]]
) -> None:
    page = windows.sign_in(NAME, PASSWORD)
    session, id = authenticator(page)
    page.goto("/accounts/2fa/")
    faults = looks(page, "overview-empty")
    page.goto("/accounts/2fa/passkeys/add/")
    faults += looks(page, "add")
    page.fill("#id_name", "this machine")
    page.keyboard.press("Enter")
    codes = page.locator("pre code")
    codes.wait_for()
    assert len(codes.inner_text().split()) == 10
    faults += looks(page, "codes")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "recovery-codes.txt"
    recovery = codes.inner_text().split()
    page.goto("/accounts/2fa/")
    expect(page.get_by_text("this machine").first).to_be_visible()
    faults += looks(page, "overview")

    # Both factors at once.
    sign_out(page)
    page.goto("/accounts/login/?next=/accounts/2fa/")
    page.get_by_role("button", name="Sign in with a passkey").press("Enter")
    expect(page).to_have_url(f"{windows.url}/accounts/2fa/")

    # After the password, and with an authenticator that verifies nobody.
    sign_out(page)
    page.goto("/accounts/login/")
    page.fill("#id_login", NAME)
    page.fill("#id_password", PASSWORD)
    submit(page)
    expect(page).to_have_url(f"{windows.url}/accounts/2fa/authenticate/")
    faults += looks(page, "second")
    session.send("WebAuthn.setUserVerified", {"authenticatorId": id, "isUserVerified": False})
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="No passkey was used")).to_be_visible()
    session.send("WebAuthn.setUserVerified", {"authenticatorId": id, "isUserVerified": True})
    with page.expect_navigation():
        page.get_by_role("button", name="Use a passkey").click()
    page.goto("/accounts/2fa/passkeys/reauthenticate/?next=/accounts/2fa/")
    faults += looks(page, "confirm")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{windows.url}/accounts/2fa/")

    # An app besides, whose secret is on the page as text.
    page.goto("/accounts/2fa/totp/activate/")
    faults += looks(page, "app")
    secret = page.locator("pre code").inner_text().replace(" ", "")
    now = int(page.evaluate("Date.now()")) // 30_000
    page.fill("#id_code", format_hotp_value(hotp_value(secret, now)))
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{windows.url}/accounts/2fa/")
    faults += looks(page, "both")

    # Without the phone, by a recovery code, without scripts.
    stranger = windows.open("/accounts/login/", java_script_enabled=False)
    stranger.fill("#id_login", NAME)
    stranger.fill("#id_password", PASSWORD)
    submit(stranger)
    stranger.fill("#id_code", recovery[0])
    submit(stranger)
    assert stranger.goto("/accounts/2fa/").ok  # type: ignore[union-attr]
    expect(stranger.get_by_text("9 codes are left")).to_be_visible()

    # Both are removed by their buttons, so that others find the account as it was.
    page.get_by_role("button", name="Remove", exact=True).click()
    with page.expect_navigation():
        page.locator("#remove-app").get_by_role("button", name="Remove").click()
    with page.expect_navigation():
        page.get_by_role("button", name="Remove this machine").click()
    expect(page.get_by_text("The passkey is removed")).to_be_visible()
    assert not faults, "\n".join(faults)
