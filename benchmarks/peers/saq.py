"""SAQ: one asyncio process; `concurrency` at once."""

import os

from saq import Queue

from benchmarks.peers.base import RESULT_S, URL, AsyncPeer, in_batches
from benchmarks.work import WORK_ASYNC

QUEUE = Queue.from_url(URL)


async def noop(_ctx, *, text):
    await WORK_ASYNC["noop"](text)


async def shell(_ctx, *, text):
    await WORK_ASYNC["shell"](text)


async def nap(_ctx, *, text):
    await WORK_ASYNC["nap"](text)


settings = {
    "queue": QUEUE,
    "functions": [noop, shell, nap],
    "concurrency": int(os.environ.get("BENCH_SLOTS", "10")),
}


class Peer(AsyncPeer):
    """SAQ as its documentation has it. A submit that is waited for is one call, `apply`."""

    async def open(self):
        await QUEUE.connect()

    async def close(self):
        await QUEUE.disconnect()

    async def submit(self, kind, text):
        return await QUEUE.enqueue(kind, text=text, timeout=120)

    async def submit_many(self, kind, texts):
        await in_batches(self.submit, kind, texts, 20)

    async def result(self, handle):
        await handle.refresh(RESULT_S)

    def worker(self, slots):
        return ["saq", "benchmarks.peers.saq.settings", "--quiet"]
