"""What there is to read about one job: its head, its details and its spec, as lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.style import Style

from relayq.model.duration import format_duration
from relayq.model.ids import short
from relayq.model.lifecycle import State
from relayq.text import safe
from relayq_tui.feed import JobDetail
from relayq_tui.glyphs import age, clock, meter, state_mark
from relayq_tui.hints import attempts, ending, hint, waited
from relayq_tui.rows import JobRow
from relayq_tui.screens.portrait import Pieces
from relayq_tui.widgets.line import Line

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

LABEL = 13
WIDE = 100
BAR = 16
STAMP = "%a %d %b %H:%M:%S"
# Fields of a spec in the order of the questions they answer; what is not here comes last.
WHAT = ("command", "labels", "type", "args", "cwd", "env", "stdin", "inputs", "outputs")
WHERE = ("queue", "priority", "needs", "prefer", "limits", "rates", "share", "unique")
RULES = ("attempts", "retry", "timeout", "deadline", "grace", "on_lost", "delay", "at", "array")
_TOKEN = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|([-\d.eE+]+|true|false|null)')


class JobFacts:
    """The lines about one job, as it is now."""

    def __init__(self, app: RelayQApp, row: JobRow, detail: JobDetail | None) -> None:
        self._app, self._row, self._detail = app, row, detail
        self._palette, self._glyphs = app.palette, app.glyphs

    # -- the head

    def head(self, width: int, *, is_low: bool = False) -> Iterator[Pieces]:
        """What it is and how it stands; why, and what to do, when it needs somebody."""
        p, row = self._palette, self._row
        glyph, word = state_mark(row, self._glyphs)
        name = row.state.value.lower() if row.state is not State.PENDING else word
        said = hint(row, self._detail)
        why: Pieces = [("why  ", p.head), (said.why, p.text)]
        fix: Pieces = [("fix  ", p.head), (said.fix, p.warn)]
        yield [(f"{glyph} {name}  ", p.of(row.state)), (f"{row.short_id} {row.title}", p.strong)]
        if not (is_low and said.why):
            yield [(f" {self._glyphs.dot} ".join(self._standing()), p.text)]
        if said.why and width >= WIDE and said.fix:
            yield [*why, ("   ", p.head), *fix]
        elif said.why:
            yield why
            if said.fix:
                yield fix

    def _standing(self) -> list[str]:
        row, now_ms = self._row, self._app.store.now_ms()
        run_ms = row.run_ms(now_ms)
        end_ms = self._app.store.history.end_ms(row, now_ms)
        told = [
            ending(row) if row.is_final and row.state is not State.SUCCEEDED else "",
            "" if run_ms is None else f"ran {format_duration(run_ms)}",
            "" if row.progress is None or row.is_final else f"{row.progress:.0f}%",
            "" if end_ms is None else f"done {self._glyphs.about}{clock(end_ms)}",
            f"on {row.worker}" if row.worker else "",
            attempts(row) if row.max_attempts > 1 else "",
            f"queue {row.queue}",
            f"{age(now_ms - row.submitted_ms)} old",
            row.message,
        ]
        return [part for part in told if part]

    # -- the details

    def details(self) -> Iterator[Pieces]:
        """Everything, in the order of the questions."""
        spec = self._detail.spec if self._detail else {}
        if self._detail and self._detail.explain and not self._row.is_final:
            yield from self._section("why it stands where it stands")
            yield from ([(f"  {sentence}", self._palette.text)] for sentence in self._detail.explain)
        yield from self._section("what")
        yield self._fact("id", self._row.id)
        yield from self._fields(
            spec,
            WHAT,
            {
                "command": self._row.command,
                "by": self._row.by or (self._detail.asker if self._detail else ""),
            },
        )
        yield from self._section("where")
        yield from self._fields(spec, WHERE, {"queue": self._row.queue, "worker": self._row.worker})
        others = set(spec) - {*WHAT, *WHERE, *RULES, "name", "after"}
        if rules := list(self._fields(spec, (*RULES, *sorted(others)), {})):
            yield from self._section("rules")
            yield from rules
        yield from self._section("when")
        yield from self._times()
        yield from self._neighbours()
        if self._detail and self._detail.result:
            yield from self._section("result")
            yield from (
                [(f"  {safe(line)}", self._palette.text)] for line in self._detail.result.splitlines()
            )

    def _fields(
        self, spec: Mapping[str, object], names: Sequence[str], known: Mapping[str, str]
    ) -> Iterator[Pieces]:
        for name in dict.fromkeys((*known, *names)):
            text = spelled(spec[name]) if name in spec else known.get(name, "")
            if text:
                yield self._fact(name, text)

    def _times(self) -> Iterator[Pieces]:
        row, now_ms = self._row, self._app.store.now_ms()
        for name, at_ms in (("submitted", row.submitted_ms), ("ready", row.ready_ms),
                            ("started", row.started_ms), ("ended", row.ended_ms)):  # fmt: skip
            if at_ms:
                distance = age(abs(now_ms - at_ms))
                yield self._fact(
                    name,
                    f"{clock(at_ms, STAMP)}  {f'in {distance}' if at_ms > now_ms else f'{distance} ago'}",
                )
        if row.state is not State.PENDING:
            yield self._fact("waited", waited(row, now_ms))
        usual = self._app.store.history.usual_ms(row.title, row.worker)
        if usual is not None:
            yield self._fact("usual run", f"{format_duration(usual[0])} (median of {usual[1]})")

    def _neighbours(self) -> Iterator[Pieces]:
        after, dependents = self._row.after, self._detail.dependents if self._detail else ()
        for title, jobs in (("waits for", after), ("waited for by", dependents)):
            if jobs:
                yield from self._section(title)
                yield from map(self._neighbour, jobs)

    def _neighbour(self, job: str) -> Pieces:
        row = self._app.store.jobs.get(job)
        if row is None:
            return [(f"  ? {short(job)}", self._palette.dim)]
        glyph, word = state_mark(row, self._glyphs)
        return [
            (f"  {glyph} {word:<5} ", self._palette.of(row.state)),
            (f"{row.short_id} {row.title}", self._palette.text),
        ]

    def _section(self, title: str) -> Iterator[Pieces]:
        yield []
        yield [(title, self._palette.strong)]

    def _fact(self, label: str, text: str) -> Pieces:
        return [(f"  {label.replace('_', ' '):<{LABEL}}", self._palette.head), (text, self._palette.text)]

    # -- the elements of an array

    def array(self) -> Iterator[Pieces]:
        """How the elements of an array stand, as bars."""
        counts = self._row.array
        if counts is None:
            return
        yield [("elements ", self._palette.head), (str(counts.size), self._palette.strong)]
        for state, count in (
            (State.SUCCEEDED, counts.succeeded), (State.RUNNING, counts.running),
            (State.RUNNABLE, counts.waiting), (State.FAILED, counts.failed),
            (State.CANCELLED, counts.cancelled), (State.SKIPPED, counts.skipped),
        ):  # fmt: skip
            if count:
                share = count / max(1, counts.size)
                style = self._palette.of(state)
                word = f"  {self._glyphs.states[state]} {state.value.lower():<10}"
                bar = meter(share, BAR, self._glyphs)
                yield [(word, style), (bar, style), (f" {count:>8}", self._palette.text)]

    # -- the spec

    def spec(self) -> Iterator[Pieces]:
        """The spec as JSON, as `relayq submit --json` takes it; secrets are masked."""
        if self._detail is None:
            return
        for line in json.dumps(self._detail.spec, indent=2, ensure_ascii=False).splitlines():
            yield list(self._coloured(safe(line)))

    def _coloured(self, line: str) -> Iterator[tuple[str, Style]]:
        p, place = self._palette, 0
        for token in _TOKEN.finditer(line):
            yield line[place : token.start()], p.dim
            place = token.end()
            yield token.group(), p.head if token[2] else p.accent if token[3] else p.text
        yield line[place:], p.dim


def spelled(value: object) -> str:
    """A field of a spec in one line."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return safe(" ".join(value))
    if isinstance(value, Mapping):
        return safe(" ".join(f"{name}={spelled(item)}" for name, item in value.items()))
    return safe(json.dumps(value, ensure_ascii=False))


def lines(parts: Iterator[Pieces], *, margin: int = 1) -> list[Line]:
    """The pieces as lines; whoever draws them cuts them."""
    found = []
    for pieces in parts:
        line = Line().add(" " * margin)
        for text, style in pieces:
            line.add(text, style)
        found.append(line)
    return found
