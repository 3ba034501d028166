"""Round trips of the worker a job in a drain of no-op jobs, counted on the link, one and 16 at once."""

KEYS = ("trips", "trips_16")
TOGETHER = False


def measure(bench, entry):
    return {"trips": _trips(bench, entry, 1), "trips_16": _trips(bench, entry, 16)}


def _trips(bench, entry, slots):
    count = bench.few(640, 160)
    with bench.stage(entry) as stage:
        link = stage.link()
        worker = stage.work(slots, url=link.url)
        stage.ready(worker)
        before = link.counts().trips
        stage.drive("fill", "noop", 0, count)
        stage.until(lambda: stage.marks.ended() >= count, worker)
        return (link.counts().trips - before) / count
