"""How attempts end: retries, crashes, lost sessions, adoption, late results, hand-back."""

from __future__ import annotations

import time

import pytest

from relayq.model.lifecycle import State
from tests.model.driver import Driver, running

MINUTE = 60_000


# -- reports


@pytest.mark.parametrize("outcome", ["ok", "failed"])
async def test_an_attempt_took_what_its_worker_measured_however_late_that_is_told(
    driver: Driver, outcome: str
) -> None:
    job, worker = await running(driver)
    began_ms = (await driver.record(job)).started_ms
    await driver.advance(40_000)
    await worker.report(job, outcome, run_ms=6_000, retry=True, ended_at=time.monotonic() - 30)
    [attempt] = (await driver.record(job)).attempts
    assert attempt.ended_ms is not None
    assert attempt.ended_ms - attempt.started_ms == 6_000
    assert 9_000 < attempt.ended_ms - began_ms < 20_000


async def test_no_attempt_began_before_it_was_claimed_whatever_its_worker_says(driver: Driver) -> None:
    job, worker = await running(driver)
    began_ms = (await driver.record(job)).started_ms
    await worker.report(job, run_ms=90_000, ended_at=1e-9)
    record = await driver.record(job)
    assert (record.started_ms, record.ended_ms) == (began_ms, began_ms)


async def test_the_time_of_one_attempt_is_not_that_of_what_its_end_ends(driver: Driver) -> None:
    first = await driver.submit()
    then = await driver.submit(after=[{"job": first, "on": "ok"}])
    worker = await driver.worker()
    await worker.claim()
    before_ms = (await driver.record(first)).started_ms
    await driver.advance(40_000)
    await worker.report(first, "failed", run_ms=1_000, ended_at=time.monotonic() - 30)
    skipped = await driver.record(then)
    assert skipped.state == State.SKIPPED
    assert skipped.ended_ms >= before_ms + 40_000


@pytest.mark.parametrize(
    ("outcome", "fields", "state"),
    [
        ("ok", {}, "SUCCEEDED"),
        ("failed", {}, "FAILED exit"),
        ("failed", {"reason": "spawn"}, "FAILED spawn"),
        ("timeout", {"reason": "timeout"}, "FAILED timeout"),
        ("cancelled", {"reason": "cancelled"}, "CANCELLED cancelled"),
        ("refused", {"reason": "bad signature"}, "FAILED refused"),
        ("handback", {}, "RUNNABLE"),
        ("lost", {"reason": "machine_lost"}, "RUNNABLE"),
    ],
)
async def test_a_report_ends_the_attempt(driver: Driver, outcome: str, fields: dict, state: str) -> None:
    job, worker = await running(driver)
    assert await worker.report(job, outcome, **fields) == "ok"
    assert await driver.state(job) == state
    assert await worker.report(job, outcome, attempt=1, **fields) == "dup"
    assert await driver.state(job) == state


async def test_a_refusal_is_an_alarm_that_says_why(driver: Driver) -> None:
    job, worker = await running(driver)
    await worker.report(job, "refused", reason="bad signature " * 20)
    record = await driver.record(job)
    assert record.message == ("bad signature " * 20)[:200]
    assert "alarm" in [event.kind for event in await driver.events.recent()]


async def test_failures_are_retried_as_often_as_the_policy_says(driver: Driver) -> None:
    job, worker = await running(driver, attempts=3)
    for attempt in (1, 2):
        assert worker.held[job] == attempt
        await worker.report(job, "failed", retry=True)
        assert await worker.claim() == [job]
    await worker.report(job, "failed", retry=True)
    assert await driver.state(job) == "FAILED exit"
    numbers = [(a.number, a.exit_code) for a in (await driver.record(job)).attempts]
    assert numbers == [(1, 1), (2, 1), (3, 1)]


async def test_a_worker_may_say_stop_before_the_attempts_are_used_up(driver: Driver) -> None:
    job, worker = await running(driver, attempts=3)
    await worker.report(job, "failed", retry=False, exit_code=64)
    record = await driver.record(job)
    assert (record.state, record.exit_code) == (State.FAILED, 64)


async def test_the_wait_before_a_retry_is_drawn_below_the_doubled_backoff(driver: Driver) -> None:
    jobs = await driver.batch(*({"attempts": 3} for _ in range(40)))
    worker = await driver.worker()
    for bound in (1_000, 1_500):
        await worker.claim(want=40)
        before = (await driver.queues.stats())["now_ms"]
        backoff = {"backoff_ms": 1_000, "backoff_cap_ms": 1_500}
        await worker.sync(done=[worker.outcome(j, "failed", retry=True, **backoff) for j in jobs], want=0)
        dues = [int(await driver.field(job, "du") or 0) - before for job in jobs]
        assert all(-1 <= due <= bound + 1_000 for due in dues)
        assert max(dues) - min(dues) > bound / 2
        assert max(dues) <= bound + 50
        await driver.advance(bound + 100)


async def test_a_job_handed_back_keeps_its_place_and_its_attempts(driver: Driver) -> None:
    job, worker = await running(driver, attempts=1)
    await driver.advance(1_000)
    later = await driver.submit()
    assert await worker.report(job, "handback") == "ok"
    assert await worker.claim(want=1) == [job]
    assert worker.held[job] == 2
    assert later not in worker.held
    await worker.report(job, "failed", retry=True)
    assert await driver.state(job) == "FAILED exit"


async def test_a_report_of_an_older_attempt_is_stale(driver: Driver) -> None:
    job, worker = await running(driver, attempts=2)
    await worker.report(job, "failed", retry=True)
    await worker.claim()
    assert await worker.report(job, "ok", attempt=1) == "stale"
    assert await driver.state(job) == "RUNNING"


async def test_a_report_of_another_session_is_stale(driver: Driver) -> None:
    job, _ = await running(driver)
    stranger = await driver.worker("stranger")
    assert await stranger.report(job, "ok", attempt=1) == "stale"
    assert await driver.state(job) == "RUNNING"


async def test_the_result_of_an_attempt_that_is_retried_does_not_stay(driver: Driver) -> None:
    job, worker = await running(driver, attempts=2)
    await worker.report(job, "failed", retry=True, result=b"half")
    await worker.claim()
    await worker.report(job)
    assert (await driver.record(job)).result == b""


# -- cancel


async def test_a_running_job_is_asked_to_end_until_it_does(driver: Driver) -> None:
    job, worker = await running(driver, attempts=5)
    assert await driver.jobs.cancel(job, who="ann", why="enough") == "asked"
    assert ("cancel", job) in await worker.letters()
    for _ in range(2):
        assert (await worker.sync()).cancels == [job]
    assert (await driver.record(job)).cancel_asked
    assert (await driver.record(job)).cancel_why == "enough"
    await worker.report(job, "failed", retry=True)
    assert await driver.state(job) == "CANCELLED enough"
    assert (await worker.sync()).cancels == []


async def test_a_success_counts_even_after_a_cancel(driver: Driver) -> None:
    job, worker = await running(driver)
    await driver.jobs.cancel(job)
    await worker.report(job)
    assert await driver.state(job) == "SUCCEEDED"


async def test_a_cancelled_job_that_is_handed_back_does_not_start_again(driver: Driver) -> None:
    job, worker = await running(driver)
    await driver.jobs.cancel(job)
    await worker.report(job, "handback")
    assert (await driver.record(job)).state is State.CANCELLED


async def test_a_cancelled_job_whose_worker_is_lost_ends_after_its_grace(driver: Driver) -> None:
    job, _ = await running(driver)
    await driver.advance(MINUTE)
    assert await driver.jobs.cancel(job) == "asked"
    await driver.advance(MINUTE + 1_000)
    assert await driver.state(job) == "CANCELLED lost"


async def test_a_cancel_asked_while_the_worker_was_away_reaches_it(driver: Driver) -> None:
    job, worker = await running(driver)
    await driver.advance(MINUTE)
    await driver.jobs.cancel(job)
    await worker.register()
    assert (await worker.sync()).cancels == [job]
