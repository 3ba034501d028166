"""What a job sees of the machine at each level, and what it can change."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from relayq.config import load
from relayq.worker.account import try_account
from relayq.worker.isolation import Terms, hidden_of
from relayq.worker.keeping import Exited
from relayq.worker.sandbox import HOME
from tests.integration.keeper_support import Home, shell
from tests.security.shut_in import BOXES, boxed, isolation_of, keeper_in

STRICT = Terms(level="strict")


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[Home]:
    async with keeper_in(tmp_path) as home:
        yield home


async def said(keeper: Home, script: str, terms: Terms, key: str = "a.1", **more: object) -> str:
    """What a shell line prints at a level."""
    order = boxed(keeper, key, *shell(script), level=terms.level, terms=terms, **more)
    await keeper.client.start([order])
    await keeper.event(Exited)
    return (keeper.out(key) + keeper.out(key, "err")).decode()


@pytest.mark.parametrize("level", BOXES)
async def test_a_job_sees_its_work_directory_and_nothing_else_of_the_worker(keeper: Home, level: str) -> None:
    state = keeper.client.state_dir
    (state / "spool.db").write_text("the worker's memory")
    (state / "attempts" / "other.1").mkdir(parents=True)
    script = f"pwd; echo mine > file; ls {state} {state}/attempts; cat {state}/spool.db; echo > {state}/x"
    told = await said(keeper, script, Terms(level=level))
    assert told.startswith(f"{keeper.dir('a.1')}/work\n")
    assert "spool.db\n" not in told
    assert "other.1" not in told
    assert "the worker's memory" not in told
    assert (keeper.dir("a.1") / "work" / "file").read_text() == "mine\n"
    assert not (state / "x").exists()


@pytest.mark.parametrize("level", BOXES)
async def test_a_key_that_is_elsewhere_is_hidden_as_well(keeper: Home, level: str, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    key = tmp_path / "keys" / "owner.key"
    key.write_text("the owner's key")
    isolation = replace(isolation_of(keeper), hidden=hidden_of(load({"paths.owner_key": str(key)})))
    script = f"cat {key}; rm -f {key}; echo mine > {key}; mv {key} {key}.old"
    order = keeper.order("a.1", *shell(script), cwd="")
    terms = Terms(level=level, readable=(str(tmp_path / "keys"),))
    await keeper.client.start([isolation.confine(order, terms)])
    await keeper.event(Exited)
    assert b"the owner's key" not in keeper.out("a.1")
    assert key.read_text() == "the owner's key"


@pytest.mark.parametrize("level", BOXES)
async def test_a_job_cannot_put_a_link_where_its_output_is_read(keeper: Home, level: str) -> None:
    """The worker reads `out` and `err` by name: a link there would send its own files to the hub."""
    place = keeper.dir("a.1")
    swap = "rm -f {0}; ln -sf /etc/passwd {0};"
    script = f"cd {place}; {swap.format('out')} {swap.format('progress')} mv work w; ln -s /etc work"
    await said(keeper, script, Terms(level=level))
    assert not (place / "out").is_symlink()
    assert not (place / "progress").is_symlink()
    assert not (place / "work").is_symlink()


@pytest.mark.parametrize("level", BOXES)
async def test_progress_is_still_told_by_the_file(keeper: Home, level: str) -> None:
    order = boxed(keeper, "a.1", *shell(f"echo 42 half > {keeper.dir('a.1')}/progress"), level=level)
    await keeper.client.start([order])
    assert (await keeper.event(Exited)).code == 0
    assert (keeper.dir("a.1") / "progress").read_text() == "42 half\n"


@pytest.mark.parametrize("level", BOXES)
async def test_a_job_sees_no_process_but_its_own(keeper: Home, level: str) -> None:
    worker, keeper_pid = os.getpid(), keeper.client.keeper_pid
    script = f"ls -d /proc/[0-9]* | wc -l; cat /proc/{worker}/environ; kill -0 {keeper_pid} && echo reached"
    told = await said(keeper, script, Terms(level=level))
    assert int(told.splitlines()[0]) < 10
    assert "reached" not in told
    assert os.environ["PATH"] not in told


@pytest.mark.parametrize("level", BOXES)
async def test_nothing_is_preloaded_into_the_sandbox_itself(keeper: Home, level: str) -> None:
    """ld.so says of every program that it could not load this: the command alone may be told."""
    order = keeper.order("a.1", "/bin/true", cwd="")
    order["env"] |= {"LD_PRELOAD": "/no/such/library.so", "GLIBC_TUNABLES": "x=y"}
    confined = isolation_of(keeper).confine(order, Terms(level=level))
    assert not {"LD_PRELOAD", "GLIBC_TUNABLES"} & confined["env"].keys()
    await keeper.client.start([confined])
    assert (await keeper.event(Exited)).code == 0
    assert keeper.out("a.1", "err").count(b"/no/such/library.so") == 1


async def test_the_environment_of_the_owner_is_as_it_is_without_a_sandbox(keeper: Home) -> None:
    env = {
        "ONE": "1",
        "EMPTY": "",
        "LINES": "a\nb",
        "LD_LIBRARY_PATH": "/opt/x",
        "HOME": "/h",
        "TMPDIR": "/t",
    }
    order = keeper.order("a.1", "/usr/bin/env", "-0", env=env, cwd="")
    await keeper.client.start([isolation_of(keeper).confine(order, Terms(level="owner"))])
    await keeper.event(Exited)
    seen = dict(item.split("=", 1) for item in keeper.out("a.1").decode().rstrip("\0").split("\0"))
    seen.pop("PWD", None)  # set by bwrap itself, to where it is
    assert seen == env


async def test_the_owner_keeps_the_files_and_devices_of_the_machine(keeper: Home, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    told = await said(
        keeper, "pwd; echo made > made; [ -c /dev/null ] && ls /dev", Terms(level="owner"), cwd=str(mine)
    )
    assert told.startswith(f"{mine}\n")
    assert (mine / "made").read_text() == "made\n"
    assert set(told.split()[1:]) == set(os.listdir("/dev"))


async def test_a_socket_of_the_machine_is_there_for_the_owner_and_where_a_policy_names_it(
    keeper: Home, tmp_path: Path
) -> None:
    """As Docker's is: whoever reaches it may do what it lets him."""
    path = tmp_path / "docker.sock"

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"docker here")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(greet, path)
    code = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('{path}'); print(s.recv(99))"
    call = f'/usr/bin/python3 -c "{code}"'
    try:
        assert "docker here" in await said(keeper, call, Terms(level="owner"), "a.1")
        assert "docker here" not in await said(keeper, call, STRICT, "b.1")
        assert "docker here" in await said(keeper, call, replace(STRICT, devices=(str(path),)), "c.1")
    finally:
        server.close()


async def test_a_strict_job_has_a_home_and_a_tmp_of_its_own(keeper: Home, tmp_path: Path) -> None:
    told = await said(keeper, "cd; pwd; ls -A; echo a > a; echo b > /tmp/b; ls /tmp", STRICT)
    assert told.splitlines()[0] == HOME
    assert not Path("/tmp/b").exists()
    assert (keeper.dir("a.1") / "private" / "tmp" / "b").exists()
    assert str(tmp_path.name) not in told


async def test_a_strict_job_changes_nothing_of_the_system(keeper: Home) -> None:
    places = "/ /usr /etc /dev /run /proc/sys /home /opt /var"
    told = await said(
        keeper, f"for d in {places}; do echo > $d/relayq-was-here && echo wrote $d; done", STRICT
    )
    assert [line for line in told.splitlines() if line.startswith("wrote")] in ([], ["wrote /dev"])
    assert not [place for place in places.split() if Path(place, "relayq-was-here").exists()]


async def test_a_strict_job_sees_nobodys_files(keeper: Home, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("family photos")
    told = await said(
        keeper, f"cat {tmp_path}/private; ls /root /home /srv /mnt /media /var/log; cat /etc/shadow", STRICT
    )
    assert "family photos" not in told
    assert "root:" not in told


async def test_a_strict_job_reads_and_writes_what_the_policy_names(keeper: Home, tmp_path: Path) -> None:
    readable, writable = tmp_path / "models", tmp_path / "out"
    for directory in (readable, writable):
        directory.mkdir()
        (directory / "there").write_text(f"in {directory.name}\n")
    terms = replace(STRICT, readable=(str(readable),), writable=(str(writable),))
    script = f"cat {readable}/there {writable}/there; echo new > {writable}/new; echo new > {readable}/new"
    told = await said(keeper, script, terms, cwd=str(readable))
    assert told.startswith("in models\nin out\n")
    assert (writable / "new").exists()
    assert not (readable / "new").exists()


async def test_a_root_of_the_policy_does_not_bring_the_workers_directory_back(keeper: Home) -> None:
    state = keeper.client.state_dir
    (state / "spool.db").write_text("the worker's memory")
    for key, terms in (
        ("a.1", replace(STRICT, readable=(str(state.parent),))),
        ("b.1", replace(STRICT, writable=(str(state.parent),))),
    ):
        told = await said(
            keeper, f"cat {state}/spool.db; echo > {state}/spool.db; pwd; touch mine", terms, key
        )
        assert "the worker's memory" not in told
        assert (keeper.dir(key) / "work" / "mine").exists()
    assert (state / "spool.db").read_text() == "the worker's memory"


@pytest.mark.parametrize("level", BOXES)
async def test_the_network_is_gone_where_the_policy_says_so(keeper: Home, level: str) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2); print('connected')"
    call = f'/usr/bin/python3 -c "{code}"'
    with server:
        assert "connected" in await said(keeper, call, Terms(level=level), "a.1")
        assert "connected" not in await said(keeper, call, Terms(level=level, network=False), "b.1")


@pytest.mark.parametrize("level", BOXES)
async def test_a_sandbox_cannot_be_taken_down_from_inside(keeper: Home, level: str) -> None:
    state = keeper.client.state_dir
    (state / "spool.db").write_text("the worker's memory")
    tricks = (
        f"umount {state}",
        f"umount -l {state}",
        f"unshare -m umount {state}",
        f"unshare -rm umount {state}",
        "mount -o remount,rw /usr",
        f"cat {state}/spool.db",
        f"nsenter -t 1 -m cat {state}/spool.db",
    )
    assert "the worker's memory" not in await said(keeper, ";".join(tricks), Terms(level=level))


async def test_memory_and_niceness_hold_in_a_sandbox(keeper: Home) -> None:
    hungry = "try: bytearray(256 << 20); print('had it')\nexcept MemoryError: print('had it not')"
    order = boxed(keeper, "a.1", "/usr/bin/python3", "-c", hungry, level="strict")
    await keeper.client.start([order | {"limits": {"data_bytes": 64 << 20, "nice": 5}}])
    await keeper.event(Exited)
    assert keeper.out("a.1") == b"had it not\n"


# -- another user


async def test_only_root_can_start_jobs_as_somebody_else(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    account, why = try_account("nobody", str(tmp_path))
    assert account is None
    if os.geteuid() == 0:
        assert why.startswith(f"user 'nobody' cannot work below {tmp_path}: ")
    else:
        assert why == "only a worker that runs as root can start jobs as 'nobody'"
    assert list(tmp_path.iterdir()) == []
    assert try_account("root", "") == (None, "root is no other user: name one without rights")
    assert try_account("no-such-user", "") == (None, "there is no user 'no-such-user' on this machine")
