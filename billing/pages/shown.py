"""What a page shows of an issued document: its content, who bought, and what happened since."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.content import Body, Buyer, Content, ContentLine, content_of
from billing.invoices.flags import sums_of
from billing.invoices.models import Balance, Document, Entry, Kind, Line
from billing.money import Sums
from billing.pages.wording import ENTRIES, OVERDUE, STATUSES, Word
from billing.parties.models import Party
from billing.parties.sealed import opened
from billing.taxes.rates import day_of_supply
from shop.core.money import shown
from shop.core.sealing import Unsealable

LINES_SHOWN = 500
"""Lines of a document that one page shows; there are up to 5 000."""


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line, and how many of its pieces are credited. ``after`` is gross less discount."""

    line: ContentLine
    credited: int
    after: Any


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """A document as a page shows it. Only an invoice has ``sums``, and words for its state."""

    document: Document
    content: Content
    buyer: Buyer | None
    lines: list[ShownLine]
    sums: Sums | None = None
    words: Sequence[Word] = ()
    history: list[dict[str, Any]] = field(default_factory=list)
    credit_notes: Sequence[Document] = ()
    status: str = ""

    @property
    def hash(self) -> str:
        """Return the hash of the document, as the check of it takes it."""
        return f"sha256:{bytes(self.document.hash).hex()}"


def url_of(document: Document) -> str:
    """Return the address of a document's page."""
    return page_url(document.kind, document.pk)


@dataclass(frozen=True, slots=True)
class Part:
    """Some of many lines; ``earlier`` and ``later`` are where others begin, or 0."""

    lines: Sequence[Any]
    start: int
    earlier: int
    later: int


def part_of(lines: Sequence[Any], start: str, most: int) -> Part:
    """Return at most so many lines from the place that an address names, the first is 1."""
    known = start.isascii() and start.isdigit() and len(start) < 5
    first = min(max(int(start) if known else 1, 1), max(len(lines), 1))
    after = first + most
    return Part(
        lines=lines[first - 1 : after - 1],
        start=first,
        earlier=max(first - most, 1) if first > 1 else 0,
        later=after if after <= len(lines) else 0,
    )


def page_url(kind: str, id: UUID) -> str:
    """Return the address of the page of a document of this kind."""
    return reverse("billing_invoice" if kind == Kind.INVOICE else "billing_credit_note", args=[id])


def site_day() -> date:
    """Return today in the site's time zone, in which invoices are issued and due."""
    return day_of_supply(timezone.now())


def is_overdue(balance: Balance, today: date | None = None) -> bool:
    """Return whether the invoice should have been paid before today."""
    waits = balance.status in (Balance.Status.OPEN, Balance.Status.PARTIALLY_PAID)
    return waits and balance.due_on is not None and balance.due_on < (today or site_day())


def words_of(balance: Balance) -> list[Word]:
    """Return the words for the state of an invoice."""
    words = [STATUSES[balance.status]]
    return [OVERDUE, *words[balance.status == "open" :]] if is_overdue(balance) else words


def shown_document(document: Document) -> ShownDocument:
    """Return what a page shows of a document."""
    content = content_of(document.canonical)
    if document.kind == Kind.CREDIT_NOTE:
        lines = lines_of(content.body, {})
        return ShownDocument(document, content, _buyer(document), lines)
    balance = document.balance
    credited = dict(
        Line.objects.filter(credits__document=document)
        .values_list("credits__position")
        .annotate(pieces=Sum("quantity"))
    )
    notes = list(Document.objects.filter(corrects=document).order_by("-id")[:100])
    return ShownDocument(
        document=document,
        content=content,
        buyer=_buyer(document),
        lines=lines_of(content.body, credited),
        sums=sums_of(balance),
        words=words_of(balance),
        history=_history(document, notes),
        credit_notes=notes,
        status=balance.status,
    )


def lines_of(body: Body, credited: dict[int, int]) -> list[ShownLine]:
    """Return the lines of a body; ``credited`` are the pieces of each position."""
    return [
        ShownLine(line, credited.get(line.position, 0), line.gross - line.discount)
        for line in body.lines
    ]


def _buyer(document: Document) -> Buyer | None:
    """Return the buyer as the document names them, or ``None`` after an erasure."""
    party = Party.objects.filter(pk=document.pk).first()
    if party is None:
        return None
    try:
        return opened(party)[0]
    except Unsealable:
        return None


def _history(document: Document, notes: Sequence[Document]) -> list[dict[str, Any]]:
    """Return what moved the balance, newest first, as a timeline takes it."""
    by_source = {note.pk: note for note in notes}
    entries = []
    for entry in Entry.objects.filter(document=document).order_by("-id")[:200]:
        word, kind, icon = ENTRIES[entry.kind]
        note = by_source.get(entry.source)
        text = ""
        if note is not None:
            reason = content_of(note.canonical).reason
            text = _("Credit note %(number)s") % {"number": note.label}
            text = f"{text}: {reason}" if reason else text
        entries.append(
            {
                "moment": entry.at,
                "title": f"{word}: {shown(entry.amount, document.currency)}",
                "text": text,
                "href": url_of(note) if note is not None else "",
                "icon": icon,
                "kind": kind,
            }
        )
    return entries
