"""A machine whose clock is a day off: nothing runs twice, nothing expires that should not."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time

import pytest

from relayq.model.body import VALID_S
from relayq.model.job import JobSpec, new_id, routing
from relayq.model.needs import lane_of
from relayq.store.records import Submission
from tests.fault.clock import DAY_S, off_by
from tests.integration.worker_support import Rig
from tests.support import eventually


async def submit_signed_at(rig: Rig, command: str, signed_s: int) -> str:
    """A job from a machine whose clock shows `signed_s`."""
    spec, job = JobSpec.from_dict({"command": command}), new_id()
    envelope = rig.author().job(spec, job, signed_s)
    submission = Submission(routing=routing(spec, job), lane=lane_of(spec), envelope=envelope)
    assert await rig.jobs.submit([submission]) == ["new"]
    return job


async def succeeds(rig: Rig, job: str) -> None:
    """A job ends well, at its first attempt."""
    record = await rig.ended(job)
    assert (record.state, record.attempt, record.crashes) == ("SUCCEEDED", 1, 0)


@pytest.mark.parametrize("off_s", [DAY_S, -DAY_S])
async def test_a_worker_whose_clock_is_a_day_off_runs_every_job_once(rig: Rig, off_s: int) -> None:
    worker = rig.process("w1", "--slots", "2", through=off_by(off_s))
    now_s = int(time.time())
    signed = [now_s, now_s - DAY_S, now_s + DAY_S]
    jobs = [await submit_signed_at(rig, rig.mark(f"ran-{n}"), at_s) for n, at_s in enumerate(signed)]
    jobs.append(await rig.submit(rig.mark("ran-3"), deadline="1h"))
    jobs.append(await rig.submit(rig.mark("ran-4"), timeout="1h", retry_on="75", attempts=2))
    for job in jobs:
        await succeeds(rig, job)
    assert [rig.marked(f"ran-{n}") for n in range(5)] == [["x"]] * 5
    assert abs(latest_clock(rig) - time.time() - off_s) < DAY_S / 2, "the clock of this worker was right"
    assert "Traceback" not in worker.said()


def latest_clock(rig: Rig) -> int:
    """The latest time that the worker has ever seen, in seconds since 1970."""
    with contextlib.closing(sqlite3.connect(rig.config.state_dir / "workers/w1/spool.db")) as spool:
        (high_water_s,) = spool.execute("SELECT high_water_s FROM clock").fetchone()
    return int(high_water_s)


@pytest.mark.parametrize("off_s", [DAY_S, -DAY_S])
async def test_a_clock_that_jumps_between_two_starts_keeps_what_runs(rig: Rig, off_s: int) -> None:
    worker = rig.process("w1", through=off_by(off_s))
    job = await rig.submit(
        f"{rig.mark('ran')}; until [ -e {rig.marks}/go ]; do sleep 0.05; done; echo over", timeout="1h"
    )
    await eventually(lambda: rig.marked("ran"))
    worker.kill()
    back = rig.process("w1")
    await eventually(lambda: "worker ready" in back.said(), "the worker is back")
    (rig.marks / "go").touch()
    await succeeds(rig, job)
    assert rig.marked("ran") == ["x"]
    assert await rig.output(job) == b"over\n"


async def test_a_clock_set_back_lets_nothing_run_that_has_expired_here_and_everything_else(rig: Rig) -> None:
    ahead = rig.process("w1", through=off_by(DAY_S))
    await succeeds(rig, await rig.submit(rig.mark("first")))
    ahead.signal(signal.SIGTERM)
    assert await ahead.left() == 0
    back = rig.process("w1")
    expires_s = int(time.time()) + DAY_S // 2  # not yet, but before the latest time seen here
    job = await submit_signed_at(rig, rig.mark("expired"), expires_s - VALID_S)
    record = await rig.ended(job)
    assert (record.state, record.reason) == ("FAILED", "refused")
    assert "the signed job spec has expired" in back.said()
    await succeeds(rig, await rig.submit(rig.mark("second")))
    assert [rig.marked(name) for name in ("first", "expired", "second")] == [["x"], [], ["x"]]
