"""dramatiq: one process, N threads, results kept in the same server."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.peers.base import RESULT_S, URL, SyncPeer
from benchmarks.work import WORK

broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=URL), store_results=True))
dramatiq.set_broker(broker)
ACTORS = {kind: dramatiq.actor(function) for kind, function in WORK.items()}


class Peer(SyncPeer):
    """dramatiq as its guide has it."""

    def submit(self, kind, text):
        return ACTORS[kind].send(text)

    def result(self, handle):
        handle.get_result(block=True, timeout=RESULT_S * 1000)

    def worker(self, slots):
        return ["dramatiq", "benchmarks.peers.dramatiq", "--processes", "1", "--threads", str(slots)]
