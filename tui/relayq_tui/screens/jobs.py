"""The first screen: every job, why the one under the cursor stands where it stands, and its output."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from relayq_tui.rows import JobRow
from relayq_tui.screens.base import HubScreen
from relayq_tui.screens.jobcolumns import columns
from relayq_tui.store import Changes
from relayq_tui.widgets.jobtable import JobTable


class JobsScreen(HubScreen):
    """List, preview and log."""

    contexts: ClassVar[tuple[str, ...]] = ("jobs",)
    label = "Jobs"
    AUTO_FOCUS = "JobTable"

    def body(self) -> ComposeResult:
        """The list."""
        yield JobTable[JobRow](id="jobs")

    def show(self, changes: Changes) -> None:
        """Draw what has changed."""
        table = self.query_one("#jobs", JobTable)
        if changes.all_jobs or changes.jobs:
            table.set_rows(self.store.newest_first(), columns(self.rq, self.size.width))
        elif "clock" in changes.parts:
            table.refresh_stale()
