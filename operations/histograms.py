"""Histograms of response times that can be added, whoever counted: over processes and over hours.

The bounds are those of schema 3 of Prometheus's native histograms: bucket ``number`` holds the
times up to ``2 ** (number / 8)`` seconds. So each is 9 % wider than the one before, and the middle
of a bucket is less than 5 % from every time in it. Percentiles are computed from added buckets,
because an average of percentiles is none.

Source: "Native Histograms" in the specification of Prometheus.
"""

from collections.abc import Mapping
from math import ceil, log2

PER_DOUBLING = 8
LOWEST, HIGHEST = -160, 96
"""The buckets of everything below a microsecond, and of everything above an hour."""


def bucket_of(seconds: float) -> int:
    """Return the number of the bucket that holds a time."""
    if seconds <= 0:
        return LOWEST
    return min(max(ceil(log2(seconds) * PER_DOUBLING), LOWEST), HIGHEST)


def middle_of(number: int) -> float:
    """Return the geometric middle of a bucket, in seconds."""
    return float(2 ** ((number - 0.5) / PER_DOUBLING))


def percentile(buckets: Mapping[int, int], part: float) -> float | None:
    """Return the time in seconds that ``part`` of the requests did not exceed, such as 0.95.

    It is within 5 % of the exact one, and ``None`` without requests.
    """
    total = sum(buckets.values())
    rank = max(1, ceil(part * total))
    for number in sorted(buckets):
        rank -= buckets[number]
        if rank <= 0:
            return middle_of(number)
    return None


def percentile_within(buckets: Mapping[int, int], part: float) -> float | None:
    """Return the same, moved within its bucket by the rank, so that small changes are seen."""
    wanted = part * sum(buckets.values())
    if not wanted:
        return None
    below = 0
    for number in sorted(buckets):
        if below + buckets[number] >= wanted:
            inside = (wanted - below) / buckets[number]
            return float(2 ** ((number - 1 + inside) / PER_DOUBLING))
        below += buckets[number]
    return middle_of(max(buckets))
