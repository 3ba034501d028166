"""Tell the person that a job has ended which they wanted to hear of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from relayq_tui.rows import JobRow


class Bells:
    """The jobs whose end is waited for; `ring` gets each of them once, when it has ended."""

    def __init__(self, ring: Callable[[JobRow], None]) -> None:
        self._ring = ring
        self._jobs: set[str] = set()

    def toggle(self, row: JobRow) -> str:
        """Wait for the job's end, or no longer; a sentence that says which."""
        self._jobs ^= {row.id}
        return f"the bell rings when {row.short_id} ends" if row.id in self._jobs else "the bell is off"

    def hear(self, rows: Iterable[JobRow]) -> None:
        """These jobs have changed."""
        if not self._jobs:
            return
        for row in rows:
            if row.is_final and row.id in self._jobs:
                self._jobs.discard(row.id)
                self._ring(row)


def notice(row: JobRow) -> str:
    """What makes the terminals that can show a notice (OSC 9); the text of a row is harmless."""
    return f"\x1b]9;{row.title}: {row.state.value.lower()}\x07"
