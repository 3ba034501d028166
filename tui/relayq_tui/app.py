"""The terminal UI as an application: it draws first and connects after.

The feed runs as one task and posts updates; they go into the store at once and onto
the screen at most ten times a second, less often the dearer a picture is, and only
the screen on top draws. With nothing changing nothing runs but a clock that strikes
when a time that is shown must have gone on: after a second, or after a minute among jobs
that ended hours ago. The app never leaves by itself, and however it leaves, the terminal
is put back as it was.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.driver import Driver
from textual.filter import LineFilter
from textual.timer import Timer

from relayq.client.steering import Order, Steering, Told
from relayq_tui import cache, theme
from relayq_tui.actions import ACTIONS, Action, bindings, of_context, shown_key
from relayq_tui.asking import Asking
from relayq_tui.bells import Bells, notice
from relayq_tui.escapes import listening
from relayq_tui.feed import Feed, JobsChanged, Snapshot, Update
from relayq_tui.glyphs import ASCII, UNICODE
from relayq_tui.memory import part_large_from_small, settle
from relayq_tui.navigation import Navigation
from relayq_tui.recording import Recorder
from relayq_tui.rows import JobRow
from relayq_tui.screens.base import HubScreen
from relayq_tui.store import Changes, Store
from relayq_tui.thrift import sparing

REPAINT_S, REPAINT_MAX_S = 0.1, 0.5
REST = 30  # as many times longer than a drawing takes is the pause after it
SAID_S = 8.0
SETTLED_S = 2.0
# Classes that a screen of at least this many columns or lines has, for the style sheets.
WIDTHS = [(0, "-tiny"), (40, "-narrow"), (80, "-normal"), (110, "-wide")]
HEIGHTS = [(0, "-flat"), (15, "-low"), (30, "-tall")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the UI was asked to be. `keymap` gives other keys by action id."""

    theme: str = "dark"
    ascii: bool = False
    read_only: bool = False
    cache: Path | None = None
    record: Path | None = None
    grace_s: float = 5.0
    keymap: tuple[tuple[str, str], ...] = ()
    views: tuple[tuple[str, str], ...] = ()
    screen: str = "jobs"
    ticks: bool = True


class RelayQApp(Navigation):
    """The app: one feed, one store, one screen on top."""

    TITLE = "RelayQ"
    CSS_PATH = "relayq.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = list(bindings(of_context("anywhere")))

    def __init__(self, feed: Feed, options: Options = Options()) -> None:
        os.environ.pop("NO_COLOR", None)  # Textual would draw in greys; the theme `mono` draws without any
        part_large_from_small()
        super().__init__()
        self.feed = feed
        self.options = options
        self.store = Store(feed.now_ms)
        self.glyphs = ASCII if options.ascii else UNICODE
        self.palette = theme.PALETTES[options.theme]
        self.steering = Steering(self._act, self.say, grace_s=options.grace_s)
        self.bells = Bells(self._ring)
        self.asking = Asking(self.store.jobs)
        self.said = ""
        self.is_frozen = False
        self.absolute_times = False
        self._repaint_asked = False
        self._rested_s = 0.0
        self._clock: asyncio.TimerHandle | None = None
        self._lost_s = 0.0
        self._settling = Timer(self, 0, callback=settle)
        self._unsaying = Timer(self, 0, callback=self.refresh_frame)
        self._recorder = Recorder(options.record, feed.name, feed.now_ms) if options.record else None

    # -- life ---------------------------------------------------------------

    def on_mount(self) -> None:
        """Draw the first frame from the cache, then connect."""
        for one in theme.THEMES:
            self.register_theme(one)
        self.theme = self.options.theme
        self.set_keymap(dict(self.options.keymap))
        self._leave_cleanly()
        for update in cache.load(self.options.cache):
            self.store.apply(update)
        self.action_screen(self.options.screen)
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        self._lost_s = asyncio.get_running_loop().time()
        gc.freeze()
        self.action_refresh_data()
        self.run_worker(self.steering.run(), name="steering")
        self.keep_time()

    def _leave_cleanly(self) -> None:
        """A terminal must not be left in the alternate screen with its mouse tracked."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit)

    async def on_unmount(self) -> None:
        """Carry out what waits for its grace, and remember what was seen."""
        self._stop_clock()
        await self.steering.flush()
        await self.feed.close()
        if self._recorder:
            self._recorder.close()
        cache.save(self.options.cache, self.store)

    # -- the feed -----------------------------------------------------------

    def post_update(self, update: Update) -> None:
        """What the feed has to say."""
        was = self.store.connection.state
        self.store.apply(update)
        if isinstance(update, JobsChanged | Snapshot):
            self.asking.hear(update.jobs)
        if isinstance(update, JobsChanged):
            self.bells.hear(update.jobs)
        if isinstance(update, Snapshot):
            self._settling.stop()
            self._settling = self.set_timer(SETTLED_S, settle)
        if was != self.store.connection.state:
            self._lost_s = asyncio.get_running_loop().time()
        if self.store.has_changes:
            self._ask_repaint()

    def _ask_repaint(self) -> None:
        if not self._repaint_asked:
            self._repaint_asked = True
            self.set_timer(max(0.001, self._rested_s - time.monotonic()), self._repaint)

    def _repaint(self) -> None:
        self._repaint_asked = False
        is_over = not self.screen_stack  # a timer may strike while the app leaves
        if not is_over and not self.is_frozen and isinstance(self.screen, HubScreen):
            began_s = time.thread_time()
            self.screen.draw(self.store.drain())
            spent_s = time.thread_time() - began_s
            self._rested_s = time.monotonic() + min(REPAINT_MAX_S, max(REPAINT_S, REST * spent_s))

    def _ring(self, row: JobRow) -> None:
        self.bell()
        if self._driver is not None:
            self._driver.write(notice(row))
        self.say(f"{row.short_id} {row.title} has ended: {row.state.value.lower()}")

    def keep_time(self) -> None:
        """See to it that the times on the screen go on; for whoever changes what is on it."""
        if not self.options.ticks:
            return
        loop = asyncio.get_running_loop()
        due_s = loop.time() + self._still_s
        if self._clock is None or due_s < self._clock.when():
            self._stop_clock()
            self._clock = loop.call_at(due_s, self._tick)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _tick(self) -> None:
        """Running times and ages grow, the undo chip counts down, the banner says for how long."""
        self._clock = None
        self.store.touch("clock")
        self._ask_repaint()
        self.keep_time()

    @property
    def _still_s(self) -> int:
        if self.store.connection.state != "live" or self.steering.latest is not None:
            return 1
        return self.screen.still_s if isinstance(self.screen, HubScreen) else 1

    def get_driver_class(self) -> type[Driver]:
        """What writes to the terminal and reads its keys."""
        return sparing(listening(super().get_driver_class()))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What the theme does to every line."""
        filters = list(super().get_line_filters())
        if self.options.ascii:
            filters.append(theme.PlainLetters())
        return [*filters, theme.FILTERS[self.theme]] if self.theme in theme.FILTERS else filters

    @property
    def is_behind(self) -> bool:
        """Is there something that has been heard of but not been drawn?"""
        return self._repaint_asked

    # -- what the frame shows ------------------------------------------------

    def flag(self) -> str:
        """What needs a person most: why the hub is away, or what failed or asked for a word last."""
        link = self.store.connection
        if link.message and (link.state != "connecting" or self.seconds_lost() > 0):
            return link.message
        row, asking = self.store.latest_failure(), self.asking.latest()
        if asking and (row is None or asking.submitted_ms > row.ended_ms):
            return self.asking.sentence(shown_key(self.key_named("approve")))
        if row is None:
            return ""
        code = "" if row.exit_code is None else f"exit {row.exit_code}"
        how = code if row.reason in ("", "exit") else row.reason.replace("_", " ")
        where = f" on {row.worker}" if row.worker else ""
        return f"{row.title} failed{where}" + (f" ({how})" if how else "")

    def seconds_lost(self) -> int:
        """For how long the hub has been away."""
        if self.store.connection.state == "live" or not self._lost_s:
            return 0
        return int(asyncio.get_running_loop().time() - self._lost_s)

    def key_of(self, action: Action) -> str:
        """The key of an action, as the person has it."""
        return dict(self.options.keymap).get(action.id, action.key).split(",")[0]

    def key_named(self, id: str) -> str:
        """The key of the action with this id."""
        return self.key_of(next(action for action in ACTIONS if action.id == id))

    def say(self, sentence: str) -> None:
        """Show a sentence in the status line for a while."""
        self.said = sentence
        self._unsaying.stop()
        self.refresh_frame()
        if sentence:
            self._unsaying = self.set_timer(SAID_S, lambda: self.say(""))

    def refresh_frame(self) -> None:
        """Draw header and status again."""
        if self.screen_stack and isinstance(self.screen, HubScreen):
            self.screen.draw(Changes(parts={"clock"}))

    # -- orders -------------------------------------------------------------

    def may_change(self) -> bool:
        """May anything be changed now? If not, the person is told why."""
        if self.options.read_only:
            self.say("this is read-only: nothing is changed")
        elif self.store.connection.state != "live":
            self.say("the hub is away: nothing is changed until it is back")
        else:
            return True
        return False

    async def order(self, order: Order) -> None:
        """Give an order; one that can be undone waits for its grace. No key waits for what the hub says."""
        if self.may_change():
            self.run_worker(self._give(order), name="order")

    async def _give(self, order: Order) -> None:
        await self.steering.order(order)
        if order in self.steering.waiting:
            self.say(order.sentence)

    async def _act(self, order: Order) -> Told:
        return await self.feed.act(order)

    def action_undo(self) -> None:
        """Take the latest order back: what was carried out already needs a hub for that."""
        latest = self.steering.latest
        if latest is None:
            self.say("there is nothing to undo")
        elif latest.contrary is None or self.may_change():
            self.steering.undo()
            self.say(f"undone: {latest.order.sentence}")

    # -- the rest of the keys that work everywhere ---------------------------------

    def action_refresh_data(self) -> None:
        """Read everything from the hub again."""
        post = self._recorder.tee(self.post_update) if self._recorder else self.post_update
        self.run_worker(self.feed.run(post, self.store.jobs), name="feed", group="feed", exclusive=True)

    def action_freeze(self) -> None:
        """Let nothing move, or let it move again."""
        self.is_frozen = not self.is_frozen
        if self.is_frozen and isinstance(self.screen, HubScreen):
            self.screen.hold()
        self.refresh_frame()
        self._ask_repaint()

    def action_help_quit(self) -> None:
        """Ctrl-C ends nothing here, for a terminal may copy with it: say what leaves."""
        self.say(f"{self.key_named('close')} leaves")

    def action_times(self) -> None:
        """Ages, or times of the day."""
        self.absolute_times = not self.absolute_times
        if isinstance(self.screen, HubScreen):
            self.screen.draw_all()
