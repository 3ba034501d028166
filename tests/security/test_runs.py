"""Jobs of GitHub Actions before a real worker: the token is the signature, the roster has the rules."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from relayq.github.api import GitHub, Manners
from relayq.github.notifier import Eyes, Notifier
from relayq.github.token import Token
from relayq.model.job import JobSpec, new_id, routing
from relayq.model.needs import lane_of
from relayq.model.notice import Notice
from relayq.store.notices import Notices
from relayq.store.records import JobRecord, Submission
from relayq.trust.bodies import RunAuthor
from relayq.trust.boxes import BoxKey
from relayq.trust.envelope import Op, sign_op
from relayq.trust.keys import SigningKey
from relayq.trust.members import GithubRule
from relayq.trust.oidc import RunJudge
from relayq.trust.roster import add_github_rule
from tests.github.server import TOKEN, Replay
from tests.integration.worker_support import Rig
from tests.security.issuer import Issuer, running
from tests.security.test_hub_lies import let_in
from tests.support import eventually

RULE = GithubRule(repository="me/site", repository_id="12", owner_id="34", queues=("default",))
HARMLESS = JobSpec.from_dict({"command": "echo ran"})
REPLY = BoxKey.generate().public


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running() as issuer:
        yield issuer


@pytest.fixture
async def rig(
    hub_url: str, fleet: str, home: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Rig]:
    monkeypatch.setenv("RELAYQ_TRUST_OIDC_ISSUER", issuer.url)
    monkeypatch.setenv("RELAYQ_WORKER_ISOLATION", "none")  # jobs leave marks outside their directory
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


def trust(rig: Rig, rule: GithubRule = RULE) -> None:
    rig.standing().desk.edit(lambda roster, _: add_github_rule(roster, rule, int(time.time())))


def run_of(
    rig: Rig, issuer: Issuer, spec: JobSpec, *, iat_s: int = 0, **claims: object
) -> tuple[str, Submission]:
    """What a run submits."""
    job, now_s = new_id(), int(time.time())
    author = RunAuthor(
        rig.roster(), "12", REPLY, lambda audience: issuer.token(audience, iat_s or now_s, **claims)
    )
    lane = lane_of(spec)
    return job, Submission(routing=routing(spec, job), lane=lane, envelope=author.job(spec, job, now_s))


async def outcome(rig: Rig, job: str, submission: Submission) -> JobRecord:
    assert await rig.jobs.submit([submission]) == ["new"]
    return await rig.ended(job)


def spec(rig: Rig, **fields: object) -> JobSpec:
    return JobSpec.from_dict({"command": rig.mark("ran"), **fields})


async def test_a_run_that_a_rule_lets_in_runs(rig: Rig, issuer: Issuer) -> None:
    trust(rig)
    async with rig.worker():
        job, submission = run_of(rig, issuer, HARMLESS)
        assert (await outcome(rig, job, submission)).state == "SUCCEEDED"
        assert await rig.output(job) == b"ran\n"


async def test_a_run_is_no_owner_to_the_worker_s_policy(rig: Rig, issuer: Issuer) -> None:
    """It is judged as its repository, and so it sees the machine's files from afar."""
    trust(rig)
    policy = rig.config.config_dir / "policy.toml"
    policy.parent.mkdir(parents=True, exist_ok=True)
    policy.write_text("[github]\nshell = false\n")
    async with rig.worker():
        record = await outcome(rig, *run_of(rig, issuer, HARMLESS))
        assert (record.state, record.reason) == ("FAILED", "refused")
        assert (await rig.ended(await rig.submit("true"))).state == "SUCCEEDED"


async def test_what_no_rule_lets_in_is_refused(rig: Rig, issuer: Issuer) -> None:
    async with rig.worker():
        for claims in ({}, {"event_name": "pull_request"}, {"repository_id": "13"}):
            assert "no rule" in (await outcome(rig, *run_of(rig, issuer, spec(rig), **claims))).message
        trust(rig)
        await rig.ended(await rig.submit("true"))
        record = await outcome(rig, *run_of(rig, issuer, spec(rig), event_name="pull_request"))
        assert "pull_request" in record.message
        assert (
            "may not use queue"
            in (await outcome(rig, *run_of(rig, issuer, spec(rig, queue="other")))).message
        )
        old = await outcome(rig, *run_of(rig, issuer, spec(rig), iat_s=int(time.time()) - 500))
        assert "s apart" in old.message
    assert rig.marked("ran") == []


async def test_a_run_is_judged_by_the_policy_for_github_and_never_as_the_owner(
    rig: Rig, issuer: Issuer
) -> None:
    trust(rig)
    policy = rig.config.config_dir / "policy.toml"
    policy.parent.mkdir(parents=True, exist_ok=True)
    policy.write_text("[github]\nshell = false\n")
    async with rig.worker():
        assert "policy" in (await outcome(rig, *run_of(rig, issuer, spec(rig)))).message
        assert (await rig.ended(await rig.submit("true"))).state == "SUCCEEDED"
    assert rig.marked("ran") == []


async def test_one_jobs_token_signs_no_other_job(rig: Rig, issuer: Issuer) -> None:
    trust(rig)
    async with rig.worker():
        _, one = run_of(rig, issuer, spec(rig))
        job, other = run_of(rig, issuer, spec(rig))
        head = one.envelope.partition(b"\n")[0]
        swapped = head + b"\n" + other.envelope.partition(b"\n")[2]
        assert "other content" in (await outcome(rig, job, replace(other, envelope=swapped))).message


async def test_a_job_of_another_repositorys_making_is_refused(rig: Rig, issuer: Issuer) -> None:
    trust(rig)
    trust(rig, RULE.but(repository="you/site", repository_id="13"))
    async with rig.worker():
        record = await outcome(rig, *run_of(rig, issuer, spec(rig), repository_id="13"))
        assert "another signer" in record.message


async def test_a_run_that_needs_approval_waits_until_the_owner_has_signed_for_this_very_job(
    rig: Rig, issuer: Issuer
) -> None:
    trust(rig, RULE.but(approve=True))
    async with rig.worker():
        job, submission = run_of(rig, issuer, HARMLESS)
        await rig.jobs.submit([submission])
        await rig.in_state(job, "PENDING")
        explained = await rig.jobs.explain(job)
        assert explained and ("approval", "") in explained.blockers

        stranger, laptop = SigningKey.generate(), SigningKey.generate()
        let_in(rig, "submit", laptop)
        lies = [
            lambda order, subject, *_: b"",
            lambda order, subject, *_: sign_op(laptop, Op(order, subject, 0, rig.fleet, 1)),
            lambda order, subject, *_: sign_op(stranger, Op(order, subject, 0, rig.fleet, 1)),
            lambda order, subject, *_: sign_op(rig.key, Op("approve:" + "0" * 64, subject, 0, rig.fleet, 1)),
            lambda order, subject, *_: sign_op(rig.key, Op(order, new_id(), 0, rig.fleet, 1)),
        ]
        for lie in lies:
            rig.hub.pen = lie
            assert await rig.jobs.approve(job) == "released"
            await eventually(lambda: asked_again(rig, job), "it waits again")
        assert await rig.output(job) == b""

        rig.hub.pen = rig.order
        assert await rig.jobs.approve(job) == "released"
        assert (await rig.ended(job)).state == "SUCCEEDED"
        assert await rig.output(job) == b"ran\n"


async def asked_again(rig: Rig, job: str) -> bool:
    return (await rig.record(job)).state == "PENDING"


async def test_a_notice_whose_issuer_is_silent_is_told_when_it_answers_again(
    rig: Rig, issuer: Issuer, tmp_path: Path
) -> None:
    """Another machine than the worker's: it has none of the issuer's keys on its disk."""
    trust(rig)
    job, submission = run_of(rig, issuer, HARMLESS.but(notify=(Notice.from_json("comment:me/site#1"),)))
    async with rig.worker():
        await outcome(rig, job, submission)
    replay = Replay()
    replay.repo("me/site")
    try:
        for number, (keys, word) in enumerate((([], "later"), (issuer.keys, "posted"))):
            issuer.keys = keys
            await tell(rig, replay, RunJudge(tmp_path / str(number), issuer.url))
            assert [notice.word for notice in (await rig.record(job)).notices] == [word]
            await rig.hub.link.call("HINCRBY", rig.hub.keys.anchor, "shift", 10_000)
        assert len(replay.posts("/comments")) == 1
    finally:
        replay.close()


async def tell(rig: Rig, replay: Replay, runs: RunJudge) -> None:
    """Tell what is due, with the owner's eyes and these keys."""

    def eyes() -> Eyes:
        roster, reader = rig.roster(), rig.standing().reader()
        return Eyes(roster.submitters(), runs.by(roster.github), reader, is_reader=True)

    async with GitHub(replay.url, Token(TOKEN, "gh"), manners=Manners(patience_s=0, gap_s=0)) as github:
        notifier = Notifier(github, url=rig.url, fleet=rig.fleet, repos=("me/site",), eyes=eyes)
        await notifier.work(Notices(rig.hub))
