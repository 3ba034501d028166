"""Seeded storms: whatever is lost, frozen, killed or forgotten, the promises hold."""

from __future__ import annotations

import os
import time

import pytest

from relayq.store.hub import connect
from tests.fault.crew import Faults
from tests.fault.simulator import World
from tests.model.driver import Driver

LONG = int(os.environ.get("RELAYQ_LONG", "0"))
SEEDS = range(400 if LONG else 6)
STEPS = 300 if LONG else 250


async def storm(url: str, fleet: str, seed: int, faults: Faults, steps: int = STEPS) -> None:
    """One world, until everything has ended."""
    async with await connect(url, fleet) as hub:
        world = World(Driver(hub), seed, faults)
        try:
            await world.run(steps)
            await world.settle()
        finally:
            world.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_lost_messages_and_dying_workers_break_no_promise(hub_url: str, fleet: str, seed: int) -> None:
    await storm(hub_url, fleet, seed, Faults())


@pytest.mark.parametrize("seed", SEEDS)
async def test_without_a_single_letter_everything_still_ends(hub_url: str, fleet: str, seed: int) -> None:
    await storm(hub_url, fleet, 1_000 + seed, Faults(lose_letters=1.0))


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_hub_that_forgets_its_last_second_breaks_no_promise(
    hub_url: str, fleet: str, seed: int
) -> None:
    await storm(hub_url, fleet, 2_000 + seed, Faults(roll_back=0.8))


async def test_a_client_clock_that_is_a_day_off_changes_nothing(
    hub_url: str, fleet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() - 86_400)
    await storm(hub_url, fleet, 3_000, Faults(), steps=100)
