"""What became of an array's elements, one by one: read from what lua/array.lua keeps.

A note is kept of every element that did not succeed, and of all of them in arrays of at
most 10,000. Only so many are read: whoever looks wants to see which failed, not a million lines.
Which failed stands in four bits an element; a note may be older than that, of an element
that runs again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from relayq.model.lifecycle import State, state_of
from relayq.store import decode
from relayq.store.hub import Hub
from relayq.store.records import AttemptRecord, JobRecord

MOST = 500
MOST_FAILED = 1_000
PAGE_BYTES = 65_536
GIVEN_BACK = "P"  # what a note says of an element that was started and not run
_FAILED = 3  # an element's code in the bit field
_MAY_HOLD_FAILURE = re.compile(rb"[\x03\x13\x23\x33\x43\x53\x63\x30-\x3f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedElement:
    """How an element of an array failed; `attempts` is the number of its last one."""

    index: int
    exit_code: int | None
    attempts: int
    reason: str
    worker: str


class Elements:
    """The elements of a fleet's arrays. A submit-only user cannot see them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def failed(self, record: JobRecord, most: int = MOST_FAILED) -> list[FailedElement]:
        """The first `most` elements that failed and do not run again, by index; none of a plain job."""
        array = record.array
        if array is None or not array.failed or self._hub.is_narrow:
            return []
        places = await _failed_places(self._hub, record.id, min(most, array.failed))
        indices = [array.start + place for place in places]
        if not indices:
            return []
        notes = await self._hub.link.call("HMGET", self._hub.keys.of("ax", record.id), *map(str, indices))
        return [_failed(index, json.loads(note or "{}")) for index, note in zip(indices, notes, strict=True)]


async def ended_elements(hub: Hub, job: str, most: int = MOST) -> list[tuple[State, AttemptRecord]]:
    """About `most` of the elements that ended, those without success first; `number` is the index."""
    reply = await hub.link.call("HSCAN", hub.keys.of("ax", job), "0", "COUNT", most)
    notes = {int(index): json.loads(note) for index, note in decode.fields(reply[1]).items()}
    found = [
        (
            state_of(note["s"]),
            AttemptRecord(
                number=index,
                worker=str(note["w"]).partition("#")[0],
                started_ms=int(note["b"]),
                ended_ms=int(note["e"]),
                exit_code=note.get("x"),
                reason=note["r"],
            ),
        )
        for index, note in notes.items()
        if note["s"] != GIVEN_BACK
    ]
    return sorted(found, key=lambda one: (one[0] is State.SUCCEEDED, one[1].number))[:most]


async def _failed_places(hub: Hub, job: str, most: int) -> list[int]:
    """Where elements stand as failed, counted from the first one of the array."""
    places: list[int] = []
    key, at = hub.keys.of("as", job), 0
    while len(places) < most:
        page = await hub.link.call("GETRANGE", key, str(at), str(at + PAGE_BYTES - 1))
        for found in _MAY_HOLD_FAILURE.finditer(page):
            byte, first = page[found.start()], 2 * (at + found.start())
            places += [first + half for half, code in enumerate((byte >> 4, byte & 15)) if code == _FAILED]
            if len(places) >= most:
                break
        if len(page) < PAGE_BYTES:
            break
        at += PAGE_BYTES
    return places[:most]


def _failed(index: int, note: dict[str, object]) -> FailedElement:
    code, attempts = note.get("x"), note.get("a")
    return FailedElement(
        index=index,
        exit_code=int(code) if isinstance(code, (int, float)) else None,
        attempts=int(attempts) if isinstance(attempts, (int, float)) else 0,
        reason=str(note.get("r", "")),
        worker=str(note.get("w", "")).partition("#")[0],
    )
