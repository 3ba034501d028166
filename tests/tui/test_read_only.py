"""Reading only: the server itself tells what it was asked while every key is pressed."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from textual.keys import _character_to_key

from relayq.client.aio import AsyncClient
from relayq.config import load
from relayq_tui.actions import ACTIONS
from relayq_tui.hubfeed import HubFeed
from relayq_tui.screens import tabs
from relayq_tui.screens.base import HubScreen
from tests.support import PrivateServer, eventually
from tests.tui.app_support import running, settled

READS = {
    "FCALL_RO", "XREAD", "XREVRANGE", "XRANGE", "TIME", "HGET", "HGETALL", "HMGET", "LRANGE", "GET", "INFO",
    "PING", "ZRANGE", "ZREVRANGE", "SCAN", "EXISTS", "HLEN", "XINFO", "SMEMBERS", "STRLEN", "XLEN",
}  # fmt: skip
COMMAND = re.compile(rb'\[\d+ [^\]]*\] "([A-Za-z_]+)"')
LEAVES = {"quit", "back"}


class Monitor:
    """What a server is asked by its clients; commands inside functions (`lua`) are none of theirs."""

    def __init__(self, server: PrivateServer) -> None:
        self._link = socket.socket(socket.AF_UNIX)
        self._link.connect(str(server.socket))
        self._link.sendall(b"*1\r\n$7\r\nMONITOR\r\n")
        self._link.setblocking(False)
        self._seen = b""

    def commands(self) -> set[str]:
        """Every command so far."""
        try:
            while data := self._link.recv(1 << 20):
                self._seen += data
        except BlockingIOError:
            pass
        lines = [line for line in self._seen.splitlines() if b" lua]" not in line]
        return {found.group(1).decode().upper() for line in lines if (found := COMMAND.search(line))}

    def close(self) -> None:
        """Look no longer."""
        self._link.close()


async def test_no_key_writes_anything(own_server: PrivateServer, fleet: str, home: Path) -> None:
    async with AsyncClient(own_server.url, fleet=fleet, tell=lambda _: None) as client:
        await client.run("true", name="one")
        await client.jobs.cancel((await client.run("true", name="two")).id)
    feed = HubFeed(load({"hub.url": own_server.url, "hub.fleet": fleet}), read_only=True)
    monitor = Monitor(own_server)
    async with running(feed=feed, read_only=True, grace_s=0.0) as (app, pilot):
        await eventually(lambda: len(app.store.jobs) == 2, "both jobs")
        pressed = set()
        for number, _ in tabs():
            await pilot.press(str(number))
            await settled(pilot)
            screen = app.screen
            assert isinstance(screen, HubScreen)
            for action in screen.actions():
                if action.id in LEAVES | pressed or action.id.startswith("screen."):
                    continue
                pressed.add(action.id)
                await pilot.press(_name(action.key))
                while app.screen is not screen:
                    await app.pop_screen()
        assert {action.id for action in ACTIONS if action.context == "jobs"} <= pressed
    seen = monitor.commands()
    monitor.close()
    assert "FCALL_RO" in seen
    assert seen - READS == set()


def _name(key: str) -> str:
    """A key as Textual calls it."""
    return _character_to_key(key) if len(key) == 1 else key
