"""From submit to result on one idle worker, shell `true`; then with both sides 50 ms away from the hub."""

from benchmarks.figures import median

KEYS = ("latency", "latency_far")
TOGETHER = ""
DELAY_MS = 50


def measure(bench, entry):
    return {
        "latency": _p50_ms(bench, entry, 0, bench.few(200, 50)),
        "latency_far": _p50_ms(bench, entry, DELAY_MS, bench.few(20, 6)),
    }


def _p50_ms(bench, entry, delay_ms, count):
    with bench.stage(entry) as stage:
        url = stage.link(delay_ms).url if delay_ms else stage.server.url
        stage.ready(stage.work(1, url=url), url=url)
        return 1000 * median(stage.drive("round_trips", count, bench.few(6.0, 2.0), url=url))
