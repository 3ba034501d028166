"""Arrays: one record, elements that live only while they run, and every index ends exactly once."""

from __future__ import annotations

from relayq.model.lifecycle import State
from relayq.store.elements import ended_elements
from tests.model.driver import Driver, indices, run_all


async def test_an_array_runs_each_index_once_and_succeeds(driver: Driver) -> None:
    array = await driver.submit(array="5-14")
    worker = await driver.worker()
    assert sorted(indices(await run_all(worker))) == list(range(5, 15))
    record = await driver.record(array)
    assert record.state is State.SUCCEEDED and record.array is not None and record.array.succeeded == 10


async def test_a_failed_element_fails_the_array_and_the_rest_runs_on(driver: Driver) -> None:
    array = await driver.submit(array=4)
    worker = await driver.worker()
    assert len(await run_all(worker, f"{array}:1")) == 4
    assert await driver.state(array) == "FAILED exit"
    assert await driver.state(f"{array}:1") == "FAILED exit"
    assert (await driver.record(f"{array}:1")).exit_code == 1
    assert await driver.state(f"{array}:2") == "SUCCEEDED"
    elements = await ended_elements(driver.hub, array)
    assert [(state, one.number) for state, one in elements[:2]] == [(State.FAILED, 1), (State.SUCCEEDED, 0)]
    assert (elements[0][1].exit_code, elements[0][1].worker, len(elements)) == (1, "w", 4)


async def test_an_element_that_has_not_started_is_pending(driver: Driver) -> None:
    array = await driver.submit(array=2)
    assert await driver.state(f"{array}:1") == "PENDING array"
    assert await driver.jobs.record(f"{array}:2") is None


async def test_an_element_is_retried_by_the_policy_of_the_array(driver: Driver) -> None:
    array = await driver.submit(array=1, attempts=2)
    worker = await driver.worker()
    await worker.claim()
    await worker.report(f"{array}:0", "failed", retry=True)
    assert await worker.claim() == [f"{array}:0"]
    assert worker.held[f"{array}:0"] == 2
    await worker.report(f"{array}:0", "failed", retry=True)
    assert await driver.state(array) == "FAILED exit"


async def test_a_sequential_array_runs_one_after_the_other(driver: Driver) -> None:
    array = await driver.submit(array={"size": 3, "start": 4, "sequential": True})
    worker = await driver.worker()
    for index in (4, 5, 6):
        assert await worker.claim() == [f"{array}:{index}"]
        await worker.report(f"{array}:{index}")
    assert await driver.state(array) == "SUCCEEDED"


async def test_a_sequential_array_stops_at_its_first_failure(driver: Driver) -> None:
    array = await driver.submit(array={"size": 4, "sequential": True})
    await run_all(await driver.worker(), f"{array}:1")
    record = await driver.record(array)
    assert (record.state, record.array.succeeded, record.array.skipped) == (State.FAILED, 1, 2)
    assert await driver.state(f"{array}:3") == "SKIPPED"


async def test_a_sequential_array_that_runs_again_goes_on_where_it_stopped(driver: Driver) -> None:
    array = await driver.submit(array={"size": 4, "sequential": True})
    worker = await driver.worker()
    await run_all(worker, f"{array}:1")
    assert await driver.jobs.retry(array, b"op") == "retried"
    assert await worker.claim() == [f"{array}:1"]
    await worker.report(f"{array}:1")
    assert indices(await run_all(worker)) == [2, 3]
    assert await driver.state(array) == "SUCCEEDED"


async def test_what_did_not_succeed_runs_again_as_a_further_attempt(driver: Driver) -> None:
    array = await driver.submit(array=4, attempts=1)
    worker = await driver.worker()
    await run_all(worker, f"{array}:1", f"{array}:3")
    assert await driver.jobs.retry(array, b"the op") == "retried"
    assert sorted(await worker.claim()) == [f"{array}:1", f"{array}:3"]
    assert worker.held == {f"{array}:1": 2, f"{array}:3": 2}
    assert worker.claims[f"{array}:1"].retry_op == b"the op"
    await worker.report(f"{array}:1")
    await worker.report(f"{array}:3", "failed", retry=True)
    assert await driver.state(array) == "FAILED exit"


async def test_an_array_that_runs_again_has_run_since_then(driver: Driver) -> None:
    array = await driver.submit(array=2)
    worker = await driver.worker()
    await run_all(worker, f"{array}:1")
    first = await driver.record(array)
    await driver.advance(10_000)
    await driver.jobs.retry(array, b"op")
    assert (await driver.record(array)).started_ms == 0
    await worker.claim()
    assert (await driver.record(array)).started_ms >= first.started_ms + 10_000


async def test_an_array_that_succeeded_runs_again_as_a_whole(driver: Driver) -> None:
    array = await driver.submit(array=3)
    worker = await driver.worker()
    await run_all(worker)
    assert await driver.jobs.retry(array, b"op") == "retried"
    assert sorted(indices(await worker.claim())) == [0, 1, 2]
    assert set(worker.held.values()) == {2}


async def test_a_cancelled_array_that_never_began_runs_again_as_a_whole(driver: Driver) -> None:
    array = await driver.submit(array=3)
    await driver.jobs.cancel(array)
    await driver.jobs.retry(array, b"op")
    assert len(await run_all(await driver.worker())) == 3
    assert await driver.state(array) == "SUCCEEDED"


async def test_an_array_that_was_cut_short_goes_on_and_repeats_what_failed(driver: Driver) -> None:
    array = await driver.submit(array=6)
    worker = await driver.worker()
    jobs = await worker.claim(want=3)
    outcomes = [worker.outcome(job, word) for job, word in zip(jobs, ("ok", "failed", "ok"), strict=True)]
    await worker.sync(done=outcomes, want=0)
    await driver.jobs.cancel(array)
    assert await driver.state(array) == "FAILED exit"
    await driver.jobs.retry(array, b"op")
    assert indices(await run_all(worker)) == [1, 3, 4, 5]
    record = await driver.record(array)
    assert (record.state, record.array.succeeded) == (State.SUCCEEDED, 6)


async def test_cancel_ends_what_has_not_started_and_asks_for_the_rest(driver: Driver) -> None:
    array = await driver.submit(array=5)
    worker = await driver.worker()
    (running,) = await worker.claim(want=1)
    assert await driver.jobs.cancel(array) == "asked"
    reply = await worker.sync()
    assert (reply.claims, reply.cancels) == ([], [running])
    await worker.report(running, "cancelled")
    record = await driver.record(array)
    assert (record.state, record.array.cancelled) == (State.CANCELLED, 5)
    assert await driver.jobs.cancel(array) == "ended:CANCELLED"


async def test_one_element_can_be_cancelled(driver: Driver) -> None:
    array = await driver.submit(array=2)
    worker = await driver.worker()
    running = await worker.claim()
    assert await driver.jobs.cancel(running[0]) == "asked"
    await worker.sync(done=[worker.outcome(running[0], "cancelled"), worker.outcome(running[1])])
    assert await driver.state(array) == "CANCELLED"
    assert await driver.jobs.cancel(running[1]) == "ended:SUCCEEDED"


async def test_an_array_whose_elements_all_succeeded_after_a_cancel_succeeded(driver: Driver) -> None:
    array = await driver.submit(array=1)
    worker = await driver.worker()
    (running,) = await worker.claim()
    await driver.jobs.cancel(array)
    await worker.report(running)
    assert await driver.state(array) == "SUCCEEDED"


async def test_an_array_expires_as_a_whole(driver: Driver) -> None:
    array = await driver.submit(array=5, deadline="1m")
    await driver.advance(60_000)
    assert await driver.state(array) == "EXPIRED deadline"
    assert await driver.state(f"{array}:3") == "SKIPPED"


async def test_an_array_that_has_begun_does_not_expire(driver: Driver) -> None:
    array = await driver.submit(array=2, deadline="30s")
    worker = await driver.worker()
    (first,) = await worker.claim(want=1)
    await driver.advance(30_000)
    await driver.jobs.hold(array)
    await worker.stand_by()
    await driver.jobs.release(array)
    assert await worker.letters() == [("claim", f"{array}:1")]
    await worker.sync(done=[worker.outcome(first), worker.outcome(f"{array}:1")])
    assert await driver.state(array) == "SUCCEEDED"


async def test_a_held_array_starts_no_more_elements(driver: Driver) -> None:
    array = await driver.submit(array=3)
    worker = await driver.worker()
    (first,) = await worker.claim(want=1)
    assert await driver.jobs.hold(array) == "held"
    assert await worker.claim() == []
    await worker.report(first)
    assert await driver.jobs.release(array) == "released"
    assert len(await run_all(worker)) == 2
    assert await driver.state(array) == "SUCCEEDED"


async def test_a_sequential_array_can_be_held_between_two_elements(driver: Driver) -> None:
    array = await driver.submit(array={"size": 2, "sequential": True})
    worker = await driver.worker()
    await worker.claim()
    assert await driver.jobs.hold(array) == "held"
    assert await worker.report(f"{array}:0", want=1) == "ok"
    assert worker.held == {}
    assert await driver.state(array) == "PENDING held"
    await driver.jobs.release(array)
    assert await worker.claim() == [f"{array}:1"]


async def test_a_lost_element_runs_again_and_the_array_ends(driver: Driver) -> None:
    array = await driver.submit(array=2)
    lost = await driver.worker("lost")
    await lost.claim(want=1)
    await driver.advance(60_000)
    await driver.advance(61_000)
    worker = await driver.worker()
    assert sorted(indices(await run_all(worker))) == [0, 1]
    assert await driver.state(array) == "SUCCEEDED"
    assert (await driver.raw("HGET", "@ax:" + array, "0")).count(b'"a":2') == 1


async def test_limits_hold_for_elements(driver: Driver) -> None:
    await driver.submit(array=5, limits={"db": 2})
    worker = await driver.worker()
    assert len(await worker.claim()) == 2
    assert await worker.claim() == []


async def test_priority_of_a_begun_array_can_change(driver: Driver) -> None:
    slow, other = await driver.batch({"array": 3}, {})
    worker = await driver.worker()
    await worker.claim(want=1)
    assert await driver.jobs.reprioritise(slow, -1) == "done"
    assert (await worker.claim(want=1)) == [other]


async def test_dependents_of_an_array_wait_for_its_end(driver: Driver) -> None:
    array = await driver.submit(array=2)
    after = await driver.submit(after=[{"job": array}])
    worker = await driver.worker()
    await worker.claim()
    await worker.report(f"{array}:0")
    assert await driver.state(after) == "PENDING dependency"
    await worker.report(f"{array}:1")
    assert await driver.state(after) == "RUNNABLE"


async def test_an_array_whose_dependency_failed_is_skipped_whole(driver: Driver) -> None:
    first = await driver.submit()
    array = await driver.submit(array=3, after=[{"job": first}])
    await driver.jobs.cancel(first)
    record = await driver.record(array)
    assert (record.state, record.array.skipped) == (State.SKIPPED, 3)


# -- size


async def test_a_million_elements_cost_one_record(driver: Driver) -> None:
    array = await driver.submit(array=1_000_000)
    keys = await driver.raw("KEYS", f"@*{array}*")
    assert len(keys) == 2
    used = [await driver.raw("MEMORY", "USAGE", key.decode()) for key in keys]
    assert sum(used) < 1_000
    await driver.jobs.cancel(array)
    assert (await driver.record(array)).array.cancelled == 1_000_000
    assert await driver.jobs.retry(array, b"op") == "retried"
    assert len(await (await driver.worker()).claim(want=1)) == 1
    await driver.jobs.cancel(array)


async def test_a_large_array_notes_only_what_did_not_succeed(driver: Driver) -> None:
    array = await driver.submit(array=10_001)
    worker = await driver.worker()
    jobs = await worker.claim(want=3)
    outcomes = [worker.outcome(job, word) for job, word in zip(jobs, ("ok", "failed", "ok"), strict=True)]
    await worker.sync(done=outcomes, want=0)
    assert await driver.raw("HKEYS", "@ax:" + array) == [b"1"]
    await driver.jobs.cancel(array)
    assert await driver.jobs.retry(array, b"op") == "retried"
    again = await worker.claim(want=16)
    assert f"{array}:1" in again and f"{array}:0" not in again
    assert set(worker.held.values()) == {2}


async def test_what_elements_left_is_forgotten_with_the_array(driver: Driver) -> None:
    array = await driver.submit(array=2)
    worker = await driver.worker()
    await worker.claim()
    await worker.write(f"{array}:0", b"output")
    await worker.sync(done=[worker.outcome(f"{array}:{n}", result=b"result") for n in (0, 1)])
    assert (await driver.record(f"{array}:1")).result == b"result"
    assert (await driver.queues.stats())["kept_bytes"] > 600 + 6 + 12
    await driver.raw("HSET", "@cfg", "keep_bytes", "0")
    await driver.advance(1000)
    assert await driver.raw("KEYS", f"@*{array}*") == []


async def test_an_element_that_has_not_started_can_be_cancelled(driver: Driver) -> None:
    array = await driver.submit(array="5-9")
    for index in (5, 7, 9):
        assert await driver.jobs.cancel(f"{array}:{index}") == "cancelled"
    assert await driver.jobs.cancel(f"{array}:7") == "ended:CANCELLED"
    assert await driver.jobs.cancel(f"{array}:10") == "unknown"
    assert await driver.state(f"{array}:7") == "CANCELLED"
    assert indices(await run_all(await driver.worker())) == [6, 8]
    record = await driver.record(array)
    assert (record.state, record.array.succeeded, record.array.cancelled) == (State.CANCELLED, 2, 3)


async def test_an_array_whose_elements_were_all_cancelled_one_by_one_has_ended(driver: Driver) -> None:
    array = await driver.submit(array=3)
    worker = await driver.worker()
    (running,) = await worker.claim(want=1)
    for index in (1, 2):
        await driver.jobs.cancel(f"{array}:{index}")
    assert (await driver.record(array)).state is State.RUNNING
    await worker.report(running)
    assert await driver.state(array) == "CANCELLED"


async def test_what_was_cancelled_before_its_turn_runs_when_the_array_runs_again(driver: Driver) -> None:
    array = await driver.submit(array=7)
    worker = await driver.worker()
    await worker.claim(want=1)
    for index in (2, 4, 5):
        await driver.jobs.cancel(f"{array}:{index}")
    await driver.jobs.cancel(array)
    await worker.report(f"{array}:0")
    assert await driver.jobs.retry(array, b"op") == "retried"
    assert indices(await run_all(worker)) == [1, 2, 3, 4, 5, 6]
    assert await driver.state(array) == "SUCCEEDED"


async def test_only_what_did_not_succeed_of_many_runs_again(driver: Driver) -> None:
    array = await driver.submit(array="10-39")
    worker = await driver.worker()
    failing = {12, 13, 21, 38, 39}
    ran = await run_all(worker, *(f"{array}:{index}" for index in failing))
    assert len(ran) == 30
    assert await driver.jobs.retry(array, b"op") == "retried"
    assert (
        await driver.raw("LLEN", f"@ar:{array}") == 0
    )  # a million failures must not be written down one by one
    assert set(indices(await run_all(worker, f"{array}:38"))) == failing
    await driver.jobs.retry(array, b"op")
    assert indices(await run_all(worker)) == [38]
    assert await driver.state(array) == "SUCCEEDED"


async def test_a_sequential_array_stops_where_an_element_was_cancelled(driver: Driver) -> None:
    array = await driver.submit(array={"size": 5, "sequential": True})
    await driver.jobs.cancel(f"{array}:2")
    assert indices(await run_all(await driver.worker())) == [0, 1]
    record = await driver.record(array)
    assert (record.array.succeeded, record.array.cancelled, record.array.skipped) == (2, 1, 2)
    first = await driver.submit(array={"size": 3, "sequential": True})
    await driver.jobs.cancel(f"{first}:0")
    assert (await driver.record(first)).array.skipped == 2


async def test_who_waits_index_by_index_hears_of_a_cancelled_element(driver: Driver) -> None:
    first = await driver.submit(array=3)
    second = await driver.submit(array=3, after=[{"job": first, "on": "ok", "mode": "index"}])
    await driver.jobs.cancel(f"{first}:1")
    assert await driver.state(f"{second}:1") == "SKIPPED"
    assert await driver.jobs.cancel(f"{second}:2") == "cancelled"
    assert len(await run_all(await driver.worker())) == 3
    assert (await driver.record(second)).array.succeeded == 1


async def test_one_element_is_not_run_again_without_its_array(driver: Driver) -> None:
    array = await driver.submit(array=2)
    await run_all(await driver.worker(), f"{array}:1")
    assert await driver.jobs.retry(f"{array}:1", b"op") == "element"
