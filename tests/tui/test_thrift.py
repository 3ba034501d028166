"""What is written is shorter and looks the same on a terminal that does what it is told."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from relayq_tui.thrift import PLAIN, Look, thrifty
from relayq_tui.widgets.line import changed

TOKEN = re.compile(r"\x1b\[([0-9;:]*)m|(\x1b\[[0-9;?]*[A-HJKSThln])|(.)", re.DOTALL)
COLOURS = ("31", "97", "38;5;208", "38;2;1;2;3", "39")
GROUNDS = ("44", "102", "48;5;3", "48;2;9;8;7", "49")

styles = st.lists(st.sampled_from(["", "0", "1", "2", "4", "7", *COLOURS, *GROUNDS]), max_size=4).map(
    ";".join
)
moves = st.sampled_from(["\x1b[3;4H", "\r\n", "\x1b[?25l"])
written = st.lists(st.one_of(styles.map("\x1b[{}m".format), st.sampled_from(["a", "bc ", "▶", "é"]), moves))


def shown(data: str) -> list[tuple[str, Look]]:
    """What a terminal makes of it: each letter and move with how letters look then, at last the look."""
    look, found = PLAIN, list[tuple[str, Look]]()
    for sgr, move, letter in (match.groups() for match in TOKEN.finditer(data)):
        if move or letter:
            found.append((move or letter, PLAIN if move else look))
            continue
        words = (sgr or "").split(";")
        while words:
            size = {"5": 3, "2": 5}[words[1]] if words[0] in ("38", "48") else 1
            word, words = ";".join(words[:size]), words[size:]
            code = int(word.partition(";")[0] or 0)
            if code == 0:
                look = PLAIN
            elif code < 10:
                look = look._replace(on=tuple(sorted({*look.on, word})))
            elif code // 10 in (3, 9):
                look = look._replace(fore="" if code == 39 else word)
            else:
                look = look._replace(back="" if code == 49 else word)
    return [*found, ("", look)]


@given(written)
def test_it_looks_the_same(pieces: list[str]) -> None:
    data = "".join(pieces)
    assert shown(thrifty(data)) == shown(data)


@given(st.lists(st.tuples(styles, st.sampled_from(["a", "word ", "│"])), min_size=2))
def test_it_is_never_longer_than_what_textual_writes(pieces: list[tuple[str, str]]) -> None:
    data = "".join(f"\x1b[{style}m{text}\x1b[0m" for style, text in pieces)
    assert len(thrifty(data)) <= len(data) + len(pieces)


def test_a_row_on_a_ground_names_it_once() -> None:
    ground = "48;2;36;64;94"
    data = f"\x1b[1;31;{ground}m x \x1b[0m\x1b[1;32;{ground}m y \x1b[0m\x1b[1;33;{ground}m z \x1b[0m"
    assert thrifty(data) == f"\x1b[1;31;{ground}m x \x1b[32m y \x1b[33m z \x1b[0m"


@pytest.mark.parametrize("odd", ["4:3", "58;5;1", "22", "38;5", "48;2;1;2", "53"])
def test_what_is_unusual_passes_as_it_is(odd: str) -> None:
    data = f"\x1b[0m\x1b[31mred\x1b[0m\x1b[{odd}modd\x1b[0m"
    assert thrifty(data) == data


def strip(*pieces: tuple[str, str]) -> Strip:
    """A line of texts with their styles."""
    return Strip([Segment(text, Style.parse(style)) for text, style in pieces])


@pytest.mark.parametrize(
    ("old", "new", "columns"),
    [
        ([("one two", "red")], [("one ", "red"), ("two", "red")], 0),
        ([("one two", "red")], [("one tea", "red")], 7),
        ([("one two", "red")], [("ope two", "red")], 2),
        ([("one two", "red")], [("one", "red"), (" two", "blue")], 7),
        ([("日 x", "")], [("本 x", "")], 2),
        ([("日 x", "")], [("日 y", "")], 4),
        ([("e\u0301 x", "")], [("e x", "")], 1),
        ([("short", "")], [("longer", "")], 6),
    ],
)
def test_how_much_of_a_line_must_be_written(
    old: list[tuple[str, str]], new: list[tuple[str, str]], columns: int
) -> None:
    assert changed(strip(*old), strip(*new)) == columns
    assert changed(None, strip(*new)) == strip(*new).cell_length
