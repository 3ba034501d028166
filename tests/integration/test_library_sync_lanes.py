"""Many lanes in one call: each is looked at once, and everybody hears of new ones once."""

from __future__ import annotations

from tests.model.driver import Driver

LANES = 40


async def test_many_new_lanes_wake_a_worker_once(driver: Driver) -> None:
    worker = await driver.worker()
    await driver.batch(*({"needs": [f"l{n}"]} for n in range(LANES)))
    assert await worker.letters() == [("wake", "0")]


async def test_a_claim_from_many_lanes_keeps_to_their_common_limit(driver: Driver) -> None:
    jobs = await driver.batch(*({"needs": [f"l{n}"], "limits": {"l": 3}} for n in range(LANES)))
    worker = await driver.worker()
    assert await worker.claim() == jobs[:3]
    await worker.report(jobs[0], want=16)
    assert sorted(worker.held) == sorted(jobs[1:4])


async def test_a_claim_from_many_lanes_keeps_to_their_common_rate(driver: Driver) -> None:
    jobs = await driver.batch(*({"needs": [f"l{n}"], "rates": {"r": "3/1m"}} for n in range(LANES)))
    worker = await driver.worker()
    assert await worker.claim() == jobs[:3]
    await driver.advance(20_000)
    assert await worker.claim() == [jobs[3]]


async def test_shares_take_turns_within_one_claim(driver: Driver) -> None:
    mine = await driver.batch(*({"needs": [f"l{n}"], "share": "mine"} for n in range(6)))
    [yours] = await driver.batch({"share": "yours"})
    worker = await driver.worker()
    assert await worker.claim(want=2) == [mine[0], yours]


async def test_the_list_of_many_lanes_is_one_list(driver: Driver) -> None:
    jobs = [await driver.submit(needs=[f"l{n % 4}"], queue=f"q{n % 2}") for n in range(12)]
    listed = await driver.jobs.list_jobs(limit=5)
    assert [job.id for job in listed] == jobs[:-6:-1]
    rows = await driver.hub.view("list", {"states": "R", "queue": "", "limit": 5})
    assert bytes(rows[0]).count(b";") == 5
    odd = await driver.jobs.list_jobs(queue="q1", limit=4)
    assert [job.id for job in odd] == jobs[:-8:-2]
