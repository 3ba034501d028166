"""Warm submits one by one, bulk submit, and the submit of one large array, with nobody working."""

from benchmarks.figures import median

KEYS = ("warm", "bulk", "array")
TOGETHER = ""


def measure(bench, entry):
    with bench.stage(entry) as stage:
        warm = stage.drive("warm", bench.few(1000, 200))
        count = bench.few(10_000, 2000)
        _, seconds = stage.drive("fill", "noop", 0, count + 1)
        return {"warm": 1000 * median(warm), "bulk": count / seconds, **_array(bench, stage)}


def _array(bench, stage):
    """How many elements a second an array of this peer takes; nothing for a peer without arrays."""
    size = bench.few(1_000_000, 100_000)
    seconds = stage.drive("array", size)
    return {"array": size / seconds} if seconds else {}
