"""Files in the hub: what jobs take in and what they leave, by the SHA-256 of their content.

A blob is kept once, however many jobs use it, and goes within the hour when no job
refers to it. The digest is part of the signed spec, so whoever fetches a blob checks it:
a hub that changed a byte is found out.
"""

from __future__ import annotations

import hashlib

from relayq.errors import NotFound, Refused, SpecError
from relayq.model.duration import format_size
from relayq.store import decode
from relayq.store.hub import Hub

BLOB_BYTES_MAX = 16 << 20
TRANSFER_TIMEOUT_S = 120.0


def digest_of(data: bytes) -> str:
    """The name of a blob."""
    return hashlib.sha256(data).hexdigest()


class Blobs:
    """The files of a fleet."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def put(self, data: bytes, name: str = "a file") -> str:
        """Store at most 16 MiB and return the digest; HubFull when there is no memory for it."""
        check_size(data, name)
        digest = digest_of(data)
        await self._hub.run("put_blob", {"digest": digest}, data, timeout_s=TRANSFER_TIMEOUT_S)
        return digest

    async def get(self, digest: str) -> bytes:
        """The content with this digest; NotFound when the hub has it no more, Refused when it is another."""
        data = await self._hub.link.call("GET", self._hub.keys.of("b", digest), timeout_s=TRANSFER_TIMEOUT_S)
        if not isinstance(data, bytes):
            raise NotFound(f"file {digest[:8]} is not in the hub any more")
        if digest_of(data) != digest:
            raise Refused(f"file {digest[:8]} came out of the hub with other content than was put in")
        return data


class Pulls:
    """The whole log of a job, from the disk of the worker that ran it (lua/pull.lua)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def ask(self, job: str, ticket: str) -> str:
        """`asked`, `unknown` or `offline:<worker>`."""
        return decode.text(await self._hub.run("pull", {"id": job, "ticket": ticket}))

    async def pour(self, ticket: str, kind: str, data: bytes) -> bool:
        """Worker's side: hand over a piece (`o`, `e`, or `x` at the end); False while there is no room."""
        reply = await self._hub.run("pour", {"ticket": ticket, "kind": kind}, data)
        return decode.text(reply) == "poured"

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


def check_size(data: bytes, name: str) -> None:
    """SpecError for a file that is too large for the hub."""
    if len(data) > BLOB_BYTES_MAX:
        raise SpecError(
            f"{name} has {format_size(len(data))}: at most {format_size(BLOB_BYTES_MAX)} go through the hub; "
            "share larger files another way and name them in the command"
        )
