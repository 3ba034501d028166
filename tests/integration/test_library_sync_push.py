"""Standing by: what is pushed to whom, and that no room is given away twice."""

from __future__ import annotations

from tests.model.driver import Driver

MINUTE = 60_000


async def lane_of(driver: Driver, job: str) -> str:
    """The lane of a job."""
    return (await driver.record(job)).lane.id


# -- standing by


async def test_a_job_is_pushed_to_an_idle_session_at_once(driver: Driver) -> None:
    await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    await worker.stand_by()
    job = await driver.submit()
    assert await worker.letters() == [("claim", job)]
    assert await driver.state(job) == "RUNNING"
    assert worker.claims[job].pushed and worker.claims[job].envelope


async def test_ten_jobs_go_to_ten_idle_sessions(driver: Driver) -> None:
    first = await driver.submit()
    workers = [await driver.worker(f"w{n}", free={"c": 1_000}) for n in range(10)]
    assert await workers[0].claim() == [first]
    await workers[0].report(first)
    for worker in workers:
        await worker.stand_by()
    await driver.batch(*({} for _ in range(10)))
    assert [len(await worker.letters()) for worker in workers] == [1] * 10


async def test_no_more_is_pushed_than_the_room_that_was_told(driver: Driver) -> None:
    first = await driver.submit()
    worker = await driver.worker(free={"c": 2_000})
    await worker.claim()
    await worker.report(first)
    await worker.stand_by()
    await driver.batch(*({} for _ in range(5)))
    assert len(await worker.letters()) == 2


async def test_the_session_that_has_what_is_preferred_is_asked_first(driver: Driver) -> None:
    lane = await lane_of(driver, await driver.submit(prefer="mac"))
    first = await driver.worker("mac")
    await first.claim()
    await first.stand_by()
    other = await driver.worker("other")
    other.prefers = {lane: 5_000}
    await other.stand_by()
    job = await driver.submit(prefer="mac")
    assert await first.letters() == [("claim", job)]
    assert await other.letters() == []


async def test_a_session_that_is_not_preferred_is_woken_when_its_turn_comes(driver: Driver) -> None:
    worker = await driver.worker()
    lane = await lane_of(driver, await driver.submit(prefer="mac"))
    await worker.claim()
    worker.prefers = {lane: 5_000}
    await worker.stand_by()
    await driver.submit(prefer="mac")
    assert (await worker.letters())[-1] == ("wake", "5000")


async def test_a_session_is_not_offered_lanes_it_does_not_name_any_more(driver: Driver) -> None:
    first = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    await worker.stand_by()
    await worker.sync(idle=True, lanes=[])
    job = await driver.submit()
    assert await worker.letters() == []
    assert await driver.state(job) == "RUNNABLE"
    assert first in worker.held


async def test_a_busy_session_is_offered_nothing(driver: Driver) -> None:
    await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    await worker.stand_by()
    await worker.sync(idle=False)
    await driver.submit()
    assert await worker.letters() == []


async def test_what_a_sync_frees_is_claimed_by_it_or_pushed_but_not_both(driver: Driver) -> None:
    first, second = await driver.batch({"limits": {"db": 1}}, {"limits": {"db": 1}})
    worker = await driver.worker(free={"c": 2_000})
    await worker.stand_by()
    reply = await worker.sync(done=[worker.outcome(first)], want=1, idle=True, free={"c": 1_000})
    assert [claim.job for claim in reply.claims] == [second]
    assert await worker.letters() == []


async def test_a_sync_that_crosses_a_push_does_not_get_its_room_again(driver: Driver) -> None:
    first = await driver.submit()
    worker = await driver.worker(free={"c": 2_000})
    await worker.claim()
    await worker.report(first)
    await worker.stand_by()
    _, *rest = await driver.batch({}, {}, {})
    assert (await driver.queues.stats())["jobs"]["RUNNABLE"] == 1
    reply = await worker.sync(full=False, held={}, free={"c": 2_000}, idle=True)
    assert reply.claims == []
    assert await driver.state(rest[-1]) == "RUNNABLE"
    for kind, job in await worker.letters():
        assert (kind, await driver.state(job)) == ("claim", "RUNNING")
    assert len(worker.held) == 2


async def test_a_new_lane_wakes_everybody(driver: Driver) -> None:
    worker = await driver.worker()
    await driver.submit()
    assert await worker.letters() == [("wake", "0")]


async def test_a_delay_that_ends_within_a_heartbeat_wakes_an_idle_session(driver: Driver) -> None:
    first = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    await worker.report(first)
    await worker.stand_by()
    await driver.submit(delay="3s")
    assert await worker.letters() == [("wake", "3000")]


async def test_a_deadline_within_a_heartbeat_wakes_one_session_once(driver: Driver) -> None:
    first, last = await driver.worker("first"), await driver.worker("last")
    await driver.queues.pause("night")
    await driver.submit(queue="night")
    for worker in (first, last):
        await worker.letters()
    await driver.advance(1)
    await last.sync()
    await driver.batch(*({"queue": "night", "deadline": f"{n}s"} for n in (10, 5, 7)))
    await driver.submit(queue="night", deadline="8s")
    await driver.submit(queue="night", deadline="1m")
    [(kind, wait)] = await last.letters()
    assert (kind, await first.letters()) == ("wake", [])
    assert 4_000 < int(wait) <= 5_000


async def test_a_session_comes_back_when_a_deadline_passes(driver: Driver) -> None:
    worker = await driver.worker()
    await driver.queues.pause("night")
    await driver.submit(queue="night", deadline="500ms")
    await driver.tick()
    assert (await worker.sync()).next_ms <= 500


async def test_nobody_wakes_for_the_deadline_of_what_has_started(driver: Driver) -> None:
    job = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    await worker.report(job)
    await worker.stand_by()
    pushed = await driver.submit(deadline="10s")
    assert await worker.letters() == [("claim", pushed)]
    assert (await worker.sync()).next_ms > 10_000


async def test_a_read_letter_is_trimmed_from_the_mailbox(driver: Driver) -> None:
    worker = await driver.worker()
    for queue in ("a", "b", "c"):
        await driver.submit(queue=queue)
    assert len(await worker.letters()) == 3
    await worker.sync(want=0)
    assert await driver.raw("XLEN", "@mb:" + worker.session) <= 1


async def test_a_lost_letter_is_healed_by_the_next_heartbeat(driver: Driver) -> None:
    first = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    await worker.report(first)
    await worker.stand_by()
    job = await driver.submit()
    await driver.raw("DEL", "@mb:" + worker.session)
    reply = await worker.sync()
    assert [(claim.job, claim.attempt) for claim in reply.claims] == [(job, 1)]


async def test_a_place_of_a_limit_goes_to_the_lane_that_waits_longest(driver: Driver) -> None:
    worker, other = await driver.worker("w"), await driver.worker("v")
    first = await driver.submit(limits={"l": 1})
    assert await worker.claim() == [first]
    second = await driver.submit(limits={"l": 1}, needs=["x"])
    third = await driver.submit(limits={"l": 1})
    assert await other.stand_by() == []
    await worker.report(first)
    assert ("claim", second) in await other.letters()
    await other.report(second)
    assert third in await other.claim()
