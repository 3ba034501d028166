"""The month's minutes as somebody at home has counted them: one line of a step's summary.

A submit-only user may read the sum of the month and nothing else of the budget (hub/acl.py).
It is the hub's word, unsigned: good enough to be shown, never to decide by.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

from relayq.model.duration import format_duration
from relayq.step.runner import code

if TYPE_CHECKING:
    from typing import Any

# The best known speaks, as in `relayq budget`: what was counted from runs, else the bill.
SOURCES = {"runs": "counted from runs", "bill": "by GitHub's bill"}


class Sum(NamedTuple):
    """What is used of an account's minutes in a month like `2026-11`, in minutes, and when it was read."""

    source: str
    owner: str
    month: str
    used: float
    included: float
    read_ms: float


def line(reply: Any, owner: str, now_s: float) -> str:
    """What is known of this month; `reply` is the hub's, `owner` the account of the step's repository."""
    if not isinstance(reply, list):
        return (
            "The month's minutes are not shown: this user of the hub may not read them yet "
            "(at home, `relayq hub upgrade` lets it)."
        )
    month = time.strftime("%Y-%m", time.gmtime(now_s))
    known = [one for one in _sums(reply) if one.month == month]
    if not known:
        return (
            f"The month's minutes are not known: nobody at home has counted those of {month} yet "
            "(`relayq budget refresh` does)."
        )
    best = known[0]
    if owner and best.owner.lower() != owner.lower():
        return "The month's minutes are not known: those of another account are counted at home."
    age = format_duration(max(0, round(1000 * now_s - best.read_ms)))
    left = max(0.0, best.included - best.used)
    return (
        f"Minutes of {code(best.owner)} in {month}: {best.used:,.0f} of {best.included:,.0f} used, "
        f"{left:,.0f} left ({SOURCES[best.source]}, {age} ago)."
    )


def _sums(flat: list[bytes]) -> list[Sum]:
    """The sums that the hub has, the best known first; what cannot be read is none."""
    held = dict(zip(flat[::2], flat[1::2]))
    found = [_sum(source, held.get(source.encode(), b"")) for source in SOURCES]
    return [one for one in found if one]


def _sum(source: str, data: bytes) -> Sum | None:
    try:
        given = json.loads(data)
        told = Sum(source, *(given[name] for name in Sum._fields[1:]))
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    numbers = (told.used, told.included, told.read_ms)
    is_number = all(type(number) in (int, float) and 0 <= number < 1e15 for number in numbers)
    is_text = isinstance(told.owner, str) and isinstance(told.month, str) and len(told.owner) <= 64
    return told if is_number and is_text else None
