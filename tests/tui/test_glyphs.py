"""Glyphs and themes: one column each, an ASCII twin for every one, and what the little charts draw."""

from __future__ import annotations

from itertools import chain

import pytest
from rich.cells import cell_len

from relayq.model.lifecycle import State
from relayq_tui.glyphs import ASCII, IN_ASCII, UNICODE, Glyphs, counted, meter, spark, state_mark
from relayq_tui.theme import NAMES, PALETTES
from tests.tui.test_store import row


def characters(glyphs: Glyphs) -> list[str]:
    """Every character of a set."""
    values = [getattr(glyphs, name) for name in glyphs.__slots__ if name != "name"]
    return list(
        chain.from_iterable("".join(value.values()) if isinstance(value, dict) else value for value in values)
    )


def test_every_glyph_is_one_column_wide() -> None:
    assert [character for character in characters(UNICODE) if cell_len(character) != 1] == []


def test_the_ascii_set_is_ascii_and_as_long() -> None:
    assert "".join(characters(ASCII)).isascii()
    assert len(characters(ASCII)) == len(characters(UNICODE))


def test_every_glyph_has_a_twin() -> None:
    assert [one for one in characters(UNICODE) if ord(one) not in IN_ASCII] == []
    assert all(str(twin).isascii() for twin in IN_ASCII.values())


def test_letters_stay_what_they_are_beside_a_glyph() -> None:
    text = "abcdefghijklmnopqrstuvwxyz…"
    assert text.translate(IN_ASCII) == "abcdefghijklmnopqrstuvwxyz~"
    assert [chr(one) for one in IN_ASCII if one < 128 and IN_ASCII[one] != chr(one)] == []


def test_states_can_be_told_apart_without_colour() -> None:
    marks = {state_mark(row(1, state), glyphs) for glyphs in (UNICODE, ASCII) for state in State}
    assert len(marks) == 2 * len(State)


def test_waiting_says_for_what() -> None:
    assert state_mark(row(1, State.PENDING, reason="dependency"), UNICODE) == ("⇢", "deps")
    assert state_mark(row(1, State.PENDING, reason="held"), UNICODE) == ("‖", "held")


def test_a_line_of_bars_is_scaled_to_its_greatest_or_to_what_is_full() -> None:
    assert spark([0, 1, 2], 3, UNICODE) == "▁▅█"
    assert spark([0.5, 0.5], 2, UNICODE, top=1.0) == "▅▅"
    assert spark([0, 0], 2, UNICODE) == "▁▁"
    assert spark([1, 2, 3, 4], 2, UNICODE) == "▆█"


def test_a_meter_is_full_at_one() -> None:
    assert meter(0.5, 4, UNICODE) == "▓▓░░"
    assert meter(7, 4, UNICODE) == "▓▓▓▓"
    assert meter(-1, 4, UNICODE) == "░░░░"


@pytest.mark.parametrize("name", NAMES)
def test_every_theme_styles_every_state(name: str) -> None:
    assert len([PALETTES[name].of(state) for state in State]) == len(State)


def test_mono_knows_no_colour() -> None:
    assert [style for style in PALETTES["mono"] if style.color or style.bgcolor] == []


def test_one_is_no_plural() -> None:
    assert [counted(count, "job") for count in (0, 1, 2)] == ["0 jobs", "1 job", "2 jobs"]
