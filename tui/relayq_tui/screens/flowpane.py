"""A job's flow with what it comes to: the longest way, how much of it is done, what blocks it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Vertical

from relayq.model.duration import format_duration
from relayq_tui.family import Family, family
from relayq_tui.glyphs import clock
from relayq_tui.rows import JobRow
from relayq_tui.widgets.flow import Flow
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.line import Line

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp
    from relayq_tui.screens.base import HubScreen

WIDE = 100


class FlowTitle(Framed):
    """The line above."""

    DEFAULT_CSS = "FlowTitle { height: 1; }"

    def lines(self) -> list[Line]:
        """How long, how far, until when."""
        pane = cast("FlowPane", self.parent)
        p, g, found = self.palette, self.rq.glyphs, pane.family
        rule, asked = g.line * 2, self.store.jobs.get(pane.job)
        line = Line().add(f"{rule} ", p.dim).add("flow ", p.strong)
        if asked is not None:
            line.add(f"{asked.short_id} {asked.title} ", p.strong)
        for text, style in self._parts(found):
            line.add(f"{rule} ", p.dim).add(f"{text} ", style)
        return [line.add(g.line * max(0, self.size.width - line.width), p.dim)]

    def _parts(self, found: Family | None) -> Iterator[tuple[str, Style]]:
        p = self.palette
        if found is None or len(found.rows) < 2:
            yield "it waits for no job, and none waits for it", p.dim
            return
        yield f"{len(found.rows)} jobs", p.head
        if found.length_ms:
            done = f", {found.done_ms / found.length_ms:.0%} done" if found.end_ms else ""
            if all(row.is_final for row in found.rows.values()):
                done = ", all have ended"
            yield f"critical path {format_duration(found.length_ms)}{done}", p.text
        if found.end_ms:
            yield f"eta {clock(found.end_ms)}", p.accent


class Blockers(Framed):
    """The line under it: what keeps the job from starting, and what to do about it."""

    DEFAULT_CSS = "Blockers { height: 1; display: none; }"

    def lines(self) -> list[Line]:
        """The first few."""
        p, g, found = self.palette, self.rq.glyphs, cast("FlowPane", self.parent).family
        line = Line().add(" blocked by ", p.head)
        for row in found.blockers[:4] if found else ():
            line.add(f"{g.states[row.state]} ", p.of(row.state))
            line.add(f"{row.short_id} {row.title}  ", p.text, action=f"screen.show_job('{row.id}')")
        known = {one.id: one for one in cast("HubScreen", self.screen).actions()}
        for name in ("retry", "cancel", "job.cancel_flow"):
            if name in known and self.size.width >= WIDE:
                action = known[name]
                line.right(f"  {self.rq.key_of(action)} ", p.strong, action=action.handler_on_screen)
                line.right(action.label, p.head, action=action.handler_on_screen)
        return [line.right(" ")]


class FlowPane(Vertical):
    """Title, graph and what blocks it."""

    DEFAULT_CSS = "FlowPane Flow { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.family: Family | None = None
        self.job = ""

    @property
    def flow(self) -> Flow:
        """The graph."""
        return self.query_one(Flow)

    @property
    def current(self) -> JobRow | None:
        """The job under the cursor of the graph."""
        node = self.flow.current
        return self.family.rows.get(node.id) if node and self.family else None

    def compose(self) -> ComposeResult:
        """Three parts."""
        yield FlowTitle()
        yield Blockers()
        yield Flow()

    def show(self, job: str, dependents: Sequence[str] = ()) -> None:
        """Show the flow of this job ("" is none); the cursor goes to what blocks it first, else to itself."""
        app = cast("RelayQApp", self.app)
        found = self.family = family(app.store, job, app.glyphs, dependents)
        nodes = found.nodes if len(found.nodes) > 1 else ()
        self.flow.set_graph(nodes, found.edges, found.critical)
        if job != self.job:
            self.job = job
            first = found.blockers[0].id if found.blockers else job
            self.flow.move_to_id(first)
        self.query_one(FlowTitle).update()
        blockers = self.query_one(Blockers)
        blockers.display = bool(found.blockers)
        blockers.update()
