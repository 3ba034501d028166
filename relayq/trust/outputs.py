"""What a worker says of an attempt: output, progress, how it ended. Sealed, and in its own name.

Everything is sealed to those who may read it: the owner, the viewers of the roster, and
the submitter's reply key. The head of a seal is signed by the worker (sealing.py), and
each piece names fleet, job, attempt and place, so that nobody who only carries it can
make one up, move it to another job, or put one piece before another; a piece that was
left out shows as a gap. Each piece opens alone, at the moment it arrives.

How an attempt ended is the last of it: outcome, exit code, and what the job gave back.
A reader believes what the hub says of an end only as far as this says the same.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from relayq.errors import Refused
from relayq.trust.files import Left
from relayq.trust.keys import KEY_BYTES, decode, decode_any, encode
from relayq.trust.sealing import Opener, Sealer

if TYPE_CHECKING:
    from relayq.trust.keys import SigningKey

NOTE_MARK = "~"
NOTE_CHARS_MAX = 200
_SEALERS_MAX = 64


class Ended(NamedTuple):
    """How an attempt ended in its worker's words: `ok`, `failed` or `timeout`, the exit code, the result.

    `files` are those that it has left, whose names and keys are nobody else's business.
    """

    outcome: str
    exit_code: int
    result: bytes = b""
    files: tuple[Left, ...] = ()


class Asked(NamedTuple):
    """Somebody wants a whole log: under which ticket, of which job, of which attempt (0: of each)."""

    ticket: str
    job: str
    attempt: int = 0


class Voice:
    """What one worker seals, for these readers (public box keys) and each submitter."""

    def __init__(self, key: SigningKey, fleet: str, readers: Iterable[str]) -> None:
        self._key, self._fleet = key, fleet
        self._readers = tuple(readers)
        self._sealers: OrderedDict[str, Sealer] = OrderedDict()

    def piece(self, job: str, attempt: int, place: tuple[int, int], data: bytes, reply: str) -> bytes:
        """Output that stands at `place`: (stream, offset in that stream)."""
        return self._to(reply).seal(data, _name(b"log", self._fleet, job, attempt, *place))

    def ended(self, job: str, attempt: int, ended: Ended, reply: str) -> bytes:
        """The end of an attempt."""
        told = [ended.outcome, ended.exit_code, *([ended.files] if ended.files else [])]
        line = json.dumps(told, separators=(",", ":")).encode()
        return self._to(reply).seal(line + b"\n" + ended.result, _name(b"end", self._fleet, job, attempt))

    def note(self, job: str, text: str, reply: str) -> str:
        """A few words about a job, as text."""
        data = text[:NOTE_CHARS_MAX].encode("utf-8", "replace")
        return NOTE_MARK + encode(self._to(reply).seal(data, _name(b"note", self._fleet, job)))

    def pour(self, asked: Asked, number: int, kind: str, data: bytes, reply: str) -> bytes:
        """Piece `number` of a whole log that somebody asked for."""
        return self._to(reply).seal(data, _poured(self._fleet, asked, number, kind))

    def _to(self, reply: str) -> Sealer:
        sealer = self._sealers.get(reply)
        if sealer is None:
            readers = (*self._readers, reply) if reply else self._readers
            sealer = self._sealers[reply] = Sealer(readers, self._key)
            if len(self._sealers) > _SEALERS_MAX:
                self._sealers.popitem(last=False)
        return sealer


class Ear:
    """Opens what workers said; `is_worker` tells whether a public key is that of one."""

    def __init__(self, fleet: str, opener: Opener, is_worker: Callable[[str], bool]) -> None:
        self._fleet, self._opener, self._is_worker = fleet, opener, is_worker

    def piece(self, job: str, attempt: int, place: tuple[int, int], sealed: bytes) -> bytes:
        """Output; Refused when it is not for us, not from a worker, or belongs elsewhere."""
        return self._open(sealed, _name(b"log", self._fleet, job, attempt, *place))

    def ended(self, job: str, attempt: int, sealed: bytes) -> Ended:
        """How the attempt ended; Refused likewise."""
        data = self._open(sealed, _name(b"end", self._fleet, job, attempt))
        line, _, result = data.partition(b"\n")
        try:
            outcome, code, *more = json.loads(line)
            files = tuple(_left(item) for item in (more[0] if more else ()))
        except (ValueError, TypeError, LookupError):
            raise Refused("the end of the attempt is not in a form that this version knows") from None
        if not isinstance(outcome, str) or type(code) is not int or len(more) > 1:
            raise Refused("the end of the attempt is not in a form that this version knows")
        return Ended(outcome, code, result, files)

    def note(self, job: str, text: str) -> str:
        """A few words; what was never sealed comes back as it is."""
        if not text.startswith(NOTE_MARK):
            return text
        sealed = decode_any(text[len(NOTE_MARK) :])
        if sealed is None:
            raise Refused("the message is damaged")
        return self._open(sealed, _name(b"note", self._fleet, job)).decode("utf-8", "replace")

    def pour(self, asked: Asked, number: int, kind: str, sealed: bytes) -> bytes:
        """A piece of the whole log that was asked for; Refused for one of another log."""
        return self._open(sealed, _poured(self._fleet, asked, number, kind))

    def _open(self, sealed: bytes, what: bytes) -> bytes:
        opened = self._opener.open(sealed, what)
        if not opened.writer or not self._is_worker(opened.writer):
            raise Refused("no worker of this fleet wrote it (or one whose key was revoked since)")
        return opened.data


def _left(item: object) -> Left:
    """One file, as it is written; ValueError or TypeError for anything else."""
    if not isinstance(item, list):
        raise ValueError
    name, sha256, size, key = item
    if not all(isinstance(text, str) for text in (name, sha256, key)) or type(size) is not int or size < 0:
        raise ValueError
    if decode(key, KEY_BYTES) is None:
        raise ValueError
    return Left(name, sha256, size, key)


def _poured(fleet: str, asked: Asked, number: int, kind: str) -> bytes:
    return _name(b"pour", fleet, *asked, number, kind)


def _name(kind: bytes, *parts: str | int) -> bytes:
    """What a piece is, as bytes: nothing in the parts contains a newline."""
    return b"relayq-%b-1\n" % kind + "\n".join(map(str, parts)).encode()
