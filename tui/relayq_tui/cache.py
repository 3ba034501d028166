"""What was seen last, for the first frame of the next start: drawn before the hub has answered.

At most KEPT of the newest jobs with the counts; no output, no specs. A file that is
missing, damaged or of another version is no cache, and a disk that is full is no
reason to complain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from relayq_tui import recording
from relayq_tui.feed import BudgetChanged, Snapshot, Update
from relayq_tui.store import Store

KEPT = 500
MAX_BYTES = 2 << 20


def save(path: Path | None, store: Store) -> None:
    """Write what the store holds; nothing when it never heard from a hub."""
    if path is None or not store.data_ms:
        return
    updates = (Snapshot(jobs=list(store.newest[:KEPT]), at_ms=store.data_ms), store.counts, store.series)
    document = [recording.dump(update) for update in (*updates, BudgetChanged(store.budget))]
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps([recording.VERSION, document]), "utf-8")
        fresh.replace(path)


def load(path: Path | None) -> Iterator[Update]:
    """The updates that bring back what was saved."""
    if path is None:
        return
    try:
        with path.open("rb") as file:
            version, document = json.loads(file.read(MAX_BYTES + 1))
        updates = [recording.load(one) for one in document] if version == recording.VERSION else []
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return
    yield from updates
