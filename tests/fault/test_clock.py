"""A machine a day off, a hub ten years: nothing runs twice, nothing expires that should not."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from relayq.model.body import VALID_S
from relayq.model.job import JobSpec, new_id, routing
from relayq.model.needs import lane_of
from relayq.store.records import Submission
from tests.fault.clock import DAY_S, UNFAKED, library_of, off_by
from tests.integration.worker_support import Rig
from tests.support import PrivateServer, eventually

FAKETIME = shutil.which("faketime")


class WrongHub(PrivateServer):
    """An embedded server that shows whatever time a test likes while it runs.

    On no other engine: the allocator of Debian's Redis asks for the time before libfaketime can tell it.
    """

    def __init__(self) -> None:
        super().__init__(engine="valkey")

    def show(self, off_s: int) -> None:
        """From now on its clock is off by so much."""
        (self.directory / "clock").write_text(f"{off_s:+d}\n")

    def _argv(self) -> list[str]:
        self.show(0)
        words = (f"FAKETIME_TIMESTAMP_FILE={self.directory / 'clock'}", "FAKETIME_NO_CACHE=1", UNFAKED)
        return ["env", f"LD_PRELOAD={library_of(str(FAKETIME))}", *words, *super()._argv()]


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


@pytest.mark.skipif(FAKETIME is None, reason="moves a server's clock with faketime")
async def test_a_hub_that_is_ten_years_ahead_for_a_moment_loses_nothing(home: Path, fleet: str) -> None:
    server = WrongHub()
    server.start()
    try:
        rig = Rig(server.url, fleet, home)
        async with rig.hub:
            await a_moment_in_another_year(rig, server)
    finally:
        server.close()


async def a_moment_in_another_year(rig: Rig, server: WrongHub) -> None:
    """One job has ended, one runs, one waits for a worker that is not there."""
    worker = rig.process("w1", "--slots", "2")
    ended = await rig.submit("echo kept")
    await succeeds(rig, ended)
    runs = await rig.submit(f"{rig.mark('ran')}; until [ -e {rig.marks}/go ]; do sleep 0.05; done")
    await eventually(lambda: rig.marked("ran"))
    waits = await rig.submit("true", needs=["moon"], deadline="2h")
    server.show(3650 * DAY_S)
    wrong = await rig.submit(rig.mark("wrong"))
    await succeeds(rig, wrong)
    assert (await rig.record(waits)).state == "PENDING"
    server.show(0)
    await succeeds(rig, await rig.submit(rig.mark("right")))
    (rig.marks / "go").touch()
    await succeeds(rig, runs)
    assert [rig.marked(name) for name in ("ran", "wrong", "right")] == [["x"]] * 3
    assert (await rig.record(waits)).state == "RUNNABLE"
    assert await rig.output(ended) == b"kept\n"
    assert abs((await rig.record(wrong)).submitted_ms / 1000 - time.time()) < DAY_S
    assert "Traceback" not in worker.said()
