"""The timeline: where spans are drawn, how they are stacked, how it is moved and zoomed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.model.lifecycle import State
from relayq_tui.glyphs import ASCII
from relayq_tui.widgets.lanes import Lanes
from relayq_tui.widgets.spans import ROWS_MAX, Lane, Span, Track, stacked
from relayq_tui.widgets.timeaxis import TimeAxis
from tests.tui.widget_support import drawn, heard, staged

H, M = 3_600_000, 60_000
NOW_MS = 1_700_000_000_000 // H * H  # 22:00 in UTC


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clocks that show the same everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def span(
    start: float, end: float | None, label: str, state: State | None = State.SUCCEEDED, eta: float = 0
) -> Span:
    """A span in minutes from now."""
    return Span(
        start_ms=NOW_MS + int(start * M),
        end_ms=None if end is None else NOW_MS + int(end * M),
        label=label,
        state=state,
        job=f"{label}{start}",
        eta_ms=NOW_MS + int(eta * M) if eta else 0,
    )


LANES = [
    Lane(
        name="mac-mini",
        note="2/2",
        spans=[
            span(-180, -120, "train-lora", State.FAILED),
            span(-60, None, "train-lora", State.RUNNING, eta=30),
            span(-150, -90, "embed"),
        ],
    ),
    Lane(name="pi4", note="0/1", spans=[span(-100, -99, "ping"), span(20, 20, "ping", State.PENDING)]),
    Lane(name="phone", note="–", spans=[span(-90, None, "offline since 20:30", None)]),
]


def timeline(lanes: list[Lane] | None = None, tracks: list[Track] | None = None) -> Lanes:
    """Five hours, four of them past."""
    found = Lanes(range_ms=5 * H)
    found.set_lanes(LANES if lanes is None else lanes, NOW_MS, tracks or [])
    return found


async def test_a_timeline_shows_the_past_now_and_what_may_come() -> None:
    lanes = timeline()
    async with staged(lanes, (100, 6)):
        assert drawn(lanes) == [
            "               18:00            19:00            20:00            21:00        22:00 now",
            "▶mac-mini 2/2 │                 █train-lora█████✗                 [train-lora█████]┃░eta 22:30",
            "              │                         ▒embed▒▒▒▒▒▒▒▒▒▒▒                          ┃",
            " pi4      0/1 │                                       ▪                            ┃    ◷ping",
            " phone      – │                                          · offline since 20:30 ····┃",
            "",
        ]


async def test_failures_end_in_a_cross_and_the_cursor_has_brackets() -> None:
    async with staged(timeline(), (100, 7)) as pilot:
        line = drawn(pilot.app.query_one(Lanes))[1]
        assert line.count("✗") == 1
        assert "[train-lora" in line
        await pilot.press("left")
        assert "[embed" in drawn(pilot.app.query_one(Lanes))[2]
        await pilot.press("left")
        line = drawn(pilot.app.query_one(Lanes))[1]
        assert "[train-lora" in line
        assert "✗]" in line


async def test_what_is_overdue_says_by_how_much() -> None:
    lanes = timeline([Lane(name="w", spans=[span(-30, None, "late", State.RUNNING, eta=-5)])])
    async with staged(lanes, (100, 4)):
        assert "▲5m00s over" in drawn(lanes)[1]


async def test_an_estimate_without_room_is_only_a_time() -> None:
    async with staged(timeline(), (50, 7)) as pilot:
        line = drawn(pilot.app.query_one(Lanes))[1]
        assert "eta" not in line
        assert "22:30" in line


async def test_the_cursor_moves_between_lanes_at_the_same_time() -> None:
    lanes = timeline()
    async with staged(lanes, (100, 7)) as pilot:
        assert lanes.current is not None
        assert lanes.current.label == "train-lora"
        await pilot.press("j")
        assert lanes.current.label == "ping"
        await pilot.press("j", "j", "j")
        assert (lanes.lane, lanes.current.label) == (2, "offline since 20:30")
        await pilot.press("k", "k", "k")
        assert lanes.lane == 0


async def test_behind_the_last_span_the_window_moves_and_0_leads_back() -> None:
    lanes = timeline()
    async with staged(lanes, (100, 7)) as pilot:
        assert lanes.follows
        await pilot.press("right")
        assert not lanes.follows
        assert lanes.from_ms == NOW_MS - 4 * H + 5 * H // 4
        await pilot.press("0")
        assert (lanes.follows, lanes.from_ms) == (True, NOW_MS - 4 * H)


async def test_zooming_keeps_now_or_the_cursor_where_it_is() -> None:
    lanes = timeline()
    async with staged(lanes, (100, 7)) as pilot:
        await pilot.press("+")
        assert (lanes.to_ms - lanes.from_ms, lanes.follows) == (5 * H // 2, True)
        assert lanes.from_ms == NOW_MS - 2 * H
        await pilot.press("-", "-")
        assert lanes.to_ms - lanes.from_ms == 10 * H
        await pilot.press("right")
        before = lanes.axis.column(lanes.current.start_ms)
        await pilot.press("+")
        assert abs(lanes.axis.column(lanes.current.start_ms) - before) <= 1


async def test_the_window_follows_the_clock_until_it_is_moved() -> None:
    lanes = timeline()
    async with staged(lanes, (100, 7)) as pilot:
        lanes.set_lanes(LANES, NOW_MS + H)
        assert lanes.from_ms == NOW_MS - 3 * H
        await pilot.press("right")
        moved = lanes.from_ms
        lanes.set_lanes(LANES, NOW_MS + 2 * H)
        assert lanes.from_ms == moved


async def test_a_click_chooses_a_span_and_a_second_one_opens_it() -> None:
    lanes = timeline()
    async with staged(lanes, (100, 7)) as pilot:
        x = drawn(lanes)[2].index("embed")
        await pilot.click(Lanes, offset=(x, 2))
        assert lanes.current is not None
        assert lanes.current.label == "embed"
        assert heard(pilot) == ["Moved"]
        await pilot.click(Lanes, offset=(x, 2))
        assert heard(pilot)[:2] == ["Moved", "Chosen"]


async def test_tracks_stand_under_the_lanes_on_the_same_axis() -> None:
    track = Track(
        name="waiting", values=[float(n % 60) for n in range(240)], from_ms=NOW_MS - 4 * H, note="drains"
    )
    lanes = timeline(tracks=[track])
    async with staged(lanes, (100, 12)):
        lines = drawn(lanes)
        rule = next(y for y, line in enumerate(lines) if line.startswith("───"))
        assert lines[rule + 1].startswith(" waiting")
        assert lines[rule + 1].index("┃") == lines[1].index("┃")
        assert lines[rule + 1].endswith("drains")


async def test_many_lanes_scroll_with_the_cursor() -> None:
    lanes = timeline([Lane(name=f"w{n}", spans=[span(-9, -3, "x")]) for n in range(50)])
    async with staged(lanes, (60, 8)) as pilot:
        for _ in range(30):
            await pilot.press("j")
        assert any(line.startswith("▶w30") for line in drawn(lanes))
        for _ in range(30):
            await pilot.press("k")
        assert drawn(lanes)[1].startswith("▶w0")


async def test_the_plain_characters_are_plain() -> None:
    lanes = timeline(LANES[:2], [Track(name="w", values=[1.0] * 99, from_ms=NOW_MS - H)])
    async with staged(lanes, (90, 12), glyphs=ASCII, palette="mono"):
        assert "\n".join(drawn(lanes)).isascii()


@pytest.mark.parametrize("size", [(1, 1), (10, 2), (30, 3)])
async def test_a_timeline_without_room_is_drawn_all_the_same(size: tuple[int, int]) -> None:
    lanes = timeline(tracks=[Track(name="w", values=[1.0], from_ms=NOW_MS)])
    async with staged(lanes, size):
        assert len(drawn(lanes)) == size[1]


async def test_an_empty_timeline_takes_every_key() -> None:
    lanes = timeline([])
    async with staged(lanes, (80, 6)) as pilot:
        await pilot.press("j", "k", "left", "right", "+", "-", "0")
        assert lanes.current is None


times = st.integers(-500, 0)


@given(st.lists(st.tuples(times, times, st.sampled_from("abc")), max_size=20))
def test_spans_in_one_row_do_not_overlap_while_there_are_rows(
    drawn_spans: list[tuple[int, int, str]],
) -> None:
    spans = [span(min(a, b), max(a, b), label) for a, b, label in drawn_spans]
    rows = stacked(spans, NOW_MS - 1000 * M, NOW_MS + 1, NOW_MS)
    assert sum(map(len, rows)) == len(spans)
    assert len(rows) <= ROWS_MAX
    for row in rows[: ROWS_MAX - 1]:
        ends = [(one.start_ms, one.until(NOW_MS)) for one in row]
        assert all(end <= start for (_, end), (start, _) in pairwise(ends))


@given(st.integers(0, 2 * 10**12), st.integers(5 * M, 60 * 24 * H), st.integers(10, 250))
def test_ticks_are_in_order_and_leave_room(from_ms: int, range_ms: int, width: int) -> None:
    ticks = [x for x, _ in TimeAxis(from_ms, from_ms + range_ms, 0, width).ticks()]
    assert ticks == sorted(ticks)
    assert all(after - before >= 10 for before, after in pairwise(ticks))
