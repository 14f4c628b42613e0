"""Measure pages with Lighthouse and put the table into docs/performance.md: ``make lighthouse``."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser.demo import demo
from tests.browser.windows import BROWSERS
from tests.sessions import Browser
from tests.system import ROOT, System

VERSION = "12.8.2"
DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- lighthouse -->", "<!-- /lighthouse -->"
PAGES = {
    "sign-in": ("", "/accounts/login/"),
    "shop": ("joe", "/"),
    "purchases, a list of 50": ("joe", "/purchases/"),
    "dashboard": ("staff", "/dashboard/"),
    "documentation": ("", "/documentation"),
}
"""Who sees which page."""
AUDITED = ("performance", "accessibility", "best-practices")
LEAST = {"performance": 95, "accessibility": 100, "best-practices": 100}


def _cookies(system: System, username: str) -> str:
    person = Browser(system)
    with person.http:
        person.sign_in(username, f"demo-{username}")
        return "; ".join(f"{name}={value}" for name, value in person.http.cookies.items())


def measure(url: str, cookies: str, *, desktop: bool) -> dict[str, Any]:
    """Return what Lighthouse says about a page, as its JSON says it."""
    chrome = next(filter(None, map(shutil.which, BROWSERS)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        command = [
            *("npx", "--yes", f"lighthouse@{VERSION}", url, "--quiet", "--output=json"),
            f"--output-path={path}",
            f"--only-categories={','.join(AUDITED)}",
            "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
            f"--extra-headers={json.dumps({'Cookie': cookies})}",
            *(["--preset=desktop"] if desktop else []),
        ]
        environment = os.environ | {"CHROME_PATH": chrome}
        if subprocess.run(command, timeout=180, env=environment).returncode:
            raise SystemExit(f"Lighthouse could not measure {url}")
        report: dict[str, Any] = json.loads(path.read_text())
    return report


def _faults(report: dict[str, Any]) -> list[str]:
    """Return the audits that a category less than 100 failed."""
    found = []
    for name in AUDITED[1:]:
        for reference in report["categories"][name]["auditRefs"]:
            audit = report["audits"][reference["id"]]
            if reference["weight"] and audit["score"] is not None and audit["score"] < 1:
                items = audit.get("details", {}).get("items", [])
                found.append(f"{name}: {audit['title']} {json.dumps(items[:2])[:400]}")
    return found


def main() -> int:
    rows, low = [], []
    with demo() as system:
        sessions = {"": ""} | {name: _cookies(system, name) for name in ("joe", "staff")}
        for page, (who, path) in PAGES.items():
            for device in ("phone", "desktop"):
                report = measure(system.url + path, sessions[who], desktop=device == "desktop")
                scores = {
                    name: round(report["categories"][name]["score"] * 100) for name in AUDITED
                }
                paint = report["audits"]["largest-contentful-paint"]["displayValue"]
                size = report["audits"]["total-byte-weight"]["numericValue"] / 1024
                figures = " | ".join(str(scores[name]) for name in AUDITED)
                rows.append(f"| {page} | {device} | {figures} | {paint} | {size:.0f} KiB |")
                print(rows[-1], flush=True)
                if any(scores[name] < least for name, least in LEAST.items()):
                    low += [f"{page}, {device}: {each}" for each in _faults(report)]
    table = "\n".join(
        [
            "| page | on | performance | accessibility | best practices | largest paint | sent |",
            "|---|---|---:|---:|---:|---:|---:|",
            *rows,
        ]
    )
    text = DOCUMENT.read_text()
    if BEGIN in text:
        pattern = re.compile(f"{BEGIN}.*?{END}", re.DOTALL)
        DOCUMENT.write_text(pattern.sub(lambda _: f"{BEGIN}\n{table}\n{END}", text))
    print("\n".join(low))
    return bool(low)


if __name__ == "__main__":
    sys.exit(main())
