"""Check a series of invoices, without any code of the shop.

    python verify_invoices.py https://shop.example.org INV-2026 KEY

KEY is an API key that may read everybody's invoices (`billing:read_all`). Needs Python 3.11.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen


def faults(series: str, links: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each fault of a whole series, its documents in order."""
    previous, day = f"sha256:{'0' * 64}", ""
    for count, link in enumerate(links, 1):
        number = link["number"]
        if link["sequence"] != count or number != f"{series}-{count:06}":
            yield f"{number} is where {series}-{count:06} should be"
        if link["previous"] != previous:
            yield f"{number} does not follow the document before it"
        text = link["canonical"].encode()
        before = bytes.fromhex(link["previous"].removeprefix("sha256:"))
        if f"sha256:{sha256(before + text).hexdigest()}" != link["hash"]:
            yield f"{number} was changed"
        says = json.loads(text)
        if (says["number"], says["series"]) != (number, series):
            yield f"{number} says it is {says['number']} of {says['series']}"
        if says["issued_on"] < day:
            yield f"{number} is older than the document before it"
        previous, day = link["hash"], says["issued_on"]


def download(site: str, series: str, key: str) -> Iterator[dict[str, Any]]:
    """Yield every link of a series, oldest first, with its text."""
    after = 0
    while True:
        path = f"/api/v1/billing/series/{quote(series)}/chain/?contents=true&after={after}"
        headers = {"Authorization": f"Bearer {key}"}
        request = Request(site.rstrip("/") + path, headers=headers)  # noqa: S310
        with urlopen(request, timeout=60) as answer:  # noqa: S310
            links = json.load(answer)
        if not links:
            return
        yield from links
        after = links[-1]["sequence"]


if __name__ == "__main__":
    site, series, key = sys.argv[1:]
    found = list(faults(series, download(site, series, key)))
    print("\n".join(found) or "The series is whole.")
    sys.exit(bool(found))
