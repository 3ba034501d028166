"""The form of a new job (`o`), also for a job to be submitted again, changed (`E`).

Every key judges the whole form by the spec's own reader, and what is wrong stands under
its field. Below stands the command line that does the same, and under the needs which
workers could run it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input, Static

from relayq.client.steering import Order
from relayq.errors import RelayQError
from relayq.model.job import JobSpec
from relayq_tui.actions import Action
from relayq_tui.clipboard import copy
from relayq_tui.jobform import (
    FIELDS,
    FormField,
    Wrong,
    changed,
    command_line,
    fields_of,
    judge,
    texts_of,
    untold,
    who_could,
)
from relayq_tui.screens.base import HubScreen
from relayq_tui.store import Changes
from relayq_tui.theme import palette_of
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.line import Line

LABEL = 10
NAMED = 4  # workers that are named, the others are counted
ACTIONS_HERE = {"palette": 0, "help": 0, "sheet": 0, "undo": 0, "submit": 0, "back": 60}


class FieldRow(Vertical):
    """One field: its name, the line to type in, and what there is to say about it."""

    SCOPED_CSS = False  # the rules look at the screen's classes
    DEFAULT_CSS = """
    FieldRow { height: 2; }
    FieldRow Horizontal { height: 1; }
    FieldRow .name { width: 11; padding-left: 1; }
    FieldRow Input { width: 1fr; }
    FieldRow .note { height: 1; padding-left: 12; text-wrap: nowrap; text-overflow: ellipsis; }
    .-normal FieldRow .note { visibility: hidden; }
    .-normal FieldRow .note.-bad, .-normal FieldRow .note.-here { visibility: visible; }
    .-narrow FieldRow, .-tiny FieldRow { height: auto; }
    .-narrow FieldRow .note, .-tiny FieldRow .note { display: none; }
    .-narrow FieldRow .note.-bad, .-narrow FieldRow .note.-here { display: block; }
    .-tiny FieldRow .note.-bad { display: block; }
    """

    def __init__(self, field: FormField, text: str) -> None:
        super().__init__(id=f"row-{field.name}")
        self.field = field
        self._text = text
        self._noted = ("", False, False)

    def compose(self) -> ComposeResult:
        """Name and line, the note below."""
        with Horizontal():
            yield Static(self.field.name, classes="name", markup=False)
            box = Input(self._text, id=self.field.name, select_on_focus=False)
            box.cursor_blink = False
            yield box
        yield Static(classes="note", markup=False)

    def on_descendant_focus(self) -> None:
        """The line is typed into."""
        self.query_one(".note").add_class("-here")

    def on_descendant_blur(self) -> None:
        """It no longer is."""
        self.query_one(".note").remove_class("-here")

    def note(self, text: str, *, is_bad: bool = False, is_good: bool = False) -> None:
        """Say this under the line. Every key says it again, and the same is not drawn again."""
        if self._noted == (text, is_bad, is_good):
            return
        self._noted = (text, is_bad, is_good)
        p, said = palette_of(self), self.query_one(".note", Static)
        said.set_class(is_bad, "-bad")
        style = p.bad if is_bad else p.good if is_good else p.dim
        said.update(Text(text, style))


class Twin(Framed, can_focus=True):
    """The command line that does the same; while it has the focus, `y` copies it."""

    SCOPED_CSS = False
    DEFAULT_CSS = "Twin { height: 3; } .-flat Twin { display: none; }"
    line = ""

    def lines(self) -> list[Line]:
        """A rule and two lines."""
        p, g, width = self.palette, self.rq.glyphs, self.size.width
        head = " the same in a shell, y copies it " if self.has_focus else " the same in a shell "
        rule = g.line * 2 + head + g.line * max(0, width - len(head) - 2)
        wrapped = textwrap.wrap(self.line, max(20, width - 5), break_on_hyphens=False)[:2]
        told = [Line().add("   ").add(text, p.text) for text in wrapped]
        return [Line().add(rule, p.strong if self.has_focus else p.dim), *told]


class SubmitScreen(HubScreen):
    """The fields, and below them the command line. `spec` and `like` are those of the job it is made from."""

    contexts: ClassVar[tuple[str, ...]] = ("form",)
    label = "New job"
    AUTO_FOCUS = "#command"
    DEFAULT_CSS = """
    SubmitScreen #fields { height: 1fr; }
    SubmitScreen #grid { layout: grid; grid-size: 2; grid-rows: auto; grid-gutter: 0 2; height: auto; }
    SubmitScreen #row-command { column-span: 2; }
    SubmitScreen.-narrow #grid, SubmitScreen.-tiny #grid { grid-size: 1; }
    SubmitScreen.-narrow #row-command, SubmitScreen.-tiny #row-command { column-span: 1; }
    """

    def __init__(self, spec: Mapping[str, Any] | None = None, like: str = "") -> None:
        super().__init__()
        self._before = dict(spec or {})
        self._like = like
        self._is_sent = False
        self._typed_texts = {field.name: "" for field in FIELDS}
        self._verdict: JobSpec | Wrong = Wrong("command", "")

    @property
    def note(self) -> str:
        """What is still wrong, for the status line."""
        if isinstance(self._verdict, JobSpec):
            return "ready"
        return "type a command" if not self._texts()["command"] else f"see {self._verdict.field}"

    def body(self) -> ComposeResult:
        """Fields and command line."""
        texts = texts_of(self._before)
        with VerticalScroll(id="fields", can_focus=False), Vertical(id="grid"):
            yield from (FieldRow(field, texts.get(field.name, "")) for field in FIELDS)
        yield Twin()

    def actions(self) -> list[Action]:
        """Its own, and the way out; letters are typed here."""
        known = [replace(one, rank=ACTIONS_HERE.get(one.id, one.rank)) for one in super().actions()]
        return [one for one in known if one.context == "form" or one.id == "back"]

    def show(self, changes: Changes) -> None:
        """Judge again when the workers are other ones."""
        if "workers" in changes.parts:
            self._judge()

    # -- actions

    def action_focus_on(self, step: int) -> None:
        """The next field, or the one before."""
        stops = [*(f"#{field.name}" for field in FIELDS), "Twin"]
        here = next((number for number, one in enumerate(stops) if self.query_one(one).has_focus), 0)
        self.set_focus(self.query_one(stops[(here + step) % len(stops)]))

    def action_copy_line(self) -> None:
        """Copy the command line."""
        copy(self.app, self.query_one(Twin).line)
        self.rq.say("copied the command line")

    @work(exclusive=True, group="submit")
    async def action_submit(self) -> None:
        """Submit the job, if it is right and the hub is there."""
        self._judge()
        if isinstance(self._verdict, Wrong):
            self.set_focus(self.query_one(f"#{self._verdict.field}"))
            return
        if self._is_sent or not self.rq.may_change():
            return
        fields = changed(fields_of(self._texts(), self.store.jobs), self._before)
        self._is_sent = True
        try:
            job = await self.rq.feed.submit(fields, self._like)
        except RelayQError as error:
            self._is_sent = False
            self.rq.say(str(error))
        else:
            self.dismiss(None)
            submitted = Order(verb="submit", ids=(job,))
            self.rq.steering.note(submitted)
            self.rq.say(submitted.sentence)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_submit()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._judge()

    # -- judging

    def _texts(self) -> dict[str, str]:
        """What stands in the fields; what stood there last while the form is being closed."""
        self._typed_texts |= {str(box.id): box.value for box in self.query(Input).results()}
        return self._typed_texts

    def _judge(self) -> None:
        if not self.query(Twin):
            return
        texts = self._texts()
        self._verdict = judge(texts, self._before, self.store.jobs)
        for row in self.query(FieldRow).results():
            row.note(self._hint(row.field))
        if isinstance(self._verdict, JobSpec):
            self._tell_workers(self._verdict)
        elif texts["command"].strip() or self._verdict.field != "command":
            self.query_one(f"#row-{self._verdict.field}", FieldRow).note(self._verdict.sentence, is_bad=True)
        twin = self.query_one(Twin)
        twin.line = command_line(texts, self._before, self._like)
        twin.refresh()
        self.rq.refresh_frame()

    def _hint(self, field: FormField) -> str:
        if field.name in untold(self._before) and not self._texts()[field.name]:
            return "stays as it was, which has no words here"
        if field.name == "queue" and (queues := sorted({row.queue for row in self.store.newest[:2_000]})):
            return "one of " + ", ".join(queues[:8]) + ", or a new one"
        return field.hint

    def _tell_workers(self, spec: JobSpec) -> None:
        """Who could run it, by what the workers that are online offer."""
        able, reasons = who_could(spec, self.store.workers.values())
        row = self.query_one("#row-needs", FieldRow)
        if able:
            more = f" and {len(able) - NAMED} more" if len(able) > NAMED else ""
            row.note(f"could run on {', '.join(able[:NAMED])}{more}", is_good=True)
        elif reasons:
            row.note(f"none could run it: {reasons[0]}", is_bad=True)
