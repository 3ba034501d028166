"""RQ: `rq worker` forks for each job and runs one at a time; N at once are N workers."""

import shlex

from redis import Redis
from rq import Queue

from benchmarks.peers.base import RESULT_S, URL, SyncPeer

WORK = {kind: f"benchmarks.work.{kind}" for kind in ("noop", "shell", "nap")}


class Peer(SyncPeer):
    """RQ as its tutorial has it."""

    options = ""

    def __init__(self) -> None:
        self.queue = Queue(connection=Redis.from_url(URL))

    def submit(self, kind, text):
        return self.queue.enqueue(WORK[kind], text)

    def submit_many(self, kind, texts):
        for begin in range(0, len(texts), 500):
            self.queue.enqueue_many(
                [Queue.prepare_data(WORK[kind], (text,)) for text in texts[begin : begin + 500]]
            )

    def result(self, handle):
        assert handle.latest_result(timeout=RESULT_S) is not None

    def worker(self, slots):
        one = f"rq worker --quiet {self.options} --url {shlex.quote(URL)}"
        return shlex.split(one) if slots == 1 else ["sh", "-c", f"{one} & " * slots + "wait"]
