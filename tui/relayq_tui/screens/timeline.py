"""The third screen: what ran where and when, until when it will run, and what that means for a flow.

Above stand the lanes, below them the flow of the job under the cursor. A replay lets the
time go by again from the cursor's job on, as fast as a person can watch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.timer import Timer

from relayq.model.duration import format_duration, spell_duration
from relayq.model.lifecycle import State
from relayq_tui.actions import Action, of_context
from relayq_tui.chronicle import GROUPS, Chronicle, Group
from relayq_tui.glyphs import clock, counted, state_mark
from relayq_tui.hints import ending, hint
from relayq_tui.picture import picture_of
from relayq_tui.rows import JobRow
from relayq_tui.screens.ask import Pick
from relayq_tui.screens.flowpane import FlowPane
from relayq_tui.screens.joblooks import JobLooks
from relayq_tui.sieve import of_lots
from relayq_tui.store import Changes
from relayq_tui.trace import perfetto
from relayq_tui.widgets.flow import Flow
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.lanes import Lanes
from relayq_tui.widgets.line import Line
from relayq_tui.widgets.spans import Span, stacked

FEW_JOBS = 2_000
FLOW_LEAST = 8
TALL, TINY = 30, 18
REPLAY_FRAMES, REPLAY_S = 120, 0.1
KINDS = (("json", "Perfetto trace (JSON)"), ("svg", "picture of this screen (SVG)"))


class Summary(Framed):
    """The line above the lanes: which time it is, how it is grouped, how full it was."""

    DEFAULT_CSS = "Summary { height: 1; }"

    def lines(self) -> list[Line]:
        """One line."""
        p, g, screen = self.palette, self.rq.glyphs, cast("TimelineScreen", self.screen)
        lanes = screen.lanes
        line = Line().add(" ")
        if screen.replay_ms:
            line.add(f"replay {clock(screen.replay_ms)}  ", p.warn)
        line.add("range ", p.head).add(spell_duration((lanes.to_ms - lanes.from_ms) // 1000 * 1000), p.strong)
        line.add(f"  {clock(lanes.from_ms)} {g.arrow} {clock(lanes.to_ms)}", p.text)
        line.add("   group ", p.head).add(screen.group, p.strong, action="screen.group")
        line.add("   jobs ", p.head).add(str(screen.seen), p.text)
        line.add("   busy ", p.head).add(f"{screen.busy:.0%}", p.text)
        if not lanes.follows:
            line.right("0 now ", p.mark, action="screen.now")
        return [line]


class Selected(Framed):
    """The job under the cursor, in two lines."""

    DEFAULT_CSS = "Selected { height: 2; }"

    def lines(self) -> list[Line]:
        """What it is and how it stands."""
        p, g, now_ms = self.palette, self.rq.glyphs, self.store.now_ms()
        row = next(iter(cast("TimelineScreen", self.screen).selected()), None)
        if row is None:
            return [Line().add(" no job under the cursor", p.dim)]
        glyph, word = state_mark(row, g)
        line = (
            Line().add(f" {glyph} {word:<5}", p.of(row.state)).add(f" {row.short_id} {row.title}", p.strong)
        )
        end_ms = self.store.history.end_ms(row, now_ms)
        run_ms = row.run_ms(now_ms)
        parts = [
            clock(row.started_ms, "%H:%M:%S") if row.started_ms else "",
            f"on {row.worker}" if row.worker else "",
            "" if run_ms is None else f"ran {format_duration(run_ms)}",
            "" if row.progress is None or row.is_final else f"{row.progress:.0f}%",
            "" if end_ms is None else f"eta {clock(end_ms)}",
            ending(row) if row.is_final and row.state is not State.SUCCEEDED else "",
            hint(row).why,
        ]
        return [line, Line().add("   " + f" {g.dot} ".join(part for part in parts if part), p.text)]


class TimelineScreen(JobLooks):
    """Lanes, and the flow of the job under the cursor."""

    contexts: ClassVar[tuple[str, ...]] = ("timeline", "jobs")
    label = "Timeline"
    AUTO_FOCUS = "Lanes"
    DEFAULT_CSS = "TimelineScreen FlowPane { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.group: Group = GROUPS[0]
        self.replay_ms = 0
        self.seen = 0
        self.busy = 0.0
        self._chronicle = Chronicle(self.rq.store)
        self._shows_flow = True
        self._has_begun = False
        self._replay: Timer | None = None

    def body(self) -> ComposeResult:
        """Summary, lanes, flow, and the job under the cursor."""
        yield Summary()
        yield Lanes()
        yield FlowPane()
        yield Selected()

    @property
    def lanes(self) -> Lanes:
        """The lanes."""
        return self.query_one(Lanes)

    def selected(self) -> Sequence[JobRow]:
        """The job under the cursor, of the lanes or of the flow, wherever the person is."""
        pane = self.query_one(FlowPane)
        if pane.flow.has_focus and pane.current is not None:
            return [pane.current]
        row = self._of_lanes()
        return [row] if row is not None else []

    def _of_lanes(self) -> JobRow | None:
        span = self.lanes.current
        return self.store.jobs.get(span.job) if span is not None else None

    def actions(self) -> list[Action]:
        """The timeline's own keys go before those of a list of jobs; no key leads to a flow out of sight."""
        own = {one.key for one in of_context("timeline")}
        has_flow = self.size.height >= TALL
        return [
            one
            for one in super().actions()
            if (one.context != "jobs" or one.key not in own) and (has_flow or one.id != "time.pane")
        ]

    # -- drawing

    def show(self, changes: Changes) -> None:
        """Draw what has changed: very many jobs once a second only."""
        is_quick = len(self.store.jobs) <= FEW_JOBS or changes.all_jobs
        if "clock" in changes.parts or ("jobs" in changes.parts and is_quick) or "workers" in changes.parts:
            self._draw_lanes()
            self._draw_flow()

    def on_resize(self) -> None:
        """Other things fit now."""
        if self.is_mounted:
            self.call_after_refresh(self._draw_all)

    def _draw_all(self) -> None:
        self._draw_lanes()
        self._draw_flow()

    def _draw_lanes(self) -> None:
        lanes, at_ms = self.lanes, self.replay_ms or self.store.now_ms()
        if not self._has_begun and self.store.newest:
            self._has_begun = True
            lanes.begin_with(self.store.newest[-1].submitted_ms, at_ms)
        found = self._chronicle.lanes(self.group, lanes.from_ms, at_ms)
        tracks = self._chronicle.tracks(lanes.from_ms, at_ms) if self.size.height >= TINY else ()
        if not lanes.lanes:
            lanes.lane = next(
                (index for index, lane in enumerate(found) if any(map(_is_running, lane.spans))), 0
            )
        lanes.set_lanes(found, at_ms, tracks)
        self._fit(len(tracks) + bool(tracks))
        spans = (span for lane in found for span in lane.spans if span.job)
        self.seen = sum(span.start_ms < lanes.to_ms and span.until(at_ms) >= lanes.from_ms for span in spans)
        self.busy = self._chronicle.busy(lanes.from_ms, lanes.to_ms)
        self.query_one(Summary).update()
        self.query_one(Selected).update()

    def _fit(self, foot: int) -> None:
        """The lanes take the lines they need, the flow the rest; without a flow they have all of it."""
        lanes = self.lanes
        pane = self.query_one(FlowPane)
        pane.display = self._shows_flow and self.size.height >= TALL
        if not pane.display:
            lanes.styles.height = "1fr"
            return
        rows = sum(len(stacked(lane.spans, lanes.from_ms, lanes.to_ms, lanes.now_ms)) for lane in lanes.lanes)
        room = self.query_one("#body").size.height - FLOW_LEAST
        lanes.styles.height = max(4, min(room, rows + foot + 2))

    def _draw_flow(self) -> None:
        pane, row = self.query_one(FlowPane), self._of_lanes()
        if not pane.display:
            return
        shown = row if row is not None and self._has_kin(row) else self._blocked()
        pane.show(shown.id if shown is not None else "")

    def _has_kin(self, row: JobRow) -> bool:
        return bool(row.after) or any(row.id in other.after for other in self.store.waiting_for_others())

    def _blocked(self) -> JobRow | None:
        """What waits for other jobs, the newest: worth a look when the cursor's job has no flow."""
        waits = of_lots(
            self.store.newest, lambda lot: lot.state is State.PENDING and lot.reason == "dependency"
        )
        return next(iter(waits), None)

    @on(Lanes.Moved)
    def _moved(self) -> None:
        self.query_one(Selected).update()
        self._draw_flow()

    @on(Flow.Moved)
    def _flow_moved(self) -> None:
        self.query_one(Selected).update()

    @on(Lanes.Ranged)
    def _ranged(self) -> None:
        self._draw_lanes()

    @on(Lanes.Chosen)
    @on(Flow.Chosen)
    def _chosen(self) -> None:
        self.action_open()

    # -- actions

    def action_pan(self, step: int) -> None:
        """Earlier or later."""
        self.lanes.action_pan(step)

    def action_zoom_in(self) -> None:
        """Less time, more detail."""
        self.lanes.action_zoom_in()

    def action_zoom_out(self) -> None:
        """More time."""
        self.lanes.action_zoom_out()

    def action_now(self) -> None:
        """Back to now; a replay ends."""
        self._end_replay()
        self.lanes.action_now()
        self._draw_lanes()

    def action_group(self) -> None:
        """A lane for each worker, or for each queue."""
        self.group = GROUPS[(GROUPS.index(self.group) + 1) % len(GROUPS)]
        self._draw_lanes()

    def action_flow(self) -> None:
        """Show the flow or hide it; where there is no room, on the job's own screen."""
        if self.size.height < TALL:
            super().action_flow()
            return
        self._shows_flow = not self._shows_flow
        self.lanes.focus()
        self._draw_all()

    def action_show_job(self, job: str) -> None:
        """A click on a job that blocks another."""
        self.rq.action_push("job", job, "log")

    def action_next_pane(self) -> None:
        """From the lanes to the flow, and back."""
        pane = self.query_one(FlowPane)
        if pane.display and not pane.flow.has_focus:
            pane.flow.focus()
        else:
            self.lanes.focus()
        self.query_one(Selected).update()

    # -- replay

    def action_replay(self) -> None:
        """Let the time go by again from where the cursor is; again: enough."""
        span = self.lanes.current
        if self.replay_ms:
            self.action_now()
        elif span is not None and span.start_ms < self.store.now_ms():
            self.replay_ms = span.start_ms
            step_ms = max(1_000, (self.store.now_ms() - self.replay_ms) // REPLAY_FRAMES)
            self._replay = self.set_interval(REPLAY_S, lambda: self._replay_on(step_ms))

    def _replay_on(self, step_ms: int) -> None:
        self.replay_ms += step_ms
        if self.replay_ms >= self.store.now_ms():
            self._end_replay()
        self._draw_lanes()

    def _end_replay(self) -> None:
        self.replay_ms = 0
        if self._replay is not None:
            self._replay.stop()
            self._replay = None

    # -- export

    @work(exclusive=True, group="ask")
    async def action_export(self) -> None:
        """Write what is seen into a file of the current directory."""
        lanes = self.lanes
        rows = [row for row in self._chronicle.ran(lanes.from_ms) if row.started_ms < lanes.to_ms]
        kind = await self.app.push_screen_wait(Pick(f"Export {counted(len(rows), 'job')} as", KINDS))
        if kind is None:
            return
        now_ms = self.store.now_ms()
        text = perfetto(rows, now_ms) if kind == "json" else picture_of(self.app)
        moment = datetime.fromtimestamp(now_ms / 1000).strftime("%Y%m%d-%H%M%S")
        path = Path.cwd() / f"relayq-timeline-{moment}.{kind}"
        try:
            await asyncio.to_thread(path.write_text, text, encoding="utf-8")
        except OSError as error:
            self.rq.say(f"nothing was exported: {error.strerror}")
        else:
            self.rq.say(
                f"{counted(len(rows), 'job') if kind == 'json' else 'the screen'} went into {path.name}"
            )


def _is_running(span: Span) -> bool:
    return span.end_ms is None and span.state is not None
