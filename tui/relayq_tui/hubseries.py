"""What happened minute by minute: the hub's own counts, and how long the jobs that began had waited."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

from relayq_tui.feed import Series
from relayq_tui.rows import JobRow

SERIES_MIN = 60
MINUTE_MS = 60_000
WAITS_KEPT = 500  # of a minute


class Waits:
    """The waits of the jobs that began in the last hour."""

    def __init__(self) -> None:
        self._seconds: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=WAITS_KEPT))

    def note(self, row: JobRow, now_ms: int) -> None:
        """Learn from a job that has begun; an array begins many times."""
        if row.started_ms > now_ms - SERIES_MIN * MINUTE_MS and row.array is None:
            self._seconds[row.started_ms // MINUTE_MS].append(row.wait_ms(0) / 1000)

    def series(self, minutes: Sequence[Mapping[str, int]], now_ms: int) -> Series:
        """The last SERIES_MIN minutes; `minutes` is what the hub has counted in each."""
        first = now_ms // MINUTE_MS - SERIES_MIN + 1
        for minute in [minute for minute in self._seconds if minute < first]:
            del self._seconds[minute]
        return Series(
            submitted=[float(one.get("in", 0)) for one in minutes],
            ended=[float(sum(one.get(letter, 0) for letter in "SFCKE")) for one in minutes],
            failed=[float(one.get("F", 0) + one.get("E", 0)) for one in minutes],
            p95_wait_s=[_p95(self._seconds.get(first + number, ())) for number in range(SERIES_MIN)],
        )


def _p95(waits_s: Iterable[float]) -> float:
    ordered = sorted(waits_s)
    return ordered[int(len(ordered) * 0.95)] if ordered else 0.0
