"""Arrays at their rims: elements given back, attempts counted on, and what is left when they are over."""

from __future__ import annotations

from typing import Any

from relayq.model.lifecycle import State
from relayq.store.elements import ended_elements
from tests.model.driver import Driver, FakeWorker, indices, run_all

AGAIN: dict[str, Any] = {"retry": True, "backoff_ms": 600_000, "backoff_cap_ms": 600_000}


async def test_an_array_that_waits_for_its_owners_word_starts_no_element(driver: Driver) -> None:
    array = await driver.submit(array=3, limits={"l": 3})
    worker = await driver.worker()
    claimed = await worker.claim(want=2)
    done = [worker.outcome(job, "unapproved") for job in claimed]
    assert set((await worker.sync(done=done, want=16)).reports.values()) == {"ok"}
    assert worker.held == {}
    assert await driver.state(array) == "PENDING approval"
    assert await driver.state(claimed[0]) == "PENDING array"
    assert await ended_elements(driver.hub, array) == []
    await driver.jobs.approve(array)
    assert sorted(indices(await worker.claim())) == [0, 1, 2]
    assert [worker.held[f"{array}:{index}"] for index in range(3)] == [2, 2, 1]


async def test_an_array_all_of_which_was_given_back_waits_for_its_owners_word(driver: Driver) -> None:
    array = await driver.submit(array={"size": 2, "sequential": True})
    worker = await driver.worker()
    [first] = await worker.claim()
    await worker.report(first, "unapproved", want=16)
    assert await driver.state(array) == "PENDING approval"
    await driver.jobs.approve(array)
    assert indices(await run_all(worker)) == [0, 1]
    assert await driver.state(array) == "SUCCEEDED"


async def test_an_element_of_many_never_has_the_number_of_an_attempt_that_was(driver: Driver) -> None:
    array = await driver.submit(array=10_001)
    worker = await driver.worker(free={"c": 10_001_000})
    first = f"{array}:0"

    async def succeed() -> None:
        while jobs := await worker.claim(want=500):
            await worker.sync(done=[worker.outcome(job) for job in jobs], want=0)

    await worker.claim(want=1)
    await worker.report(first, "failed")
    await succeed()
    await driver.jobs.retry(array, b"op")
    await worker.claim(want=1)
    await worker.write(first, b"some")
    await worker.write(first, b"more", offset=4)
    await worker.report(first)
    assert await driver.state(array) == "SUCCEEDED"
    await driver.jobs.retry(array, b"op")
    await worker.claim(want=1)
    assert worker.held[first] == 3
    assert (await worker.write(first, b"x")).log_offsets == {first: (1, 0)}


async def test_a_followed_element_that_wrote_nothing_leaves_nothing(driver: Driver) -> None:
    array = await driver.submit(array=1)
    worker = await driver.worker()
    [job] = await worker.claim()
    await driver.hub.run("watch", {"id": job})
    await worker.report(job)
    await driver.raw("HSET", "@cfg", "keep_bytes", 0)
    await driver.advance(1_000)
    assert await driver.raw("KEYS", f"@*{array}*") == []


async def test_an_array_is_forgotten_on_request_however_much_it_left(driver: Driver) -> None:
    array = await driver.submit(array=1_200)
    worker = await driver.worker(free={"c": 2_000_000})
    while jobs := await worker.claim(want=400):
        await worker.sync(done=[worker.outcome(job, result=b"r") for job in jobs], want=0)
    assert await driver.hub.run("bulk", {"verb": "forget", "ids": [array]}, b"") == [b"forgotten"]
    for _ in range(3):
        await driver.advance(1_000)
    assert await driver.raw("KEYS", f"@*{array}*") == []


async def in_backoff(driver: Driver, worker: FakeWorker, size: int) -> str:
    """An array all of whose elements failed once and wait for ten minutes."""
    array = await driver.submit(array=size, attempts=3)
    while jobs := await worker.claim(want=500):
        await worker.sync(done=[worker.outcome(job, "failed", **AGAIN) for job in jobs], want=0)
    return array


async def test_the_many_elements_of_a_cancelled_array_end_a_bite_a_call(driver: Driver) -> None:
    worker = await driver.worker(free={"c": 2_000_000})
    array = await in_backoff(driver, worker, 700)
    assert await driver.jobs.cancel(array, why="wrong input") == "asked"
    assert (await driver.record(array)).array.cancelled == 500
    assert (await worker.sync(want=0)).next_ms <= 20
    assert 564 <= (await driver.record(array)).array.cancelled <= 628
    for _ in range(4):
        await worker.sync(want=0)
    record = await driver.record(array)
    assert (record.state, record.reason, record.array.cancelled) == (State.CANCELLED, "wrong input", 700)
    assert (await worker.sync(want=0)).next_ms > 20
    assert await driver.jobs.retry(array, b"op") == "retried"
    assert len(await worker.claim()) == 16


async def test_no_element_starts_once_its_array_is_cancelled_told_or_not(driver: Driver) -> None:
    worker = await driver.worker(free={"c": 2_000_000})
    array = await in_backoff(driver, worker, 700)
    await driver.advance(600_000, tick=False)
    await worker.claim(want=100)
    held = dict(worker.held)
    await driver.jobs.cancel(array)
    untold = {f"{array}:{index.decode()}" for index in await driver.raw("SMEMBERS", "@am:" + array)}
    running = untold & held.keys()  # so many that one bite does not tell them all
    failed = [worker.outcome(job, "failed", **AGAIN) for job in running]
    assert (await worker.sync(want=500, idle=True, done=failed)).claims == []
    assert {await driver.state(job) for job in running} == {"CANCELLED cancelled"}
    for _ in range(6):
        assert (await worker.sync(want=500, idle=True)).claims == []
    assert (await driver.record(array)).array.cancelled == 700 - len(held) + len(running)
    told = await worker.sync(want=0)
    assert set(told.cancels) == held.keys() - running
    await driver.jobs.cancel(array, kill=True)
    assert set((await worker.sync(want=0)).kills) >= held.keys() - running
    await worker.sync(done=[worker.outcome(job, "cancelled") for job in list(worker.held)], want=0)
    assert await driver.state(array) == "CANCELLED"


async def test_indices_that_may_start_end_at_once_with_their_array(driver: Driver) -> None:
    first = await driver.submit(array=6)
    array = await driver.submit(array=6, after=[{"job": first, "on": "any", "mode": "index"}])
    last = await driver.submit(array=6, after=[{"job": array, "on": "any", "mode": "index"}])
    worker = await driver.worker()
    await driver.jobs.hold(array)
    jobs = await worker.claim(want=3)
    await worker.sync(done=[worker.outcome(job) for job in jobs], want=0)
    assert await driver.jobs.cancel(array) == "cancelled"
    states = [await driver.state(f"{array}:{index}") for index in range(6)]
    assert states == ["CANCELLED"] * 6
    assert sorted(indices(await run_all(worker))) == [0, 1, 2, 3, 3, 4, 4, 5, 5]
    assert (await driver.record(last)).array.succeeded == 6
    assert await driver.jobs.retry(array, b"op") == "retried"
    assert sorted(indices(await run_all(worker))) == [0, 1, 2, 3, 4, 5]
