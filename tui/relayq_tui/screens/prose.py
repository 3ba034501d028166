"""Sentences on a screen: broken where the line ends, what is indented left as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from relayq_tui.theme import Palette
from relayq_tui.widgets.line import Line

WIDTH_MAX = 96  # longer lines are hard to read


def prose(text: str, width: int, palette: Palette) -> list[Line]:
    """The lines of a text: its first is a heading, paragraphs are parted by empty lines."""
    heading, *rest = _broken(text, min(width - 2, WIDTH_MAX))
    lines = [Line().add(f" {heading}", palette.strong)]
    for line in rest:
        lines.append(Line().add(f" {line}", palette.accent if line.startswith(" ") else palette.head))
    return lines


def _broken(text: str, width: int) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        if paragraph.startswith(" "):
            yield from paragraph.splitlines()
        else:
            yield from textwrap.wrap(" ".join(paragraph.split()), max(20, width))
        yield ""
