"""What people look at: one job, lists, queues, why a job waits, ids from their last characters."""

from __future__ import annotations

import pytest

from relayq.errors import AmbiguousId, HubError, NotFound, SpecError, UsageError
from relayq.model.lifecycle import State
from tests.model.driver import Driver

MINUTE = 60_000


async def one_of_each(driver: Driver) -> dict[State, str]:
    """A job in every state."""
    dead = await driver.worker("dead")
    lost = await driver.submit(grace="1d")
    await dead.claim()
    await driver.advance(MINUTE + 1)
    worker = await driver.worker()
    names = [State.SUCCEEDED, State.FAILED, State.RUNNING]
    jobs = dict(zip(names, await driver.batch({}, {}, {}), strict=True))
    await worker.claim()
    done = [worker.outcome(jobs[State.SUCCEEDED]), worker.outcome(jobs[State.FAILED], "failed")]
    await worker.sync(done=done, want=0)
    jobs[State.UNREACHABLE] = lost
    jobs[State.SKIPPED] = await driver.submit(after=[{"job": jobs[State.FAILED]}])
    jobs[State.EXPIRED] = await driver.submit(deadline=1)
    await driver.advance(2_000)
    jobs[State.CANCELLED] = await driver.submit()
    await driver.jobs.cancel(jobs[State.CANCELLED])
    jobs[State.PENDING] = await driver.submit(delay="1h")
    jobs[State.RUNNABLE] = await driver.submit()
    return jobs


async def test_each_state_can_be_listed_alone_and_with_the_others(driver: Driver) -> None:
    jobs = await one_of_each(driver)
    for state, job in jobs.items():
        assert [found.id for found in await driver.jobs.list_jobs([state])] == [job]
        assert (await driver.record(job)).state is state
    assert {found.id for found in await driver.jobs.list_jobs()} == set(jobs.values())
    assert set((await driver.queues.stats())["jobs"].values()) == {1}


async def test_the_newest_come_first_and_no_more_than_asked_for(driver: Driver) -> None:
    jobs = []
    for _ in range(5):
        jobs.append(await driver.submit())
        await driver.advance(10, tick=False)
    assert [job.id for job in await driver.jobs.list_jobs(limit=3)] == jobs[::-1][:3]


@pytest.mark.parametrize("state", ["PENDING", "RUNNABLE", "RUNNING", "SUCCEEDED", "CANCELLED"])
async def test_a_list_of_a_queue_is_not_hidden_behind_other_queues(driver: Driver, state: str) -> None:
    wanted = await driver.submit(queue="small", delay="1h" if state == "PENDING" else "0s")
    await driver.advance(10, tick=False)
    others = await driver.batch(*({"queue": "big", "delay": "2h" if state == "PENDING" else "0s"},) * 20)
    jobs = [wanted, *others]
    if state in ("RUNNING", "SUCCEEDED"):
        worker = await driver.worker()
        await worker.claim(want=21)
        if state == "SUCCEEDED":
            await worker.sync(done=[worker.outcome(job) for job in jobs], want=0)
    if state == "CANCELLED":
        for job in jobs:
            await driver.jobs.cancel(job)
    found = await driver.jobs.list_jobs([State(state)], queue="small", limit=3)
    assert [job.id for job in found] == [wanted]


async def test_a_rare_state_is_not_hidden_behind_a_common_one(driver: Driver) -> None:
    expired = await driver.submit(deadline=1)
    await driver.advance(2_000)
    for job in await driver.batch(*({} for _ in range(60))):
        await driver.jobs.cancel(job)
    found = await driver.jobs.list_jobs([State.EXPIRED], limit=10)
    assert [job.id for job in found] == [expired]


async def test_an_array_is_listed_with_its_running_elements(driver: Driver) -> None:
    array = await driver.submit(array=2)
    await (await driver.worker()).claim()
    found = {job.id: job for job in await driver.jobs.list_jobs([State.RUNNING])}
    assert found.keys() == {array, f"{array}:0", f"{array}:1"}
    counts = found[array].array
    assert counts is not None and (counts.size, counts.running, counts.waiting) == (2, 2, 0)
    assert found[f"{array}:0"].envelope == found[array].envelope


async def test_a_record_tells_the_times_of_a_job(driver: Driver) -> None:
    job = await driver.submit()
    await driver.advance(1_000, tick=False)
    worker = await driver.worker()
    await worker.claim()
    await driver.advance(2_000, tick=False)
    await worker.report(job, "failed", exit_code=9)
    record = await driver.record(job)
    times = [record.submitted_ms, record.ready_ms, record.started_ms, record.ended_ms]
    assert times == sorted(times)
    assert record.started_ms - record.submitted_ms >= 1_000
    assert record.ended_ms - record.started_ms >= 2_000
    (attempt,) = record.attempts
    assert (attempt.number, attempt.worker, attempt.exit_code, attempt.reason) == (1, "w", 9, "exit")
    assert (attempt.started_ms, attempt.ended_ms) == (record.started_ms, record.ended_ms)


async def test_queues_are_shown_with_what_they_hold(driver: Driver) -> None:
    await driver.batch({"queue": "a"}, {"queue": "a", "needs": "mac"}, {"queue": "a", "delay": "1h"})
    await driver.queues.pause("b")
    await driver.queues.weight("c", 2.5)
    a, b, c = await driver.queues.list()
    assert (a.name, a.runnable, a.living, a.paused, a.weight) == ("a", 2, 3, False, 1.0)
    assert (b.name, b.paused) == ("b", True)
    assert (c.name, c.weight) == ("c", 2.5)


async def test_a_weight_out_of_range_is_refused(driver: Driver) -> None:
    with pytest.raises(SpecError):
        await driver.queues.weight("a", 0)


async def test_a_worker_cannot_be_told_just_anything(driver: Driver) -> None:
    with pytest.raises(HubError):
        await driver.workers.command("w", "dance")


async def test_the_statistics_of_the_day_count_what_was_done(driver: Driver) -> None:
    good, bad = await driver.batch({}, {})
    worker = await driver.worker()
    await worker.claim()
    done = [worker.outcome(good, run_ms=5), worker.outcome(bad, "failed", run_ms=7)]
    await worker.sync(done=done, want=0)
    today = (await driver.queues.stats())["today"]
    assert (today["in"], today["S"], today["F"], today["run"]) == (2, 1, 1, 12)


# -- why does it wait


async def blockers(driver: Driver, job: str) -> dict[str, str]:
    """What stands between a job and its start."""
    found = await driver.jobs.explain(job)
    assert found
    return dict(found.blockers)


async def test_what_keeps_a_job_waiting_is_explained(driver: Driver) -> None:
    first = await driver.submit(limits={"db": 1}, rates={"api": "1/1h"})
    waiting = await driver.submit(after=[{"job": first}], delay="1h")
    assert await blockers(driver, first) == {}
    found = await blockers(driver, waiting)
    assert found["dependencies"] == "1" and 0 < int(found["delay"]) <= 60 * MINUTE
    await driver.jobs.hold(waiting)
    assert "held" in await blockers(driver, waiting)
    await (await driver.worker()).claim()
    second, third = await driver.batch(*({"limits": {"db": 1}, "rates": {"api": "1/1h"}} for _ in range(2)))
    assert (await blockers(driver, second)) == {"limit": "db 1/1"}
    assert (await blockers(driver, third))["ahead"] == "1"
    await driver.queues.pause("default")
    assert (await blockers(driver, third))["paused"] == "default"


async def test_a_rate_that_is_used_up_is_explained(driver: Driver) -> None:
    await driver.batch(*({"rates": {"api": "1/1h"}} for _ in range(2)))
    worker = await driver.worker()
    await worker.claim()
    (waiting,) = await driver.jobs.list_jobs([State.RUNNABLE])
    name, wait = (await blockers(driver, waiting.id))["rate"].split(" ")
    assert name == "api" and 0 < int(wait) <= 60 * MINUTE


async def test_an_explanation_names_the_workers(driver: Driver) -> None:
    job = await driver.submit()
    await driver.worker("mac")
    found = await driver.jobs.explain(job)
    assert found and [worker.name for worker in found.workers] == ["mac"]
    assert await driver.jobs.explain("0" * 16) is None


# -- ids


async def test_a_job_is_found_by_its_last_characters(driver: Driver) -> None:
    job = await driver.submit("AAAAAAAAAAAAWXYZ")
    for text in ("wxyz", "AWXYZ", job, job.lower()):
        assert await driver.jobs.resolve(text) == job
    assert await driver.jobs.resolve("wxyz:3") == f"{job}:3"


async def test_an_ambiguous_or_unknown_or_short_id_is_refused(driver: Driver) -> None:
    await driver.submit("AAAAAAAAAAAAWXYZ")
    await driver.submit("BBBBBBBBBBBBWXYZ")
    with pytest.raises(AmbiguousId, match="2 jobs"):
        await driver.jobs.resolve("wxyz")
    with pytest.raises(NotFound, match="no job"):
        await driver.jobs.resolve("zzzz")
    for text in ("xyz", "w*yz", "[a-z]", ""):
        with pytest.raises(UsageError, match="no job id"):
            await driver.jobs.resolve(text)


async def test_a_running_element_does_not_make_its_array_ambiguous(driver: Driver) -> None:
    array = await driver.submit(array=3)
    await (await driver.worker()).claim()
    assert await driver.jobs.resolve(array[-5:]) == array


async def test_the_lane_of_a_newer_submitter_stops_no_worker_and_no_list(driver: Driver) -> None:
    job = await driver.submit()
    await driver.hub.link.call(
        "HSET", driver.hub.keys.prefix + "lanes", "0123456789", '{"q":"default","t":"shell","zz":1}'
    )
    await driver.hub.link.call("INCR", driver.hub.keys.prefix + "lanev")
    worker = await driver.worker()
    assert await worker.claim() == [job]
    assert [found.id for found in await driver.jobs.list_jobs()] == [job]
    await driver.hub.link.call("HDEL", driver.hub.keys.prefix + "lanes", "0123456789")
