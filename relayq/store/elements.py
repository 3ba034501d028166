"""What became of an array's elements, one by one: read from the notes that lua/array.lua keeps.

A note is kept of every element that did not succeed, and of all of them in arrays of at
most 10,000. Only so many are read: whoever looks wants to see which failed, not a million lines.
"""

from __future__ import annotations

import json

from relayq.model.lifecycle import State, state_of
from relayq.store import decode
from relayq.store.hub import Hub
from relayq.store.records import AttemptRecord

MOST = 500


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
    ]
    return sorted(found, key=lambda one: (one[0] is State.SUCCEEDED, one[1].number))[:most]
