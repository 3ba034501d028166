"""arq: one asyncio process; `max_jobs` at once."""

import os

from arq import create_pool
from arq.connections import RedisSettings

from benchmarks.peers.base import RESULT_S, URL, AsyncPeer, in_batches
from benchmarks.work import WORK_ASYNC


async def noop(_ctx, text):
    await WORK_ASYNC["noop"](text)


async def shell(_ctx, text):
    await WORK_ASYNC["shell"](text)


async def nap(_ctx, text):
    await WORK_ASYNC["nap"](text)


class WorkerSettings:
    """What `arq` reads."""

    functions = (noop, shell, nap)
    redis_settings = RedisSettings.from_dsn(URL)
    max_jobs = int(os.environ.get("BENCH_SLOTS", "10"))


class Peer(AsyncPeer):
    """arq as its documentation has it."""

    async def open(self):
        self.pool = await create_pool(RedisSettings.from_dsn(URL))

    async def close(self):
        await self.pool.aclose()

    async def submit(self, kind, text):
        return await self.pool.enqueue_job(kind, text)

    async def submit_many(self, kind, texts):
        await in_batches(self.submit, kind, texts)

    async def result(self, handle):
        await handle.result(timeout=RESULT_S, poll_delay=0.01)

    def worker(self, slots):
        return ["arq", "benchmarks.peers.arq.WorkerSettings"]
