"""Files in the hub and whole logs on demand: kept once, counted, checked, and gone when nobody needs them."""

from __future__ import annotations

import pytest

from relayq.errors import NotFound
from relayq.store.blobs import Blobs, Pulls
from relayq.trust.files import Left
from tests.model.driver import Driver

KEY = "A" * 43
LEFT = Left("out.txt", "0" * 64, 3, KEY)


def inputs(*keys: str) -> list[dict[str, object]]:
    """Input files with these keys."""
    return [{"name": f"f{n}", "sha256": "0" * 64, "size": 1, "key": key} for n, key in enumerate(keys)]


async def kept(driver: Driver, job: str) -> list[bytes]:
    """What the hub says of the files that a job has left."""
    found: list[bytes] = await driver.raw("HGETALL", "@o:" + job)
    return found


async def test_a_file_comes_out_as_it_went_in(driver: Driver) -> None:
    blobs = Blobs(driver.hub)
    assert not await blobs.has(LEFT.stored)
    for _ in range(2):
        await blobs.put(LEFT.stored, bytes(range(256)))
    assert await blobs.has(LEFT.stored)
    assert await blobs.get(LEFT.stored) == bytes(range(256))


async def test_a_file_that_is_not_there_is_named(driver: Driver) -> None:
    with pytest.raises(NotFound, match="file 'a' is not in the hub any more"):
        await Blobs(driver.hub).get("0" * 64, "file 'a'")


async def test_a_job_whose_input_is_missing_is_refused(driver: Driver) -> None:
    assert "has not the input file" in await driver.word(inputs=inputs("B" * 43))


async def test_an_input_stays_as_long_as_a_job_refers_to_it(driver: Driver) -> None:
    digest = LEFT.stored
    await Blobs(driver.hub).put(digest, b"data")
    assert await driver.raw("TTL", "@b:" + digest) > 0
    jobs = [await driver.submit(inputs=inputs(KEY)) for _ in range(2)]
    assert await driver.raw("TTL", "@b:" + digest) == -1
    await driver.raw("HSET", "@cfg", "keep_bytes", 0)
    for job, left in zip(jobs, (-1, 3_600), strict=True):
        await driver.jobs.cancel(job)
        await driver.advance(1_000)
        assert await driver.raw("TTL", "@b:" + digest) == pytest.approx(left, abs=5 if left > 0 else 0)


async def test_what_a_job_leaves_is_counted_and_not_named(driver: Driver) -> None:
    await Blobs(driver.hub).put(LEFT.stored, b"out")
    job = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    assert await worker.report(job, outputs=(LEFT,)) == "ok"
    assert await kept(driver, job) == [b"0", f"{LEFT.stored} {LEFT.stored_bytes}".encode()]
    await driver.jobs.retry(job, b"op")
    assert await kept(driver, job) == []


async def test_a_success_whose_files_are_missing_is_asked_for_them(driver: Driver) -> None:
    job = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    missing = (LEFT,)
    assert await worker.report(job, outputs=missing) == "files"
    assert await driver.state(job) == "RUNNING"
    await Blobs(driver.hub).put(LEFT.stored, b"out")
    assert await worker.report(job, attempt=1, outputs=missing) == "ok"


async def test_what_an_element_leaves_goes_with_its_array(driver: Driver) -> None:
    await Blobs(driver.hub).put(LEFT.stored, b"out")
    array = await driver.submit(array=1)
    worker = await driver.worker()
    await worker.claim()
    await worker.report(f"{array}:0", outputs=(LEFT,))
    assert await kept(driver, f"{array}:0") == [b"0", f"{LEFT.stored} {LEFT.stored_bytes}".encode()]
    await driver.raw("HSET", "@cfg", "keep_bytes", 0)
    await driver.advance(1_000)
    assert await driver.raw("KEYS", f"@*{array}*") == []
    assert await driver.raw("TTL", "@b:" + LEFT.stored) > 0


# -- whole logs


async def test_a_whole_log_is_asked_of_the_worker_that_ran_it(driver: Driver) -> None:
    pulls = Pulls(driver.hub)
    job = await driver.submit()
    assert await pulls.ask("0" * 16, "ticket") == "unknown"
    worker = await driver.worker()
    await worker.claim()
    assert await pulls.ask(job, "ticket") == "asked"
    assert ("pull", job) in await worker.letters()
    for kind, data in (("o", b"out"), ("e", b"err"), ("x", b"")):
        assert await pulls.pour("ticket", kind, data)
    assert await pulls.take("ticket", 1_000) == [("o", b"out"), ("e", b"err"), ("x", b"")]
    await driver.advance(61_000)
    assert await pulls.ask(job, "ticket") == "offline:w"


async def test_a_log_is_poured_as_fast_as_it_is_read(driver: Driver) -> None:
    pulls = Pulls(driver.hub)
    poured = 0
    while await pulls.pour("t", "o", b"x"):
        poured += 1
    assert 0 < poured < 100
    assert len(await pulls.take("t", 1_000)) == poured
    assert await pulls.pour("t", "o", b"x")
    assert await driver.raw("TTL", "@full:t") > 0
