"""Plain Python gives the bytes that `cryptography` gives, and refuses what it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayq.errors import Refused
from relayq.model.job import JobSpec, new_id
from relayq.trust import compiled, plain, primitives
from relayq.trust.bodies import Author, open_hidden, part
from relayq.trust.boxes import BoxKey
from relayq.trust.envelope import open_job
from relayq.trust.keys import Keyring, SigningKey
from relayq.trust.members import Member
from relayq.trust.outputs import Ear, Ended, Voice
from relayq.trust.roster import Roster, add_member, epoch_keys, new_roster, open_roster, sign_roster
from relayq.trust.sealing import Opener, Sealer

KEY = st.binary(min_size=32, max_size=32)
P = 2**255 - 19


@pytest.fixture
def plainly() -> Iterator[None]:
    """What is done within is done by plain Python."""
    primitives.use(plain)
    yield
    primitives.use(compiled)


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


def test_the_vectors_of_rfc_7748() -> None:
    scalar = hexed("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = hexed("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    shared = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    assert plain.half(scalar).shared(point).hex() == shared
    number = (9).to_bytes(32, "little")
    assert plain.half(number).shared(number).hex() == (
        "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    )


def test_the_vectors_of_rfc_8032() -> None:
    pen = plain.pen(hexed("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert pen.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert pen.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_the_vectors_of_rfc_8439_and_rfc_5869() -> None:
    cipher = plain.cipher(bytes(range(0x80, 0xA0)))
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    sealed = cipher.encrypt(hexed("070000004041424344454647"), text, hexed("50515253c0c1c2c3c4c5c6c7"))
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    found = plain.derived(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)))
    assert found.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"


@settings(max_examples=60, deadline=None)
@given(KEY, KEY)
def test_both_exchange_the_same_secrets(one: bytes, other: bytes) -> None:
    ours, theirs = plain.half(one), compiled.half(one)
    assert ours.public == theirs.public
    try:
        expected = theirs.shared(other)
    except ValueError:
        with pytest.raises(ValueError, match="makes no secret"):
            ours.shared(other)
    else:
        assert ours.shared(other) == expected


@pytest.mark.parametrize("point", [0, 1, P - 1, P, P + 1, 2**255 - 1, 2**256 - 1, 2**255 + 9])
def test_points_at_the_edge_are_treated_alike(point: int) -> None:
    public = point.to_bytes(32, "little")
    answers = []
    for source in (plain, compiled):
        try:
            answers.append(source.half(bytes(32)).shared(public))
        except ValueError:
            answers.append(b"none")
    assert answers[0] == answers[1]


@settings(max_examples=40, deadline=None)
@given(KEY, st.binary(max_size=300))
def test_both_sign_alike_and_believe_each_other(seed: bytes, message: bytes) -> None:
    ours, theirs = plain.pen(seed), compiled.pen(seed)
    signature = theirs.sign(message)
    assert (ours.public, ours.sign(message)) == (theirs.public, signature)
    assert plain.is_signature(ours.public, signature, message)
    assert not plain.is_signature(ours.public, signature, message + b"!")


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 95), st.integers(1, 255))
def test_every_change_of_a_key_or_signature_is_judged_alike(at: int, change: int) -> None:
    both = bytearray(compiled.pen(bytes(32)).public + compiled.pen(bytes(32)).sign(b"x"))
    both[at] ^= change
    public, signature = bytes(both[:32]), bytes(both[32:])
    assert plain.is_signature(public, signature, b"x") == compiled.is_signature(public, signature, b"x")


def test_a_signature_has_one_spelling() -> None:
    """The same answer plus the order of the group solves the equation too (RFC 8032, 5.1.7)."""
    pen = plain.pen(bytes(32))
    signature = pen.sign(b"x")
    order = 2**252 + 27742317777372353535851937790883648493
    again = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    for source in (plain, compiled):
        assert source.is_signature(pen.public, signature, b"x")
        assert not source.is_signature(pen.public, signature[:32] + again, b"x")


@pytest.mark.parametrize("size", [0, 31, 33, 63, 65])
def test_a_key_or_signature_of_another_length_is_none(size: int) -> None:
    pen = plain.pen(bytes(32))
    assert not plain.is_signature(pen.public, bytes(size), b"")
    assert not plain.is_signature(bytes(size), pen.sign(b""), b"")


@settings(max_examples=60, deadline=None)
@given(KEY, st.binary(min_size=12, max_size=12), st.binary(max_size=700), st.none() | st.binary(max_size=70))
def test_both_encrypt_alike(key: bytes, nonce: bytes, data: bytes, more: bytes | None) -> None:
    sealed = compiled.cipher(key).encrypt(nonce, data, more)
    assert plain.cipher(key).encrypt(nonce, data, more) == sealed
    assert plain.cipher(key).decrypt(nonce, sealed, more) == data


def test_every_changed_bit_of_a_ciphertext_is_noticed() -> None:
    cipher = plain.cipher(bytes(32))
    sealed = cipher.encrypt(bytes(12), b"hello", b"place")
    for at in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(plain.Forged):
            cipher.decrypt(bytes(12), bytes(changed), b"place")
    for short in range(16):
        with pytest.raises(plain.Forged):
            cipher.decrypt(bytes(12), sealed[:short], b"place")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=80), st.none() | st.binary(max_size=80), st.binary(max_size=80))
def test_both_derive_alike(secret: bytes, salt: bytes | None, info: bytes) -> None:
    assert plain.derived(secret, salt, info) == compiled.derived(secret, salt, info)


# -- everything that is built on them


@pytest.fixture
def roster() -> Roster:
    return add_member(
        add_member(new_roster(OWNER, "home", 1), OWNER, member("worker", WORKER), 2),
        OWNER,
        member("submit", SENDER),
        3,
    )


def member(role: str, key: SigningKey) -> Member:
    return Member(role=role, name=role, sign=key.public, box=BoxKey.of(key).public)


OWNER, WORKER, SENDER = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))


def test_a_job_of_plain_python_opens_with_cryptography(roster: Roster) -> None:
    signed = sign_roster(OWNER, roster)
    primitives.use(plain)
    spec = JobSpec.from_dict({"command": "echo hi", "secrets": {"A": "b"}, "env": {"X": "y" * 3000}})
    job = new_id()
    envelope = Author(SigningKey(bytes([3]) * 32), open_roster(signed, OWNER.public)).job(spec, job, 7)
    primitives.use(compiled)
    opened = open_job(envelope, Keyring([SENDER.public]))
    parted = part(opened.body)
    hidden = open_hidden(parted, Opener(epoch_keys(roster, BoxKey.of(WORKER))))
    assert hidden["command"] == "echo hi"
    assert hidden["secrets"] == {"A": "b"}


def test_plain_python_reads_what_a_worker_said(roster: Roster) -> None:
    voice = Voice(WORKER, "home", roster.readers())
    reply = BoxKey.of(SENDER).public
    said = voice.piece("J", 1, (1, 0), b"hello", reply), voice.ended("J", 1, Ended("ok", 0, b"r"), reply)
    primitives.use(plain)
    ear = Ear("home", Opener([BoxKey.of(SigningKey(bytes([3]) * 32))]), roster.is_worker)
    heard = ear.piece("J", 1, (1, 0), said[0]), ear.ended("J", 1, said[1])
    primitives.use(compiled)
    assert heard == (b"hello", Ended("ok", 0, b"r"))


def test_plain_python_refuses_a_roster_that_was_changed(roster: Roster, plainly: None) -> None:
    data = sign_roster(SigningKey(bytes([1]) * 32), roster)
    assert open_roster(data, OWNER.public) == roster
    with pytest.raises(Refused, match="content was changed"):
        open_roster(data.replace(b'"home"', b'"hom3"'), OWNER.public)


def test_plain_python_notices_every_changed_byte_of_a_seal(plainly: None) -> None:
    key = BoxKey(bytes(32))
    sealed = Sealer([key.public]).seal(b"hi", b"place")
    for at in range(0, len(sealed), 7):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(Refused):
            Opener([key]).open(bytes(changed), b"place")


def test_the_parts_of_cryptography_may_lie_elsewhere() -> None:
    """Where a version of it has moved what is taken from its core, the classes in front of that serve."""
    code = """
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf import hkdf
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.bindings import _rust
del _rust.openssl
from relayq.trust import compiled, plain
assert compiled.private_box == x25519.X25519PrivateKey.from_private_bytes
assert compiled.half(bytes(32)).shared(plain.half(b"x" * 32).public) == plain.half(b"x" * 32).shared(
    compiled.half(bytes(32)).public
)
assert compiled.cipher(bytes(32)).encrypt(bytes(12), b"a", b"b")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
