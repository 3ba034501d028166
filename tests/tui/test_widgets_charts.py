"""Bars, areas and gauges: what is drawn for which numbers."""

from __future__ import annotations

import pytest

from relayq_tui.glyphs import ASCII, UNICODE
from relayq_tui.widgets.canvas import DOWN, LEFT, RIGHT, UP, Canvas, stroke
from relayq_tui.widgets.chart import Chart, Forecast, Series
from relayq_tui.widgets.gauge import Gauge
from relayq_tui.widgets.sparklines import Row, Sparklines, bars, squeezed
from tests.tui.widget_support import drawn, staged, styles_of


def test_bars_are_scaled_to_the_highest() -> None:
    assert bars([0, 1, 2, 4], 4, UNICODE) == "▁▃▅█"
    assert bars([0, 1, 2, 4], 4, UNICODE, top=8) == "▁▂▃▅"
    assert bars([0, 0], 2, UNICODE) == "▁▁"
    assert bars([], 3, UNICODE) == "   "


def test_bars_stand_at_the_right_and_leave_unknown_values_blank() -> None:
    assert bars([1, None, 1], 5, UNICODE) == "  █ █"


def test_peaks_do_not_disappear_when_values_are_squeezed() -> None:
    values = [0.0] * 100
    values[37] = 9.0
    assert max(value or 0 for value in squeezed(values, 7)) == 9.0
    assert len(squeezed(values, 7)) == 7


async def test_lines_of_bars_stand_under_each_other() -> None:
    lines = Sparklines()
    lines.set_rows([Row(name="cpu", values=[1, 2], note="96%"), Row(name="temp", values=[2, 1], note="62°C")])
    async with staged(lines, (20, 4)):
        assert lines.size.height == 2
        assert drawn(lines) == ["cpu         ▅█  96%", "temp        █▅  62°C"]


async def test_an_area_has_a_scale_of_round_numbers() -> None:
    chart = Chart()
    chart.set_series([0, 25, 50, 75, 100, 100], "%")
    async with staged(chart, (17, 8)):
        assert drawn(chart) == [
            "100% ┤       ████",
            "     │     ▄▄████",
            "     │     ██████",
            " 50% ┤   ████████",
            "     │ ▄▄████████",
            "     │▁██████████",
            "   0 └───────────",
            "",
        ]


async def test_a_forecast_is_a_band_and_a_limit_a_line() -> None:
    forecast = Forecast(low=[40, 50], middle=[50, 70], high=[60, 95])
    series = Series(values=[10, 20, 30], steps=6, limit=80, forecast=forecast, marks=[(0, "1"), (3, "4")])
    chart = Chart(series)
    async with staged(chart, (22, 9)):
        assert drawn(chart) == [
            "100 ┤            ░░",
            "    │────────────▒▒───",
            "    │        ░░░░░░",
            " 50 ┤        ▒▒▒▒░░",
            "    │  ▂▂▂▆▆▆",
            "    │▅▅██████",
            "  0 └┴───────┴────────",
            "     1       4",
        ]


async def test_what_is_over_the_limit_is_marked() -> None:
    chart = Chart(Series(values=[10, 30], limit=20))
    async with staged(chart, (20, 8)):
        assert styles_of(chart, 5, "█") == {"#6cb6ff", "bold #ff7b72"}
        assert styles_of(chart, 1, "█") == {"bold #ff7b72"}


async def test_large_numbers_are_short_on_the_scale() -> None:
    chart = Chart()
    chart.set_series([40_000, 2_500_000])
    async with staged(chart, (30, 8)):
        assert [line.split()[0] for line in drawn(chart) if "┤" in line] == ["3000k", "2000k", "1000k"]


@pytest.mark.parametrize("values", [[], [0], [0, 0], [1e-6], [5e12], [3, 1, 4] * 500])
async def test_any_numbers_can_be_drawn(values: list[float]) -> None:
    chart = Chart()
    chart.set_series(values)
    async with staged(chart, (30, 8)):
        assert all(chart.render_line(y).cell_length == 30 for y in range(8))


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (12, 3)])
async def test_a_chart_without_room_is_drawn_all_the_same(size: tuple[int, int]) -> None:
    chart = Chart(Series(values=[1, 2, 3], limit=2, marks=[(0, "1")]))
    chart.styles.height = "100%"
    async with staged(chart, size):
        assert len(drawn(chart)) == size[1]


async def test_a_gauge_tells_share_label_and_percent() -> None:
    gauge = Gauge()
    gauge.set(1420, 2000, "1420/2000")
    async with staged(gauge, (50, 1)):
        assert drawn(gauge) == ["▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░  1420/2000  71%"]
        gauge.set(95, 100)
        assert drawn(gauge)[0].endswith("95% ▲")
        assert styles_of(gauge, 0, "▓") == {"bold #ff7b72"}
        gauge.set(0, 0)
        assert drawn(gauge)[0].endswith("–")
        gauge.set(300, 100)
        assert "░" not in drawn(gauge)[0]


async def test_the_plain_characters_are_plain() -> None:
    gauge, chart, lines = Gauge(), Chart(Series(values=[1, 2, 3], limit=2)), Sparklines()
    gauge.set(95, 100, "x")
    lines.set_rows([Row(name="a", values=[1, 2, 3])])
    for widget in (gauge, chart, lines):
        async with staged(widget, (40, 8), glyphs=ASCII):
            assert "\n".join(drawn(widget)).isascii()


def test_wide_characters_take_two_cells_and_are_never_halved() -> None:
    canvas = Canvas(6, 1)
    assert canvas.put(0, 0, "a中b") == 4
    assert canvas.lines() == ["a中b  "]
    canvas.put(2, 0, "x")
    assert canvas.lines() == ["a xb  "]
    canvas.put(0, 0, "中文字体")
    assert canvas.lines() == ["中文字"]
    canvas.put(1, 0, "y")
    assert canvas.lines() == [" y文字"]


def test_what_does_not_fit_is_left_out() -> None:
    canvas = Canvas(3, 1)
    canvas.put(-1, 0, "abcdef")
    canvas.put(0, 5, "x")
    assert canvas.lines() == ["bcd"]
    assert canvas.strip(9).text == "   "


def test_strokes_reach_to_their_sides() -> None:
    assert [stroke(sides, UNICODE) for sides in (LEFT | RIGHT, UP | DOWN, RIGHT | DOWN, LEFT | UP)] == [
        "─", "│", "┌", "┘",
    ]  # fmt: skip
    assert stroke(LEFT | RIGHT | UP | DOWN, ASCII) == "+"
