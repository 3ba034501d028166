"""Kill -9 of a worker that runs 20 jobs while 20 wait: what is lost, what runs twice, how soon it is back.

The signal goes to the worker's process group, as a terminal or a service manager
sends it; the worker is started again half a second later and watched. A job is lost
that has not ended when the watch is over; a job that runs twice may well be meant
to, but nobody told the job.
"""

import time
from collections import Counter

from benchmarks.figures import first_start

KEYS = ("kill_lost_running", "kill_lost_queued", "kill_twice", "kill_resume")
TOGETHER = "peers"
SLOTS = 20
JOBS = 40
AWAY_S = 0.5


def measure(bench, entry):
    with bench.stage(entry) as stage:
        worker = stage.work(SLOTS)
        stage.ready(worker)
        stage.drive("fill", "nap", 0, JOBS, bench.few(10.0, 6.0))
        stage.until(lambda: len(_starts(stage)) >= SLOTS, worker)
        worker.kill_group()
        running = set(_starts(stage))
        time.sleep(AWAY_S)
        begin = time.time()
        stage.work(SLOTS)
        back = stage.drive("back_at", SLOTS)
        ended = _watch(stage, begin + bench.few(120, 20))
        missing = set(range(JOBS)) - ended
        return {
            "kill_lost_running": len(missing & running),
            "kill_lost_queued": len(missing - running),
            "kill_twice": sum(count > 1 for count in _starts(stage).values()),
            "kill_resume": (back or first_start(stage.marks.lines(), begin)) - begin,
        }


def _starts(stage):
    return Counter(number for letter, number, _ in stage.marks.lines() if letter == "s")


def _watch(stage, until):
    """Return the jobs that ended, as soon as all have or when the watch is over."""
    ended = set()
    while len(ended) < JOBS and time.time() < until:
        time.sleep(0.1)
        ended = {number for letter, number, _ in stage.marks.lines() if letter == "e"}
    return ended
