"""The parsers with generated input: each returns a value or raises a declared error."""

import io
import json
import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from events.api import events_parameters
from events.consumers import FeedConsumer, Refused
from purchases.currencies import currencies
from purchases.lines import READERS
from purchases.validation import parse_moment, parse_purchase
from shop.core.cells import guard, unguard
from shop.core.errors import ApplicationError, ValidationFailed
from shop.core.idempotency import parse_idempotency_key
from shop.core.pagination import _amount, decode_place, encode_place, utc_moment
from shop.core.parsers import ParseError, decode_json

NOW = datetime(2024, 6, 1, tzinfo=UTC)
FIELDS = ("item", "quantity", "price", "currency", "timestamp", "userid", "username")
TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
NUMBERS = st.from_regex(
    r"[+-]?\d{0,14}(\.\d{0,4})?(e[+-]?\d{1,4})?", fullmatch=True
) | st.sampled_from(["NaN", "Infinity", "-0", "1_000", "٣", "0x10", "1e999999999"])
PIECES = [b"price", *(bytes([byte]) for byte in b",\n\"1\r[]{}:\x00\xff'=")]
MOMENTS = (
    st.datetimes()
    .map(datetime.isoformat)
    .flatmap(
        lambda text: st.sampled_from(["", "Z", "+02:00", "-23:59", "+99:99"]).map(text.__add__)
    )
)


def tried(function: Any, *arguments: Any, **keywords: Any) -> Any:
    """Return the function's result, or the error that it raises."""
    try:
        return function(*arguments, **keywords)
    except (ApplicationError, Refused) as error:
        return error


FAST = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@FAST
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON | NUMBERS | MOMENTS | TEXT))
    | JSON
)
@example({"price": Decimal("1e999999")})
@example({"price": float("nan")})
@example({"price": 10**5000})
@example({"price": "1", "quantity": Decimal("1e-999999")})
@example({"price": 1, "timestamp": "9999-12-31T23:59:59-23:59"})
def test_a_purchase_keeps_every_rule_or_is_refused_by_field(data: Any) -> None:
    check_purchase(data)


def check_purchase(data: Any) -> None:
    purchase = tried(parse_purchase, data, now=NOW)
    if isinstance(purchase, ValidationFailed):
        assert {item.attr for item in purchase.errors} <= {*FIELDS, None}
        assert all(item.code and item.detail for item in purchase.errors)
        "".join(item.detail for item in purchase.errors).encode()
        return
    assert 0 <= purchase.price < 10**10
    assert purchase.price.as_tuple().exponent == -2
    assert 1 <= purchase.quantity <= 1_000_000
    assert purchase.currency in currencies()
    assert len(purchase.item) <= 200
    purchase.item.encode()
    assert "\x00" not in purchase.item
    assert purchase.timestamp is None or purchase.timestamp.utcoffset() is not None


@FAST
@given(st.decimals(0, 9_999_999_999, places=2), st.integers(1, 1_000_000))
def test_good_numbers_arrive_as_they_are(price: Decimal, quantity: int) -> None:
    for given_price in (price, str(price), f" {price} "):
        purchase = parse_purchase({"price": given_price, "quantity": str(quantity)}, now=NOW)
        assert (purchase.price, purchase.quantity) == (price, quantity)


@pytest.mark.parametrize(
    ("currency", "day", "good"),
    [
        ("eur", "2024-05-31", True),
        (" Usd ", "2024-05-31", True),
        ("HRK", "2022-12-31", True),
        ("hrk", "2023-02-01", False),
        ("BGN", "2025-12-31", True),
        ("BGN", "2026-02-01", False),
        ("DEM", "1999-12-31", True),
        ("DEM", "2024-05-31", False),
        ("DEM", None, False),
        ("XXZ", "1999-12-31", False),
        ("e\u0131r", "2024-05-31", False),
        ("", "2024-05-31", False),
    ],
)
def test_currencies_are_those_of_the_time_of_the_purchase(
    currency: str, day: str | None, good: bool
) -> None:
    data = {"price": "1", "currency": currency}
    data |= {"timestamp": f"{day}T12:00:00Z"} if day else {}
    found = tried(parse_purchase, data, now=datetime(2026, 11, 26, tzinfo=UTC))
    if good:
        assert found.currency == currency.strip().upper()
    else:
        assert (found.errors[0].code, found.errors[0].attr) == ("invalid_currency", "currency")


@FAST
@given(st.datetimes(timezones=st.just(UTC)))
def test_every_time_is_read_as_it_is_written(moment: datetime) -> None:
    assert parse_moment(moment.isoformat()) == moment


@FAST
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value, default=str).encode()))
def test_json_is_what_the_standard_library_reads_or_is_refused(body: bytes) -> None:
    try:
        value = decode_json(body)
    except ParseError as error:
        str(error).encode()
        return
    expected = json.loads(body, parse_float=Decimal)
    assert value == expected or math.isnan(expected)


@FAST
@given(
    st.sampled_from(sorted(READERS)),
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from(
            [
                b"price",
                b",",
                b"\n",
                b'"',
                b"1",
                b"\r",
                b"[",
                b"]",
                b"{",
                b"}",
                b":",
                b"\x00",
                b"\xff",
                b"'",
                b"=",
            ]
        )
    ).map(b"".join)
    | st.lists(JSON, max_size=4).map(lambda value: json.dumps(value, default=str).encode()),
)
def test_readers_number_every_line_of_whatever_comes(content_type: str, body: bytes) -> None:
    lines = tried(lambda: list(READERS[content_type](io.BytesIO(body))))
    if isinstance(lines, ValidationFailed):
        return
    numbers = [number for number, _ in lines]
    assert numbers == sorted(set(numbers))
    assert all(number >= 1 for number in numbers)
    for _, data in lines:
        if not isinstance(data, ApplicationError):
            check_purchase(data)


@FAST
@given(TEXT | st.text("=+-@'\" ,;\t\r\nx\u00a0", max_size=12))
def test_cells_come_back_as_they_were_and_no_part_of_one_is_a_formula(text: str) -> None:
    cell = guard(text)
    assert unguard(cell) == text
    for part in re.split("[,;\t\r\n]", cell):
        assert not part.startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"))


@FAST
@given(TEXT | st.text(max_size=300))
def test_idempotency_keys(text: str) -> None:
    try:
        key = parse_idempotency_key(text)
    except ValidationFailed:
        return
    assert key is not None
    assert 0 < len(key) <= 255
    key.encode()


CURSORS: tuple[list[Any], ...] = ([utc_moment, UUID], [_amount, utc_moment, UUID])
PRICES = st.decimals(min_value=0, max_value=10**10, places=2)


@FAST
@given(
    TEXT | st.binary(max_size=80).map(lambda raw: raw.decode("latin-1")), st.sampled_from(CURSORS)
)
def test_cursors_that_no_page_gave_are_refused(text: str, kinds: Any) -> None:
    result = tried(lambda cursor: decode_place(cursor, kinds), text)
    assert isinstance(result, tuple) or result.errors[0].attr == "cursor"


@FAST
@given(st.datetimes(timezones=st.just(UTC)), st.uuids(), PRICES, st.sampled_from("np"))
def test_cursors_come_back(moment: datetime, key: Any, price: Decimal, direction: str) -> None:
    for place, kinds in zip(((moment, key), (price, moment, key)), CURSORS, strict=True):
        assert decode_place(encode_place(direction, place), kinds) == (direction, place)


@FAST
@given(
    st.binary(max_size=60)
    | st.lists(
        st.tuples(st.sampled_from(["after", "scope", "types", "ticket", "x"]), TEXT), max_size=3
    ).map(
        lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode(
            "utf-8", "replace"
        )
    )
)
def test_the_query_of_a_socket(query: bytes) -> None:
    consumer = FeedConsumer(takes_types=True)
    consumer.scope = {"query_string": query}
    result = tried(consumer._parameters)
    if isinstance(result, Refused):
        assert result.code == 4400
        # A close frame holds at most 123 bytes of reason.
        assert len(result.reason.encode()) <= 123
        return
    after, asked, ticket = result
    assert after is None or 0 <= after < 2**63
    assert asked.scope in ("mine", "all")
    assert ticket is None or isinstance(ticket, str)


@FAST
@given(
    st.dictionaries(st.sampled_from(["after", "limit", "wait", "scope", "types"]), TEXT | NUMBERS)
)
def test_the_query_of_the_event_log(query: dict[str, str]) -> None:
    result = tried(events_parameters, query)
    if isinstance(result, ApplicationError):
        assert result.status == 400
        return
    after, limit, wait, asked = result
    assert 0 <= after < 2**63
    assert 1 <= limit <= 5000
    assert 0 <= wait <= 30
    assert asked.scope in (None, "mine", "all")
