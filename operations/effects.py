"""What a deploy has changed: the time after it against the time before, and a week before that.

The week before tells what these hours do by themselves, and is taken out. How far a ratio can be
believed is found by drawing blocks of minutes again and again, so that some slow minutes do not
look like a change. A verdict needs the whole interval of 99.5 % to lie beyond a twentieth, because
many deploys are judged and most of them change nothing.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import exp, log, sqrt
from statistics import stdev
from typing import Any, Final

from django.db import connection

from operations.histograms import percentile_within
from operations.models import Deploy
from operations.series import database_now
from shop.core.metrics import REFUSED_BEFORE

WEEK: Final = timedelta(days=7)
BLOCKS: Final = 12
BLOCK_SECONDS_MAX: Final = 300
DRAWS: Final = 200
DEVIATIONS: Final = 2.807
"""So many standard deviations to each side hold 99.5 % of a normal distribution."""
MARGIN: Final = log(1.05)
REQUESTS_MIN: Final = 200
"""Requests that each time needs for a verdict about response times or errors."""
BLOCKS_MIN: Final = 4
ERRORS_MIN: Final = 10

_BLOCKS = f"""
SELECT floor(extract(epoch FROM minute - %(since)s) / %(block)s)::int AS block, status_class,
    route = '{REFUSED_BEFORE}', requests, numbers, counts
FROM operations_minute WHERE minute >= %(since)s AND minute < %(until)s
"""  # noqa: S608
_OBSERVED = """
SELECT floor(extract(epoch FROM minute - %(since)s) / %(block)s)::int AS block,
    count(DISTINCT minute)
FROM operations_presence
WHERE minute >= %(since)s AND minute < %(until)s AND kind IN ('web', 'live') GROUP BY block
"""


@dataclass(slots=True)
class Block:
    """Some minutes of all processes."""

    minutes: int = 0
    requests: int = 0
    errors: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    @classmethod
    def sum(cls, blocks: Sequence["Block"]) -> "Block":
        """Return all blocks as one."""
        added = cls()
        buckets: dict[int, int] = defaultdict(int)
        for each in blocks:
            added.minutes += each.minutes
            added.requests += each.requests
            added.errors += each.errors
            for number, count in each.buckets.items():
                buckets[number] += count
        added.buckets = buckets
        return added


Figure = Callable[[Block], float | None]


def _rate(block: Block) -> float | None:
    return block.requests / (60 * block.minutes) if block.minutes else None


def _errors(block: Block) -> float | None:
    # Half an error more, so that none at all is no ratio of zero.
    return (block.errors + 0.5) / (block.requests + 1) if block.requests else None


def _shown_errors(block: Block) -> float | None:
    return block.errors / block.requests if block.requests else None


def _time(part: float) -> Figure:
    return lambda block: percentile_within(block.buckets, part)


@dataclass(frozen=True, slots=True)
class Judged:
    """A figure that is judged. ``more_is_worse`` is false where more is no worse, nor better."""

    compared: Figure
    shown: Figure
    needs_week: bool = False
    more_is_worse: bool = True


FIGURES: Final = {
    "response_time": Judged(_time(0.95), _time(0.95)),
    "response_time_p50": Judged(_time(0.5), _time(0.5)),
    "errors": Judged(_errors, _shown_errors),
    "requests_per_second": Judged(_rate, _rate, needs_week=True, more_is_worse=False),
}


@dataclass(frozen=True, slots=True)
class Effect:
    """A figure before and after a deploy, and how sure its change is."""

    before: float | None
    after: float | None
    week_before: float | None
    ratio: float | None
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Effects:
    """The effects of a deploy on each figure, over ``window`` seconds before and after."""

    deploy: Deploy
    window: int
    complete: bool
    metrics: dict[str, Effect]


def effects_of(deploy: Deploy, window: int) -> Effects:
    """Return what has changed with a deploy, as far as the time after it has passed."""
    now = database_now().replace(second=0, microsecond=0)
    began = _up(deploy.started_at)
    ended = max(began, _up(deploy.finished_at or deploy.started_at))
    length = timedelta(seconds=window)
    until = min(ended + length, now)
    block = max(60, min(BLOCK_SECONDS_MAX, window // BLOCKS // 60 * 60))
    times = [(began - length, began), (ended, max(ended, until))]
    weeks = [(since - WEEK, until - WEEK) for since, until in times]
    before, after, week_before, week_after = (_blocks(*each, block) for each in (*times, *weeks))
    compared = Comparison(before, after, week_before, week_after, seed=str(deploy.pk))
    return Effects(
        deploy,
        window,
        ended + length <= now,
        {name: compared.judge(figure) for name, figure in FIGURES.items()},
    )


class Comparison:
    """Two times, and the same two a week before, each in blocks of minutes."""

    def __init__(
        self,
        before: list[Block],
        after: list[Block],
        week_before: list[Block],
        week_after: list[Block],
        *,
        seed: str = "",
    ) -> None:
        self._now = (before, after)
        weeks = (week_before, week_after)
        self._has_week = all(_is_enough(each) for each in weeks)
        self._times = (*self._now, *weeks) if self._has_week else self._now
        self._whole = [Block.sum(each) for each in (*self._now, *weeks)]
        # The same question has the same answer.
        chance = random.Random(seed)  # noqa: S311
        self._drawn: list[list[Block]] = []
        if all(_is_enough(each) for each in self._now):
            self._drawn = [
                [Block.sum(chance.choices(each, k=len(each))) for each in self._times]
                for _ in range(DRAWS)
            ]

    def judge(self, figure: Judged) -> Effect:
        """Return the effect on a figure."""
        shown = [figure.shown(each) for each in self._whole]
        whole = _change([figure.compared(each) for each in self._whole[: len(self._times)]])
        if not self._drawn or whole is None:
            return Effect(shown[0], shown[1], shown[3], None, None, None, "not_enough_requests")
        changes = [
            change
            for drawn in self._drawn
            if (change := _change([figure.compared(each) for each in drawn])) is not None
        ]
        # Blocks that are drawn from themselves vary a little less than new ones would.
        few = min(len(each) for each in self._times)
        spread = DEVIATIONS * stdev(changes) * sqrt(few / (few - 1))
        low, high = whole - spread, whole + spread
        verdict = "no_evidence"
        rare = figure.shown is _shown_errors and (
            self._whole[0].errors + self._whole[1].errors < ERRORS_MIN
        )
        if not rare and (self._has_week or not figure.needs_week):
            if low > MARGIN:
                verdict = "worse" if figure.more_is_worse else "no_evidence"
            elif high < -MARGIN:
                verdict = "better" if figure.more_is_worse else "worse"
        return Effect(
            shown[0],
            shown[1],
            shown[3],
            round(exp(whole), 4),
            round(exp(low), 4),
            round(exp(high), 4),
            verdict,
        )


def _change(figures: Sequence[float | None]) -> float | None:
    """Return the logarithm of after to before, less that of the week before."""
    if any(not each for each in figures):
        return None
    logs = [log(each) for each in figures if each]
    change = logs[1] - logs[0]
    return change - (logs[3] - logs[2]) if len(logs) == 4 else change


def _is_enough(blocks: list[Block]) -> bool:
    requests = sum(each.requests for each in blocks)
    return requests >= REQUESTS_MIN and sum(each.requests > 0 for each in blocks) >= BLOCKS_MIN


def _up(moment: datetime) -> datetime:
    """Return the first whole minute from then on."""
    whole = moment.replace(second=0, microsecond=0)
    return whole if whole == moment else whole + timedelta(minutes=1)


def _blocks(since: datetime, until: datetime, seconds: int) -> list[Block]:
    found: dict[int, Block] = defaultdict(Block)
    span: dict[str, Any] = {"since": since, "until": until, "block": seconds}
    with connection.cursor() as cursor:
        cursor.execute(_OBSERVED, span)
        for block, minutes in cursor.fetchall():
            found[block].minutes = minutes
        cursor.execute(_BLOCKS, span)
        for block, status_class, refused, requests, numbers, counts in cursor.fetchall():
            into = found[block]
            into.requests += requests
            into.errors += requests if status_class == 5 else 0
            if not refused:
                for number, count in zip(numbers, counts, strict=True):
                    into.buckets[number] = into.buckets.get(number, 0) + count
    return list(found.values())
