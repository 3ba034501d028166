"""Keep the values of secrets out of what a job prints: best effort, and no more than that.

A job that wants to print a secret will find a way (backwards, one letter a line). What is
caught is the accident: the value as it is, each of its lines, percent-encoded, in hex,
and in base64 at any of its three alignments, wherever the output is cut into pieces. Values
shorter than SHORTEST bytes are left alone: hiding every `1` would hide nothing and ruin all.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = b"***"
SHORTEST = 4


class Redactor:
    """Replaces what looks like one of `values` by `***`, in one stream that comes piece by piece."""

    def __init__(self, values: Iterable[str]) -> None:
        needles = sorted({needle for value in values for needle in _shapes(value)}, key=len, reverse=True)
        self._longest = max(map(len, needles), default=0)
        self._pattern = re.compile(b"|".join(map(re.escape, needles))) if needles else None
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be shown now. The last bytes wait, as long as they could be a secret's beginning."""
        if self._pattern is None:
            return data
        text = self._held + data
        keep = self._beginning(text)
        self._held = text[len(text) - keep :]
        return self._pattern.sub(MASK, text[: len(text) - keep])

    def close(self) -> bytes:
        """What was waiting."""
        held, self._held = self._held, b""
        return self._pattern.sub(MASK, held) if self._pattern else held

    @property
    def margin(self) -> int:
        """How many bytes on either side of a piece `masked` wants to see."""
        return max(0, self._longest - 1)

    def masked(self, before: bytes, data: bytes, behind: bytes) -> bytes:
        """`data` with an asterisk for each byte of a secret, so that every place in it stays the same.

        `before` and `behind` are what stands around it: a secret may begin or end there.
        """
        if self._pattern is None:
            return data
        text = self._pattern.sub(lambda match: b"*" * len(match[0]), before + data + behind)
        return text[len(before) : len(before) + len(data)]

    def whole(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """A stream from its beginning to its end, masked as by `masked`, however it was cut into pieces."""
        before, held = b"", b""
        for piece in pieces:
            held += piece
            ready = len(held) - self.margin
            if ready > 0:
                yield self.masked(before, held[:ready], held[ready:])
                before = (before + held[:ready])[-self.margin :] if self.margin else b""
                held = held[ready:]
        if held:
            yield self.masked(before, held, b"")

    def _beginning(self, text: bytes) -> int:
        """How many bytes at the end may belong to a secret whose rest has not come."""
        assert self._pattern
        ends = [match.end() for match in self._pattern.finditer(text)]
        return min(len(text) - (ends[-1] if ends else 0), self._longest - 1)


def _shapes(value: str) -> set[bytes]:
    """The ways in which a value may appear."""
    lines = {value, *value.splitlines()}
    found: set[bytes] = set()
    for line in lines:
        raw = line.strip("\r\n").encode("utf-8", "surrogateescape")
        if len(raw) < SHORTEST:
            continue
        found |= {raw, quote(raw, safe="").encode(), quote_plus(raw).encode()}
        found |= {raw.hex().encode(), raw.hex().upper().encode()}
        found |= _in_base64(raw)
    return found


def _in_base64(raw: bytes) -> set[bytes]:
    """The middle that stays the same whatever stands before and behind, at each alignment."""
    found = set()
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + raw).rstrip(b"=")
        first = -(-shift * 8 // 6)
        last = (shift + len(raw)) * 8 // 6
        core = text[first:last]
        if len(core) >= SHORTEST:
            found |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return found
