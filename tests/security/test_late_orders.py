"""An order to end a job is for the run in which it was given, and a hub that keeps it ends no later one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.trust.boxes import BoxKey
from relayq.trust.envelope import Op, sign_op
from relayq.trust.keys import SigningKey
from relayq.trust.members import Member
from relayq.trust.roster import add_member
from tests.integration.worker_support import Rig
from tests.support import eventually

NOW_S = int(time.time())
NOBODY = "nobody who may has signed that"


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setenv("RELAYQ_WORKER_ISOLATION", "none")  # jobs leave marks outside their directory
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


def order(rig: Rig, word: str, job: str, iat_s: int, attempt: int = 0) -> bytes:
    """What the owner signs whose clock says so."""
    return sign_op(rig.key, Op(word, job, attempt, rig.fleet, iat_s))


def endless(rig: Rig) -> str:
    return f"until [ -e {rig.marks}/go ]; do sleep 0.05; done; {rig.mark('ran')}"


async def asked_by(rig: Rig, job: str, old: bytes) -> None:
    """The hub wants it to end, and has this order to show."""
    rig.hub.pen = lambda *_: old
    assert await rig.jobs.cancel(job) == "asked"
    rig.hub.pen = rig.order


async def cancelled_and_retried(rig: Rig, old: bytes, job: str, retry_s: int) -> None:
    """A first run that this order ended, and a second one that is under way."""
    await rig.in_state(job, "RUNNING")
    await asked_by(rig, job, old)
    assert (await rig.ended(job)).state == "CANCELLED"
    assert await rig.jobs.retry(job, order(rig, "retry", job, retry_s, 1)) == "retried"
    await rig.in_state(job, "RUNNING")


async def test_an_old_cancel_does_not_end_the_run_after_a_retry(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig.worker():
        job = await rig.submit(endless(rig))
        old = order(rig, "cancel", job, NOW_S - 100)
        await cancelled_and_retried(rig, old, job, NOW_S - 50)
        await asked_by(rig, job, old)
        await eventually(lambda: NOBODY in caplog.text, "the order was looked at")
        (rig.marks / "go").touch()
        assert (await rig.ended(job)).state == "SUCCEEDED"


async def test_an_old_cancel_does_not_end_it_after_a_restart_of_the_worker_either(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    job = await rig.submit(endless(rig))
    old = order(rig, "cancel", job, NOW_S - 100)
    async with rig.worker():
        await cancelled_and_retried(rig, old, job, NOW_S - 50)
    async with rig.worker():
        await asked_by(rig, job, old)
        await eventually(lambda: NOBODY in caplog.text, "the order was looked at")
        (rig.marks / "go").touch()
        assert (await rig.ended(job)).state == "SUCCEEDED"


async def test_a_cancel_of_the_run_after_a_retry_is_obeyed(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(endless(rig))
        await cancelled_and_retried(rig, order(rig, "cancel", job, NOW_S - 100), job, NOW_S - 50)
        await rig.jobs.cancel(job)
        assert (await rig.ended(job)).state == "CANCELLED"


async def test_a_retry_by_a_clock_that_is_ahead_does_not_make_a_job_deaf(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(endless(rig))
        ahead_s = int(time.time()) + 86_400
        await cancelled_and_retried(rig, order(rig, "cancel", job, NOW_S - 100), job, ahead_s)
        rig.hub.reader = None  # whoever cancels does not know of that retry
        await rig.jobs.cancel(job)
        assert (await rig.ended(job)).state == "CANCELLED"


async def test_a_retry_that_is_not_the_owners_makes_no_job_deaf(rig: Rig) -> None:
    laptop = SigningKey.generate()
    member = Member(role="submit", name="laptop", sign=laptop.public, box=BoxKey.of(laptop).public)
    rig.standing().desk.edit(lambda roster, pen: add_member(roster, pen, member, NOW_S))
    async with rig.worker():
        job = await rig.submit(endless(rig))
        old = order(rig, "cancel", job, NOW_S - 100)
        await rig.in_state(job, "RUNNING")
        await asked_by(rig, job, old)
        await rig.ended(job)
        theirs = sign_op(laptop, Op("retry", job, 1, rig.fleet, NOW_S - 50))
        assert await rig.jobs.retry(job, theirs) == "retried"
        await rig.in_state(job, "RUNNING")
        await asked_by(rig, job, old)
        assert (await rig.ended(job)).state == "CANCELLED"


async def test_a_cancel_by_a_clock_that_is_behind_is_as_late_as_the_retry(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(endless(rig))
        await cancelled_and_retried(rig, order(rig, "cancel", job, NOW_S - 100), job, int(time.time()))
        rig.see()
        rig.hub.pen = lambda word, subject, floor_s: order(rig, word, subject, max(floor_s, 5))
        await rig.jobs.cancel(job)
        assert (await rig.ended(job)).state == "CANCELLED"


async def test_a_cancel_during_the_first_attempt_holds_for_the_next_of_the_same_run(rig: Rig) -> None:
    job = await rig.submit(f"[ $RELAYQ_ATTEMPT -lt 4 ] && exit 1; {endless(rig)}", attempts=2, backoff="1ms")
    async with rig.worker():
        assert (await rig.ended(job)).state == "FAILED"
        assert await rig.jobs.retry(job, order(rig, "retry", job, NOW_S - 50, 2)) == "retried"
        early = order(rig, "cancel", job, NOW_S - 40)
        await eventually(lambda: last(rig, job), "the second attempt of the second run is under way")
        await asked_by(rig, job, early)
        assert (await rig.ended(job)).state == "CANCELLED"


async def last(rig: Rig, job: str) -> bool:
    record = await rig.record(job)
    return (record.state, record.attempt) == ("RUNNING", 4)


async def test_an_old_cancel_of_an_array_does_not_end_its_elements_after_a_retry(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig.worker():
        job = await rig.submit(endless(rig), array={"size": 2})
        old = order(rig, "cancel", job, NOW_S - 100)
        await cancelled_and_retried(rig, old, job, NOW_S - 50)
        await asked_by(rig, job, old)
        await eventually(lambda: NOBODY in caplog.text, "the order was looked at")
        (rig.marks / "go").touch()
        await eventually(lambda: rig.marked("ran") == ["x", "x"], "both elements run to their end")
