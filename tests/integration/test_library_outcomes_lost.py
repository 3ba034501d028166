"""Lost sessions and what comes back: grace, crashes, adoption, late results."""

from __future__ import annotations

import pytest

from relayq.model.lifecycle import CRASH_LIMIT, State
from relayq.store.records import LogChunk
from tests.model.driver import Driver, running

MINUTE = 60_000


async def lose(driver: Driver) -> None:
    """The lease runs out, and then the shortest grace."""
    await driver.advance(MINUTE)
    await driver.advance(MINUTE + 1_000)


# -- lost sessions


async def test_a_session_that_is_silent_for_a_lease_makes_its_jobs_unreachable(driver: Driver) -> None:
    job, worker = await running(driver)
    await driver.advance(MINUTE - 1_000)
    assert await driver.state(job) == "RUNNING"
    await worker.sync()
    await driver.advance(MINUTE - 1_000)
    assert await driver.state(job) == "RUNNING"
    await driver.advance(2_000)
    assert await driver.state(job) == "UNREACHABLE"


@pytest.mark.parametrize(("ran", "grace"), [(0, 1), (3, 4), (30, 10)])
async def test_the_grace_is_as_long_as_the_job_ran_within_bounds(
    driver: Driver, ran: int, grace: int
) -> None:
    job, worker = await running(driver)
    for _ in range(ran):
        await driver.advance(MINUTE - 1_000)
        await worker.sync()
    await driver.advance(MINUTE)
    await driver.advance(grace * MINUTE - 5_000)
    assert await driver.state(job) == "UNREACHABLE"
    await driver.advance(6_000)
    assert await driver.state(job) == "RUNNABLE"


async def test_a_spec_may_set_the_grace(driver: Driver) -> None:
    job, _ = await running(driver, grace="2h")
    await driver.advance(MINUTE)
    await driver.advance(119 * MINUTE)
    assert await driver.state(job) == "UNREACHABLE"
    await driver.advance(MINUTE + 1_000)
    assert await driver.state(job) == "RUNNABLE"


@pytest.mark.parametrize(
    ("on_lost", "state"), [("retry", "RUNNABLE"), ("hold", "PENDING held"), ("fail", "FAILED lost")]
)
async def test_what_happens_to_a_lost_job_is_the_specs_to_say(
    driver: Driver, on_lost: str, state: str
) -> None:
    job, _ = await running(driver, on_lost=on_lost)
    await lose(driver)
    assert await driver.state(job) == state
    assert (await driver.record(job)).crashes == 1


async def test_a_crash_does_not_use_up_an_attempt(driver: Driver) -> None:
    job, _ = await running(driver, attempts=2)
    await lose(driver)
    worker = await driver.worker("next")
    assert await worker.claim() == [job]
    assert worker.claims[job].crashes == 1
    await worker.report(job, "failed", retry=True)
    assert await driver.state(job) == "RUNNABLE"
    await worker.claim()
    await worker.report(job, "failed", retry=True)
    assert await driver.state(job) == "FAILED exit"


async def test_a_job_that_kills_its_workers_is_given_up(driver: Driver) -> None:
    job = await driver.submit()
    for n in range(CRASH_LIMIT):
        assert await (await driver.worker(f"w{n}")).claim() == [job]
        await lose(driver)
    assert await driver.state(job) == "FAILED crash_limit"
    assert (await driver.record(job)).crashes == CRASH_LIMIT


async def test_an_attempt_the_worker_knows_to_be_lost_counts_as_a_crash(driver: Driver) -> None:
    job, worker = await running(driver, attempts=1, on_lost="hold")
    await worker.report(job, "lost", reason="machine_lost")
    assert await driver.state(job) == "PENDING held"
    assert (await driver.record(job)).crashes == 1


# -- coming back


async def test_a_session_that_comes_back_in_its_grace_has_its_job_back(driver: Driver) -> None:
    job, worker = await running(driver)
    await driver.advance(MINUTE)
    assert await driver.state(job) == "UNREACHABLE"
    assert (await worker.sync()).session_known is False
    assert (await worker.register()).adopted == [job]
    assert await driver.state(job) == "RUNNING"
    assert await worker.report(job) == "ok"
    assert (await driver.record(job)).crashes == 0


async def test_a_session_that_comes_back_too_late_has_its_job_back_if_nobody_took_it(driver: Driver) -> None:
    job, worker = await running(driver, limits={"db": 1})
    await lose(driver)
    assert await driver.state(job) == "RUNNABLE"
    assert (await worker.register()).adopted == [job]
    record = await driver.record(job)
    assert (record.state, record.attempt, record.crashes) == (State.RUNNING, 1, 0)
    assert [a.number for a in record.attempts] == [1]


async def test_a_held_job_whose_worker_comes_back_runs_on(driver: Driver) -> None:
    job, worker = await running(driver, on_lost="hold")
    await lose(driver)
    assert (await worker.register()).adopted == [job]
    await worker.report(job, "handback")
    assert await driver.state(job) == "RUNNABLE"


async def test_a_job_that_somebody_else_started_is_not_given_back(driver: Driver) -> None:
    job, worker = await running(driver)
    await lose(driver)
    other = await driver.worker("other")
    assert await other.claim() == [job]
    welcome = await worker.register()
    assert (welcome.adopted, welcome.gone) == ([], [job])
    assert await worker.report(job, "ok", attempt=1) == "stale"
    assert await other.report(job) == "ok"


async def test_a_job_is_not_given_back_beyond_its_limit(driver: Driver) -> None:
    lost, worker = await running(driver, limits={"db": 1})
    await lose(driver)
    await driver.submit(limits={"db": 1}, priority=1)
    await (await driver.worker("other")).claim(want=1)
    assert (await worker.register()).gone == [lost]


async def test_a_rate_does_not_keep_a_worker_from_its_own_job(driver: Driver) -> None:
    job, worker = await running(driver, rates={"api": "1/1h"})
    await lose(driver)
    assert (await worker.register()).adopted == [job]


async def test_a_late_success_is_accepted_while_nobody_has_started_another_attempt(driver: Driver) -> None:
    job, worker = await running(driver)
    await lose(driver)
    await worker.register(held={})
    assert await driver.state(job) == "RUNNABLE"
    assert await worker.report(job, "ok", attempt=1) == "late"
    record = await driver.record(job)
    assert record.state is State.SUCCEEDED
    assert [a.number for a in record.attempts] == [1]


async def test_a_late_success_counts_even_when_the_job_was_given_up(driver: Driver) -> None:
    job, worker = await running(driver, on_lost="fail")
    after = await driver.submit(after=[{"job": job, "on": "failed"}])
    await driver.logs.watch(job)
    await lose(driver)
    assert await driver.state(job) == "FAILED lost"
    again = worker.restarted()
    assert (await again.register()).gone == [job]
    assert await again.report(job, "failed", attempt=1) == "stale"
    assert await again.report(job, "ok", attempt=1, result=b"done") == "late"
    assert await again.report(job, "ok", attempt=1) == "dup"
    record = await driver.record(job)
    assert (record.state, record.result, record.exit_code) == (State.SUCCEEDED, b"done", 0)
    assert [entry.state for entry in await driver.logs.follow(job)] == [State.SUCCEEDED]
    assert await driver.state(after) == "RUNNABLE"


async def test_a_stranger_cannot_undo_a_loss(driver: Driver) -> None:
    job, _ = await running(driver, on_lost="fail")
    await lose(driver)
    stranger = await driver.worker("stranger")
    assert await stranger.report(job, "ok", attempt=1) == "stale"
    assert await driver.state(job) == "FAILED lost"


async def test_a_late_failure_does_not_count(driver: Driver) -> None:
    job, worker = await running(driver)
    await lose(driver)
    await worker.register(held={})
    assert await worker.report(job, "failed", attempt=1) == "dup"
    assert await driver.state(job) == "RUNNABLE"


async def test_a_result_that_arrives_in_the_grace_is_accepted(driver: Driver) -> None:
    job, worker = await running(driver)
    await driver.advance(MINUTE)
    await worker.register(held={})
    assert await driver.state(job) == "UNREACHABLE"
    assert await worker.report(job, "failed", attempt=1) == "late"
    assert await driver.state(job) == "FAILED exit"


async def test_a_restarted_worker_takes_over_what_it_still_runs(driver: Driver) -> None:
    kept, gone = await driver.batch({}, {})
    worker = await driver.worker()
    await worker.claim()
    again = worker.restarted()
    del again.held[gone]
    assert (await again.register()).adopted == [kept]
    assert await driver.state(kept) == "RUNNING"
    assert await driver.state(gone) == "RUNNABLE"
    assert await worker.report(kept, "ok", attempt=1) if (await worker.sync()).session_known else True
    assert await again.report(kept) == "ok"


async def test_a_worker_that_leaves_finds_its_jobs_when_it_is_back(driver: Driver) -> None:
    job, worker = await running(driver)
    await worker.leave()
    assert await driver.state(job) == "UNREACHABLE"
    again = worker.restarted()
    assert (await again.register()).adopted == [job]
    assert await again.report(job) == "ok"


async def test_a_full_sync_takes_back_what_the_registration_did_not_list(driver: Driver) -> None:
    job, worker = await running(driver)
    await driver.advance(MINUTE)
    await worker.register(held={})
    worker.held = {job: 1}
    assert (await worker.sync()).gone == []
    assert await driver.state(job) == "RUNNING"


@pytest.mark.parametrize("outcome", ["failed", "handback"])
async def test_an_attempt_whose_end_was_judged_is_not_given_back(driver: Driver, outcome: str) -> None:
    job, worker = await running(driver, attempts=2)
    await worker.report(job, outcome, retry=True)
    again = worker.restarted()
    again.held = {job: 1}
    assert (await again.register()).gone == [job]
    assert await driver.state(job) == "RUNNABLE"


async def test_another_worker_cannot_take_what_it_only_claims_to_hold(driver: Driver) -> None:
    job, _ = await running(driver)
    await driver.advance(MINUTE)
    thief = await driver.worker("thief")
    assert (await thief.sync(held={job: 1})).gone == [job]
    assert await driver.state(job) == "UNREACHABLE"


async def test_a_hub_that_lost_its_last_second_gives_a_started_attempt_back(driver: Driver) -> None:
    job = await driver.submit(limits={"db": 1})
    worker = await driver.worker()
    worker.held = {job: 1}  # started, and the hub's memory of it is lost
    reply = await worker.sync()
    assert (reply.gone, reply.claims) == ([], [])
    record = await driver.record(job)
    assert (record.state, record.attempt, record.session) == (State.RUNNING, 1, worker.session)
    assert await worker.report(job) == "ok"


async def test_a_forgotten_attempt_takes_the_place_of_the_one_before_it(driver: Driver) -> None:
    job, before = await running(driver, attempts=3)
    worker = await driver.worker("other")
    worker.held = {job: 2}
    assert (await worker.sync()).gone == []
    assert (await before.sync()).gone == [job]
    assert await before.report(job, "failed", attempt=1) == "stale"
    assert await worker.report(job, "failed", retry=True) == "ok"
    assert await driver.state(job) == "RUNNABLE"


async def test_a_job_that_waits_for_others_is_not_taken_for_one_that_ran(driver: Driver) -> None:
    first = await driver.submit()
    job = await driver.submit(after=[{"job": first}])
    worker = await driver.worker()
    assert (await worker.sync(held={job: 1}, want=0)).gone == [job]
    assert await driver.state(job) == "PENDING dependency"


@pytest.mark.parametrize("on_lost", ["retry", "hold", "fail"])
async def test_what_a_lost_attempt_wrote_comes_with_its_late_success(driver: Driver, on_lost: str) -> None:
    job, worker = await running(driver, on_lost=on_lost)
    await driver.logs.watch(job)
    await lose(driver)
    await worker.register(held={})
    said = b"said before the link broke"
    output = LogChunk(job=job, attempt=1, stream=1, offset=0, data=said)
    reply = await worker.sync(logs=[output], done=[worker.outcome(job, attempt=1)], want=0)
    assert reply.reports == {job: "late"}
    told = await driver.logs.follow(job)
    assert [getattr(item, "data", None) or item.state for item in told] == [said, State.SUCCEEDED]


async def test_a_lost_attempt_writes_nothing_once_another_one_runs(driver: Driver) -> None:
    job, worker = await running(driver)
    await lose(driver)
    other = await driver.worker("next")
    assert await other.claim() == [job]
    await worker.register(held={})
    await worker.write(job, b"too late", attempt=1)
    assert await driver.logs.read(job) == []


async def test_a_stranger_writes_nothing_into_the_log_of_a_lost_attempt(driver: Driver) -> None:
    job, _ = await running(driver, on_lost="fail")
    await lose(driver)
    await (await driver.worker("stranger")).write(job, b"not mine", attempt=1)
    assert await driver.logs.read(job) == []


async def test_the_log_of_an_attempt_that_the_hub_forgot_begins_with_its_first_byte(driver: Driver) -> None:
    job, first = await running(driver, attempts=3)
    await driver.logs.watch(job)
    await first.sync()
    await first.write(job, b"what the first attempt said")
    other = await driver.worker("other")
    assert job in (await other.register(held={job: 2})).adopted
    other.held = {job: 2}
    await other.write(job, b"second", offset=0)
    assert [entry.data for entry in await driver.logs.read(job)][-1] == b"second"
    assert await driver.raw("SMEMBERS", "@fl:" + first.session) == []
