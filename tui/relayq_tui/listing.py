"""The jobs that match a query, in its order, kept up to date job by job.

In the usual order, newest first, a change costs a search by bisection. Another
order, and conditions that time alone can change (`dur:>5m`), are asked again as a
whole, once in a while and never while somebody marks.
"""

from __future__ import annotations

from bisect import bisect_left

from relayq.query import Query, parse
from relayq_tui.columns import EMPTY
from relayq_tui.listed import Rows, by_age_in
from relayq_tui.sieve import ordered, sift
from relayq_tui.store import Changes, Store

AGAIN_MS = 2_000


class Listing:
    """The result of one query over the store; which jobs `rows` holds changes in these methods only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._query: Query = parse("")
        self._asked_ms = 0
        self.rows = Rows(store.jobs.columns)

    @property
    def query(self) -> Query:
        """What is asked."""
        return self._query

    def ask(self, query: Query) -> None:
        """Ask something else."""
        self._query = query
        self._asked_ms = self._store.now_ms()
        self.rows = sift(query, self._store.newest, self._asked_ms)
        if query.sort:
            self.rows = ordered(query, self.rows, self._asked_ms)

    def keep(self) -> None:
        """Let the rows be as they are now, whatever happens to the jobs, until they are asked for anew."""
        self.rows = self.rows.kept()

    def take(self, changes: Changes, *, is_held: bool = False) -> bool:
        """Take changes of the store; True when rows came, went or moved, not only changed.

        `is_held` keeps the order as it is, for somebody is pointing at it.
        """
        if self._is_everything and not changes.jobs and not changes.all_jobs:
            return False
        if self._is_everything:
            self.rows = sift(self._query, self._store.newest, 0)
            return changes.moved or changes.all_jobs
        is_other = self.rows.columns is not self._store.jobs.columns
        if changes.all_jobs or is_other or (self._is_due() and not is_held):
            self.ask(self._query)
            return True
        before = len(self.rows)
        if changes.gone:
            self.rows = self.rows.living()
        if self._query.sort:
            return len(self.rows) != before
        moved = [self._place(job) for job in changes.jobs]
        return any(moved) or len(self.rows) != before

    @property
    def _is_everything(self) -> bool:
        return self._query.matches_all and not self._query.sort

    def _is_due(self) -> bool:
        return self._store.now_ms() - self._asked_ms >= AGAIN_MS

    def _place(self, job: str) -> bool:
        columns, slots = self._store.jobs.columns, self.rows.slots
        slot = columns.find(job)
        if slot == EMPTY:
            return False
        by_age = by_age_in(columns)
        at = bisect_left(slots, by_age(slot), key=by_age)
        is_here = at < len(slots) and slots[at] == slot
        if not self._query.matches(columns.row(slot), self._store.now_ms()):
            del slots[at : at + is_here]
            return is_here
        if not is_here:
            slots.insert(at, slot)
        return not is_here
