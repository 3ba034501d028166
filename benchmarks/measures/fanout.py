"""Ten jobs for ten idle workers, each behind a link of 100 ms: when does the last one start?"""

import time

from benchmarks.figures import median

KEYS = ("fanout",)
TOGETHER = ""
WORKERS = 10
DELAY_MS = 100
NAP_S = 1.0


def measure(bench, entry):
    with bench.stage(entry) as stage:
        far = stage.link(DELAY_MS).url
        workers = [stage.work(1, url=far, name=f"w{number}") for number in range(WORKERS)]
        _warm_up(stage, workers, bench.few(2, 1))
        return {"fanout": 1000 * median([_last_start_s(stage, workers) for _ in range(bench.few(3, 1))])}


def _warm_up(stage, workers, rounds):
    """Ten naps that overlap prove that ten workers are up; some peers never get there."""
    for _ in range(rounds):
        _, starts = _round(stage, workers)
        if max(starts) - min(starts) < NAP_S:
            return


def _last_start_s(stage, workers):
    """The workers are idle for a second, ten jobs come at once: the time from submit to the last start."""
    time.sleep(1.0)
    begin, starts = _round(stage, workers)
    return max(starts) - begin


def _round(stage, workers):
    """Submit ten naps; return when that began and when each started."""
    stage.marks.forget()
    begin, _ = stage.drive("fill", "nap", 0, WORKERS, NAP_S)
    stage.until(lambda: stage.marks.ended() >= WORKERS, workers[0])
    return begin, [when for letter, _, when in stage.marks.lines() if letter == "s"]
