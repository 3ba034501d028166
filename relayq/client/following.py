"""Follow the output of a job to its end, across broken links and restarts of the hub.

Waiting is reading: a watched job's log stream carries its output and, as the last
entry, how it ended, so a job that has ended costs one round trip. A blocking read
occupies a connection; each reader has one of its own for as long as it reads.

An end in the stream is the end of the job unless somebody had it run again: then
more entries follow, or the job's state says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

from relayq.client.bookmark import Bookmark
from relayq.errors import HubUnreachable, UnknownName
from relayq.model.lifecycle import FINAL
from relayq.store.hub import Hub
from relayq.store.jobs import Jobs
from relayq.store.logs import Logs
from relayq.store.records import End, JobRecord, LogEntry

T = TypeVar("T")

READERS_KEPT = 4
BLOCK_MS = 20_000
LOOK_MS = 2_000  # for those who may only look, since no end is written for them, and on this machine
PATIENCE_S = 60.0
PAUSE_S = 0.5
BLINK_S = 2.0
AWAY = "the hub is away"  # among the jobs of which something was told


class Follower:
    """Readers of logs beside one hub connection.

    `tend` is called when nothing has come for a while, `tell` once for a job of a
    submit-only user that nobody admits, and once for a hub that is away. A hub `is_local`
    when its worker is ours to tend: it is looked after often, so that a worker that was
    killed is soon replaced.
    """

    def __init__(
        self, hub: Hub, tend: Callable[[], object], tell: Callable[[str], None], *, is_local: bool
    ) -> None:
        self._hub, self._is_local = hub, is_local
        self._tend, self._tell = tend, tell
        self._told: set[str] = set()
        self._idle: list[Hub] = []

    async def close(self) -> None:
        """Close the connections that wait for the next reader."""
        for hub in self._idle:
            await hub.close()

    async def follow(self, job: str, *, is_watched: bool) -> AsyncGenerator[LogEntry | End, None]:
        """Entries as they come; the last is the End."""
        async with self._reader() as hub:
            rest_ms = LOOK_MS if self._is_local or hub.is_narrow or hub.is_read_only else BLOCK_MS
            if not is_watched and await self._settled(hub, job):
                async for item in self._whole(hub, job):
                    yield item
                return
            mark, over = Bookmark(job), None
            while True:
                block_ms = 1 if over else rest_ms
                page = await self._patiently(partial(self._page, hub, job, mark, block_ms))
                if over and not page:
                    yield end_of(over)
                    return
                over = None if page else await self._over(hub, job)
                for item in page:
                    if isinstance(item, LogEntry):
                        yield item
                    elif item is page[-1] and (is_watched or (await self._record(hub, job)).state in FINAL):
                        yield item
                        return

    async def _page(self, hub: Hub, job: str, mark: Bookmark, block_ms: int) -> list[LogEntry | End]:
        """What came since; a hub that has been away may have to be told again that the end is waited for."""
        if mark.is_adrift(hub):
            await mark.find(hub)
            if not hub.is_narrow:
                await Logs(hub).watch(job)
        return await mark.page(hub, block_ms)

    async def _over(self, hub: Hub, job: str) -> JobRecord | None:
        """Nothing has come for a while: see that it still can; the record of a job whose end was not told."""
        await asyncio.to_thread(self._tend)
        if hub.is_narrow and not await self._is_admitted(hub, job):
            if job not in self._told:
                self._told.add(job)
                self._tell(
                    f"job {job} waits in this machine's inbox: no worker has admitted it yet "
                    "(is one online, and does the fleet's owner still trust this machine?)"
                )
            return None
        record = await self._record(hub, job)
        return record if record.state in FINAL else None

    async def _is_admitted(self, hub: Hub, job: str) -> bool:
        """Has a worker taken the job out of its sender's inbox? Refused when one has turned it away."""
        return await self._patiently(partial(Jobs(hub).record, job)) is not None

    async def _settled(self, hub: Hub, job: str) -> bool:
        """Ask for the end to be written into the log; True when the job has ended already.

        An element of an array can be watched while it is under way only: before that
        it has no record of its own. When the array has ended it never will. What a
        submit-only user sent is watched from its admission on.
        """
        if hub.is_narrow:
            return await self._is_admitted(hub, job) and (await self._record(hub, job)).state in FINAL
        while True:
            state = await self._patiently(partial(Logs(hub).watch, job))
            if state is not None:
                return state in FINAL
            for one in (job, job.partition(":")[0]):
                if (await self._record(hub, one)).state in FINAL:
                    return True
            await asyncio.sleep(PAUSE_S)

    async def _whole(self, hub: Hub, job: str) -> AsyncGenerator[LogEntry | End, None]:
        """The log of a job that has ended, and its end as the record has it."""
        entries = await self._patiently(partial(Logs(hub).read, job))
        for entry in entries:
            yield entry
        dropped = 0 if entries or hub.is_narrow else await self._patiently(partial(Logs(hub).dropped, job))
        yield replace(end_of(await self._record(hub, job)), position=dropped)

    async def _record(self, hub: Hub, job: str) -> JobRecord:
        record = await self._patiently(partial(Jobs(hub).record, job))
        if record is None:
            raise UnknownName(f"job {job} is not in the hub (any more)")
        return record

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again while the hub is away, for a minute, and say so when that is more than a blink."""
        began_s = time.monotonic()
        while True:
            try:
                return await ask()
            except HubUnreachable as error:
                away_s = time.monotonic() - began_s
                if away_s > PATIENCE_S:
                    raise HubUnreachable(
                        f"{error}; the job goes on: ask again when the hub is back"
                    ) from error
                if away_s > BLINK_S and AWAY not in self._told:
                    self._told.add(AWAY)
                    self._tell(f"{error}; waiting for it, {PATIENCE_S:g} s at most")
            await asyncio.sleep(PAUSE_S)
            await asyncio.to_thread(self._tend)

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[Hub]:
        """A connection of one's own; one whose reader was interrupted is not used again.

        Whoever wants no more after an entry closes the generator between two reads.
        """
        hub = self._idle.pop() if self._idle else self._hub.twin()
        is_usable = len(self._idle) < READERS_KEPT
        try:
            yield hub
        except GeneratorExit:
            raise
        except BaseException:
            is_usable = False
            raise
        finally:
            if is_usable:
                self._idle.append(hub)
            else:
                await hub.close()


def end_of(record: JobRecord) -> End:
    """How a job ended, from its record. Nobody signs for an array: that is for the reader to look into."""
    return End(
        id="",
        state=record.state,
        exit_code=record.exit_code,
        reason=record.reason,
        result=record.result,
        attempt=record.attempt,
        doubt=record.doubt or (f"job {record.id} ended as an array" if record.array else ""),
    )
