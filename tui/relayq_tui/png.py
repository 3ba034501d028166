"""Make a PNG four times smaller by giving it a table of at most 256 colours.

Browsers write true colour with an alpha channel and in a hurry. A picture of a screen
has a few colours and the shades between them: the most frequent go into the table, the
others become the nearest of those. Only what browsers write is read: eight bits a
channel, not interlaced. After the PNG specification, third edition (W3C, 2025).
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
NEARLY = 110  # the squared distance up to which two colours look alike
CHANNELS = {2: 3, 6: 4}
Pixel = tuple[int, ...]


def shrunk(data: bytes) -> bytes:
    """The same picture with a table of colours; what is not true colour of eight bits stays as it is."""
    chunks = list(_chunks(data))
    header = next(body for kind, body in chunks if kind == b"IHDR")
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if bits != 8 or interlaced or colour not in CHANNELS:
        return data
    packed = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    size = CHANNELS[colour]
    lines = [
        list(struct.iter_unpack(f"{size}B", line)) for line in _lines(packed, width * size, height, size)
    ]
    return _indexed(lines, width, height)


def _indexed(lines: list[list[Pixel]], width: int, height: int) -> bytes:
    counts = Counter(pixel for line in lines for pixel in line)
    table = _table(pixel for pixel, _ in counts.most_common())
    index = {pixel: _nearest(pixel, table) for pixel in counts}
    body = b"".join(b"\0" + bytes(index[pixel] for pixel in line) for line in lines)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))]
    parts.append((b"PLTE", b"".join(bytes(pixel[:3]) for pixel in table)))
    if len(table[0]) == 4:
        parts.append((b"tRNS", bytes(pixel[3] for pixel in table)))
    parts += [(b"IDAT", zlib.compress(body, 9)), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in parts)


def _table(pixels: Iterable[Pixel]) -> list[Pixel]:
    """The most frequent colours, none that is nearly another: a rare colour may be the one that matters."""
    table: list[Pixel] = []
    for pixel in pixels:
        if len(table) < COLOURS and all(_distance(pixel, other) > NEARLY for other in table):
            table.append(pixel)
    return table


def _nearest(pixel: Pixel, table: list[Pixel]) -> int:
    return min(range(len(table)), key=lambda number: _distance(pixel, table[number]))


def _distance(one: Pixel, other: Pixel) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of each chunk."""
    place = len(SIGNATURE)
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, data[place + 8 : place + 8 + length]
        place += 12 + length


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _lines(packed: bytes, stride: int, height: int, size: int) -> Iterator[bytearray]:
    """The lines as they were before each was written as a difference."""
    above = bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        above = _restored(packed[start], bytearray(packed[start + 1 : start + 1 + stride]), above, size)
        yield above


def _restored(method: int, line: bytearray, above: Iterable[int], size: int) -> bytearray:
    up = bytearray(above)
    if method == 2:
        return bytearray((one + other) & 255 for one, other in zip(line, up, strict=True))
    for x in range(len(line) if method else 0):
        left = line[x - size] if x >= size else 0
        if method == 1:
            guess = left
        elif method == 3:
            guess = (left + up[x]) // 2
        else:
            guess = _paeth(left, up[x], up[x - size] if x >= size else 0)
        line[x] = (line[x] + guess) & 255
    return line


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    off_left, off_up, off_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
    if off_left <= off_up and off_left <= off_corner:
        return left
    return up if off_up <= off_corner else corner
