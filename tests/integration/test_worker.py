"""A worker runs signed jobs with real processes and tells the hub how they ended."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.model.job import JobSpec
from relayq.store import decode
from tests.integration.worker_support import Rig, patient
from tests.support import eventually


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path) -> AsyncIterator[Rig]:
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


async def test_a_jobs_exit_code_and_output_reach_the_hub(rig: Rig) -> None:
    async with rig.worker():
        good = await rig.submit("echo out; echo err >&2")
        bad = await rig.submit(["sh", "-c", "exit 7"])
        record = await rig.ended(good)
        assert (record.state, record.exit_code, record.worker) == ("SUCCEEDED", 0, "w1")
        assert (await rig.output(good), await rig.output(good, 2)) == (b"out\n", b"err\n")
        record = await rig.ended(bad)
        assert (record.state, record.exit_code, record.reason) == ("FAILED", 7, "exit")


async def test_a_job_that_nobody_can_run_expires_at_its_deadline(rig: Rig) -> None:
    async with rig.worker():
        await rig.ended(await rig.submit("true"))
        record = await rig.ended(await rig.submit("true", needs=["moon"], deadline="1s"))
        assert (record.state, record.reason) == ("EXPIRED", "deadline")
        assert 1_000 <= record.ended_ms - record.submitted_ms < 4_000


async def test_a_command_that_does_not_exist_fails_as_a_shell_would_say(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(["/no/such/program"])
        record = await rig.ended(job)
        assert (record.state, record.exit_code) == ("FAILED", 127)
        assert b"/no/such/program" in await rig.output(job, 2)


async def test_a_job_sees_a_clean_environment_with_its_own_names(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKERS_SECRET", "hush")
    async with rig.worker():
        job = await rig.submit("env -0", env={"GREETING": "hello"})
        await rig.ended(job)
        output = (await rig.output(job)).decode()
    env = dict(pair.split("=", 1) for pair in output.split("\0") if "=" in pair)
    assert env["GREETING"] == "hello"
    assert env["RELAYQ_JOB_ID"] == env["AWS_BATCH_JOB_ID"] == job
    assert env["RELAYQ_ATTEMPT"] == env["AWS_BATCH_JOB_ATTEMPT"] == "1"
    assert env["RELAYQ_QUEUE"] == env["AWS_BATCH_JQ_NAME"] == "default"
    assert env["RELAYQ_WORKER"] == "w1"
    assert env["RELAYQ_FENCE"].startswith("1:w1#")
    assert env["PATH"] == os.environ["PATH"]
    assert "WORKERS_SECRET" not in env


async def test_a_job_has_a_work_directory_a_stdin_and_may_choose_another_place(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit('test "$PWD" = "$RELAYQ_WORKDIR" && cat', stdin="what it reads")
        elsewhere = await rig.submit("pwd", cwd=str(rig.marks))
        assert (await rig.ended(job)).exit_code == 0
        assert await rig.output(job) == b"what it reads"
        await rig.ended(elsewhere)
        assert (await rig.output(elsewhere)).decode().strip() == str(rig.marks)


async def test_a_failed_attempt_is_followed_by_another_as_the_policy_says(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(
            'echo attempt $RELAYQ_ATTEMPT; [ "$RELAYQ_ATTEMPT" = 3 ]', attempts=4, backoff=0
        )
        other = await rig.submit(rig.mark("ran") + "; exit 9", attempts=4, backoff=0, retry_on="75")
        record = await rig.ended(job)
        assert (record.state, record.attempt) == ("SUCCEEDED", 3)
        assert (await rig.ended(other)).attempt == 1
        assert rig.marked("ran") == ["x"]


async def test_a_timeout_ends_the_whole_tree(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("sleep 300 & echo $!; sleep 301", timeout="300ms")
        record = await rig.ended(job)
        assert (record.state, record.reason) == ("FAILED", "timeout")
        child = int(await rig.output(job))
        await eventually(lambda: not Path(f"/proc/{child}").exists())


async def test_a_short_job_that_was_pushed_costs_one_sync(rig: Rig) -> None:
    async def syncs() -> int:
        """Each sync that has read a letter trims the mailbox."""
        stats = decode.text(await rig.hub.link.call("INFO", "commandstats"))
        return int(stats.partition("cmdstat_xtrim:calls=")[2].partition(",")[0] or 0)

    async with rig.worker():
        await rig.ended(await rig.submit("true"))
        before = await syncs()
        for _ in range(12):  # longer together than a claim waits for its acknowledgement
            await rig.ended(await rig.submit("sleep 0.1"))
        assert await syncs() - before <= 16  # and a few, should this machine be slow


async def test_a_running_job_is_cancelled(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("sleep 300")
        await rig.in_state(job, "RUNNING")
        assert await rig.jobs.cancel(job) == "asked"
        assert (await rig.ended(job)).state == "CANCELLED"


async def test_a_cancel_that_overtakes_its_claim_is_carried_out_at_once(rig: Rig) -> None:
    async with rig.worker(slots=4):
        for _ in range(25):
            job = await rig.submit("sleep 60")
            assert await rig.jobs.cancel(job) in ("asked", "cancelled")
            assert (await rig.ended(job, timeout_s=5)).state == "CANCELLED"


async def test_a_job_that_ignores_its_cancel_is_killed_at_once(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("trap '' TERM; echo deaf; while :; do sleep 1; done", cwd=str(rig.marks))
        await rig.in_state(job, "RUNNING")
        await eventually(lambda: rig.output(job))
        await rig.jobs.cancel(job)
        assert (await rig.record(job)).state == "RUNNING"
        assert await rig.jobs.cancel(job, kill=True) == "asked"
        record = await rig.ended(job, timeout_s=10)
        assert (record.state, record.exit_code) == ("CANCELLED", 137)


async def test_a_job_that_waits_for_room_is_cancelled_without_having_run(rig: Rig) -> None:
    async with rig.worker(slots=1):
        blocker = await rig.submit("sleep 300")
        await rig.in_state(blocker, "RUNNING")
        job = await rig.submit(rig.mark("ran"))
        await rig.jobs.cancel(job)
        await rig.jobs.cancel(blocker)
        assert (await rig.ended(blocker)).state == "CANCELLED"
        assert (await rig.record(job)).state == "CANCELLED"
        assert rig.marked("ran") == []


async def test_every_element_of_an_array_runs_once_with_its_index(rig: Rig) -> None:
    async with rig.worker(slots=4):
        job = await rig.submit(rig.mark("ran", "$RELAYQ_ARRAY_INDEX/$RELAYQ_ARRAY_SIZE"), array="5-24")
        assert (await rig.ended(job)).state == "SUCCEEDED"
    assert sorted(rig.marked("ran")) == sorted(f"{index}/20" for index in range(5, 25))


async def test_a_batch_is_drained_and_every_job_runs_once(rig: Rig) -> None:
    specs = [JobSpec.from_dict({"command": rig.mark("ran", str(number))}) for number in range(60)]
    ids = await rig.submit_batch(specs)
    async with rig.worker(slots=3):
        assert {(await rig.ended(job)).state for job in ids} == {"SUCCEEDED"}
    assert sorted(map(int, rig.marked("ran"))) == list(range(60))


async def test_an_exclusive_job_runs_alone(rig: Rig) -> None:
    alone = f'[ -z "$(ls {rig.marks}/on-* 2>/dev/null)" ]'
    beside = f"touch {rig.marks}/on-$RELAYQ_JOB_ID; sleep 0.05; rm {rig.marks}/on-$RELAYQ_JOB_ID"
    specs = [JobSpec.from_dict({"command": beside}) for _ in range(6)]
    specs[3:3] = [JobSpec.from_dict({"command": alone, "needs": ["exclusive"]})] * 2
    ids = await rig.submit_batch(specs)
    async with rig.worker(slots=3):
        assert {(await rig.ended(job)).state for job in ids} == {"SUCCEEDED"}


async def test_the_hub_is_told_why_a_lane_is_not_served(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("true", needs=["tool:no-such-tool", "moon"])

        async def look() -> bool:
            return bool((await rig.online("w1")).unserved)

        await eventually(look)
        worker = await rig.online("w1")
        (reason,) = worker.unserved.values()
        assert "no-such-tool" in reason
        assert "moon" in reason
        assert (await rig.record(job)).state == "RUNNABLE"


async def test_progress_lines_are_shown(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(
            f"echo '::relayq progress=42 message=hi::'; until [ -e {rig.marks}/go ]; do sleep 0.05; done"
        )
        await rig.logs.watch(job)

        async def look() -> bool:
            record = await rig.record(job)
            return (record.progress, record.message) == (42.0, "hi")

        await eventually(look)
        (rig.marks / "go").touch()
        await rig.ended(job)


async def test_secrets_are_masked_in_what_a_job_says_of_its_progress(rig: Rig) -> None:
    async with rig.worker():
        told = 'echo "7 with $TOKEN" > $RELAYQ_PROGRESS'
        job = await rig.submit(f"{told}; {patient(rig, 'ran')}", secrets={"TOKEN": "hunter2"})
        await rig.logs.watch(job)

        async def look() -> str:
            return (await rig.record(job)).message

        assert await eventually(look) == "with *******"
        (rig.marks / "go").touch()
        await rig.ended(job)


async def test_output_of_a_followed_job_arrives_while_it_runs(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit(f"echo early; until [ -e {rig.marks}/go ]; do sleep 0.05; done; echo late")
        await rig.in_state(job, "RUNNING")
        await rig.logs.watch(job)
        await eventually(lambda: rig.output(job), timeout_s=3)
        assert await rig.output(job) == b"early\n"
        (rig.marks / "go").touch()
        await rig.ended(job)
        assert await rig.output(job) == b"early\nlate\n"


async def test_the_head_and_the_tail_of_too_much_output_are_kept(rig: Rig) -> None:
    async with rig.worker():
        job = await rig.submit("echo first; head -c 9000000 /dev/zero | tr '\\0' x; echo; echo last")
        assert (await rig.ended(job)).state == "SUCCEEDED"
        output = await rig.output(job)
        assert output.startswith(b"first\n")
        assert output.endswith(b"\nlast\n")
        assert len(output) < 2_000_000


async def test_a_worker_leaves_when_it_has_been_idle_for_long(rig: Rig) -> None:
    job = await rig.submit("true")  # before it starts: it may leave as soon as it is idle
    async with rig.worker(idle_exit_s=0.3) as worker:
        await rig.ended(job)
        await eventually(lambda: worker.has_left)


async def test_once_leaves_when_nothing_is_left_to_do(rig: Rig) -> None:
    ids = [await rig.submit("true") for _ in range(5)]
    async with rig.worker(wait=False, once=True) as worker:
        await eventually(lambda: worker.has_left)
    assert {(await rig.record(job)).state for job in ids} == {"SUCCEEDED"}


async def test_a_quiet_worker_takes_nothing_until_it_is_told_to_resume(rig: Rig) -> None:
    async with rig.worker():
        assert await rig.workers.command("w1", "quiet")

        async def is_quiet() -> bool:
            return "takes_nothing" in (await rig.online("w1")).facts

        await eventually(is_quiet)
        job = await rig.submit("true")
        await rig.workers.command("w1", "resume")
        assert (await rig.ended(job)).state == "SUCCEEDED"


async def test_what_succeeded_leaves_no_work_directory_and_what_failed_keeps_it(rig: Rig) -> None:
    async with rig.worker():
        good = await rig.submit("touch result")
        loud = await rig.submit("touch result; echo said")
        bad = await rig.submit("touch result; exit 1")
        for job in (good, loud, bad):
            await rig.ended(job)
        attempts = rig.config.state_dir / "workers/w1/attempts"
        await eventually(lambda: not (attempts / f"{good}.1").exists())
        await eventually(lambda: not (attempts / f"{loud}.1/work").exists())
        assert (attempts / f"{loud}.1/out").read_text() == "said\n"
        assert (attempts / f"{bad}.1/work/result").exists()


async def test_the_worker_tells_what_it_is(rig: Rig) -> None:
    async with rig.worker(labels=("heavy",)):
        worker = await rig.online("w1")
        assert {"version", "python", "load", "rtt_ms", "kill_level"} <= set(worker.facts)
        assert "heavy" in json.dumps(worker.offer)


async def test_a_directory_in_which_nothing_was_left_serves_the_next_job(rig: Rig) -> None:
    async def place(command: str) -> tuple[str, bytes]:
        job = await rig.submit(["sh", "-c", f"stat -c %i .. > {rig.marks}/inode; {command}"])
        await rig.ended(job)
        return (rig.marks / "inode").read_text(), await rig.output(job)

    async with rig.worker(slots=1):
        served: set[tuple[str, bytes]] = set()

        async def comes_again() -> bool:
            here = await place("true")
            known = here in served
            served.add(here)
            return known

        await eventually(comes_again, "the directory of a job has served another")
        talkative = await place("echo hush > kept; echo said")
        assert talkative[1] == b"said\n"
        after = await place("ls -A; ls -A ..")
        assert after[1].split() == [b"err", b"out", b"work"]
        assert after[0] != talkative[0]


@pytest.mark.parametrize("place", ["mkfifo progress", "rm out; mkdir out", "rm -r ../*.1"])
async def test_a_worker_survives_what_a_job_puts_in_the_place_of_its_files(rig: Rig, place: str) -> None:
    worker = rig.process()
    job = await rig.submit(f"echo hello; cd ..; {place}; {patient(rig, 'ran')}")
    await eventually(lambda: rig.marked("ran"))
    await rig.logs.watch(job)
    after = await rig.submit("true")
    assert (await rig.ended(after)).state == "SUCCEEDED"
    (rig.marks / "go").touch()
    assert (await rig.ended(job)).state == "SUCCEEDED"
    assert worker.process.poll() is None
