"""Facts about envelopes: what was signed opens, everything else is Refused and nothing but Refused."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayq.errors import Refused, SpecError
from relayq.trust import envelope as subject
from relayq.trust.envelope import (
    BATCH_MAX,
    BODY_BYTES_MAX,
    Op,
    batch_digest_of,
    open_batch,
    open_job,
    open_op,
    sign_batch,
    sign_job,
    sign_op,
)
from relayq.trust.keys import Keyring, SigningKey, encode

KEY = SigningKey(bytes(range(32)))
STRANGER = SigningKey(bytes(range(1, 33)))
RING = Keyring([KEY.public])
SMALL = b'{"op":"submit","id":"0123456789ABCDEF"}'
LARGE = json.dumps({"command": "echo hello " * 400}).encode()
RANDOM = os.urandom(4000)
BODIES = [SMALL, LARGE, RANDOM]
RETRY = Op(op="retry", id="0123456789ABCDEF", attempt=2, fleet="home", iat=1_780_000_000)


def refused(envelope: bytes, record: bytes = b"") -> None:
    """Every door must be shut."""
    for door in (open_batch, open_op):
        with pytest.raises(Refused):
            door(envelope, RING)
    with pytest.raises(Refused):
        open_job(envelope, RING, lambda digest: record)


def sealed(kind: str, payload: bytes, word: str = "1", key: SigningKey = KEY) -> bytes:
    """An envelope whose signature is right, whatever it holds."""
    return subject._seal(key, kind, word, payload)


@pytest.mark.parametrize("body", [b"", *BODIES, b"x" * BODY_BYTES_MAX, os.urandom(BODY_BYTES_MAX)])
def test_what_was_signed_opens_byte_for_byte(body: bytes) -> None:
    assert open_job(sign_job(KEY, body), RING) == (KEY.kid, body, None)


def test_the_header_is_the_one_that_is_documented() -> None:
    header, _, payload = sign_job(KEY, SMALL).partition(b"\n")
    signature = encode(KEY.sign(b"relayq-job-1\n" + SMALL))
    assert (header.decode(), payload) == (f"1 ed25519 {KEY.kid} {signature}", SMALL)


def test_a_body_above_one_kib_travels_compressed() -> None:
    envelope = sign_job(KEY, LARGE)
    assert envelope.startswith(b"1z ed25519 ")
    assert len(envelope) < len(LARGE) / 10


def test_a_body_of_one_kib_travels_as_it_is() -> None:
    assert sign_job(KEY, b"x" * 1024).endswith(b"\n" + b"x" * 1024)


def test_what_does_not_get_smaller_travels_as_it_is() -> None:
    assert sign_job(KEY, RANDOM).startswith(b"1 ed25519 ")


def test_a_body_too_large_is_a_spec_error_for_who_signs_it() -> None:
    with pytest.raises(SpecError, match="98305 bytes"):
        sign_job(KEY, b"x" * (BODY_BYTES_MAX + 1))


@pytest.mark.parametrize("body", [SMALL, LARGE])
def test_a_changed_byte_anywhere_is_refused(body: bytes) -> None:
    envelope = sign_job(KEY, body)
    for at in range(len(envelope)):
        changed = bytearray(envelope)
        changed[at] ^= 1 << (at % 8)
        refused(bytes(changed))


@pytest.mark.parametrize("body", [b"", SMALL, LARGE])
def test_a_missing_or_added_byte_anywhere_is_refused(body: bytes) -> None:
    envelope = sign_job(KEY, body)
    for at in range(len(envelope)):
        refused(envelope[:at])
        refused(envelope[:at] + envelope[at + 1 :])
    refused(envelope + b"\0")


def test_a_key_that_is_not_on_the_ring_is_refused() -> None:
    with pytest.raises(Refused, match=f"key {STRANGER.kid} is not trusted"):
        open_job(sign_job(STRANGER, SMALL), RING)


def test_a_stranger_cannot_sign_under_the_name_of_a_trusted_key() -> None:
    forged = sign_job(STRANGER, SMALL).replace(STRANGER.kid.encode(), KEY.kid.encode())
    with pytest.raises(Refused, match="changed or signed by another"):
        open_job(forged, RING)


def test_a_signature_of_one_kind_does_not_open_another() -> None:
    for kind, doors in (
        ("job", (open_batch, open_op)),
        ("op", (open_job, open_batch)),
        ("batch", (open_job, open_op)),
    ):
        for door in doors:
            with pytest.raises(Refused):
                door(sealed(kind, hashlib.sha256(b"").digest()), RING)


def test_a_compressed_body_cannot_be_passed_off_as_a_plain_one() -> None:
    refused(sign_job(KEY, LARGE).replace(b"1z ", b"1 ", 1))
    refused(sign_job(KEY, SMALL).replace(b"1 ", b"1z ", 1))


def test_nothing_of_a_stranger_reaches_the_decompressor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        subject.zlib, "decompressobj", lambda: pytest.fail("a stranger's bytes were decompressed")
    )
    with pytest.raises(Refused):
        open_job(sealed("job", zlib.compress(SMALL), "1z", STRANGER), RING)


@pytest.mark.parametrize(
    "payload",
    [
        zlib.compress(b"x" * (BODY_BYTES_MAX + 1)),
        zlib.compress(SMALL)[:-1],
        zlib.compress(SMALL) + b"more",
        zlib.compress(SMALL) + zlib.compress(SMALL),
        b"",
        b"not zlib",
    ],
)
def test_a_signed_but_broken_compression_is_refused(payload: bytes) -> None:
    refused(sealed("job", payload, "1z"))


def test_a_decompression_bomb_costs_no_memory() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(60)) + packer.flush()
    assert len(bomb) < BODY_BYTES_MAX
    envelope = sealed("job", bomb, "1z")
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(envelope)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 4096


def test_an_envelope_too_large_is_refused_before_it_is_verified() -> None:
    with pytest.raises(Refused, match="at most 98304"):
        open_job(sealed("job", bytes(600_000)), RING)


def header_of(**changes: str) -> bytes:
    word, scheme, kid, signature = sign_job(KEY, SMALL).partition(b"\n")[0].decode().split(" ")
    parts = {"word": word, "scheme": scheme, "kid": kid, "signature": signature} | changes
    return " ".join(parts.values()).encode() + b"\n" + SMALL


def test_another_spelling_of_a_right_header_is_refused() -> None:
    kid, signature = header_of().partition(b"\n")[0].decode().split(" ")[2:]
    assert open_job(header_of(), RING).body == SMALL
    last = "AQgw"["AQgw".index(signature[-1])]  # 64 bytes leave 4 bits of the last letter unused
    for changed in (
        header_of(kid=kid.upper()),
        header_of(kid=kid + " "),
        header_of(word=" 1"),
        header_of(word="01"),
        header_of(word="2"),
        header_of(scheme="ED25519"),
        header_of(scheme="none"),
        header_of(signature=signature + "=="),
        header_of(signature=signature[:-1] + chr(ord(last) + 1)),
        header_of(signature=signature + " x"),
        header_of(signature=""),
        header_of(signature=signature.replace("-", "+").replace("_", "/") + "\r"),
        b"\n" + SMALL,
        b"",
    ):
        refused(changed)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_nothing_else(data: bytes) -> None:
    refused(data)
    assert batch_digest_of(data) is None


FORMS = ["1", "1z", "2", "ed25519", "batch", "none", "", "0", "499", "999", "-1", "\u0663", "\x00", "1" * 200]
PROOFS = [KEY.kid, STRANGER.kid, encode(bytes(64)), "f" * 64, "A" * 86]
HEADERS = st.lists(st.sampled_from(FORMS + PROOFS), max_size=6).map(" ".join)


@given(HEADERS, st.binary(max_size=64), st.sampled_from(["\n", "\r\n", "", "\n\n"]))
@settings(max_examples=300)
def test_any_words_in_the_header_are_refused_and_nothing_else(header: str, payload: bytes, end: str) -> None:
    refused((header + end).encode() + payload, payload)


@given(st.binary(max_size=200), st.sampled_from(["1", "1z"]), st.sampled_from(["job", "op", "batch"]))
def test_whatever_a_trusted_key_signs_opens_or_is_refused(payload: bytes, word: str, kind: str) -> None:
    envelope = sealed(kind, payload, word)
    for door in (open_job, open_batch, open_op):
        try:
            door(envelope, RING)
        except Refused:
            continue


def test_each_member_of_a_batch_opens_with_its_record() -> None:
    record, members = sign_batch(KEY, BODIES)
    digest = encode(hashlib.sha256(record).digest())
    assert [batch_digest_of(member) for member in members] == [digest] * 3
    assert [open_job(member, RING, {digest: record}.get) for member in members] == [  # type: ignore[arg-type]
        (KEY.kid, body, None) for body in BODIES
    ]


def test_a_member_is_no_op_and_no_record() -> None:
    _, members = sign_batch(KEY, BODIES)
    for door in (open_op, open_batch):
        with pytest.raises(Refused, match="is not signed: it is a member of a batch"):
            door(members[0], RING)


def test_a_full_batch_is_signed_once() -> None:
    record, members = sign_batch(KEY, [str(n).encode() for n in range(BATCH_MAX)])
    assert len(members) == BATCH_MAX
    assert len(open_batch(record, RING).digests) == BATCH_MAX
    assert open_job(members[-1], RING, lambda digest: record).body == b"499"


@pytest.mark.parametrize("count", [0, BATCH_MAX + 1])
def test_a_batch_of_the_wrong_size_is_a_spec_error(count: int) -> None:
    with pytest.raises(SpecError, match=f"batch of {count} jobs"):
        sign_batch(KEY, [b"x"] * count)


def test_a_changed_byte_anywhere_in_a_member_is_refused() -> None:
    record, members = sign_batch(KEY, BODIES)
    for member in members[:2]:
        for at in range(len(member)):
            changed = bytearray(member)
            changed[at] ^= 1 << (at % 8)
            refused(bytes(changed), record)


def test_a_changed_byte_anywhere_in_the_record_is_refused() -> None:
    record, members = sign_batch(KEY, BODIES)
    for at in range(len(record)):
        changed = bytearray(record)
        changed[at] ^= 1 << (at % 8)
        refused(members[0], bytes(changed))
        with pytest.raises(Refused):
            open_batch(bytes(changed), RING)


def test_a_member_of_another_place_is_refused() -> None:
    record, members = sign_batch(KEY, BODIES)
    for place in (b" 1\n", b" 3\n", b" 00\n", b" -1\n", b" 999\n"):
        refused(members[0].replace(b" 0\n", place, 1), record)


def test_a_member_without_its_record_is_refused() -> None:
    _, members = sign_batch(KEY, BODIES)
    with pytest.raises(Refused, match="missing or was changed"):
        open_job(members[0], RING)
    refused(members[0])


def test_a_stranger_cannot_put_a_record_of_his_own_under_a_member() -> None:
    record, members = sign_batch(STRANGER, BODIES)
    with pytest.raises(Refused, match="is not trusted"):
        open_job(members[0], RING, lambda digest: record)


@pytest.mark.parametrize("payload", [b"", bytes(31), bytes(33), bytes(32 * (BATCH_MAX + 1))])
def test_a_signed_record_that_is_no_list_of_digests_is_refused(payload: bytes) -> None:
    with pytest.raises(Refused, match="1 to 500 digests"):
        open_batch(sealed("batch", payload), RING)


def test_a_compressed_record_is_refused() -> None:
    with pytest.raises(Refused, match="1 to 500 digests"):
        open_batch(sealed("batch", bytes(32), "1z"), RING)


def test_the_digest_of_a_single_job_is_none() -> None:
    assert batch_digest_of(sign_job(KEY, SMALL)) is None


def test_an_op_opens_as_it_was_signed() -> None:
    assert open_op(sign_op(KEY, RETRY), RING) == RETRY


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"NaN",
        b"\xff",
        b"[" * 5000,
        b'{"op":"retry"}',
        json.dumps(RETRY._asdict() | {"more": 1}).encode(),
        json.dumps(RETRY._asdict() | {"attempt": "2"}).encode(),
        json.dumps(RETRY._asdict() | {"attempt": True}).encode(),
        json.dumps(RETRY._asdict() | {"iat": 1.5}).encode(),
        json.dumps(RETRY._asdict() | {"iat": float("nan")}).encode(),
        json.dumps(RETRY._asdict() | {"id": None}).encode(),
        json.dumps(RETRY._asdict())[:-1].encode() + b',"op":"cancel"}',
        b'{"op":"retry","id":"x","attempt":' + b"9" * 5000 + b',"fleet":"home","iat":1}',
    ],
)
def test_a_signed_op_that_is_malformed_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="op"):
        open_op(sealed("op", body), RING)
