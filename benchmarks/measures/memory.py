"""What the hub holds for a queued job, a finished one with its result, and a million-element array."""

import time

KEYS = ("memory_queued", "memory_done", "memory_array")
TOGETHER = ""
SLOTS = 4
FEW = 20
DRAIN_S = 120.0
ELEMENTS = 1_000_000


def measure(bench, entry):
    count = bench.few(5000, 500)
    with bench.stage(entry) as stage:
        stage.drive("cold")
        empty = stage.server.memory()
        if stage.drive("array", ELEMENTS):
            return {"memory_array": stage.server.memory() - empty, **_per_job(bench, entry, count)}
    return _per_job(bench, entry, count)


def _per_job(bench, entry, count):
    with bench.stage(entry) as stage:
        _drain(stage, 0, FEW)  # the server's own books: the library, a histogram for each command
        empty = stage.server.memory()
        stage.drive("fill", "noop", 0, count)
        queued = stage.server.memory()
        _drain(stage, count, FEW)
        done = stage.server.memory()
        return {"memory_queued": (queued - empty) / count, "memory_done": (done - empty) / (count + FEW)}


def _drain(stage, waiting, more):
    """Submit some jobs more, and let a worker come, do all that wait, and go."""
    stage.marks.forget()
    stage.drive("fill", "noop", waiting, waiting + more)
    worker = stage.work(SLOTS)
    stage.until(lambda: stage.marks.ended() >= waiting + more, worker, DRAIN_S)
    time.sleep(1.0)  # the last acknowledgements
    worker.stop()
