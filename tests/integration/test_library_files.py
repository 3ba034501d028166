"""Files in the hub and whole logs on demand: kept once, counted, checked, and gone when nobody needs them."""

from __future__ import annotations

import pytest

from relayq.errors import NotFound, Refused, SpecError
from relayq.store.blobs import Blobs, Pulls, digest_of
from tests.model.driver import Driver


def inputs(*digests: str) -> list[dict[str, object]]:
    """Input files with this content."""
    return [{"name": f"f{n}", "sha256": digest, "size": 1} for n, digest in enumerate(digests)]


async def test_a_file_comes_out_as_it_went_in(driver: Driver) -> None:
    blobs = Blobs(driver.hub)
    digest = await blobs.put(bytes(range(256)))
    assert digest == digest_of(bytes(range(256))) == await blobs.put(bytes(range(256)))
    assert await blobs.get(digest) == bytes(range(256))


async def test_a_file_that_is_not_there_or_not_itself_is_refused(driver: Driver) -> None:
    blobs = Blobs(driver.hub)
    with pytest.raises(NotFound):
        await blobs.get("0" * 64)
    digest = await blobs.put(b"right")
    await driver.raw("SET", "@b:" + digest, b"wrong")
    with pytest.raises(Refused):
        await blobs.get(digest)


async def test_a_file_that_is_too_large_is_refused(driver: Driver) -> None:
    with pytest.raises(SpecError, match="at most"):
        await Blobs(driver.hub).put(bytes((16 << 20) + 1))


async def test_a_job_whose_input_is_missing_is_refused(driver: Driver) -> None:
    assert "has not the input file" in await driver.word(inputs=inputs("0" * 64))


async def test_an_input_stays_as_long_as_a_job_refers_to_it(driver: Driver) -> None:
    digest = await Blobs(driver.hub).put(b"data")
    assert await driver.raw("TTL", "@b:" + digest) > 0
    jobs = [await driver.submit(inputs=inputs(digest)) for _ in range(2)]
    assert await driver.raw("TTL", "@b:" + digest) == -1
    await driver.raw("HSET", "@cfg", "keep_bytes", 0)
    for job, left in zip(jobs, (-1, 3_600), strict=True):
        await driver.jobs.cancel(job)
        await driver.advance(1_000)
        assert await driver.raw("TTL", "@b:" + digest) == pytest.approx(left, abs=5 if left > 0 else 0)


async def test_what_a_job_leaves_is_named_in_its_record(driver: Driver) -> None:
    digest = await Blobs(driver.hub).put(b"out")
    job = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    assert await worker.report(job, outputs=(("out.txt", digest, 3),)) == "ok"
    assert (await driver.record(job)).outputs == {"out.txt": (digest, 3)}
    await driver.jobs.retry(job, b"op")
    assert (await driver.record(job)).outputs == {}


async def test_a_success_whose_files_are_missing_is_asked_for_them(driver: Driver) -> None:
    job = await driver.submit()
    worker = await driver.worker()
    await worker.claim()
    missing = (("out.txt", digest_of(b"out"), 3),)
    assert await worker.report(job, outputs=missing) == "files"
    assert await driver.state(job) == "RUNNING"
    await Blobs(driver.hub).put(b"out")
    assert await worker.report(job, attempt=1, outputs=missing) == "ok"


async def test_what_an_element_leaves_goes_with_its_array(driver: Driver) -> None:
    digest = await Blobs(driver.hub).put(b"out")
    array = await driver.submit(array=1)
    worker = await driver.worker()
    await worker.claim()
    await worker.report(f"{array}:0", outputs=(("out.txt", digest, 3),))
    assert (await driver.record(f"{array}:0")).outputs == {"out.txt": (digest, 3)}
    await driver.raw("HSET", "@cfg", "keep_bytes", 0)
    await driver.advance(1_000)
    assert await driver.raw("KEYS", f"@*{array}*") == []
    assert await driver.raw("TTL", "@b:" + digest) > 0


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
