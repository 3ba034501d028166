"""Which elements of an array failed: the store's word, bounded however large the array is."""

from __future__ import annotations

from relayq.cli.elementviews import failed_facts, ranges
from relayq.store.elements import Elements, FailedElement
from tests.model.driver import Driver


async def failed_of(driver: Driver, job: str, **how: int) -> list[FailedElement]:
    """What the store says of this array."""
    return await Elements(driver.hub).failed(await driver.record(job), **how)


async def array_that_ended(driver: Driver, size: int, failed: set[int], start: int = 0) -> str:
    """An array of which these indices failed and all others succeeded."""
    job = await driver.submit(array={"size": size, "start": start})
    worker = await driver.worker(free={"c": 1_000 * size})
    claimed = await worker.claim(size)
    outcomes = [
        worker.outcome(one, "failed" if int(one.partition(":")[2]) in failed else "ok") for one in claimed
    ]
    await worker.sync(done=outcomes, want=0)
    return job


async def test_the_elements_that_failed_are_told_by_index(driver: Driver) -> None:
    job = await array_that_ended(driver, 9, {4, 5, 10}, start=2)
    found = await failed_of(driver, job)
    assert [(one.index, one.attempts, one.worker) for one in found] == [(n, 1, "w") for n in (4, 5, 10)]
    assert [one.index for one in await failed_of(driver, job, most=2)] == [4, 5]


async def test_an_element_that_runs_again_has_not_failed(driver: Driver) -> None:
    job = await array_that_ended(driver, 3, {1})
    assert await driver.jobs.retry(job, b"op") == "retried"
    assert await failed_of(driver, job) == []


async def test_a_failure_at_the_end_of_a_large_array_is_found(driver: Driver) -> None:
    size = 400_001
    job = await driver.submit(array={"size": size})
    await driver.raw("BITFIELD", f"@as:{job}", "SET", "u4", f"#{size - 1}", 3)
    await driver.raw("HSET", f"@j:{job}", "nF", 1)
    assert [(one.index, one.exit_code) for one in await failed_of(driver, job)] == [(size - 1, None)]


def test_many_failures_take_few_words() -> None:
    assert ranges([3, 7, 8, 9]) == "3, 7-9"
    assert ranges(range(0, 60, 2), most=3) == "0, 2, 4, and 27 more"
    failed = [
        FailedElement(index=index, exit_code=index, attempts=1, reason="exit", worker="w")
        for index in range(1, 1001)
    ]
    [(_, told)] = failed_facts(failed, 5_000)
    assert len(told.splitlines()) == 9
    assert told.endswith("and 4992 more")
