"""Exports of the audit: the entries that pass the filters, in the order of the chain."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.http import urlencode

from accounts.audit.listing import FILTERS, Shown, entries_matching, shown
from audit.services import record
from shop.core.cells import guard

AT_ONCE = 10_000
"""The entries of one file. The header ``Link`` has the address of the next."""
_COLUMNS = (
    *("seq", "at", "actor", "actor_name", "action", "object", "account", "before", "after"),
    *("credential", "request_id", "address", "previous", "hash"),
)


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is written."""

    name: str
    content_type: str
    write: Callable[[Sequence[Shown]], bytes]


def entries_export(request: HttpRequest, format: Format, *, actor_id: int) -> HttpResponse:
    """Answer with a file of the entries that pass the request's filters, and record that.

    Raise ``ValidationFailed`` for a malformed filter.
    """
    wanted = {name: request.GET[name] for name in FILTERS if request.GET.get(name)}
    rows = list(entries_matching(wanted).order_by("seq")[: AT_ONCE + 1])
    answer = HttpResponse(
        format.write(shown(rows[:AT_ONCE])),
        content_type=format.content_type,
        headers={"Content-Disposition": f'attachment; filename="audit.{format.name}"'},
    )
    if len(rows) > AT_ONCE:
        following = urlencode(wanted | {"from": rows[AT_ONCE].seq})
        address = request.build_absolute_uri(f"{request.path}?{following}")
        answer["Link"] = f'<{address}>; rel="next"'
    if request.method != "HEAD":
        # Details are deleted with the account that exported, not with the one that they name.
        told = {name: wanted[name] for name in wanted if name not in ("actor", "account")}
        with transaction.atomic():
            record(
                "audit.exported",
                object="export:audit",
                actor_id=actor_id,
                after={"format": format.name, "entries": min(len(rows), AT_ONCE)},
                personal={"filters": told} if told else None,
            )
    return answer


def _lines(entries: Sequence[Shown]) -> bytes:
    lines = (json.dumps(each.as_data(), ensure_ascii=False) for each in entries)
    return "".join(f"{line}\n" for line in lines).encode()


def _csv(entries: Sequence[Shown]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for each in entries:
        row = each.as_data() | {"address": (each.personal or {}).get("address")}
        writer.writerow(_cell(row[name]) for name in _COLUMNS)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return guard(str(value))


JSONL = Format("jsonl", "application/x-ndjson", _lines)
CSV = Format("csv", "text/csv; charset=utf-8", _csv)
