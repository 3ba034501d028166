"""An area under a series of numbers, with a scale, a limit and what is to be expected.

The scale is chosen so that every mark on it is a round number. The forecast is a band
between the least and the most that may come, with what is probable as a line in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from textual.strip import Strip
from textual.widget import Widget

from relayq_tui.glyphs import Glyphs
from relayq_tui.theme import Palette, glyphs_of, palette_of
from relayq_tui.widgets.canvas import DOWN, LEFT, RIGHT, UP, Canvas, stroke

_MARKS = 4  # at most on the scale
_FEET = 2  # lines below the area: the axis and its words


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What may come after the values, a step each: at least, probably, at most."""

    low: Sequence[float]
    middle: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What a chart shows.

    `steps` is the length of the axis (0: as long as there are values), `limit` a value
    that should not be crossed, `marks` are words under steps of the axis.
    """

    values: Sequence[float]
    unit: str = ""
    steps: int = 0
    limit: float | None = None
    forecast: Forecast | None = None
    marks: Sequence[tuple[int, str]] = ()

    @property
    def length(self) -> int:
        """The steps of the axis."""
        expected = len(self.forecast.middle) if self.forecast else 0
        return max(1, self.steps, len(self.values) + expected)

    @property
    def highest(self) -> float:
        """The highest value there is."""
        expected = self.forecast.middle if self.forecast else ()
        return max((*self.values, *expected, self.limit or 0.0), default=0.0)


class Chart(Widget):
    """One series as an area."""

    DEFAULT_CSS = "Chart { height: 8; }"

    def __init__(self, series: Series | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._series = series or Series(values=())
        self._drawn: Canvas | None = None

    def set_series(self, values: Sequence[float], unit: str = "") -> None:
        """Show these values and nothing else."""
        self.show(Series(values=values, unit=unit))

    def show(self, series: Series) -> None:
        """Show this."""
        self._series, self._drawn = series, None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        if self._drawn is None:
            self._drawn = area(
                self._series, self.size.width, self.size.height, glyphs_of(self), palette_of(self)
            )
        return self._drawn.strip(y)

    def on_resize(self) -> None:
        """Draw it for the new size."""
        self._drawn = None


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where things are: `left` is the first column of the area, `unit` the value of one line."""

    left: int
    width: int
    height: int
    unit: float
    every: int
    steps: int

    def column(self, step: float) -> int:
        """Where a step of the axis begins."""
        return self.left + int(step * self.width / self.steps)

    def level(self, value: float) -> int:
        """The line in which a value ends."""
        line = math.ceil(value / self.unit - 1e-9)
        return self.height - max(1, min(self.height, line))


def area(series: Series, width: int, height: int, glyphs: Glyphs, palette: Palette) -> Canvas:
    """The whole chart."""
    canvas = Canvas(width, height, palette.text)
    frame = _frame(series, width, max(1, height - _FEET))
    _draw_scale(canvas, frame, series.unit, glyphs, palette)
    _draw_axis(canvas, frame, series, glyphs, palette)
    if series.limit is not None:
        canvas.fill(frame.left, frame.level(series.limit), frame.width, glyphs.line, palette.warn)
    if series.forecast is not None:
        _draw_forecast(canvas, frame, series, glyphs, palette)
    _draw_values(canvas, frame, series, glyphs, palette)
    return canvas


def _frame(series: Series, width: int, height: int) -> _Frame:
    unit, every = _scale(series.highest, height)
    left = max(len(_spelled(unit * line, series.unit)) for line in range(0, height + 1, every)) + 2
    return _Frame(left, max(1, width - left), height, unit, every, series.length)


def _scale(highest: float, height: int) -> tuple[float, int]:
    """The value of a line, and on which lines a mark is round: what wastes least of the height."""
    highest = highest or 1.0
    fewest = math.ceil(height / _MARKS)
    choices = range(fewest, max(fewest, height // 2) + 1)
    return min((_round_up(highest * every / height) / every, every) for every in choices)


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5, 10, 20..."""
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 2, 2.5, 5) if value <= step * power * 1.000001), 10 * power)


def _spelled(value: float, unit: str) -> str:
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 10 * factor:
            return f"{value / factor:.4g}{letter}{unit}"
    return f"{value:.4g}{unit}"


def _draw_scale(canvas: Canvas, frame: _Frame, unit: str, glyphs: Glyphs, palette: Palette) -> None:
    for line in range(1, frame.height + 1):
        y, is_mark = frame.height - line, line % frame.every == 0
        if is_mark:
            text = _spelled(frame.unit * line, unit)
            canvas.put(frame.left - 2 - len(text), y, text, palette.head)
        side = LEFT | UP | DOWN if is_mark else UP | DOWN
        canvas.put(frame.left - 1, y, stroke(side, glyphs), palette.dim)


def _draw_axis(canvas: Canvas, frame: _Frame, series: Series, glyphs: Glyphs, palette: Palette) -> None:
    y = frame.height
    canvas.put(frame.left - 3, y, "0", palette.head)
    canvas.put(frame.left - 1, y, stroke(RIGHT | UP, glyphs), palette.dim)
    canvas.fill(frame.left, y, frame.width, glyphs.line, palette.dim)
    end = frame.left - 1
    for step, text in series.marks:
        x = frame.column(step)
        if x > end and x + len(text) <= canvas.width:
            canvas.put(x, y, stroke(LEFT | RIGHT | UP, glyphs), palette.dim)
            end = canvas.put(x, y + 1, text, palette.head)


def _draw_values(canvas: Canvas, frame: _Frame, series: Series, glyphs: Glyphs, palette: Palette) -> None:
    for x in range(frame.left, frame.column(len(series.values))):
        first = int((x - frame.left) * frame.steps / frame.width)
        after = max(first + 1, math.ceil((x - frame.left + 1) * frame.steps / frame.width))
        value = max(series.values[first:after], default=0.0)
        over = series.limit is not None and value > series.limit
        style = palette.bad if over else palette.run
        full = int(value / frame.unit)
        for line in range(min(full, frame.height)):
            canvas.put(x, frame.height - 1 - line, glyphs.bars[-1], style)
        part = round((value / frame.unit - full) * len(glyphs.bars)) - 1
        if full < frame.height and (part >= 0 or not full):
            canvas.put(x, frame.height - 1 - full, glyphs.bars[max(0, part)], style)


def _draw_forecast(canvas: Canvas, frame: _Frame, series: Series, glyphs: Glyphs, palette: Palette) -> None:
    forecast = series.forecast or Forecast(low=(), middle=(), high=())
    known = len(series.values)
    for x in range(frame.column(known), frame.column(known + len(forecast.middle))):
        step = min(
            len(forecast.middle) - 1, max(0, int((x - frame.left) * frame.steps / frame.width) - known)
        )
        for y in range(frame.level(forecast.high[step]), frame.level(forecast.low[step]) + 1):
            canvas.put(x, y, glyphs.empty, palette.dim)
        is_over = series.limit is not None and forecast.middle[step] > series.limit
        canvas.put(
            x, frame.level(forecast.middle[step]), glyphs.shade, palette.bad if is_over else palette.text
        )
