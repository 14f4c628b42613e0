"""How many users have signed in and out lately, and whether that is as usual.

What is usual are the counts of the same minutes in earlier weeks. They are small whole numbers, so
the interval is made of quantiles of a negative binomial distribution, which is the one of counts
whose mean is only known from a few earlier ones. A normal curve would give negative counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log
from statistics import fmean, variance

from django.db import connection

WEEKS = 8
WEEKS_MIN = 2
LEVEL = 80
KINDS = ("signed_in", "signed_out", "expired")
_COUNT_MAX = 1_000_000

_COUNTS = """
SELECT week, kind, (
    SELECT count(*) FROM operations_sessionevent AS event
    WHERE event.kind = asked.kind
        AND at > statement_timestamp() - make_interval(days => 7 * week, mins => %(minutes)s)
        AND at <= statement_timestamp() - make_interval(days => 7 * week)
)
FROM generate_series(0, %(weeks)s) AS week, unnest(%(kinds)s::text[]) AS asked (kind)
"""
# A week counts if the shop was observed in these minutes.
_OBSERVED = """
SELECT week FROM generate_series(1, %(weeks)s) AS week
WHERE EXISTS (
    SELECT FROM operations_observedhour WHERE minutes > 0
        AND hour > statement_timestamp() - make_interval(days => 7 * week, mins => %(minutes)s + 60)
        AND hour <= statement_timestamp() - make_interval(days => 7 * week))
"""


@dataclass(frozen=True, slots=True)
class Predicted:
    """The usual count, and the interval that holds ``level`` percent of such counts."""

    mean: float
    low: int
    high: int
    level: int = LEVEL


@dataclass(frozen=True, slots=True)
class Turnover:
    """The counts of the last ``minutes``. Without enough weeks nothing is predicted."""

    minutes: int
    signed_in: int
    signed_out: int
    expired: int
    predicted: dict[str, Predicted] | None
    verdict: str


def turnover(minutes: int) -> Turnover:
    """Return the counts of the last minutes beside what is usual at this time of the week."""
    counted = _counts(minutes)
    weeks = _observed_weeks(minutes)
    now = {kind: counted.get((0, kind), 0) for kind in KINDS}
    predicted = None
    verdict = "unknown"
    if len(weeks) >= WEEKS_MIN:
        predicted = {
            kind: predict([counted.get((week, kind), 0) for week in weeks])
            for kind in ("signed_in", "signed_out")
        }
        verdict = judge(now["signed_in"], predicted["signed_in"])
    return Turnover(minutes, **now, predicted=predicted, verdict=verdict)


def judge(count: int, usual: Predicted) -> str:
    """Return whether a count is as expected, or more or fewer."""
    if count > usual.high:
        return "more"
    return "fewer" if count < usual.low else "as_expected"


def predict(counts: Sequence[int]) -> Predicted:
    """Return what to expect after earlier counts, of which there is at least one."""
    mean = fmean(counts)
    # A gamma distribution of the mean: half a count more than was seen, in as many weeks.
    expected = (sum(counts) + 0.5) / len(counts)
    spread = variance(counts) if len(counts) > 1 else 0.0
    # The variance of a predicted count, if counts were Poisson's; real ones may vary more.
    total = max(spread, expected) + expected / len(counts)
    tail = (100 - LEVEL) / 200
    return Predicted(
        round(mean, 3), _quantile(tail, expected, total), _quantile(1 - tail, expected, total)
    )


def _quantile(part: float, mean: float, variance: float) -> int:
    """Return the smallest count up to which ``part`` of a negative binomial lies."""
    size = mean * mean / (variance - mean)
    odds = mean / (size + mean)
    below, count = 0.0, 0
    while count < _COUNT_MAX:
        below += exp(
            lgamma(size + count)
            - lgamma(size)
            - lgamma(count + 1)
            + size * log(1 - odds)
            + count * log(odds)
        )
        if below >= part:
            return count
        count += 1
    return count


def _counts(minutes: int) -> dict[tuple[int, str], int]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"weeks": WEEKS, "kinds": list(KINDS), "minutes": minutes})
        return {(week, kind): count for week, kind, count in cursor.fetchall()}


def _observed_weeks(minutes: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_OBSERVED, {"weeks": WEEKS, "minutes": minutes})
        return [week for (week,) in cursor.fetchall()]
