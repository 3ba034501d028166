"""Attempts of which nobody knows the end, and commands that their job type has left behind."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relayq.store.records import JobRecord
from tests.integration.keeper_support import alive, pid_in
from tests.integration.worker_support import Rig, child_of, keeper_of, patient
from tests.support import eventually

MODULE = """
import asyncio
import os
from relayq.plugins import Outcome


class Loose:
    "Runs inside the worker, or leaves a command behind, as its args say."

    name = "loose"

    def check(self, spec):
        pass

    async def run(self, attempt):
        marks = attempt.spec.args["marks"]
        script = f"echo $$ > {marks}/pid; exec sleep 300"
        with open(f"{marks}/ran", "a") as file:
            file.write("x\\n")
        match attempt.spec.args["do"]:
            case "inside":
                await asyncio.get_running_loop().create_future()
            case "spawn":
                return await attempt.spawn(["/bin/sh", "-c", script], env={})
        running = asyncio.create_task(attempt.spawn(["/bin/sh", "-c", script], env={}))
        while not os.path.exists(f"{marks}/pid"):
            await asyncio.wait([running], timeout=0.01)
        match attempt.spec.args["do"]:
            case "raise":
                raise ValueError("a stranger's mistake")
            case "cancel":
                running.cancel()
                raise asyncio.CancelledError
        return Outcome(ok=True)
"""


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    info = home / "site" / "loose-1.dist-info"
    info.mkdir(parents=True)
    (home / "site" / "loose_type.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loose\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[relayq.job_types]\nloose = loose_type:Loose\n")
    monkeypatch.setenv("PYTHONPATH", str(home / "site"))
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


async def loose(rig: Rig, do: str, **fields: Any) -> str:
    return await rig.submit("-", type="loose", args={"do": do, "marks": str(rig.marks)}, **fields)


def how(record: JobRecord) -> tuple[str, str]:
    return record.state, record.reason


async def test_what_ran_inside_a_killed_worker_is_lost_though_it_left_no_trace(rig: Rig) -> None:
    worker = rig.process()
    job = await loose(rig, "inside", on_lost="fail")
    await eventually(lambda: rig.marked("ran"))
    worker.kill()
    rig.process()
    assert how(await rig.ended(job)) == ("FAILED", "lost")
    assert rig.marked("ran") == ["x"]


async def test_what_ran_when_the_power_went_is_lost_though_every_trace_of_it_went_too(rig: Rig) -> None:
    worker = rig.process()
    job = await rig.submit(patient(rig, "ran"), on_lost="fail")
    await eventually(lambda: rig.marked("ran"))
    worker.kill()
    os.kill(keeper_of(rig, "w1"), signal.SIGKILL)
    os.kill(child_of(job), signal.SIGKILL)
    state = rig.config.state_dir / "workers" / "w1"
    (state / "keeper.journal").unlink()
    shutil.rmtree(state / "attempts")
    (state / "boot").write_text("another")
    rig.process()
    assert how(await rig.ended(job)) == ("FAILED", "lost")
    assert rig.marked("ran") == ["x"]
    assert (state / "boot").read_text() != "another"


@pytest.mark.parametrize(
    ("do", "state"), [("raise", "FAILED"), ("cancel", "FAILED"), ("return", "SUCCEEDED")]
)
async def test_a_command_ends_with_the_job_type_that_has_not_waited_for_it(
    rig: Rig, do: str, state: str
) -> None:
    rig.process()
    record = await rig.ended(await loose(rig, do))
    assert (record.state, record.attempt) == (state, 1)
    assert not alive(await pid_in(rig.marks / "pid"))


async def test_a_command_ends_when_its_job_type_is_gone_after_a_restart(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = rig.process()
    job = await loose(rig, "spawn")
    pid = await pid_in(rig.marks / "pid")
    worker.kill()
    monkeypatch.delenv("PYTHONPATH")
    rig.process()
    assert (await rig.ended(job)).state == "FAILED"
    assert not alive(pid)


async def test_what_a_command_reads_is_not_written_again_when_it_is_taken_back(rig: Rig) -> None:
    worker = rig.process()
    job = await rig.submit(f"{patient(rig, 'ran')}; cat", stdin="read late\n")
    await eventually(lambda: rig.marked("ran"))
    stdin = rig.config.state_dir / "workers" / "w1" / "attempts" / f"{job}.1" / "stdin"
    written_ns = stdin.stat().st_mtime_ns
    worker.kill()
    again = rig.process()
    await eventually(lambda: "attempt re-attached" in again.said())
    await rig.in_state(job, "RUNNING")
    (rig.marks / "go").touch()
    await rig.ended(job)
    assert stdin.stat().st_mtime_ns == written_ns
    assert await rig.output(job) == b"done\nread late\n"
