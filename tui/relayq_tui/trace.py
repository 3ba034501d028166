"""Write a timeline as a trace that Perfetto, or chrome://tracing, opens.

The trace event format: complete events (ph X) with times in microseconds, one process
for each worker, one thread for each row in which its jobs do not overlap. Source: "Trace
Event Format", Google, as Perfetto's documentation of 2024 refers to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from relayq_tui.rows import JobRow


def perfetto(rows: Sequence[JobRow], now_ms: int) -> str:
    """The runs of these jobs as a JSON trace."""
    by_worker: dict[str, list[JobRow]] = {}
    for row in sorted(rows, key=lambda row: row.started_ms):
        by_worker.setdefault(row.worker or "several workers", []).append(row)
    events: list[dict[str, Any]] = []
    for process, (worker, jobs) in enumerate(by_worker.items(), 1):
        events.append({"ph": "M", "pid": process, "name": "process_name", "args": {"name": worker}})
        events += _events(process, jobs, now_ms)
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, indent=1)


def _events(process: int, jobs: Sequence[JobRow], now_ms: int) -> Iterator[dict[str, Any]]:
    ends: list[int] = []
    for row in jobs:
        end_ms = row.started_ms + (row.run_ms(now_ms) or 0)
        thread = next((index for index, end in enumerate(ends) if end <= row.started_ms), len(ends))
        ends[thread : thread + 1] = [end_ms]
        yield {
            "ph": "X", "pid": process, "tid": thread + 1, "name": row.title, "cat": row.queue,
            "ts": row.started_ms * 1000, "dur": (end_ms - row.started_ms) * 1000,
            "args": {"id": row.id, "state": row.state.value, "attempt": row.attempt,
                     "exit_code": row.exit_code, "wait_ms": max(0, row.started_ms - row.ready_ms)},
        }  # fmt: skip
