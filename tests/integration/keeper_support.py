"""What the keeper's tests share: a client with a state directory, orders, and a look at processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from relayq.worker import tree
from relayq.worker.keeping import Exited, KeeperClient, Started
from tests.support import eventually

Event = TypeVar("Event", Started, Exited)
EVENT_TIMEOUT_S = 20


def shell(script: str) -> list[str]:
    """An argv that runs the script."""
    return ["/bin/sh", "-c", script]


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    process = tree.read_process(pid)
    return process is not None and not process.zombie


async def pid_in(path: Path) -> int:
    """The pid that a command writes into a file."""
    return int(await eventually(lambda: path.exists() and path.read_text().strip()))


class Home:
    """A keeper in a directory of its own, and everything it started, ended with it."""

    python = sys.executable

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    async def __aenter__(self) -> Home:
        self.client = await KeeperClient.open(self.state_dir)
        return self

    async def __aexit__(self, *_: object) -> None:
        pid = self.client.keeper_pid
        await self.client.close()
        for stray in [*self.strays(), pid, self.client.keeper_pid]:
            tree.send([stray], signal.SIGKILL)

    async def reopen(self) -> None:
        """A new worker comes."""
        self.client = await KeeperClient.open(self.state_dir)

    async def lose_link(self) -> None:
        """The worker vanishes without a goodbye."""
        await self.client.close(goodbye=False)

    async def until_keeper_left(self) -> None:
        """Wait until the keeper's process is gone."""
        await eventually(lambda: not alive(self.client.keeper_pid))

    async def end_of(self, key: str) -> Exited:
        """How an attempt ended, known already or as soon as it is told."""
        return self.client.held()[key].exited or await self.event(Exited)

    def strays(self) -> list[int]:
        """Everything below the keeper, and everything that carries this test's mark."""
        assert self.client.keeper_pid > 1
        table = tree.snapshot()
        mark = os.fsencode(f"RELAYQ_FENCE={self.state_dir}")
        marked = {pid for pid in table if tree.carries(pid, [mark])}
        return sorted((marked | tree.descendants(table, marked | {self.client.keeper_pid})) & table.keys())

    def dir(self, key: str) -> Path:
        """The attempt's directory."""
        return self.client.state_dir / "attempts" / key

    def out(self, key: str, name: str = "out") -> bytes:
        """What the attempt has written so far."""
        path = self.dir(key) / name
        return path.read_bytes() if path.exists() else b""

    def order(self, key: str, *argv: str, **more: Any) -> dict[str, Any]:
        """An order with the mark that lets `strays` find what is left."""
        env = {"PATH": os.environ["PATH"], "RELAYQ_JOB_ID": key, "RELAYQ_FENCE": str(self.state_dir)}
        order = {"key": key, "argv": argv, "env": env, "dir": str(self.dir(key)), "kill_ms": 30_000}
        return order | more

    async def run(self, key: str, *argv: str, **more: Any) -> Exited:
        """Run one command to its end."""
        await self.client.start([self.order(key, *argv, **more)])
        return await self.event(Exited)

    async def event(self, kind: type[Event]) -> Event:
        """The next event of this kind; others are passed over."""
        async with asyncio.timeout(EVENT_TIMEOUT_S):
            while not isinstance(event := await self.client.events.get(), kind):
                pass
        return event

    async def until(self, check: Callable[[], Any]) -> None:
        """Wait for a fact."""
        await eventually(check)

    def has_forgotten_all_but(self, *keys: str) -> Callable[[], Awaitable[bool]]:
        """Whether the keeper itself holds only these."""

        async def check() -> bool:
            held = (await self.raw({"do": "list"}))["held"]
            return {entry["key"] for entry in held} == set(keys)

        return check

    async def raw(self, message: dict[str, Any] | bytes) -> dict[str, Any]:
        """Say one line to the keeper on a connection of its own; its first answer but the greeting."""
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        reader, writer = await asyncio.open_unix_connection(self.client.state_dir / "keeper.sock")
        writer.write(text + b"\n")
        async with asyncio.timeout(EVENT_TIMEOUT_S):
            await reader.readline()
            answer = json.loads(await reader.readline())
        writer.close()
        return answer
