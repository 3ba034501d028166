"""Sign a job, a batch or an op, and open nothing that is not signed.

An envelope is one line of header, then the payload. The signature covers the
payload as it travels, byte for byte: nothing is parsed, normalised or
decompressed before it is verified, so a stranger's bytes reach neither zlib nor
a JSON parser.

    1 ed25519 <kid> <signature>\\n<body>       one job, one op, one schedule, one batch record
    1 batch <digest> <position>\\n<body>       a member of a batch
    1 oidc <token>\\n<body>                    one job of a GitHub Actions run (oidc.py)

`1z` in place of `1` says that the payload is the body compressed with zlib, which
pays above 1 KiB. What is signed begins with a line that names the kind (a job
never passes for an op) and whether it is compressed.

A batch is signed once: its record is an envelope whose payload is the list of the
SHA-256 of each member's signed bytes. A member names the record by digest and its
own place in it. One signature costs 64 us, one verification 150 us (x86_64).
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from relayq.errors import Refused, SpecError
from relayq.trust.audience import AUDIENCE
from relayq.trust.keys import SIGNATURE_BYTES, Keyring, SigningKey, decode, encode

if TYPE_CHECKING:
    from relayq.trust.oidc import Claims

BODY_BYTES_MAX = 96 << 10  # 64 KiB of spec, what judges it, and the seal
BATCH_MAX = 500
_COMPRESS_ABOVE_BYTES = 1024
_DIGEST_BYTES = 32
# Compiled when the first envelope is opened: whoever only signs, as a cold submit, does without (0.6 ms).
_HEADER = (
    rb"(1z?) (?:ed25519 ([0-9a-f]{8}) ([A-Za-z0-9_-]{86})|batch ([A-Za-z0-9_-]{43}) (0|[1-9][0-9]{0,2})"
    rb"|oidc ([A-Za-z0-9_.-]{1,16384}))\n"
)


class Opened(NamedTuple):
    """What a verified envelope holds: who signed it, and the exact bytes of the body.

    `claims` are those of the token that signed, `kid` is then `oidc:<repository id>`.
    """

    kid: str
    body: bytes
    claims: Claims | None = None


class Batch(NamedTuple):
    """A verified batch record: who signed it, and the digest of each member."""

    kid: str
    digests: tuple[bytes, ...]


class Op(NamedTuple):
    """An order about a job that exists: what to do, up to which attempt it holds, `iat` in Unix seconds."""

    op: str
    id: str
    attempt: int
    fleet: str
    iat: int


class _Signed(NamedTuple):
    word: str
    payload: bytes
    kid: str
    signature: str


class _Member(NamedTuple):
    word: str
    payload: bytes
    digest: str
    position: int


class _Token(NamedTuple):
    word: str
    payload: bytes
    token: str


# Judges a token that signs what has this SHA-256 (hex); raises Refused.
Judge = Callable[[str, str], "Claims"]


def sign_with_token(body: bytes, ask: Callable[[str], str]) -> bytes:
    """Return the envelope of one job that an identity token signs; `ask` gets one for an audience."""
    word, payload = _pack(body)
    digest = _sha256(_statement("job", word, payload)).hex()
    return f"{word} oidc {ask(AUDIENCE + digest)}\n".encode() + payload


def sign_job(key: SigningKey, body: bytes) -> bytes:
    """Return the envelope of one job."""
    return _signed(key, "job", body)


def sign_batch(key: SigningKey, bodies: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """Return the record of a batch of at most 500 jobs and the envelope of each."""
    if not 1 <= len(bodies) <= BATCH_MAX:
        raise SpecError(f"a batch of {len(bodies)} jobs cannot be signed: 1 to {BATCH_MAX} at once")
    packed = [_pack(body) for body in bodies]
    digests = b"".join(_sha256(_statement("job", word, payload)) for word, payload in packed)
    record = _seal(key, "batch", "1", digests)
    name = name_of(record)
    return record, [
        f"{word} batch {name} {position}\n".encode() + payload
        for position, (word, payload) in enumerate(packed)
    ]


def sign_op(key: SigningKey, op: Op) -> bytes:
    """Return the envelope of an op."""
    return _signed(key, "op", json.dumps(op._asdict(), separators=(",", ":")).encode())


def sign_schedule(key: SigningKey, body: bytes) -> bytes:
    """Return the envelope of a schedule."""
    return _signed(key, "schedule", body)


def open_job(
    envelope: bytes,
    ring: Keyring,
    batch_record: Callable[[str], bytes] | None = None,
    judge: Judge | None = None,
) -> Opened:
    """Return the body of a job that a key on the ring signed, alone or in a batch; else raise Refused.

    `batch_record` gives the record that a member names by `batch_digest_of`, or b"". `judge`
    decides about the tokens of GitHub Actions; without one they are refused.
    """
    parts = _split(envelope)
    if isinstance(parts, _Token):
        if judge is None:
            raise Refused("jobs of GitHub Actions are not let in here")
        claims = judge(parts.token, _sha256(_statement("job", parts.word, parts.payload)).hex())
        return Opened(claims.signer, _body(parts), claims)
    if isinstance(parts, _Member):
        record = batch_record(parts.digest) if batch_record else b""
        return Opened(_verify_member(parts, record, ring), _body(parts))
    return Opened(_verify(parts, "job", ring), _body(parts))


@lru_cache(maxsize=64)
def open_batch(record: bytes, ring: Keyring) -> Batch:
    """Return the digests of a batch record that a key on the ring signed; else raise Refused.

    The members of a batch cost one verification together: what was verified is remembered.
    """
    parts = _split(record)
    kid = _verify(parts, "batch", ring)
    count, rest = divmod(len(parts.payload), _DIGEST_BYTES)
    if parts.word != "1" or rest or not 1 <= count <= BATCH_MAX:
        raise Refused(f"the batch record does not hold 1 to {BATCH_MAX} digests")
    return Batch(
        kid,
        tuple(parts.payload[at : at + _DIGEST_BYTES] for at in range(0, len(parts.payload), _DIGEST_BYTES)),
    )


def open_op(envelope: bytes, ring: Keyring) -> Op:
    """Return the op that a key on the ring signed; else raise Refused."""
    return open_order(envelope, ring)[1]


def open_order(envelope: bytes, ring: Keyring) -> tuple[str, Op]:
    """Return who signed an op (the kid), and the op; else raise Refused."""
    parts = _split(envelope)
    kid = _verify(parts, "op", ring)
    return kid, _parse_op(_body(parts))


def open_schedule(envelope: bytes, ring: Keyring) -> Opened:
    """Return the body of a schedule that a key on the ring signed; else raise Refused."""
    parts = _split(envelope)
    return Opened(_verify(parts, "schedule", ring), _body(parts))


def payload_of(envelope: bytes) -> tuple[bytes, bytes]:
    """The header line of an envelope, and its body, verified by nobody: for showing only."""
    parts = _split(envelope)
    header = envelope[: len(envelope) - len(parts.payload)]
    return header.replace(b"1z ", b"1 ", 1), _body(parts)


def is_of_run(envelope: bytes) -> bool:
    """Does it claim to be signed by the token of a GitHub Actions run?"""
    return envelope.split(b" ", 2)[1:2] == [b"oidc"]


def approval_of(envelope: bytes) -> str:
    """What the owner orders who approves exactly this envelope."""
    return f"approve:{_sha256(envelope).hex()}"


def batch_digest_of(envelope: bytes) -> str | None:
    """Return the digest of the batch record that is needed to open this envelope, if it is a batch member."""
    try:
        parts = _split(envelope)
    except Refused:
        return None
    return parts.digest if isinstance(parts, _Member) else None


def _signed(key: SigningKey, kind: str, body: bytes) -> bytes:
    return _seal(key, kind, *_pack(body))


def _seal(key: SigningKey, kind: str, word: str, payload: bytes) -> bytes:
    signature = encode(key.sign(_statement(kind, word, payload)))
    return f"{word} ed25519 {key.kid} {signature}\n".encode() + payload


def _pack(body: bytes) -> tuple[str, bytes]:
    """Return the header's first word and the payload: compressed where that makes it smaller."""
    if len(body) > BODY_BYTES_MAX:
        raise SpecError(f"the job spec is {len(body)} bytes as JSON: at most {BODY_BYTES_MAX}")
    if len(body) > _COMPRESS_ABOVE_BYTES:
        small = zlib.compress(body, 6)
        if len(small) < len(body):
            return "1z", small
    return "1", body


def _statement(kind: str, word: str, payload: bytes) -> bytes:
    """Return the bytes that are signed; the first line keeps kinds and packings apart."""
    return f"relayq-{kind}-{word}\n".encode() + payload


def _split(envelope: bytes) -> _Signed | _Member | _Token:
    """Take an envelope apart, refusing every spelling of the header but the one that is written."""
    header = re.match(_HEADER, envelope)
    if not header:
        raise Refused(
            "the envelope's header is not one this version writes: it is damaged or from a newer RelayQ"
        )
    payload = envelope[header.end() :]
    if len(payload) > BODY_BYTES_MAX:
        raise Refused(f"the envelope holds {len(payload)} bytes: at most {BODY_BYTES_MAX}")
    word, kid, signature, digest, position, token = (part.decode() for part in header.groups(b""))
    if token:
        return _Token(word, payload, token)
    if digest:
        return _Member(word, payload, digest, int(position))
    return _Signed(word, payload, kid, signature)


def _verify(parts: _Signed | _Member | _Token, kind: str, ring: Keyring) -> str:
    """Return the kid of the key on the ring that signed this; else raise Refused."""
    if isinstance(parts, _Token):
        raise Refused(f"the {kind} is not signed by a key: a token signs jobs and nothing else")
    if isinstance(parts, _Member):
        raise Refused(f"the {kind} is not signed: it is a member of a batch")
    signature = decode(parts.signature, SIGNATURE_BYTES)
    if signature is None:
        raise Refused(f"the signature of the {kind} is malformed")
    ring.get(parts.kid).verify(signature, _statement(kind, parts.word, parts.payload))
    return parts.kid


def _verify_member(member: _Member, record: bytes, ring: Keyring) -> str:
    """Return the kid of the key that signed the batch of which this is a member; else raise Refused."""
    if name_of(record) != member.digest:
        raise Refused(f"the batch record {member.digest[:12]} is missing or was changed")
    batch = open_batch(record, ring)
    digest = _sha256(_statement("job", member.word, member.payload))
    if batch.digests[member.position : member.position + 1] != (digest,):
        raise Refused(f"the job is not number {member.position} of the batch that was signed")
    return batch.kid


@lru_cache(maxsize=64)
def name_of(record: bytes) -> str:
    """Return the digest by which members name their batch record: 16 KiB, hashed once for all of them."""
    return encode(hashlib.sha256(record).digest())


def _body(parts: _Signed | _Member | _Token) -> bytes:
    """Return the body of a payload that was verified."""
    if parts.word == "1":
        return parts.payload
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(parts.payload, BODY_BYTES_MAX + 1)
    except zlib.error:
        raise Refused("the compressed body is damaged") from None
    if len(body) > BODY_BYTES_MAX or not inflater.eof or inflater.unused_data:
        raise Refused(f"the compressed body is not one of at most {BODY_BYTES_MAX} bytes")
    return body


def _parse_op(body: bytes) -> Op:
    try:
        fields = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Refused("the op is not JSON") from None
    if not isinstance(fields, dict) or fields.keys() != set(Op._fields):
        raise Refused("the op does not have the fields op, id, attempt, fleet and iat")
    op = Op(**fields)
    if not _all_are(str, op.op, op.id, op.fleet) or not _all_are(int, op.attempt, op.iat):
        raise Refused("a field of the op is of the wrong type")
    return op


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _all_are(kind: type, *values: object) -> bool:
    return all(type(value) is kind for value in values)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
