"""Job types that run inside the worker, registered as a stranger's package would."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.worker_support import Rig
from tests.support import eventually

MODULE = '''
import asyncio
from relayq.errors import SpecError
from relayq.plugins import Outcome


class Chatty:
    """Does what its args say."""

    name = "chatty"

    def check(self, spec):
        if spec.args is None:
            raise SpecError("args are missing (field 'args')")

    async def run(self, attempt):
        attempt.write(b"hello\\n")
        attempt.write(b"oops\\n", 2)
        match attempt.spec.args["do"]:
            case "result":
                (attempt.workdir / "made").touch()
                return Outcome(ok=True, result=b"forty-two")
            case "fail":
                return Outcome(ok=False, exit_code=9)
            case "raise":
                raise ValueError("a stranger's mistake")
            case "progress":
                attempt.report(55.0, "half way")
                await attempt.cancelled.wait()
                return Outcome(ok=False, exit_code=1)
            case "deaf":
                await asyncio.get_running_loop().create_future()
            case "cancel-itself":
                raise asyncio.CancelledError
            case "stubborn":
                try:
                    await asyncio.get_running_loop().create_future()
                except asyncio.CancelledError:
                    await asyncio.get_running_loop().create_future()
            case "hang-after":
                outcome = await attempt.spawn(attempt.spec.args["argv"], env={})
                attempt.report(50.0, outcome.reason)
                await asyncio.get_running_loop().create_future()
'''


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    package = home / "site"
    info = package / "chatty-1.dist-info"
    info.mkdir(parents=True)
    (package / "chatty_type.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chatty\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[relayq.job_types]\nchatty = chatty_type:Chatty\nbroken = no_such_module:X\n"
    )
    monkeypatch.syspath_prepend(package)
    monkeypatch.delitem(sys.modules, "chatty_type", raising=False)
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


async def chat(rig: Rig, do: str, *argv: str, **fields: Any) -> str:
    return await rig.submit("-", type="chatty", args={"do": do, "argv": argv}, **fields)


async def said(rig: Rig, job: str, message: str) -> None:
    async def look() -> bool:
        return (await rig.record(job)).message == message

    await eventually(look, f"the job type says {message!r}")


async def test_a_job_type_gives_output_and_a_result(rig: Rig) -> None:
    async with rig.worker():
        job = await chat(rig, "result")
        record = await rig.ended(job)
        assert (record.state, record.result) == ("SUCCEEDED", b"forty-two")
        assert (await rig.output(job), await rig.output(job, 2)) == (b"hello\n", b"oops\n")


async def test_a_job_type_says_how_it_failed(rig: Rig) -> None:
    async with rig.worker():
        record = await rig.ended(await chat(rig, "fail"))
        assert (record.state, record.exit_code) == ("FAILED", 9)


async def test_what_a_job_type_raises_fails_the_job_and_nothing_else(rig: Rig) -> None:
    async with rig.worker():
        job = await chat(rig, "raise")
        assert (await rig.ended(job)).state == "FAILED"
        assert b"a stranger's mistake" in await rig.output(job, 2)
        assert (await rig.ended(await chat(rig, "cancel-itself"))).state == "FAILED"
        assert (await rig.ended(await chat(rig, "result"))).state == "SUCCEEDED"


async def test_a_spec_that_the_type_refuses_fails_the_job(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("-", type="chatty")
        assert (await rig.ended(job)).state == "FAILED"
        assert b"args are missing" in await rig.output(job, 2)


async def test_progress_of_a_job_type_is_shown_and_it_is_told_of_a_cancel(rig: Rig) -> None:
    async with rig.worker():
        job = await chat(rig, "progress")

        async def look() -> bool:
            record = await rig.record(job)
            return (record.progress, record.message) == (55.0, "half way")

        await eventually(look)
        await rig.jobs.cancel(job)
        assert (await rig.ended(job)).state == "CANCELLED"


async def test_a_job_type_that_takes_too_long_is_told_to_end(rig: Rig) -> None:
    async with rig.worker():
        record = await rig.ended(await chat(rig, "progress", timeout="200ms"))
        assert (record.state, record.reason) == ("FAILED", "timeout")


async def test_a_job_type_that_does_not_listen_is_cancelled(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayq.worker.runner.KILL_S", 0.1)
    async with rig.worker():
        record = await rig.ended(await chat(rig, "deaf", timeout="100ms"))
        assert (record.state, record.reason) == ("FAILED", "timeout")


async def test_a_job_type_that_goes_on_after_a_cancel_of_its_task_is_cancelled_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayq.worker.runner.KILL_S", 0.1)
    async with rig.worker():
        record = await rig.ended(await chat(rig, "stubborn", timeout="100ms"))
        assert (record.state, record.reason) == ("FAILED", "timeout")


async def test_a_job_type_that_hangs_after_its_command_takes_too_long(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayq.worker.runner.KILL_S", 0.1)
    async with rig.worker(slots=1):
        hung = await chat(rig, "hang-after", "true", timeout="500ms")
        assert (await rig.ended(hung)).reason == "timeout"
        assert (await rig.ended(await rig.submit("true"))).state == "SUCCEEDED"


async def test_a_job_type_that_hangs_after_its_command_is_cancelled(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayq.worker.runner.KILL_S", 0.1)
    async with rig.worker():
        job = await chat(rig, "hang-after", "true")
        await said(rig, job, "exit")
        await rig.jobs.cancel(job)
        assert (await rig.ended(job)).state == "CANCELLED"


async def test_a_job_type_that_hangs_after_its_command_was_cancelled_ends_too(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayq.worker.runner.KILL_S", 0.1)
    async with rig.worker():
        job = await chat(rig, "hang-after", "sleep", "600")
        await rig.in_state(job, "RUNNING")
        await rig.jobs.cancel(job)
        assert (await rig.ended(job)).state == "CANCELLED"


async def test_a_job_type_that_hangs_after_its_command_took_too_long_ends_too(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayq.worker.runner.KILL_S", 0.1)
    async with rig.worker():
        record = await rig.ended(await chat(rig, "hang-after", "sleep", "600", timeout="200ms"))
        assert (record.state, record.reason) == ("FAILED", "timeout")


async def test_what_runs_in_process_goes_back_to_the_queue_when_the_worker_leaves(rig: Rig) -> None:
    async with rig.worker():
        job = await chat(rig, "progress")
        await rig.in_state(job, "RUNNING")
    record = await rig.record(job)
    assert (record.state, record.crashes) == ("RUNNABLE", 0)


async def test_a_type_that_cannot_be_imported_is_not_offered(rig: Rig) -> None:
    async with rig.worker():
        worker = await rig.online("w1")
        offered = set(worker.offer["types"])  # others may be installed beside the tests
        assert offered >= {"chatty", "shell"} and "broken" not in offered
