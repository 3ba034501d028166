"""Pictures of a screen: exact, small, and the same on every machine."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
import zlib

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from relayq_tui.picture import CELL, EDGE, LINE, svg
from relayq_tui.png import SIGNATURE, shrunk
from relayq_tui.screenshots import SHOTS, draw


def shapes(text: str, style: str = "") -> list[tuple[str, dict[str, str], str]]:
    """(kind, attributes, text) of everything that is drawn for one line, without the ground."""
    drawn = svg([Strip([Segment(text, Style.parse(style) if style else None)])])
    root = ET.fromstring(drawn)
    return [(node.tag.rpartition("}")[2], dict(node.attrib), node.text or "") for node in root][2:]


def test_text_stands_on_the_grid() -> None:
    [(kind, at, text)] = shapes("  hello")
    assert (kind, text.strip()) == ("text", "hello")
    assert (at["x"], at["textLength"]) == (str(EDGE), str(7 * CELL))


def test_a_mark_has_a_place_of_its_own() -> None:
    places = [int(at["x"]) for _, at, _ in shapes("a✓b")]
    assert places == [EDGE, EDGE + CELL, EDGE + 2 * CELL]


def test_a_wide_character_takes_two_columns() -> None:
    assert int(shapes("日b")[1][1]["x"]) == EDGE + 2 * CELL


@pytest.mark.parametrize(("bar", "height"), [("█", LINE), ("▄", round(LINE / 2)), ("▁", round(LINE / 8))])
def test_bars_are_rectangles_without_a_seam(bar: str, height: int) -> None:
    [(kind, at, _)] = shapes(bar)
    assert (kind, int(at["height"])) == ("rect", height)
    assert int(at["y"]) + height == EDGE + LINE


def test_lines_meet() -> None:
    (_, across, _), (_, down, _) = shapes("┼")
    assert (int(across["width"]), int(down["height"])) == (CELL, LINE)


def test_what_a_job_writes_cannot_break_the_picture() -> None:
    [(_, _, text)] = shapes("</text><script>&\"'")
    assert text == "</text><script>&\"'"


def test_reverse_swaps_the_colours() -> None:
    ground, text = shapes("x", "#ff0000 reverse")
    assert (ground[0], ground[1]["fill"]) == ("rect", "#ff0000")
    assert text[0] == "text"


async def test_two_pictures_of_one_screen_are_the_same() -> None:
    first, second = [await draw(SHOTS[0], (60, 25)) for _ in range(2)]
    assert first == second
    ET.fromstring(first)


async def test_nothing_is_fetched_by_a_picture() -> None:
    drawn = await draw(SHOTS[0], (60, 25))
    assert re.findall(r"https?://[^\"']+", drawn) == ["http://www.w3.org/2000/svg"]


def png(lines: list[bytes], width: int, size: int = 4, methods: bytes = b"") -> bytes:
    """A picture as a browser writes it: each line with the method of its filter, already applied."""
    body = b"".join(bytes([methods[y] if methods else 0]) + line for y, line in enumerate(lines))
    header = struct.pack(">IIBBBBB", width, len(lines), 8, {3: 2, 4: 6}[size], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(body)), (b"IEND", b""))
    return SIGNATURE + b"".join(chunk(kind, content) for kind, content in parts)


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def pixels(data: bytes) -> list[tuple[int, ...]]:
    """The pixels of a picture with a table of colours."""
    chunks, place = {}, len(SIGNATURE)
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        chunks[kind] = data[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", data, place + 8 + length) == (zlib.crc32(kind + chunks[kind]),)
        place += 12 + length
    width = struct.unpack(">I", chunks[b"IHDR"][:4])[0]
    table = list(struct.iter_unpack("3B", chunks[b"PLTE"]))
    body = zlib.decompress(chunks[b"IDAT"])
    return [
        table[index]
        for start in range(0, len(body), width + 1)
        for index in body[start + 1 : start + 1 + width]
    ]


def test_a_picture_with_few_colours_keeps_them_all() -> None:
    red, blue = (200, 10, 10, 255), (10, 10, 200, 255)
    data = png([bytes(red + blue), bytes(blue + red)], 2)
    assert pixels(shrunk(data)) == [red[:3], blue[:3], blue[:3], red[:3]]


@pytest.mark.parametrize("method", [1, 2, 3, 4])
def test_every_way_of_writing_a_line_is_read(method: int) -> None:
    first = bytes([10, 20, 30, 255, 40, 50, 60, 255])
    zero = bytes(8)  # the difference to whatever the method expects is nothing
    expected = {
        1: [(0, 0, 0), (0, 0, 0)],
        2: [(10, 20, 30), (40, 50, 60)],
        3: [(5, 10, 15), (22, 30, 37)],
        4: [(10, 20, 30), (40, 50, 60)],
    }
    assert pixels(shrunk(png([first, zero], 2, methods=bytes([0, method]))))[2:] == expected[method]


def test_a_rare_colour_survives_many_shades() -> None:
    shades = [bytes((level, level, level, 255)) * 3 for level in range(256)] * 2
    green = bytes((0, 220, 0, 255))
    line = b"".join(shades) + green
    assert (0, 220, 0) in pixels(shrunk(png([line], len(line) // 4)))


def test_what_is_no_true_colour_is_left_alone() -> None:
    small = shrunk(png([bytes((1, 2, 3, 255))], 1))
    assert shrunk(small) == small
