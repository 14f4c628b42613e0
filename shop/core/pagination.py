"""Keyset pages: the query starts at a row, so the last page costs what the first costs."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import F, Model, Q, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from shop.core.errors import FieldError, ValidationFailed
from shop.core.merged import Merged

PAGE_SIZE = 50
PAGE_SIZE_MAX = 500
LAST = "last"

M = TypeVar("M", bound=Model)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The rows of one page, in order, and the cursors of its neighbours if it has any."""

    items: Sequence[T]
    next_cursor: str | None
    previous_cursor: str | None

    def links(self, query: str = "") -> dict[str, str]:
        """Return the addresses that ``components/pager.html`` takes; empty for the only page.

        ``query`` is what the list is filtered by, encoded.
        """

        def to(cursor: str | None) -> str:
            return "?" + "&".join(filter(None, (query, f"cursor={cursor}")))

        if not (self.next_cursor or self.previous_cursor):
            return {}
        return {
            "newest": f"?{query}" if self.previous_cursor else "",
            "newer": to(self.previous_cursor) if self.previous_cursor else "",
            "older": to(self.next_cursor) if self.next_cursor else "",
            "oldest": to(LAST) if self.next_cursor else "",
        }


Place = tuple[datetime | Decimal | UUID | int, ...]


def encode_place(direction: str, place: Place) -> str:
    """Return the cursor of the rows after a place, ``"n"``, or before it, ``"p"``."""
    parts = [part.isoformat() if isinstance(part, datetime) else str(part) for part in place]
    text = "|".join([direction, *parts])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_place(cursor: str, kinds: Sequence[Callable[[str], Any]]) -> tuple[str, Place]:
    """Return the direction and the values, of these kinds, that a cursor of ours begins after.

    Raise ``ValidationFailed`` for any other.
    """
    try:
        text = base64.b64decode(
            cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        ).decode("ascii")
        direction, *parts = text.split("|")
        place = tuple(kind(part) for kind, part in zip(kinds, parts, strict=True))
        # Times and keys have many spellings, and PostgreSQL refuses some of them.
        if direction not in ("n", "p") or encode_place(direction, place) != cursor:
            raise ValueError(cursor)
    except (ValueError, binascii.Error, InvalidOperation):
        raise ValidationFailed([FieldError("invalid", "Invalid cursor.", "cursor")]) from None
    return direction, place


def utc_moment(text: str) -> datetime:
    """Return the time in a cursor. Raise ``ValueError`` if it is none of ours."""
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() != timedelta(0):
        raise ValueError(text)
    return moment


def _amount(text: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,16}(\.[0-9]{1,4})?", text, re.ASCII):
        raise ValueError(text)
    return Decimal(text)


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


def paginate(
    rows: QuerySet[M] | Merged[M],
    *,
    cursor: str | None = None,
    page_size: int = PAGE_SIZE,
    moment_field: str = "timestamp",
    amount_field: str | None = None,
    number_field: str | None = None,
    ascending: bool = False,
    keys_first: bool = False,
    key_field: str = "pk",
) -> Page[M]:
    """Return one page of ``rows``, ordered by ``moment_field`` and key, newest first.

    With an ``amount_field`` the rows are ordered by it before all else, the largest first;
    with a ``number_field``, which no two rows share, by that alone. ``ascending`` turns the order
    round. ``cursor`` comes from an earlier page in the same order.
    ``"last"`` means the last page, ``None`` the first. Raise ``ValidationFailed`` for any other.
    One query, without a count.

    ``keys_first`` is for filters whose index does not keep the page's order. The page's keys are
    then found in the index alone, and only the page's own rows are fetched.
    """
    names = [*([amount_field] if amount_field else []), moment_field, key_field]
    kinds: list[Callable[[str], Any]] = [*([_amount] if amount_field else []), utc_moment, UUID]
    if number_field is not None:
        names, kinds = [number_field], [_number]
    direction, position = "n", None
    if cursor == LAST:
        direction = "p"
    elif cursor:
        if len(cursor) > 200:
            raise ValidationFailed([FieldError("invalid", "Invalid cursor.", "cursor")])
        direction, position = decode_place(cursor, kinds)
    backwards = direction == "p"
    upwards = backwards != ascending
    order = names if upwards else [f"-{name}" for name in names]
    merged = (rows if isinstance(rows, Merged) else Merged(rows)).order_by(*order)
    if position is not None:
        if number_field is not None:
            condition: Any = Q((f"{number_field}__{'gt' if upwards else 'lt'}", position[0]))
        else:
            compare = TupleGreaterThan if upwards else TupleLessThan
            condition = compare(Tuple(*map(F, names)), position)
        merged = merged.filter(condition)
    if keys_first:
        whole = merged.model._default_manager.using(merged.db).order_by(*order)
        whole.query.select_related = merged.parts[0].query.select_related
        keys = merged.first_keys(page_size + 1)
        found = whole.filter(pk__in=keys)[: page_size + 1]
    else:
        found = merged.first_rows(page_size + 1)
    items = list(found)

    def place(row: Model) -> Place:
        return tuple(getattr(row, name) for name in names)

    more = len(items) > page_size
    items = items[:page_size]
    if backwards:
        items.reverse()
    has_next = more if not backwards else position is not None
    has_previous = more if backwards else position is not None
    return Page(
        items=items,
        next_cursor=encode_place("n", place(items[-1])) if items and has_next else None,
        previous_cursor=encode_place("p", place(items[0])) if items and has_previous else None,
    )


def paginate_keys(
    parts: Sequence[QuerySet[Any]], *, cursor: str | None = None, page_size: int = PAGE_SIZE
) -> Page[Any]:
    """Return one page of the rows of several tables, by their UUIDv7 keys, newest first.

    No two rows have one key. ``cursor`` is as for ``paginate``. One query for each part.
    """
    direction, position = "n", None
    if cursor == LAST:
        direction = "p"
    elif cursor:
        if len(cursor) > 200:
            raise ValidationFailed([FieldError("invalid", "Invalid cursor.", "cursor")])
        direction, (position,) = decode_place(cursor, [UUID])
    backwards = direction == "p"
    items: list[Any] = []
    for part in parts:
        if position is not None:
            part = part.filter((f"pk__{'gt' if backwards else 'lt'}", position))
        items += part.order_by("pk" if backwards else "-pk")[: page_size + 1]
    items.sort(key=lambda row: row.pk, reverse=not backwards)
    more = len(items) > page_size
    items = items[:page_size]
    if backwards:
        items.reverse()
    has_next, has_previous = (position is not None, more)
    if not backwards:
        has_next, has_previous = has_previous, has_next
    return Page(
        items=items,
        next_cursor=encode_place("n", (items[-1].pk,)) if items and has_next else None,
        previous_cursor=encode_place("p", (items[0].pk,)) if items and has_previous else None,
    )


class KeysetPagination(BasePagination):
    """Pages of REST framework: ``{"next", "previous", "results"}``."""

    moment_field = "timestamp"
    number_field: str | None = None
    keys_first = False

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self.page = paginate(
            queryset,
            cursor=request.query_params.get("cursor"),
            page_size=self.page_size(request.query_params.get("page_size")),
            moment_field=getattr(view, "moment_field", self.moment_field),
            number_field=self.number_field,
            keys_first=self.keys_first,
            key_field=getattr(view, "key_field", "pk"),
        )
        return list(self.page.items)

    def paginate_keys(self, parts: Sequence[QuerySet[Any]], request: Request) -> list[Any]:
        """Return the rows of one page of several tables, as ``paginate_keys`` does."""
        self.request = request
        self.page = paginate_keys(
            parts,
            cursor=request.query_params.get("cursor"),
            page_size=self.page_size(request.query_params.get("page_size")),
        )
        return list(self.page.items)

    def page_size(self, value: str | None) -> int:
        if value is None:
            return PAGE_SIZE
        if value.isascii() and value.isdigit() and len(value) < 10 and int(value) > 0:
            return min(int(value), PAGE_SIZE_MAX)
        raise ValidationFailed(
            [FieldError("invalid", f"Give a number from 1 to {PAGE_SIZE_MAX}.", "page_size")]
        )

    def _link(self, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        query = self.request.query_params.copy()
        query["cursor"] = cursor
        return self.request.build_absolute_uri(
            f"{self.request.path}?{urlencode(list(query.items()))}"
        )

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "next": self._link(self.page.next_cursor),
                "previous": self._link(self.page.previous_cursor),
                "results": data,
            }
        )


class ByKey(KeysetPagination):
    """Pages in the order of keys, which grow with time."""

    number_field = "pk"


def one_page(results: Sequence[Any]) -> Response:
    """Answer with a list so short that it is one page."""
    return Response({"next": None, "previous": None, "results": results})


PAGE_PARAMETERS = [
    OpenApiParameter(
        "cursor",
        OpenApiTypes.STR,
        description="From `next` or `previous`; `last` is the oldest page.",
    ),
    OpenApiParameter(
        "page_size",
        {"type": "integer", "minimum": 1, "maximum": 10**9 - 1},
        description="Rows a page; default 50. More than 500 are 500.",
    ),
]


def page_schema(rows: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Return what OpenAPI says of a page of such rows."""
    name = rows.__name__.removesuffix("Serializer") + "Page"
    return inline_serializer(
        name,
        {
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": rows(many=True),
        },
    )
