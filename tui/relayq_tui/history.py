"""How long jobs of a name usually run on a worker: what every estimate of an end rests on."""

from __future__ import annotations

from statistics import median

from relayq_tui.rows import JobRow

KEPT = 32
ENOUGH = 3
NAMES = 10_000  # with their workers: jobs without a name have one of their own each


class History:
    """The last successful runs by name and worker; of very many names those that were told of last."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], tuple[tuple[int, int], ...]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._runs.clear()

    def note(self, row: JobRow) -> None:
        """Learn from a job that has succeeded."""
        if not row.started_ms or row.array is not None:
            return
        run = (row.started_ms, row.ended_ms - row.started_ms)
        for worker in (row.worker, ""):
            runs = self._runs.pop((row.title, worker), ())
            self._runs[row.title, worker] = runs if run in runs else (*runs[1 - KEPT :], run)
        while len(self._runs) > NAMES:
            del self._runs[next(iter(self._runs))]

    def usual_ms(self, title: str, worker: str = "") -> tuple[int, int] | None:
        """(median run in ms, of how many); with a worker that knows too few, of all workers."""
        runs = self._runs.get((title, worker), ())
        if len(runs) < ENOUGH:
            runs = self._runs.get((title, ""), ())
        return (int(median(run_ms for _, run_ms in runs)), len(runs)) if len(runs) >= ENOUGH else None

    def end_ms(self, row: JobRow, now_ms: int) -> int | None:
        """When a running job should end: by its own progress where it tells it, else by its like."""
        run_ms = row.run_ms(now_ms)
        if run_ms is None or row.is_final:
            return None
        if row.progress and run_ms > 5_000:
            return row.started_ms + int(run_ms * 100 / row.progress)
        usual = self.usual_ms(row.title, row.worker)
        return None if usual is None else max(now_ms, row.started_ms + usual[0])
