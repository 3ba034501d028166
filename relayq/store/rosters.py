"""The roster in the hub: read by everybody, put there by the owner."""

from __future__ import annotations

from relayq.store import decode
from relayq.store.hub import Hub


class Rosters:
    """The roster of a fleet, as the bytes that its owner signed."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def read(self) -> bytes:
        """The signed bytes; empty when the hub has none."""
        data = await self._hub.link.call("GET", self._hub.keys.prefix + "roster")
        return data if isinstance(data, bytes) else b""

    async def put(self, data: bytes) -> bool:
        """Put a newer version there; False when the hub has one that is as new."""
        return decode.text(await self._hub.run("roster", {}, data)) == "taken"
