"""A job that was cancelled is gone within a second, whatever it did to stay."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.worker.keeping import Exited
from tests.integration.keeper_support import Home, alive, shell
from tests.security.shut_in import BOXES, boxed, keeper_in
from tests.support import eventually

# From the cancel to the keeper's word that nothing is left, which takes it 0.1 s, and 0.2 s on a machine
# with 20 busy processes to a CPU. A look for what is left, through all of /proc, takes this process itself
# longer than that there: it comes afterwards, and no time is counted for it.
GONE_S = 1.0
# The main process hears TERM; whoever shall stay is deaf to it before it says that all is ready.
USES = """
import os, select, signal, sys
def deaf(): signal.signal(signal.SIGTERM, signal.SIG_IGN)
def ready(): open(os.environ["RELAYQ_WORKDIR"] + "/ready", "w").close()
"""
ESCAPES = {
    "setsid": """
if os.fork() == 0:
    deaf(); os.setsid(); ready()
""",
    "double fork": """
if os.fork() == 0:
    deaf(); os.setsid()
    if os.fork(): os._exit(0)
    ready()
""",
    "cleared environment": """
if os.fork() == 0:
    deaf(); os.setsid()
    if os.fork(): os._exit(0)
    os.chdir("/"); ready()
    os.execve(sys.executable, ["x", "-c", "import signal; signal.pause()"], {})
""",
    # Each process starts another before a list of all could be made and used.
    "fork storm": """
for number in range(4):
    if os.fork() == 0:
        deaf(); os.setsid(); ready()
        while True:
            select.select([], [], [], 0.01)
            if os.fork():
                select.select([], [], [], 0.1); os._exit(0)
""",
    "killing its supervisor": """
for pid in (1, os.getppid()):
    for number in (15, 9, 19):
        os.kill(pid, number)
if os.fork() == 0:
    deaf(); ready()
""",
}


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[Home]:
    async with keeper_in(tmp_path) as home:
        yield home


def below(keeper: Home) -> list[int]:
    """Every process that is left of what the keeper started."""
    return [pid for pid in keeper.strays() if pid != keeper.client.keeper_pid]


@pytest.mark.parametrize("level", BOXES)
@pytest.mark.parametrize("trick", ESCAPES)
async def test_nothing_is_left_a_second_after_a_cancel(keeper: Home, trick: str, level: str) -> None:
    script = f"{USES}{ESCAPES[trick]}signal.pause()"
    order = boxed(keeper, "a.1", "/usr/bin/python3", "-c", script, level=level)
    order["env"]["RELAYQ_WORKDIR"] = f"{order['dir']}/work"
    await keeper.client.start([order])
    await eventually((keeper.dir("a.1") / "work" / "ready").exists, f"{trick}: {keeper.out('a.1', 'err')!r}")
    await keeper.client.kill("a.1", "cancelled")
    async with asyncio.timeout(GONE_S):
        exited = await keeper.event(Exited)
    assert below(keeper) == []
    assert exited.reason == "cancelled"
    assert alive(keeper.client.keeper_pid)


@pytest.mark.parametrize("level", BOXES)
async def test_a_job_that_kills_all_it_can_hurts_nobody_else(keeper: Home, level: str) -> None:
    other = boxed(keeper, "b.1", *shell("until [ -e go ]; do sleep 0.05; done"), level=level)
    await keeper.client.start([other])
    await eventually((keeper.dir("b.1") / "work").exists)
    killer = boxed(keeper, "a.1", *shell("kill -9 -1; kill -9 1; echo still here"), level=level)
    await keeper.client.start([killer])
    assert (await keeper.event(Exited)).key == "a.1"
    (keeper.dir("b.1") / "work" / "go").touch()
    assert (await keeper.event(Exited)).code == 0
    assert alive(keeper.client.keeper_pid)


@pytest.mark.parametrize("level", BOXES)
async def test_what_a_job_leaves_behind_ends_with_it(keeper: Home, level: str) -> None:
    script = f"{USES}if os.fork() == 0:\n    deaf(); os.setsid(); signal.pause()"
    order = boxed(keeper, "a.1", "/usr/bin/python3", "-c", script, level=level)
    await keeper.client.start([order])
    assert (await keeper.event(Exited)).code == 0
    assert below(keeper) == []


@pytest.mark.parametrize("level", BOXES)
async def test_a_job_has_its_time_to_end_well(keeper: Home, level: str) -> None:
    script = "trap 'echo saved; exit 7' TERM; touch ready; while :; do sleep 0.02; done"
    await keeper.client.start([boxed(keeper, "a.1", *shell(script), level=level)])
    await eventually((keeper.dir("a.1") / "work" / "ready").exists)
    await keeper.client.kill("a.1", "cancelled")
    exited = await keeper.event(Exited)
    assert (exited.code, exited.reason) == (7, "cancelled")
    assert keeper.out("a.1") == b"saved\n"


@pytest.mark.parametrize("level", BOXES)
async def test_an_orphan_ends_within_its_grace(keeper: Home, level: str) -> None:
    order = boxed(keeper, "a.1", *shell("trap '' TERM; touch ready; sleep 600"), level=level)
    await keeper.client.start([order | {"orphan_ms": 200, "kill_ms": 200}])
    await eventually((keeper.dir("a.1") / "work" / "ready").exists)
    await keeper.lose_link()
    await eventually(lambda: not below(keeper), "the orphan is gone")
    await keeper.reopen()
    assert (await keeper.end_of("a.1")).reason == "orphan"


@pytest.mark.parametrize("level", BOXES)
@pytest.mark.parametrize(
    ("script", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("kill -15 $$", 143), ("nosuch", 127)]
)
async def test_exit_codes_come_out_of_a_sandbox_as_they_are(
    keeper: Home, script: str, code: int, level: str
) -> None:
    await keeper.client.start([boxed(keeper, "a.1", *shell(script), level=level)])
    exited = await keeper.event(Exited)
    assert (exited.code, exited.reason) == (code, "exit")


async def test_a_sandbox_of_the_owner_outlives_the_keeper_and_a_strict_one_does_not(keeper: Home) -> None:
    script = "touch ready; until [ -e go ]; do sleep 0.05; done; touch done"
    orders = [boxed(keeper, f"{level}.1", *shell(script), level=level) for level in BOXES]
    await keeper.client.start(orders)
    for level in BOXES:
        await eventually((keeper.dir(f"{level}.1") / "work" / "ready").exists)
    first = keeper.client.keeper_pid
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: keeper.client.keeper_pid != first, "there is a new keeper")
    ended = await keeper.event(Exited)
    assert (ended.key, ended.reason) == ("strict.1", "keeper_lost")
    (keeper.dir("owner.1") / "work" / "go").touch()
    assert (await keeper.event(Exited)).key == "owner.1"
    assert (keeper.dir("owner.1") / "work" / "done").exists()
    assert not (keeper.dir("strict.1") / "work" / "done").exists()
    assert below(keeper) == []
