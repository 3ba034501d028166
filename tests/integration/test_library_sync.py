"""The heartbeat: claims, pushes, reports, reconciling, limits, rates, shares and preference."""

from __future__ import annotations

import pytest

from relayq.model.lifecycle import State
from relayq.store.records import Registration, Report
from tests.model.driver import Driver

MINUTE = 60_000


async def lane_of(driver: Driver, job: str) -> str:
    """The lane of a job."""
    return (await driver.record(job)).lane.id


# -- the order of claims


async def test_equal_jobs_are_claimed_in_the_order_they_came(driver: Driver) -> None:
    jobs = []
    for _ in range(5):
        jobs.append(await driver.submit())
        await driver.advance(1, tick=False)
    assert await (await driver.worker()).claim() == jobs


async def test_jobs_of_a_batch_are_claimed_in_its_order(driver: Driver) -> None:
    jobs = await driver.batch(*({} for _ in range(200)))
    worker = await driver.worker(free={"c": 200_000})
    assert await worker.claim(want=200) == jobs


async def test_a_step_of_priority_is_worth_ten_minutes_of_waiting(driver: Driver) -> None:
    old = await driver.submit()
    await driver.advance(9 * MINUTE)
    urgent = await driver.submit(priority=1)
    await driver.advance(10 * MINUTE)
    newer = await driver.submit(priority=1)
    assert await (await driver.worker()).claim() == [urgent, old, newer]


async def test_the_best_head_of_all_lanes_comes_first(driver: Driver) -> None:
    low, high = await driver.submit(queue="a"), await driver.submit(queue="b", priority=5)
    assert await (await driver.worker()).claim() == [high, low]


async def test_no_more_is_claimed_than_wanted_or_than_fits(driver: Driver) -> None:
    await driver.batch(*({} for _ in range(5)))
    small = await driver.worker("small", free={"c": 2_500})
    assert len(await small.claim()) == 2
    assert len(await (await driver.worker("large")).claim(want=1)) == 1


async def test_a_paused_queue_starts_nothing_until_it_is_resumed(driver: Driver) -> None:
    job, other = await driver.batch({"queue": "a"}, {"queue": "b"})
    await driver.queues.pause("a")
    worker = await driver.worker()
    assert await worker.stand_by() == [other]
    assert [queue.paused for queue in await driver.queues.list()] == [True, False]
    await driver.queues.resume("a")
    assert await worker.letters() == [("claim", job)]


async def test_nothing_is_pushed_from_a_paused_queue(driver: Driver) -> None:
    first = await driver.submit()
    worker = await driver.worker()
    assert await worker.stand_by() == [first]
    await driver.queues.pause("default")
    job = await driver.submit()
    assert await worker.letters() == []
    assert await driver.state(job) == "RUNNABLE"


async def test_a_queue_of_more_weight_ages_faster(driver: Driver) -> None:
    light = await driver.submit(queue="light")
    await driver.advance(MINUTE)
    heavy = await driver.submit(queue="heavy")
    await driver.advance(MINUTE)
    await driver.queues.weight("heavy", 3)
    assert await (await driver.worker()).claim() == [heavy, light]


async def test_shares_take_turns_when_several_stand_in_line(driver: Driver) -> None:
    for share in ("a", "b"):
        await driver.batch(*({"share": share} for _ in range(3)))
    worker = await driver.worker()
    shares = {await lane_of(driver, job): job for job in await worker.claim(want=2)}
    assert len(shares) == 2


async def test_a_share_that_used_much_waits_for_one_that_used_little(driver: Driver) -> None:
    greedy = await driver.submit(share="greedy")
    worker = await driver.worker()
    await worker.claim()
    await worker.report(greedy, run_ms=MINUTE)
    await driver.submit(share="greedy")
    modest = [await driver.submit(share="modest") for _ in range(3)]
    assert await worker.claim(want=3) == modest


async def test_a_head_is_left_to_those_it_prefers_for_a_while(driver: Driver) -> None:
    job = await driver.submit(prefer="mac", prefer_wait="5s")
    worker = await driver.worker()
    worker.prefers = {await lane_of(driver, job): 5_000}
    reply = await worker.sync()
    assert reply.claims == [] and 4_000 < reply.next_ms <= 5_000
    await driver.advance(5_000)
    assert await worker.claim() == [job]


async def test_a_wide_job_that_waits_too_long_is_named(driver: Driver) -> None:
    wide = await driver.submit(needs="cpus=8")
    await driver.advance(3 * MINUTE)
    small = await driver.submit()
    worker = await driver.worker()
    wide_lane, small_lane = await lane_of(driver, wide), await lane_of(driver, small)
    reply = await worker.sync(lanes=[(small_lane, {"c": 1000})], empty_lanes=[wide_lane])
    assert [claim.job for claim in reply.claims] == [small]
    assert reply.wide is not None and reply.wide[0] == wide_lane
    fresh = await worker.sync(lanes=[], empty_lanes=[small_lane])
    assert fresh.wide is None


# -- limits and rates


async def test_a_limit_is_never_exceeded_and_a_place_is_offered_at_once(driver: Driver) -> None:
    jobs = await driver.batch(*({"limits": {"db": 2}} for _ in range(3)))
    busy, idle = await driver.worker("busy"), await driver.worker("idle")
    first = await busy.claim()
    assert len(first) == 2
    assert await idle.stand_by() == []
    await busy.report(first[0])
    assert await idle.letters() == [("claim", (set(jobs) - set(first)).pop())]


async def test_a_limit_reaches_across_lanes(driver: Driver) -> None:
    spec = {"limits": {"db": 1}, "attempts": 2}
    one, other = await driver.batch(dict(spec), {**spec, "queue": "b"})
    busy, idle = await driver.worker("busy"), await driver.worker("idle")
    assert len(await busy.claim()) == 1
    assert await idle.stand_by() == []
    running = next(iter(busy.held))
    await busy.report(running, "failed", retry=True, backoff_ms=1000, backoff_cap_ms=1000)
    assert (await driver.record(running)).state is not State.FAILED
    assert ("claim", other if running == one else one) in await idle.letters()


@pytest.mark.parametrize("outcome", ["ok", "failed", "cancelled", "handback", "refused", "lost"])
async def test_a_limit_is_given_back_however_the_attempt_ends(driver: Driver, outcome: str) -> None:
    job = await driver.submit(limits={"db": 1})
    worker = await driver.worker()
    await worker.claim()
    assert await driver.raw("SMEMBERS", "@lim:db") == [job.encode()]
    await worker.report(job, outcome)
    assert await driver.raw("SCARD", "@lim:db") == 0


async def test_a_rate_lets_a_burst_through_and_then_one_by_one(driver: Driver) -> None:
    await driver.batch(*({"rates": {"api": "3/1m"}} for _ in range(5)))
    worker = await driver.worker()
    assert len(await worker.claim()) == 3
    reply = await worker.sync()
    assert reply.claims == [] and 19_000 < reply.next_ms <= 20_000
    await driver.advance(20_000)
    assert len(await worker.claim()) == 1
    await driver.advance(19_000)
    assert (await worker.sync()).next_ms <= 1_000


async def test_an_idle_worker_is_awake_when_the_rate_allows_the_next(driver: Driver) -> None:
    first = await driver.submit(rates={"api": "1/10s"})
    worker = await driver.worker()
    assert await worker.stand_by() == [first]
    await worker.report(first)
    await worker.stand_by()
    await driver.submit(rates={"api": "1/10s"})
    ((kind, delay),) = await worker.letters()
    assert kind == "wake" and 0 < int(delay) <= 10_000


# -- reconciling


async def test_a_claim_whose_reply_was_lost_is_sent_again(driver: Driver) -> None:
    job = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    again = await worker.sync(held={})
    assert [(claim.job, claim.attempt) for claim in again.claims] == [(job, 1)]
    assert (await driver.record(job)).attempt == 1


async def test_what_is_no_longer_the_sessions_own_is_named(driver: Driver) -> None:
    worker = await driver.worker()
    job = await driver.submit()
    stranger = await driver.worker("stranger")
    await stranger.claim()
    reply = await worker.sync(held={job: 1, "0000000000000000": 3})
    assert sorted(reply.gone) == sorted([job, "0000000000000000"])


async def test_an_unknown_session_must_register(driver: Driver) -> None:
    worker = await driver.worker()
    worker.session = "w#other"
    assert (await worker.sync()).session_known is False


async def test_a_sync_that_is_sent_twice_counts_once(driver: Driver) -> None:
    job = await driver.submit(attempts=3)
    worker = await driver.worker()
    await worker.claim()
    report = worker.outcome(job, "failed", retry=True)
    first = await worker.sync(done=[report], want=0)
    second = await worker.sync(done=[report], want=0)
    assert (first.reports, second.reports) == ({job: "ok"}, {job: "dup"})
    assert (await driver.record(job)).attempt == 1
    assert await driver.state(job) == "RUNNABLE"


# -- workers


async def test_a_name_belongs_to_one_live_session(driver: Driver) -> None:
    from relayq.errors import WorkerError

    await driver.worker("mac")
    with pytest.raises(WorkerError, match="alive"):
        await (await driver.worker("other")).register(name="mac")


async def test_a_name_is_free_when_its_session_has_gone(driver: Driver) -> None:
    await driver.worker("mac")
    await driver.advance(MINUTE + 1)
    stranger = await driver.worker("other")
    stranger.name, stranger.instance, stranger.session = "mac", "another machine", "mac#1"
    await stranger.register()
    assert [worker.session for worker in await driver.workers.list() if worker.name == "mac"] == ["mac#1"]


async def test_workers_are_shown_with_what_they_told(driver: Driver) -> None:
    job = await driver.submit()
    worker = await driver.worker()
    lane = await lane_of(driver, job)
    await worker.register(offer={"cpus": 4}, facts={"os": "linux"})
    await worker.sync(unserved={lane: "has no gpu"}, facts={"os": "linux", "load": "1"})
    (shown,) = await driver.workers.list()
    assert (shown.name, shown.online, shown.running) == ("w", True, {job: 1})
    assert (shown.offer, shown.facts["load"], shown.unserved) == ({"cpus": 4}, "1", {lane: "has no gpu"})


async def test_workers_that_have_gone_are_shown_with_when_they_were_heard_of_last(driver: Driver) -> None:
    left, lost = await driver.worker("left"), await driver.worker("lost")
    now_ms = (await left.sync()).now_ms
    await left.leave()
    await lost.sync()
    await driver.advance(60 * MINUTE)
    seen = {one.name: (one.online, one.seen_ms - now_ms) for one in await driver.workers.list()}
    assert {name: online for name, (online, _) in seen.items()} == {"left": False, "lost": False}
    assert all(0 <= after_ms < MINUTE for _, after_ms in seen.values())


@pytest.mark.parametrize("word", ["quiet", "stop", "kill"])
async def test_a_worker_that_was_told_to_end_takes_nothing_more(driver: Driver, word: str) -> None:
    await driver.submit()
    worker = await driver.worker()
    assert await driver.workers.command("w", word)
    reply = await worker.sync(idle=True)
    assert (reply.command, reply.claims) == (word, [])
    assert ("wake", "0") not in await worker.letters()
    await driver.workers.command("w", "resume")
    assert len(await worker.claim()) == 1


async def test_nobody_is_told_where_no_worker_has_the_name(driver: Driver) -> None:
    assert not await driver.workers.command("nobody", "stop")


async def test_a_session_that_was_silent_for_two_weeks_is_forgotten(driver: Driver) -> None:
    worker = await driver.worker()
    await worker.stand_by()
    await driver.advance(MINUTE + 1)
    assert [shown.online for shown in await driver.workers.list()] == [False]
    await driver.advance(15 * 24 * 60 * MINUTE)
    assert await driver.workers.list() == []
    assert await driver.raw("KEYS", f"@*{worker.session}*") == []


async def test_progress_is_shown_while_it_runs(driver: Driver) -> None:
    job = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    await worker.sync(progress=[(job, 40.5, "x" * 9000)])
    record = await driver.record(job)
    assert (record.progress, record.message) == (40.5, "x" * 8192)


async def test_registering_twice_changes_nothing(driver: Driver) -> None:
    job = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    assert (await worker.register()).adopted == [job]
    assert (await worker.register()).adopted == [job]
    assert await worker.report(job) == "ok"


async def test_a_registration_tells_lanes_epoch_and_time(driver: Driver) -> None:
    await driver.submit(queue="a")
    who = Registration(name="n", session="n#1", instance="i", offer={}, facts={}, held={})
    first = await driver.workers.register(who)
    assert [lane.queue for lane in first.lanes.values()] == ["a"]
    assert first.epoch and first.epoch == (await driver.workers.register(who)).epoch
    assert first.now_ms == pytest.approx((await driver.queues.stats())["now_ms"], abs=5_000)


async def test_a_result_comes_back_byte_for_byte(driver: Driver) -> None:
    job, other = await driver.batch({}, {})
    worker = await driver.worker()
    await worker.claim()
    data = bytes(range(256))
    done = [Report(job=other, attempt=1, outcome="ok"), Report(job=job, attempt=1, outcome="ok", result=data)]
    await worker.sync(done=done, want=0)
    assert (await driver.record(job)).result == data
    assert (await driver.record(other)).result == b""
