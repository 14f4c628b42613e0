"""Reading a header costs what its length is."""

from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest

from shop.core.headers import bounded

LENGTH = 1_000_000
"""Far more than a head may have, so that the square of it would take an hour."""


def _read(name: bytes, value: bytes) -> tuple[ASGIRequest, Any]:
    """Return the request, and all that Django reads of such a header."""
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b""}
    request = ASGIRequest(bounded(scope | {"headers": [(name, value)]}), BytesIO())
    types = [str(each) for each in request.accepted_types]
    return request, (request.content_type, dict(request.COOKIES), types)


@pytest.mark.parametrize("name", [b"content-type", b"accept", b"cookie"])
@pytest.mark.parametrize("part", [b";", b'";', b'\\";', b"\\", b"\\1", b"a=b;", b","])
def test_a_header_costs_what_its_length_is(name: bytes, part: bytes) -> None:
    assert _read(name, b'a;b="' + part * (LENGTH // len(part)) + b'"')


def test_what_is_usual_stays() -> None:
    assert _read(b"content-type", b"text/html; charset=utf-8")[1][0] == "text/html"
    assert _read(b"accept", b"text/html;q=0.5, a/b")[1][2] == ["a/b", "text/html; q=0.5"]
    assert _read(b"cookie", b'one=1; two="\\1"; three="3"')[1][1] == {"one": "1", "three": "3"}
    scope = {"headers": [(b"accept", b"*/*"), (b"cookie", b"one=1")]}
    assert bounded(scope) is scope
