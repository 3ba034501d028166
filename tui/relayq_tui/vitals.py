"""What a worker tells of its machine, as numbers: the facts of its heartbeat, read once.

A worker's facts are text that it wrote itself (relayq/worker/probe.py says which); one
that is missing or makes no sense is unknown, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from relayq_tui.rows import Sample, WorkerRow

HOT_CELSIUS = 80.0  # where a Raspberry Pi and most small machines begin to slow down
FULL_DISK = 0.9
FULL_MEMORY = 0.95


class Vitals(NamedTuple):
    """How a machine fares; None is unknown. Shares are 0 to 1, sizes bytes, `load` is the number of tasks."""

    cpu: float | None
    load: float | None
    cpus: float | None
    memory: float | None
    memory_used: float | None
    memory_bytes: float | None
    celsius: float | None
    disk: float | None
    disk_free: float | None
    received_bps: float | None
    sent_bps: float | None
    rtt_ms: float | None
    up_s: float | None
    battery: float | None

    @property
    def is_hot(self) -> bool:
        """Is it so hot that it may slow down?"""
        return self.celsius is not None and self.celsius >= HOT_CELSIUS

    @property
    def is_full(self) -> bool:
        """Is its disk nearly full?"""
        return self.disk is not None and self.disk >= FULL_DISK


def vitals(facts: Mapping[str, str]) -> Vitals:
    """Read a worker's facts."""
    cpus, load = number(facts, "cpus"), number(facts, "load")
    cpu = number(facts, "cpu_percent")
    memory_bytes, disk_free = number(facts, "memory_bytes"), number(facts, "disk_free_bytes")
    return Vitals(
        cpu=cpu / 100 if cpu is not None else _share(load, cpus),
        load=load,
        cpus=cpus,
        memory=_used(number(facts, "memory_free_bytes"), memory_bytes),
        memory_used=None
        if memory_bytes is None
        else memory_bytes - (number(facts, "memory_free_bytes") or 0.0),
        memory_bytes=memory_bytes,
        celsius=number(facts, "temperature_c"),
        disk=_used(disk_free, number(facts, "disk_bytes")),
        disk_free=disk_free,
        received_bps=number(facts, "received_bps"),
        sent_bps=number(facts, "sent_bps"),
        rtt_ms=number(facts, "rtt_ms"),
        up_s=number(facts, "uptime_s"),
        battery=number(facts, "battery_percent"),
    )


def sample(facts: Mapping[str, str], at_ms: int) -> Sample:
    """What is remembered of these facts for the curves."""
    now = vitals(facts)
    return Sample(at_ms, cpu=now.cpu, memory=now.memory, celsius=now.celsius)


def slots(worker: WorkerRow) -> tuple[int, int]:
    """(jobs that run, jobs of one CPU each that could)."""
    offered = worker.offer.get("cpus_milli", 0)
    cpus = offered // 1000 if isinstance(offered, int) else 0
    return len(worker.running), max(cpus, len(worker.running))


def number(facts: Mapping[str, str], name: str) -> float | None:
    """A fact as a number, None when it is none."""
    try:
        value = float(facts.get(name, ""))
    except ValueError:
        return None
    return value if abs(value) < 1e18 else None


def _share(load: float | None, cpus: float | None) -> float | None:
    return min(1.0, load / cpus) if load is not None and cpus else None


def _used(free: float | None, total: float | None) -> float | None:
    return max(0.0, min(1.0, 1 - free / total)) if free is not None and total else None
