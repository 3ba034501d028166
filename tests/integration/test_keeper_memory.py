"""What survives whom: jobs outlive the worker and the keeper, and what is known of them the machine."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from relayq.errors import WorkerError
from relayq.worker import tree
from relayq.worker.keeping import Exited, KeeperClient, Started
from tests.integration.keeper_support import Home, alive, pid_in, shell
from tests.support import eventually

LINUX_ONLY = pytest.mark.skipif(sys.platform != "linux", reason="uses Linux limits on other processes")


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[Home]:
    async with Home(tmp_path / "state") as home:
        yield home


async def running(keeper: Home, key: str = "a.1", **more: object) -> Started:
    """A job that runs until it is told to end by the file `go`, and then exits with 5."""
    script = "while ! [ -e go ]; do sleep 0.02; done; exit 5"
    await keeper.client.start([keeper.order(key, *shell(script), **more)])
    return await keeper.event(Started)


def let_go(keeper: Home, key: str = "a.1") -> None:
    (keeper.dir(key) / "work" / "go").touch()


def kill_keeper(keeper: Home) -> int:
    pid = keeper.client.keeper_pid
    os.kill(pid, signal.SIGKILL)
    return pid


WORKER = """
import asyncio, json, sys
from relayq.worker.keeping import KeeperClient
async def main():
    async with await KeeperClient.open(sys.argv[1]) as client:
        await client.start([json.loads(sys.argv[2])])
        print((await client.events.get()).pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_jobs_outlive_a_worker_that_is_killed(keeper: Home) -> None:
    await keeper.client.close()
    order = keeper.order("a.1", *shell("while ! [ -e go ]; do sleep 0.02; done; exit 5"))
    argv = [sys.executable, "-c", WORKER, str(keeper.state_dir), json.dumps(order)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as worker:
        assert worker.stdout
        pid = int(await asyncio.to_thread(worker.stdout.readline))
        os.killpg(worker.pid, signal.SIGKILL)
    await keeper.reopen()
    assert keeper.client.held()["a.1"].pid == pid
    assert alive(pid)
    let_go(keeper)
    exited = await keeper.event(Exited)
    assert (exited.code, exited.reason) == (5, "exit")


async def test_an_end_that_nobody_heard_is_told_to_the_next_worker(keeper: Home) -> None:
    await running(keeper)
    await keeper.client.close()
    let_go(keeper)
    await keeper.until_keeper_left()
    await keeper.reopen()
    exited = keeper.client.held()["a.1"].exited
    assert exited is not None
    assert (exited.code, exited.reason) == (5, "exit")
    await keeper.client.start([keeper.order("a.1", "/bin/true")])
    assert await keeper.event(Exited) == exited


async def test_what_is_forgotten_does_not_come_back(keeper: Home) -> None:
    await keeper.run("a.1", "/bin/true")
    await keeper.client.forget(["a.1"])
    assert keeper.client.held() == {}
    await keeper.until(lambda: (keeper.state_dir / "keeper.journal").stat().st_size == 0)
    await keeper.reopen()
    assert keeper.client.held() == {}


async def test_a_running_job_cannot_be_forgotten(keeper: Home) -> None:
    await running(keeper)
    await keeper.client.forget(["a.1"])
    assert "a.1" in keeper.client.held()
    let_go(keeper)
    assert (await keeper.event(Exited)).code == 5


async def test_a_job_without_a_worker_ends_when_its_grace_is_over(keeper: Home) -> None:
    started = await running(keeper, orphan_ms=200)
    await running(keeper, "b.1", orphan_ms=600_000)
    await keeper.lose_link()
    await keeper.until(lambda: not alive(started.pid))
    await keeper.reopen()
    assert (await keeper.end_of("a.1")).reason == "orphan"
    assert keeper.client.held()["b.1"].exited is None


async def test_the_grace_of_a_job_does_not_run_while_its_worker_is_there(keeper: Home) -> None:
    started = await running(keeper, orphan_ms=100)
    await keeper.run("b.1", "sleep", "0.5")
    assert alive(started.pid)


async def test_jobs_outlive_a_keeper_that_is_killed(keeper: Home) -> None:
    started = await running(keeper)
    old = kill_keeper(keeper)
    await keeper.until(lambda: keeper.client.keeper_pid != old)
    assert alive(started.pid)
    let_go(keeper)
    exited = await keeper.event(Exited)
    assert (exited.code, exited.reason) == (-1, "keeper_lost")


async def test_the_next_keeper_can_still_end_the_whole_tree(keeper: Home) -> None:
    script = "setsid sleep 1000 & echo $! > pid; wait"
    await keeper.client.start([keeper.order("a.1", *shell(script))])
    started = await keeper.event(Started)
    child = await pid_in(keeper.dir("a.1") / "work" / "pid")
    old = kill_keeper(keeper)
    await keeper.until(lambda: keeper.client.keeper_pid != old)
    await keeper.client.kill("a.1", "cancelled")
    exited = await keeper.event(Exited)
    assert (exited.code, exited.reason) == (-1, "cancelled")
    assert not alive(started.pid)
    assert not alive(child)


async def test_a_kill_is_said_again_to_the_next_keeper(keeper: Home) -> None:
    script = "trap '' TERM; echo up; while :; do sleep 1000; done"
    await keeper.client.start([keeper.order("a.1", *shell(script), kill_ms=100)])
    await keeper.until(lambda: keeper.out("a.1") == b"up\n")
    kill_keeper(keeper)
    await keeper.client.kill("a.1", "cancelled")
    assert (await keeper.event(Exited)).reason == "cancelled"


async def test_a_timeout_holds_beyond_the_death_of_a_keeper(keeper: Home) -> None:
    await running(keeper, timeout_ms=700)
    kill_keeper(keeper)
    exited = await keeper.event(Exited)
    assert exited.reason == "timeout"
    assert exited.run_ms >= 600


async def test_an_order_the_dying_keeper_did_not_hear_is_given_to_the_next(keeper: Home) -> None:
    old = kill_keeper(keeper)
    exited = await keeper.run("a.1", *shell("exit 3"))
    assert exited.code == 3
    assert keeper.client.keeper_pid != old


async def test_a_job_that_ended_while_no_keeper_watched_is_known_as_lost(keeper: Home) -> None:
    started = await running(keeper)
    await keeper.lose_link()
    kill_keeper(keeper)
    os.kill(started.pid, signal.SIGKILL)
    await keeper.until(lambda: not alive(started.pid))
    await keeper.reopen()
    assert (await keeper.end_of("a.1")).reason == "keeper_lost"


def make_older(keeper: Home) -> None:
    """What the journal tells was before the last boot."""
    journal = keeper.state_dir / "keeper.journal"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    earlier = [line | {"boot": "another"} if "boot" in line else line for line in lines]
    journal.write_text("".join(json.dumps(line) + "\n" for line in earlier))


async def test_what_ended_before_a_reboot_ended_when_the_machine_came_up_at_the_latest(keeper: Home) -> None:
    exited = await keeper.run("a.1", *shell("exit 3"))
    await keeper.lose_link()
    kill_keeper(keeper)
    make_older(keeper)
    await keeper.reopen()
    assert await keeper.end_of("a.1") == replace(exited, ended_at=tree.AT_BOOT_S)


async def test_what_ran_before_a_reboot_is_known_as_lost_with_the_machine(keeper: Home) -> None:
    started = await running(keeper)
    await keeper.lose_link()
    kill_keeper(keeper)
    make_older(keeper)
    await keeper.reopen()
    exited = await keeper.end_of("a.1")
    assert (exited.code, exited.reason) == (-1, "machine_lost")
    assert not alive(started.pid)  # its mark, not its pid, tells that it is ours


async def test_a_process_whose_pid_was_never_written_down_is_found_by_its_mark(keeper: Home) -> None:
    started = await running(keeper)
    await keeper.lose_link()
    kill_keeper(keeper)
    journal = keeper.state_dir / "keeper.journal"
    journal.write_text(journal.read_text().splitlines()[0] + "\n")
    await keeper.reopen()
    assert (await keeper.end_of("a.1")).reason == "keeper_lost"
    assert not alive(started.pid)


async def test_an_end_is_remembered_though_keeper_and_worker_died_right_after(keeper: Home) -> None:
    exited = await keeper.run("a.1", *shell("exit 9"))
    await keeper.lose_link()
    kill_keeper(keeper)
    await keeper.reopen()
    assert keeper.client.held()["a.1"].exited == exited


async def test_a_torn_journal_loses_only_its_torn_line(keeper: Home) -> None:
    exited = await keeper.run("a.1", "/bin/true")
    await keeper.lose_link()
    kill_keeper(keeper)
    with (keeper.state_dir / "keeper.journal").open("ab") as journal:
        journal.write(
            b'garbage\n[]\n{"pid": 3}\n{"order": "b.1"}\n\xff\xfe\n{"exit": "zz"}\n{"order": "c.1", "di'
        )
    await keeper.reopen()
    assert {key: held.exited for key, held in keeper.client.held().items()} == {"a.1": exited}


async def test_the_journal_does_not_grow_for_ever(keeper: Home) -> None:
    await running(keeper)
    for turn in range(20):
        keys = [f"b{turn}-{number}.1" for number in range(50)]
        await keeper.client.start(
            keeper.order(key, "/bin/true", env={"RELAYQ_JOB_ID": "x" * 500}) for key in keys
        )
        for _ in keys:
            await keeper.event(Exited)
        await keeper.client.forget(keys)
    await keeper.until(keeper.has_forgotten_all_but("a.1"))
    assert (keeper.state_dir / "keeper.journal").stat().st_size < 300_000
    await keeper.lose_link()
    kill_keeper(keeper)
    await keeper.reopen()
    assert keeper.client.held().keys() == {"a.1"}


@LINUX_ONLY
async def test_a_full_disk_costs_no_event_and_is_caught_up_with(
    keeper: Home, caplog: pytest.LogCaptureFixture
) -> None:
    pid = keeper.client.keeper_pid
    script = f"until [ -e {keeper.state_dir}/go ]; do sleep 0.02; done; exit 3"
    await keeper.client.start([keeper.order("a.1", *shell(script))])
    await keeper.event(Started)
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
    (keeper.state_dir / "go").touch()
    exited = await keeper.event(Exited)
    assert exited.code == 3
    await keeper.until(lambda: "keeper in trouble" in caplog.messages)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    await keeper.until(lambda: b'"exit": "a.1"' in (keeper.state_dir / "keeper.journal").read_bytes())
    await keeper.lose_link()
    kill_keeper(keeper)
    await keeper.reopen()
    assert keeper.client.held()["a.1"].exited == exited


@LINUX_ONLY
async def test_what_a_full_disk_does_not_take_is_not_started(keeper: Home) -> None:
    pid = keeper.client.keeper_pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
    exited = await keeper.run("a.1", *shell(f"touch {keeper.state_dir}/ran"))
    assert exited.reason == "unwritten"
    assert "cannot be written: File too large" in exited.note
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    assert (await keeper.run("b.1", *shell("true"))).code == 0
    assert not (keeper.state_dir / "ran").exists()


async def test_a_keeper_leaves_at_once_when_its_worker_says_goodbye_and_nothing_runs(keeper: Home) -> None:
    await keeper.run("a.1", "/bin/true")
    await keeper.client.close()
    await keeper.until_keeper_left()
    assert not (keeper.state_dir / "keeper.sock").exists()


async def test_a_keeper_whose_worker_vanished_waits_a_little_and_leaves(keeper: Home) -> None:
    await keeper.lose_link()
    await keeper.until_keeper_left()


async def test_ten_workers_that_come_at_once_meet_one_keeper(tmp_path: Path) -> None:
    clients = await asyncio.gather(*(KeeperClient.open(tmp_path / "state") for _ in range(10)))
    assert len({client.keeper_pid for client in clients}) == 1
    for client in clients:
        await client.close()
    await eventually(lambda: not alive(clients[0].keeper_pid))


async def test_a_state_directory_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "keeper.lock").mkdir()
    with pytest.raises(WorkerError, match=r"cannot start in .*keeper\.lock"):
        await KeeperClient.open(tmp_path)


async def test_an_attempt_that_the_next_keeper_does_not_know_is_told_as_lost(keeper: Home) -> None:
    await running(keeper)
    (keeper.state_dir / "keeper.journal").unlink()
    kill_keeper(keeper)
    exited = await keeper.event(Exited)
    assert (exited.key, exited.code, exited.reason) == ("a.1", -1, "keeper_lost")


async def test_a_keeper_of_an_unknown_past_is_refused_with_a_sentence(tmp_path: Path) -> None:
    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"ev": "hello", "version": 0, "pid": 7, "held": []}\n')

    async with await asyncio.start_unix_server(greet, tmp_path / "keeper.sock"):
        with pytest.raises(WorkerError, match=r"\(pid 7\) is too old"):
            await KeeperClient.open(tmp_path)


async def test_a_newer_keeper_may_say_more_than_this_worker_understands(tmp_path: Path) -> None:
    exit_event = {"ev": "exit", "key": "a.1", "code": 3, "reason": "exit", "run_ms": 1, "note": "", "new": 1}
    entry = {"key": "a.1", "pid": 9, "start": 5, "exit": exit_event, "new": 2}
    hello = {"ev": "hello", "version": 99, "pid": 7, "held": [entry], "new": 3}

    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(hello).encode() + b'\n{"ev": "weather"}\n')

    async with (
        await asyncio.start_unix_server(greet, tmp_path / "keeper.sock"),
        await KeeperClient.open(tmp_path) as client,
    ):
        assert client.keeper_version == 99
        assert client.held()["a.1"].exited == Exited(key="a.1", code=3, reason="exit", run_ms=1)
