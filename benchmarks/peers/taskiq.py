"""taskiq: one asyncio process on a Redis list, results kept in the same server."""

from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from benchmarks.peers.base import RESULT_S, URL, AsyncPeer, in_batches
from benchmarks.work import WORK_ASYNC

broker = ListQueueBroker(URL).with_result_backend(RedisAsyncResultBackend(URL))
TASKS = {kind: broker.task(task_name=kind)(function) for kind, function in WORK_ASYNC.items()}


class Peer(AsyncPeer):
    """taskiq as its documentation has it."""

    async def open(self):
        await broker.startup()

    async def close(self):
        await broker.shutdown()

    async def submit(self, kind, text):
        return await TASKS[kind].kiq(text)

    async def submit_many(self, kind, texts):
        await in_batches(self.submit, kind, texts)

    async def result(self, handle):
        await handle.wait_result(check_interval=0.01, timeout=RESULT_S)

    def worker(self, slots):
        options = ["--workers", "1", "--max-async-tasks", str(slots), "--log-level", "ERROR"]
        return ["taskiq", "worker", "benchmarks.peers.taskiq:broker", *options]
