"""What the hub holds for a queued job, a finished one with its result, and a million-element array."""

import time

KEYS = ("memory_queued", "memory_done", "memory_array")
TOGETHER = ""
SLOTS = 4
DRAIN_S = 120.0
ELEMENTS = 1_000_000


def measure(bench, entry):
    count = bench.few(3000, 500)
    with bench.stage(entry) as stage:
        stage.drive("cold")
        empty = stage.server.memory()
        if stage.drive("array", ELEMENTS):
            return {"memory_array": stage.server.memory() - empty, **_per_job(bench, entry, count)}
    return _per_job(bench, entry, count)


def _per_job(bench, entry, count):
    with bench.stage(entry) as stage:
        stage.drive("cold")
        empty = stage.server.memory()
        stage.drive("fill", "noop", 1, count + 1)
        queued = stage.server.memory()
        worker = stage.work(SLOTS)
        stage.until(lambda: stage.marks.ended() > count, worker, DRAIN_S)
        time.sleep(1.0)  # the last acknowledgements
        worker.stop()
        return {
            "memory_queued": (queued - empty) / count,
            "memory_done": (stage.server.memory() - empty) / count,
        }
