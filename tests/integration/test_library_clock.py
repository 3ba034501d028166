"""The hub's own clock is set back: what was reckoned by the wrong time does not wait for it to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.model.driver import Driver, FakeWorker, running

HOUR, MINUTE, SOON = 3_600_000, 60_000, 30_000
DAY, YEAR = 24 * HOUR, 365 * 24 * HOUR


async def test_a_retry_is_not_put_off_by_as_much_as_the_clock_is_set_back(driver: Driver) -> None:
    job, worker = await running(driver, attempts=2)
    await driver.tick()
    await worker.report(job, "failed", retry=True, backoff_ms=SOON, backoff_cap_ms=SOON)
    await driver.advance(-5 * HOUR)
    await driver.advance(SOON + 1)
    assert await worker.claim() == [job]


async def test_a_job_for_a_time_of_day_still_waits_for_that_time(driver: Driver) -> None:
    now = datetime.fromtimestamp((await driver.queues.stats())["now_ms"] / 1000, UTC)
    job = await driver.submit(at=(now + timedelta(hours=1)).isoformat(timespec="seconds"))
    soon = await driver.submit(delay="1h")
    await driver.advance(-5 * HOUR)
    await driver.advance(2 * HOUR)
    assert (await driver.state(job), await driver.state(soon)) == ("PENDING delay", "RUNNABLE")
    await driver.advance(4 * HOUR)
    assert await driver.state(job) == "RUNNABLE"


async def test_a_worker_that_died_is_noticed_after_the_clock_is_set_back(driver: Driver) -> None:
    job, _ = await running(driver)
    await driver.tick()
    await driver.advance(-5 * HOUR)
    await driver.advance(MINUTE + 1)
    assert await driver.state(job) == "UNREACHABLE"
    await driver.advance(-5 * HOUR)
    await driver.advance(2 * MINUTE)
    assert await driver.state(job) == "RUNNABLE"


async def test_a_rate_starts_afresh_after_the_clock_is_set_back(driver: Driver) -> None:
    jobs = [await driver.submit(rates={"r": "1/30s"}) for _ in range(2)]
    worker = await driver.worker()
    assert await worker.claim() == jobs[:1]
    await driver.advance(-5 * HOUR)
    assert await worker.claim() == []
    await driver.advance(SOON + 1_000)
    assert await worker.claim() == jobs[1:]


async def test_a_clock_that_is_corrected_by_a_second_changes_nothing(driver: Driver) -> None:
    job, worker = await running(driver, attempts=2)
    await driver.tick()
    await worker.report(job, "failed", retry=True, backoff_ms=HOUR, backoff_cap_ms=HOUR)
    due_ms = await driver.field(job, "du")
    await driver.advance(-1_000)
    assert await driver.field(job, "du") == due_ms


# -- a machine that began in another year


async def ahead(driver: Driver, by_ms: int = 10 * YEAR) -> None:
    """The clock shows a time that has not come."""
    await driver.tick()
    await driver.advance(by_ms)


async def right(driver: Driver, by_ms: int = 10 * YEAR) -> None:
    """It shows the right time again."""
    await driver.tick()
    await driver.advance(-by_ms)


async def test_jobs_of_a_wrong_year_stand_in_line_as_they_came(driver: Driver) -> None:
    first = await driver.submit()
    await ahead(driver)
    wrong = [await driver.submit(), await driver.submit(priority=1)]
    await right(driver)
    await driver.advance(10)  # the leap is known to the millisecond, and so is their place
    last = await driver.submit()
    assert await (await driver.worker()).claim() == [wrong[1], first, wrong[0], last]
    record = await driver.record(wrong[0])
    assert abs(record.submitted_ms - (await driver.record(last)).submitted_ms) < MINUTE


async def test_a_preference_of_a_wrong_year_is_over_in_time(driver: Driver) -> None:
    await ahead(driver)
    job = await driver.submit(prefer="mac")
    await right(driver)
    worker = await driver.worker()
    worker.prefers = {(await driver.record(job)).lane.id: 5_000}
    await driver.advance(6_000)
    assert await worker.claim() == [job]


async def test_what_ended_in_a_wrong_year_is_kept_no_longer(driver: Driver) -> None:
    await ahead(driver)
    job, worker = await running(driver)
    await worker.report(job)
    await worker.leave()
    await right(driver)
    await driver.advance(DAY)
    assert await driver.state(job) == "SUCCEEDED"
    await driver.advance(14 * DAY)
    assert await driver.jobs.record(job) is None
    assert await driver.workers.list() == []


async def test_what_runs_since_a_wrong_year_has_begun_lately(driver: Driver) -> None:
    await ahead(driver)
    job, worker = await running(driver)
    await right(driver)
    await worker.report(job, run_ms=1_000)
    record = await driver.record(job)
    assert record.ended_ms is not None
    assert abs(record.ended_ms - (await driver.queues.stats())["now_ms"]) < MINUTE


async def test_a_key_that_was_taken_in_a_wrong_year_is_free_after_its_window(driver: Driver) -> None:
    await ahead(driver)
    job = await driver.submit(unique={"key": "k", "mode": "window", "window": "1h"})
    await right(driver)
    assert await driver.word(unique="k") == f"unique:{job}"
    await driver.advance(HOUR)
    assert await driver.word(unique="k") == "new"
    assert 0 < await driver.raw("PTTL", "@uq:k") <= HOUR or await driver.raw("PTTL", "@uq:k") == -1


async def test_the_deadline_of_a_job_that_was_there_before_stays(driver: Driver) -> None:
    before = await driver.submit(deadline="7h")
    await ahead(driver, 5 * HOUR)
    wrong = await driver.submit(deadline="7h")
    await right(driver, 5 * HOUR)
    await driver.advance(6 * HOUR)
    assert [await driver.state(job) for job in (before, wrong)] == ["RUNNABLE"] * 2
    await driver.advance(HOUR + 1_000)
    assert [await driver.state(job) for job in (before, wrong)] == ["EXPIRED deadline"] * 2


async def test_an_inbox_is_looked_into_by_anybody_after_the_clock_is_set_back(driver: Driver) -> None:
    await driver.raw("HSET", "@inn", "ci", "ABCDEF")
    await driver.raw("SET", "@ib:ci", "gone#1", "PX", 10 * YEAR)
    await right(driver, 5 * HOUR)
    assert await driver.raw("EXISTS", "@ib:ci") == 0


async def test_use_of_a_wrong_year_fades_from_now_on(driver: Driver) -> None:
    await ahead(driver)
    await driver.submit(share="a")
    worker = await driver.worker()
    assert len(await worker.claim()) == 1
    await right(driver)
    await driver.advance(4 * DAY)
    assert await driver.raw("HLEN", "@sh") == 0


async def leapt(driver: Driver) -> tuple[FakeWorker, list[str]]:
    """A job that has ended, one that waits and one that is delayed as well.

    Then the clock is ten years ahead, and somebody calls who was there before.
    """
    ended, worker = await running(driver)
    await worker.report(ended)
    waiting = [await driver.submit(deadline="2h"), await driver.submit(deadline="8h", delay="6h")]
    await driver.tick()
    await driver.advance(10 * YEAR, tick=False)
    assert await worker.claim() == []
    return worker, [ended, *waiting]


async def test_nothing_is_lost_by_a_clock_that_leaps_ahead_for_a_moment(driver: Driver) -> None:
    worker, [ended, waiting, delayed] = await leapt(driver)
    new = await driver.submit()
    assert await worker.claim() == [new]
    assert await driver.state(ended) == "SUCCEEDED"
    await driver.advance(-10 * YEAR, tick=False)
    assert await worker.claim() == [waiting]
    assert await driver.state(delayed) == "PENDING delay"
    await driver.advance(6 * HOUR)
    assert await driver.state(delayed) == "RUNNABLE"
    await driver.advance(2 * HOUR)
    assert await driver.state(delayed) == "EXPIRED deadline"


async def test_what_is_late_expires_a_while_after_a_leap_that_was_none(driver: Driver) -> None:
    worker, [ended, *waiting] = await leapt(driver)
    assert await worker.stand_by() == []
    await driver.jobs.release(waiting[0])
    assert [await driver.state(job) for job in waiting] == ["PENDING delay"] * 2
    for minutes in (9, 2):
        await driver.advance(minutes * MINUTE, tick=False)
        await worker.sync()
    assert [await driver.state(job) for job in waiting] == ["EXPIRED deadline"] * 2
    assert await driver.jobs.record(ended) is None
    assert await driver.field(waiting[0], "dd") is None
