"""The jobs of a submit-only user, read key by key: it calls no functions and sees no others' jobs.

The same as `record` in lua/views.lua with plain reads, without earlier attempts. A job
that no worker has admitted yet is nowhere; one that a worker turned away left a reason.
"""

from __future__ import annotations

import json
from typing import Any

from relayq.errors import Refused
from relayq.store import decode
from relayq.store.hub import Hub

# lua/array.lua: what the four bits of an element say.
_LETTERS = {2: b"S", 3: b"F", 4: b"C", 5: b"K"}
# Those that say so once for all that never started.
_NEVER_STARTED = {0: "rc", 6: "ra"}
# Its notes on how an element ended: field of the note -> field of a job.
_NOTES = {"a": b"a", "w": b"w", "b": b"b", "e": b"e", "x": b"x", "r": b"r"}


async def own_reply(hub: Hub, job: str) -> list[Any]:
    """What the view `record` would say of this job; [] while nobody has admitted it.

    Refused when a worker has turned it away.
    """
    keys, call = hub.keys, hub.link.call
    parent, _, index = job.partition(":")
    flat = await call("HGETALL", keys.of("j", job))
    if not flat and index:
        flat = await _ended_element(hub, parent, int(index))
    if not flat:
        if why := await call("GET", keys.of("no", parent)):
            raise Refused(
                f"job {job} was refused by the worker that looked into the inbox: {decode.text(why)}"
            )
        return []
    envelope = await call("GET", keys.of("s", parent)) or b""
    result = await call("GET", keys.of("r", job)) or b""
    return [job, flat, envelope, result, [], await call("HGETALL", keys.of("o", job))]


async def _ended_element(hub: Hub, parent: str, index: int) -> list[Any]:
    """The fields of an element that lives on in its array's notes, or []."""
    keys, call = hub.keys, hub.link.call
    array = decode.fields(await call("HGETALL", keys.of("j", parent)))
    place = index - int(array.get("n0", 0))
    if not array.get("n") or not 0 <= place < int(array["n"]):
        return []
    states = await call("GET", keys.of("as", parent)) or b""
    byte = states[place // 2] if place // 2 < len(states) else 0
    code = byte & 15 if place % 2 else byte >> 4
    letter = _LETTERS.get(code) or array.get(_NEVER_STARTED.get(code, ""), "").encode()
    flat: list[Any] = [b"s", letter or b"P", b"l", array["l"].encode(), b"t", array["t"].encode()]
    if not letter:
        return [*flat, b"r", b"array"]
    notes = decode.fields(await call("HGETALL", keys.of("ax", parent)))
    note: dict[str, Any] = json.loads(notes.get(str(index), "{}"))
    for name, field in _NOTES.items():
        if (value := note.get(name)) not in (None, ""):
            flat += [field, str(int(value) if isinstance(value, float) else value).encode()]
    return flat
