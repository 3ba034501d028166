"""Workers as processes: killed, stopped, restarted, cut off, refused."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.model.job import JobSpec
from relayq.store.fleet import silent_ms
from tests.integration.worker_support import Rig, child_of, keeper_of, patient
from tests.support import PrivateServer, eventually


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path) -> AsyncIterator[Rig]:
    rig = Rig(hub_url, fleet, home)
    async with rig.hub:
        yield rig


async def test_a_killed_worker_takes_its_running_jobs_back(rig: Rig) -> None:
    worker = rig.process("w1", "--slots", "3")
    running = [await rig.submit(patient(rig, f"ran-{number}")) for number in range(3)]
    queued = [await rig.submit(rig.mark(f"ran-{number}")) for number in range(3, 8)]
    await eventually(lambda: all(rig.marked(f"ran-{number}") for number in range(3)))
    worker.kill()
    (rig.marks / "go").touch()
    rig.process("w1", "--slots", "3")
    for job in running + queued:
        record = await rig.ended(job)
        assert (record.state, record.attempt, record.crashes) == ("SUCCEEDED", 1, 0)
    assert [rig.marked(f"ran-{number}") for number in range(8)] == [["x"]] * 8
    assert await rig.output(running[0]) == b"done\n"


async def test_a_job_that_ended_while_no_worker_was_there_is_reported_by_the_next(rig: Rig) -> None:
    worker = rig.process()
    job = await rig.submit(patient(rig, "ran") + f"; {rig.mark('over')}; exit 3")
    await eventually(lambda: rig.marked("ran"))
    worker.kill()
    (rig.marks / "go").touch()
    await eventually(lambda: rig.marked("over"))
    await rig.hub.send("HINCRBY", rig.hub.keys.anchor, "shift", 50_000)  # of the lease a moment is left
    rig.process()
    record = await rig.ended(job)
    assert (record.state, record.exit_code, record.crashes) == ("FAILED", 3, 0)
    assert record.ended_ms - record.started_ms < 40_000
    assert rig.marked("ran") == ["x"]


async def test_a_stopped_worker_leaves_what_runs_to_its_next_start(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYQ_WORKER_STOP_DEADLINE", "300ms")
    worker = rig.process("w1", "--slots", "1")
    job = await rig.submit(patient(rig, "ran"))
    await eventually(lambda: rig.marked("ran"))
    worker.signal(signal.SIGTERM)
    assert await worker.left() == 1
    assert "worker left" in worker.said()
    (rig.marks / "go").touch()
    rig.process()
    record = await rig.ended(job)
    assert (record.state, record.attempt) == ("SUCCEEDED", 1)
    assert rig.marked("ran") == ["x"]


async def test_a_stopping_worker_lets_what_runs_finish_and_takes_nothing_new(rig: Rig) -> None:
    worker = rig.process("w1", "--slots", "1")
    job = await rig.submit(patient(rig, "ran"))
    await eventually(lambda: rig.marked("ran"))
    later = await rig.submit("true")
    worker.signal(signal.SIGTERM)
    await eventually(lambda: "stopping" in worker.said())
    (rig.marks / "go").touch()
    assert await worker.left() == 0
    assert (await rig.record(job)).state == "SUCCEEDED"
    assert (await rig.record(later)).state == "RUNNABLE"


async def test_kill_on_stop_ends_what_runs_and_gives_it_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYQ_WORKER_STOP_DEADLINE", "100ms")
    worker = rig.process("w1", "--kill")
    job = await rig.submit(f"echo $$ > {rig.marks}/pid; exec sleep 300")
    await eventually(lambda: rig.marked("pid"))
    worker.signal(signal.SIGTERM)
    assert await worker.left() == 0
    assert not Path(f"/proc/{rig.marked('pid')[0]}").exists()
    record = await rig.record(job)
    assert (record.state, record.crashes) == ("RUNNABLE", 0)


async def test_a_second_worker_of_the_same_name_is_refused_with_a_sentence(rig: Rig) -> None:
    rig.process()
    await rig.online("w1")
    second = rig.process()
    assert await second.left() == 125
    assert "Worker 'w1' runs here already" in second.said()
    assert "Traceback" not in second.said()


async def test_a_wrong_password_ends_the_worker_with_one_sentence(
    own_server: PrivateServer, fleet: str, home: Path
) -> None:
    own_server.call("CONFIG", "SET", "requirepass", "right")
    rig = Rig(own_server.url.replace("unix://", "unix://:mistaken@"), fleet, home)
    worker = rig.process()
    assert await worker.left() == 125
    assert "refused the user or password" in worker.said()
    assert "Traceback" not in worker.said()
    assert "mistaken" not in worker.said()


async def test_a_worker_waits_for_its_hub_and_says_so_once(
    own_server: PrivateServer, fleet: str, home: Path
) -> None:
    own_server.kill()
    rig = Rig(own_server.url, fleet, home)
    worker = rig.process()
    await eventually(lambda: "hub unreachable" in worker.said())
    own_server.start()
    async with rig.hub:
        job = await rig.submit("true")
        assert (await rig.ended(job)).state == "SUCCEEDED"
    assert worker.said().count("hub unreachable") == 1
    assert worker.said().count("hub reachable again") == 1


async def test_a_job_that_ended_while_the_hub_was_away_is_reported_with_its_output(
    own_server: PrivateServer, fleet: str, home: Path
) -> None:
    rig = Rig(own_server.url, fleet, home)
    async with rig.hub:
        worker = rig.process()
        job = await rig.submit(patient(rig, "ran") + f"; {rig.mark('over')}")
        await eventually(lambda: rig.marked("ran"))
        own_server.kill()
        (rig.marks / "go").touch()
        await eventually(lambda: rig.marked("over"))
        own_server.start()
        record = await rig.ended(job, timeout_s=40)
        assert (record.state, record.attempt, record.crashes) == ("SUCCEEDED", 1, 0)
        assert await rig.output(job) == b"done\n"
        assert "Traceback" not in worker.said()


async def test_jobs_survive_the_hubs_death_in_a_drain(
    own_server: PrivateServer, fleet: str, home: Path
) -> None:
    rig = Rig(own_server.url, fleet, home)
    async with rig.hub:
        rig.process("w1", "--slots", "2")
        ids = [await rig.submit(rig.mark(f"ran-{number}")) for number in range(60)]
        await eventually(lambda: rig.marked("ran-20"))
        own_server.kill()
        own_server.start()
        assert {(await rig.ended(job, timeout_s=60)).state for job in ids} == {"SUCCEEDED"}
    assert [rig.marked(f"ran-{number}") for number in range(60)] == [["x"]] * 60


async def test_a_keeper_that_is_killed_costs_a_crash_and_not_the_job(rig: Rig) -> None:
    rig.process()
    job = await rig.submit(f"{rig.mark('ran')}; [ $(wc -l < {rig.marks}/ran) -gt 1 ] || exec sleep 300")
    await eventually(lambda: rig.marked("ran"))
    os.kill(keeper_of(rig, "w1"), signal.SIGKILL)
    os.kill(int(child_of(job)), signal.SIGKILL)
    record = await rig.ended(job)
    assert (record.state, record.crashes) == ("SUCCEEDED", 1)


async def test_very_many_claims_at_once_are_all_judged_by_their_own_record(rig: Rig) -> None:
    worker = rig.process("w1", "--slots", "80")
    await rig.online("w1")
    assert (await rig.ended(await rig.submit("true"))).state == "SUCCEEDED"
    worker.signal(signal.SIGSTOP)
    batches = [await rig.submit_batch([JobSpec.from_dict({"command": "true"})]) for _ in range(75)]
    worker.signal(signal.SIGCONT)
    ended = [await rig.ended(job) for (job,) in batches]
    assert {record.state for record in ended} == {"SUCCEEDED"}


async def test_a_killed_worker_is_silent_until_the_next_one_of_its_name_takes_its_place(rig: Rig) -> None:
    worker = rig.process("w1")
    job = await rig.submit(patient(rig, "ran"))
    await eventually(lambda: rig.marked("ran"))
    worker.kill()
    killed = await rig.online("w1")
    await rig.hub.link.call("ZINCRBY", rig.hub.keys.prefix + "wlive", -40_000, killed.session)
    now_ms = int((await rig.hub.link.call("TIME"))[0]) * 1000
    [silent] = await rig.workers.list()
    assert silent.online and silent_ms(silent, now_ms) >= 38_000
    rig.process("w1")

    async def is_back() -> bool:
        [one] = await rig.workers.list()
        return one.session != killed.session and one.running == {job: 1} and not silent_ms(one, now_ms)

    await eventually(is_back, "the next one stands in its place")
    (rig.marks / "go").touch()
    assert (await rig.ended(job)).state == "SUCCEEDED"
