"""Turn times into columns and back, and find the round times to write along an axis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from relayq_tui.glyphs import clock

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
SHORTEST_MS, LONGEST_MS = 5 * MINUTE_MS, 60 * DAY_MS
_STEPS_MS = (
    *(n * MINUTE_MS for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR_MS for n in (1, 2, 3, 6, 12)),
    *(n * DAY_MS for n in (1, 2, 7, 14, 28, 91)),
)
_TICK_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The stretch of time from one edge of `width` columns to the other; the first is `left`."""

    from_ms: int
    to_ms: int
    left: int
    width: int

    def column(self, at_ms: float) -> int:
        """The column of a time; it may lie outside."""
        return self.left + int((at_ms - self.from_ms) * self.width // (self.to_ms - self.from_ms))

    def time(self, column: int) -> int:
        """When a column begins."""
        return self.from_ms + (column - self.left) * (self.to_ms - self.from_ms) // self.width

    @property
    def right(self) -> int:
        """The first column behind it."""
        return self.left + self.width

    def ticks(self) -> Iterator[tuple[int, str]]:
        """Columns of round times with what to write there."""
        least_ms = (self.to_ms - self.from_ms) * _TICK_COLUMNS / self.width
        step_ms = next((step for step in _STEPS_MS if step >= least_ms), _STEPS_MS[-1])
        offset_ms = _zone_ms(self.from_ms)
        first = -((self.from_ms + offset_ms) // -step_ms)
        last = (self.to_ms + offset_ms) // step_ms
        for number in range(first, last + 1):
            at_ms = number * step_ms - offset_ms
            yield self.column(at_ms), clock(at_ms, "%d %b" if step_ms >= DAY_MS else "%H:%M")


def _zone_ms(at_ms: int) -> int:
    """How far this machine's clocks are ahead of UTC, so that round times are round here."""
    offset = datetime.fromtimestamp(at_ms / 1000).astimezone().utcoffset()
    return int(offset.total_seconds() * 1000) if offset else 0
