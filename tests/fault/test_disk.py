"""A worker's disk is full: jobs are told, nothing crashes, and work goes on when there is room."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fault.disk import Limited, Mounted, mount
from tests.integration.worker_support import Rig, WorkerProcess, keeper_of
from tests.support import eventually

FULL = (b"No space left on device", b"File too large")
TOO_MUCH = "trap '' XFSZ; echo begun >&2; head -c 50000000 /dev/zero"


@pytest.fixture(params=["mounted", "limited"])
def disk(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A small disk for the workers' state: a file system where this user may mount one, else limits."""
    path = home / "state"
    path.mkdir()
    become_root = mount(path) if request.param == "mounted" else None
    disk = Limited(path, home) if become_root is None else Mounted(path, become_root)
    monkeypatch.setenv("RELAYQ_STATE_DIR", str(path))
    yield disk
    disk.close()


@pytest.fixture
async def worker(disk: Mounted | Limited, rig: Rig) -> WorkerProcess:
    """A worker process with that disk."""
    worker = rig.process("w1", "--slots", "1")
    await rig.online("w1")
    disk.free()
    return worker


async def fails_for_room(rig: Rig, job: str) -> None:
    """A job ends with the error of its own write, and says so."""
    record = await rig.ended(job)
    assert (record.state, record.reason, record.crashes) == ("FAILED", "exit", 0)
    said = await rig.output(job, 2)
    assert any(words in said for words in FULL), said


async def test_a_job_that_writes_too_much_is_told_and_the_next_one_runs(
    rig: Rig, worker: WorkerProcess
) -> None:
    await fails_for_room(rig, await rig.submit(f"{TOO_MUCH} > big || {{ rm big; exit 1; }}"))
    await fails_for_room(rig, await rig.submit(TOO_MUCH))
    job = await rig.submit(rig.mark("ran") + "; echo fine")
    assert (await rig.ended(job)).state == "SUCCEEDED"
    assert await rig.output(job) == b"fine\n"
    assert rig.marked("ran") == ["x"]
    assert "Traceback" not in worker.said()


async def test_a_worker_without_a_byte_left_waits_until_there_is_room(
    rig: Rig, disk: Mounted | Limited, worker: WorkerProcess
) -> None:
    running = await rig.submit(f"{rig.mark('begun')}; until [ -e {rig.marks}/go ]; do sleep 0.05; done")
    await eventually(lambda: rig.marked("begun"))
    disk.fill()
    (rig.marks / "go").touch()
    assert (await rig.ended(running)).state == "SUCCEEDED"
    jobs = [await rig.submit(rig.mark(f"ran-{n}")) for n in range(3)]
    await eventually(lambda: "nothing new is taken" in worker.said())
    disk.free()
    for job in jobs:
        record = await rig.ended(job)
        assert (record.state, record.crashes) == ("SUCCEEDED", 0)
    assert [rig.marked(f"ran-{n}") for n in range(3)] == [["x"]] * 3
    assert worker.process.poll() is None
    assert worker.said().count("nothing new is taken") == 1
    assert worker.said().count("the disk has room again") == 1
    assert "Traceback" not in worker.said()


@pytest.mark.skipif(sys.platform != "linux", reason="uses Linux limits on other processes")
async def test_a_job_that_the_keeper_cannot_write_down_goes_back_and_runs_later(rig: Rig) -> None:
    worker = rig.process("w1", "--slots", "1")
    await rig.ended(await rig.submit("true"))
    keeper = keeper_of(rig, "w1")
    unlimited = resource.prlimit(keeper, resource.RLIMIT_FSIZE)
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, (0, unlimited[1]))
    job = await rig.submit(rig.mark("ran"))
    await eventually(lambda: "claims go back and nothing new is taken" in worker.said())
    assert rig.marked("ran") == []
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, unlimited)
    record = await rig.ended(job)
    assert (record.state, record.crashes) == ("SUCCEEDED", 0)
    assert rig.marked("ran") == ["x"]
    assert "Traceback" not in worker.said()
