"""A hub that somebody else controls: it can lose and delay, and that is all it can do.

Each test is one lie, told to a real worker or to a real reader over a real server.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from relayq.client.aio import AsyncClient
from relayq.errors import Refused, WorkerError
from relayq.model.job import JobSpec
from relayq.store.blobs import Pulls
from relayq.store.jobs import Jobs
from relayq.store.logs import Logs
from relayq.store.reader import Reader
from relayq.store.records import JobRecord
from relayq.trust.bodies import Author, part
from relayq.trust.boxes import BoxKey
from relayq.trust.envelope import Op, open_job, sign_job, sign_op
from relayq.trust.keys import SigningKey
from relayq.trust.members import Member
from relayq.trust.outputs import Asked, Ended, Voice
from relayq.trust.roster import add_member, new_roster, revoke, rotate, sign_roster
from tests.integration.worker_support import Rig
from tests.support import eventually

NOW_S = 1_800_000_000


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setenv("RELAYQ_WORKER_ISOLATION", "none")  # jobs leave marks outside their directory
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


@pytest.fixture
async def client(rig: Rig) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(rig.url, fleet=rig.fleet, tell=lambda _: None) as client:
        yield client


def let_in(rig: Rig, role: str, key: SigningKey, **limits: object) -> None:
    """The owner lets somebody in."""
    fields = {"role": role, "name": role + key.kid, "sign": key.public, "box": BoxKey.of(key).public}
    member = Member(**fields, **limits)
    rig.standing().desk.edit(lambda roster, pen: add_member(roster, pen, member, NOW_S))


async def put(rig: Rig, *words: object) -> None:
    """What somebody does who has the hub's password."""
    await rig.hub.link.call(*words)


async def run_one(rig: Rig, command: str = "echo hello", **fields: object) -> str:
    """A job that a worker ran; the worker has left."""
    async with rig.worker():
        job = await rig.submit(command, **fields)
        await rig.ended(job)
    return job


async def refused(rig: Rig, spec: JobSpec, author: Author) -> JobRecord:
    """Submit it by this author; nothing of it runs."""
    job, submission = rig.submission(spec)
    await rig.jobs.submit([replace(submission, envelope=author.job(spec, job, int(time.time())))])
    record = await rig.ended(job)
    assert (record.state, record.reason) == ("FAILED", "refused")
    assert rig.marked("ran") == []
    return record


def spec(rig: Rig, **fields: object) -> JobSpec:
    """A job that would leave the mark `ran`."""
    return JobSpec.from_dict({"command": rig.mark("ran"), **fields})


# -- results


async def test_a_success_that_no_worker_signed_is_not_believed(rig: Rig, client: AsyncClient) -> None:
    job = await run_one(rig)
    await put(rig, "DEL", rig.hub.keys.of("r", job))
    with pytest.raises(Refused, match="no worker has signed how it ended"):
        await client.handle(job).get(5)


async def test_a_result_in_a_strangers_name_is_not_believed(rig: Rig, client: AsyncClient) -> None:
    job = await run_one(rig)
    forger = Voice(SigningKey.generate(), rig.fleet, rig.roster().readers())
    await put(rig, "SET", rig.hub.keys.of("r", job), forger.ended(job, 1, Ended("ok", 0), ""))
    with pytest.raises(Refused, match="no worker of this fleet wrote it"):
        await client.handle(job).get(5)


async def test_another_jobs_result_is_not_believed(rig: Rig, client: AsyncClient) -> None:
    one, other = await run_one(rig), await run_one(rig, "exit 3")
    raw = await rig.hub.link.call("GET", rig.hub.keys.of("r", one))
    await put(rig, "SET", rig.hub.keys.of("r", other), raw)
    await put(rig, "HSET", rig.hub.keys.of("j", other), "s", "S", "x", "0", "r", "")
    with pytest.raises(Refused, match="belongs elsewhere"):
        await client.handle(other).get(5)


async def test_a_failure_that_the_hub_calls_a_success_is_not_believed(rig: Rig, client: AsyncClient) -> None:
    job = await run_one(rig, "exit 3")
    await put(rig, "HSET", rig.hub.keys.of("j", job), "s", "S", "x", "0", "r", "")
    with pytest.raises(Refused, match="signed FAILED with exit code 3"):
        await client.handle(job).get(5)


async def test_an_exit_code_that_the_hub_changed_is_not_believed(rig: Rig, client: AsyncClient) -> None:
    job = await run_one(rig, "exit 3")
    await put(rig, "HSET", rig.hub.keys.of("j", job), "x", "4")
    with pytest.raises(Refused, match="exit code 3"):
        await client.handle(job).result(5)


async def test_a_job_that_the_hub_calls_an_array_is_not_believed(rig: Rig, client: AsyncClient) -> None:
    job = await run_one(rig, "exit 3")
    await put(rig, "HSET", rig.hub.keys.of("j", job), "s", "S", "n", "1", "nS", "1")
    with pytest.raises(Refused, match="array"):
        await client.handle(job).result(5)


async def test_a_revoked_workers_result_is_not_believed(rig: Rig, client: AsyncClient) -> None:
    job = await run_one(rig)
    assert await client.handle(job).get(5) == "hello\n"
    rig.standing().desk.edit(lambda roster, pen: revoke(roster, pen, roster.members[0].kid, NOW_S))
    async with AsyncClient(rig.url, fleet=rig.fleet) as later:
        with pytest.raises(Refused, match="no worker of this fleet"):
            await later.handle(job).get(5)


async def test_output_that_was_moved_changed_or_made_up_is_not_shown(rig: Rig, client: AsyncClient) -> None:
    job = await run_one(rig)
    key = rig.hub.keys.of("log", job)
    [[name, flat]] = await rig.hub.link.call("XRANGE", key, "-", "+")
    forger = Voice(SigningKey.generate(), rig.fleet, rig.roster().readers())
    lies = [
        (b"o", flat[1], b"n", b"3 6"),
        (b"e", flat[1], b"n", b"0 6"),
        (b"o", flat[1][:-1] + bytes((flat[1][-1] ^ 1,)), b"n", b"0 6"),
        (b"o", forger.piece(job, 1, (1, 0), b"hello\n", ""), b"n", b"0 6"),
        (b"o", b"hello\n"),
    ]
    for lie in lies:
        await put(rig, "DEL", key)
        await put(rig, "XADD", key, name, *lie)
        [entry] = await client.logs.read(job)
        assert (entry.data, bool(entry.doubt)) == (b"", True)
        with pytest.raises(Refused, match="output of job"):
            await client.handle(job).get(5)


# -- jobs


async def test_a_job_whose_sealed_part_was_signed_again_by_another_is_refused(rig: Rig) -> None:
    """Somebody who may submit takes another one's sealed job from the hub, to have its output."""
    thief = SigningKey.generate()
    let_in(rig, "submit", thief)
    async with rig.worker():
        job, submission = rig.submission(spec(rig))
        body = open_job(submission.envelope, rig.roster().submitters()).body
        await rig.jobs.submit([replace(submission, envelope=sign_job(thief, body))])
        assert "another signer" in (await rig.ended(job)).message

        other, submission = rig.submission(spec(rig))
        mine = part(Author(thief, rig.roster()).body(spec(rig), other, int(time.time())))
        grafted = sign_job(thief, mine.head + b"\n" + part(body).sealed)
        await rig.jobs.submit([replace(submission, envelope=grafted)])
        assert "belongs elsewhere" in (await rig.ended(other)).message
    assert rig.marked("ran") == []


async def test_a_submitters_key_is_held_to_its_queue_type_and_time(rig: Rig) -> None:
    key = SigningKey.generate()
    let_in(rig, "submit", key, queues=("night",), types=("shell",))
    async with rig.worker():
        author = Author(key, rig.roster())
        assert "may not use queue default" in (await refused(rig, spec(rig), author)).message
        job, submission = rig.submission(JobSpec.from_dict({"command": "true", "queue": "night"}), key=key)
        await rig.jobs.submit([submission])
        assert (await rig.ended(job)).state == "SUCCEEDED"
    late = SigningKey.generate()
    let_in(rig, "submit", late, exp=1)
    async with rig.worker():
        assert "has run out" in (await refused(rig, spec(rig), Author(late, rig.roster()))).message


async def test_a_revoked_submitters_job_is_refused_by_a_worker_that_was_there_all_along(rig: Rig) -> None:
    key = SigningKey.generate()
    let_in(rig, "submit", key)
    async with rig.worker():
        author = Author(key, rig.roster())
        rig.standing().desk.edit(lambda roster, pen: revoke(roster, pen, key.kid, NOW_S))
        await rig.ended(await rig.submit("true"))  # a sync, in which the worker learns of it
        assert "not trusted" in (await refused(rig, spec(rig), author)).message


async def test_what_is_sealed_to_an_epoch_that_nobody_has_any_more_is_refused(rig: Rig) -> None:
    other = new_roster(rig.key, rig.fleet, NOW_S)
    async with rig.worker():
        assert "sealed to others" in (await refused(rig, spec(rig), Author(rig.key, other))).message


async def test_jobs_that_wait_through_a_rotation_still_run(rig: Rig) -> None:
    job = await rig.submit(rig.mark("ran"))
    rig.standing().desk.edit(lambda roster, pen: rotate(roster, pen, NOW_S))
    async with rig.worker():
        assert (await rig.ended(job)).state == "SUCCEEDED"


# -- the roster


async def test_an_older_roster_does_not_bring_a_revoked_key_back(rig: Rig) -> None:
    key = SigningKey.generate()
    let_in(rig, "submit", key)
    old = await rig.hub.link.call("GET", rig.hub.keys.prefix + "roster")
    rig.standing().desk.edit(lambda roster, pen: revoke(roster, pen, key.kid, NOW_S))
    author = Author(key, rig.roster())
    async with rig.worker():
        await put(rig, "SET", rig.hub.keys.prefix + "roster", old)
        assert "not trusted" in (await refused(rig, spec(rig), author)).message


async def test_a_strangers_roster_makes_no_worker_follow_him(rig: Rig) -> None:
    stranger = SigningKey.generate()
    theirs = sign_roster(stranger, new_roster(stranger, rig.fleet, NOW_S))
    rig.roster()
    await put(rig, "SET", rig.hub.keys.prefix + "roster", theirs)
    with pytest.raises(Refused, match="another owner"):
        await rig.leaves()


async def test_a_strangers_roster_does_not_end_a_worker_that_knows_better(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = SigningKey.generate()
    theirs = sign_roster(stranger, new_roster(stranger, rig.fleet, NOW_S).but(version=99))
    author = rig.author()
    async with rig.worker() as worker:
        await put(rig, "SET", rig.hub.keys.prefix + "roster", theirs)
        _, submission = rig.submission_by(author, JobSpec.from_dict({"command": rig.mark("ran")}))
        await rig.jobs.submit([submission])
        await eventually(lambda: rig.marked("ran") == ["x"], "the owner's job runs")
        await eventually(lambda: "the known one holds" in caplog.text, "the other roster was looked at")
        assert not worker.has_left


async def test_a_worker_that_nobody_let_in_is_told_what_to_do(rig: Rig) -> None:
    owner = SigningKey.generate()
    theirs = sign_roster(owner, new_roster(owner, rig.fleet, NOW_S))
    await put(rig, "SET", rig.hub.keys.prefix + "roster", theirs)
    rig.config.owner_key_path.unlink()
    with pytest.raises(WorkerError, match="is not enrolled in fleet"):
        await rig.leaves(trust=(owner.public,))


# -- orders


async def test_a_cancel_that_nobody_signed_ends_nothing(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(f"until [ -e {rig.marks}/go ]; do sleep 0.05; done; {rig.mark('ran')}")
        await rig.in_state(job, "RUNNING")
        rig.hub.pen = None
        for _ in range(2):
            assert await rig.jobs.cancel(job, kill=True) == "asked"
        stranger = SigningKey.generate()
        rig.hub.pen = lambda order, subject, *_: sign_op(stranger, Op(order, subject, 0, rig.fleet, NOW_S))
        assert await rig.jobs.cancel(job, kill=True) == "asked"
        await rig.ended(await rig.submit("true"))
        (rig.marks / "go").touch()
        await rig.ended(job)
    assert rig.marked("ran") == ["x"]


async def test_a_submitter_may_cancel_its_own_jobs_and_no_others(rig: Rig) -> None:
    laptop = SigningKey.generate()
    let_in(rig, "submit", laptop)
    endless = JobSpec.from_dict({"command": f"until [ -e {rig.marks}/go ]; do sleep 0.05; done"})
    async with rig.worker():
        mine, submission = rig.submission(endless, key=laptop)
        theirs, other = rig.submission(endless)
        await rig.jobs.submit([submission, other])
        for job in (mine, theirs):
            await rig.in_state(job, "RUNNING")
        rig.hub.pen = lambda order, subject, *_: sign_op(laptop, Op(order, subject, 0, rig.fleet, NOW_S))
        assert [await rig.jobs.cancel(job) for job in (theirs, mine)] == ["asked", "asked"]
        await rig.ended(mine)
        assert (await rig.record(theirs)).state == "RUNNING"
        (rig.marks / "go").touch()
        await rig.ended(theirs)


async def test_a_stop_that_the_owner_did_not_sign_stops_nobody(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig.worker() as worker:
        rig.hub.pen = None
        assert await rig.workers.command("w1", "stop")
        await eventually(lambda: "the owner has not signed that" in caplog.text, "it was looked at")
        assert not worker.has_left
        rig.hub.pen = rig.order
        assert await rig.workers.command("w1", "stop")
        await eventually(lambda: worker.has_left, "the worker has left")


async def test_an_order_for_an_earlier_session_is_not_obeyed(rig: Rig) -> None:
    async with rig.worker() as first:
        assert await rig.workers.command("w1", "quiet")
        session = (await rig.online("w1")).session
        old = await rig.hub.link.call("HGET", rig.hub.keys.of("w", session), "co")
        assert old and not first.has_left
    async with rig.worker():
        session = (await rig.online("w1")).session
        await put(rig, "HSET", rig.hub.keys.of("w", session), "cmd", "", "co", old)
        await put(rig, "XADD", rig.hub.keys.of("mb", session), "*", "k", "quiet")
        assert (await rig.ended(await rig.submit("true"))).state == "SUCCEEDED"


# -- who may read


async def test_a_viewer_sees_names_and_output_but_no_secret(rig: Rig) -> None:
    viewer = SigningKey.generate()
    let_in(rig, "viewer", viewer)
    job = await run_one(rig, "echo hello", name="payroll", secrets={"TOKEN": "hunter2"})
    record, output = await seen_by(rig, viewer, job)
    assert b"payroll" in record.envelope and b"hunter2" not in record.envelope
    assert (record.is_sealed, record.doubt, output) == (True, "", b"hello\n")


async def test_a_submitter_reads_its_own_jobs_and_no_others(rig: Rig) -> None:
    mine = SigningKey.generate()
    let_in(rig, "submit", mine)
    async with rig.worker():
        theirs = await rig.submit("echo theirs", name="private")
        job, submission = rig.submission(JobSpec.from_dict({"command": "echo mine", "name": "own"}), key=mine)
        await rig.jobs.submit([submission])
        await rig.ended(job)
        await rig.ended(theirs)
    record, output = await seen_by(rig, mine, job)
    assert (b"own" in record.envelope, record.doubt, output) == (True, "", b"mine\n")
    record, output = await seen_by(rig, mine, theirs)
    assert b"(sealed)" in record.envelope and b"private" not in record.envelope
    assert output == b"" and "sealed to others" in record.doubt


async def test_a_stranger_sees_states_and_nothing_else(rig: Rig) -> None:
    job = await run_one(rig, "echo hello", name="payroll")
    record, output = await seen_by(rig, SigningKey.generate(), job)
    assert record.state == "SUCCEEDED" and b"payroll" not in record.envelope and output == b""


async def test_a_secret_that_a_job_prints_is_masked_in_its_log(rig: Rig) -> None:
    command = "printf 'a%s' \"$TOKEN\"; printf '%s' \"$TOKEN\" | base64; echo done"
    job = await run_one(rig, command, secrets={"TOKEN": "hunter2secret"})
    output = await rig.output(job)
    assert output.startswith(b"a*************") and output.endswith(b"done\n")
    assert b"hunter2" not in output and b"aHVudGVyMnNlY3JldA" not in output


async def seen_by(rig: Rig, key: SigningKey, job: str) -> tuple[JobRecord, bytes]:
    """The job and its output with somebody else's eyes."""
    hub = rig.hub.twin()
    roster = rig.roster()
    hub.reader = Reader(key, rig.fleet, roster, lambda _: roster)
    try:
        record = await Jobs(hub).record(job)
        assert record
        return record, b"".join(entry.data for entry in await Logs(hub).read(job))
    finally:
        await hub.close()


async def test_the_whole_log_of_one_job_is_not_that_of_another(rig: Rig) -> None:
    async with rig.worker():
        mine, other = await rig.submit("echo mine"), await rig.submit("echo other")
        for job in (mine, other):
            await rig.ended(job)
        pulls, eyes = Pulls(rig.hub), rig.standing().reader()
        await pulls.ask(other, "ticket")  # as a hub would that was asked for `mine`
        [(kind, data), *_] = await pulls.take("ticket", 5000)
    for asked in (Asked("ticket", mine), Asked("ticket", other, 1), Asked("another", other)):
        with pytest.raises(Refused):
            eyes.pour(asked, 0, kind, data)
    assert eyes.pour(Asked("ticket", other), 0, kind, data) == b"6"


async def test_a_job_fails_no_more_often_than_was_signed_whatever_the_hub_counts(rig: Rig) -> None:
    job = await rig.submit(f"{rig.mark('ran')}; [ $(wc -l < {rig.marks}/ran) -gt 4 ]", attempts=2, backoff=0)
    await put(rig, "HSET", rig.hub.keys.of("j", job), "c", 100)  # each attempt was a crash, it says
    async with rig.worker():
        record = await rig.ended(job)
    assert (record.state, record.reason) == ("FAILED", "exit")
    assert rig.marked("ran") == ["x"] * 2
