"""Small statistics, and how a figure is written in the table."""

from __future__ import annotations

from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two in the middle."""
    if not values:
        raise ValueError("there is no median of nothing")
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def rate(samples: Sequence[tuple[float, int]]) -> float:
    """Return how many a second were done, from samples of (time, done so far).

    The first third is left out: workers start one after the other, and caches are
    cold. The end is the first sample at which as many were done as ever were.
    """
    total = samples[-1][1]
    begin = next(sample for sample in samples if sample[1] >= total / 3)
    end = next(sample for sample in samples if sample[1] == total)
    if end[0] <= begin[0]:
        raise ValueError(f"all {total} were done between two looks: count more")
    return (end[1] - begin[1]) / (end[0] - begin[0])


def first_start(marks: Sequence[tuple[str, int, float]], after: float) -> float:
    """Return the time of the first start after a moment; infinity when there was none."""
    return min((when for letter, _, when in marks if letter == "s" and when > after), default=float("inf"))


def written(value: float | None) -> str:
    """Return a figure with three significant digits; a dash for what was not measured."""
    if value is None:
        return "–"
    if value == float("inf"):
        return "never"
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.095 else f"{value:.2g}"
