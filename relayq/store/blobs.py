"""Files in the hub: what jobs take in and what they leave, sealed, each under the name that its key has.

A blob is kept once, however many jobs use it, and goes within the hour when no job
refers to it. Only who has the key can tell what it holds, and that it is what was put there
(trust/files.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayq.errors import HubFull, NotFound, Refused
from relayq.store import decode
from relayq.store.hub import Hub

if TYPE_CHECKING:
    from relayq.trust.outputs import Asked

ASK_ABOVE_BYTES = 64 << 10
TRANSFER_TIMEOUT_S = 600.0  # 16 MiB at 28 KB/s


class Blobs:
    """The files of a fleet."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def put(self, stored: str, data: bytes, name: str = "a file") -> None:
        """Store a sealed file under its name; HubFull when there is no memory for it."""
        if len(data) <= ASK_ABOVE_BYTES or not await self.has(stored):
            reply = await self._hub.run("put_blob", {"digest": stored}, data, timeout_s=TRANSFER_TIMEOUT_S)
            if decode.text(reply) == "full":
                raise HubFull(f"hub {self._hub.address.shown} is full: there is no room for {name}")

    async def has(self, stored: str) -> bool:
        """Is it in the hub, and for an hour more at least?"""
        return decode.text(await self._hub.run("put_blob", {"digest": stored})) == "have"

    async def get(self, stored: str, name: str = "a file") -> bytes:
        """The sealed file, as the hub has it; NotFound when that is no more."""
        data = await self._hub.link.call("GET", self._hub.keys.of("b", stored), timeout_s=TRANSFER_TIMEOUT_S)
        if not isinstance(data, bytes):
            raise NotFound(f"{name} is not in the hub any more")
        return data


class Pulls:
    """The whole log of a job, from the disk of the worker that ran it (lua/pull.lua)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def ask(self, job: str, ticket: str, *, worker: str = "", attempt: int = 0) -> str:
        """`asked`, `unknown` or `offline:<worker>`.

        Without `worker` the one that ran the job last is asked, without `attempt` for
        every attempt it ran.
        """
        request = {"id": job, "ticket": ticket, "worker": worker, "attempt": attempt}
        return decode.text(await self._hub.run("pull", request))

    async def pour(self, ticket: str, kind: str, data: bytes) -> bool:
        """Worker's side: hand over a piece (lua/pull.lua has the kinds); False while there is no room."""
        reply = await self._hub.run("pour", {"ticket": ticket, "kind": kind}, data)
        return decode.text(reply) == "poured"

    async def opened(self, asked: Asked, number: int, kind: str, sealed: bytes) -> bytes:
        """Reader's side: what is in piece `number`; Refused when it is another's or no worker's."""
        reader = self._hub.reader
        assert reader, "a whole log is read with a reader's keys"
        known = reader.version
        try:
            return reader.pour(asked, number, kind, sealed)
        except Refused:
            if not await self._hub.has_news_for_reader(known):
                raise
        return reader.pour(asked, number, kind, sealed)

    async def take(self, ticket: str, block_ms: int) -> list[tuple[str, bytes]]:
        """Reader's side: the pieces that have come, taken away; empty when none came in time."""
        key = self._hub.keys.of("full", ticket)
        reply = await self._hub.link.call(
            "XREAD",
            "COUNT",
            16,
            "BLOCK",
            max(1, block_ms),
            "STREAMS",
            key,
            "0",
            timeout_s=block_ms / 1000 + 10,
        )
        entries = reply[0][1] if reply else []
        if entries:
            await self._hub.link.call("XDEL", key, *(name for name, _ in entries))
        return [(decode.text(flat[0]), flat[1]) for _, flat in entries]
