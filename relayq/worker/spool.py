"""The worker's memory on disk: what it has claimed, how it ended, what it must never run again.

One SQLite file per worker, journal and replay ledger in one. `open` has a row for
every attempt this worker holds: written before anything starts, removed once the
hub has the report. `ledger` has a row for every id that has ended here, kept until
the signed spec expires: a finished id is never run again, whatever the hub says,
and its stored report is told again.

Only two moments are worth an fsync: a batch of claims before its first start and a
batch of exits before its first report (SD cards wear). Acknowledgements ride along
with the next of these: to lose one only means telling the hub something twice.

The clock of a Pi may be set back at every boot. The high-water mark is the latest
wall clock ever seen here, and an expired spec stays expired.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from relayq.errors import WorkerError
from relayq.store.records import Report

HIGH_WATER_STEP_S = 60

_SCHEMA = """
CREATE TABLE IF NOT EXISTS open (
    job TEXT PRIMARY KEY, attempt INTEGER NOT NULL, failures INTEGER NOT NULL,
    exp_s INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS ledger (
    id TEXT PRIMARY KEY, attempt INTEGER NOT NULL, done INTEGER NOT NULL,
    exp_s INTEGER NOT NULL, report BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock (high_water_s INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    """An attempt this worker holds: `body` is the signed spec, verified before it was journaled."""

    job: str
    attempt: int
    failures: int
    exp_s: int
    body: bytes
    report: Report | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of an attempt: `report` is None for one that was taken away from this worker."""

    job: str
    attempt: int
    exp_s: int
    done: bool
    report: Report | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the ledger knows of an id: its latest ended attempt."""

    attempt: int
    done: bool
    report: Report | None


class Spool:
    """The journal and replay ledger in one file; every method is quick and none is async."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._acknowledged: list[tuple[str, int]] = []
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            row = self._db.execute("SELECT high_water_s FROM clock").fetchone()
            if row is None:
                self._db.execute("INSERT INTO clock VALUES (0)")
        except sqlite3.Error as error:
            raise WorkerError(
                f"The worker's spool {path} cannot be used: {error}. "
                "Check that the state directory is writable and has free space."
            ) from None
        self._high_water_s: int = row[0] if row else 0

    def claimed(self, attempts: Iterable[OpenAttempt]) -> None:
        """Journal claims; nothing may start before this returns."""
        rows = [(one.job, one.attempt, one.failures, one.exp_s, one.body) for one in attempts]
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO open VALUES (?,?,?,?,?)", rows)

    def ended(self, endings: Iterable[Ending]) -> None:
        """Journal exits; nothing is reported before this returns."""
        rows = [(e.job, e.attempt, e.done, e.exp_s, _pack(e.report)) for e in endings]
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO ledger VALUES (?,?,?,?,?)", rows)

    def acknowledged(self, attempts: Iterable[tuple[str, int]]) -> None:
        """Close attempts the hub needs to hear nothing more about (written with the next batch)."""
        self._acknowledged += attempts

    def opened(self) -> list[OpenAttempt]:
        """Every attempt that was open when the worker last ended."""
        rows = self._db.execute(
            "SELECT o.job, o.attempt, o.failures, o.exp_s, o.body, l.report FROM open o"
            " LEFT JOIN ledger l ON l.id = o.job AND l.attempt = o.attempt"
        )
        names = ("job", "attempt", "failures", "exp_s", "body")
        return [OpenAttempt(**dict(zip(names, row, strict=False)), report=_unpack(row[-1])) for row in rows]

    def past(self, job: str) -> Past | None:
        """What has ended here under this id."""
        row = self._db.execute("SELECT attempt, done, report FROM ledger WHERE id = ?", (job,)).fetchone()
        return row and Past(attempt=row[0], done=bool(row[1]), report=_unpack(row[2]))

    def high_water_s(self, now_s: int) -> int:
        """The latest wall clock ever seen here, this moment included."""
        if now_s >= self._high_water_s + HIGH_WATER_STEP_S:
            self._high_water_s = now_s
            with self._transaction():
                self._db.execute("UPDATE clock SET high_water_s = ?", (now_s,))
        return max(now_s, self._high_water_s)

    def prune(self, now_s: int) -> int:
        """Forget ended ids whose spec has expired: they are refused for that reason now."""
        expired_s = self.high_water_s(now_s)
        with self._transaction():
            return self._db.execute("DELETE FROM ledger WHERE exp_s < ?", (expired_s,)).rowcount

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._acknowledged:
            self.claimed([])
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("DELETE FROM open WHERE job = ? AND attempt = ?", self._acknowledged)
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise WorkerError(f"The worker's spool {self._path} cannot be written: {error}.") from None
        self._acknowledged.clear()


_REPORT_FIELDS = (
    "job",
    "attempt",
    "outcome",
    "exit_code",
    "reason",
    "retry",
    "backoff_ms",
    "backoff_cap_ms",
    "run_ms",
)


def _pack(report: Report | None) -> bytes | None:
    """One line of JSON, then the raw result."""
    if report is None:
        return None
    return json.dumps([getattr(report, name) for name in _REPORT_FIELDS]).encode() + b"\n" + report.result


def _unpack(packed: bytes | None) -> Report | None:
    if packed is None:
        return None
    head, _, result = packed.partition(b"\n")
    return Report(**dict(zip(_REPORT_FIELDS, json.loads(head), strict=True)), result=result)
