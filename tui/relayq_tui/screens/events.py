"""The sixth screen: who did what, as it happens.

The newest stands at the top. While the cursor is there it follows; elsewhere nothing
moves under it. Typing filters by words of the line; the kinds are tabs.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from relayq_tui.audit import Deed, Diary, title_of
from relayq_tui.screens.base import HubScreen
from relayq_tui.screens.deedcolumns import deed_columns
from relayq_tui.store import Changes
from relayq_tui.widgets.jobtable import JobTable
from relayq_tui.widgets.viewbar import Tab, ViewBar

KINDS = ("all", "people", "trouble", "workers", "jobs")


class WordsBox(Input):
    """Where the words are typed that a line must have."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "screen.leave_filter", show=False, priority=True),
        Binding("down", "screen.keep_filter", show=False, priority=True),
    ]


class EventsScreen(HubScreen):
    """Everything that happened, filtered."""

    contexts: ClassVar[tuple[str, ...]] = ("events",)
    label = "Events"
    AUTO_FOCUS = "JobTable"
    DEFAULT_CSS = "EventsScreen Input { display: none; } EventsScreen Input.-open { display: block; }"

    def __init__(self) -> None:
        super().__init__()
        self._kind = KINDS[0]
        self._words: list[str] = []
        self._diary = Diary(self.rq.store)

    def body(self) -> ComposeResult:
        """Kinds, filter and list."""
        yield ViewBar()
        box = WordsBox(placeholder="words that a line must have", id="words")
        box.cursor_blink = False
        yield box
        yield JobTable[Deed](id="deeds")

    @property
    def table(self) -> JobTable[Deed]:
        """The list."""
        return self.query_one("#deeds", JobTable)

    def show(self, changes: Changes) -> None:
        """Draw what has changed."""
        if "events" in changes.parts:
            self._show_rows()
        elif "clock" in changes.parts:
            self.table.refresh_stale()

    def on_resize(self) -> None:
        """Other columns fit now."""
        if self.is_mounted:
            self.call_after_refresh(self._show_rows)

    def _show_rows(self) -> None:
        known = self._diary.read()
        rows = [one for one in reversed(known) if self._is_wanted(one)]
        self.table.set_rows(rows, deed_columns(self.rq, self.size.width))
        counts = Counter(one.kind for one in known)
        counts["all"] = len(known)
        counts[self._kind] = len(rows)
        tabs = [Tab(kind, counts[kind], kind == self._kind) for kind in KINDS]
        new = self.table.new_above
        self.query_one(ViewBar).set_tabs(tabs, " ".join(self._words), f"+{new} new" if new else "")

    def _is_wanted(self, one: Deed) -> bool:
        if self._kind not in ("all", one.kind):
            return False
        if not self._words:
            return True
        line = f"{one.who} {one.what} {one.worker} {title_of(one, self.store)} {one.job}".lower()
        return all(word in line for word in self._words)

    # -- actions

    def action_filter(self) -> None:
        """Type words."""
        box = self.query_one("#words", Input)
        box.add_class("-open")
        box.focus()

    def action_next_kind(self) -> None:
        """Only the next kind."""
        self._choose(KINDS[(KINDS.index(self._kind) + 1) % len(KINDS)])

    def action_top(self) -> None:
        """To the newest, and follow."""
        self.table.move_to(0)
        self._show_rows()

    def action_open(self) -> None:
        """The job that it was done to, or the worker."""
        one = self.table.current
        job = one.job.partition(":")[0] if one is not None else ""
        if job in self.store.jobs:
            self.rq.action_push("job", job, "log")
        elif one is not None and one.worker in self.store.workers:
            self.rq.action_push("worker", one.worker)
        elif one is not None:
            self.rq.say("the hub does not know it any more")

    @on(JobTable.Chosen)
    def _chosen(self) -> None:
        self.action_open()

    @on(Input.Changed, "#words")
    def _typed(self, event: Input.Changed) -> None:
        self._words = event.value.lower().split()
        self._show_rows()

    @on(Input.Submitted, "#words")
    def action_keep_filter(self) -> None:
        """Back to the list; what was typed goes on filtering."""
        if not self._words:
            self.query_one("#words", Input).remove_class("-open")
        self.table.focus()

    def action_leave_filter(self) -> None:
        """Back to the whole list."""
        self.query_one("#words", Input).value = ""
        self._words = []
        self.action_keep_filter()
        self._show_rows()

    @on(ViewBar.Chosen)
    def _kind_chosen(self, event: ViewBar.Chosen) -> None:
        self._choose(event.name)

    def _choose(self, kind: str) -> None:
        self._kind = kind
        self._show_rows()
