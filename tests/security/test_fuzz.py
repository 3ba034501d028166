"""Twelve thousand damaged envelopes, rosters, seals and tokens: each opens, or is Refused. Nothing else.

The budget is fixed and the seed is too, so a failure can be looked at: `random.Random(SEED)`.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from relayq.errors import Refused
from relayq.model.body import parse_halves
from relayq.model.job import JobSpec, new_id
from relayq.trust.bodies import Author, open_hidden, part
from relayq.trust.boxes import BoxKey
from relayq.trust.envelope import Op, open_batch, open_job, open_order, sign_op
from relayq.trust.keys import SigningKey
from relayq.trust.members import GithubRule, Member
from relayq.trust.oidc import AUDIENCE, KeyStore, verify_token
from relayq.trust.outputs import Ear, Ended, Voice
from relayq.trust.roster import add_github_rule, add_member, epoch_keys, new_roster, open_roster, sign_roster
from relayq.trust.sealing import Opener
from tests.security.issuer import Issuer, public_of

SEED = 20261128
CASES = 2000
PIECES = [
    *(b"", b"\0", b"\n", b" ", b'"', b"{", b"}", b"[" * 40, b"\xff\xfe"),
    *(b"1z ", b"oidc ", b"batch ", b"null", b"NaN"),
]

OWNER, WORKER = SigningKey.generate(), SigningKey.generate()
MEMBER = Member(role="worker", name="pi", sign=WORKER.public, box=BoxKey.of(WORKER).public)
RULE = GithubRule(repository="me/site", repository_id="12", owner_id="34")
ROSTER = add_github_rule(add_member(new_roster(OWNER, "home", 1), OWNER, MEMBER, 1), RULE, 1)
SIGNED = sign_roster(OWNER, ROSTER)
OPENER = Opener([BoxKey.of(WORKER), *epoch_keys(ROSTER, BoxKey.of(WORKER))])
SPEC = JobSpec.from_dict({"command": "echo hello", "env": {"A": "b"}, "array": ["x", "y"]})
VOICE = Voice(WORKER, "home", ROSTER.readers())
EAR = Ear("home", Opener([BoxKey.of(OWNER)]), ROSTER.is_worker)
RING = ROSTER.submitters()


def damaged(data: bytes, chance: random.Random) -> bytes:
    """One to four wounds: a bit, a byte, a hole, a repetition, an insertion, a swap, an end cut off."""
    for _ in range(chance.randint(1, 4)):
        at, size = chance.randrange(len(data) + 1), chance.choice((1, 1, 2, 7, 40))
        bit = bytes((data[at] ^ 1 << chance.randrange(8),)) if at < len(data) else b"x"
        data = chance.choice(
            (
                data[:at] + bit + data[at + 1 :],
                data[:at] + data[at + size :],
                data[:at] + data[at : at + size] * 2 + data[at + size :],
                data[:at] + chance.choice(PIECES) + data[at:],
                data[:at] + chance.randbytes(size) + data[at + size :],
                data[at:] + data[:at],
                data[:at],
            )
        )
    return data


def opens_or_is_refused(good: list[bytes], door: Callable[[bytes], object]) -> None:
    """Whole it opens, damaged it opens or is Refused."""
    chance = random.Random(SEED)
    for one in good:
        door(one)
    for _ in range(CASES):
        with suppress(Refused):
            door(damaged(chance.choice(good), chance))


def test_envelopes() -> None:
    author = Author(OWNER, ROSTER)
    record, members = author.batch([(SPEC, new_id()), (SPEC, new_id())], 1)

    def door(envelope: bytes) -> None:
        body = part(open_job(envelope, RING, lambda _: record).body)
        parse_halves(body.head, open_hidden(body, OPENER))

    opens_or_is_refused([author.job(SPEC, new_id(), 1), *members], door)


def test_bodies_that_somebody_who_may_submit_has_signed() -> None:
    """Past the signature: a careless or hostile submitter."""
    body = Author(OWNER, ROSTER).body(SPEC, new_id(), 1)
    opens_or_is_refused([body], lambda data: open_hidden(part(data), OPENER))


def test_batch_records_and_ops() -> None:
    record, _ = Author(OWNER, ROSTER).batch([(SPEC, new_id())], 1)
    opens_or_is_refused([record], lambda data: open_batch(data, RING))
    op = sign_op(OWNER, Op("cancel", new_id(), 0, "home", 1))
    opens_or_is_refused([op], lambda data: open_order(data, RING))


def test_rosters() -> None:
    opens_or_is_refused([SIGNED], lambda data: open_roster(data, OWNER.public, fleet="home"))


def test_rosters_that_the_owner_has_signed() -> None:
    """Past the signature: what reads the JSON must hold by itself."""
    from relayq.trust import roster

    payload = SIGNED.partition(b"\n")[2]
    opens_or_is_refused([payload], roster._from_json)


def test_what_workers_say() -> None:
    pieces = [
        VOICE.piece("J", 1, (1, 0), b"hello", ""),
        VOICE.ended("J", 1, Ended("ok", 0, b"r"), ""),
    ]

    def door(data: bytes) -> None:
        with suppress(Refused):
            EAR.piece("J", 1, (1, 0), data)
        EAR.note("J", data.decode("latin-1"))
        with suppress(Refused):
            EAR.ended("J", 1, data)

    opens_or_is_refused(pieces, door)


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    """The keys of an issuer that does not answer, as they were kept on disk."""
    kept = {"issuer": "http://127.0.0.1:9", "read_s": time.time(), "keys": [public_of("one")]}
    (tmp_path / "keys.json").write_text(json.dumps(kept))
    return KeyStore(tmp_path / "keys.json", "http://127.0.0.1:9")


def test_tokens(keys: KeyStore) -> None:
    token = Issuer("http://127.0.0.1:9").token(AUDIENCE + "a" * 64, 1)
    opens_or_is_refused(
        [token.encode()], lambda data: verify_token(data.decode("latin-1"), "a" * 64, keys, (RULE,))
    )


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\n", b"1 ed25519\n", b"x" * 600_000, b"[" * 100_000),
        *(b"1 oidc a.b.c\n{}", b"roster 1 ed25519 00000000 x\n"),
    ],
)
def test_a_few_by_hand(data: bytes, keys: KeyStore) -> None:
    for door in (
        lambda: open_job(data, RING),
        lambda: open_roster(data, OWNER.public),
        lambda: open_batch(data, RING),
        lambda: OPENER.open(data, b""),
        lambda: verify_token(data.decode("latin-1"), "a" * 64, keys, (RULE,)),
    ):
        with pytest.raises(Refused):
            door()
