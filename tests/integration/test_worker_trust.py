"""Nothing runs that the owner did not sign, and nothing runs twice because the hub says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from relayq.model.job import JobSpec, routing
from relayq.model.needs import lane_of
from relayq.store.events import Events
from relayq.store.records import JobRecord, Submission
from relayq.trust.keys import SigningKey
from relayq.trust.members import GithubRule
from relayq.trust.roster import add_github_rule
from relayq.worker.credentials import Credentials
from relayq.worker.session import Session
from tests.integration.worker_support import Rig
from tests.support import eventually, fresh_fleet


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path) -> AsyncIterator[Rig]:
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


async def refused(rig: Rig, submission: Submission, job: str) -> JobRecord:
    """Submit it, see that nothing started, and return the record."""
    assert await rig.jobs.submit([submission]) == ["new"]
    record = await rig.ended(job)
    assert (record.state, record.reason) == ("FAILED", "refused")
    assert rig.marked("ran") == []
    alarms = [event.subject for event in await Events(rig.hub).recent() if event.kind == "alarm"]
    assert alarms == [job]
    return record


def spec(rig: Rig, **fields: object) -> JobSpec:
    """A job that would leave the mark `ran`."""
    return JobSpec.from_dict({"command": rig.mark("ran"), **fields})


async def test_a_job_signed_by_a_strangers_key_is_refused(rig: Rig) -> None:
    async with rig.worker():
        job, submission = rig.submission(spec(rig), key=SigningKey.generate())
        assert "not trusted" in (await refused(rig, submission, job)).message


async def test_a_job_signed_by_a_key_that_was_added_runs(rig: Rig) -> None:
    stranger = SigningKey.generate()
    async with rig.worker(trust=(stranger.public,)):
        job, submission = rig.submission(spec(rig), key=stranger)
        await rig.jobs.submit([submission])
        assert (await rig.ended(job)).state == "SUCCEEDED"


async def test_who_asks_for_the_roster_while_it_is_fetched_waits_for_it(rig: Rig, tmp_path: Path) -> None:
    """A heartbeat had the news first, and what came through an inbox was judged by the old roster."""
    async with rig.worker():
        credentials = Credentials(rig.config, (), tmp_path)
        session = Session(url=rig.url, fleet=rig.fleet, name="w2", describe=cast("Any", None))
        await session.meet(credentials)
        rule = GithubRule(repository="me/site", repository_id="12", owner_id="34")
        edited = rig.standing().desk.edit(lambda roster, _: add_github_rule(roster, rule, 1))
        first = asyncio.create_task(session.follow(credentials, edited.version))
        second = asyncio.create_task(session.follow(credentials, edited.version))
        await second
        assert credentials.version == edited.version
        await first


async def test_changed_bytes_are_refused(rig: Rig) -> None:
    async with rig.worker():
        job, submission = rig.submission(spec(rig))
        envelope = submission.envelope.replace(b'"iat":1', b'"iat":2')
        assert envelope != submission.envelope
        assert "signature" in (await refused(rig, replace(submission, envelope=envelope), job)).message


async def test_a_sealed_part_that_was_changed_is_refused(rig: Rig) -> None:
    async with rig.worker():
        job, submission = rig.submission(spec(rig))
        envelope = submission.envelope[:-1] + bytes((submission.envelope[-1] ^ 1,))
        assert "signature" in (await refused(rig, replace(submission, envelope=envelope), job)).message


async def test_an_unsigned_job_is_refused(rig: Rig) -> None:
    async with rig.worker():
        job, submission = rig.submission(spec(rig))
        await refused(rig, replace(submission, envelope=submission.envelope.partition(b"\n")[2]), job)


async def test_a_job_signed_for_another_fleet_is_refused(rig: Rig) -> None:
    async with rig.worker():
        job, submission = rig.submission(spec(rig), fleet=fresh_fleet())
        assert "fleet" in (await refused(rig, submission, job)).message


async def test_a_job_that_the_hub_puts_in_another_lane_is_refused(rig: Rig) -> None:
    async with rig.worker():
        lie = lane_of(JobSpec.from_dict({"command": "true"}))
        wanted = spec(rig, needs=["moon"])
        job, submission = rig.submission(wanted, lane=lie)
        submission = replace(submission, routing={**routing(wanted, job), "l": lie.id})
        assert "lane" in (await refused(rig, submission, job)).message


async def test_a_job_under_another_id_is_refused(rig: Rig) -> None:
    async with rig.worker():
        _, submission = rig.submission(spec(rig))
        job, other = rig.submission(spec(rig))
        await refused(rig, replace(other, envelope=submission.envelope), job)


async def test_a_plain_job_that_the_hub_calls_an_array_is_refused(rig: Rig) -> None:
    async with rig.worker():
        plain = spec(rig)
        job, submission = rig.submission(plain)
        lie = {**routing(plain, job), "n": 3}
        assert await rig.jobs.submit([replace(submission, routing=lie)]) == ["new"]
        assert (await rig.ended(job)).state == "FAILED"
        assert rig.marked("ran") == []


async def test_a_finished_job_that_the_hub_offers_again_is_told_again_and_not_run(rig: Rig) -> None:
    async with rig.worker():
        job, submission = rig.submission(JobSpec.from_dict({"command": rig.mark("ran") + "; exit 5"}))
        await rig.jobs.submit([submission])
        await rig.ended(job)
        await forget(rig)
        assert await rig.jobs.submit([submission]) == ["new"]
        record = await rig.ended(job)
        assert (record.state, record.exit_code) == ("FAILED", 5)
        assert rig.marked("ran") == ["x"]


async def test_a_finished_job_is_not_run_by_the_next_start_of_the_worker_either(rig: Rig) -> None:
    job, submission = rig.submission(spec(rig))
    async with rig.worker():
        await rig.jobs.submit([submission])
        await rig.ended(job)
    await forget(rig)
    async with rig.worker():
        await rig.jobs.submit([submission])
        assert (await rig.ended(job)).state == "SUCCEEDED"
    assert rig.marked("ran") == ["x"]


async def test_a_signed_retry_lets_a_finished_job_run_again(rig: Rig) -> None:
    async with rig.worker():
        job, submission = rig.submission(JobSpec.from_dict({"command": rig.mark("ran") + "; exit 5"}))
        await rig.jobs.submit([submission])
        first = await rig.ended(job)
        assert await rig.retry(job, first.attempt) == "retried"
        await eventually(lambda: rig.marked("ran") == ["x", "x"])
        assert (await rig.ended(job)).exit_code == 5


async def test_a_retry_that_the_owner_did_not_sign_is_not_obeyed(rig: Rig) -> None:
    async with rig.worker():
        job, submission = rig.submission(spec(rig))
        await rig.jobs.submit([submission])
        await rig.ended(job)
        rig.key = SigningKey.generate()
        await rig.retry(job, 1)
        assert (await rig.ended(job)).reason == "refused"
        assert rig.marked("ran") == ["x"]


async def test_a_batch_whose_record_was_changed_is_refused(rig: Rig) -> None:
    ids = await rig.submit_batch([spec(rig), spec(rig)])
    keys = await rig.hub.link.call("KEYS", rig.hub.keys.of("bt", "*"))
    await rig.hub.link.call("SET", keys[0], b"1 ed25519 00000000 AAAA\nxxxx")
    async with rig.worker():
        assert {(await rig.ended(job)).reason for job in ids} == {"refused"}
    assert rig.marked("ran") == []


async def forget(rig: Rig) -> None:
    """Have the hub forget every job, as one that lies or has lost its data would."""
    for kind in ("j", "s", "done", "fail"):
        for key in await rig.hub.link.call("KEYS", rig.hub.keys.prefix + kind + "*"):
            await rig.hub.link.call("DEL", key)
