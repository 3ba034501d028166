"""The fifth screen: what it costs, and whether it lasts until the month is over.

Hosted minutes with a forecast, what spent them, AI money, the hub's memory. Of a hub
where nothing measures minutes only its memory is known: that is shown, and what is
missing is said.
"""

from __future__ import annotations

from textwrap import wrap
from typing import ClassVar

from rich.style import Style
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from relayq.client.steering import Order
from relayq.model.duration import format_duration, format_size
from relayq.model.forecast import DAY_MS, Outlook, outlook
from relayq_tui.glyphs import age, clock, meter
from relayq_tui.rows import BudgetView
from relayq_tui.screens.ask import Ask
from relayq_tui.screens.base import HubScreen
from relayq_tui.screens.prose import prose
from relayq_tui.store import Changes
from relayq_tui.widgets.chart import Chart, Forecast, Series
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.gauge import BAD_SHARE, WARN_SHARE, Gauge
from relayq_tui.widgets.line import Line, fit

NAMES = 14
METER = 20
MARKED_DAYS = 4
USUAL_LIMIT = "90%"
CHART_MIN = 20  # lines of the terminal
WORDS = {"lasts": "lasts", "tight": "tight", "runs out": "does not last", "unknown": ""}
EMPTY = """
No minutes are known yet.

Here will stand the minutes of GitHub Actions that this month includes: how many are used, by which
workflows, whether the rest lasts, and what your own machines saved. They are counted from the runs of
your private repositories, by a machine of this fleet that has a GitHub token (log in with gh auth
login, then R here or relayq budget refresh there), and from workflows that hand their jobs to this fleet.

What the hub knows by itself stands above: what ran on your own machines, and its memory.
"""


class Minutes(Framed):
    """The line over the gauge: what is measured, and when it begins anew."""

    DEFAULT_CSS = "Minutes { height: 1; }"

    def lines(self) -> list[Line]:
        """One line."""
        p, budget = self.palette, measured(self.store.budget)
        if budget is None:
            return []
        left = format_days(budget.resets_ms - self.store.now_ms())
        is_tiny = self.size.width < 48
        line = Line().add(" GitHub minutes" if is_tiny else " GitHub Actions minutes", p.strong)
        return [line.right(f"resets in {left} ({clock(budget.resets_ms, '%-d %b')}) ", p.head)]


class Burn(Framed):
    """The line under the gauge: how fast they go, and whether they last."""

    DEFAULT_CSS = "Burn { height: 1; }"

    def lines(self) -> list[Line]:
        """One line."""
        p, budget = self.palette, measured(self.store.budget)
        if budget is None:
            return []
        ahead = outlook_of(budget)
        line = Line().add(f" burn {ahead.burn:.0f}/day", p.text)
        verdict = f"   {self._sign(ahead)}{WORDS[ahead.verdict]}"
        if ahead.empty_in_days is not None and ahead.verdict != "lasts":
            empty_ms = budget.read_ms + int(ahead.empty_in_days * DAY_MS)
            line.add(f"   runs out {clock(empty_ms, '%-d %b')}", p.text)
            error = f" ±{max(1, round(ahead.give_or_take))} d" if self._has_plus_minus else ""
            line.add(error if line.fits(error + verdict, self.size.width) else "", p.head)
        return [line.add(verdict, self._style(ahead))]

    @property
    def _has_plus_minus(self) -> bool:
        return self.rq.glyphs.name == "unicode"

    def _sign(self, ahead: Outlook) -> str:
        g = self.rq.glyphs
        return {"tight": f"{g.up} ", "runs out": f"{g.flag} "}.get(ahead.verdict, "")

    def _style(self, ahead: Outlook) -> Style:
        p = self.palette
        return {"tight": p.warn, "runs out": p.bad}.get(ahead.verdict, p.good)


class Spending(Framed):
    """Who spent it, what was saved, what else costs: as many lines as fit."""

    DEFAULT_CSS = "Spending { height: 1fr; }"

    def lines(self) -> list[Line]:
        """All of it, or what is known of a hub without a budget."""
        budget = measured(self.store.budget)
        if budget is None:
            return self._unmeasured()
        parts = self._parts(budget, is_brief=False)
        if sum(map(len, parts)) > self.size.height:
            parts = self._parts(budget, is_brief=True)
        has_room = sum(map(len, parts)) + len(parts) <= self.size.height
        return [line for part in parts for line in ([*part, Line()] if has_room else part)]

    def _parts(self, budget: BudgetView, *, is_brief: bool) -> list[list[Line]]:
        """Everything there is to say, without the details when it must be brief."""
        most = 1 if is_brief else None
        memory = self._memory(*self._measured(budget))
        parts = [
            self._saved(budget),
            self._spenders(budget),
            self._months(budget),
            self._prices(budget)[:most],
        ]
        parts += [self._money(budget)[:most], memory]
        parts += [self._guard(budget)[:most], self._warnings(budget)]
        return [part for part in parts if part]

    def _unmeasured(self) -> list[Line]:
        """What is known where no minutes are."""
        budget = self.store.budget
        lines = self._memory(*self._measured(budget))
        if budget is not None:
            lines = [*self._prices(budget), *self._guard(budget)[:1], *lines]
        return [*lines, *prose(EMPTY, self.size.width, self.palette)]

    def _measured(self, budget: BudgetView | None) -> tuple[int, int]:
        """The hub's memory: as it was told with the budget, else as the hub counts it."""
        if budget is not None and budget.hub_bytes:
            return budget.hub_bytes, budget.hub_max_bytes
        return self.store.counts.used_bytes, self.store.counts.max_bytes

    def _months(self, budget: BudgetView) -> list[Line]:
        """How many it was in the months before."""
        p, dot = self.palette, self.rq.glyphs.dot
        each = f" {dot} ".join(f"{name} {minutes}" for name, minutes in budget.months)
        return [Line().add(" before      ", p.strong).add(each, p.text)] if each else []

    def _prices(self, budget: BudgetView) -> list[Line]:
        """What ran here would have cost elsewhere; the first line alone says the most."""
        p = self.palette
        return [
            Line()
            .add(f" {name:<14}" if number else " own work on   ", p.strong if not number else p.head)
            .add(f" {name} {text}" if not number else f" {text}", p.text)
            for number, (name, text) in enumerate(budget.prices)
        ]

    def _saved(self, budget: BudgetView) -> list[Line]:
        p, everything = self.palette, budget.saved_min + budget.used_min
        if not budget.saved_min:
            return []
        share = f"  {budget.saved_min / everything:.0%} of all"
        return [
            Line()
            .add(" own hardware saved ", p.text)
            .add(f"{budget.saved_min} min", p.good)
            .add(share, p.head)
        ]

    def _spenders(self, budget: BudgetView) -> list[Line]:
        p, g = self.palette, self.rq.glyphs
        lines = [Line().add(" top spenders this month", p.strong)]
        most = max((minutes for _, minutes in budget.spenders), default=1)
        room = max(8, self.size.width - NAMES - 11)
        for name, minutes in budget.spenders:
            bar = g.full * max(1, round(minutes / most * room))
            lines.append(
                Line().add(f"  {fit(name, NAMES)}", p.text).add(f"{minutes:>5}  ", p.text).add(bar, p.accent)
            )
        return lines if budget.spenders else []

    def _money(self, budget: BudgetView) -> list[Line]:
        if not budget.ai_spent and not budget.ai_limit:
            return []
        p, dot = self.palette, self.rq.glyphs.dot
        limit = f" of ${budget.ai_limit:.2f}" if budget.ai_limit else ""
        share = budget.ai_spent / budget.ai_limit if budget.ai_limit else None
        each = f" {dot} ".join(f"{name} ${spent:.2f}" for name, spent in budget.ai_spenders)
        lines = [self._meter("AI spend", f"${budget.ai_spent:.2f}{limit}", share)]
        return [*lines, Line().add(f"  {each}", p.head)] if each else lines

    def _memory(self, used: int, most: int) -> list[Line]:
        if not most:
            return [self._meter("hub memory", f"{format_size(used)}, no limit is set", None)]
        return [self._meter("hub memory", f"{format_size(used)} of {format_size(most)}", used / most)]

    def _meter(self, name: str, words: str, share: float | None) -> Line:
        p = self.palette
        line = Line().add(f" {name:<10}  ", p.strong).add(f"{words:<15}", p.text)
        if share is None:
            return line
        style = p.bad if share >= BAD_SHARE else p.warn if share >= WARN_SHARE else p.accent
        room = max(3, min(METER, self.size.width - line.width - 8))
        return line.add(f"  {meter(share, room, self.rq.glyphs)}", style).add(f" {share:4.0%}", style)

    def _guard(self, budget: BudgetView) -> list[Line]:
        p, dot = self.palette, self.rq.glyphs.dot
        state = ("on", p.good) if budget.guard_on else ("off", p.dim)
        line = Line().add(" limit       ", p.strong).add(*state)
        line.add(f"  {budget.guard_percent}% of {budget.included_min} may be used", p.text)
        read = age(self.store.now_ms() - budget.read_ms)
        return [line, Line().add(f"  {budget.source}, {read} old {dot} own work counted live", p.dim)]

    def _warnings(self, budget: BudgetView) -> list[Line]:
        p, g = self.palette, self.rq.glyphs
        room = max(20, self.size.width - 4)
        broken = ((number, line) for text in budget.warnings for number, line in enumerate(wrap(text, room)))
        return [
            Line().add("   " if number else f" {g.flag} ", p.warn).add(line, p.warn)
            for number, line in broken
        ]


class BudgetScreen(HubScreen):
    """Minutes with their forecast; beside them, or below on a narrow screen, the rest."""

    contexts: ClassVar[tuple[str, ...]] = ("budget",)
    label = "Budget"
    DEFAULT_CSS = """
    BudgetScreen #budget { layout: horizontal; }
    BudgetScreen #minutes { width: 1fr; padding-right: 1; }
    BudgetScreen Gauge { margin: 0 1; }
    BudgetScreen Chart { height: 1fr; margin: 1 1 0 1; max-height: 24; }
    BudgetScreen Spending { width: 56; }
    BudgetScreen.-plain #minutes { display: none; }
    BudgetScreen.-plain Spending { width: 1fr; }
    BudgetScreen.-narrow #budget, BudgetScreen.-normal #budget { layout: vertical; }
    BudgetScreen.-narrow #minutes, BudgetScreen.-normal #minutes { height: auto; width: 1fr; padding: 0; }
    BudgetScreen.-narrow Spending, BudgetScreen.-normal Spending { width: 1fr; }
    BudgetScreen.-narrow Chart, BudgetScreen.-normal Chart { height: 7; margin: 0 1; }
    BudgetScreen.-normal.-low Chart { height: 5; }
    """

    def body(self) -> ComposeResult:
        """Minutes and the rest."""
        with Horizontal(id="budget"):
            with Vertical(id="minutes"):
                yield Minutes()
                yield Gauge()
                yield Burn()
                yield Chart()
            yield Spending()

    def show(self, changes: Changes) -> None:
        """Draw what has changed."""
        if "budget" in changes.parts:
            self._show_minutes()
        if changes.parts & {"budget", "counts", "clock"}:
            for part in self.query(Framed).results():
                part.update()

    def on_resize(self) -> None:
        """On the smallest screens the figures are worth more than the curve."""
        self.query_one(Chart).display = self.size.height >= CHART_MIN

    @work(exclusive=True, group="ask")
    async def action_limit(self) -> None:
        """Say how much of the month may be used."""
        if not self.rq.may_change():
            return
        question = "How much may be used this month? A share (90%), minutes (1500), or off"
        was = self.store.budget.limit if self.store.budget else ""
        answer = await self.app.push_screen_wait(Ask(question, was.removeprefix("off") or USUAL_LIMIT))
        if answer:
            await self.rq.order(Order(verb="limit", ids=("budget",), value=answer, was=was))

    async def action_ask_github(self) -> None:
        """Let GitHub be asked, by a process of its own."""
        if self.rq.may_change():
            self.rq.say("asking GitHub, which may take a while")
            await self.rq.order(Order(verb="ask", ids=("GitHub",)))

    def _show_minutes(self) -> None:
        budget = measured(self.store.budget)
        self.set_class(budget is None, "-plain")
        if budget is None:
            return
        label = f"{budget.used_min}/{budget.included_min}"
        self.query_one(Gauge).set(budget.used_min, budget.included_min, label)
        self.query_one(Chart).show(_series(budget))


def measured(budget: BudgetView | None) -> BudgetView | None:
    """The budget, if anybody has counted its minutes."""
    return budget if budget is not None and budget.source else None


def outlook_of(budget: BudgetView) -> Outlook:
    """Whether the month's minutes last."""
    return outlook(budget.days, budget.days_in_month, budget.included_min)


def format_days(ms: int) -> str:
    """`9d` or, on the last day, `5h12m`."""
    return f"{ms // DAY_MS}d" if ms >= DAY_MS else format_duration(max(0, ms))


def _series(budget: BudgetView) -> Series:
    ahead = outlook_of(budget)
    return Series(
        values=budget.days,
        steps=budget.days_in_month,
        limit=float(budget.included_min),
        forecast=Forecast(low=ahead.low, middle=ahead.middle, high=ahead.high),
        marks=[(day, str(day + 1)) for day in range(0, budget.days_in_month, MARKED_DAYS)],
    )
