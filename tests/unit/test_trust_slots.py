"""The job of a slot: nothing of it can be chosen by whoever fires it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayq.errors import Refused
from relayq.model.body import Body, parse_halves
from relayq.model.cron import slot_id
from relayq.model.job import JobSpec
from relayq.model.schedule import Rule, Schedule
from relayq.trust.bodies import Author
from relayq.trust.boxes import BoxKey
from relayq.trust.envelope import open_job, open_op, open_schedule, sign_job, sign_schedule
from relayq.trust.keys import Keyring, SigningKey
from relayq.trust.roster import epoch_keys, new_roster
from relayq.trust.sealing import Opener
from relayq.trust.slots import is_slot, open_slot, read_schedule, schedule_of, slot_envelope, slot_of

KEY = SigningKey(bytes(range(32)))
STRANGER = SigningKey(bytes(range(1, 33)))
RING = Keyring([KEY.public])
NOW_S = 1_800_000_000
SLOT = NOW_S * 1000
SPEC = JobSpec.from_dict({"command": "echo hello"})
SCHEDULE = Schedule(name="nightly", rule=Rule(every_ms=60_000), spec=SPEC)
ROSTER = new_roster(KEY, "home", NOW_S - 1000)
AUTHOR = Author(KEY, ROSTER)
OPENER = Opener([BoxKey.of(KEY), *epoch_keys(ROSTER, BoxKey.of(KEY))])
SIGNED = AUTHOR.schedule(SCHEDULE, NOW_S - 1000)
DATA = open_schedule(SIGNED, RING).body
ENVELOPE = slot_envelope(SIGNED, SLOT)


def refused(envelope: bytes, why: str | None = None) -> None:
    """The door must be shut."""
    with pytest.raises(Refused, match=why):
        open_slot(envelope, RING, OPENER, NOW_S)


def opened(envelope: bytes) -> tuple[str, Body]:
    """Who signed it, and the job."""
    kid, head, hidden = open_slot(envelope, RING, OPENER, NOW_S)
    return kid, parse_halves(head, hidden)


def test_a_slot_opens_as_the_job_that_follows_from_its_schedule() -> None:
    kid, body = opened(ENVELOPE)
    assert kid == body.by == KEY.kid
    assert (body.id, body.fleet, body.spec) == (slot_id("home", "nightly", SLOT), "home", SPEC)


def test_a_slot_is_told_from_other_envelopes() -> None:
    assert is_slot(ENVELOPE)
    assert (schedule_of(ENVELOPE), slot_of(ENVELOPE)) == (SIGNED, SLOT)
    job = sign_job(KEY, b"{}")
    assert not is_slot(job)
    assert schedule_of(job) == job


def test_a_time_that_is_no_slot_is_refused() -> None:
    refused(slot_envelope(SIGNED, SLOT + 1), "does not fire at")


def test_a_slot_long_before_its_time_is_refused() -> None:
    refused(slot_envelope(SIGNED, SLOT + 7_200_000), "has not come yet")


def test_a_schedule_signed_by_a_stranger_is_refused() -> None:
    signed = Author(STRANGER, ROSTER).schedule(SCHEDULE, NOW_S)
    refused(slot_envelope(signed, SLOT), "is not trusted")


def test_a_sealed_part_under_another_signer_is_refused() -> None:
    ring = Keyring([KEY.public, STRANGER.public])
    with pytest.raises(Refused, match="made for another signer"):
        open_slot(slot_envelope(sign_schedule(STRANGER, DATA), SLOT), ring, OPENER, NOW_S)


def test_a_sealed_part_of_another_schedule_does_not_open() -> None:
    other = Schedule(
        name="other", rule=Rule(every_ms=60_000), spec=JobSpec.from_dict({"command": "echo other"})
    )
    head, _, _ = DATA.partition(b"\n")
    _, _, sealed = open_schedule(AUTHOR.schedule(other, NOW_S - 1000), RING).body.partition(b"\n")
    refused(slot_envelope(sign_schedule(KEY, head + b"\n" + sealed), SLOT))


def test_whoever_cannot_open_it_learns_when_it_fires_and_nothing_of_the_job() -> None:
    assert b"hello" not in SIGNED
    read = read_schedule(SIGNED, RING).schedule
    assert (read.rule, read.spec.command) == (SCHEDULE.rule, "(sealed)")
    with pytest.raises(Refused):
        open_slot(ENVELOPE, RING, Opener([BoxKey.of(STRANGER)]), NOW_S)


def test_a_job_is_no_schedule_and_a_schedule_no_job() -> None:
    refused(
        slot_envelope(sign_job(KEY, DATA), SLOT),
        "changed or signed by another",
    )
    for door in (open_job, open_op):
        for envelope in (SIGNED, ENVELOPE):
            with pytest.raises(Refused):
                door(envelope, RING)
    with pytest.raises(Refused):
        open_schedule(sign_job(KEY, DATA), RING)


def test_a_signed_body_that_is_no_schedule_is_refused() -> None:
    refused(slot_envelope(sign_schedule(KEY, b'{"op":"schedule"}'), SLOT), "has no sealed part")


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
            _, body = opened(bytes(changed))
        except Refused:
            continue
        assert body.spec == SPEC
        assert body.id == slot_id("home", "nightly", body.iat * 1000)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda tail: b"1 slot 1800000000000\n" + tail))
def test_noise_is_refused_and_nothing_but_refused(noise: bytes) -> None:
    refused(noise)
