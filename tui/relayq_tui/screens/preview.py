"""The job under the cursor at one glance: why, what to do, for how long, where, and its attempts.

On a wide screen it is a column beside the list, on a phone one line under it. What
the row knows is drawn at once; what needs a round trip follows when the cursor rests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from rich.style import Style

from relayq.model.duration import format_duration
from relayq.model.ids import short
from relayq.model.lifecycle import State
from relayq_tui.feed import JobDetail
from relayq_tui.glyphs import age, clock, spark, state_mark
from relayq_tui.hints import attempts, ending, hint, waited
from relayq_tui.rows import AttemptRow, JobRow
from relayq_tui.theme import glyphs_of
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.line import Line, fit

if TYPE_CHECKING:
    from relayq_tui.screens.base import HubScreen

LABEL, SAID = 6, 4  # columns of a label; lines for what a job said last, which is why it failed
COOL, HOT = 30.0, 90.0  # degrees Celsius: an empty bar, a full one
Pieces = list[tuple[str, Style]]


class Preview(Framed):
    """What there is to know about one job."""

    DEFAULT_CSS = "Preview { width: 42; }"

    row: JobRow | None = None
    detail: JobDetail | None = None
    _heard = ("", "")  # a job, and the last words of it; they may come before the job is shown

    def set_job(self, row: JobRow | None, detail: JobDetail | None = None) -> None:
        """Show another job, or the same as it is now."""
        if row is None or self.row is None or row.id != self.row.id:
            self.detail = None
        self.row = row
        self.detail = detail or self.detail
        self.update()

    def set_last_words(self, job: str, words: str) -> None:
        """What the job wrote to stderr last, for one that failed and left no message."""
        self._heard = (job, words)
        self.update()

    @property
    def last_words(self) -> str:
        """Those of the job that is shown, if it failed."""
        job, words = self._heard
        return words if self.row is not None and self.row.id == job and self.row.state is State.FAILED else ""

    @property
    def is_line(self) -> bool:
        """Is there room for one line only?"""
        return self.size.height <= 2

    def lines(self) -> list[Line]:
        """Top to bottom, as far as there is room."""
        if self.row is None:
            return [Line().add("" if self.is_line else self._edge())] * self.size.height
        if self.is_line:
            return [self._in_short(self.row)]
        found = [*self._top(self.row), *self._middle(self.row), *self._rest(self.row)]
        found += [[]] * (self.size.height - 1 - len(found))
        body = [self._framed(pieces) for pieces in found[: self.size.height - 1]]
        return [*body, self._buttons()]

    # -- the lines -------------------------------------------------------------

    def _top(self, row: JobRow) -> Iterator[Pieces]:
        p = self.palette
        glyph, word = state_mark(row, glyphs_of(self))
        mark = f"{glyph} {row.state.value.lower() if row.state is not State.PENDING else word}"
        title = fit(f"{row.short_id} {row.title}", self._width - len(mark) - 1)
        yield [(title + " ", p.strong), (mark, p.of(row.state))]
        first, second = (ending(row), attempts(row)) if row.is_final else (attempts(row), row.message)
        if first or second:
            style = p.bad if row.state is State.FAILED else p.text
            gap = max(2, self._width - len(first) - len(second))
            yield [(first, style), (" " * gap if first else "", p.text), (second, p.head)]
        said = hint(row, self.detail)
        if said.why:
            yield from self._labelled("why", said.why)
        if said.fix:
            key = self._key_of(said.action)
            yield [("fix".ljust(LABEL), p.head), (fit(said.fix, self._width - LABEL - len(key) - 2), p.warn),
                   ("  " + key, p.strong)]  # fmt: skip
        yield [(glyphs_of(self).line * self._width, p.dim)]

    def _middle(self, row: JobRow) -> Iterator[Pieces]:
        p = self.palette
        yield [("$ ", p.head), (row.command, p.text)]
        if row.is_final and (said := row.message or self.last_words):
            yield from self._labelled("said", said, SAID)
        by = row.by or (self.detail.asker if self.detail else "")
        if by or row.labels:
            labels = " ".join(f"{name}={value}" for name, value in row.labels.items())
            yield from self._labelled("by", f"{by}  {labels}".strip())
        where = row.worker or glyphs_of(self).dash
        yield from self._labelled("on", f"{where}  needs {row.needs}" if row.needs else where)
        if row.after:
            yield from self._labelled("after", ", ".join(self._state_of(job) for job in row.after))
        if self.detail and self.detail.dependents:
            jobs = self.detail.dependents
            told = f"{len(jobs)} {'waits' if len(jobs) == 1 else 'wait'} for it: "
            yield from self._labelled("next", told + ", ".join(map(short, jobs)))
        yield from self._times(row)

    def _times(self, row: JobRow) -> Iterator[Pieces]:
        p, now_ms = self.palette, self.store.now_ms()
        run_ms = row.run_ms(now_ms)
        spent = f"wait {waited(row, now_ms)}" if row.state is not State.PENDING else ""
        if run_ms is not None:
            spent += f"   run {format_duration(run_ms)}"
        if row.progress is not None and not row.is_final:
            spent += f"   {row.progress:.0f}%"
        if spent:
            yield [("time".ljust(LABEL), p.head), (spent, p.text)]
        if (place := self.store.place(row)) is not None and not self.store.lacks_worker(row):
            yield self._place(*place)
        end_ms = self.store.history.end_ms(row, now_ms)
        if end_ms is not None:
            eta = f"{clock(end_ms)}, in {format_duration(max(0, end_ms - now_ms))}"
            yield [("done".ljust(LABEL), p.head), (f"{glyphs_of(self).about} {eta}", p.accent)]
        usual = self.store.history.usual_ms(row.title, row.worker)
        if usual is not None:
            yield self._usual(usual, run_ms)

    def _place(self, number: int, start_ms: int | None) -> Pieces:
        p, row = self.palette, self.row
        queue = row.queue if row else ""
        pieces = [("place".ljust(LABEL), p.head), (f"#{number} of its kind", p.text)]
        if queue in self.store.counts.paused:
            return [*pieces, (", queue is paused", p.warn)]
        soon = f", starts in {glyphs_of(self).about}{age(start_ms)}" if start_ms is not None else ""
        return [*pieces, (soon, p.accent)]

    def _usual(self, usual: tuple[int, int], run_ms: int | None) -> Pieces:
        p, g = self.palette, glyphs_of(self)
        pieces = [("usual".ljust(LABEL), p.head), (f"{format_duration(usual[0])} ", p.text),
                  (f"(median of {usual[1]})", p.head)]  # fmt: skip
        if run_ms and run_ms > 1.5 * usual[0] and run_ms > 5_000:
            pieces.append((f" {g.up} {run_ms / max(1, usual[0]):.1f}{g.times}", p.warn))
        return pieces

    def _rest(self, row: JobRow) -> Iterator[Pieces]:
        yield from self._machine(row)
        if row.array is not None:
            yield from self._array(row)
        if self.detail is None:
            return
        if len(self.detail.attempts) > 1:
            yield [("attempts", self.palette.head)]
            yield from map(self._attempt, self.detail.attempts[-5:])
        if row.state in (State.RUNNABLE, State.PENDING):
            why = hint(row, self.detail).why  # which stands above already
            for sentence in (one for one in self.detail.explain if one != why):
                yield [(f"{glyphs_of(self).dot} ", self.palette.dim), (sentence, self.palette.text)]
        if self.detail.result:
            yield from self._labelled("gave", " ".join(self.detail.result.split()))

    def _machine(self, row: JobRow) -> Iterator[Pieces]:
        """How its worker fared while it ran, or lately."""
        worker = self.store.workers.get(row.worker)
        if worker is None or not worker.history or row.state is not State.RUNNING:
            return
        last, warmth = worker.history[-1], [sample.celsius for sample in worker.history]
        degrees = "" if last.celsius is None else f"{last.celsius:.0f}°C"
        yield from self._curve("cpu", [sample.cpu for sample in worker.history], _percent(last.cpu))
        yield from self._curve("mem", [sample.memory for sample in worker.history], _percent(last.memory))
        yield from self._curve("temp", [one and (one - COOL) / (HOT - COOL) for one in warmth], degrees)

    def _curve(self, label: str, shares: list[float | None], shown: str) -> Iterator[Pieces]:
        """Values from 0 to 1 as a line, and the last of them in words."""
        values = [share for share in shares if share is not None]
        if values and shown:
            p, width = self.palette, self._width - LABEL - 7
            line = spark(values, width, glyphs_of(self), top=1.0)
            yield [(label.ljust(LABEL), p.head), (line, p.accent), (shown.rjust(6), p.text)]

    def _array(self, row: JobRow) -> Iterator[Pieces]:
        p, g, counts = self.palette, glyphs_of(self), row.array
        assert counts is not None
        states = {
            State.RUNNABLE: counts.waiting,
            State.RUNNING: counts.running,
            State.SUCCEEDED: counts.succeeded,
            State.FAILED: counts.failed,
            State.CANCELLED: counts.cancelled,
        }
        pieces = [("array".ljust(LABEL), p.head), (f"{counts.size}  ", p.text)]
        yield pieces + [
            (f"{g.states[state]}{count} ", p.of(state)) for state, count in states.items() if count
        ]

    def _attempt(self, attempt: AttemptRow) -> Pieces:
        p, g = self.palette, glyphs_of(self)
        if attempt.ended_ms is None:
            state, code, run = State.RUNNING, "", ""
        else:
            state = State.SUCCEEDED if attempt.exit_code == 0 else State.FAILED
            code = attempt.reason if attempt.exit_code is None else str(attempt.exit_code)
            run = format_duration(max(0, attempt.ended_ms - attempt.started_ms))
        where = f"{code:<4}{fit(attempt.worker, 10)} {run:>7}  {clock(attempt.started_ms)}"
        return [(f" {attempt.number} ", p.head), (f"{g.states[state]} ", p.of(state)), (where, p.text)]

    # -- the frame around them -----------------------------------------------------

    @property
    def _width(self) -> int:
        return max(10, self.size.width - 3)

    def _edge(self) -> str:
        return glyphs_of(self).upright + " "

    def _framed(self, pieces: Pieces) -> Line:
        line = Line().add(self._edge(), self.palette.dim)
        room = self._width
        for text, style in pieces:
            shown = fit(text, room) if len(text) > room else text
            line.add(shown, style)
            room -= len(shown)
        return line

    def _labelled(self, label: str, text: str, most: int = 2) -> Iterator[Pieces]:
        """A label and a text that may go on over further lines, `most` in all."""
        width = self._width - LABEL
        while text:
            line, most = text[:width], most - 1
            rest = text[width:]
            if rest and not most:
                line, rest = fit(text, width), ""
            elif rest and rest[0] != " " and " " in line:
                line, _, cut = line.rpartition(" ")
                rest = cut + rest
            yield [(label.ljust(LABEL), self.palette.head), (line, self.palette.text)]
            label, text = "", rest.strip()

    def _state_of(self, job: str) -> str:
        row = self.store.jobs.get(job)
        glyph = glyphs_of(self).states[row.state] if row else "?"
        return f"{glyph}{short(job)}"

    def _key_of(self, action: str) -> str:
        known = {one.id: one for one in cast("HubScreen", self.screen).actions()}
        return self.rq.key_of(known[action]) if action in known else ""

    def _buttons(self) -> Line:
        line = Line().add(self._edge(), self.palette.dim)
        is_final = self.row is not None and self.row.is_final
        asks = self.row is not None and self.row.reason == "approval"
        of_living = ("cancel", "approve" if asks else "priority", "open", "log")
        wanted = ("retry", "edit", "open", "log") if is_final else of_living
        known = {one.id: one for one in cast("HubScreen", self.screen).actions()}
        for name in wanted:
            if name in known:
                action = known[name]
                line.add(
                    f"[{action.label.capitalize()}]", self.palette.accent, action=action.handler_on_screen
                ).add(" ")
        return line

    def _in_short(self, row: JobRow) -> Line:
        p, g = self.palette, glyphs_of(self)
        said = hint(row, self.detail)
        line = Line().add(f"{state_mark(row, g)[0]} ", p.of(row.state))
        why = self.last_words or said.why or ending(row) or row.command
        parts = [why, attempts(row).partition(",")[0], row.message]
        text = f" {g.dot} ".join(part for part in parts if part)
        return line.add(fit(text, self.size.width - 2), p.text)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
