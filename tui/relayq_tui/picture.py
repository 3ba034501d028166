"""A screen as a picture: SVG in which bars are bars and lines are lines.

Text stands on an exact grid; block elements and box drawing are drawn as rectangles,
since fonts leave seams between them. No font is fetched from anywhere: the picture
names fonts and every viewer has some of them. Used by `x` and by the screenshots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.app import App
from textual.strip import Strip

CELL, LINE, DROP, EDGE = 9, 19, 14, 12  # pixels: a column, a line, the base line, the margin
SIZE = 14.625  # pixels: at this size a column of Fira Code is CELL wide
FONTS = "'Fira Code','Cascadia Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"
MARKS = "'DejaVu Sans Mono','Noto Sans Mono CJK SC',Menlo,monospace"
INSET = 2  # pixels between gauges that stand under each other
LIGHTER = 1  # pixels of a thin line
LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
STROKES = {
    "─": LEFT | RIGHT, "│": UP | DOWN, "┌": RIGHT | DOWN, "┐": LEFT | DOWN, "└": RIGHT | UP, "┘": LEFT | UP,
    "├": RIGHT | UP | DOWN, "┤": LEFT | UP | DOWN, "┬": LEFT | RIGHT | DOWN, "┴": LEFT | RIGHT | UP,
    "┼": LEFT | RIGHT | UP | DOWN, "╷": DOWN, "╵": UP, "╴": LEFT, "╶": RIGHT,
}  # fmt: skip
SHADES = {"█": 1.0, "▓": 0.85, "▒": 0.5, "░": 0.22}
RISING, GROWING = "▁▂▃▄▅▆▇", "▏▎▍▌▋▊▉"
ANSI = [(13, 17, 23), (255, 123, 114), (107, 196, 109), (227, 179, 65), (108, 182, 255), (188, 140, 255),
        (86, 212, 221), (173, 186, 199)]  # fmt: skip


class Look(NamedTuple):
    """Colours as #rrggbb; `ground` is empty where it is the picture's own."""

    ink: str
    ground: str
    is_bold: bool
    is_underlined: bool


class Colours(NamedTuple):
    """What default means in a picture."""

    ink: tuple[int, int, int]
    ground: tuple[int, int, int]

    @property
    def theme(self) -> TerminalTheme:
        """For rich, which knows what the sixteen colours of a terminal look like."""
        return TerminalTheme(self.ground, self.ink, ANSI, ANSI)


DARK = Colours((214, 217, 222), (13, 17, 23))
LIGHT = Colours((31, 35, 40), (255, 255, 255))


def picture_of(app: App[Any]) -> str:
    """The screen of an app, as it is now."""
    strips = app.screen._compositor.render_strips()
    return svg(strips, LIGHT if app.theme == "light" else DARK)


def svg(strips: Sequence[Strip], colours: Colours = DARK) -> str:
    """These lines as SVG."""
    width = max((strip.cell_length for strip in strips), default=0) * CELL + 2 * EDGE
    height = len(strips) * LINE + 2 * EDGE
    looks: dict[Look, str] = {}
    body = [shape for y, strip in enumerate(strips) for shape in _line(strip, y, colours, looks)]
    ink, ground = _hex(colours.ink), _hex(colours.ground)
    styles = "".join(f".{name}{{{_css(look)}}}" for look, name in looks.items())
    text = f"font:{SIZE}px {FONTS};font-variant-ligatures:none;white-space:pre;fill:{ink}"
    extent = f'width="{width}" height="{height}"'
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {extent}>',
        f"<style>text{{{text}}}.m{{font-family:{MARKS}}}{styles}</style>",
        f'<rect {extent} rx="8" fill="{ground}"/>',
        *body,
        "</svg>\n",
    )
    return "\n".join(lines)


def _line(strip: Iterable[Segment], y: int, colours: Colours, looks: dict[Look, str]) -> Iterator[str]:
    """The shapes of one line: grounds first, then what stands on them."""
    x, shapes = 0, []
    for text, style, control in strip:
        if control:
            continue
        look = _look(style, colours)
        if look.ground:
            yield _rect(x * CELL, y * LINE, cell_len(text) * CELL, LINE, look.ground)
        for piece in _pieces(text):
            if piece.strip() or (look.is_underlined and piece):
                shapes.append(_shape(piece, x, y, look, looks))
            x += cell_len(piece)
    yield from shapes


def _pieces(text: str) -> Iterator[str]:
    """ASCII in one piece, equal marks in one piece, any other character alone."""
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and _kind(text[end]) == _kind(text[start]) and _kind(text[start]):
            continue
        yield text[start:end]
        start = end


def _kind(character: str) -> str:
    if character.isascii():
        return "ascii"
    return character if character in SHADES or character == "─" else ""


def _shape(piece: str, x: int, y: int, look: Look, looks: dict[Look, str]) -> str:
    left, top, width, mark = x * CELL, y * LINE, cell_len(piece) * CELL, piece[0]
    if mark in SHADES:
        inset = 0 if mark == "█" else INSET
        return _rect(left, top + inset, width, LINE - 2 * inset, look.ink, SHADES[mark])
    if mark in RISING:
        part = round(LINE * (RISING.index(mark) + 1) / 8)
        return _rect(left, top + LINE - part, CELL, part, look.ink)
    if mark in GROWING:
        return _rect(left, top, round(CELL * (GROWING.index(mark) + 1) / 8), LINE, look.ink)
    if mark in STROKES:
        return "".join(_strokes(STROKES[mark], left, top, width, look.ink))
    name = looks.setdefault(look._replace(ground=""), f"s{len(looks)}")
    kind, length = (name, f' textLength="{width}"') if piece.isascii() else (f"{name} m", "")
    place = f'x="{left + EDGE}" y="{top + EDGE + DROP}"{length if len(piece) > 1 else ""}'
    return f'<text class="{kind}" {place}>{escape(piece, quote=False)}</text>'


def _strokes(sides: int, left: int, top: int, width: int, ink: str) -> Iterator[str]:
    middle_x, middle_y = left + CELL // 2, top + LINE // 2
    if sides & (LEFT | RIGHT):
        begin = left if sides & LEFT else middle_x
        yield _rect(begin, middle_y, (left + width if sides & RIGHT else middle_x + 1) - begin, LIGHTER, ink)
    if sides & (UP | DOWN):
        begin = top if sides & UP else middle_y
        yield _rect(middle_x, begin, LIGHTER, (top + LINE if sides & DOWN else middle_y + 1) - begin, ink)


def _rect(left: int, top: int, width: int, height: int, fill: str, opacity: float = 1.0) -> str:
    faint = "" if opacity == 1.0 else f' opacity="{opacity:g}"'
    return (
        f'<rect x="{left + EDGE}" y="{top + EDGE}" width="{width}" height="{height}" fill="{fill}"{faint}/>'
    )


def _look(style: Style | None, colours: Colours) -> Look:
    style = style or Style()
    ink, ground = _rgb(style.color, colours, is_ink=True), _rgb(style.bgcolor, colours, is_ink=False)
    if style.reverse:
        ink, ground = ground, ink
    if style.dim:
        ink = tuple((a + b) // 2 for a, b in zip(ink, ground, strict=True))  # type: ignore[assignment]  # three of three
    behind = "" if ground == colours.ground else _hex(ground)
    return Look(_hex(ink), behind, bool(style.bold), bool(style.underline))


def _rgb(color: Color | None, colours: Colours, *, is_ink: bool) -> tuple[int, int, int]:
    if color is None or color.is_default:
        return colours.ink if is_ink else colours.ground
    found = color.get_truecolor(colours.theme, foreground=is_ink)
    return found.red, found.green, found.blue


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _css(look: Look) -> str:
    bold = ";font-weight:700" if look.is_bold else ""
    return f"fill:{look.ink}{bold}" + (";text-decoration:underline" if look.is_underlined else "")
