"""The small live view of `relayq worker` in a terminal: a few lines that stay where the command was typed.

The worker runs in the same loop as ever and knows nothing of this: it tells its view
when a job starts and ends, and writes its log. The view keeps what it was told, looks
at the machine every two seconds and draws. Ctrl-C lets the worker leave, a second one
at once, as without the view; when the worker has left, so does the view, and the
terminal is as it was.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.style import Style
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.strip import Strip
from textual.widget import Widget

from relayq.log import Human
from relayq.model.duration import format_duration, format_size
from relayq.model.ids import short
from relayq.model.lifecycle import State
from relayq.text import safe
from relayq.worker import probe
from relayq.worker.view import View, title_of
from relayq.worker.worker import Worker
from relayq_tui import theme
from relayq_tui.glyphs import ASCII, UNICODE, clock, meter
from relayq_tui.vitals import Vitals, vitals
from relayq_tui.widgets.line import Line, fit

if TYPE_CHECKING:
    from relayq.config import Config
    from relayq.plugins import Outcome
    from relayq.worker.attempt import Attempt
    from relayq.worker.options import WorkerOptions

BEAT_S = 1.0
LOOK_EVERY = 2  # beats between two looks at the machine
RUNNING, RECENT, LOGGED = 4, 3, 2  # lines
METER = 10


class Ended(NamedTuple):
    """A job that this worker has run."""

    at_ms: int
    job: str
    title: str
    ran_ms: int
    is_ok: bool
    how: str


class LiveView(View):
    """What the worker has told since it was started."""

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[str, Attempt] = {}
        self.recent: deque[Ended] = deque(maxlen=RECENT)
        self.good = self.bad = 0

    def started(self, attempt: Attempt) -> None:
        """A job starts, or was found running."""
        self.running[attempt.key] = attempt

    def ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """A job has ended, for whatever reason."""
        self.running.pop(attempt.key, None)
        self.good += outcome.ok
        self.bad += not outcome.ok
        how = "" if outcome.ok else attempt.asked or outcome.reason or "exit"
        if how == "exit":
            how = f"exit {outcome.exit_code}"
        now_ms, ran_ms = int(time.time() * 1000), int(attempt.ran_ms())
        self.recent.append(Ended(now_ms, attempt.job, title_of(attempt), ran_ms, outcome.ok, how))


class LastLines(logging.Handler):
    """Keeps the last lines of the log instead of writing them over the view."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(Human())
        self.lines: deque[str] = deque(maxlen=LOGGED)

    def emit(self, record: logging.LogRecord) -> None:
        """One more line."""
        self.lines.append(self.format(record).partition("\n")[0])


class Board(Widget):
    """The lines themselves."""

    DEFAULT_CSS = f"Board {{ height: {3 + RUNNING + RECENT + LOGGED}; }}"

    def render_line(self, y: int) -> Strip:
        """One line."""
        app = self.app
        assert isinstance(app, WorkerApp)
        lines = app.lines(self.size.width)
        return (lines[y] if y < len(lines) else Line()).strip(self.size.width)


class WorkerApp(App[int | BaseException]):
    """The worker and its view; ends with the worker's exit code, or with what went wrong."""

    ENABLE_COMMAND_PALETTE = False
    INLINE_PADDING = 0
    CSS = "Screen { height: auto; } Screen:inline { border: none; height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q,q", "leave", show=False, priority=True),
    ]

    def __init__(self, worker: Worker, title: str, style: str = "dark", *, is_ascii: bool = False) -> None:
        os.environ.pop("NO_COLOR", None)  # the theme `mono` draws without any colour
        super().__init__(watch_css=False)
        self.palette = theme.PALETTES[style]
        self.glyphs = ASCII if is_ascii else UNICODE
        self.live = LiveView()
        self.log_lines = LastLines()
        self._worker, self._title, self._style = worker, title, style
        self._began_s = time.monotonic()
        self._beats = 0
        self._now: Vitals = vitals({})
        self._asked_to_leave = 0
        worker.view = self.live

    def compose(self) -> ComposeResult:
        """Nothing but the lines."""
        yield Board()

    def on_mount(self) -> None:
        """Start the worker, and look every second."""
        for one in theme.THEMES:
            self.register_theme(one)
        self.theme = self._style
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._leave)
        logging.getLogger("relayq").handlers = [self.log_lines]
        self.run_worker(self._work(), name="worker", exit_on_error=False)
        self.set_interval(BEAT_S, self._beat)
        self._beat()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What the theme does to every line."""
        filters = list(super().get_line_filters())
        found = [theme.FILTERS[self._style]] if self._style in theme.FILTERS else []
        plain: list[LineFilter] = [theme.PlainLetters()] if self.glyphs is ASCII else []
        return [*filters, *found, *plain]

    def action_leave(self) -> None:
        """Take nothing new and leave; the second time at once."""
        self._leave()

    def last_word(self) -> str:
        """What there is to say when the view has gone."""
        took = format_duration(int((time.monotonic() - self._began_s) * 1000))
        left = f", {len(self.live.running)} left running" if self.live.running else ""
        return f"{self._title} has left after {took}: {self.live.good} done, {self.live.bad} failed{left}"

    async def _work(self) -> None:
        try:
            self.exit(await self._worker.run())
        except Exception as error:
            self.exit(error)

    def _leave(self) -> None:
        self._asked_to_leave += 1
        self._worker.stop()
        self._beat()

    def _beat(self) -> None:
        if self._beats % LOOK_EVERY == 0:
            self._now = vitals(probe.facts())
        self._beats += 1
        self.query_one(Board).refresh()

    def on_key(self, event: events.Key) -> None:
        """Nothing else is typed here."""
        event.stop()

    # -- drawing

    def lines(self, width: int) -> list[Line]:
        """Who it is, how the machine fares, what runs, what has ended, the log, the key."""
        running = list(self.live.running.values())
        shown = [self._runs(attempt, width) for attempt in running[:RUNNING]]
        if len(running) > RUNNING:
            shown[-1] = Line().add(f"   and {len(running) - RUNNING + 1} more", self.palette.dim)
        blank = [Line() for _ in range(RUNNING - len(shown))]
        recent = [self._ended(one, width) for one in self.live.recent]
        blank += [Line() for _ in range(RECENT - len(recent))]
        logged = [Line().add(f" {fit(line, width - 1)}", self.palette.dim) for line in self.log_lines.lines]
        above = [self._head(), self._machine(width), *shown, *recent, *blank, *logged]
        return [*above, *(Line() for _ in range(LOGGED - len(logged))), self._keys()]

    def _head(self) -> Line:
        p, g, live = self.palette, self.glyphs, self.live
        up = format_duration(int((time.monotonic() - self._began_s) * 1000))
        line = Line().add(f" {self._title} ", p.strong).add(*self._stance())
        line.right(f" {g.states[State.SUCCEEDED]}{live.good}", p.good if live.good else p.dim)
        line.right(f" {g.states[State.FAILED]}{live.bad}", p.bad if live.bad else p.dim)
        return line.right(f"  up {up} ", p.head)

    def _stance(self) -> tuple[str, Style]:
        p, g = self.palette, self.glyphs
        if self._asked_to_leave:
            return f" {g.half} leaving, {len(self.live.running)} still running", p.warn
        if self.live.running:
            return f" {g.live} {len(self.live.running)} running", p.run
        return f" {g.live} waits for jobs", p.good

    def _machine(self, width: int) -> Line:
        p, g, now = self.palette, self.glyphs, self._now
        line = Line()
        for name, share in (("cpu", now.cpu), ("ram", now.memory)):
            if share is not None:
                line.add(f" {name} ", p.head).add(meter(share, METER, g), p.accent).add(
                    f" {share:4.0%}  ", p.text
                )
        if now.celsius is not None:
            line.add(f" {now.celsius:.0f}°C ", p.warn if now.is_hot else p.text)
        if now.disk_free is not None and width >= 60:
            line.add(f" disk {format_size(int(now.disk_free))} free", p.bad if now.is_full else p.head)
        return line

    def _runs(self, attempt: Attempt, width: int) -> Line:
        p = self.palette
        line = (
            Line().add(f" {self.glyphs.states[State.RUNNING]} ", p.run).add(f"{short(attempt.job)}  ", p.head)
        )
        line.add(title_of(attempt), p.text)
        if attempt.progress is not None and width >= 60:
            share, message = attempt.progress
            line.right(f"  {safe(message)}" if message else "", p.dim)
            line.right("" if share is None else f" {share:3.0f}%", p.accent)
        return line.right(f" {format_duration(int(attempt.ran_ms())):>7} ", p.text)

    def _ended(self, one: Ended, width: int) -> Line:
        p, state = self.palette, State.SUCCEEDED if one.is_ok else State.FAILED
        line = Line().add(f" {self.glyphs.states[state]} ", p.of(state)).add(f"{short(one.job)}  ", p.head)
        line.add(one.title, p.dim).right(f"  {one.how}", p.bad if one.how else p.dim)
        line.right(f" {format_duration(one.ran_ms):>7} ", p.head)
        return line.right(f"{clock(one.at_ms)} ", p.dim) if width >= 60 else line

    def _keys(self) -> Line:
        p = self.palette
        again = "leave at once, jobs go on" if self._asked_to_leave else "finish and leave"
        return Line().add(" ctrl+c ", p.strong).add(again, p.head)


def run_with_view(config: Config, options: WorkerOptions) -> tuple[int, str]:
    """Be a worker with a view of it; its exit code and a last word. Raises what the worker raises."""
    style = "mono" if os.environ.get("NO_COLOR") else str(config.values["tui.theme"])
    worker = Worker(config, options)
    title = f"relayq worker {options.name or config.worker.name}"
    app = WorkerApp(worker, title, style, is_ascii=bool(config.values["tui.ascii"]))
    ended = app.run(inline=True, mouse=False)
    if isinstance(ended, BaseException):
        raise ended
    return 1 if ended is None else ended, app.last_word()
