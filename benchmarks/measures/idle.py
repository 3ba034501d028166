"""What a worker costs that has nothing to do: packets, server commands, CPU, memory of its process tree."""

import time

KEYS = ("idle_packets", "idle_commands", "idle_cpu", "idle_memory")
TOGETHER = "all"
SLOTS = 2
SETTLE_S = 3.0


def measure(bench, entry):
    with bench.stage(entry) as stage:
        link = stage.link()
        worker = stage.work(SLOTS, url=link.url)
        stage.ready(worker)
        time.sleep(SETTLE_S)
        watched_s = bench.few(60.0, 20.0)
        before = _seen(stage, link, worker)
        time.sleep(watched_s)
        after = _seen(stage, link, worker)
        return {
            "idle_packets": (after[0] - before[0]) * 60 / watched_s,
            "idle_commands": (after[1] - before[1] - 1) * 60 / watched_s,  # one INFO of ours is between
            "idle_cpu": after[2].cpu_s_since(before[2]) * 100 / watched_s,
            "idle_memory": after[2].rss_bytes / 1e6,
        }


def _seen(stage, link, worker):
    return link.counts().packets, int(stage.server.info("stats")["total_commands_processed"]), worker.usage()
