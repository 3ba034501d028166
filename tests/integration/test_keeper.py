"""The keeper and its client, with real processes: what starts, how it ends, what is left of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relayq.worker import tree
from relayq.worker.keeping import KEEPER, Exited, KeeperClient, Started
from tests.integration.keeper_support import Home, alive, pid_in, shell

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs processes and unix sockets")


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[Home]:
    async with Home(tmp_path / "state") as home:
        yield home


async def test_a_command_starts_and_its_exit_code_is_told(keeper: Home) -> None:
    await keeper.client.start([keeper.order("a.1", *shell("echo hello; echo oops >&2; exit 3"))])
    started = await keeper.event(Started)
    exited = await keeper.event(Exited)
    assert started.key == exited.key == "a.1"
    assert started.pid > 1
    assert started.start > 0
    assert (exited.code, exited.reason) == (3, "exit")
    assert keeper.out("a.1") == b"hello\n"
    assert keeper.out("a.1", "err") == b"oops\n"


@pytest.mark.parametrize(
    ("argv", "code", "reason"),
    [
        (["/bin/true"], 0, "exit"),
        (["/bin/false"], 1, "exit"),
        (["sh", "-c", "kill -9 $$"], 137, "exit"),
        (["sh", "-c", "kill -15 $$"], 143, "exit"),
        (["sh", "-c", "kill -1 $$"], 129, "exit"),  # -1 is also how an unknown end is told
        (["no-such-command-anywhere"], 127, "spawn"),
        (["/etc/passwd"], 126, "spawn"),
        (["nul\0byte"], 126, "spawn"),
    ],
)
async def test_exit_codes_are_those_a_shell_would_give(
    keeper: Home, argv: list[str], code: int, reason: str
) -> None:
    exited = await keeper.run("a.1", *argv)
    assert (exited.code, exited.reason) == (code, reason)


async def test_a_command_that_cannot_start_says_why_in_its_own_stderr(keeper: Home) -> None:
    exited = await keeper.run("a.1", "no-such-command-anywhere")
    assert "no-such-command-anywhere" in exited.note
    assert b"relayq: cannot start 'no-such-command-anywhere'" in keeper.out("a.1", "err")


async def test_a_missing_working_directory_is_not_a_missing_command(keeper: Home) -> None:
    exited = await keeper.run("a.1", "/bin/true", cwd="/no/such/directory")
    assert (exited.code, exited.reason) == (126, "spawn")
    assert "/no/such/directory" in exited.note


async def test_the_environment_is_exactly_the_one_ordered(keeper: Home) -> None:
    env = {"ONE": "1", "EMPTY": "", "ÜMLAUT": "ä\udcff", "LINES": "a\nb"}
    await keeper.run("a.1", "/usr/bin/env", "-0", env=env)
    expected = {os.fsencode(f"{name}={value}") for name, value in env.items()}
    assert set(keeper.out("a.1").rstrip(b"\0").split(b"\0")) == expected


async def test_limits_leave_the_environment_alone_and_hold(keeper: Home) -> None:
    script = """
        ulimit -S -f
        until [ $(ulimit -H -f) = 100 ] && [ $(nice) = 5 ]; do :; done
        head -c 100000 /dev/zero > big
    """
    limits = {"fsize_bytes": 51200, "data_bytes": 1 << 30, "nice": 5}
    exited = await keeper.run("a.1", "/bin/sh", "-c", script, env={"PATH": os.environ["PATH"]}, limits=limits)
    work = keeper.dir("a.1") / "work"
    assert exited.code != 0
    assert (work / "big").stat().st_size == 51200
    assert keeper.out("a.1").strip() == b"100"
    await keeper.run("b.1", "/usr/bin/env", "-0", env={"ONE": "1"}, limits=limits)
    assert keeper.out("b.1") == b"ONE=1\0"
    await keeper.run("c.1", "/bin/sh", "-c", "ulimit -f")
    assert keeper.out("c.1").strip() == b"unlimited"


async def test_the_command_works_in_its_own_directory_with_umask_077(keeper: Home) -> None:
    await keeper.run("a.1", *shell("pwd; umask; touch made"))
    work = keeper.dir("a.1") / "work"
    assert keeper.out("a.1").decode().split() == [str(work), "0077"]
    assert (work / "made").stat().st_mode & 0o777 == 0o600
    assert (keeper.dir("a.1") / "out").stat().st_mode & 0o777 == 0o600
    assert work.stat().st_mode & 0o777 == 0o700


async def test_the_command_works_where_the_order_says(keeper: Home, tmp_path: Path) -> None:
    await keeper.run("a.1", "pwd", cwd=str(tmp_path))
    assert keeper.out("a.1").decode().strip() == str(tmp_path)


async def test_stdin_is_the_file_of_the_order_or_empty(keeper: Home, tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"some input")
    await keeper.run("a.1", "cat", stdin=str(tmp_path / "input"))
    assert keeper.out("a.1") == b"some input"
    assert (await keeper.run("b.1", "cat")).code == 0
    assert keeper.out("b.1") == b""


async def test_no_file_of_the_keeper_reaches_the_command(keeper: Home) -> None:
    await keeper.run("a.1", "ls", "/proc/self/fd")
    assert keeper.out("a.1").split() == [b"0", b"1", b"2", b"3"]  # 3 is the listing itself


@pytest.mark.parametrize("account", [None, [0, 0, []]], ids=["as the worker", "as an account"])
async def test_a_command_ignores_no_signal(tmp_path: Path, account: list[object] | None) -> None:
    """Not even what `nohup`, or a shell in the background, had its worker ignore."""
    if account and os.getuid():
        pytest.skip("only root may start a command as another account")
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        async with Home(tmp_path / "state") as keeper:
            await keeper.run("a.1", "grep", "SigIgn", "/proc/self/status", **{"as": account})
            ignored = int(keeper.out("a.1").split()[1], 16)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert ignored & 0x7FFFFFFF == 0  # beyond are the C library's own two


async def test_a_command_is_looked_for_on_the_path_of_its_order(keeper: Home, tmp_path: Path) -> None:
    for name, mode in (("plain", 0o600), ("right", 0o700)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "relayq-trial").write_text(f"#!/bin/sh\necho {name}\n")
        (tmp_path / name / "relayq-trial").chmod(mode)
    path = f"/no/such/directory:{tmp_path}/plain:{tmp_path}/right"
    await keeper.run("a.1", "relayq-trial", env={"PATH": path})
    assert keeper.out("a.1") == b"right\n"
    exited = await keeper.run("b.1", "relayq-trial", env={"PATH": f"{tmp_path}/plain"})
    assert (exited.code, exited.reason) == (126, "spawn")


async def test_the_start_that_is_told_is_the_one_the_system_knows(keeper: Home) -> None:
    await keeper.client.start([keeper.order(f"a{number}.1", "sleep", "1000") for number in range(20)])
    started = [await keeper.event(Started) for _ in range(20)]
    assert [one.start for one in started] == [tree.start_of(one.pid) for one in started]


async def test_two_hundred_orders_in_one_message_all_run(keeper: Home) -> None:
    orders = [keeper.order(f"a{number}.1", *shell(f"exit {number % 7}")) for number in range(200)]
    await keeper.client.start(orders)
    codes = {}
    while len(codes) < 200:
        exited = await keeper.event(Exited)
        codes[exited.key] = exited.code
    assert codes == {f"a{number}.1": number % 7 for number in range(200)}


async def test_a_key_is_started_once_however_often_it_is_ordered(keeper: Home) -> None:
    order = keeper.order("a.1", *shell("echo ran"))
    await keeper.client.start([order])
    await keeper.event(Exited)
    await keeper.client.start([order])
    await keeper.raw({"do": "start", "orders": [order]})
    await keeper.run("b.1", "/bin/true")
    assert keeper.out("a.1") == b"ran\n"


async def test_a_repeated_order_tells_the_end_again(keeper: Home) -> None:
    order = keeper.order("a.1", "/bin/false")
    await keeper.client.start([order])
    first = await keeper.event(Exited)
    await keeper.client.start([order])
    assert await keeper.event(Exited) == first


async def test_a_kill_ends_the_whole_tree(keeper: Home) -> None:
    await keeper.client.start([keeper.order("a.1", *shell("sleep 1000 & sleep 1000 & echo $! > pid; wait"))])
    child = await pid_in(keeper.dir("a.1") / "work" / "pid")
    await keeper.client.kill("a.1", "cancelled")
    exited = await keeper.event(Exited)
    assert (exited.code, exited.reason) == (143, "cancelled")
    assert not alive(child)


async def test_a_kill_before_the_spawn_cancels_the_order(keeper: Home) -> None:
    orders = [keeper.order(f"a{number}.1", "sleep", "1000") for number in range(200)]
    await keeper.client.start(orders)
    for order in orders:
        await keeper.client.kill(order["key"])
    for _ in orders:
        assert (await keeper.event(Exited)).reason == "cancelled"


async def test_children_that_called_setsid_are_killed_too(keeper: Home) -> None:
    script = "setsid sleep 1000 & setsid sh -c 'sleep 1000 & echo $! > pid; wait' & wait"
    await keeper.client.start([keeper.order("a.1", *shell(script))])
    child = await pid_in(keeper.dir("a.1") / "work" / "pid")
    await keeper.client.kill("a.1")
    await keeper.event(Exited)
    assert not alive(child)
    assert keeper.strays() == []


DAEMON = """
import os, sys
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.chdir("/")
for fd in range(3): os.close(fd)
path = sys.argv[1]
with open(path + ".new", "w") as file: file.write(str(os.getpid()))
os.rename(path + ".new", path)
os.execve("/bin/sleep", ["sleep", "1000"], {})
"""


async def test_a_daemon_without_a_trace_is_killed_when_its_job_ends(keeper: Home, tmp_path: Path) -> None:
    pid_file = tmp_path / "daemon"
    order = keeper.order("a.1", *shell(f"{keeper.python} -c '{DAEMON}' {pid_file}; sleep 1000"))
    await keeper.client.start([order])
    daemon = await pid_in(pid_file)
    assert alive(daemon)
    await keeper.client.kill("a.1")
    await keeper.event(Exited)
    assert not alive(daemon)


async def test_a_daemon_of_one_job_survives_the_end_of_a_younger_one(keeper: Home, tmp_path: Path) -> None:
    pid_file = tmp_path / "daemon"
    order = keeper.order("a.1", *shell(f"{keeper.python} -c '{DAEMON}' {pid_file}; sleep 1000"))
    await keeper.client.start([order])
    daemon = await pid_in(pid_file)
    await keeper.run("b.1", "/bin/true")
    assert alive(daemon)
    await keeper.client.kill("a.1")
    await keeper.event(Exited)
    assert not alive(daemon)


async def test_what_a_finished_job_leaves_running_is_killed(keeper: Home) -> None:
    exited = await keeper.run("a.1", *shell("sleep 1000 & echo $! > pid; exit 4"))
    assert (exited.code, exited.reason) == (4, "exit")
    assert not alive(int((keeper.dir("a.1") / "work" / "pid").read_text()))


async def test_a_fork_storm_leaves_nothing(keeper: Home) -> None:
    storm = "spawn() { while :; do (setsid sleep 1000 &) ; done; }; spawn & spawn & sleep 1000"
    await keeper.client.start([keeper.order("a.1", *shell(storm), kill_ms=0)])
    await keeper.event(Started)
    await keeper.until(lambda: len(keeper.strays()) > 20)
    await keeper.client.kill("a.1")
    await keeper.event(Exited)
    assert keeper.strays() == []


async def test_a_timeout_sends_term(keeper: Home) -> None:
    exited = await keeper.run(
        "a.1", *shell("trap 'echo bye; exit 9' TERM; sleep 1000 & wait"), timeout_ms=300
    )
    assert (exited.code, exited.reason) == (9, "timeout")
    assert exited.run_ms >= 300
    assert keeper.out("a.1") == b"bye\n"


async def test_a_command_that_ignores_term_is_killed(keeper: Home) -> None:
    script = "trap '' TERM; while :; do sleep 1000; done"
    exited = await keeper.run("a.1", *shell(script), timeout_ms=200, kill_ms=300)
    assert (exited.code, exited.reason) == (137, "timeout")
    assert exited.run_ms >= 500
    assert keeper.strays() == []


async def test_a_child_gets_its_time_to_end_though_its_parent_died_of_term(keeper: Home) -> None:
    script = "(trap 'echo saved; exit' TERM; echo up; while :; do sleep 0.05; done) & wait"
    await keeper.client.start([keeper.order("a.1", *shell(script), kill_ms=10_000)])
    await keeper.until(lambda: keeper.out("a.1") == b"up\n")
    await keeper.client.kill("a.1")
    await keeper.event(Exited)
    assert keeper.out("a.1") == b"up\nsaved\n"


async def test_a_stopped_command_can_be_ended(keeper: Home) -> None:
    await keeper.client.start([keeper.order("a.1", "sleep", "1000")])
    started = await keeper.event(Started)
    os.kill(started.pid, signal.SIGSTOP)
    await keeper.client.kill("a.1")
    assert (await keeper.event(Exited)).code == 143


async def test_a_second_kill_can_only_be_sooner(keeper: Home) -> None:
    await keeper.client.start(
        [keeper.order("a.1", *shell("trap '' TERM; echo up; while :; do sleep 1000; done"))]
    )
    await keeper.until(lambda: keeper.out("a.1") == b"up\n")
    await keeper.client.kill("a.1", "cancelled")
    await keeper.client.kill("a.1", "stop", kill_ms=0)
    exited = await keeper.event(Exited)
    assert (exited.code, exited.reason) == (137, "cancelled")


async def test_nonsense_is_refused_and_does_no_harm(keeper: Home) -> None:
    for line in (b"{", b"[]", b'{"do":"dance"}', b'{"do":"start","orders":[{}]}', b"\xff", b'{"do":"kill"}'):
        assert (await keeper.raw(line))["ev"] == "refused"
    assert (await keeper.run("a.1", "/bin/true")).code == 0


@pytest.mark.parametrize(
    "wrong", [{"argv": []}, {"argv": [3]}, {"argv": None}, {"limits": [1]}, {"cwd": 3}, {"env": {"a=b": "c"}}]
)
async def test_an_order_that_makes_no_sense_ends_alone(keeper: Home, wrong: dict[str, Any]) -> None:
    order = keeper.order("a.1", "/bin/true") | wrong
    await keeper.client.start([order, keeper.order("b.1", "/bin/true")])
    ends = {exited.key: exited for exited in [await keeper.event(Exited), await keeper.event(Exited)]}
    assert (ends["a.1"].reason, ends["a.1"].code) == ("spawn", 126)
    assert ends["b.1"].reason == "exit"


async def test_a_long_state_directory_is_no_obstacle(tmp_path: Path) -> None:
    async with Home(tmp_path / ("long" * 50)) as home:
        assert (await home.run("a.1", "/bin/true")).code == 0


async def test_a_keeper_that_dies_while_it_greets_is_replaced(tmp_path: Path) -> None:
    async def dying(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"ev": "hello", "ver')
        writer.close()
        server.close()

    server = await asyncio.start_unix_server(dying, tmp_path / "keeper.sock")
    async with Home(tmp_path) as home:
        assert (await home.run("a.1", "/bin/true")).code == 0


async def test_the_socket_is_private_and_the_keeper_has_no_environment(keeper: Home) -> None:
    assert (keeper.client.state_dir / "keeper.sock").stat().st_mode & 0o777 == 0o600
    assert Path(f"/proc/{keeper.client.keeper_pid}/environ").read_bytes() == b""


async def test_the_keeper_is_small(keeper: Home) -> None:
    await keeper.run("a.1", "/bin/true")
    status = Path(f"/proc/{keeper.client.keeper_pid}/status").read_text()
    resident_kib = int(status.partition("VmRSS:")[2].split()[0])
    assert resident_kib < 16 * 1024


def test_the_keeper_needs_only_its_own_files_and_the_standard_library() -> None:
    directory = str(KEEPER.parent)
    script = (
        f"import sys; sys.path.insert(0, {directory!r}); import keeper\n"
        f"for name, module in sys.modules.items():\n"
        f"    print(name, (getattr(module, '__file__', '') or '').startswith({directory!r}))"
    )
    argv = [sys.executable, "-S", "-E", "-s", "-c", script]
    loaded = dict(line.split() for line in subprocess.check_output(argv, text=True).splitlines())
    assert not any(name.startswith("relayq") for name in loaded)
    assert {name for name, is_ours in loaded.items() if is_ours == "True"} == {
        "keeper",
        "care",
        "kept",
        "spawn",
        "tree",
    }


async def test_two_clients_hear_the_same(keeper: Home) -> None:
    async with await KeeperClient.open(keeper.client.state_dir) as other:
        await keeper.run("a.1", "/bin/true")
        assert other.keeper_pid == keeper.client.keeper_pid
