"""The frame of every screen: two lines of vital signs above, what just happened and the keys below.

The header answers without a key press: is it alive, how old is what I see, what is
stuck or failed, what does it cost. On a narrow screen all of that is one line, and
the keys below become buttons that a thumb can hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from relayq.model.duration import format_duration
from relayq.model.lifecycle import State
from relayq_tui.actions import Action, shown_key
from relayq_tui.glyphs import clock, meter, spark
from relayq_tui.store import Changes, Store
from relayq_tui.theme import Palette, glyphs_of, palette_of
from relayq_tui.widgets.line import Line, changed, fit

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp
    from relayq_tui.screens.base import HubScreen

NARROW = 80
SPARK_MINUTES = 12
NAMED = 2  # paused queues that the header names
MEAGRE = 3  # a meter of so few columns tells nothing
FAILED = (State.FAILED, State.EXPIRED)


class Framed(Widget):
    """A part of the frame: it draws lines from the store of the app it is in."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._fresh: Sequence[Strip] | None = None
        self._fresh_for: Size | None = None
        self._painted: dict[int, Strip] = {}

    @property
    def rq(self) -> RelayQApp:
        """The app, as what it is."""
        return cast("RelayQApp", self.app)

    @property
    def store(self) -> Store:
        """What the feed has said."""
        return self.rq.store

    @property
    def palette(self) -> Palette:
        """The styles of the theme."""
        return palette_of(self)

    @property
    def is_narrow(self) -> bool:
        """Is this a phone?"""
        return self.size.width < NARROW

    def lines(self) -> list[Line]:
        """What to draw."""
        return []

    def update(self) -> None:
        """Draw again what is another than was painted, and nothing else: every byte crosses a link."""
        self._fresh = self._strips() if self.size else ()
        regions = [
            Region(0, y, width, 1)
            for y, strip in enumerate(self._fresh)
            if (width := changed(self._painted.get(y), strip))
        ]
        if regions:
            self._fresh_for = self.size
            self.refresh(*regions)

    def render_lines(self, crop: Region) -> list[Strip]:
        """What is drawn is made anew, unless it was for this painting; Textual asks for lost lines too."""
        if self._fresh_for != self.size:
            self._fresh = None
        self._fresh_for = None
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        if self._fresh is None:
            self._fresh = self._strips()
        strip = self._fresh[y] if y < len(self._fresh) else Strip.blank(self.size.width)
        self._painted[y] = strip
        return strip

    def _strips(self) -> list[Strip]:
        """Every line, as wide and as many as there is room for; empty until the whole screen is there."""
        lines, (width, height) = self.lines() if self.screen.is_mounted else [], self.size
        return [(lines[y] if y < len(lines) else Line()).strip(width) for y in range(height)]


class Header(Framed):
    """Name, connection and tabs; counts, rates and budget; a rule."""

    DEFAULT_CSS = "Header { height: 3; }"

    def draw(self, changes: Changes) -> None:
        """Draw again if something of it has changed."""
        if changes.parts & {"connection", "counts", "series", "budget", "clock"}:
            self.update()

    def lines(self) -> list[Line]:
        """One line on a phone, else three."""
        if self.is_narrow:
            return [self._short()]
        rule = glyphs_of(self).line * self.size.width
        return [self._names(), self._vitals(), Line().add(rule, self.palette.dim)]

    def _names(self) -> Line:
        p = self.palette
        line = Line().add(" RelayQ", p.strong).add(f"  {self.rq.feed.name}  ", p.text)
        self._connection(line)
        tabs = self.rq.tabs()
        room = self.size.width - line.width - 2
        is_short = sum(len(name) + 4 for _, name, _ in tabs) > room
        for number, name, is_here in tabs:
            mark = glyphs_of(self).here if is_here else " "
            label = str(number) if is_short and not is_here else f"{number} {name.capitalize()}"
            style = p.strong if is_here else p.head
            line.right(f" {mark}{label}", style, action=f"app.screen('{name}')")
        return line.right(" ")

    def _connection(self, line: Line, *, short: bool = False) -> None:
        p, g, link = self.palette, glyphs_of(self), self.store.connection
        latency = "" if link.latency_ms is None else f"{link.latency_ms}ms"
        if link.state == "live" and self.rq.is_frozen:
            line.add(f"{g.held} paused", p.warn)
        elif link.state == "live":
            line.add(g.live, p.good).add(f" {latency}" if short else f" live {latency}", p.head)
        else:
            line.add(self._absence(short=short), p.warn)

    def _absence(self, *, short: bool) -> str:
        g, store = glyphs_of(self), self.store
        word = "connecting" if store.connection.state == "connecting" else "reconnecting"
        for_s = self.rq.seconds_lost()
        since = f" {for_s}s" if for_s else ""
        if not store.data_ms:
            return f"{g.half} {word}{since}"
        age = clock(store.data_ms, "%H:%M" if short else "%H:%M:%S")
        return f"{g.half} {age}" if short else f"{g.half} {word}{since}, data as of {age}"

    def _vitals(self) -> Line:
        p, g, store = self.palette, glyphs_of(self), self.store
        line = Line().add(" ")
        self._count(line, State.RUNNABLE, "queued")
        self._count(line, State.RUNNING, "running")
        self._count(line, State.PENDING, "later")
        self._count(line, State.UNREACHABLE, "lost", always=False)
        if asking := self.rq.asking.count():
            line.add(f"{g.flag}{asking} asks  ", p.warn)
        if store.counts.paused:
            line.add(f"{g.held} {', '.join(store.counts.paused[:NAMED])} paused  ", p.warn)
        failed = store.count(*FAILED)
        line.add(f"{g.states[State.FAILED]}{failed} failed  ", p.bad if failed else p.dim)
        line.add(f"{g.states[State.SUCCEEDED]}{store.counts.done_today} /24h", p.head)
        wide = self.size.width >= 110
        if wide:
            self._rates(line)
        self._budget(line, 10 if wide else 0)
        return line

    def _count(self, line: Line, state: State, word: str, *, always: bool = True) -> None:
        count = self.store.count(state)
        if count or always:
            style = self.palette.of(state) if count else self.palette.dim
            line.add(f"{glyphs_of(self).states[state]}{count} {word}  ", style)

    def _rates(self, line: Line) -> None:
        p, g, series = self.palette, glyphs_of(self), self.store.series
        if series.submitted:
            line.add(f" {g.upright} ", p.dim).add("in ", p.head)
            line.add(spark(list(series.submitted), SPARK_MINUTES // 2, g), p.accent)
            line.add(f" {series.submitted[-1]:.0f}/m", p.text)
        if series.p95_wait_s:
            line.add("  p95 wait ", p.head)
            line.add(spark(list(series.p95_wait_s), SPARK_MINUTES // 2, g), p.accent)
            line.add(" " + format_duration(int(series.p95_wait_s[-1] * 1000)), p.text)

    def _budget(self, line: Line, width: int) -> None:
        budget = self.store.budget
        if budget is None or not budget.included_min or not budget.source:
            return
        p, share = self.palette, budget.used_min / budget.included_min
        style = p.bad if share >= 1 else p.warn if share * 100 >= budget.guard_percent else p.text
        line.add(f" {glyphs_of(self).upright} " if width else "  ", p.dim)
        line.add("GH min " if width else "GH ", p.head)
        room = self.size.width - line.width - len("100% ")
        if width and room > MEAGRE:
            line.add(meter(share, min(width, room), glyphs_of(self)) + " ", style)
        line.add(f"{share:.0%}", style)

    def _short(self) -> Line:
        p, g, store = self.palette, glyphs_of(self), self.store
        line = Line().add(" ")
        self._connection(line, short=True)
        line.add("  ")
        for state in (State.RUNNABLE, State.RUNNING):
            line.add(f"{g.states[state]}{store.count(state)} ", p.of(state))
        if asking := self.rq.asking.count():
            line.add(f"{g.flag}{asking} ", p.warn)
        if store.counts.paused:
            line.add(f"{g.held}{len(store.counts.paused)} ", p.warn)
        failed = store.count(*FAILED)
        line.add(f"{g.states[State.FAILED]}{failed}", p.bad if failed else p.dim)
        if self.size.width >= 56:
            self._budget(line, 0)
        for number, name, is_here in self.rq.tabs():
            mark = g.here if is_here else " "
            style = p.strong if is_here else p.head
            line.right(f"{mark}{number}", style, action=f"app.screen('{name}')")
        return line.right(f"  {g.menu} ", p.head, action="app.push('sheet')")


class TooSmall(Framed):
    """Instead of everything else, where there is no room for it."""

    def lines(self) -> list[Line]:
        """One line that fits nearly everywhere."""
        return [Line().add("RelayQ needs 40x15", self.palette.warn)]


UNDO = "  u undo "


class Status(Framed):
    """What needs a person, at the left; marks, the last word and the undo chip, at the right."""

    DEFAULT_CSS = "Status { height: 1; }"

    def lines(self) -> list[Line]:
        """One line."""
        p, g = self.palette, glyphs_of(self)
        line = Line()
        if flag := self.rq.flag():
            line.add(f" {g.flag} ", p.bad).add(flag, p.text)
        screen = cast("HubScreen", self.screen)
        if note := getattr(screen, "note", ""):
            line.right(f"  {note}", p.mark)
        left_s = self.rq.steering.seconds_left()
        chip = f"{ceil(left_s)}s" if left_s else ""
        if said := self.rq.said:
            room = self.size.width - cell_len(f"  {note}   {UNDO}{chip}")
            line.right(f"  {said if cell_len(said) <= room else fit(said, room)}", p.text)
        if chip:
            line.right(UNDO, p.strong, action="app.undo").right(chip, p.warn)
        return [line.right(" ")]


class Keys(Framed):
    """The keys of the moment; on a narrow screen a row of buttons above them."""

    DEFAULT_CSS = "Keys { height: 2; }"

    def lines(self) -> list[Line]:
        """A rule or buttons, then keys."""
        p, g = self.palette, glyphs_of(self)
        actions = sorted(
            (action for action in cast("HubScreen", self.screen).actions() if self._is_shown(action)),
            key=lambda action: action.rank,
        )
        above = self._buttons(actions) if self.is_narrow else Line().add(g.line * self.size.width, p.dim)
        return [above, self._keys(actions)]

    def _is_shown(self, action: Action) -> bool:
        return bool(action.rank) and (action.id != "undo" or self.rq.steering.latest is not None)

    def _keys(self, actions: list[Action]) -> Line:
        """As many as fit; on a wide screen the way to all the others has its place at the right."""
        line, p = Line().add(" "), self.palette
        last = [] if self.is_narrow else [action for action in actions if action.id in ("sheet", "help")]
        for action in last:
            line.right(shown_key(self.rq.key_of(action)), p.strong, action=action.handler_on_screen)
            line.right(f" {action.label}  ", p.head, action=action.handler_on_screen)
        for action in (action for action in actions if action not in last):
            shown = shown_key(self.rq.key_of(action))
            if line.width + len(shown) + len(action.label) + 3 > self.size.width:
                break
            line.add(shown, p.strong, action=action.handler_on_screen)
            line.add(f" {action.label}  ", p.head, action=action.handler_on_screen)
        return line

    def _buttons(self, actions: list[Action]) -> Line:
        line, p = Line().add(" "), self.palette
        wanted = [action for action in actions if action.rank >= 30 and action.id not in ("sheet", "help")]
        for action in wanted:
            text = action.label.capitalize()
            if line.width + len(text) + 5 + 9 > self.size.width:
                break
            line.add(f"[ {text} ]", p.accent, action=action.handler_on_screen).add(" ")
        return line.add("[ More ]", p.accent, action="app.push('sheet')")
