"""Read the whole log of an attempt from the disk of the worker that ran it.

Stdout comes first and then stderr, because how they were mixed is known only as far as
the hub was told of it. Of an attempt that still runs this is what it has written so far.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from relayq.model.duration import format_size
from relayq.model.ids import is_id
from relayq.trust.redacting import Redactor
from relayq.worker.output import STREAMS, Stream

PIECE_BYTES = 256 * 1024
STDERR = 2
GONE = b"the worker has kept no output of it"


class Part(NamedTuple):
    """Bytes of one stream (1 stdout, 2 stderr)."""

    stream: int
    data: bytes


class KeptLog:
    """One attempt's output as it stands on the disk now; `bytes` is how much there is to read.

    `redactor` masks what must not be shown of it.
    """

    def __init__(self, place: Path, redactor: Redactor | None = None) -> None:
        self._redactor = redactor
        self._streams = {number: Stream(place / name, 0) for number, name in STREAMS.items()}
        self._ends = {number: stream.end() for number, stream in self._streams.items()}
        self.bytes = sum(end - self._streams[number].first for number, end in self._ends.items())

    def parts(self) -> Iterator[Part]:
        """All of it, in pieces of at most 256 KiB."""
        for number, stream in self._streams.items():
            if stream.first:
                lost = f"the first {format_size(stream.first)} of {STREAMS[number]} were too much to keep"
                yield Part(STDERR, f"relayq: {lost}\n".encode())
            pieces = self._pieces(number, stream)
            for data in self._redactor.whole(pieces) if self._redactor else pieces:
                yield Part(number, data)

    def _pieces(self, number: int, stream: Stream) -> Iterator[bytes]:
        while data := stream.piece(PIECE_BYTES, self._ends[number]):
            yield data


def places_of(attempts: Path, job: str, attempt: int = 0) -> list[Path]:
    """The directories of one attempt, or of every one in order, that still have a log.

    Whoever asks comes through the hub, so the name is looked at first: it must be an id.
    """
    if not is_id(job):
        return []
    numbers = [attempt] if attempt else _numbers(attempts, job)
    places = [attempts / f"{job}.{number}" for number in numbers]
    return [place for place in places if any((place / name).exists() for name in STREAMS.values())]


def _numbers(attempts: Path, job: str) -> list[int]:
    names = (path.name.rpartition(".") for path in attempts.iterdir())
    return sorted(int(number) for base, _, number in names if base == job and number.isdecimal())
