"""What a worker tells of its machine, read as numbers."""

from __future__ import annotations

from relayq_tui.rows import WorkerRow
from relayq_tui.vitals import sample, slots, vitals

FACTS = {
    "cpus": "4", "load": "3.60", "cpu_percent": "90", "memory_bytes": "8000", "memory_free_bytes": "6000",
    "disk_bytes": "100", "disk_free_bytes": "5", "temperature_c": "82", "received_bps": "10", "sent_bps": "2",
}  # fmt: skip


def test_facts_become_shares() -> None:
    now = vitals(FACTS)
    assert (now.cpu, now.memory, now.celsius) == (0.9, 0.25, 82.0)
    assert now.disk is not None
    assert round(now.disk, 2) == 0.95


def test_a_hot_machine_and_a_full_disk_are_told() -> None:
    assert vitals(FACTS).is_hot
    assert vitals(FACTS).is_full
    assert not vitals({}).is_hot
    assert not vitals({}).is_full


def test_without_the_cpu_the_load_stands_for_it() -> None:
    assert vitals({"cpus": "4", "load": "2.00"}).cpu == 0.5
    assert vitals({"cpus": "4", "load": "9.00"}).cpu == 1.0


def test_what_makes_no_sense_is_unknown() -> None:
    now = vitals({"cpus": "many", "memory_bytes": "0", "memory_free_bytes": "1", "temperature_c": "nan!"})
    assert (now.cpu, now.memory, now.celsius) == (None, None, None)
    assert vitals({"temperature_c": "nan"}).celsius is None
    assert vitals({"temperature_c": "1e300"}).celsius is None


def test_a_sample_keeps_what_the_curves_need() -> None:
    one = sample(FACTS, 7)
    assert (one.at_ms, one.cpu, one.memory, one.celsius) == (7, 0.9, 0.25, 82.0)


def test_slots_are_cpus_and_never_fewer_than_what_runs() -> None:
    worker = WorkerRow(name="w", offer={"cpus_milli": 2000}, running={"A": 1})
    assert slots(worker) == (1, 2)
    assert slots(WorkerRow(name="w", running={"A": 1, "B": 1})) == (2, 2)
    assert slots(WorkerRow(name="w", offer={"cpus_milli": "two"})) == (0, 0)
