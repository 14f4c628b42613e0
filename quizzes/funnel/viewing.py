"""Counting views: in memory at first, and added to the table each second, together."""

import threading
from collections import Counter
from datetime import UTC, date, datetime

from django.db import connection, transaction

from accounts.quotas import Quota
from quizzes.authoring.models import Quiz
from quizzes.funnel.models import OTHER, REFS_A_DAY, View
from shop.core.process import Process

EVERY_SECONDS = 1.0
WAITING_MAX = 10_000
"""How many different counts wait; what is one too many is not counted."""
A_MINUTE = 120
"""The views of one network that count, of all quizzes together."""

# A quiz has a few refs a day with counts of their own; others are counted together.
_ADD = f"""
INSERT INTO {View._meta.db_table} AS v (quiz_id, day, ref, count)
SELECT quiz, day, ref, sum(count) FROM (
    SELECT q.id AS quiz, t.day, t.count, CASE
        WHEN w.ref IS NULL AND t.ref <> '' AND %s < row_number() OVER (
                PARTITION BY q.id, t.day, w.ref IS NULL ORDER BY t.ref
             ) + (SELECT count(*) FROM {View._meta.db_table} o
                  WHERE o.quiz_id = q.id AND o.day = t.day) THEN %s
        ELSE t.ref END AS ref
    FROM unnest(%s::text[], %s::date[], %s::text[], %s::bigint[]) AS t (slug, day, ref, count)
    JOIN {Quiz._meta.db_table} q ON q.slug = t.slug AND q.version IS NOT NULL
    LEFT JOIN {View._meta.db_table} w ON w.quiz_id = q.id AND w.day = t.day AND w.ref = t.ref
) AS found
GROUP BY quiz, day, ref ORDER BY quiz, day, ref
ON CONFLICT (quiz_id, day, ref) DO UPDATE SET count = v.count + excluded.count
"""  # noqa: S608

_lock = threading.Lock()
_waiting: Counter[tuple[str, date, str]] = Counter()
_quota: "Quota[str]" = Quota()


def view_count(*, slug: str, ref: str, network: str) -> None:
    """Count one view, unless the network has opened too many quizzes within a minute."""
    if _quota.take(network, A_MINUTE):
        return
    key = (slug, datetime.now(UTC).date(), ref)
    with _lock:
        if key in _waiting or len(_waiting) < WAITING_MAX:
            _waiting[key] += 1


def flush(process: Process | None = None) -> float:
    """Add what waits to the table; return in how many seconds to do so again."""
    with _lock:
        taken = _waiting.copy()
        _waiting.clear()
    if taken:
        try:
            _add(taken)
        except Exception:
            with _lock:
                _waiting.update(taken)
            raise
    return EVERY_SECONDS


def _add(taken: "Counter[tuple[str, date, str]]") -> None:
    slugs, days, refs = (list(column) for column in zip(*taken, strict=True))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ADD, [REFS_A_DAY, OTHER, slugs, days, refs, list(taken.values())])
