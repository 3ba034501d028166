"""BullMQ's Python port: one asyncio process, `concurrency` at once.

It has no worker command: running this module is one. Nor has it a call that waits
for a result: the events of the queue say when a job has ended.
"""

import asyncio
import os
import sys

from bullmq import Queue, QueueEvents, Worker

from benchmarks.peers.base import URL, AsyncPeer
from benchmarks.work import WORK_ASYNC

NAME = "bench"
KEEP = {"removeOnComplete": False}  # as everybody else: its Python port alone removes at once


async def process(job, _token):
    await WORK_ASYNC[job.name](job.data["text"])


class Peer(AsyncPeer):
    """BullMQ as its documentation has it."""

    async def open(self):
        self.queue = Queue(NAME, {"connection": URL})
        self.events = None
        self.ended = {}

    async def close(self):
        await self.queue.close()
        if self.events:
            await self.events.close()

    async def submit(self, kind, text):
        return await self.queue.add(kind, {"text": text}, KEEP)

    async def submit_many(self, kind, texts):
        for begin in range(0, len(texts), 500):
            await self.queue.addBulk(
                [{"name": kind, "data": {"text": text}, "opts": KEEP} for text in texts[begin : begin + 500]]
            )

    async def result(self, handle):
        if self.events is None:
            self.events = QueueEvents(NAME, {"connection": URL, "lastEventId": "0"})
            self.events.on("completed", lambda entry, *_: self._event(entry["jobId"]).set())
        await self._event(handle.id).wait()

    def worker(self, slots):
        return [sys.executable, "-m", "benchmarks.peers.bullmq"]

    def _event(self, job):
        return self.ended.setdefault(job, asyncio.Event())


async def main():
    Worker(NAME, process, {"connection": URL, "concurrency": int(os.environ.get("BENCH_SLOTS", "1"))})
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
