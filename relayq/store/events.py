"""The event stream: what happened in the fleet, capped and resumable.

Events carry ids, states and words, never output or results, so that every reader
may have them. A reader that fell behind the cap sees a gap in the ids and takes
a fresh snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from relayq.store import decode
from relayq.store.hub import Hub

FEW, MOST = 10, 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened: `kind` submit, start, end, retry, alarm, worker... to `subject`.

    `order` is the signed order behind it, if somebody gave one.
    """

    id: str
    kind: str
    subject: str
    detail: str
    order: bytes = b""

    @property
    def at_ms(self) -> int:
        """The hub's time of the event."""
        return int(self.id.split("-", 1)[0])


class Events:
    """The events of a fleet. Blocking reads hold the link: use a hub of their own for them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def last_id(self) -> str:
        """The id of the newest event, from which to follow."""
        reply = await self._hub.link.call("XREVRANGE", self._hub.keys.events, "+", "-", "COUNT", 1)
        return decode.text(reply[0][0]) if reply else "0"

    async def recent(self, count: int = 100) -> list[Event]:
        """The newest events, oldest first."""
        reply = await self._hub.link.call("XREVRANGE", self._hub.keys.events, "+", "-", "COUNT", count)
        return [_event(item) for item in reversed(reply)]

    async def follow(self, from_id: str, block_ms: int = 20_000) -> list[Event]:
        """The events after `from_id`, the oldest MOST of them, waiting up to `block_ms` for the first."""
        reply = await self._hub.link.call(
            "XREAD", "COUNT", FEW, "BLOCK", max(1, block_ms), "STREAMS", self._hub.keys.events, from_id,
            timeout_s=block_ms / 1000 + 10,
        )  # fmt: skip
        events = [_event(item) for item in reply[0][1]] if reply else []
        return [*events, *await self._after(events[-1].id)] if len(events) == FEW else events

    async def _after(self, from_id: str) -> list[Event]:
        """There are many: fetched in one piece, which takes a fraction of the work."""
        reply = await self._hub.view("happened", {"after": from_id, "count": MOST})
        return [_row(words) for words in decode.unpacked(reply)]


def _event(item: list[Any]) -> Event:
    found = decode.fields(item[1])
    return Event(
        id=decode.text(item[0]),
        kind=found["k"],
        subject=found["i"],
        detail=found["d"],
        order=found.get("o", "").encode(),
    )


def _row(words: list[bytes]) -> Event:
    id, kind, subject, detail = map(decode.text, words[:4])
    return Event(id=id, kind=kind, subject=subject, detail=detail, order=b"".join(words[4:]))
