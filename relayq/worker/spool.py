"""The worker's memory on disk: what it has claimed, how it ended, what it must never run again.

One SQLite file per worker, journal and replay ledger in one. `open` has a row for
every attempt this worker holds: written before anything starts, removed once the
hub has the report. `ledger` has a row for every id that has ended here, kept until
the signed spec expires: a finished id is never run again, whatever the hub says,
and its stored report is told again.

An fsync is worth its time (SD cards wear) before the first start of a batch of claims,
and before the first report of exits that nobody else remembers. The exits of commands
stand in the keeper's journal already: they ride along with the next commit, as do
acknowledgements, and the keeper is told to forget them only after that.

The clock of a Pi may be set back at every boot. The high-water mark is the latest
wall clock ever seen here, and an expired spec stays expired.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relayq.errors import WorkerError
from relayq.store.records import Report
from relayq.trust.files import Left
from relayq.worker.tree import AT_BOOT_S, boot_id

ROOM_BYTES_MIN = 1 << 20
QUICK_S = 0.003
FORGIVEN = 0.8  # of what the slowest commit took, for each commit since

_SCHEMA = """
CREATE TABLE IF NOT EXISTS open (
    job TEXT PRIMARY KEY, attempt INTEGER NOT NULL, failures INTEGER NOT NULL,
    exp_s INTEGER NOT NULL, body BLOB NOT NULL, again_s INTEGER NOT NULL DEFAULT 0,
    timeout_ms INTEGER NOT NULL DEFAULT 0, keep_output_bytes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS ledger (
    id TEXT PRIMARY KEY, attempt INTEGER NOT NULL, done INTEGER NOT NULL,
    exp_s INTEGER NOT NULL, report BLOB, failed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY, high_water_s INTEGER NOT NULL);
INSERT OR IGNORE INTO clock VALUES (1, 0);
"""
# What a file of an earlier version does not have yet.
_SINCE = {"ledger": ("failed",), "open": ("again_s", "timeout_ms", "keep_output_bytes")}
_OPEN_FIELDS = ("job", "attempt", "failures", "exp_s", "body", *_SINCE["open"])


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    """An attempt this worker holds: `body` is the signed spec, verified before it was journaled.

    `again_s` is when the retry was signed that let it run again, 0 for a first run. The last
    two are limits of this machine's policy, 0 is none.
    """

    job: str
    attempt: int
    failures: int
    exp_s: int
    body: bytes
    again_s: int = 0
    timeout_ms: int = 0
    keep_output_bytes: int = 0
    report: Report | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of an attempt: `report` is None for one that was taken away from this worker.

    `failed` is how many attempts of this job have failed so far, of those that its retry policy counts.
    """

    job: str
    attempt: int
    exp_s: int
    done: bool
    report: Report | None
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the ledger knows of an id: its latest ended attempt, and how many have failed until then."""

    attempt: int
    done: bool
    report: Report | None
    failed: int


class Spool:
    """The journal and replay ledger in one file.

    A commit takes a disk 0.3 ms and a card 50 ms. As long as the last ones were quick it is
    made at once, because handing it to a thread and back would double it; else it goes
    through a thread, one after the other. Reads have a connection of their own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._acknowledged: list[tuple[str, int]] = []
        self._endings: dict[str, Ending] = {}
        self._writing = asyncio.Lock()
        # A task that is cancelled leaves its commit running in the thread: the next one waits here.
        self._commits = threading.Lock()
        self._boot = boot_id()
        self._slow_s = QUICK_S  # until the first commit has shown better
        try:
            self._writer, self._reader = _connected(path), _connected(path)
            row = self._reader.execute("SELECT high_water_s FROM clock").fetchone()
        except sqlite3.Error as error:
            raise WorkerError(
                f"The worker's spool {path} cannot be used: {error}. "
                "Check that the state directory is writable and has free space."
            ) from None
        self._high_water_s: int = row[0]

    async def claimed(self, attempts: Iterable[OpenAttempt]) -> None:
        """Journal claims; nothing may start before this returns. WorkerError when the disk is full."""
        self.require_room()
        await self._write([tuple(getattr(one, name) for name in _OPEN_FIELDS) for one in attempts])

    async def ended(self, endings: Iterable[Ending]) -> None:
        """Journal exits now; nothing of them is reported before this returns."""
        self.ended_elsewhere(endings)
        await self.flush()

    def ended_elsewhere(self, endings: Iterable[Ending]) -> None:
        """Journal exits that the keeper remembers too, with the next commit."""
        self._endings |= {ending.job: ending for ending in endings}

    def acknowledged(self, attempts: Iterable[tuple[str, int]]) -> None:
        """Close attempts the hub needs to hear nothing more about, with the next commit."""
        self._acknowledged += attempts

    async def flush(self) -> None:
        """Write what rides along; after this the keeper may forget what ended."""
        if self._endings or self._acknowledged:
            await self._write([])

    def opened(self) -> list[OpenAttempt]:
        """Every attempt that was open when the worker last ended."""
        rows = self._reader.execute(
            "SELECT o.job, o.attempt, o.failures, o.exp_s, o.body, o.again_s, o.timeout_ms,"
            " o.keep_output_bytes, l.report FROM open o"
            " LEFT JOIN ledger l ON l.id = o.job AND l.attempt = o.attempt"
        )
        return [
            OpenAttempt(**dict(zip(_OPEN_FIELDS, row, strict=False)), report=self._told(row[-1]))
            for row in rows
        ]

    def past(self, job: str) -> Past | None:
        """What has ended here under this id."""
        if ending := self._endings.get(job):
            return Past(attempt=ending.attempt, done=ending.done, report=ending.report, failed=ending.failed)
        row = self._reader.execute(
            "SELECT attempt, done, report, failed FROM ledger WHERE id = ?", (job,)
        ).fetchone()
        return row and Past(attempt=row[0], done=bool(row[1]), report=self._told(row[2]), failed=row[3])

    def high_water_s(self, now_s: int) -> int:
        """The latest wall clock ever seen here, this moment included; written with the next commit."""
        self._high_water_s = max(now_s, self._high_water_s)
        return self._high_water_s

    def require_room(self) -> None:
        """WorkerError when the disk has too little left for another attempt.

        The pages of a journal are used again, so it can often be written where nothing else can.
        """
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < ROOM_BYTES_MIN:
            least = f"{ROOM_BYTES_MIN >> 20} MiB"
            raise WorkerError(f"The disk of {self._path.parent} has less than {least} left: make room there.")

    async def prune(self, now_s: int) -> None:
        """Forget ended ids whose spec has expired: they are refused for that reason now."""
        expired_s = self.high_water_s(now_s)
        await self._write([], expired_s=expired_s)

    @property
    def is_quick(self) -> bool:
        """Has this disk been quick of late, so that a small change need not be made in a thread?"""
        return self._slow_s < QUICK_S

    def close(self) -> None:
        """Write what is left and close the file."""
        try:
            self._commit([], list(self._endings.values()), self._acknowledged, 0)
        finally:
            self._writer.close()
            self._reader.close()

    async def _write(self, claims: list[tuple[Any, ...]], *, expired_s: int = 0) -> None:
        async with self._writing:
            endings, closed = list(self._endings.values()), self._acknowledged
            self._acknowledged = []
            try:
                await self._in_time(claims, endings, closed, expired_s)
            except WorkerError:
                self._acknowledged += closed
                raise
            for ending in endings:
                if self._endings.get(ending.job) is ending:
                    del self._endings[ending.job]

    async def _in_time(self, *commit: Any) -> None:
        """Make a commit where it does not hold up the loop; a slow one is remembered for a while."""
        begun_s = time.perf_counter()
        if self.is_quick:
            self._commit(*commit)
        else:
            await asyncio.to_thread(self._commit, *commit)
        self._slow_s = max(time.perf_counter() - begun_s, self._slow_s * FORGIVEN)

    def _told(self, packed: bytes | None) -> Report | None:
        return _unpack(packed, self._boot)

    def _commit(
        self,
        claims: list[tuple[Any, ...]],
        endings: list[Ending],
        closed: list[tuple[str, int]],
        expired_s: int,
    ) -> None:
        ended = [(e.job, e.attempt, e.done, e.exp_s, _pack(e.report, self._boot), e.failed) for e in endings]
        try:
            with self._commits, self._writer as db:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("INSERT OR REPLACE INTO ledger VALUES (?,?,?,?,?,?)", ended)
                db.executemany("DELETE FROM open WHERE job = ? AND attempt = ?", closed)
                db.executemany("INSERT OR REPLACE INTO open VALUES (?,?,?,?,?,?,?,?)", claims)
                db.execute("DELETE FROM ledger WHERE exp_s < ?", (expired_s,)) if expired_s else None
                db.execute("UPDATE clock SET high_water_s = ?", (self._high_water_s,))
        except sqlite3.Error as error:
            raise WorkerError(f"The worker's spool {self._path} cannot be written: {error}.") from None


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(_SCHEMA)
    for table, names in _SINCE.items():
        there = {column[1] for column in db.execute(f"PRAGMA table_info({table})")}
        for name in (name for name in names if name not in there):
            db.execute(f"ALTER TABLE {table} ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
    return db


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
    "outputs",
    "reply",
    "note",
    "ended_at",
)


def _pack(report: Report | None, boot: str) -> bytes | None:
    """One line of JSON, then the raw result. The line says since which boot the clock counts."""
    if report is None:
        return None
    line = json.dumps([*(getattr(report, name) for name in _REPORT_FIELDS), boot])
    return line.encode() + b"\n" + report.result


def _unpack(packed: bytes | None, boot: str) -> Report | None:
    if packed is None:
        return None
    head, _, result = packed.partition(b"\n")
    values = json.loads(head)
    fields = dict(zip(_REPORT_FIELDS, values, strict=False))
    if fields.get("ended_at") and values[len(_REPORT_FIELDS) :] not in ([], [boot]):
        fields["ended_at"] = AT_BOOT_S
    fields["outputs"] = tuple(
        Left(*output) for output in fields["outputs"] if len(output) == len(Left._fields)
    )
    return Report(**fields, result=result)
