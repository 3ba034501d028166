"""Send the output of attempts to the hub, soon when somebody watches, else in good portions.

A look at the files every LOOK_S (WATCHED_S while a log is followed) finds what is due:
output that somebody follows, PORTION_BYTES of it, or anything that has waited for
PATIENCE_S. What is due goes with the next sync, SYNC_BYTES at most. An attempt that
has ended is due at once, and its report waits until its last byte is on its way.

The hub says how much of each stream it has. After a sync that did not get through,
everything goes on from there; what the hub has already it skips.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from relayq.store.records import LogChunk
from relayq.trust.redacting import Redactor
from relayq.worker.attempt import Attempt
from relayq.worker.bell import Bell
from relayq.worker.credentials import Credentials
from relayq.worker.output import Piece, Progress, Tail

LOOK_S = 1.0
WATCHED_S = 0.25
PATIENCE_S = 5.0
PORTION_BYTES = 32 * 1024
SYNC_BYTES = 512 * 1024
PIECE_BYTES = 64 * 1024
MESSAGE_CHARS = 64


class _Log:
    """What has been sent of one attempt: `taken` is what the hub has."""

    __slots__ = ("number", "redactor", "sent", "sent_at", "tail", "taken")

    def __init__(self, attempt: Attempt, taken: tuple[int, int]) -> None:
        self.number = attempt.attempt
        self.tail = Tail(attempt.place, taken, keep_bytes=attempt.keep_bytes)
        self.redactor = _redactor_of(attempt)
        self.taken = taken
        self.sent = [*taken]
        self.sent_at = time.monotonic()


class Shipping:
    """The logs of the held attempts, on their way."""

    def __init__(self, bell: Bell, credentials: Credentials) -> None:
        self.bell, self._credentials = bell, credentials
        self.held: dict[str, Attempt] = {}
        self._logs: dict[str, _Log] = {}
        self._known: dict[str, tuple[int, int]] = {}
        self._due: set[str] = set()
        self._untold: set[str] = set()
        self._asked: set[str] = set()  # whose output goes with this sync
        self._unsure: set[str] = set()  # of whose output the hub may have more than it has said
        self._watched: set[str] = set()
        self._hurry = asyncio.Event()
        self._news: dict[str, Progress] = {}

    # -- what is due

    async def watch_files(self) -> None:
        """Look for new output for ever."""
        while True:
            await self._pause(WATCHED_S if self._watched else LOOK_S)
            for attempt in [one for one in self.held.values() if one.is_running]:
                if attempt.progress:
                    self._hear(attempt)
                if attempt.has_place:
                    self._look(attempt)

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless somebody begins to follow a log."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        if self._hurry.is_set():
            self._hurry.clear()
            await asyncio.sleep(WATCHED_S)

    def ended(self, attempt: Attempt) -> None:
        """Everything it has left to say is due now."""
        if attempt.has_place:
            self._due.add(attempt.job)

    def watch(self, job: str) -> None:
        """Somebody follows this log from now on, or from when the job is held: its claim may come later."""
        self._watched.add(job)
        self._hurry.set()
        if job in self.held:
            self._due.add(job)
            self.bell.ring()

    # -- what goes with a sync

    def chunks(self) -> list[LogChunk]:
        """The pieces for the next sync."""
        chunks: list[LogChunk] = []
        budget = SYNC_BYTES
        for job in list(self._due):
            attempt = self.held.get(job)
            log = self._log_of(attempt) if attempt else None
            if attempt and log:
                budget -= self._read(attempt, log, budget, chunks)
            self._settle(job, attempt, log)
        self._asked = {chunk.job for chunk in chunks}
        self._unsure &= self._asked | self._due  # of what has nothing to send nobody can say more
        return chunks

    def progress(self) -> list[tuple[str, float | None, str]]:
        """What jobs have said about their progress since the last sync."""
        news, self._news = self._news, {}
        return [(job, said.percent, self._sealed_words(job, said.message)) for job, said in news.items()]

    def _sealed_words(self, job: str, message: str) -> str:
        attempt = self.held.get(job)
        if not message or attempt is None:
            return ""
        if redactor := _redactor_of(attempt):
            data = redactor.masked(b"", message.encode("utf-8", "replace"), b"")
            message = data.decode("utf-8", "replace")
        return self._credentials.voice.note(job, message[:MESSAGE_CHARS], attempt.admitted.reply)

    def is_told(self, job: str) -> bool:
        """Is the whole log of this ended attempt sent, this sync included, and all in its place?

        Pieces are taken where the hub's copy ends. Where that is, is not sure behind a sync whose
        reply was lost: the report waits for the reply that says so, for with it the log is closed.
        """
        return job not in self._untold and job not in self._unsure

    def has_more(self) -> bool:
        """Is there output for another sync at once?"""
        return bool(self._due)

    # -- what came of it

    def acknowledged(self, offsets: dict[str, tuple[int, int]]) -> None:
        """The hub has these many bytes of stdout and stderr."""
        for job, taken in offsets.items():
            if log := self._logs.get(job):
                log.taken = taken
                if log.sent != [*taken]:
                    self._rewind(job, log)
            else:
                self._known[job] = taken
        if self._unsure & self._asked:
            self._unsure -= self._asked
            self.bell.ring()

    def followed(self, jobs: list[str]) -> None:
        """These, and no others, are followed."""
        news = set(jobs) - self._watched
        self._watched = set(jobs)
        for job in news:
            self.watch(job)

    def rewind(self) -> None:
        """A sync did not get through: send again from where the hub's copy ends."""
        self._asked = set()
        for job, log in self._logs.items():
            if log.sent != [*log.taken]:
                self._unsure.add(job)
            self._rewind(job, log)

    def drop(self, job: str) -> None:
        """The hub has everything it will get."""
        self._logs.pop(job, None)
        self._known.pop(job, None)
        self._news.pop(job, None)
        for group in (self._due, self._untold, self._unsure, self._watched):
            group.discard(job)

    # -- inside

    def _rewind(self, job: str, log: _Log) -> None:
        log.tail.rewind(log.taken)
        log.sent = [*log.taken]
        self._due.add(job)

    def _look(self, attempt: Attempt) -> None:
        log = self._log_of(attempt)
        if log is None:
            return
        log.tail.trim()
        waiting = log.tail.waiting_bytes()
        is_time = attempt.job in self._watched or time.monotonic() - log.sent_at >= PATIENCE_S
        if waiting >= PORTION_BYTES or (waiting and is_time):
            self._due.add(attempt.job)
            self.bell.ring()
        elif is_time and (said := log.tail.progress()):
            self._news[attempt.job] = said
            self.bell.ring()

    def _hear(self, attempt: Attempt) -> None:
        """A job type that runs in-process has said how far it is."""
        assert attempt.progress
        self._news[attempt.job] = Progress(*attempt.progress)
        attempt.progress = None
        self.bell.ring()

    def _log_of(self, attempt: Attempt) -> _Log | None:
        """The log of an attempt; None as long as there is nothing in it."""
        log = self._logs.get(attempt.job)
        if log is None or log.number != attempt.attempt:
            if not _said_anything(attempt.place):
                return None
            log = self._logs[attempt.job] = _Log(attempt, self._known.pop(attempt.job, (0, 0)))
        return log

    def _read(self, attempt: Attempt, log: _Log, budget: int, chunks: list[LogChunk]) -> int:
        """Add the next pieces of one log, sealed; how many bytes of output they hold."""
        log.sent_at = time.monotonic()
        left = budget
        while left > 0 and (pieces := log.tail.read(min(left, PIECE_BYTES))):
            for piece in pieces:
                chunks.append(self._sealed(attempt, log, piece))
                log.sent[piece.stream - 1] = piece.offset + len(piece.data)
                left -= len(piece.data)
        return budget - left

    def _sealed(self, attempt: Attempt, log: _Log, piece: Piece) -> LogChunk:
        place, data = (piece.stream, piece.offset), piece.data
        if redactor := log.redactor:
            before, behind = log.tail.around(piece, redactor.margin)
            data = redactor.masked(before, data, behind)
        seal = self._credentials.voice.piece
        return LogChunk(
            job=attempt.job,
            attempt=log.number,
            stream=piece.stream,
            offset=piece.offset,
            data=seal(attempt.job, log.number, place, data, attempt.admitted.reply),
            jump=piece.jump,
            size=len(piece.data),
        )

    def _settle(self, job: str, attempt: Attempt | None, log: _Log | None) -> None:
        """Is it still due after this sync, and may its end be reported?"""
        is_left = log is not None and log.tail.waiting_bytes() > 0
        if not is_left:
            self._due.discard(job)
        if log and attempt and (said := log.tail.progress()) and not attempt.is_over:
            self._news[job] = said
        if is_left and attempt and attempt.is_over:
            self._untold.add(job)
        else:
            self._untold.discard(job)


def _redactor_of(attempt: Attempt) -> Redactor | None:
    secrets = [value for _, value in attempt.spec.secrets]
    return Redactor(secrets) if secrets else None


def _said_anything(place: str) -> bool:
    """Asked once for every short job: one look at the directory is cheaper than one for each file."""
    try:
        return any(entry.name != "work" and entry.stat().st_size for entry in os.scandir(place))
    except OSError:
        return False
