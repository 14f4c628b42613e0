"""The output of every benchmark: a Markdown table, each figure as median and spread."""

import statistics
from collections.abc import Sequence
from typing import Any


def spread(values: Sequence[float], decimals: int = 2) -> str:
    """Return the median and, in parentheses, the lowest and highest value."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{decimals}f} ({low:.{decimals}f} to {high:.{decimals}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
