"""One job as an asyncio client sees it: wait for it, fetch its output, steer it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from relayq.client.files import opened, target_below, write_file
from relayq.client.result import Result, Transcript, outcome_of, result_of
from relayq.errors import HubUnreachable, Refused, UnknownName, WaitTimeout
from relayq.model.duration import parse_duration_ms
from relayq.model.lifecycle import FINAL, State
from relayq.store.records import End, Explanation, JobRecord, LogEntry

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.trust.files import Left

LOOK_S = 2.0
Patience = float | str | timedelta | None  # seconds, or 90s, 15m, 2h


class AsyncHandle:
    """What a job and an array job have in common.

    `is_new` is False where a unique key kept the job out: this is the one that was in the way.
    """

    def __init__(
        self, client: AsyncClient, job: str, *, is_watched: bool = False, is_new: bool = True
    ) -> None:
        self.id, self.is_new = job, is_new
        self._client = client
        self._is_watched = is_watched

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    async def info(self) -> JobRecord:
        """The job as the hub has it now; NotFound when it was dropped."""
        record = await self._client.jobs.record(self.id)
        if record is None:
            raise await self._missing()
        return record

    async def explain(self) -> Explanation:
        """The facts about why the job stands where it stands; `client.explain` puts them into words."""
        explanation = await self._client.jobs.explain(self.id)
        if explanation is None:
            raise await self._missing()
        return explanation

    async def ready(self) -> bool:
        """Whether the job has ended."""
        return (await self.info()).state in FINAL

    async def failed(self) -> bool:
        """Whether the job has ended otherwise than well."""
        return (await self.info()).state in FINAL - {State.SUCCEEDED}

    async def wait(self, timeout: Patience = None) -> State:
        """Wait until the job has ended and return its state; WaitTimeout after `timeout`."""
        return (await self._over(timeout))[0].state

    async def result(self, timeout: Patience = None) -> Result:
        """How the job ended, once it has; WaitTimeout after `timeout` (the job goes on)."""
        _, transcript = await self._over(timeout)
        return result_of(await self.info(), transcript)

    async def logs(self, *, follow: bool = False) -> AsyncGenerator[LogEntry, None]:
        """The output, entry by entry; with `follow`, until the job has ended."""
        if not follow:
            for entry in await self._client.logs.read(self.id):
                yield entry
            return
        async with aclosing(self.follow()) as entries:
            async for item in entries:
                if isinstance(item, LogEntry):
                    yield item

    async def cancel(self, why: str = "") -> bool:
        """Ask for the end of the job; False when it had ended already or is not there."""
        if self._client.submitter.is_narrow:
            await asyncio.to_thread(self._client.submitter.push_order, "cancel", self.id)
            return True
        return await self._client.jobs.cancel(self.id, who="by a program", why=why) in ("cancelled", "asked")

    async def outputs(self) -> dict[str, int]:
        """The files that the job left: name -> bytes."""
        return {name: left.size for name, left in sorted((await self._left()).items())}

    async def fetch(
        self, directory: str | PathLike[str], names: Sequence[str] | None = None, *, force: bool = False
    ) -> list[Path]:
        """Write the files that the job left (all, or those named) below `directory`; their paths.

        Nothing is fetched before every name and place has been checked: Refused for a name
        that leads out of `directory`, NameTaken where something is already, unless `force`.
        """
        left = await self._left()
        if missing := [name for name in names or () if name not in left]:
            raise UnknownName(
                f"job {self.id} left no file {missing[0]!r}: it left {', '.join(sorted(left)) or 'none'}"
            )
        targets = {
            name: target_below(Path(directory), name, is_named=bool(names), force=force)
            for name in names or sorted(left)
        }
        for name, target in targets.items():
            data = await self._client.blobs.get(left[name].stored, f"file {name!r}")
            await asyncio.to_thread(write_file, target, opened(data, left[name]), force=force)
        return list(targets.values())

    async def _left(self) -> dict[str, Left]:
        """What the job left, by the word of its worker; Refused when that is not believed."""
        record = await self.info()
        if record.doubt:
            raise Refused(record.doubt)
        return record.outputs

    async def _missing(self) -> UnknownName:
        """What is not there: the job, its array, or the element in its array."""
        job, colon, index = self.id.partition(":")
        whole = await self._client.jobs.record(job) if colon else None
        if whole is None:
            return UnknownName(f"job {job} is not in the hub (any more)")
        if whole.array is None:
            return UnknownName(f"job {job} is no array: it has no element {index}")
        first, last = whole.array.start, whole.array.start + whole.array.size - 1
        return UnknownName(f"array job {job} has no element {index}: they go from {first} to {last}")

    def follow(self) -> AsyncGenerator[LogEntry | End, None]:
        """The output as it comes and, last, how the job ended."""
        return self._client.follow(self.id, is_watched=self._is_watched)

    async def believed(self, end: End) -> End:
        """The end of the job as it is; Refused when no worker of the fleet stands for it."""
        if end.doubt and not await self._client.jobs.is_array(self.id):
            raise Refused(end.doubt)
        return end

    async def _over(self, timeout: Patience) -> tuple[End, Transcript]:
        """How the job ended and what it wrote; WaitTimeout when it has not after `timeout`.

        A job that has ended by then is read to its end, however short the time was.
        """
        seconds = _seconds(timeout)
        if seconds is None:
            return await self._end()
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    return await self._end()
        if await self._has_ended(is_asked_once=seconds <= 0):
            return await self._end()
        raise WaitTimeout(f"job {self.id} has not ended after {seconds:g} s; it goes on")

    async def _has_ended(self, *, is_asked_once: bool) -> bool:
        """One look; that the hub is away counts as no where somebody has waited already."""
        try:
            async with asyncio.timeout(None if is_asked_once else LOOK_S):
                record = await self._client.jobs.record(self.id)
        except (HubUnreachable, TimeoutError):
            if is_asked_once:
                raise
            return False
        if record is None and not self._client.submitter.is_narrow:
            raise await self._missing()
        return record is not None and record.state in FINAL

    async def _end(self) -> tuple[End, Transcript]:
        """Read to the end of the log."""
        transcript = Transcript()
        async with aclosing(self.follow()) as entries:
            async for item in entries:
                if isinstance(item, End):
                    transcript.end(item)
                    return await self.believed(item), transcript
                transcript.add(item)
        raise AssertionError("a log is followed to its End")


class AsyncJob(AsyncHandle):
    """A job that was submitted or found. Its methods ask the hub each time."""

    async def get(self, timeout: Patience = None) -> str:
        """The job's stdout once it has succeeded.

        Raises JobFailed, JobCancelled, JobSkipped or JobExpired for a job that did
        not, OutputTruncated when the hub kept less than all, WaitTimeout after
        `timeout`, seconds or `"15m"` (the job goes on).
        """
        end, transcript = await self._over(timeout)
        return outcome_of(self.id, end, transcript).get()


class AsyncArray(AsyncHandle):
    """An array job that was submitted; `array[index]` is one of its elements."""

    def __init__(self, client: AsyncClient, job: str, size: int) -> None:
        super().__init__(client, job, is_watched=True)
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> AsyncJob:
        return AsyncJob(self._client, element_id(self.id, self._size, index))

    async def get(self, timeout: Patience = None) -> list[str]:
        """The stdout of every element, in order, once all have succeeded; raises as AsyncJob.get does."""
        (await self.result(timeout)).get()
        return [await self[index].get() for index in range(self._size)]


def _seconds(timeout: Patience) -> float | None:
    """How long that is; SpecError for what is no duration."""
    if timeout is None or isinstance(timeout, (int, float)):
        return timeout
    return parse_duration_ms(timeout, "timeout") / 1000


def element_id(job: str, size: int, index: int) -> str:
    """The id of one element; IndexError outside the array."""
    if not 0 <= index < size:
        raise IndexError(f"array job {job} has no element {index}: they go from 0 to {size - 1}")
    return f"{job}:{index}"
