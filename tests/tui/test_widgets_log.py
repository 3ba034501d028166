"""The log: what lines the pieces make, what is drawn of them, how it is moved and searched."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayq_tui.glyphs import ASCII
from relayq_tui.widgets import logbuffer
from relayq_tui.widgets.ansi import decoded
from relayq_tui.widgets.logbuffer import STDERR, STDOUT, LogBuffer, Piece
from relayq_tui.widgets.logpane import cuts
from relayq_tui.widgets.logview import LogView, headline
from tests.tui.widget_support import drawn, staged, styles_of


def filled(*pieces: tuple[int, bytes]) -> LogBuffer:
    """A buffer with this output."""
    buffer = LogBuffer()
    for piece in pieces:
        buffer.append([Piece(*piece)])
    return buffer


def numbered(count: int) -> bytes:
    """So many lines with their numbers."""
    return b"".join(b"line %d\n" % number for number in range(count))


def log(data: bytes = b"", **settings: object) -> LogView:
    """A log with this on stdout."""
    view = LogView(id="log")
    for name, value in settings.items():
        setattr(view, name, value)
    if data:
        view.buffer.append([Piece(STDOUT, data)])
    return view


# -- lines -----------------------------------------------------------------------


def test_pieces_may_end_anywhere() -> None:
    buffer = filled((1, b"on"), (1, b"e\ntwo\nth"), (1, b"ree\n"))
    assert buffer.lines == [b"one", b"two", b"three"]


def test_a_line_stays_open_while_the_other_stream_writes() -> None:
    buffer = filled((1, b"copying "), (2, b"warning\n"), (1, b"done\n"), (2, b"end\n"))
    assert buffer.lines == [b"copying done", b"warning", b"end"]
    assert list(buffer.streams) == [STDOUT, STDERR, STDERR]


def test_an_empty_line_is_a_line() -> None:
    assert filled((1, b"\n\na\n")).lines == [b"", b"", b"a"]


def test_a_note_ends_the_lines_that_are_open() -> None:
    buffer = filled((1, b"half"))
    buffer.note("exit 137", is_bad=True)
    buffer.append([Piece(1, b"next\n")])
    assert buffer.lines == [b"half", b"exit 137", b"next"]


def test_each_line_knows_when_it_came() -> None:
    buffer = LogBuffer()
    buffer.append([Piece(1, b"a\nb\n", 5_000), Piece(1, b"c\n", 9_000)])
    assert list(buffer.times) == [5_000, 5_000, 9_000]
    assert [buffer.at_time(ms) for ms in (0, 5_001, 99_000)] == [0, 2, 2]


def test_a_progress_bar_keeps_only_what_is_seen() -> None:
    buffer = LogBuffer()
    for percent in range(100):
        buffer.append([Piece(1, b"\r%3d%%" % percent)])
    assert len(buffer.lines[0]) < 12
    assert decoded(buffer.lines[0])[0].text == " 99%"


def test_a_bar_that_ends_its_updates_with_a_return_is_seen_too() -> None:
    buffer = filled((1, b"10%\r"), (1, b"20%\r"), (1, b"30%\r"))
    assert decoded(buffer.lines[0])[0].text == "30%"


def test_windows_line_ends_are_line_ends() -> None:
    assert decoded(filled((1, b"one\r\ntwo\r\n")).lines[0])[0].text == "one"


def test_a_line_without_end_is_broken() -> None:
    buffer = filled((1, b"x" * 100_000))
    assert max(map(len, buffer.lines)) == logbuffer.LINE_BYTES
    assert sum(map(len, buffer.lines)) == buffer.size == 100_000
    for _ in range(20):
        buffer.append([Piece(1, b"y" * 10_000)])
    assert max(map(len, buffer.lines)) <= logbuffer.LINE_BYTES


def test_the_oldest_lines_go_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbuffer, "MOST_LINES", 100)
    buffer = LogBuffer()
    buffer.search("line 9")
    buffer.append([Piece(1, numbered(150) + b"half")])
    assert len(buffer) <= 100
    assert buffer.dropped + len(buffer) == 151
    assert buffer.lines[-2:] == [b"line 149", b"half"]
    assert [buffer.lines[line] for line in buffer.matches] == [b"line %d" % n for n in range(90, 100)]
    buffer.append([Piece(1, b" more\n")])
    assert buffer.lines[-1] == b"half more"


def test_the_oldest_lines_go_when_they_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbuffer, "MOST_BYTES", 10_000)
    buffer = filled((1, b"x" * 99 + b"\n"), (1, (b"y" * 99 + b"\n") * 500))
    assert buffer.size <= 10_000
    assert buffer.size == sum(map(len, buffer.lines))


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.text("ab\n", max_size=5)), max_size=12))
def test_no_byte_is_lost_however_it_is_cut(pieces: list[tuple[int, str]]) -> None:
    buffer = filled(*((stream, text.encode()) for stream, text in pieces))
    for stream in (1, 2):
        written = "".join(text for own, text in pieces if own == stream)
        lines = [
            line.decode() for line, own in zip(buffer.lines, buffer.streams, strict=True) if own == stream
        ]
        assert lines == written.removesuffix("\n").split("\n") if written else lines == []


# -- search ------------------------------------------------------------------------


def test_text_is_found_through_its_colours() -> None:
    buffer = filled((1, b"fine\n\x1b[31mo\x1b[1mo\x1b[0mm here\n"))
    assert buffer.search("oom") == 1
    assert buffer.matches == [1]


def test_capitals_matter_only_when_they_are_typed() -> None:
    buffer = filled((1, b"Error\nerror\n"))
    assert (buffer.search("error"), buffer.search("Error"), buffer.search("^e")) == (2, 1, 2)


def test_what_is_no_expression_is_looked_for_as_it_is() -> None:
    buffer = filled((1, b"call(\nother\n"))
    assert buffer.search("call(") == 1


def test_new_output_is_searched_as_it_comes() -> None:
    buffer = filled((1, b"oom\nfo"))
    assert buffer.search("foo|oom") == 1
    buffer.append([Piece(1, b"o\nx\noom")])
    assert buffer.matches == [0, 1, 3]


def test_matches_are_gone_through_round_the_end() -> None:
    buffer = filled((1, b"a\nb\na\nb\n"))
    buffer.search("a")
    assert [buffer.next_match(line, 1) for line in (-1, 0, 2)] == [0, 2, 0]
    assert [buffer.next_match(line, -1) for line in (3, 2, 0)] == [2, 0, 2]
    assert filled((1, b"x\n")).next_match(0, 1) is None


# -- drawing -------------------------------------------------------------------------


async def test_a_log_is_drawn_with_its_streams_and_notes() -> None:
    view = log(b"step 1\n\x1b[32mstep 2\x1b[0m\n")
    view.buffer.append([Piece(STDERR, b"oom, retrying\n")])
    view.buffer.note("exit 137", is_bad=True)
    async with staged(view, (30, 6)):
        assert drawn(view) == ["  step 1", "  step 2", "! oom, retrying", "  ── exit 137 ──", "", ""]
        assert styles_of(view, 1, "step 2") == {"color(2)"}


async def test_an_empty_log_says_so() -> None:
    async with staged(log(), (30, 3)) as pilot:
        assert drawn(pilot.app.query_one(LogView)) == ["  no output yet", "", ""]


async def test_output_cannot_move_the_cursor_or_ring() -> None:
    view = log(b"\x1b[2J\x07\x1b]0;title\x07 [@click=app.quit]x[/]\n")
    async with staged(view, (60, 2)):
        assert drawn(view)[0] == "  ␛[2J␇␛]0;title␇ [@click=app.quit]x[/]"


async def test_tabs_reach_to_the_next_stop() -> None:
    view = log(b"a\tb\t\xe4\xb8\xad\tc\n")
    async with staged(view, (60, 2)):
        assert drawn(view)[0] == "  a       b       中      c"


async def test_it_follows_until_it_is_moved() -> None:
    view = log(numbered(20))
    async with staged(view, (30, 5)) as pilot:
        assert drawn(view)[-1] == "  line 19"
        view.append([Piece(1, b"line 20\n")])
        assert drawn(view)[-1] == "  line 20"
        await pilot.press("k")
        view.append([Piece(1, b"line 21\n")])
        assert drawn(view)[-1] == "  line 19"
        await pilot.press("G")
        assert drawn(view)[-1] == "  line 21"
        await pilot.press("g")
        assert drawn(view)[0] == "  line 0"
        await pilot.press("pagedown")
        assert drawn(view)[0] == "  line 4"


async def test_long_lines_are_cut_and_moved_sideways_or_wrapped() -> None:
    view = log(b"abcdefghijklmnopqrst\nshort\n")
    async with staged(view, (10, 6)) as pilot:
        assert drawn(view)[:2] == ["  abcdefgh", "  short"]
        await pilot.press("right")
        assert drawn(view)[0] == "  ijklmnop"
        await pilot.press("left", "w")
        assert drawn(view)[:4] == ["  abcdefgh", "  ijklmnop", "  qrst", "  short"]


async def test_wrapped_lines_are_moved_row_by_row() -> None:
    view = log(b"".join(b"%d" % n * 20 + b"\n" for n in range(5)), wraps=True, follows=False)
    async with staged(view, (12, 4)) as pilot:
        assert drawn(view) == ["  0000000000", "  0000000000", "  1111111111", "  1111111111"]
        await pilot.press("j", "j", "j")
        assert drawn(view)[0] == "  1111111111"
        await pilot.press("G")
        assert drawn(view)[-1] == "  4444444444"
        await pilot.press("k")
        assert drawn(view)[-1] == "  4444444444"
        assert drawn(view)[0] == "  2222222222"


def test_wide_characters_are_not_split() -> None:
    assert cuts("中文字", 3) == [0, 2, 4, 6]
    assert cuts("", 5) == [0, 1]
    assert cuts("abcdef", 3) == [0, 3, 6]


async def test_the_time_is_put_before_each_line() -> None:
    view = log()
    view.append([Piece(1, b"a\nb\n", 60_000), Piece(1, b"c\n", 181_000), Piece(1, b"d\n")])
    async with staged(view, (30, 4)):
        view.show_times("rel", start_ms=20_000)
        assert drawn(view) == ["       40s a", "       40s b", "     2m41s c", "           d"]


async def test_search_marks_and_leads_to_each_match() -> None:
    view = log(numbered(50), follows=False)
    async with staged(view, (40, 6)) as pilot:
        assert view.search("line [14]0") == 2
        assert drawn(view)[2] == "▶ line 10"
        assert styles_of(view, 2, "line 10") == {"black on #e3b341"}
        await pilot.press("n")
        assert drawn(view)[2] == "▶ line 40"
        await pilot.press("n")
        assert drawn(view)[2] == "▶ line 10"
        await pilot.press("N")
        assert drawn(view)[2] == "▶ line 40"


async def test_a_match_behind_the_edge_is_brought_into_sight() -> None:
    view = log(b"short\n" + b"x" * 30 + b"end\nthe end\n", follows=False)
    async with staged(view, (12, 4)) as pilot:
        view.search("end")
        assert drawn(view)[1] == "▶ xxend"
        await pilot.press("n")
        assert drawn(view)[2] == "▶ the end"


async def test_notes_stay_in_sight_when_the_text_is_moved_sideways() -> None:
    view = log(b"abcdefghijklmnopqrst\n")
    view.note("exit 0")
    async with staged(view, (20, 4)) as pilot:
        await pilot.press("right")
        assert drawn(view)[:2] == ["  ijklmnopqrst", "  ── exit 0 ──"]


async def test_errors_are_led_to_one_by_one() -> None:
    view = log(numbered(9) + b"RuntimeError: no\nTraceback: x\n" + numbered(9), follows=False)
    async with staged(view, (40, 6)) as pilot:
        await pilot.press("e")
        assert drawn(view)[2] == "▶ Traceback: x"
        view.append([Piece(2, b"oom\n")])
        await pilot.press("e")
        assert "▶ oom" in drawn(view)


async def test_attempts_are_gone_through() -> None:
    view = log()
    for attempt in (1, 2, 3):
        view.note(f"attempt {attempt}", attempt=attempt)
        view.append([Piece(1, numbered(10))])
    async with staged(view, (40, 5)) as pilot:
        await pilot.press("[")
        assert drawn(view)[0] == "  ── attempt 3 ──"
        await pilot.press("[")
        assert drawn(view)[0] == "  ── attempt 2 ──"
        await pilot.press("]")
        assert drawn(view)[0] == "  ── attempt 3 ──"


async def test_time_is_jumped_over() -> None:
    view = log(follows=False)
    view.append([Piece(1, b"at %d\n" % minute, 1_000_000 + minute * 60_000) for minute in range(90)])
    async with staged(view, (40, 5)) as pilot:
        await pilot.press("g", "m")
        assert drawn(view)[0] == "  at 1"
        await pilot.press("o")
        assert drawn(view)[0] == "  at 61"
        await pilot.press("M")
        assert drawn(view)[0] == "  at 60"


async def test_lines_that_go_do_not_move_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbuffer, "MOST_LINES", 100)
    view = log(numbered(90), follows=False)
    async with staged(view, (40, 5)):
        view.go_to(60)
        view.append([Piece(1, numbered(30))])
        assert view.buffer.dropped > 0
        assert drawn(view)[0] == "  line 60"


async def test_the_headline_tells_how_it_is_shown() -> None:
    view = log(numbered(30), follows=False)
    async with staged(view, (100, 6)):
        view.search("line 2")
        text = headline(view, "log 7RDKM4", 100).text
        assert '── log 7RDKM4 ── follow off ── wrap off ── time off ── 1 of 11 matches "line 2" ─' in text
        assert text.endswith("30 lines 200B ────")
        assert headline(view, "log 7RDKM4", 50).cell_length == 50


async def test_the_headline_is_plain_where_plain_is_asked_for() -> None:
    view = log(b"a\n")
    async with staged(view, (100, 6), glyphs=ASCII):
        assert headline(view, "log", 100).text.isascii()
        view.note("exit 1")
        assert "\n".join(drawn(view)).isascii()


hostile = st.binary(max_size=40) | st.text("ab\t\r中é\x1b[1;31m ", max_size=30).map(str.encode)


@settings(max_examples=25, deadline=None)
@given(st.lists(hostile, max_size=12), st.booleans(), st.integers(1, 30))
async def test_any_output_is_drawn_in_its_columns(lines: list[bytes], wraps: bool, width: int) -> None:
    view = log(wraps=wraps)
    view.buffer.append([Piece(1 + number % 2, line + b"\n") for number, line in enumerate(lines)])
    view.buffer.search("a|b")
    async with staged(view, (width, 6)):
        for rows in (0, -3, 5):
            view.scroll_rows(rows)
            for y in range(6):
                strip = view.render_line(y)
                assert strip.cell_length == width
                assert not re.search(r"[\x00-\x1f\x7f-\x9f]", strip.text)


# -- speed -----------------------------------------------------------------------------


def test_a_hundred_thousand_coloured_lines_come_fast() -> None:
    text = b"".join(b"\x1b[32m%06d\x1b[0m step \x1b[1;34mloss\x1b[0m\n" % number for number in range(100_000))
    pieces = [Piece(1, text[start : start + 4096]) for start in range(0, len(text), 4096)]
    assert min(seconds(lambda: LogBuffer().append(pieces)) for _ in range(3)) < 0.100
    buffer = LogBuffer()
    buffer.append(pieces)
    assert len(buffer) == 100_000
    assert min(seconds(lambda: buffer.search("step loss")) for _ in range(3)) < 0.200


def seconds(work: object) -> float:
    """CPU seconds of some work."""
    began = time.process_time()
    work()  # type: ignore[operator]  # tests are not typed strictly
    return time.process_time() - began
