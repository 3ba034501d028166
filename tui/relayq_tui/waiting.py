"""The places of the jobs that wait for a worker: which comes how far behind in its queue, and when about.

Each queue is served by age, ten minutes earlier for a step of priority. How long a
place takes is told from how many jobs of the queue ended in the last ten minutes.
All jobs have to be looked at for that, so it is done only when something has
changed, and the less often the longer it takes.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from relayq.model.lifecycle import FINAL, State
from relayq_tui.rows import JobRow

if TYPE_CHECKING:
    from relayq_tui.store import Store

STEP_MS = 600_000  # what a step of priority is worth (store/lua/prelude.lua)
LATELY_MS = 600_000
AGAIN_S, REST = 1.0, 50


class Waiting:
    """Places in the queues of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._places: dict[str, int] = {}
        self._ended: Counter[str] = Counter()
        self._version = -1
        self._due_s = 0.0

    def place(self, row: JobRow) -> tuple[int, int | None] | None:
        """(place from 1 on, in how many ms it may start, None if nothing ended lately), or None."""
        if row.state is not State.RUNNABLE:
            return None
        self._look()
        number = self._places.get(row.id)
        if number is None:
            return None
        ended = 0 if row.queue in self._store.counts.paused else self._ended[row.queue]
        return number, number * LATELY_MS // ended if ended else None

    def _look(self) -> None:
        if self._version == self._store.version or time.monotonic() < self._due_s:
            return
        began_s = time.thread_time()
        since_ms = self._store.now_ms() - LATELY_MS
        queues: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._ended.clear()
        for row in self._store.jobs.values():
            if row.state is State.RUNNABLE:
                queues[row.queue].append(
                    ((row.ready_ms or row.submitted_ms) - row.priority * STEP_MS, row.id)
                )
            elif row.ended_ms > since_ms and row.state in FINAL and row.started_ms:
                self._ended[row.queue] += 1
        self._places = {
            job: place for line in queues.values() for place, (_, job) in enumerate(sorted(line), 1)
        }
        self._version = self._store.version
        self._due_s = time.monotonic() + max(AGAIN_S, REST * (time.thread_time() - began_s))
