"""The envelope of a slot's job: the slot time, and the signed schedule that the job follows from.

    1 slot <ms since 1970>\\n<envelope of the schedule>

The signature is the one over the schedule, so a scheduler needs no key and the owner's
machine may be off. What the one line in front can say is little: the schedule must have
that slot, the time must have come, and id, expiry and spec of the job follow from the
two. Nothing else of the job can be chosen by whoever fires it.
"""

from __future__ import annotations

import re
from typing import Any

from relayq.errors import Refused, SpecError
from relayq.model.schedule import SignedSchedule, check_slot, parse_schedule, slot_halves
from relayq.trust.bodies import SCHEDULE, open_hidden, part
from relayq.trust.envelope import open_schedule
from relayq.trust.keys import Keyring
from relayq.trust.sealing import Opener

_WORD = b"1 slot "
_LINE = re.compile(rb"1 slot ([1-9][0-9]{0,14})\n")


def slot_envelope(schedule: bytes, slot_ms: int) -> bytes:
    """The envelope of the job that a signed schedule makes at a slot time; the hub writes the same."""
    return _WORD + f"{slot_ms}\n".encode() + schedule


def is_slot(envelope: bytes) -> bool:
    """Is it the job of a schedule?"""
    return envelope.startswith(_WORD)


def schedule_of(envelope: bytes) -> bytes:
    """The schedule's envelope within; the envelope itself when it is no slot's."""
    return envelope.partition(b"\n")[2] if is_slot(envelope) else envelope


def open_slot(
    envelope: bytes, ring: Keyring, opener: Opener, now_s: int
) -> tuple[str, bytes, dict[str, Any]]:
    """Return (who signed, open half, hidden half) of the job of a slot; else raise Refused.

    `now_s` is this machine's time in seconds since 1970: a slot that is more than an hour
    ahead of it is refused, unless the clock stands before the schedule was signed.
    """
    line = _LINE.match(envelope)
    if not line:
        raise Refused(
            "the slot's header is not one this version writes: it is damaged or from a newer RelayQ"
        )
    slot_ms = int(line[1])
    signed = read_schedule(envelope[line.end() :], ring, opener)
    try:
        check_slot(signed, slot_ms, now_s)
        return signed.by, *slot_halves(signed, slot_ms)
    except SpecError as error:
        raise Refused(str(error)) from None


def read_schedule(envelope: bytes, ring: Keyring, opener: Opener | None = None) -> SignedSchedule:
    """Return what a schedule says that a key on the ring signed; else raise Refused.

    Without an opener only its open half is read: when it fires, not what it runs.
    """
    kid, data, _ = open_schedule(envelope, ring)
    parted = part(data)
    hidden = open_hidden(parted, opener, SCHEDULE) if opener else None
    if hidden and isinstance(hidden.get("secrets"), str):
        raise Refused("its secrets are sealed to workers, so it can be added anew but not read")
    try:
        signed = parse_schedule(parted.head, hidden)
    except SpecError as error:
        raise Refused(str(error)) from None
    if signed.by != kid:
        raise Refused("the sealed part was made for another signer")
    return signed


def slot_of(envelope: bytes) -> int:
    """The slot time that stands in front, 0 when none does."""
    line = _LINE.match(envelope)
    return int(line[1]) if line else 0
