"""The answers of the statistics: what the API returns, and what pages and files are made of.

An answer is remembered by what it depends on: the position, the question and whose purchases they
are. So a remembered one is never wrong, and its ``ETag`` names all of it. Sales are remembered in
``insight.statistics.sales``, where they grow with the log.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any

import redis
from django.core.cache import cache

from insight.statistics import rankings
from insight.statistics.calendar import MAX_PERIODS, Interval, Period, periods
from insight.statistics.facts import State, snapshot
from insight.statistics.questions import Question
from insight.statistics.sales import Sales, Sum, sales
from shop.core.times import iso

Json = dict[str, Any]

KEPT_SECONDS = 3600
# It changes with the shape of an answer, because two versions run during a deploy.
_VERSION = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and its entity tag; ``body`` is ``None`` where the client has it already."""

    etag: str
    body: Json | None


def answer(name: str, question: Question, using: str, known: str = "") -> Answer:
    """Return the answer to a question; ``name`` is one of ``KINDS``.

    ``known`` is the request's ``If-None-Match``. Raise ``TooManyPeriods`` and ``TooMuch``.
    """
    cut = _cut(name, question)
    with snapshot(using) as (cursor, state):
        etag = _etag(name, question, cut, state)
        if name != "customers" and _has(known, etag):
            return Answer(etag, None)
        body = None if name == "sales" else _remembered(etag)
        if body is None:
            body = _head(name, question, state) | _BODIES[name](cursor, state, question, cut)
            if name != "sales":
                _remember(etag, body)
        if name == "customers":
            body, etag = _named(cursor, body, etag)
            if _has(known, etag):
                return Answer(etag, None)
    return Answer(etag, body)


def _has(known: str, etag: str) -> bool:
    return bool(known) and etag.removeprefix("W/") in known.replace("W/", "").split(", ")


def _named(cursor: Any, body: Json, etag: str) -> tuple[Json, str]:
    """Return the body with the customers' present names, and the tag that names them, too.

    Names are never remembered, because somebody may be renamed or erased at the same position.
    """
    names = rankings.names(cursor, [each["id"] for each in body["top"]])
    top = [
        {"username": names[each["id"]][0], "userid": names[each["id"]][1]}
        | {field: value for field, value in each.items() if field != "id"}
        for each in body["top"]
    ]
    digest = hashlib.blake2b(repr(sorted(names.items())).encode(), digest_size=8).hexdigest()
    return body | {"top": top}, f'{etag.removesuffix(chr(34))}-{digest}"'


def _cut(name: str, question: Question) -> Sequence[Period]:
    if name == "sales":
        return question.periods()
    if name == "cohorts":
        return periods(question.since, question.until, Interval.MONTH, question.zone)
    return ()


def _etag(name: str, question: Question, cut: Sequence[Period], state: State) -> str:
    # Only whether a period has ended depends on the time.
    earlier = question.compared() if name == "sales" else None
    every = [*cut, *(earlier.periods() if earlier else ())]
    ended = sum(each.end <= state.at for each in every)
    parts = [
        *(_VERSION, name, state.history, state.position, state.version, state.is_exact, ended),
        *(question.since, question.until, question.interval, question.zone_name),
        *(question.week_start, question.scope, question.compare, question.order, question.limit),
    ]
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()
    # Two bodies may differ in the time at which they were read.
    return f'W/"{state.position}-{digest}"'


def _remembered(etag: str) -> Json | None:
    try:
        found: Json | None = cache.get(f"statistics:{etag}")
    except (redis.RedisError, OSError):
        return None
    return found


def _remember(etag: str, body: Json) -> None:
    try:
        cache.set(f"statistics:{etag}", body, KEPT_SECONDS)
    except (redis.RedisError, OSError):
        return


def local(moment: datetime, zone: tzinfo) -> str:
    """Return a time with its offset in a zone."""
    return moment.astimezone(zone).isoformat()


def _head(name: str, question: Question, state: State) -> Json:
    head: Json = {
        "since": local(question.since, question.zone),
        "until": local(question.until, question.zone),
        "interval": str(question.interval),
        "time_zone": question.zone_name,
        "position": state.position,
        "as_of": iso(state.at),
        "exact": state.is_exact,
    }
    if name != "sales":
        del head["interval"]
    return head


def _sums(sums: Sum) -> Json:
    return {
        "purchases": sums.purchases,
        "quantity": sums.quantity,
        "revenue": f"{sums.revenue:.2f}",
    }


def _totals(sums: Sum) -> Json:
    return _sums(sums) | {"average": f"{sums.average:.2f}", "customers": sums.customers}


@lru_cache(maxsize=64)
def _edges(cut: Sequence[Period], zone: tzinfo) -> Sequence[tuple[str, str]]:
    """Return the start and the end of each period, as the answer tells them."""
    starts = [local(each.start, zone) for each in cut]
    return list(zip(starts, [*starts[1:], local(cut[-1].end, zone)], strict=True))


def _series(found: Sales | None, cut: Sequence[Period], question: Question, at: datetime) -> Json:
    found = found or Sales(Sum(), [Sum() for _ in cut])
    return {
        "totals": _totals(found.totals),
        "periods": [
            {
                "start": start,
                "end": end,
                "purchases": sums.purchases,
                "quantity": sums.quantity,
                "revenue": f"{sums.revenue:.2f}",
                "customers": sums.customers,
                "partial": period.partial,
                "complete": period.end <= at,
            }
            for period, (start, end), sums in zip(
                cut, _edges(cut, question.zone), found.periods, strict=True
            )
        ],
    }


def _sales(cursor: Any, state: State, question: Question, cut: Sequence[Period]) -> Json:
    found = sales(cursor, state, question, cut)
    earlier_question = question.compared()
    earlier: dict[str, Sales] = {}
    earlier_cut: Sequence[Period] = ()
    if earlier_question is not None:
        earlier_cut = earlier_question.periods()
        earlier = sales(cursor, state, earlier_question, earlier_cut)
    asked = [question.scope.currency] if question.scope.currency else []
    currencies = []
    for currency in dict.fromkeys([*found, *earlier, *asked]):
        block = {"currency": currency, **_series(found.get(currency), cut, question, state.at)}
        if earlier_question is not None:
            block["compared"] = {
                "since": local(earlier_question.since, question.zone),
                "until": local(earlier_question.until, question.zone),
                **_series(earlier.get(currency), earlier_cut, earlier_question, state.at),
            }
        currencies.append(block)
    return {"currencies": currencies}


def _items(cursor: Any, state: State, question: Question, cut: Sequence[Period]) -> Json:
    return {
        "order": question.order,
        "currencies": [
            {
                "currency": currency,
                "totals": _sums(each.totals),
                "items": [{"item": item, **_sums(sums)} for item, sums in each.items],
                "other": {"items": each.other_items, **_sums(each.other)},
            }
            for currency, each in rankings.items(cursor, state, question).items()
        ],
    }


def _customers(cursor: Any, state: State, question: Question, cut: Sequence[Period]) -> Json:
    found = rankings.customers(cursor, state, question)
    return {
        "customers": found.count,
        "new": found.new,
        "returning": found.returning,
        "repeat": found.repeat,
        "repeat_rate": found.repeat_rate,
        "order": question.order,
        "top": [
            {
                "id": each.id,
                "currency": each.currency,
                **_sums(each.sums),
            }
            for each in found.top
        ],
    }


def _cohorts(cursor: Any, state: State, question: Question, cut: Sequence[Period]) -> Json:
    return {
        "months": [_month(each, question) for each in cut],
        "cohorts": [
            {
                "month": f"{each.month:%Y-%m}",
                "customers": each.customers,
                "active": each.active,
                "revenue": {
                    currency: [f"{amount:.2f}" for amount in amounts]
                    for currency, amounts in sorted(each.revenue.items())
                },
            }
            for each in rankings.cohorts(cursor, state, question, cut)
        ],
    }


def _month(period: Period, question: Question) -> str:
    return f"{rankings.day_of(period.start, question.zone):%Y-%m}"


def _weekdays(cursor: Any, state: State, question: Question, cut: Sequence[Period]) -> Json:
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    first = question.week_start
    return {
        "days": [*names[first:], *names[:first]],
        "currencies": [
            {
                "currency": currency,
                "purchases": each.purchases,
                "revenue": [[f"{amount:.2f}" for amount in day] for day in each.revenue],
            }
            for currency, each in rankings.weekdays(cursor, state, question).items()
        ],
    }


def limits(question: Question, using: str) -> Json:
    """Return the times of the oldest and the newest purchase, the position and the most periods."""
    with snapshot(using) as (cursor, state):
        oldest, newest = rankings.first_and_last(cursor, question.scope)
    return {
        "oldest": oldest and iso(oldest),
        "newest": newest and iso(newest),
        "position": state.position,
        "exact": state.is_exact,
        "max_periods": MAX_PERIODS,
    }


_Body = Callable[[Any, State, Question, Sequence[Period]], Json]
_BODIES: Mapping[str, _Body] = {
    "sales": _sales,
    "items": _items,
    "customers": _customers,
    "cohorts": _cohorts,
    "weekdays": _weekdays,
}
KINDS = tuple(_BODIES)
