"""What `submit` takes, refuses and remembers: words, unique keys, dependencies, the full hub."""

from __future__ import annotations

import pytest

from relayq.errors import HubFull, HubSchema, SpecError
from relayq.model.ids import new_id
from relayq.trust.envelope import name_of
from tests.model.driver import Driver, submission

HOUR = 3_600_000


async def test_a_job_submitted_twice_is_there_once(driver: Driver) -> None:
    job = await driver.submit()
    assert await driver.word(job) == "dup"
    assert (await driver.queues.stats())["jobs"]["RUNNABLE"] == 1


async def test_an_id_that_stands_twice_in_a_batch_is_taken_once(driver: Driver) -> None:
    item = submission(new_id(), {})
    assert await driver.jobs.submit([item, item]) == ["new", "dup"]
    assert (await driver.queues.stats())["jobs"]["RUNNABLE"] == 1


async def test_the_envelope_comes_back_as_it_was_sent(driver: Driver) -> None:
    job = await driver.submit()
    assert (await driver.record(job)).envelope == f"envelope of {job}".encode()


async def test_a_job_in_an_unknown_lane_is_refused(driver: Driver) -> None:
    item = submission(new_id(), {})
    request = {"jobs": [item.routing], "lanes": {}}
    assert await driver.hub.run("submit", request, b"", item.envelope) == [b"bad:its lane is unknown"]
    assert await driver.jobs.list_jobs() == []


async def test_a_lane_that_only_a_refused_job_needed_is_not_kept(driver: Driver) -> None:
    assert (await driver.word(queue="q", after=[{"job": new_id()}])).startswith("bad:there is no job")
    assert (await driver.queues.stats())["lanes"] == []


async def test_a_delayed_job_waits_until_it_is_due(driver: Driver) -> None:
    job = await driver.submit(delay="30s")
    assert await driver.state(job) == "PENDING delay"
    await driver.advance(29_000)
    assert await driver.state(job) == "PENDING delay"
    await driver.advance(1_001)
    assert await driver.state(job) == "RUNNABLE"


async def test_a_job_may_wait_for_a_time_of_day(driver: Driver) -> None:
    now_ms = (await driver.queues.stats())["now_ms"]
    job = await driver.submit(at=(now_ms + HOUR) / 1000)
    assert await driver.state(job) == "PENDING delay"
    await driver.advance(HOUR)
    assert await driver.state(job) == "RUNNABLE"


async def test_a_hub_that_has_gone_on_to_another_schema_takes_no_jobs(driver: Driver) -> None:
    await driver.raw("HSET", "@cfg", "schema", 2)
    with pytest.raises(HubSchema, match="schema 2 and this RelayQ schema 1"):
        await driver.word()
    assert (await driver.queues.stats())["jobs"]["RUNNABLE"] == 0


async def test_a_due_job_does_not_wait_for_the_next_tick(driver: Driver) -> None:
    worker = await driver.worker()
    job = await driver.submit(delay="300ms")
    await driver.tick()
    assert (await worker.sync(want=1)).next_ms <= 300
    await driver.advance(300, tick=False)
    assert await worker.claim() == [job]


async def test_a_job_that_nobody_started_before_its_deadline_expires(driver: Driver) -> None:
    job, started = await driver.batch({"deadline": "30s"}, {"deadline": "30s", "priority": 1})
    worker = await driver.worker()
    assert await worker.claim(want=1) == [started]
    await driver.advance(30_000)
    assert await driver.state(job) == "EXPIRED deadline"
    assert await driver.state(started) == "RUNNING"


@pytest.mark.parametrize("freed_by", ["resume", "release", "dependency", "delay", "claim"])
async def test_nothing_starts_after_its_deadline_whatever_lets_it_go(driver: Driver, freed_by: str) -> None:
    queues, worker, before = driver.queues, await driver.worker(), await driver.submit()
    assert await worker.claim(want=1) == [before]
    await queues.pause("night")
    wish: dict[str, object] = {"deadline": "30s", "queue": "night" if freed_by == "resume" else "default"}
    wish |= {"dependency": {"after": [before]}, "delay": {"delay": "30s"}}.get(freed_by, {})
    job = await driver.submit(**wish)
    if freed_by in ("release", "claim"):
        await driver.jobs.hold(job)
    if freed_by != "claim":
        await worker.stand_by()
    await driver.advance(29_800)
    if freed_by == "claim":
        await driver.jobs.release(job)
    await driver.advance(400, tick=False)
    match freed_by:
        case "resume":
            await queues.resume("night")
        case "release":
            await driver.jobs.release(job)
        case "dependency":
            await worker.report(before)
        case _:
            await worker.sync(want=16)
    assert await driver.state(job) == "EXPIRED deadline"


async def test_a_job_that_was_started_and_handed_back_does_not_expire(driver: Driver) -> None:
    job = await driver.submit(deadline="30s")
    worker, other = await driver.worker(), await driver.worker("other")
    await worker.claim()
    await driver.advance(29_000)
    await worker.report(job, "handback")
    await driver.advance(1_000)
    assert await driver.state(job) == "RUNNABLE"
    assert await worker.claim() == [job]
    await other.stand_by()
    await worker.report(job, "handback")
    assert await other.letters() == [("claim", job)]


# -- unique keys


async def test_a_key_is_taken_until_the_job_is_done(driver: Driver) -> None:
    job = await driver.submit(unique="k")
    worker = await driver.worker()
    await worker.claim()
    assert await driver.word(unique="k") == f"unique:{job}"
    await worker.report(job)
    assert await driver.word(unique="k") == "new"


async def test_two_jobs_of_a_batch_cannot_share_a_key(driver: Driver) -> None:
    first, second = new_id(), new_id()
    items = [submission(first, {"unique": "k"}), submission(second, {"unique": "k"})]
    assert await driver.jobs.submit(items) == ["new", f"unique:{first}"]


async def test_a_key_of_a_queued_job_is_free_when_it_starts(driver: Driver) -> None:
    job = await driver.submit(unique={"key": "k", "mode": "queued"})
    assert await driver.word(unique={"key": "k", "mode": "queued"}) == f"unique:{job}"
    await (await driver.worker()).claim()
    assert await driver.word(unique={"key": "k", "mode": "queued"}) == "new"


async def test_a_key_with_a_window_is_taken_for_that_long_even_when_the_job_is_done(driver: Driver) -> None:
    unique = {"key": "k", "window": "1h"}
    job = await driver.submit(unique=unique)
    worker = await driver.worker()
    await worker.claim()
    await worker.report(job)
    assert await driver.word(unique=unique) == f"unique:{job}"
    await driver.advance(HOUR)
    assert await driver.word(unique=unique) == "new"


async def test_a_new_job_replaces_the_one_that_has_not_started(driver: Driver) -> None:
    unique = {"key": "k", "mode": "replace"}
    old, new = await driver.submit(unique=unique), new_id()
    assert await driver.word(new, unique=unique) == f"replaced:{old}"
    assert await driver.state(old) == "CANCELLED replaced"
    await (await driver.worker()).claim()
    assert await driver.word(unique=unique) == f"unique:{new}"


async def test_an_array_that_has_begun_is_not_replaced(driver: Driver) -> None:
    unique = {"key": "k", "mode": "replace"}
    array = await driver.submit(array=3, unique=unique)
    await (await driver.worker()).claim(want=1)
    assert await driver.word(unique=unique) == f"unique:{array}"


async def test_a_finished_job_runs_again_within_its_own_window(driver: Driver) -> None:
    job = await driver.submit(unique={"key": "k", "window": "1h"})
    await driver.jobs.cancel(job)
    assert await driver.jobs.retry(job, b"op") == "retried"
    await driver.jobs.cancel(job)
    await driver.advance(HOUR)
    assert await driver.word(unique={"key": "k", "window": "1h"}) == "new"


async def test_a_finished_job_does_not_run_again_beside_another_with_its_key(driver: Driver) -> None:
    job = await driver.submit(unique="k")
    await driver.jobs.cancel(job)
    other = await driver.submit(unique="k")
    assert await driver.jobs.retry(job, b"op") == f"unique:{other}"
    await driver.jobs.cancel(other)
    assert await driver.jobs.retry(job, b"op") == "retried"
    assert await driver.word(unique="k") == f"unique:{job}"


# -- dependencies


@pytest.mark.parametrize(
    ("on", "outcome", "state"),
    [
        ("ok", "ok", "RUNNABLE"),
        ("ok", "failed", "SKIPPED dependency"),
        ("any", "ok", "RUNNABLE"),
        ("any", "failed", "RUNNABLE"),
        ("failed", "failed", "RUNNABLE"),
        ("failed", "ok", "SKIPPED dependency"),
        ("failed", "cancelled", "SKIPPED dependency"),
        ("any", "cancelled", "RUNNABLE"),
    ],
)
@pytest.mark.parametrize("when", ["before", "in its batch", "after"])
async def test_a_job_starts_when_what_it_waits_for_did_what_was_needed(
    driver: Driver, on: str, outcome: str, state: str, when: str
) -> None:
    first, second = new_id(), new_id()
    waiting = {"after": [{"job": first, "on": on}]}
    if when == "in its batch":
        await driver.batch({"id": first}, {"id": second, **waiting})
    else:
        await driver.submit(first)
    if when == "before":
        await driver.submit(second, **waiting)
    worker = await driver.worker()
    assert await worker.claim() == [first]
    await worker.report(first, outcome)
    if when == "after":
        await driver.submit(second, **waiting)
    assert await driver.state(second) == state


async def test_a_job_waits_for_all_its_dependencies(driver: Driver) -> None:
    a, b = await driver.batch({}, {})
    job = await driver.submit(after=[{"job": a}, {"job": b}])
    worker = await driver.worker()
    await worker.claim()
    await worker.report(a)
    assert await driver.state(job) == "PENDING dependency"
    await worker.report(b)
    assert await driver.state(job) == "RUNNABLE"


async def test_an_element_cannot_be_waited_for(driver: Driver) -> None:
    array = await driver.submit(array=2)
    await (await driver.worker()).claim()
    assert "no whole job" in await driver.word(after=[{"job": f"{array}:0"}])


async def test_an_id_that_is_none_is_refused(driver: Driver) -> None:
    assert await driver.word("a b:c*") == "bad:its id is none"


async def test_a_failure_skips_every_descendant_whatever_the_path(driver: Driver) -> None:
    a = await driver.submit()
    chain = [a]
    for _ in range(5):
        chain.append(await driver.submit(after=[{"job": chain[-1]}]))
    both = await driver.submit(after=[{"job": chain[-1]}, {"job": a, "on": "failed"}])
    worker = await driver.worker()
    await worker.claim()
    await worker.report(a, "failed")
    assert {await driver.state(job) for job in [*chain[1:], both]} == {"SKIPPED dependency"}


async def test_more_dependents_than_one_call_tells_are_told_by_housekeeping(driver: Driver) -> None:
    root = await driver.submit()
    for _ in range(3):
        await driver.batch(*({"after": [{"job": root}]} for _ in range(400)))
    worker = await driver.worker()
    await worker.claim(want=1)
    await worker.report(root)
    assert (await driver.queues.stats())["jobs"]["PENDING"] == 700
    assert (await worker.sync(want=0)).next_ms <= 1000
    await driver.advance(1000)
    await driver.advance(1000)
    assert (await driver.queues.stats())["jobs"]["PENDING"] == 0
    assert await driver.raw("EXISTS", "@fan", "@dep:" + root) == 0


async def test_one_worker_comes_back_at_once_until_all_dependents_are_told(driver: Driver) -> None:
    root = await driver.submit()
    for _ in range(8):
        await driver.batch(*({"after": [{"job": root}]} for _ in range(500)))
    worker, other = await driver.worker(), await driver.worker("other")
    assert await worker.claim(want=1) == [root]
    await driver.tick()
    assert (await worker.sync(done=[worker.outcome(root)], want=0)).next_ms <= 25
    waits: dict[str, list[int]] = {"w": [], "other": []}
    for _ in range(6):
        await driver.advance(25, tick=False)
        for one in (worker, other):
            waits[one.name].append((await one.sync(want=0)).next_ms)
    assert min(waits["w"]) <= 25
    assert max(waits["other"]) >= 1_000
    assert (await driver.queues.stats())["jobs"]["PENDING"] <= 2_500
    while await driver.raw("EXISTS", "@fan"):
        await driver.advance(25, tick=False)
        await worker.sync(want=0)
    assert (await worker.sync(want=0)).next_ms > 1_000
    assert (await driver.queues.stats())["jobs"]["RUNNABLE"] == 4_000


async def test_dependents_hear_how_the_job_ended_even_if_it_runs_again_meanwhile(driver: Driver) -> None:
    root = await driver.submit()
    for _ in range(3):
        await driver.batch(*({"after": [{"job": root}]} for _ in range(500)))
    late = await driver.submit(after=[{"job": root}])
    worker = await driver.worker()
    await worker.claim(want=1)
    await worker.report(root)
    await driver.jobs.retry(root, b"op")
    new = await driver.submit(after=[{"job": root, "on": "failed"}])
    assert await driver.state(late) == "PENDING dependency"
    await driver.advance(1000)
    await driver.advance(1000)
    assert await driver.state(late) == "RUNNABLE"
    assert await driver.state(new) == "PENDING dependency"
    await driver.jobs.cancel(root)
    assert await driver.state(new) == "SKIPPED dependency"
    assert await driver.raw("EXISTS", "@fan", "@dep:" + root) == 0


async def test_dependents_are_told_before_a_finished_job_is_forgotten(driver: Driver) -> None:
    await driver.raw("HSET", "@cfg", "keep_bytes", "0")
    root = await driver.submit()
    await driver.batch(*({"after": [{"job": root}]} for _ in range(500)))
    late = await driver.submit(after=[{"job": root}])
    worker = await driver.worker()
    await worker.claim(want=1)
    await worker.report(root)
    for _ in range(3):
        await driver.advance(1000)
    assert await driver.state(late) == "RUNNABLE"
    assert await driver.jobs.record(root) is None


async def test_a_job_told_to_run_anyway_is_not_skipped_afterwards(driver: Driver) -> None:
    root = await driver.submit()
    job = await driver.submit(after=[{"job": root}])
    await driver.jobs.cancel(job)
    await driver.jobs.retry(job, b"op")
    await driver.jobs.hold(job)
    await driver.jobs.cancel(root)
    assert await driver.state(job) == "PENDING held"


# -- room


async def test_a_full_hub_takes_nothing_and_says_so(driver: Driver) -> None:
    await driver.submit()
    await driver.raw("HSET", "@cfg", "used", 90, "maxmemory", 100)
    with pytest.raises(HubFull):
        await driver.batch({}, {})
    assert len(await driver.jobs.list_jobs()) == 1


async def test_more_than_512_lanes_are_refused_whole(driver: Driver) -> None:
    for start in (0, 256):
        await driver.batch(*({"queue": f"q{start + n}"} for n in range(256)))
    with pytest.raises(SpecError):
        await driver.batch({}, {"queue": "one-too-many"})
    assert await driver.word(queue="q7") == "new"


async def test_a_lane_is_forgotten_after_an_idle_hour(driver: Driver) -> None:
    job, _ = await driver.batch({"queue": "a"}, {"queue": "b"})
    await driver.jobs.cancel(job)
    version = (await driver.workers.lanes())[0]
    await driver.advance(HOUR + 1)
    found, lanes = await driver.workers.lanes()
    assert [lane.queue for lane in lanes.values()] == ["b"]
    assert found > version


async def test_a_job_whose_lane_was_forgotten_waits_for_room_among_512(driver: Driver) -> None:
    job = await driver.submit(queue="a")
    await driver.jobs.cancel(job)
    await driver.advance(HOUR + 1)
    for start in (0, 256):
        await driver.batch(*({"queue": f"q{start + i}"} for i in range(256)))
    assert await driver.jobs.retry(job, b"op") == "lanes"
    assert await driver.state(job) == "CANCELLED cancelled"


async def test_a_job_whose_lane_was_forgotten_runs_again_in_that_lane(driver: Driver) -> None:
    job = await driver.submit(queue="a", limits={"x": 1})
    await driver.jobs.cancel(job)
    await driver.advance(HOUR + 1)
    assert (await driver.record(job)).lane.queue == "a"
    assert await driver.jobs.retry(job, b"op") == "retried"
    worker = await driver.worker()
    assert await worker.claim() == [job]
    assert worker.lanes[worker.claims[job].lane].limits == (("x", 1),)


async def test_a_batch_record_stays_as_long_as_its_jobs(driver: Driver) -> None:
    record = b"signed list"
    jobs = [new_id(), new_id()]
    items = [submission(job, {}) for job in jobs]
    digest = name_of(record)
    signed = [
        type(item)(routing=item.routing, lane=item.lane, envelope=f"1 batch {digest} {n}\n".encode())
        for n, item in enumerate(items)
    ]
    await driver.jobs.submit(signed, record=record)
    assert await driver.workers.batch_record(digest) == record
    await driver.raw("HSET", "@cfg", "keep_bytes", "0")
    await driver.jobs.cancel(jobs[0])
    await driver.advance(1000)
    assert await driver.workers.batch_record(digest) == record
    await driver.jobs.cancel(jobs[1])
    await driver.advance(1000)
    assert await driver.raw("EXISTS", "@bt:" + digest, "@btn") == 0
