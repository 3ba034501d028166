"""Drain: so many jobs wait, a worker starts, and works until none is left; best of 1, 4 and 16 at once."""

import time

from benchmarks.figures import rate

KEYS = ("drain_noop", "drain_shell")
TOGETHER = False
AT_ONCE = (1, 4, 16)
DRAIN_S = 60
LOOK_S = 0.005


def measure(bench, entry):
    counts = {"noop": bench.few(3000, 400), "shell": bench.few(1500, 200)}
    return {
        f"drain_{kind}": max(_drain(bench, entry, kind, count, n) for n in AT_ONCE)
        for kind, count in counts.items()
    }


def _drain(bench, entry, kind, count, slots):
    with bench.stage(entry) as stage:
        stage.drive("fill", kind, 0, count)
        worker = stage.work(slots)
        samples = []

        def all_done():
            samples.append((time.perf_counter(), stage.ended(kind)))
            time.sleep(LOOK_S)
            return samples[-1][1] >= count

        stage.until(all_done, worker, DRAIN_S)
        return rate(samples, count)
