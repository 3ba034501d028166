"""The jobs that match a query, in its order, kept up to date job by job.

In the usual order, newest first, a change costs a search by bisection. Another
order, and conditions that time alone can change (`dur:>5m`), are asked again as a
whole, once in a while and never while somebody marks.
"""

from __future__ import annotations

from bisect import bisect_left

from relayq.query import Query, parse
from relayq_tui.rows import JobRow
from relayq_tui.store import Changes, Store, by_age

AGAIN_MS = 2_000


class Listing:
    """The result of one query over the store; `rows` change in `ask` and `take` only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._query: Query = parse("")
        self._asked_ms = 0
        self.rows: list[JobRow] = []

    @property
    def query(self) -> Query:
        """What is asked."""
        return self._query

    def ask(self, query: Query) -> None:
        """Ask something else."""
        self._query = query
        self._asked_ms = self._store.now_ms()
        if self._is_everything:
            self.rows = list(self._store.newest)
            return
        self.rows = query.select(self._store.newest, self._asked_ms)
        if query.sort:
            self.rows = query.ordered(self.rows, self._asked_ms)

    def take(self, changes: Changes, *, is_held: bool = False) -> bool:
        """Take changes of the store; True when rows came, went or moved, not only changed.

        `is_held` keeps the order as it is, for somebody is pointing at it.
        """
        if self._is_everything and not changes.jobs and not changes.all_jobs:
            return False
        if self._is_everything:
            self.rows = list(self._store.newest)
            return changes.moved or changes.all_jobs
        if changes.all_jobs or (self._is_due() and not is_held):
            self.ask(self._query)
            return True
        if self._query.sort:
            return self._replace(changes.jobs)
        moved = [self._place(job) for job in changes.jobs]
        return any(moved)

    @property
    def _is_everything(self) -> bool:
        return self._query.matches_all and not self._query.sort

    def _is_due(self) -> bool:
        return self._store.now_ms() - self._asked_ms >= AGAIN_MS

    def _replace(self, jobs: set[str]) -> bool:
        """The rows that are here already, as they are now."""
        if jobs:
            known = self._store.jobs
            self.rows = [known.get(row.id, row) if row.id in jobs else row for row in self.rows]
        return False

    def _place(self, job: str) -> bool:
        row = self._store.jobs.get(job)
        if row is None:
            before = len(self.rows)
            self.rows = [other for other in self.rows if other.id != job]
            return len(self.rows) != before
        at = bisect_left(self.rows, by_age(row), key=by_age)
        is_here = at < len(self.rows) and self.rows[at].id == job
        if self._query.matches(row, self._store.now_ms()):
            self.rows[at : at + is_here] = [row]
            return not is_here
        del self.rows[at : at + is_here]
        return is_here
