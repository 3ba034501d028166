"""Cold submit: a new process submits one job and ends, near and at 50 ms of added round trip.

RelayQ's is its command line, `relayq submit`; a peer has none, so its process is a
Python script of one import and one call.
"""

import subprocess
from time import perf_counter

from benchmarks.figures import median
from benchmarks.roster import RELAYQ, python_for

KEYS = ("cold", "cold_far")
TOGETHER = ""
DELAY_MS = 50


def measure(bench, entry):
    with bench.stage(entry) as stage:
        # The first submit makes the key, the library and the directories that every later one finds.
        stage.drive("cold")
        count = bench.few(7, 3)
        return {
            "cold": _median_ms(stage, stage.server.url, count),
            "cold_far": _median_ms(stage, stage.link(DELAY_MS).url, count),
        }


def _median_ms(stage, url, count):
    return 1000 * median([_seconds(stage, url) for _ in range(count)])


def _seconds(stage, url):
    begin = perf_counter()
    subprocess.run(
        _command(stage.entry),
        env=stage.environment(url),
        cwd=stage.directory,
        check=True,
        capture_output=True,
    )
    return perf_counter() - begin


def _command(entry):
    python = python_for(entry)
    if entry.name == RELAYQ:
        return [python.removesuffix("python") + "relayq", "submit", "--", "true"]
    return [python, "-c", f"from benchmarks.peers.{entry.module} import Peer; Peer().cold()"]
