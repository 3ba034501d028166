"""Celery: a prefork pool of N processes, results kept in the same server."""

from celery import Celery

from benchmarks.peers.base import RESULT_S, URL, SyncPeer
from benchmarks.work import WORK

app = Celery("benchmarks.peers.celery", broker=URL, backend=URL)
TASKS = {kind: app.task(name=kind)(function) for kind, function in WORK.items()}


class Peer(SyncPeer):
    """Celery as its first steps have it."""

    def submit(self, kind, text):
        return TASKS[kind].delay(text)

    def submit_many(self, kind, texts):
        with app.producer_pool.acquire(block=True) as producer:
            for text in texts:
                TASKS[kind].apply_async((text,), producer=producer)

    def result(self, handle):
        handle.get(timeout=RESULT_S)

    def worker(self, slots):
        return [
            "celery",
            "--app",
            "benchmarks.peers.celery",
            "worker",
            "--concurrency",
            str(slots),
            "-l",
            "WARNING",
        ]
