"""Arrays that wait for each other index by index."""

from __future__ import annotations

import pytest

from relayq.model.lifecycle import State
from tests.model.driver import Driver, indices, run_all

# -- index to index


async def chained(driver: Driver, on: str = "ok", size: int = 3, **spec: object) -> tuple[str, str]:
    """An array, and one that waits for it index by index."""
    first = await driver.submit(array=size, **spec)
    return first, await driver.submit(array=size, after=[{"job": first, "on": on, "mode": "index"}])


async def test_each_index_waits_for_its_own(driver: Driver) -> None:
    first, second = await chained(driver)
    worker = await driver.worker()
    await worker.claim()
    assert await driver.state(second) == "PENDING dependency"
    await worker.report(f"{first}:1")
    assert await worker.claim() == [f"{second}:1"]
    await worker.report(f"{first}:0")
    await worker.report(f"{second}:1")
    await worker.report(f"{first}:2", "failed")
    assert await run_all(worker) == [f"{second}:0"]
    record = await driver.record(second)
    assert (record.state, record.array.succeeded, record.array.skipped) == (State.SKIPPED, 2, 1)


async def test_skipped_indices_are_skipped_all_the_way_down(driver: Driver) -> None:
    first, second = await chained(driver)
    third = await driver.submit(array=3, after=[{"job": second, "mode": "index"}])
    worker = await driver.worker()
    await run_all(worker, f"{first}:0")
    record = await driver.record(third)
    assert (record.state, record.array.succeeded, record.array.skipped) == (State.SKIPPED, 2, 1)


@pytest.mark.parametrize("on", ["ok", "any", "failed"])
async def test_indices_that_never_started_free_those_that_wait_for_them(driver: Driver, on: str) -> None:
    first, second = await chained(driver, on)
    worker = await driver.worker()
    (running,) = await worker.claim(want=1)
    await driver.jobs.cancel(first)
    assert (await driver.record(second)).state is State.PENDING
    await worker.report(running, "cancelled")
    ran = await run_all(worker)
    assert len(ran) == (3 if on == "any" else 0)
    assert (await driver.record(second)).state is (State.SUCCEEDED if on == "any" else State.SKIPPED)


@pytest.mark.parametrize("on", ["ok", "any"])
async def test_an_expired_array_frees_those_that_wait_for_it(driver: Driver, on: str) -> None:
    _, second = await chained(driver, on, deadline="1m")
    await driver.advance(60_000)
    await run_all(await driver.worker())
    assert (await driver.record(second)).state is (State.SUCCEEDED if on == "any" else State.SKIPPED)


async def test_what_was_free_to_start_survives_the_cancel_of_the_array_it_waited_for(driver: Driver) -> None:
    first, second = await chained(driver)
    worker = await driver.worker()
    (running,) = await worker.claim(want=1)
    await worker.report(running)
    await driver.jobs.cancel(first)
    assert await run_all(worker) == [f"{second}:0"]
    record = await driver.record(second)
    assert (record.array.succeeded, record.array.skipped) == (1, 2)


@pytest.mark.parametrize("held", [False, True])
async def test_waiting_for_an_array_that_has_begun_catches_up(driver: Driver, held: bool) -> None:
    first = await driver.submit(array=3)
    worker = await driver.worker()
    (running,) = await worker.claim(want=1)
    await worker.report(running)
    if held:
        await driver.jobs.hold(first)
    second = await driver.submit(array=3, after=[{"job": first, "mode": "index"}])
    if held:
        await driver.jobs.release(first)
    await run_all(worker)
    assert await driver.state(second) == "SUCCEEDED"


async def test_an_array_that_runs_again_does_not_start_its_followers_twice(driver: Driver) -> None:
    first, second = await chained(driver, "any")
    worker = await driver.worker()
    (running,) = await worker.claim(want=1)
    await worker.report(running, "failed")
    await run_all(worker)
    assert await driver.state(first) == "FAILED exit"
    assert await driver.state(second) == "SUCCEEDED"
    third = await driver.submit(array=3, after=[{"job": first, "on": "any", "mode": "index"}])
    await driver.jobs.hold(third)
    await driver.jobs.retry(first, b"op")
    assert await run_all(worker) == [f"{first}:0"]
    await driver.jobs.release(third)
    assert sorted(indices(await run_all(worker))) == [0, 1, 2]
    assert await driver.state(third) == "SUCCEEDED"


async def test_arrays_of_different_extent_cannot_wait_index_by_index(driver: Driver) -> None:
    first = await driver.submit(array=3)
    after = [{"job": first, "mode": "index"}]
    assert "same indices" in await driver.word(array=4, after=after)
    assert "same indices" in await driver.word(array="1-3", after=after)
    assert await driver.word(array=3, after=after) == "new"


async def test_index_by_index_needs_arrays_and_no_sequence(driver: Driver) -> None:
    first = await driver.submit(array=3)
    plain = await driver.submit()
    by_index = [{"job": first, "mode": "index"}]
    sequential = {"size": 3, "sequential": True}
    assert "a sequential array cannot" in await driver.word(array=sequential, after=by_index)
    assert "is no array" in await driver.word(array=3, after=[{"job": plain, "mode": "index"}])


async def test_a_very_large_array_waits_for_one_array_only(driver: Driver) -> None:
    first, second = await driver.batch({"array": 10_001}, {"array": 10_001})
    by_index = [{"job": job, "mode": "index"} for job in (first, second)]
    assert "for one array only" in await driver.word(array=10_001, after=by_index)
    assert await driver.word(array=10_001, after=by_index[:1]) == "new"


# -- several at once


async def forked(driver: Driver, *ons: str, size: int = 3) -> tuple[list[str], str]:
    """Some arrays, and one that waits for all of them index by index."""
    firsts = [await driver.submit(array=size) for _ in ons]
    after = [{"job": job, "on": on, "mode": "index"} for job, on in zip(firsts, ons, strict=True)]
    return firsts, await driver.submit(array=size, after=after)


async def test_each_index_waits_for_its_own_in_every_array(driver: Driver) -> None:
    (one, two), both = await forked(driver, "ok", "ok")
    worker = await driver.worker()
    await worker.claim()
    await worker.report(f"{one}:1")
    assert await worker.claim() == []
    await worker.report(f"{two}:0", "failed")
    await worker.report(f"{two}:1")
    assert await worker.claim() == [f"{both}:1"]
    for last in (f"{one}:0", f"{one}:2", f"{two}:2", f"{both}:1"):
        await worker.report(last)
    assert await run_all(worker) == [f"{both}:2"]
    record = await driver.record(both)
    assert (record.state, record.array.succeeded, record.array.skipped) == (State.SKIPPED, 2, 1)


@pytest.mark.parametrize(
    ("ons", "ran", "state"),
    [
        (("ok", "ok"), [1], State.SKIPPED),
        (("any", "any"), [0, 1, 2], State.SUCCEEDED),
        (("any", "ok"), [0, 1, 2], State.SUCCEEDED),
    ],
)
async def test_one_of_several_ends_before_its_elements_began(
    driver: Driver, ons: tuple[str, str], ran: list[int], state: State
) -> None:
    (one, two), both = await forked(driver, *ons)
    worker = await driver.worker()
    claimed = await worker.claim()
    assert set(claimed) == {f"{job}:{index}" for job in (one, two) for index in range(3)}
    await worker.report(f"{one}:1")
    for index in (0, 2):
        await worker.report(f"{one}:{index}", "handback")
    await driver.jobs.cancel(one)
    assert await worker.claim() == []
    for index in range(3):
        await worker.report(f"{two}:{index}")
    assert sorted(indices(await run_all(worker))) == ran
    assert (await driver.record(both)).state is state


async def test_what_one_of_several_said_is_kept_when_it_is_forgotten(driver: Driver) -> None:
    (one, two), both = await forked(driver, "ok", "ok", size=2)
    worker = await driver.worker()
    await worker.claim()
    await worker.report(f"{one}:0")
    await worker.report(f"{one}:1", "failed")
    await driver.raw("HSET", "@cfg", "keep_bytes", "0")
    await driver.advance(1000)
    assert await driver.raw("KEYS", f"@*{one}*") == []
    for index in (0, 1):
        await worker.report(f"{two}:{index}")
    assert await run_all(worker) == [f"{both}:0"]


async def test_several_of_which_some_have_ended_are_caught_up_with(driver: Driver) -> None:
    one = await driver.submit(array=2)
    worker = await driver.worker()
    await run_all(worker, f"{one}:1")
    two = await driver.submit(array=2)
    after = [{"job": one, "mode": "index"}, {"job": two, "on": "any", "mode": "index"}]
    both = await driver.submit(array=2, after=after)
    assert (await driver.record(both)).array.skipped == 1
    assert indices(await run_all(worker)) == [0, 1, 0]
    record = await driver.record(both)
    assert (record.array.succeeded, record.array.skipped) == (1, 1)


async def test_waiting_index_by_index_for_a_large_array_must_begin_before_it_does(driver: Driver) -> None:
    first = await driver.submit(array=10_001)
    after = [{"job": first, "mode": "index"}]
    assert await driver.word(array=10_001, after=after) == "new"
    await (await driver.worker()).claim(want=1)
    assert "too late" in await driver.word(array=10_001, after=after)


async def test_a_whole_and_an_index_dependency_hold_together(driver: Driver) -> None:
    gate = await driver.submit()
    first = await driver.submit(array=2)
    second = await driver.submit(array=2, after=[{"job": gate}, {"job": first, "mode": "index"}])
    worker = await driver.worker()
    await worker.claim()
    await worker.sync(done=[worker.outcome(f"{first}:{n}") for n in (0, 1)], want=0)
    assert await driver.state(second) == "PENDING dependency"
    await worker.report(gate)
    assert len(await run_all(worker)) == 2


async def test_a_million_indices_that_never_started_free_their_followers_at_once(driver: Driver) -> None:
    first, second = await chained(driver, "any", 1_000_000)
    worker = await driver.worker()
    (running,) = await worker.claim(want=1)
    await driver.jobs.cancel(first)
    assert await driver.state(second) == "PENDING dependency"
    await worker.report(running, "cancelled")
    assert await driver.state(second) == "RUNNABLE"
    assert await driver.raw("LLEN", f"@ar:{second}") <= 1  # they are not written down one by one
    assert sorted(indices(await worker.claim(want=3))) == [0, 1, 2]


async def test_an_opened_gate_lets_each_index_through_once(driver: Driver) -> None:
    first, second = await chained(driver, "any", 6)
    worker = await driver.worker()
    zero, one, two = await worker.claim(want=3)
    await driver.jobs.cancel(f"{first}:4")
    await worker.report(one)
    await driver.jobs.cancel(first)
    early = await worker.claim()
    assert sorted(indices(early)) == [1, 4]
    for running in (two, zero):
        await worker.report(running, "cancelled")
    for running in early:
        await worker.report(running)
    ran = await run_all(worker, f"{second}:3", f"{second}:5")
    assert sorted(indices(ran)) == [0, 2, 3, 5]
    assert (await driver.record(second)).array.failed == 2
    await driver.jobs.retry(second, b"op")
    assert sorted(indices(await run_all(worker))) == [3, 5]
    assert await driver.state(second) == "SUCCEEDED"


async def test_what_is_skipped_together_is_told_to_those_that_wait_for_it(driver: Driver) -> None:
    one, other = [await driver.submit(array="5-7") for _ in range(2)]
    waits = [{"job": array, "on": "ok", "mode": "index"} for array in (one, other)]
    second = await driver.submit(array="5-7", after=waits)
    third = await driver.submit(array="5-7", after=[{"job": second, "on": "any", "mode": "index"}])
    await driver.jobs.hold(one)
    worker = await driver.worker()
    assert await worker.claim(want=1) == [f"{other}:5"]
    await worker.report(f"{other}:5")
    await driver.jobs.cancel(other)
    assert await driver.state(f"{second}:5") == "PENDING array"
    assert await worker.claim() == [f"{third}:6", f"{third}:7"]
