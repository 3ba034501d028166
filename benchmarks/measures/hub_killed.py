"""Kill -9 of the hub in the middle of a drain: what is lost, what runs twice, how soon work goes on.

The server comes back after half a second with the data that it had written. A
worker that has given up is started again at once, as a service manager would.
"""

import time
from collections import Counter

from benchmarks.figures import first_start

KEYS = ("hub_lost", "hub_twice", "hub_resume")
TOGETHER = "peers"
SLOTS = 4
NAP_S = 0.02
AWAY_S = 0.5


def measure(bench, entry):
    jobs = bench.few(400, 160)
    with bench.stage(entry) as stage:
        worker = stage.work(SLOTS)
        stage.ready(worker)
        stage.drive("fill", "nap", 0, jobs, NAP_S)
        stage.until(lambda: stage.marks.ended() >= jobs / 4, worker)
        stage.server.kill()
        time.sleep(AWAY_S)
        stage.server.start()
        back = time.time()
        _watch(stage, worker, jobs, patience_s=bench.few(20, 6))
        marks = stage.marks.lines()
        starts = Counter(number for letter, number, _ in marks if letter == "s")
        return {
            "hub_lost": jobs - len({number for letter, number, _ in marks if letter == "e"}),
            "hub_twice": sum(count > 1 for count in starts.values()),
            "hub_resume": first_start(marks, back) - back,
        }


def _watch(stage, worker, jobs, patience_s):
    """Wait until all jobs have ended, or until nothing has happened for so long."""
    seen, since = 0, time.monotonic()
    while seen < jobs and time.monotonic() - since < patience_s:
        time.sleep(0.02)
        if worker.ended:
            worker = stage.work(SLOTS)
        if stage.marks.ended() > seen:
            seen, since = stage.marks.ended(), time.monotonic()
