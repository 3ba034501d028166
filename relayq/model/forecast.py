"""Will the minutes last? The month so far, drawn on by the rate of the last two weeks.

The rate is the mean of the daily use of the last fourteen days. The band is what four
months of five stay within if days differ as they did: it widens with the square root
of the days to come. After https://otexts.com/fpp3/prediction-intervals.html, read 2026.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

LOOKED_AT = 14
FOUR_OF_FIVE = 1.28  # standard deviations on either side
DAY_MS = 86_400_000
Verdict = Literal["unknown", "lasts", "tight", "runs out"]


class Outlook(NamedTuple):
    """The days to come: used at least, probably and at most by the end of each.

    `burn` is minutes a day. `empty_in_days` is when all is probably used and `give_or_take`
    how many days sooner or later that may be; None where nothing is used.
    """

    low: tuple[float, ...]
    middle: tuple[float, ...]
    high: tuple[float, ...]
    burn: float
    empty_in_days: float | None
    give_or_take: float
    verdict: Verdict


def outlook(days: Sequence[float], days_in_month: int, included: float) -> Outlook:
    """What comes after `days`, the minutes used by the end of each day so far."""
    from statistics import fmean, pstdev  # 0.5 MB, and every worker imports this file

    if not days:
        return Outlook((), (), (), 0.0, None, 0.0, "unknown")
    used = [after - before for before, after in pairwise((0.0, *days))][-LOOKED_AT:]
    burn, spread = fmean(used), pstdev(used)
    ahead = range(1, days_in_month - len(days) + 1)
    middle = tuple(days[-1] + burn * day for day in ahead)
    margins = [FOUR_OF_FIVE * spread * math.sqrt(day) for day in ahead]
    low = tuple(max(days[-1], value - margin) for value, margin in zip(middle, margins, strict=True))
    high = tuple(value + margin for value, margin in zip(middle, margins, strict=True))
    empty = max(0.0, included - days[-1]) / burn if burn > 0 else None
    doubt = FOUR_OF_FIVE * spread * math.sqrt(empty) / burn if empty else 0.0
    return Outlook(low, middle, high, burn, empty, doubt, _verdict(days[-1], low, high, included))


def _verdict(used: float, low: Sequence[float], high: Sequence[float], included: float) -> Verdict:
    if (low[-1] if low else used) > included:
        return "runs out"
    return "tight" if (high[-1] if high else used) > included else "lasts"
