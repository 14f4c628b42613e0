"""Whether a document on paper is one of ours, and the chain for those who check it themselves."""

from dataclasses import dataclass
from datetime import date

from billing.invoices.models import LABEL_MAX_LENGTH, Document, Series

PREFIX = "sha256:"
CHAIN_PAGE = 1000
CONTENTS_PAGE = 100


@dataclass(frozen=True, slots=True)
class Verified:
    """A document that was issued: its day, and its series as it is now. No amounts, no names."""

    issued_on: date
    series: str
    count: int
    head: str


def shown_hash(value: bytes | memoryview) -> str:
    """Return a hash as it is shown, ``sha256:<hex>``."""
    return PREFIX + bytes(value).hex()


def verified(number: str, hash: str) -> Verified | None:
    """Return the document with this number and hash; ``None`` if there is no such document."""
    label = number.strip().upper()
    try:
        digest = bytes.fromhex(hash.strip().lower().removeprefix(PREFIX))
    except ValueError:
        return None
    if len(label) > LABEL_MAX_LENGTH or not label.isascii() or not label.isprintable():
        return None
    document = (
        Document.objects.select_related("series")
        .defer("canonical")
        .filter(label=label, hash=digest)
        .first()
    )
    if document is None:
        return None
    series = document.series
    head = shown_hash(series.last_hash)
    return Verified(document.issued_on, series.code, series.next_number - 1, head)


def chain(series: Series, *, after: int = 0, contents: bool = False) -> list[dict[str, object]]:
    """Return the links of a series after a number, oldest first, a page of them.

    With ``contents`` they have the canonical text. A document's hash is the SHA-256 of the hash
    before, as 32 bytes, and of the text in UTF-8.
    """
    rows = Document.objects.filter(series=series, number__gt=after).order_by("number")
    links = []
    names = ["label", "number", "hash", "previous_hash", *(["canonical"] if contents else [])]
    for row in rows.values_list(*names)[: CONTENTS_PAGE if contents else CHAIN_PAGE]:
        link: dict[str, object] = {
            "number": row[0],
            "sequence": row[1],
            "hash": shown_hash(row[2]),
            "previous": shown_hash(row[3]),
        }
        if contents:
            link["canonical"] = bytes(row[4]).decode()
        links.append(link)
    return links
