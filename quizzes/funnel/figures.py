"""The funnel of a quiz: counts of rows, read in one statement, so that they fit each other.

It is about the attempts that began in a period, so no stage has more of them than the one before.
Previews, and attempts that were faster than people are, count nowhere.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from quizzes.answering.models import Attempt, Result
from quizzes.funnel.models import Attribution, View
from quizzes.leads.models import LeadResult

LEFT_AFTER = "interval '30 minutes'"
"""An attempt that was not saved for so long was left."""

_COHORT = f"""
cohort AS MATERIALIZED (
    SELECT a.id, a.answers, a.private, a.written, a.at, a.seen, a.times, a.saved_at,
           r.attempt_id IS NOT NULL AS finished, r.answers AS final, r.path, r.outcome, r.band
    FROM {Attempt._meta.db_table} a
    LEFT JOIN {Result._meta.db_table} r ON r.attempt_id = a.id
    WHERE a.quiz_id = %(quiz)s AND NOT a.test AND NOT a.suspect
      AND a.started_at >= coalesce(%(since)s::timestamptz, '-infinity')
      AND a.started_at <= coalesce(%(until)s::timestamptz, 'infinity')
      AND a.version_id = coalesce(%(version)s::bigint, a.version_id)
)
"""  # noqa: S608
# The answers of a finished attempt belong to its result, which has those on the path alone.
_TOTALS = f"""
WITH {_COHORT}, contacts AS (
    SELECT c.result_id, c.confirmed_at IS NOT NULL AS confirmed
    FROM {LeadResult._meta.db_table} c JOIN cohort ON cohort.id = c.result_id
), bought AS (
    SELECT b.result_id, b.currency, b.total
    FROM {Attribution._meta.db_table} b JOIN contacts USING (result_id) WHERE confirmed
)
SELECT
    (SELECT coalesce(sum(count), 0) FROM {View._meta.db_table} v
     WHERE v.quiz_id = %(quiz)s
       AND v.day >= coalesce((%(since)s::timestamptz AT TIME ZONE 'UTC')::date, '-infinity')
       AND v.day <= coalesce((%(until)s::timestamptz AT TIME ZONE 'UTC')::date, 'infinity')),
    (SELECT count(*) FROM cohort),
    (SELECT count(*) FROM cohort WHERE finished OR answers <> '{{}}' OR private <> ''),
    (SELECT count(*) FROM cohort WHERE finished),
    (SELECT count(*) FROM contacts),
    (SELECT count(*) FROM contacts WHERE confirmed),
    (SELECT count(DISTINCT result_id) FROM bought),
    (SELECT coalesce(jsonb_object_agg(currency, total::text), '{{}}') FROM (
        SELECT currency, sum(total) AS total FROM bought GROUP BY currency) AS sums),
    (SELECT coalesce(jsonb_object_agg(outcome, n), '{{}}') FROM (
        SELECT outcome, count(*) AS n FROM cohort WHERE outcome <> '' GROUP BY outcome) AS sums),
    (SELECT coalesce(jsonb_object_agg(band, n), '{{}}') FROM (
        SELECT band, count(*) AS n FROM cohort WHERE band <> '' GROUP BY band) AS sums)
"""  # noqa: S608
# What is sorted for the medians is narrow, because each question of each attempt is a row.
# Texts are sealed; an attempt tells which of them are there, and a result which ones count.
_QUESTIONS = f"""
WITH {_COHORT}, shown AS MATERIALIZED (
    SELECT key, coalesce(final, answers) ? key OR NOT finished AND key = ANY(written) AS in_answers,
           is_last, saved_at,
           (times ->> key)::int AS spent
    FROM cohort CROSS JOIN LATERAL (
        SELECT key, key = CASE WHEN at = ANY(seen) THEN at ELSE seen[cardinality(seen)] END
               AND NOT finished AS is_last
        FROM unnest(coalesce(path, seen)) AS key
    ) AS each
)
SELECT key, count(*),
    count(*) FILTER (WHERE in_answers),
    count(*) FILTER (WHERE is_last AND saved_at < now() - {LEFT_AFTER}),
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY spent) / 1000)::numeric, 1)
FROM shown GROUP BY key
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Asked:
    """Which attempts a funnel is about: of one version or of all, begun within a period."""

    quiz: UUID
    version: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the statements; ``version`` is the version's id."""
        return {
            "quiz": self.quiz,
            "version": self.version,
            "since": self.since,
            "until": self.until,
        }


@dataclass(frozen=True, slots=True)
class QuestionFigures:
    """How many attempts saw a question on their path, answered it, and were left there."""

    key: str
    seen: int = 0
    answered: int = 0
    left: int = 0
    median_seconds: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The stages of a funnel. ``revenue`` is by currency, ``outcomes`` and ``bands`` by key."""

    views: int
    started: int
    answered: int
    finished: int
    contact: int
    confirmed: int
    bought: int
    revenue: dict[str, Decimal] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    bands: dict[str, int] = field(default_factory=dict)


def figures_of(asked: Asked) -> Figures:
    """Return the stages of the funnel."""
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, asked.parameters())
        row = cursor.fetchone()
    views, started, answered, finished, contact, confirmed, bought, *objects = row
    revenue, outcomes, bands = map(json.loads, objects)
    return Figures(
        views=int(views),
        started=started,
        answered=answered,
        finished=finished,
        contact=contact,
        confirmed=confirmed,
        bought=bought,
        revenue={currency: Decimal(total) for currency, total in sorted(revenue.items())},
        outcomes=outcomes,
        bands=bands,
    )


def questions_of(asked: Asked, order: Sequence[str]) -> list[QuestionFigures]:
    """Return the figures of each question, in this order; those of earlier versions follow."""
    with connection.cursor() as cursor:
        cursor.execute(_QUESTIONS, asked.parameters())
        found = {row[0]: QuestionFigures(*row) for row in cursor.fetchall()}
    keys = [*order, *sorted(set(found) - set(order))]
    return [found.get(key) or QuestionFigures(key) for key in keys]
