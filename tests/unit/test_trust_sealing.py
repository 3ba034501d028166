"""What is sealed opens for its readers, whole, in its place, and for nobody else."""

from __future__ import annotations

import os

import pytest

from relayq.errors import ConfigError, Refused
from relayq.trust.boxes import BoxKey
from relayq.trust.keys import SigningKey
from relayq.trust.sealing import Opener, Sealer, head_bytes

ALICE, BOB, EVE = (BoxKey.generate() for _ in range(3))
WRITER = SigningKey.generate()


def test_every_reader_opens_it_and_nobody_else() -> None:
    sealed = Sealer([ALICE.public, BOB.public]).seal(b"hello", b"place")
    assert [Opener([key]).open(sealed, b"place").data for key in (ALICE, BOB)] == [b"hello"] * 2
    assert not Opener([EVE]).can_open(sealed)
    with pytest.raises(Refused, match="sealed to others"):
        Opener([EVE]).open(sealed, b"place")


def test_it_opens_in_its_place_alone() -> None:
    with pytest.raises(Refused, match="belongs elsewhere"):
        Opener([ALICE]).open(Sealer([ALICE.public]).seal(b"hello", b"here"), b"there")


def test_every_changed_byte_is_noticed() -> None:
    sealed = Sealer([ALICE.public], WRITER).seal(b"hello", b"place")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(Refused):
            Opener([ALICE]).open(bytes(changed), b"place")


def test_every_shortened_piece_is_refused() -> None:
    sealed = Sealer([ALICE.public], WRITER).seal(b"hello", b"place")
    for size in range(len(sealed)):
        with pytest.raises(Refused):
            Opener([ALICE]).open(sealed[:size], b"place")


def test_a_signed_head_names_its_writer() -> None:
    sealed = Sealer([ALICE.public], WRITER).seal(b"hello", b"place")
    assert Opener([ALICE]).open(sealed, b"place").writer == WRITER.public
    assert Opener([ALICE]).open(Sealer([ALICE.public]).seal(b"x", b""), b"").writer == ""


def test_a_head_in_another_writers_name_is_refused() -> None:
    sealed = Sealer([ALICE.public], WRITER).seal(b"hello", b"place")
    end = head_bytes(sealed)
    other = SigningKey.generate()
    from relayq.trust.keys import decode

    forged = sealed[: end - 96] + (decode(other.public, 32) or b"") + sealed[end - 64 :]
    with pytest.raises(Refused, match="signature"):
        Opener([ALICE]).open(forged, b"place")


def test_no_two_pieces_share_a_number() -> None:
    sealer = Sealer([ALICE.public])
    pieces = [sealer.seal(b"same", b"place") for _ in range(100)]
    assert len(set(pieces)) == 100
    assert {Opener([ALICE]).open(piece, b"place").data for piece in pieces} == {b"same"}


def test_the_child_of_a_fork_seals_under_a_key_of_its_own() -> None:
    sealer = Sealer([ALICE.public])
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, sealer.seal(b"child", b""))
        os._exit(0)
    os.waitpid(child, 0)
    piece = os.read(ours, 4096)
    mine = sealer.seal(b"parent", b"")
    assert piece[: head_bytes(piece)] != mine[: head_bytes(mine)]
    assert Opener([ALICE]).open(piece, b"").data == b"child"


def test_a_point_that_makes_no_secret_is_refused() -> None:
    sealed = bytearray(Sealer([ALICE.public]).seal(b"hello", b"place"))
    sealed[1:33] = bytes(32)
    with pytest.raises(Refused, match="nobody can have"):
        Opener([ALICE]).open(bytes(sealed), b"place")


def test_what_is_no_key_is_named() -> None:
    with pytest.raises(ConfigError, match="not a public key"):
        Sealer(["nonsense"])


def test_a_box_key_follows_from_its_signing_key_alone() -> None:
    assert BoxKey.of(WRITER).public == BoxKey.of(WRITER).public != BoxKey.of(SigningKey.generate()).public
