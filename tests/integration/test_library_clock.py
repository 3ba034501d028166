"""The hub's own clock is set back: what was reckoned by the wrong time does not wait for it to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.model.driver import Driver, running

HOUR, MINUTE, SOON = 3_600_000, 60_000, 30_000


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
    await driver.advance(MINUTE + 1)
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
