"""A hub without memory: it takes nothing new, and everything that runs can still end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis

from relayq.errors import HubFull
from relayq.store.hub import connect
from tests.fault.crew import Faults
from tests.fault.simulator import World
from tests.model import invariants
from tests.model.driver import Driver
from tests.support import PrivateServer

MIB = 1 << 20


@pytest.fixture
async def small(fleet: str) -> AsyncIterator[Driver]:
    """A fleet on a server of its own, whose memory the test decides about."""
    server = PrivateServer().start()
    async with await connect(server.url, fleet) as hub:
        yield Driver(hub)
    server.close()


def sound(driver: Driver) -> bool:
    """Whether the keys add up."""
    with redis.Redis(unix_socket_path=driver.hub.address.path) as client:
        return invariants.breaches(invariants.read(client, driver.hub.keys.prefix)) == []


async def limit_to(driver: Driver, spare: int) -> None:
    """Leave so many bytes."""
    info = (await driver.raw("INFO", "memory")).decode()
    used = int(info.partition("used_memory:")[2].partition("\r")[0])
    await driver.raw("CONFIG", "SET", "maxmemory", used + spare)


async def fill(driver: Driver) -> int:
    """Submit until the hub is full; how many were taken."""
    taken = 0
    for _ in range(400):
        try:
            await driver.batch(*({} for _ in range(100)))
        except HubFull:
            return taken
        taken += 100
    raise AssertionError("the hub never got full")


async def test_a_full_hub_refuses_batches_whole(small: Driver) -> None:
    await limit_to(small, 2 * MIB)
    taken = await fill(small)
    assert (await small.queues.stats())["jobs"]["RUNNABLE"] == taken > 0
    assert sound(small)


async def test_what_a_full_hub_has_can_be_worked_off_and_makes_room(small: Driver) -> None:
    await limit_to(small, 2 * MIB)
    taken = await fill(small)
    await limit_to(small, -MIB)
    worker = await small.worker()
    while jobs := await worker.claim(want=50):
        await worker.sync(done=[worker.outcome(job) for job in jobs], want=0)
    assert (await small.queues.stats())["today"]["S"] == taken
    with pytest.raises(HubFull):
        await small.submit()
    for _ in range(taken // 100 + 1):
        await small.tick()
    assert (await small.queues.stats())["jobs"]["SUCCEEDED"] < taken
    assert sound(small)


async def test_memory_is_back_at_its_base_after_retention(small: Driver) -> None:
    async def used() -> int:
        info = (await small.raw("INFO", "memory")).decode()
        return int(info.partition("used_memory_dataset:")[2].partition("\r")[0])

    worker = await small.worker()

    async def day() -> int:
        for _ in range(5):
            jobs = await small.batch(*({"attempts": 2} for _ in range(100)), {"array": 50})
            while claimed := await worker.claim(want=64):
                done = [worker.outcome(job, result=b"r" * 100) for job in claimed]
                await worker.sync(done=done, want=0)
            assert (await small.state(jobs[0])).startswith("SUCCEEDED")
        await small.advance(4 * 86_400_000)
        for _ in range(12):
            await small.tick()
        assert await small.jobs.list_jobs() == []
        worker.session, worker.held = f"w#{(await small.queues.stats())['now_ms']}", {}
        await worker.register()
        return await used()

    await small.raw("XTRIM", "@ev", "MAXLEN", 0)
    first = [await day() for _ in range(3)][-1]
    last = [await day() for _ in range(3)][-1]
    events = 10_000 * 200
    assert last - first < events
    keys = await small.raw("KEYS", "@*")
    assert len(keys) < 60, sorted(keys)


@pytest.mark.parametrize("seed", range(3))
async def test_a_hub_that_is_full_now_and_then_breaks_no_promise(small: Driver, seed: int) -> None:
    world = World(small, 4_000 + seed, Faults(full=0.9))
    try:
        await world.run(200)
        await world.settle()
    finally:
        world.close()
