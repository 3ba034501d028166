"""Drain: so many jobs wait, a worker starts, and works until none is left; best of 1, 4 and 16 at once.

A slow one is stopped some seconds after its first job: its rate is known by then.
"""

import time

from benchmarks.figures import rate

KEYS = ("drain_noop", "drain_shell")
TOGETHER = ""
LOOK_S = 0.005


def measure(bench, entry):
    counts = {"noop": bench.few(3000, 1000), "shell": bench.few(1500, 500)}
    at_once = bench.few((1, 4, 16), (16,))
    return {
        f"drain_{kind}": max(_drain(bench, entry, kind, count, slots) for slots in at_once)
        for kind, count in counts.items()
    }


def _drain(bench, entry, kind, count, slots):
    with bench.stage(entry) as stage:
        return drained(bench, stage, kind, count, slots)


def drained(bench, stage, kind, count, slots):
    """Return the jobs a second of one drain on a stage."""
    stage.drive("fill", kind, 0, count)
    worker = stage.work(slots)
    stage.until(lambda: stage.ended(kind) > 0, worker)
    begin, samples = time.perf_counter(), []

    def is_enough():
        samples.append((time.perf_counter(), stage.ended(kind)))
        time.sleep(LOOK_S)
        return samples[-1][1] >= count or samples[-1][0] > begin + bench.few(4.0, 2.0)

    stage.until(is_enough, worker)
    return rate(samples)
