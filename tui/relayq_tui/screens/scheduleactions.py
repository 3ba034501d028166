"""What can be done to the schedule under the cursor; those that only GitHub keeps are files to edit."""

from __future__ import annotations

from textual import work

from relayq.client.steering import Order
from relayq_tui.rows import ScheduleRow
from relayq_tui.screens.ask import Ask
from relayq_tui.screens.base import HubScreen


class ScheduleActions(HubScreen):
    """A screen on which a schedule is selected."""

    def schedule(self) -> ScheduleRow | None:
        """The schedule that an action is for."""
        return None

    async def action_pause(self) -> None:
        """Let it fire no more; let it fire again."""
        row = self._kept()
        if row is not None:
            await self._order("schedule-resume" if row.is_paused else "schedule-pause", row)

    async def action_run(self) -> None:
        """Submit its job now, beside its slots."""
        row = self._kept()
        if row is not None:
            await self._order("schedule-run", row)

    async def action_remove(self) -> None:
        """Remove it; the jobs it has made go on."""
        row = self._kept()
        if row is not None:
            await self._order("schedule-remove", row)

    @work(exclusive=True, group="ask")
    async def action_edit(self) -> None:
        """Give it another rule."""
        row = self._kept()
        if row is None or not self.rq.may_change():
            return
        zone = f" ({row.zone})" if row.zone else ""
        question = f"When shall {row.name} fire{zone}? A cron rule, or: every 15m"
        answer = await self.app.push_screen_wait(Ask(question, row.rule))
        if answer and answer != row.rule:
            await self._order("schedule-edit", row, answer)

    async def _order(self, verb: str, row: ScheduleRow, value: str = "") -> None:
        was = row.rule if value else ""
        await self.rq.order(Order(verb=verb, ids=(row.name,), value=value, was=was))

    def _kept(self) -> ScheduleRow | None:
        row = self.schedule()
        if row is not None and row.origin == "github":
            self.rq.say(f"{row.name} is kept by GitHub alone: edit that file in its repository")
            return None
        return row
