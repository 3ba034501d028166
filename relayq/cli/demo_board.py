"""What the demo shows: on a terminal a live table, elsewhere a line for each change."""

from __future__ import annotations

import sys
import time

from relayq.cli.output import STATE_STYLES, is_rich_terminal, print_table
from relayq.model.duration import format_duration
from relayq.model.ids import short
from relayq.model.lifecycle import State
from relayq.store.records import JobRecord
from relayq.text import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

GLYPHS = {
    State.PENDING: "⇢",
    State.RUNNABLE: "○",
    State.RUNNING: "●",
    State.UNREACHABLE: "◌",
    State.SUCCEEDED: "✓",
    State.FAILED: "✗",
    State.CANCELLED: "⊘",
    State.SKIPPED: "↷",
    State.EXPIRED: "⌛",
}
HEADERS = ("", "job", "id", "state", "worker", "attempts", "took", "how")
LOG_LINES = 6


class Board:
    """The demo's screen."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._shown: dict[str, str] = {}
        self._lines: list[str] = []
        self._live: Live | None = None
        self._is_terminal = is_rich_terminal()

    def note(self, sentence: str) -> None:
        """One line about the demo itself."""
        self._say(f"{time.monotonic() - self._began_s:5.1f}s  {sentence}")

    def log(self, name: str, text: str) -> None:
        """Output of a job, as it comes."""
        for line in text.splitlines():
            self._say(f"{time.monotonic() - self._began_s:5.1f}s  {name} | {safe(line)}")

    def show(self, records: dict[str, JobRecord]) -> None:
        """The jobs as they stand: the table on a terminal, changes elsewhere."""
        if self._is_terminal:
            self._draw(records)
            return
        for name, record in records.items():
            state = f"{GLYPHS[record.state]} {name}: {record.state.value}{_elements(record)}"
            if self._shown.get(name) != state:
                self._shown[name] = state
                self._say(f"{time.monotonic() - self._began_s:5.1f}s  {state} {_where(record)}".rstrip())

    def finish(self, records: dict[str, JobRecord], took_s: float) -> None:
        """The table at the end."""
        if self._live is not None:
            self._live.stop()
        print()
        print_table(HEADERS, [_row(name, record) for name, record in records.items()])
        print(f"\n{len(records)} jobs in {took_s:.1f} s")

    def _say(self, line: str) -> None:
        if self._live is not None:
            self._lines = [*self._lines, line][-LOG_LINES:]
        else:
            print(line, flush=True)

    def _draw(self, records: dict[str, JobRecord]) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.text import Text

        if self._live is None:
            self._live = Live(console=Console(file=sys.stdout, highlight=False), auto_refresh=False)
            self._live.start()
        picture = Group(_table(records), Text(""), *(Text(line, style="dim") for line in self._lines))
        self._live.update(picture, refresh=True)


def _table(records: dict[str, JobRecord]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in HEADERS:
        table.add_column(header, no_wrap=True, justify="right" if header in ("attempts", "took") else "left")
    for name, record in records.items():
        style = STATE_STYLES.get(record.state.value, "")
        row = [safe(cell) for cell in _row(name, record)]
        table.add_row(Text(row[0], style), row[1], row[2], Text(row[3], style), *row[4:])
    return table


def _row(name: str, record: JobRecord) -> tuple[str, ...]:
    took = (
        format_duration(record.ended_ms - record.started_ms) if record.ended_ms and record.started_ms else "–"
    )
    return (
        GLYPHS[record.state],
        name,
        short(record.id),
        record.state.value,
        record.worker or "–",
        str(record.attempt) if record.attempt else "–",
        took,
        (record.reason + _elements(record) + _percent(record)).strip(),
    )


def _where(record: JobRecord) -> str:
    return f"on {record.worker}" if record.worker else record.reason


def _elements(record: JobRecord) -> str:
    if record.array is None:
        return ""
    return f" {record.array.succeeded}/{record.array.size} elements"


def _percent(record: JobRecord) -> str:
    running = record.state is State.RUNNING and record.progress is not None
    return f" {record.progress:.0f}%" if running else ""
