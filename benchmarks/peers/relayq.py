"""RelayQ: the sync client, `relayq worker`, and the job type `noop` of contrib/example_jobtype.

Its shell jobs are commands, not functions: `shell` runs the bare `true` and leaves
no mark (the hub counts), `nap` is a line of shell that marks its start and its end.
"""

import os
import time
from shlex import quote

from benchmarks.peers.base import RESULT_S, URL, SyncPeer
from benchmarks.work import number_of
from relayq.client.sync import Client
from relayq.model.job import ArraySpec, JobSpec

MARKS = os.environ.get("BENCH_MARKS", os.devnull)
LOOK_S = 0.01


class Peer(SyncPeer):
    """RelayQ as its README has it."""

    simplest = "shell"

    def __init__(self):
        self.client = Client(URL, tell=_nobody)

    def submit(self, kind, text):
        return self.client.submit(SPECS[kind](text))

    def submit_many(self, kind, texts):
        self.client.submit_many([SPECS[kind](text) for text in texts])

    def result(self, handle):
        handle.get(timeout=RESULT_S)

    def worker(self, slots):
        return ["relayq", "worker", "--headless", "--name", os.environ["BENCH_WORKER"], "--slots", str(slots)]

    def array(self, size):
        begin = time.perf_counter()
        self.client.submit(JobSpec(command="true", array=ArraySpec(size=size)))
        return time.perf_counter() - begin

    def back_at(self, running):
        restarted_ms = (time.time() - 1.0) * 1000
        portal, client = self.client.far()
        deadline = time.monotonic() + RESULT_S
        while time.monotonic() < deadline:
            for worker in portal.call(client.workers.list()):
                if worker.started_ms >= restarted_ms and len(worker.running) >= running:
                    return time.time()
            time.sleep(LOOK_S)
        return None


def _nobody(sentence):
    """Whoever measures does not read what is said to people."""


def _noop(text):
    line = f"e {number_of(text)} 0 ".ljust(len(text) - len(MARKS), "x")  # both together are the argument
    return JobSpec(type="noop", args={"file": MARKS, "line": line})


def _shell(text):
    return JobSpec(command=f"true {text}")


def _nap(text):
    number, seconds = text.split(" ", 2)[:2]
    file = quote(MARKS)
    mark = f'{{letter}} {number} $(date +%s%N)" >> {file}'
    start, end = ('echo "' + mark.format(letter=letter) for letter in "se")
    return JobSpec(command=f"{start}; sleep {seconds}; {end}")


SPECS = {"noop": _noop, "shell": _shell, "nap": _nap}
