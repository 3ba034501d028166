"""The jobs that wait for the owner's word, for the line that says what needs a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relayq_tui.rows import JobRow


class Asking:
    """Remembers who has asked; whether they still do is looked up among the jobs as they are now."""

    def __init__(self, jobs: Mapping[str, JobRow]) -> None:
        self._jobs = jobs
        self._ids: set[str] = set()

    def hear(self, rows: Iterable[JobRow]) -> None:
        """These jobs are new or different."""
        self._ids.update(row.id for row in rows if row.reason == "approval")

    def count(self) -> int:
        """How many wait for it now."""
        return len(self._waiting())

    def latest(self) -> JobRow | None:
        """The one that has asked last."""
        return max(self._waiting(), key=lambda row: (row.submitted_ms, row.id), default=None)

    def sentence(self, key: str) -> str:
        """`7RDKS3 deploy-site waits for your word (A)`, or nothing."""
        row, count = self.latest(), self.count()
        if row is None:
            return ""
        if count == 1:
            return f"{row.short_id} {row.title} waits for your word ({key})"
        return f"{count} jobs wait for your word ({key}), {row.short_id} {row.title} came last"

    def _waiting(self) -> list[JobRow]:
        rows = [row for job in self._ids if (row := self._jobs.get(job)) and row.reason == "approval"]
        living = [row for row in rows if not row.is_final]
        self._ids = {row.id for row in living}
        return living
