"""How many customers bought in a period.

Distinct customers of parts never add up to those of the whole, so each period is counted. A count
is remembered with its position. Later it is brought up to date by the events since then: it grows
by the customers who had bought nothing in the period before.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import redis
import structlog
from django.core.cache import cache

from events.models import PURCHASE_RECORDED
from insight.statistics.facts import DEADLINE_SECONDS, LAG_MAX, Scope, State, TooMuch, facts
from insight.statistics.follower import EVENTS, PURCHASES

logger = structlog.get_logger(__name__)

Window = tuple[datetime, datetime]
Counts = dict[str, int]
"""Numbers of customers by currency."""

KEPT_SECONDS = 7 * 86_400
AT_ONCE = 500_000
"""How many purchases one statement counts the customers of, unless one period has more."""
STALE = 500
"""After how many events a count is remembered anew, because writing takes longer than adding."""
# PostgreSQL expects many more new customers than there are, and would read the whole ledger.
BY_INDEX = (
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;"
    " SET LOCAL enable_seqscan = off"
)
ANY_PLAN = BY_INDEX.replace("off", "on")
# It changes with what is remembered, because two versions run during a deploy.
_VERSION = 1

_GROWN = f"""
WITH fresh AS MATERIALIZED (
    SELECT DISTINCT asked.n, asked.start, asked.until, bought.currency, bought.customer_id
    FROM {EVENTS} AS event
    JOIN {PURCHASES} AS bought ON bought.id = event.id
    JOIN unnest(%(ns)s::int[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS asked (n, start, until)
      ON bought."timestamp" >= asked.start AND bought."timestamp" < asked.until
    WHERE event.type = {PURCHASE_RECORDED}
      AND event.position > %(after)s AND event.position <= %(latest)s {{bought}}
)
SELECT n, currency, count(*) FROM fresh
WHERE NOT EXISTS (
    SELECT FROM {PURCHASES} AS earlier JOIN {EVENTS} AS event ON event.id = earlier.id
    WHERE earlier.customer_id = fresh.customer_id AND earlier.currency = fresh.currency
      AND earlier."timestamp" >= fresh.start AND earlier."timestamp" < fresh.until
      AND event.position <= %(after)s {{earlier}}
)
GROUP BY n, currency
"""  # noqa: S608


def customers_in(
    cursor: Any, state: State, scope: Scope, windows: Mapping[Window, int]
) -> dict[Window, Counts]:
    """Return the number of customers in each window, by currency.

    The windows come with their numbers of purchases; one without any is left out. The scope has no
    customer. Raise ``TooMuch`` if the deadline passes; what was counted by then is remembered.
    """
    until = time.monotonic() + DEADLINE_SECONDS
    keys = {window: _key(state, scope, window) for window in windows}
    known = _remembered(keys) if state.adds_tail else {}
    found: dict[Window, Counts] = {}
    by_position: dict[int, list[Window]] = {}
    for window, (position, counts) in known.items():
        if position <= state.position <= position + LAG_MAX:
            found[window] = dict(counts)
            by_position.setdefault(position, []).append(window)
    for position, grown in by_position.items():
        if position < state.position:
            _grow(cursor, state, scope, position, grown, found)
            if state.position - position >= STALE:
                _remember(state, {keys[window]: found[window] for window in grown})
    missing = [window for window in windows if window not in found]
    for some in _batches(missing, windows):
        if time.monotonic() > until:
            raise TooMuch
        counted = _count(cursor, state, scope, some)
        _remember(state, {keys[window]: counted[window] for window in some})
        found |= counted
    return found


def _batches(windows: Sequence[Window], weights: Mapping[Window, int]) -> list[list[Window]]:
    """Return neighbouring windows together, as many as one statement counts."""
    batches: list[list[Window]] = []
    weight = 0
    for window in windows:
        together = bool(batches) and batches[-1][-1][1] == window[0]
        weight += weights[window]
        if together and weight <= AT_ONCE:
            batches[-1].append(window)
        else:
            batches.append([window])
            weight = weights[window]
    return batches


def _count(
    cursor: Any, state: State, scope: Scope, windows: Sequence[Window]
) -> dict[Window, Counts]:
    bounds = [start for start, _end in windows] + [windows[-1][1]]
    rows = facts(state, scope, bounds, key="customer_id", summed=False)
    cursor.execute(
        f"""SELECT period, currency, count(*)
        FROM (SELECT DISTINCT period, currency, key FROM {rows.sql}) AS customer
        GROUP BY period, currency""",  # noqa: S608
        rows.values,
    )
    found: dict[Window, Counts] = {window: {} for window in windows}
    for period, currency, count in cursor.fetchall():
        found[windows[period - 1]][currency] = count
    return found


def _grow(
    cursor: Any,
    state: State,
    scope: Scope,
    after: int,
    windows: Sequence[Window],
    found: Mapping[Window, Counts],
) -> None:
    """Add the customers whom the events after a position brought."""
    statement = _GROWN.format(
        bought=scope.conditions("bought"), earlier=scope.conditions("earlier")
    )
    cursor.execute(BY_INDEX)
    cursor.execute(
        statement,
        {
            **scope.values,
            "ns": list(range(len(windows))),
            "starts": [start for start, _end in windows],
            "ends": [end for _start, end in windows],
            "after": after,
            "latest": state.position,
        },
    )
    grown = cursor.fetchall()
    cursor.execute(ANY_PLAN)
    for n, currency, count in grown:
        counts = found[windows[n]]
        counts[currency] = counts.get(currency, 0) + count


def _key(state: State, scope: Scope, window: Window) -> str:
    asked = f"{state.history}|{scope.item}|{scope.currency}|{window[0].timestamp()}"
    asked += f"|{(window[1] - window[0]) / timedelta(microseconds=1)}"
    return f"customers:{_VERSION}:{hashlib.blake2b(asked.encode(), digest_size=16).hexdigest()}"


def _remembered(keys: Mapping[Window, str]) -> dict[Window, tuple[int, Counts]]:
    try:
        values = cache.get_many(keys.values())
    except (redis.RedisError, OSError) as error:
        logger.warning("statistics.not_shared", reason=type(error).__name__)
        return {}
    return {window: values[key] for window, key in keys.items() if key in values}


def _remember(state: State, counts: Mapping[str, Counts]) -> None:
    if not state.adds_tail:
        return
    values = {key: (state.position, each) for key, each in counts.items()}
    try:
        cache.set_many(values, KEPT_SECONDS)
    except (redis.RedisError, OSError) as error:
        logger.warning("statistics.not_shared", reason=type(error).__name__)
