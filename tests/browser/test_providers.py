"""Signing in with a provider, from the button to the account, under the policy of the pages."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import checks
from tests.browser.looking import photograph
from tests.browser.windows import Windows
from tests.identity import CLIENT_ID, CLIENT_SECRET, providing
from tests.system import System, free_port
from tests.web import serving

pytestmark = pytest.mark.system


def test_a_button_leads_to_a_provider_and_back(
    browser: Browser, system: System, problems: list[str]
) -> None:
    port = free_port()
    site = f"http://127.0.0.1:{port}"
    callback = f"{site}/accounts/oidc/example/login/callback/"
    with providing(redirects=[callback]) as provider:
        provider.person("number-1", email="provided@example.com", email_verified=True)
        environment = {
            "OIDC_EXAMPLE_ISSUER": provider.url,
            "OIDC_EXAMPLE_CLIENT_ID": CLIENT_ID,
            "OIDC_EXAMPLE_CLIENT_SECRET": CLIENT_SECRET,
            "SITE_URL": site,
            "DATA_DIR": str(system.data_dir),
            **system.servers(),
        }
        with serving(port, **environment):
            windows = Windows(browser, site, problems)
            page = windows.open("/accounts/login/?next=/purchases/")
            faults = checks.violations(page)
            page.emulate_media(color_scheme="dark")
            photograph(page, "providers-login", 390, "dark")
            page.get_by_role("button", name="Sign in with Example").click()
            expect(page).to_have_url(f"{site}/accounts/3rdparty/signup/")
            faults += checks.violations(page)
            photograph(page, "providers-signup", 1280, "light")
            page.get_by_label("Username").fill("provided")
            page.get_by_role("button", name="Sign up").click()
            expect(page).to_have_url(f"{site}/purchases/")
            page.goto("/accounts/3rdparty/")
            faults += checks.violations(page)
            photograph(page, "providers-links", 390, "light")
            expect(page.get_by_role("button", name="Disconnect Example")).to_be_visible()
            page.get_by_role("button", name="Connect Example", exact=True).click()
            expect(page.get_by_text("Example is connected already.")).to_be_visible()
            # The code's pages, by keyboard.
            page = windows.open("/accounts/login/")
            page.get_by_role("link", name="Mail me a code").press("Enter")
            page.get_by_label("Email address").fill("provided@example.com")
            page.keyboard.press("Enter")
            page.get_by_label("Code").fill("AAAA-AAAA")
            page.keyboard.press("Enter")
            expect(page.get_by_label("Code")).to_have_attribute("aria-invalid", "true")
            faults += checks.violations(page) + checks.wide(page, 320)
            photograph(page, "providers-code", 390, "light")
            windows.close()
    assert faults == []
