"""One module a group of rows: `measure(bench, entry)` returns the figures of one peer by row key.

`TOGETHER` says that the module waits more than it works, so that all peers are
measured at the same time, after RelayQ: their start would spoil its figure.
"""

from benchmarks.measures import (
    cold,
    drain,
    fanout,
    hub_killed,
    idle,
    latency,
    memory,
    submit,
    trips,
    worker_killed,
)

MEASURES = (cold, submit, drain, trips, fanout, latency, memory, idle, worker_killed, hub_killed)
