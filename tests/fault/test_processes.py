"""Real workers and a real server are killed and frozen: nothing is lost, nothing runs twice."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

import pytest

from relayq.model.lifecycle import LEASE_MS
from relayq.store.records import JobRecord
from tests.integration.worker_support import Rig
from tests.model.driver import Driver
from tests.support import PrivateServer, eventually

GRACE_MAX_MS = 600_000


def patient(rig: Rig, name: str, then: str = "true") -> str:
    """A job that marks its start and ends when the mark `go` is there."""
    return f"{rig.mark(name)}; until [ -e {rig.marks}/go ]; do sleep 0.05; done; {then}"


def summary(record: JobRecord) -> tuple[str, int, int]:
    """What must be true of a job that nothing happened to: ended well, at once, without a crash."""
    return (record.state.value, record.attempt, record.crashes)


async def test_a_worker_that_is_killed_again_and_again_loses_nothing_and_runs_nothing_twice(rig: Rig) -> None:
    worker = rig.process("w1", "--slots", "4")
    long = [await rig.submit(patient(rig, f"long-{n}", "echo over")) for n in range(3)]
    await eventually(lambda: all(rig.marked(f"long-{n}") for n in range(3)))
    short = [await rig.submit(rig.mark(f"short-{n}") + f"; echo {n}") for n in range(60)]
    for seen in (5, 20, 40):
        await eventually(lambda seen=seen: len(list(rig.marks.glob("short-*"))) >= seen)
        worker.kill()
        worker = rig.process("w1", "--slots", "4")
    (rig.marks / "go").touch()
    for job in long:
        assert summary(await rig.ended(job)) == ("SUCCEEDED", 1, 0)
    for job in short:  # a claim that died on its way counts as a crash, though it never ran
        state, attempt, crashes = summary(await rig.ended(job))
        assert (state, attempt - crashes) == ("SUCCEEDED", 1)
    names = [f"long-{n}" for n in range(3)] + [f"short-{n}" for n in range(60)]
    assert {name: rig.marked(name) for name in names} == {name: ["x"] for name in names}
    assert [await rig.output(job) for job in long] == [b"over\n"] * 3
    assert [await rig.output(job) for job in short] == [b"%d\n" % n for n in range(60)]
    assert "Traceback" not in worker.said()


async def taken_over(rig: Rig, job: str) -> None:
    """The hub gives the job up: its worker's lease and grace are over."""
    await Driver(rig.hub).advance(LEASE_MS + 1_000)
    await rig.in_state(job, "UNREACHABLE")
    await Driver(rig.hub).advance(GRACE_MAX_MS + 1_000)
    await rig.in_state(job, "RUNNABLE")


async def test_a_frozen_worker_ends_its_attempt_when_another_has_taken_over(rig: Rig) -> None:
    frozen = rig.process("w1", "--slots", "1")
    job = await rig.submit(f"echo $$ >> {rig.marks}/pids; while :; do echo $RELAYQ_ATTEMPT; sleep 0.1; done")
    await rig.logs.watch(job)
    await eventually(lambda: rig.output(job))
    frozen.signal(signal.SIGSTOP)
    await taken_over(rig, job)
    async with rig.worker("w2"):
        await eventually(lambda: len(rig.marked("pids")) == 2)
        old, new = rig.marked("pids")
        frozen.signal(signal.SIGCONT)
        await eventually(lambda: not Path(f"/proc/{old}").exists(), "the old attempt is ended")
        assert Path(f"/proc/{new}").exists()
        record = await rig.record(job)
        assert (record.state, record.attempt, record.worker) == ("RUNNING", 2, "w2")
        await rig.jobs.cancel(job)
        assert (await rig.ended(job)).state == "CANCELLED"
    said = (await rig.output(job)).decode().split()
    assert said == sorted(said), "the old attempt is heard after the new one has begun"
    assert "Traceback" not in frozen.said()


async def test_what_a_frozen_worker_says_of_a_superseded_attempt_does_not_count(rig: Rig) -> None:
    frozen = rig.process("w1", "--slots", "1")
    job = await rig.submit(
        patient(rig, "ran", f'[ "$RELAYQ_ATTEMPT" = 2 ] && echo second; {rig.mark("over")}')
    )
    await eventually(lambda: rig.marked("ran"))
    frozen.signal(signal.SIGSTOP)
    await taken_over(rig, job)
    async with rig.worker("w2"):
        await eventually(lambda: rig.marked("ran") == ["x", "x"])
        (rig.marks / "go").touch()
        assert summary(await rig.ended(job)) == ("SUCCEEDED", 2, 1)
        await eventually(lambda: rig.marked("over") == ["x", "x"])
        frozen.signal(signal.SIGCONT)
        again = await rig.submit("true", needs=["host=w1"])
        assert summary(await rig.ended(again)) == ("SUCCEEDED", 1, 0)
        record = await rig.record(job)
        assert (summary(record), record.worker) == (("SUCCEEDED", 2, 1), "w2")
        assert await rig.output(job) == b"second\n"
    assert "Traceback" not in frozen.said()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_server_that_dies_or_freezes_in_a_drain_loses_nothing(
    rig: Rig, own_server: PrivateServer, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    talker = await rig.submit(patient(rig, "talks").replace("sleep 0.05", "sleep 0.05; echo"))
    await rig.logs.watch(talker)  # somebody always has something to say to the hub
    jobs = [await rig.submit(rig.mark(f"ran-{n}") + f"; echo {n}") for n in range(120)]
    async with rig.worker("w1", wait=False, slots=2), rig.worker("w2", wait=False, slots=2):
        for seen in (15, 40, 80):
            await eventually(lambda seen=seen: len(list(rig.marks.glob("ran-*"))) >= seen)
            await trouble(own_server, caplog, how)
        (rig.marks / "go").touch()
        for job in [talker, *jobs]:
            assert summary(await rig.ended(job)) == ("SUCCEEDED", 1, 0)
    assert [rig.marked(f"ran-{n}") for n in range(120)] == [["x"]] * 120
    assert [await rig.output(job) for job in jobs] == [b"%d\n" % n for n in range(120)]


async def trouble(server: PrivateServer, caplog: pytest.LogCaptureFixture, how: str) -> None:
    """Let the server die, or freeze it until a worker has given it up and thaw it until all are back."""
    if how == "killed":
        server.kill()
        server.start()
        return
    caplog.set_level(logging.INFO)
    caplog.clear()
    server.freeze()
    await eventually(lambda: "hub unreachable" in caplog.text, "a worker gives the hub up")
    server.thaw()
    await eventually(
        lambda: caplog.text.count("hub reachable again") == caplog.text.count("hub unreachable"),
        "every worker is back",
    )
