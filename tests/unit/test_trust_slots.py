"""The job of a slot: nothing of it can be chosen by whoever fires it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayq.errors import Refused
from relayq.model.cron import slot_id
from relayq.model.job import JobSpec, parse_body
from relayq.model.schedule import Rule, Schedule, schedule_body
from relayq.trust.envelope import open_job, open_op, open_schedule, sign_job, sign_schedule
from relayq.trust.keys import Keyring, SigningKey
from relayq.trust.slots import is_slot, open_slot, schedule_of, slot_envelope

KEY = SigningKey(bytes(range(32)))
STRANGER = SigningKey(bytes(range(1, 33)))
RING = Keyring([KEY.public])
NOW_S = 1_800_000_000
SLOT = NOW_S * 1000
SPEC = JobSpec.from_dict({"command": "echo hello"})
SCHEDULE = Schedule(name="nightly", rule=Rule(every_ms=60_000), spec=SPEC)
SIGNED = sign_schedule(KEY, schedule_body(SCHEDULE, "home", NOW_S - 1000))
ENVELOPE = slot_envelope(SIGNED, SLOT)


def refused(envelope: bytes, why: str | None = None) -> None:
    """The door must be shut."""
    with pytest.raises(Refused, match=why):
        open_slot(envelope, RING, NOW_S)


def test_a_slot_opens_as_the_job_that_follows_from_its_schedule() -> None:
    kid, data = open_slot(ENVELOPE, RING, NOW_S)
    body = parse_body(data)
    assert kid == KEY.kid
    assert (body.id, body.fleet, body.spec) == (slot_id("home", "nightly", SLOT), "home", SPEC)


def test_a_slot_is_told_from_other_envelopes() -> None:
    assert is_slot(ENVELOPE)
    assert schedule_of(ENVELOPE) == SIGNED
    job = sign_job(KEY, b"{}")
    assert not is_slot(job)
    assert schedule_of(job) == job


def test_a_time_that_is_no_slot_is_refused() -> None:
    refused(slot_envelope(SIGNED, SLOT + 1), "does not fire at")


def test_a_slot_long_before_its_time_is_refused() -> None:
    refused(slot_envelope(SIGNED, SLOT + 7_200_000), "has not come yet")


def test_a_schedule_signed_by_a_stranger_is_refused() -> None:
    signed = sign_schedule(STRANGER, schedule_body(SCHEDULE, "home", NOW_S))
    refused(slot_envelope(signed, SLOT), "is not trusted")


def test_a_job_is_no_schedule_and_a_schedule_no_job() -> None:
    refused(
        slot_envelope(sign_job(KEY, schedule_body(SCHEDULE, "home", NOW_S)), SLOT),
        "changed or signed by another",
    )
    for door in (open_job, open_op):
        for envelope in (SIGNED, ENVELOPE):
            with pytest.raises(Refused):
                door(envelope, RING)
    with pytest.raises(Refused):
        open_schedule(sign_job(KEY, schedule_body(SCHEDULE, "home", NOW_S)), RING)


def test_a_signed_body_that_is_no_schedule_is_refused() -> None:
    refused(slot_envelope(sign_schedule(KEY, b'{"op":"schedule"}'), SLOT), "has no field")


@pytest.mark.parametrize(
    "line",
    [
        b"1 slot 0\n",
        b"1 slot 01\n",
        b"1 slot -5\n",
        b"1 slot 1e3\n",
        b"1 slot \n",
        b"1 slot 5",
        b"1 slot 9999999999999999\n",
    ],
)
def test_another_spelling_of_the_line_in_front_is_refused(line: bytes) -> None:
    refused(line + SIGNED)


def test_a_changed_byte_anywhere_is_refused_or_another_slot_of_the_same_schedule() -> None:
    for at in range(len(ENVELOPE)):
        changed = bytearray(ENVELOPE)
        changed[at] ^= 1 << (at % 8)
        try:
            body = parse_body(open_slot(bytes(changed), RING, NOW_S).body)
        except Refused:
            continue
        assert body.spec == SPEC
        assert body.id == slot_id("home", "nightly", body.iat * 1000)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda tail: b"1 slot 1800000000000\n" + tail))
def test_noise_is_refused_and_nothing_but_refused(noise: bytes) -> None:
    refused(noise)
