"""Round trips of the worker a job in a drain of no-op jobs, counted on the link, one and 16 at once.

The count ends after a few seconds if the jobs do not: arq with one at a time takes
one job each half second.
"""

import time

KEYS = ("trips", "trips_16")
TOGETHER = ""
ENOUGH_S = 4.0


def measure(bench, entry):
    return {"trips": _trips(bench, entry, 1), "trips_16": _trips(bench, entry, 16)}


def _trips(bench, entry, slots):
    count = bench.few(320, 160)
    with bench.stage(entry) as stage:
        link = stage.link()
        worker = stage.work(slots, url=link.url)
        stage.ready(worker)
        before = link.counts().trips
        stage.drive("fill", "noop", 0, count)
        enough = time.monotonic() + ENOUGH_S
        stage.until(lambda: stage.marks.ended() >= count or time.monotonic() > enough, worker)
        return (link.counts().trips - before) / stage.marks.ended()
