"""Write what a list shows into a file: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from relayq_tui.rows import JobRow

FIELDS = (
    "id", "name", "command", "state", "reason", "queue", "worker", "priority", "attempt", "exit_code",
    "submitted", "started", "ended", "run_s", "labels",
)  # fmt: skip


def export(rows: Sequence[JobRow], kind: str, now_ms: int, folder: Path) -> Path:
    """Write the rows as `csv` or `json` into a new file of the folder; its path."""
    path = new_file(folder, "jobs", kind, now_ms)
    facts = [job_facts(row, now_ms) for row in rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        if kind == "csv":
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows({**fact, "labels": _words(fact["labels"])} for fact in facts)
        else:
            json.dump(facts, file, indent=1)
    return path


def new_file(folder: Path, what: str, kind: str, now_ms: int) -> Path:
    """The name of a file that is exported now."""
    moment = datetime.fromtimestamp(now_ms / 1000).strftime("%Y%m%d-%H%M%S")
    return folder / f"relayq-{what}-{moment}.{kind}"


def job_facts(row: JobRow, now_ms: int) -> dict[str, Any]:
    """One job as a program wants it: times in ISO 8601, UTC."""
    run_ms = row.run_ms(now_ms)
    facts = [
        row.id, row.name, row.command, row.state.value, row.reason, row.queue, row.worker, row.priority,
        row.attempt, row.exit_code, _iso(row.submitted_ms), _iso(row.started_ms), _iso(row.ended_ms),
        None if run_ms is None else run_ms / 1000, dict(row.labels),
    ]  # fmt: skip
    return dict(zip(FIELDS, facts, strict=True))


def _iso(ms: int) -> str | None:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") if ms else None


def _words(labels: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in labels.items())
