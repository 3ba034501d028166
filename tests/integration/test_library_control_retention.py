"""What is forgotten keeps up with what ends, and no call forgets more than a bite."""

from __future__ import annotations

import asyncio

from tests.model.driver import Driver, FakeWorker

DAY = 86_400_000


async def finished(driver: Driver, worker: FakeWorker, count: int) -> None:
    """So many jobs that have ended."""
    await driver.batch(*({} for _ in range(count)))
    await worker.sync(done=[worker.outcome(job) for job in await worker.claim(want=count)], want=0)


async def kept(driver: Driver) -> int:
    """How many jobs that succeeded are still there."""
    return int(await driver.raw("ZCARD", "@done"))


async def test_whoever_calls_while_there_is_too_much_forgets_a_bite(driver: Driver) -> None:
    worker = await driver.worker(free={"c": 1_000_000})
    await finished(driver, worker, 350)
    await driver.raw("HSET", "@cfg", "keep_bytes", 0)
    await driver.advance(1_000)
    assert await kept(driver) == 250
    assert (await worker.sync(want=0)).next_ms <= 1_000
    assert await kept(driver) == 150
    await worker.sync(want=0)
    await worker.sync(want=0)
    assert await kept(driver) == 0
    assert (await worker.sync(want=0)).next_ms > 1_000


async def test_what_is_too_old_is_forgotten_a_bite_a_call_of_all_kinds_together(driver: Driver) -> None:
    worker = await driver.worker(free={"c": 1_000_000})
    await finished(driver, worker, 80)
    for job in await driver.batch(*({} for _ in range(80))):
        await driver.jobs.cancel(job)
    await driver.advance(15 * DAY)
    assert await kept(driver) + await driver.raw("ZCARD", "@fail") == 60
    await driver.submit()
    assert await kept(driver) + await driver.raw("ZCARD", "@fail") == 0


async def test_what_many_arrays_left_is_forgotten_a_bite_a_call(driver: Driver) -> None:
    worker = await driver.worker(free={"c": 1_000_000})
    arrays = [await driver.submit(array=400) for _ in range(2)]
    while jobs := await worker.claim(want=400):
        await worker.sync(done=[worker.outcome(job, result=b"r") for job in jobs], want=0)
    await driver.advance(4 * DAY)
    left = [await driver.raw("SCARD", f"@al:{array}") for array in arrays]
    assert sorted(left) == [0, 300]
    await driver.advance(1_000)
    assert await kept(driver) == 0


async def test_a_share_that_nobody_uses_any_more_is_forgotten(driver: Driver) -> None:
    worker = await driver.worker(free={"c": 1_000_000})
    names = [f"share-{n}" for n in range(400)]
    for start in range(0, len(names), 100):
        await driver.batch(*({"share": name} for name in names[start : start + 100]))
        await worker.sync(done=[worker.outcome(job) for job in await worker.claim(want=100)], want=0)
    await driver.advance(4 * DAY)
    await driver.submit(share="share-7")
    assert len(await (await driver.worker("another")).claim()) == 1
    async with asyncio.timeout(20):
        while await driver.raw("HLEN", "@sh") > 2:
            await driver.tick()
    assert sorted(await driver.raw("HKEYS", "@sh")) == [b"share-7", b"share-7@"]


async def test_a_worker_that_nobody_has_heard_of_for_two_weeks_is_forgotten(driver: Driver) -> None:
    worker = await driver.worker("gone")
    await worker.sync()
    await driver.advance(1 * DAY)
    assert [one.name for one in await driver.workers.list()] == ["gone"]
    await driver.advance(15 * DAY)
    assert await driver.workers.list() == []
    assert await driver.raw("EXISTS", "@names", "@woff", f"@w:{worker.session}", f"@mb:{worker.session}") == 0
