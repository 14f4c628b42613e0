"""Take the pictures of README and docs, in light and dark: ``make pictures``."""

import base64
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.demo import demo, zone
from tests.browser.windows import Windows, chromium
from tests.system import ROOT, System

FOLDER = ROOT / "docs" / "pictures"
LARGEST = 150_000
"""Bytes of a picture."""
DESK, PHONE = (1280, 800), (390, 844)
PICTURES = {
    "shop": ("joe", "/", DESK),
    "phone": ("joe", "/", PHONE),
    "purchases": ("staff", "/purchases/", DESK),
    "dashboard": ("staff", "/dashboard/", DESK),
    "customer": ("staff", "/customers/005/", DESK),
    "till": ("staff", "/till/", DESK),
}
"""Who sees which page in a window of which size."""


def _take(page: Page, path: Path) -> None:
    """Write the window as WebP, in the best quality that is small enough."""
    session = page.context.new_cdp_session(page)
    for quality in (85, 75, 60, 45, 30):
        shot = session.send(
            "Page.captureScreenshot", {"format": "webp", "quality": quality, "fromSurface": True}
        )
        data = base64.b64decode(shot["data"])
        if len(data) <= LARGEST:
            path.write_bytes(data)
            print(f"{path.relative_to(ROOT)}: {len(data) / 1000:.0f} kB at quality {quality}")
            return
    raise SystemExit(f"{path.name} stays larger than {LARGEST} bytes.")


def _record(page: Page) -> None:
    """Record some purchases at the till, and begin another one."""
    for n, (item, price) in enumerate((("Fountain pen", "42"), ("Ink, 50 ml", "12.90"))):
        page.fill("#item", item)
        page.fill("#price", price)
        page.keyboard.press("Enter")
        expect(page.locator(".entries li")).to_have_count(n + 1)
    page.fill("#item", "Notebook, A5")
    page.fill("#price", "15.49")


def _all(system: System, browser: Browser) -> list[str]:
    problems: list[str] = []
    for name, (who, address, size) in PICTURES.items():
        windows = Windows(browser, system.url, problems)
        page = windows.sign_in(
            who,
            viewport={"width": size[0], "height": size[1]},
            device_scale_factor=1.5 if size == DESK else 2,
            locale="en-GB",
            timezone_id=zone(),
            reduced_motion="reduce",
        )
        page.goto(address)
        page.wait_for_load_state("networkidle")
        if name == "till":
            _record(page)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            _take(page, FOLDER / f"{name}-{theme}.webp")
        windows.close()
    return problems


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with demo() as system, chromium() as browser:
        problems = _all(system, browser)
    print("\n".join(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
