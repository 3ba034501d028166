"""The places of the jobs that wait for a worker: which comes how far behind in its queue, and when about.

Jobs of a queue that need the same stand in one line, served by age, ten minutes earlier
for a step of priority. How long a place takes is told from how many jobs of the line
ended in the last ten minutes.
Every job that changes is told here once, so that a look costs a search by bisection
however many wait. The lines are kept from their ends: the newest come and are read first.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Container

from relayq.model.ids import ALPHABET
from relayq.model.lifecycle import FINAL, State
from relayq_tui.rows import JobRow

STEP_MS = 600_000  # what a step of priority is worth (store/lua/prelude.lua)
LATELY_MS = 600_000
ENDS_KEPT = 1_000
Kind = tuple[str, str]


class Waiting:
    """Places in the queues of a fleet."""

    def __init__(self) -> None:
        self._lines: defaultdict[Kind, array[int]] = defaultdict(lambda: array("q"))
        self._ends: defaultdict[Kind, list[int]] = defaultdict(list)

    def clear(self) -> None:
        """Forget everything."""
        self._lines.clear()
        self._ends.clear()

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
            ends = self._ends[_kind(new)]
            insort(ends, new.ended_ms)
            del ends[:-ENDS_KEPT]

    def place(self, row: JobRow, now_ms: int, paused: Container[str] = ()) -> tuple[int, int | None] | None:
        """(place from 1 on, in how many ms it may start, None if nothing ended lately), or None."""
        line, key = self._lines[_kind(row)], _key(row)
        at = bisect_left(line, key)
        if row.state is not State.RUNNABLE or at == len(line) or line[at] != key:
            return None
        number = len(line) - at
        ends = self._ends.get(_kind(row), [])
        ended = len(ends) - bisect_right(ends, now_ms - LATELY_MS)
        return number, number * LATELY_MS // ended if ended and row.queue not in paused else None


def _key(row: JobRow) -> int:
    """The place in a line, and behind it how the id begins: of the same moment, the hub goes by ids."""
    score, begin = row.priority * STEP_MS - (row.ready_ms or row.submitted_ms), 0
    for letter in row.id[:4].ljust(4):
        begin = begin << 5 | max(0, ALPHABET.find(letter))
    return score << 20 | begin


def _kind(row: JobRow) -> Kind:
    return row.queue, row.needs
