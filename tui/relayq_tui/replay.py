"""A feed that plays a recording back, as fast as it happened; nothing can be changed in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from relayq.client.steering import Order, Told
from relayq.errors import ConfigError, Refused
from relayq.query import Query
from relayq.store.records import End, LogEntry
from relayq_tui.feed import Connection, JobDetail, Post
from relayq_tui.recording import Recording, opened
from relayq_tui.rows import JobRow

OVER = "the recording is over: refreshing plays it again"
FIXED = "this is a recording: nothing in it can be changed"


class ReplayFeed:
    """The recording in `path`; its clock is that of the recording."""

    def __init__(self, path: Path) -> None:
        self._recording: Recording = opened(path)
        self._began_s = time.monotonic()
        self._jobs: Mapping[str, JobRow] = {}
        self._over_ms: int | None = None

    @property
    def name(self) -> str:
        """Whose recording it is."""
        return f"{self._recording.name} (recorded)"

    def now_ms(self) -> int:
        """The time in the recording; where it is over, it stands still."""
        if self._over_ms is not None:
            return self._recording.at_ms + self._over_ms
        return self._recording.at_ms + int((time.monotonic() - self._began_s) * 1000)

    async def run(self, post: Post, jobs: Mapping[str, JobRow]) -> None:
        """Post everything when it is its time, and say when that was all."""
        self._jobs, self._began_s, self._over_ms = jobs, time.monotonic(), None
        at_ms, said, last = 0, OVER, Connection(state="live")
        try:
            for at_ms, update in self._recording.updates():
                early_s = at_ms / 1000 - (time.monotonic() - self._began_s)
                if early_s > 0:
                    await asyncio.sleep(early_s)
                last = update if isinstance(update, Connection) else last
                post(update)
        except ConfigError as error:
            said = str(error)
        self._over_ms = at_ms
        post(replace(last, message=said))

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def detail(self, job: str) -> JobDetail | None:
        """What the list knows of it."""
        row = self._jobs.get(job)
        return None if row is None else JobDetail(row=row)

    async def log(self, job: str, from_id: str = "0", attempt: int | None = None) -> list[LogEntry | End]:
        """Output is not recorded."""
        return []

    async def follow(self, job: str, from_id: str = "0") -> AsyncGenerator[LogEntry | End, None]:
        """Output is not recorded."""
        for entry in await self.log(job):
            yield entry

    async def act(self, order: Order) -> Told:
        """Say that it cannot be."""
        raise Refused(FIXED)

    async def matching(self, query: Query, tell: Callable[[int], None]) -> list[JobRow]:
        """A recording holds what it holds."""
        return []

    async def submit(self, spec: Mapping[str, object], like: str = "") -> str:
        """Say that it cannot be."""
        raise Refused(FIXED)
