"""The asyncio client: submit, follow, wait for and steer jobs.

The typed store is at hand as `client.jobs`, `client.queues`, `client.logs`,
`client.workers`, `client.schedules`, `client.blobs`, `client.pulls` and `client.budget`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

from relayq.client.asyncjob import AsyncArray, AsyncJob
from relayq.client.dispatch import advice, require_taken
from relayq.client.following import Follower
from relayq.client.specs import map_spec, on_label, spec_of, with_files
from relayq.client.submitter import Submitter, tell_on_stderr
from relayq.config import load
from relayq.errors import HubUnreachable, UnknownName
from relayq.model.job import JobSpec
from relayq.store.blobs import Blobs, Pulls
from relayq.store.budget import Budget
from relayq.store.bulk import Bulk
from relayq.store.elements import Elements
from relayq.store.fleet import worker_facts
from relayq.store.hub import Hub, connect
from relayq.store.jobs import Jobs, Queues
from relayq.store.logs import Logs
from relayq.store.records import End, LogEntry
from relayq.store.schedules import Schedules
from relayq.store.wire import Address
from relayq.store.workers import Workers


class AsyncClient:
    """A client of one fleet: `async with AsyncClient() as client`.

    Without `url` it talks to the configured hub, or to the local one, which it starts
    when it is not up yet.
    """

    jobs: Jobs
    bulk: Bulk
    queues: Queues
    logs: Logs
    workers: Workers
    schedules: Schedules
    blobs: Blobs
    pulls: Pulls
    budget: Budget
    submitter: Submitter

    def __init__(
        self,
        url: str | None = None,
        *,
        fleet: str | None = None,
        tell: Callable[[str], None] = tell_on_stderr,
    ) -> None:
        self._open_submitter = lambda: Submitter(load({"hub.url": url, "hub.fleet": fleet}), tell)

    @classmethod
    def over(cls, submitter: Submitter) -> Self:
        """A client that submits through `submitter`, which belongs to somebody else as well."""
        client = cls()
        client._open_submitter = lambda: submitter
        return client

    async def __aenter__(self) -> Self:
        self.submitter = await asyncio.to_thread(self._open_submitter)
        self._hub: Hub = await self._connected()
        self._hub.link.repeats = True
        try:
            self._hub.reader = await asyncio.to_thread(self.submitter.reader)
        except BaseException:
            await self._hub.close()
            raise
        self._hub.pen = self.submitter.sign_order
        self.jobs, self.queues = Jobs(self._hub), Queues(self._hub)
        self.logs, self.workers = Logs(self._hub), Workers(self._hub)
        self.schedules, self.elements = Schedules(self._hub), Elements(self._hub)
        self.bulk = Bulk(self._hub, self.jobs)
        self.blobs, self.pulls = Blobs(self._hub), Pulls(self._hub)
        self.budget = Budget(self._hub)
        self._follower = Follower(
            self._hub, self.submitter.tend, self.submitter.tell, is_local=self.submitter.is_embedded
        )
        return self

    async def _connected(self) -> Hub:
        try:
            return await connect(self.submitter.url, self.submitter.fleet)
        except HubUnreachable as error:
            raise HubUnreachable(f"{error}; {advice(Address(self.submitter.url))}") from error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        self.submitter.close()
        await self._follower.close()
        await self._hub.close()

    async def run(self, command: str | Sequence[str], **options: Any) -> AsyncJob:
        """Submit `command` (a shell line, or argv); the options are those of a JSON spec.

        `inputs` may name files, which go along and stand in the job's work directory.
        """
        full = await asyncio.to_thread(with_files, options, self.submitter.put_files)
        return await self.submit(spec_of(command, full))

    async def run_on(self, label: str, command: str | Sequence[str], **options: Any) -> AsyncJob:
        """Submit `command` for workers that have `label`."""
        return await self.run(command, **on_label(label, options))

    async def map(self, template: str | Sequence[str], items: Iterable[object], **options: Any) -> AsyncArray:
        """Submit an array job that runs `template` for each of `items`, put in place of `{}`."""
        items = list(items)
        full = await asyncio.to_thread(with_files, options, self.submitter.put_files)
        spec = map_spec(template, items, full)
        receipt = await asyncio.to_thread(self.submitter.submit, spec, watch=True)
        return AsyncArray(self, receipt.id, len(items))

    async def submit(self, spec: JobSpec) -> AsyncJob:
        """Submit a spec."""
        receipt = await asyncio.to_thread(self.submitter.submit, spec, watch=True)
        return AsyncJob(self, receipt.id, is_watched=receipt.word == "new", is_new=receipt.is_new)

    async def submit_many(self, specs: Iterable[JobSpec]) -> list[AsyncJob]:
        """Submit any number of specs, 500 to a round trip and a signature."""
        receipts = require_taken(await asyncio.to_thread(self.submitter.submit_many, list(specs)))
        return [AsyncJob(self, receipt.id, is_new=receipt.is_new) for receipt in receipts]

    async def job(self, job: str) -> AsyncJob:
        """The job with this id, or with this unique end of an id (four characters or more)."""
        return AsyncJob(self, await self.jobs.resolve(job))

    def handle(self, job: str, *, is_watched: bool = False) -> AsyncJob:
        """The job with this full id; the hub is not asked."""
        return AsyncJob(self, job, is_watched=is_watched)

    def array(self, job: str, size: int) -> AsyncArray:
        """The array job with this full id; the hub is not asked."""
        return AsyncArray(self, job, size)

    async def retry(self, job: str) -> str:
        """Run a job that has ended once more, under its id: `retried`, `not-ended` or `unique:<id>`."""
        record = await self.jobs.record(job)
        if record is None:
            raise UnknownName(f"job {job} is not in the hub (any more)")
        return await self.jobs.retry(job, self.submitter.sign_retry(record))

    async def worker_status(self) -> dict[str, Any]:
        """Workers online and in all, jobs running and waiting, and each worker's facts."""
        workers, stats = await self.workers.list(), await self.queues.stats()
        counts = stats["jobs"]
        return {
            "online": sum(worker.online for worker in workers),
            "total_workers": len(workers),
            "total_active": counts["RUNNING"],
            "total_queued": counts["RUNNABLE"] + counts["PENDING"],
            "workers": [worker_facts(worker) for worker in workers],
        }

    async def follow(self, job: str, *, is_watched: bool = False) -> AsyncGenerator[LogEntry | End, None]:
        """The output of a job as it comes, and, last, how it ended.

        `is_watched` says that the job was submitted to be watched, which saves a question.
        """
        async with aclosing(self._follower.follow(job, is_watched=is_watched)) as entries:
            async for entry in entries:
                yield entry

    def twin(self) -> Hub:
        """Another connection to the same hub, for reads that block; close it after use."""
        return self._hub.twin()

    async def now_ms(self) -> int:
        """The hub's clock; for a submit-only user, who may not ask, this machine's."""
        if self._hub.is_narrow:
            return int(time.time() * 1000)
        seconds, micros = await self._hub.link.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000
