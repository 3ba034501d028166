"""The rows of the table: what each is called, which way is better, and what RelayQ must show in it.

A bar is a function of RelayQ's figure and of the peers' figures in the same run;
it answers with the bar as a person reads it and whether it is met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.figures import written

Values = Mapping[str, float]
Bar = Callable[[float, Values], tuple[str, bool]]
NOT_PYTHON = {"hyperqueue"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    key: str
    title: str
    unit: str
    bar: Bar | None = None


def at_most(limit: float) -> Bar:
    """A fixed ceiling."""
    return lambda own, _: (f"≤ {written(limit)}", own <= limit)


def below(limit: float) -> Bar:
    """A fixed ceiling that must not be touched."""
    return lambda own, _: (f"< {written(limit)}", own < limit)


def share_of_best(share: float) -> Bar:
    """At most a share of the least figure among the peers."""

    def bar(own: float, peers: Values) -> tuple[str, bool]:
        if not peers:
            return "no peer measured", True
        best = min(peers, key=lambda name: peers[name])
        return f"≤ {share:g} × {best} = {written(share * peers[best])}", own <= share * peers[best]

    return bar


def no_more_than(peer: str) -> Bar:
    """At most one named peer's figure."""

    def bar(own: float, peers: Values) -> tuple[str, bool]:
        if peer not in peers:
            return f"{peer} not measured", True
        return f"≤ {peer} = {written(peers[peer])}", own <= peers[peer]

    return bar


def ahead_of_best(*, python_only: bool = False) -> Bar:
    """More than the largest figure among the peers."""

    def bar(own: float, peers: Values) -> tuple[str, bool]:
        rivals = {name: value for name, value in peers.items() if not (python_only and name in NOT_PYTHON)}
        if not rivals:
            return "no peer measured", True
        best = max(rivals, key=lambda name: rivals[name])
        return f"> {best} = {written(rivals[best])}", own > rivals[best]

    return bar


def quicker_than_best() -> Bar:
    """Less than the least figure among the peers."""

    def bar(own: float, peers: Values) -> tuple[str, bool]:
        if not peers:
            return "no peer measured", True
        best = min(peers, key=lambda name: peers[name])
        return f"< {best} = {written(peers[best])}", own < peers[best]

    return bar


ROWS = (
    Row(key="cold", title="cold submit, new process", unit="ms", bar=share_of_best(0.5)),
    Row(key="cold_far", title="cold submit at 50 ms of added round trip", unit="ms", bar=share_of_best(0.6)),
    Row(key="warm", title="warm submit, p50", unit="ms", bar=no_more_than("rq")),
    Row(key="bulk", title="bulk submit", unit="jobs/s", bar=ahead_of_best(python_only=True)),
    Row(key="array", title="submit of one large array", unit="elements/s", bar=ahead_of_best()),
    Row(key="drain_noop", title="drain of no-op jobs, best of 1, 4, 16 at once", unit="jobs/s",
        bar=ahead_of_best(python_only=True)),
    Row(key="drain_shell", title="drain of shell `true`, best of 1, 4, 16 at once", unit="jobs/s",
        bar=ahead_of_best()),
    Row(key="spawn_none", title="spawn of `true`, isolation `none`", unit="ms"),
    Row(key="spawn_owner", title="spawn of `true`, bubblewrap profile `owner`", unit="ms"),
    Row(key="spawn_strict", title="spawn of `true`, bubblewrap profile `strict`", unit="ms"),
    Row(key="drain_owner", title="drain of shell `true`, 4 at once, each in `owner`", unit="jobs/s"),
    Row(key="drain_strict", title="drain of shell `true`, 4 at once, each in `strict`", unit="jobs/s"),
    Row(key="trips", title="worker's round trips a job, one at a time", unit="", bar=at_most(1.2)),
    Row(key="trips_16", title="worker's round trips a job, 16 at once", unit="", bar=at_most(0.15)),
    Row(key="fanout", title="ten jobs on ten idle workers at 100 ms: the last starts after", unit="ms",
        bar=at_most(250)),
    Row(key="latency", title="submit to result, shell `true`, p50", unit="ms", bar=quicker_than_best()),
    Row(key="latency_far", title="the same at 50 ms of added round trip", unit="ms", bar=quicker_than_best()),
    Row(key="kill_lost_running", title="worker killed: running jobs lost, of 20", unit="", bar=at_most(0)),
    Row(key="kill_lost_queued", title="worker killed: queued jobs lost, of 20", unit="", bar=at_most(0)),
    Row(key="kill_twice", title="worker killed: jobs started twice", unit="", bar=at_most(0)),
    Row(key="kill_resume", title="worker killed: back at work after its return", unit="s", bar=at_most(2)),
    Row(key="hub_lost", title="hub killed in a drain: jobs lost", unit="", bar=at_most(0)),
    Row(key="hub_twice", title="hub killed in a drain: jobs started twice", unit="", bar=at_most(0)),
    Row(key="hub_resume", title="hub killed in a drain: work goes on after", unit="s", bar=at_most(1)),
    Row(key="memory_queued", title="hub memory a queued job, 200-byte argument", unit="B", bar=at_most(1000)),
    Row(key="memory_done", title="hub memory a finished job, result kept", unit="B", bar=at_most(1000)),
    Row(key="memory_array", title="hub memory of a million-element array", unit="B", bar=below(4096)),
    Row(key="idle_packets", title="idle worker: packets a minute", unit="", bar=at_most(6)),
    Row(key="idle_commands", title="idle worker: server commands a minute", unit=""),
    Row(key="idle_cpu", title="idle worker: CPU", unit="%", bar=at_most(0.2)),
    Row(key="idle_memory", title="idle worker: memory of its process tree", unit="MB", bar=at_most(60)),
)  # fmt: skip
