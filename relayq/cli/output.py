"""Printing for people and for programs: tables, JSON lines, and notes on stderr.

Results go to stdout, words for people to stderr. Everything a job can influence
passes the one sanitiser (`text.safe`). Tables are drawn by rich on a terminal and
are plain aligned text elsewhere, so that `cut` and `awk` stay useful.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from relayq.text import safe

BETWEEN = 2  # characters between two columns
READABLE = 6  # characters of a column that still tell something

STATE_STYLES = {
    "PENDING": "yellow",
    "RUNNABLE": "cyan",
    "RUNNING": "bold blue",
    "UNREACHABLE": "magenta",
    "SUCCEEDED": "green",
    "FAILED": "bold red",
    "CANCELLED": "dim",
    "SKIPPED": "dim",
    "EXPIRED": "dim",
    "online": "green",
    "offline": "red",
    "ok": "green",
    "warn": "yellow",
    "bad": "bold red",
}


def say(sentence: str) -> None:
    """One line for the person, on stderr."""
    print(f"relayq: {safe(sentence)}", file=sys.stderr, flush=True)


@contextmanager
def waiting(words: str, *, is_shown: bool = True) -> Iterator[Callable[[str], None]]:
    """A spinner beside `words` on stderr while a person looks there; what it gives changes the words."""
    if not is_shown or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(safe(words))) as spinner:
        yield lambda new: spinner.update(Text(safe(new)))


def sending(files: Sequence[str]) -> AbstractContextManager[object]:
    """The same while files go to the hub: over a slow line 16 MB take minutes."""
    return waiting(f"sending {len(files)} {'file' if len(files) == 1 else 'files'} to the hub")


@contextmanager
def progress(words: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while a person looks there and not at stdout; it is told (bytes done, bytes in all)."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(words), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=max(done, total))


def print_json(value: object) -> None:
    """One JSON object on one line, in UTF-8; bytes that are no text stand in it as JSON escapes them."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not is_encodable(text):
        text = json.dumps(value, separators=(",", ":"))
    print(text)


def is_encodable(text: str) -> bool:
    """Can stdout say it?"""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_rich_terminal() -> bool:
    """Whether stdout is a terminal that takes colours and boxes."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under headers; nothing but the headers when there are no rows."""
    clean = [[safe(cell) for cell in row] for row in rows]
    if is_rich_terminal():
        _print_rich(headers, clean)
    else:
        _print_plain([list(headers), *clean])


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """`name  value` lines; facts without a value are left out."""
    kept = [(name, safe(value, keep_newlines=True)) for name, value in facts if value]
    width = max((cells(name) for name, _ in kept), default=0) + BETWEEN
    for name, value in kept:
        print(f"{_filled(name, width)}{value.replace(chr(10), chr(10) + ' ' * width)}")


def cells(text: str) -> int:
    """How wide a terminal shows it: letters of East Asia and emoji take two cells, combining marks none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _filled(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _print_plain(rows: list[list[str]]) -> None:
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print((" " * BETWEEN).join(map(_filled, row, widths)).rstrip())


def _print_rich(headers: Sequence[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, table = Console(highlight=False), Table(box=None, pad_edge=False, header_style="bold")
    widths = [max(map(cells, column)) for column in zip(headers, *rows, strict=True)]
    room = console.width - BETWEEN * (len(widths) - 1)
    for header, width in zip(headers, fitted(widths, room), strict=True):
        table.add_column(header, overflow="ellipsis", no_wrap=True, max_width=width)
    for row in rows:
        table.add_row(*(Text(cell, style=STATE_STYLES.get(cell, "")) for cell in row))
    console.print(table)


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """Widths of columns that fit into `room`: the widest give way, and last of all the first, the id."""
    fitting = list(widths)
    for least, first in ((READABLE, 1), (1, 1), (1, 0)):
        while sum(fitting) > room and max(fitting[first:], default=0) > least:
            widest = max(range(first, len(fitting)), key=fitting.__getitem__)
            fitting[widest] -= 1
    return fitting


def print_lines(lines: Iterable[str]) -> None:
    """Lines for a person, each made safe."""
    for line in lines:
        print(safe(line))
