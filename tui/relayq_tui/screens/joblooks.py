"""How jobs are looked at from wherever they are selected: opened, copied, exported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from textual import work

from relayq_tui.actions import ACTIONS
from relayq_tui.clipboard import copy
from relayq_tui.export import export
from relayq_tui.rows import JobRow
from relayq_tui.screens import SCREENS
from relayq_tui.screens.ask import Pick
from relayq_tui.screens.jobactions import JobActions

COPIES = (
    ("id", "id"),
    ("command", "command"),
    ("cli", "command line that does the same as here"),
    ("json", "spec as JSON"),
    ("result", "result"),
)


class JobLooks(JobActions):
    """A screen from which jobs can be opened."""

    def action_open(self) -> None:
        """The job's own screen."""
        self._open("log")

    def action_details(self) -> None:
        """What was asked for and where it went."""
        self._open("details")

    def action_log(self) -> None:
        """Its output."""
        self._open("log")

    def action_flow(self) -> None:
        """What it waits for and what waits for it."""
        self._open("flow")

    @work(exclusive=True, group="ask")
    async def action_explain(self) -> None:
        """Why it stands where it stands, in sentences."""
        row = next(iter(self.selected()), None)
        detail = await self.rq.feed.detail(row.id) if row else None
        if detail is not None and row is not None:
            lines = [(str(number), line) for number, line in enumerate(detail.explain)]
            await self.app.push_screen_wait(Pick(f"{row.short_id} {row.title}", lines))

    @work(exclusive=True, group="ask")
    async def action_copy(self) -> None:
        """Copy something of the job under the cursor."""
        row = next(iter(self.selected()), None)
        kind = await self.app.push_screen_wait(Pick("Copy what?", COPIES)) if row else None
        if row is not None and kind:
            text = await self._copied(row, kind)
            copy(self.app, text)
            self.rq.say(f"copied {len(text)} characters")

    @work(exclusive=True, group="ask")
    async def action_export(self) -> None:
        """Write what the list shows into a file of the current directory."""
        rows = self.listed()
        kinds = (("csv", "CSV"), ("json", "JSON"))
        kind = await self.app.push_screen_wait(Pick(f"Export {len(rows)} jobs as", kinds))
        if kind is None:
            return
        try:
            path = await asyncio.to_thread(export, rows, kind, self.store.now_ms(), Path.cwd())
        except OSError as error:
            self.rq.say(f"nothing was exported: {error.strerror}")
        else:
            self.rq.say(f"{len(rows)} jobs are in {path.name}")

    def action_bell(self) -> None:
        """Ring when the job under the cursor ends, or no longer."""
        rows = [row for row in self.selected() if not row.is_final]
        for row in rows:
            self.rq.say(self.rq.bells.toggle(row))
        if not rows:
            self.rq.say("it has ended already")

    def listed(self) -> Sequence[JobRow]:
        """Everything that is shown."""
        return self.selected()

    async def _copied(self, row: JobRow, kind: str) -> str:
        if kind in ("json", "result"):
            detail = await self.rq.feed.detail(row.id)
            if detail is None:
                return ""
            return detail.result if kind == "result" else json.dumps(detail.spec, indent=1)
        if kind == "cli":
            return cli_line("open", [row])
        return row.id if kind == "id" else row.command

    def _open(self, tab: str) -> None:
        row = next(iter(self.selected()), None)
        if row is not None and "job" in SCREENS:
            self.rq.action_push("job", row.id, tab)


def cli_line(action: str, rows: list[JobRow], value: str = "") -> str:
    """The command line that does to these jobs what the action does."""
    [template] = [one.cli for one in ACTIONS if one.id == action]
    ids = " ".join(row.id for row in rows)
    return template.format(id=rows[0].id, ids=ids, value=value, query="", name="")
