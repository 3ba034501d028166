"""What was seen last, for the first frame of the next start: drawn before the hub has answered.

At most KEPT of the newest jobs with the counts; no output, no specs. A file that is
missing, damaged or of another version is no cache, and a disk that is full is no
reason to complain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from relayq.model.lifecycle import State
from relayq.store.records import ArrayCounts
from relayq_tui.feed import BudgetChanged, Counts, Series, Snapshot, Update
from relayq_tui.rows import BudgetView, JobRow
from relayq_tui.store import Store

VERSION = 1
KEPT = 500
MAX_BYTES = 2 << 20


def save(path: Path | None, store: Store) -> None:
    """Write what the store holds; nothing when it never heard from a hub."""
    if path is None or not store.data_ms:
        return
    document = {
        "version": VERSION,
        "at_ms": store.data_ms,
        "jobs": [_dump_row(row) for row in store.newest[:KEPT]],
        "counts": asdict(store.counts),
        "series": asdict(store.series),
        "budget": asdict(store.budget) if store.budget else None,
    }
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(document), "utf-8")
        fresh.replace(path)


def load(path: Path | None) -> Iterator[Update]:
    """The updates that bring back what was saved."""
    if path is None:
        return
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(MAX_BYTES + 1))
        if document["version"] != VERSION:
            return
        updates = list(_updates(document))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return
    yield from updates


def _updates(document: dict[str, Any]) -> Iterator[Update]:
    counts = document["counts"]
    counts["by_state"] = {State(name): count for name, count in counts["by_state"].items()}
    counts["paused"] = tuple(counts["paused"])
    yield Snapshot(jobs=[_load_row(row) for row in document["jobs"]], at_ms=document["at_ms"])
    yield Counts(**counts)
    yield Series(**document["series"])
    if document["budget"]:
        yield BudgetChanged(BudgetView(**document["budget"]))


def _dump_row(row: JobRow) -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if value}


def _load_row(fields: dict[str, Any]) -> JobRow:
    fields["state"] = State(fields["state"])
    fields.setdefault("name", "")
    fields.setdefault("command", "")
    fields["after"] = tuple(fields.get("after", ()))
    if fields.get("array"):
        fields["array"] = ArrayCounts(**fields["array"])
    return JobRow(**fields)
