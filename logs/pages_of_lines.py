"""Pages of a search: keysets over time and id."""

from typing import cast
from uuid import UUID

from rest_framework.request import Request

from logs.lines import Line, Place, run, walk
from logs.search import Search
from shop.core.errors import FieldError, ValidationFailed
from shop.core.pagination import (
    LAST,
    KeysetPagination,
    Page,
    decode_place,
    encode_place,
    utc_moment,
)


def page_of(search: Search, cursor: str | None, page_size: int) -> Page[Line]:
    """Return a page of the search. Raise ``ValidationFailed`` for a cursor of another list."""
    direction, place = "n", cast("Place | None", None)
    if cursor == LAST:
        direction = "p"
    elif cursor:
        if len(cursor) > 200:
            raise ValidationFailed([FieldError("invalid", "Invalid cursor.", "cursor")])
        direction, found_place = decode_place(cursor, [utc_moment, UUID])
        place = cast(Place, found_place)
    upwards = direction == "p"
    found = run(walk(search, page_size, after=place, upwards=upwards))
    lines = found.lines[::-1] if upwards else found.lines
    older = encode_place("n", found.end) if found.end else None
    newer = encode_place("p", _first(lines, place)) if place else None
    if upwards:
        newer = encode_place("p", found.end) if found.end else None
        older = encode_place("n", _last(lines, place)) if place else None
    return Page(lines, older, newer)


def _first(lines: list[Line], place: Place) -> Place:
    return (lines[0].at, lines[0].id) if lines else place


def _last(lines: list[Line], place: Place) -> Place:
    return (lines[-1].at, lines[-1].id) if lines else place


class LinePages(KeysetPagination):
    """The pages of the API."""

    def paginate_search(self, search: Search, request: Request) -> list[Line]:
        """Return the lines of the page that the request asks for."""
        self.request = request
        size = self.page_size(request.query_params.get("page_size"))
        self.page = page_of(search, request.query_params.get("cursor"), size)
        return list(self.page.items)
