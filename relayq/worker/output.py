"""Read what an attempt writes, piece by piece, however much it is.

A command writes into the files `out` and `err` of its attempt directory; nobody has
to be there for it. A `Tail` reads them in pieces that fit a log chunk and needs the
memory of one piece. Offsets are positions in the stream as the command wrote it.

**Too much for the hub.** The head of a stream is always sent: HEAD_BYTES, but at most
half of what the hub keeps. When more than it keeps has gathered behind them, only the
newest part is: the piece after the gap says so (`jump`).

**Too much for the disk.** A file that has grown beyond `max_disk_bytes` is cut while
the command goes on writing: its newest part moves to `out.cut`, then the file is
truncated, and as it is open for appending the next write lands at its new end.
`out.cut` begins with the number of bytes that stood before it, so that offsets stay
true over a restart of the worker. What is written between these two steps is lost.

**Progress.** A line `::relayq progress=42 message=encoding::` in either stream (it
stays in the log) or the last line of the file `progress` ($RELAYQ_PROGRESS), which
may also be as short as `42 encoding`. Percent, 0 to 100.

The files stand where the job can do with them what it likes. What is no plain file there is
nothing, and what cannot be read is passed over: the end of a job does not wait for its log.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

HEAD_BYTES = 64 * 1024
TAIL_BYTES_MIN = 1024
KEEP_BYTES = 1024 * 1024
MAX_DISK_BYTES = 256 * 1024 * 1024
LONGEST_PROGRESS = 4096
CUT_HEADER = 20  # decimal digits before the newest part in a .cut file
STREAMS = {1: "out", 2: "err"}

_SAYS = re.compile(rb"^::relayq ([^\r\n]*?)::[ \t]*\r?$", re.MULTILINE)
_PERCENT = re.compile(r"(?:progress=)?(\d+(?:\.\d+)?)\s*%?(?=\s|$)")
_MESSAGE = re.compile(r"message=(.*)$")


class Piece(NamedTuple):
    """Bytes of one stream (1 stdout, 2 stderr); `jump` when bytes before them are left out."""

    stream: int
    offset: int
    data: bytes
    jump: bool = False


class Progress(NamedTuple):
    """How far a job says it is: percent, or None when it only has a message."""

    percent: float | None
    message: str


class Tail:
    """The output of one attempt from `offsets` on (stdout, stderr).

    `keep_bytes` is how much of a log the hub keeps, head included.
    """

    def __init__(
        self,
        directory: Path | str,
        offsets: tuple[int, int] = (0, 0),
        *,
        keep_bytes: int = KEEP_BYTES,
        max_disk_bytes: int = MAX_DISK_BYTES,
    ) -> None:
        # Never nothing: a jump tells the hub how much it has not, and a reader that cannot jump stands still.
        self._head_bytes = min(HEAD_BYTES, keep_bytes // 2)
        self._tail_bytes = max(TAIL_BYTES_MIN, keep_bytes - self._head_bytes)
        self._max_disk_bytes = max_disk_bytes
        self._streams = {
            number: Stream(Path(directory, name), offset)
            for (number, name), offset in zip(STREAMS.items(), offsets, strict=True)
        }
        self._ear = Ear(Path(directory, "progress"))

    def read(self, max_bytes: int = HEAD_BYTES) -> list[Piece]:
        """The next pieces, at most `max_bytes` in all; empty when everything has been read."""
        pieces = []
        for number, stream in self._streams.items():
            offset, data = stream.read(max_bytes, self._head_bytes, self._tail_bytes)
            if data:
                pieces.append(Piece(number, offset, data, stream.jumped))
                self._ear.hear(number, data)
                max_bytes -= len(data)
        return pieces

    def around(self, piece: Piece, margin: int) -> tuple[bytes, bytes]:
        """What stands before and behind a piece, up to `margin` bytes each, as far as it is on the disk."""
        stream = self._streams[piece.stream]
        return stream.around(piece.offset, piece.offset + len(piece.data), margin)

    def rewind(self, offsets: tuple[int, int]) -> None:
        """Read on from where the hub says its copy ends."""
        for stream, offset in zip(self._streams.values(), offsets, strict=True):
            stream.position = offset

    def waiting_bytes(self) -> int:
        """How much there is to read, before anything is left out."""
        return sum(max(0, stream.end() - stream.position) for stream in self._streams.values())

    def sizes(self) -> tuple[int, int]:
        """How many bytes the command has written to stdout and stderr."""
        out, err = (stream.end() for stream in self._streams.values())
        return out, err

    def trim(self) -> None:
        """Cut the files that have become too large for the disk."""
        for stream in self._streams.values():
            stream.trim(self._max_disk_bytes, self._tail_bytes)

    def progress(self) -> Progress | None:
        """What the job said last about its progress, if that is news."""
        return self._ear.news()


class Stream:
    """One file that grows, with what was cut off its front; `position` is what is read next."""

    def __init__(self, path: Path, position: int) -> None:
        self.path = path
        self.cut = path.with_name(path.name + ".cut")
        self.position = position
        self.jumped = False
        self.first, self.base = self._cut_range()  # what .cut holds; `path` begins at `base`

    def end(self) -> int:
        """How many bytes have been written so far."""
        with suppress(OSError):
            status = self.path.stat()
            if stat.S_ISREG(status.st_mode):
                return self.base + status.st_size
        return self.base

    def read(self, max_bytes: int, head_bytes: int, tail_bytes: int) -> tuple[int, bytes]:
        """Where the next piece begins, and the piece; `jumped` tells whether a gap precedes it."""
        end = self.end()
        start = max(self.position, self.first)
        if self.position >= head_bytes and end - start > tail_bytes:
            start = end - tail_bytes
        elif self.position < head_bytes:  # a reader must not run past the head into what may be left out
            max_bytes = min(max_bytes, head_bytes - self.position)
        wanted = max(0, min(max_bytes, end - start))
        data = self._bytes(start, wanted)
        self.jumped = start > self.position
        if data:
            self.position = start + len(data)
        elif wanted:
            self.position = self.base if start < self.base else end
        return start, data

    def piece(self, max_bytes: int, end: int) -> bytes:
        """The next bytes before `end` that are still on the disk, however many there are behind them."""
        start = max(self.position, self.first)
        data = self._bytes(start, max(0, min(max_bytes, end - start)))
        self.position = start + len(data)
        return data

    def around(self, start: int, end: int, margin: int) -> tuple[bytes, bytes]:
        """The bytes before `start` and from `end` on."""
        first = max(self.first, start - margin)
        before = self._bytes(first, start - first) if start > first else b""
        behind = self._bytes(end, min(margin, self.end() - end)) if self.end() > end else b""
        return before[-margin:] if len(before) == start - first else b"", behind

    def trim(self, max_bytes: int, keep_bytes: int) -> None:
        """Move the newest part of a file that has become too long to .cut, and empty the file."""
        size = self.end() - self.base
        if size <= max_bytes:
            return
        keep = min(keep_bytes, size)
        start = self.base + size - keep
        newest = self._bytes(start, keep)
        saved = self._save(start, newest)
        try:
            os.truncate(self.path, 0)
        except OSError:  # it is gone, or another's
            return
        if not saved:  # the disk was full, and is no more
            self._save(start, newest)
        self.first, self.base = start, start + keep

    def _save(self, start: int, newest: bytes) -> bool:
        fresh = self.cut.with_name(self.cut.name + ".new")
        try:
            fresh.touch(mode=0o600)
            fresh.write_bytes(b"%0*d" % (CUT_HEADER, start) + newest)
            fresh.replace(self.cut)
        except OSError:
            return False
        return True

    def _bytes(self, start: int, count: int) -> bytes:
        """Bytes from either file; fewer at the border between them."""
        path, skip = (self.path, self.base) if start >= self.base else (self.cut, self.first - CUT_HEADER)
        if not count:
            return b""
        with suppress(OSError), path.open("rb", buffering=0) as file:
            file.seek(start - skip)
            return file.read(count)
        return b""

    def _cut_range(self) -> tuple[int, int]:
        try:
            with self.cut.open("rb") as file:
                first = int(file.read(CUT_HEADER))
            return first, first + self.cut.stat().st_size - CUT_HEADER
        except (OSError, ValueError):
            return 0, 0


class Ear:
    """Hears progress in what passes, and in the file `progress`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = {1: b"", 2: b""}
        self._stamp = (0, 0)
        self._last: Progress | None = None
        self._told: Progress | None = None

    def hear(self, stream: int, data: bytes) -> None:
        """Look for progress in the whole lines of a piece; a line may arrive in two pieces."""
        data = self._partial[stream] + data
        whole, _, partial = data.rpartition(b"\n")
        self._partial[stream] = partial[-LONGEST_PROGRESS:]
        if b"::relayq " in whole and (said := _SAYS.findall(whole)):
            self._last = parse_progress(said[-1]) or self._last

    def news(self) -> Progress | None:
        """The last progress, once."""
        self._read_file()
        if self._last == self._told:
            return None
        self._told = self._last
        return self._last

    def _read_file(self) -> None:
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp or not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
                return
            self._stamp = stamp
            with self.path.open("rb") as file:
                file.seek(max(0, status.st_size - LONGEST_PROGRESS))
                lines = file.read(LONGEST_PROGRESS).split(b"\n")
        except OSError:
            return
        said = [line for line in lines if line.strip()]
        self._last = (parse_progress(said[-1]) if said else None) or self._last


def parse_progress(said: bytes) -> Progress | None:
    """`progress=42 message=encoding`, `42 encoding` or `message=encoding`; None for anything else."""
    text = said.decode("utf-8", "replace").strip()
    number = _PERCENT.match(text)
    percent = min(100.0, float(number[1])) if number else None
    rest = text[number.end() :].strip() if number else text
    named = _MESSAGE.match(rest)
    if not number and not named:
        return None
    return Progress(percent, named[1].strip() if named else rest)
