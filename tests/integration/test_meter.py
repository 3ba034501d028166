"""What work takes is counted where it is reported: by job, by worker and by day."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.config import load
from relayq.model.price import tag
from relayq.store.budget import Budget
from relayq.store.records import Registration, Report, SyncRequest
from tests.integration.worker_support import Rig


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path) -> AsyncIterator[Rig]:
    """A fleet."""
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


class Bench:
    """A worker that reports whatever a test wants; 4 CPUs, and watts where they are told."""

    def __init__(self, rig: Rig, name: str = "pi4", watts: str = "") -> None:
        self.rig, self.name, self.session = rig, name, f"{name}#1"
        self.facts = {"watts": watts} if watts else {}

    async def appear(self) -> None:
        """Register."""
        offer: dict[str, object] = {
            "labels": ["mac"],
            "host": "h",
            "cpus_milli": 4000,
            "memory_bytes": 1 << 36,
        }
        who = Registration(
            name=self.name, session=self.session, instance=self.name, offer=offer, facts=self.facts, held={}
        )
        self.lanes = (await self.rig.workers.register(who)).lanes

    async def work(self, run_ms: int, outcome: str = "ok", *, retry: bool = False) -> str:
        """Claim one and report it; its id."""
        free = {"c": 4000, "m": 1 << 36}
        lanes = [(lane, {"c": 1000}) for lane in self.lanes]
        reply = await self.rig.workers.sync(self.session, SyncRequest(free=free, lanes=lanes, want=1))
        [claim] = reply.claims
        report = Report(
            job=claim.job, attempt=claim.attempt, outcome=outcome, run_ms=run_ms, retry=retry,
            exit_code=0 if outcome == "ok" else 1,
        )  # fmt: skip
        done = await self.rig.workers.sync(self.session, SyncRequest(done=[report]))
        assert set(done.reports.values()) == {"ok"}
        return claim.job


async def test_all_attempts_of_a_job_are_paid_each_a_minute_at_least(rig: Rig) -> None:
    job = await rig.submit("true", needs=["cpus=2", "memory=8G", "mac"], attempts=2)
    bench = Bench(rig, watts="20")
    await bench.appear()
    await bench.work(90_000, "failed", retry=True)
    await bench.work(1_000)
    took = (await rig.record(job)).took
    # 90 s and a second, which Fargate bills as a minute; 8 GB are more than its least of 4.
    assert (took.run_s, took.cpu_s, took.gb_s) == (91, 2 * 150, 8 * 150)
    assert took.hosted_min == {"macos": 2 + 1}
    # 20 W for 4 CPUs are 5 W for one: two of them for 91 s
    assert (took.joules, took.unmetered_s) == (pytest.approx(910), 0)


async def test_an_array_is_the_sum_of_its_elements(rig: Rig) -> None:
    job = await rig.submit("true", array=3)
    bench = Bench(rig)
    await bench.appear()
    for run_ms in (61_000, 1_000, 2_000):
        await bench.work(run_ms)
    record = await rig.record(job)
    assert record.state == "SUCCEEDED"
    assert (record.took.run_s, record.took.cpu_s, record.took.unmetered_s) == (64, 61 + 60 + 60, 64)
    assert record.took.hosted_min == {"linux": 2 + 1 + 1}
    assert record.took.gb_s == 2 * 181
    assert tag(record.took, 0.3).home is None


async def test_a_month_holds_what_ran_by_worker(rig: Rig) -> None:
    for _ in range(3):
        await rig.submit("true")
    first, second = Bench(rig, "a", "8"), Bench(rig, "b.attic")
    await first.appear()
    await second.appear()
    await first.work(60_000)
    await first.work(60_000)
    await second.work(30_000)
    record = await Budget(rig.hub).read()
    assert {name: work.run_s for name, work in record.work.items()} == {"a": 120, "b.attic": 30}
    assert record.worked.joules == pytest.approx(2 * 60 * 8 / 4)
    assert record.worked.unmetered_s == 30
    assert record.worked.hosted_min == {"linux": 3}


async def test_a_real_worker_tells_its_watts(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYQ_WORKER_WATTS", "40")
    rig.config = load({"hub.fleet": rig.fleet, "worker.nice": 0})
    job = await rig.submit("true")
    async with rig.worker(slots=4):
        record = await rig.ended(job)
    assert record.took.run_s > 0
    assert record.took.joules == pytest.approx(record.took.run_s * 40 / 4, rel=0.2)
    assert "RELAYQ_WORKER_WATTS" in os.environ


async def test_broken_figures_in_the_hub_are_none(rig: Rig) -> None:
    for name in ("runs", "bill", "limit"):
        await rig.hub.run(
            "budget_put", {"what": name, "json": '{"month": 7', "month": "2026-11", "ended": "[]"}
        )
    record = await Budget(rig.hub).read()
    assert (record.runs, record.bill, record.limit) == (None, None, {})
