"""huey: one process, N threads."""

from huey import RedisHuey

from benchmarks.peers.base import RESULT_S, URL, SyncPeer
from benchmarks.work import WORK

# Without store_none a task that returns nothing has no result that could be waited for.
HUEY = RedisHuey("bench", url=URL, store_none=True)
TASKS = {kind: HUEY.task(name=kind)(function) for kind, function in WORK.items()}


class Peer(SyncPeer):
    """huey as its guide has it."""

    def submit(self, kind, text):
        return TASKS[kind](text)

    def result(self, handle):
        handle.get(blocking=True, timeout=RESULT_S, backoff=1.0, max_delay=0.01)

    def worker(self, slots):
        return ["huey_consumer", "benchmarks.peers.huey.HUEY", "--quiet", "-k", "thread", "-w", str(slots)]
