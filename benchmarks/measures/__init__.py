"""One module a group of rows: `measure(bench, entry)` returns the figures of one peer by row key.

`TOGETHER` is `all` where the module waits more than it works, so that everybody is
measured at the same time; `peers` where the start of so many would spoil RelayQ's
figure, so that it goes first and alone; empty where each has the machine for itself.
"""

from benchmarks.measures import (
    cold,
    drain,
    fanout,
    hub_killed,
    idle,
    isolation,
    latency,
    memory,
    submit,
    trips,
    worker_killed,
)

MEASURES = (cold, submit, drain, isolation, trips, fanout, latency, memory, idle, worker_killed, hub_killed)
