"""How jobs are looked at from wherever they are selected: opened, copied, exported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from textual import work

from relayq.errors import RelayQError
from relayq.store.records import LogEntry
from relayq_tui.clipboard import copy
from relayq_tui.glyphs import counted
from relayq_tui.rows import JobRow
from relayq_tui.screens import SCREENS
from relayq_tui.screens.ask import Pick
from relayq_tui.screens.jobactions import JobActions

COPIES = (
    ("id", "id"),
    ("command", "command"),
    ("cli", "command line that submits it again"),
    ("json", "spec as JSON"),
    ("result", "result"),
)


class JobLooks(JobActions):
    """A screen from which jobs can be opened."""

    def action_open(self) -> None:
        """The job's own screen; of an array its elements, for each has its own output."""
        row = self.here
        self._open("log" if row is None or row.array is None else "attempts")

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
        row = self.here
        detail = await self.rq.feed.detail(row.id) if row else None
        if detail is not None and row is not None:
            lines = [(str(number), line) for number, line in enumerate(detail.explain)]
            await self.app.push_screen_wait(Pick(f"{row.short_id} {row.title}", lines))

    @work(exclusive=True, group="ask")
    async def action_copy(self) -> None:
        """Copy something of the job under the cursor."""
        row = self.here
        kind = await self.app.push_screen_wait(Pick("Copy what?", COPIES)) if row else None
        if row is not None and kind:
            text = await self._copied(row, kind)
            copy(self.app, text)
            self.rq.say(f"copied {len(text)} characters")

    @work(exclusive=True, group="ask")
    async def action_export(self) -> None:
        """Write what the list shows into a file of the current directory."""
        rows, here = self.listed(), self.here
        kinds = [(kind, f"{counted(len(rows), 'job')} as {kind.upper()}") for kind in ("csv", "json")]
        kinds += [("log", f"the output of {here.short_id}")] if here else []
        kinds += [("svg", "this screen as a picture (SVG)")]
        kind = await self.app.push_screen_wait(Pick("Export what?", kinds))
        if kind is None:
            return
        try:
            told = await self._exported(kind, rows, here)
        except OSError as error:
            self.rq.say(f"nothing was exported: {error.strerror}")
        except RelayQError as error:
            self.rq.say(f"nothing was exported: {error}")
        else:
            self.rq.say(told)

    def action_bell(self) -> None:
        """Ring when the job under the cursor ends, or no longer."""
        rows = [row for row in self.selected() if not row.is_final]
        for row in rows:
            self.rq.say(self.rq.bells.toggle(row))
        if not rows:
            self.rq.say("it has ended already")

    async def _exported(self, kind: str, rows: Sequence[JobRow], here: JobRow | None) -> str:
        from relayq_tui.export import export, new_file
        from relayq_tui.picture import picture_of

        now_ms, folder = self.store.now_ms(), Path.cwd()
        if kind in ("csv", "json"):
            path = await asyncio.to_thread(export, rows, kind, now_ms, folder)
            return f"{counted(len(rows), 'job')} went into {path.name}"
        if kind == "svg" or here is None:
            path = new_file(folder, "screen", "svg", now_ms)
            await asyncio.to_thread(path.write_text, picture_of(self.app), "utf-8")
            return f"the screen went into {path.name}"
        entries = await self.rq.feed.log(here.id)
        path = new_file(folder, here.short_id, "log", now_ms)
        output = b"".join(entry.data for entry in entries if isinstance(entry, LogEntry))
        await asyncio.to_thread(path.write_bytes, output)
        return f"the output of {here.short_id} went into {path.name}"

    def listed(self) -> Sequence[JobRow]:
        """Everything that is shown."""
        return self.selected()

    async def _copied(self, row: JobRow, kind: str) -> str:
        if kind in ("id", "command"):
            return row.id if kind == "id" else row.command
        detail = await self.rq.feed.detail(row.id)
        if detail is None:
            return ""
        if kind == "cli":
            from relayq_tui.submitline import submit_line

            return submit_line(detail.spec, row.id)
        return detail.result if kind == "result" else json.dumps(detail.spec, indent=1)

    def _open(self, tab: str) -> None:
        row = self.here
        if row is not None and "job" in SCREENS:
            self.rq.action_push("job", row.id, tab)
