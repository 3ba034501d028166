"""The places of the jobs that wait for a worker: which comes how far behind in its queue, and when about.

Jobs of a queue that need the same stand in one line, served by age, ten minutes earlier
for a step of priority. How long a place takes is told from the jobs of the line that ended
in the last ten minutes: from when the first of them began to when the last of them ended,
divided by how many they are. So it counts how many run at once, and it is right from the first
end on, be the fleet a minute old. A pause behind the last end is counted as well as soon as it
is longer than they ran on average: then workers seem to have left. Where they run for longer
than ten minutes, as far back as they ran.
Every job that changes is told here once, so that a look costs a search by bisection
however many wait. The lines are kept from their ends: the newest come and are read first.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Container, Sequence

from relayq.model.ids import ALPHABET
from relayq.model.lifecycle import FINAL, State
from relayq_tui.rows import JobRow

STEP_MS = 600_000  # what a step of priority is worth (store/lua/prelude.lua)
LATELY_MS = 600_000
ENDS_KEPT = 1_000
SECOND_MS = 1_000
Kind = tuple[str, str]
Run = tuple[int, int]  # when it ended, when it began


class Waiting:
    """Places in the queues of a fleet."""

    def __init__(self) -> None:
        self._lines: defaultdict[Kind, array[int]] = defaultdict(lambda: array("q"))
        self._runs: defaultdict[Kind, list[Run]] = defaultdict(list)
        self._steps: dict[Kind, tuple[int, float | None]] = {}  # what `_step_ms` has found, and when

    def clear(self) -> None:
        """Forget everything."""
        self._lines.clear()
        self._runs.clear()
        self._steps.clear()

    def change(self, old: JobRow | None, new: JobRow | None) -> None:
        """A job is another one now; None: it was not there, or no longer is."""
        if old is not None and old.state is State.RUNNABLE:
            line, key = self._lines[_kind(old)], _key(old)
            at = bisect_left(line, key)
            if at < len(line) and line[at] == key:
                del line[at]
        if new is None:
            return
        if new.state is State.RUNNABLE:
            insort(self._lines[_kind(new)], _key(new))
        elif new.state in FINAL and new.started_ms and (old is None or old.state not in FINAL):
            runs = self._runs[_kind(new)]
            insort(runs, (new.ended_ms, new.started_ms))
            del runs[:-ENDS_KEPT]
            self._steps.pop(_kind(new), None)

    def place(self, row: JobRow, now_ms: int, paused: Container[str] = ()) -> tuple[int, int | None] | None:
        """(place from 1 on, in how many ms it may start, None if nothing ended lately), or None."""
        line, key = self._lines[_kind(row)], _key(row)
        at = bisect_left(line, key)
        if row.state is not State.RUNNABLE or at == len(line) or line[at] != key:
            return None
        number = len(line) - at
        step_ms = None if row.queue in paused else self._step_ms(_kind(row), now_ms)
        return number, None if step_ms is None else int(number * step_ms)

    def _step_ms(self, kind: Kind, now_ms: int) -> float | None:
        """How long it is from one end to the next, None if nothing ended lately; found out once a second."""
        asked_ms, step_ms = self._steps.get(kind, (-SECOND_MS, None))
        if not 0 <= now_ms - asked_ms < SECOND_MS:
            step_ms = _step_ms(self._runs.get(kind, []), now_ms)
            self._steps[kind] = now_ms, step_ms
        return step_ms


def _step_ms(runs: Sequence[Run], now_ms: int) -> float | None:
    lately = runs[bisect_right(runs, (now_ms - LATELY_MS, now_ms)) :]
    if not lately:
        return None
    run_ms = sum(ended_ms - started_ms for ended_ms, started_ms in lately) / len(lately)
    first_ms = max(min(started_ms for _, started_ms in lately), now_ms - max(LATELY_MS, run_ms))
    last_ms = max(lately[-1][0], now_ms - run_ms)
    return max(0.0, last_ms - first_ms) / len(lately)


def _key(row: JobRow) -> int:
    """The place in a line, and behind it how the id begins: of the same moment, the hub goes by ids."""
    score, begin = row.priority * STEP_MS - (row.ready_ms or row.submitted_ms), 0
    for letter in row.id[:4].ljust(4):
        begin = begin << 5 | max(0, ALPHABET.find(letter))
    return score << 20 | begin


def _kind(row: JobRow) -> Kind:
    return row.queue, row.needs
