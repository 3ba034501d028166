"""What can be done to jobs, wherever jobs are selected: the list, and one job's own screen.

Each method serves an action of the table. Whatever changes a job becomes an order,
which the app gives to the core; how long it can be undone is decided there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from textual import work

from relayq.client.steering import Order
from relayq.errors import RelayQError
from relayq.model.lifecycle import State
from relayq.text import safe
from relayq_tui.feed import JobDetail
from relayq_tui.rows import JobRow
from relayq_tui.screens.ask import Ask, Pick
from relayq_tui.screens.base import HubScreen

MANY = 10
MAX_PRIORITY = 100
SHOWN, COMMAND_SHOWN = 3, 600
ANSWERS = (("yes", "let it run, signed with your key"), ("no", "leave it waiting"))


class JobActions(HubScreen):
    """A screen on which jobs are selected."""

    def selected(self) -> Sequence[JobRow]:
        """The jobs an action is for: the marked ones, or the one under the cursor."""
        return ()

    @property
    def here(self) -> JobRow | None:
        """The job that an action is for which can only be for one."""
        return next(iter(self.selected()), None)

    async def action_retry(self) -> None:
        """Run jobs that have ended again, under their ids."""
        await self._order("retry", [row for row in self.selected() if row.is_final], "has ended")

    async def action_cancel(self) -> None:
        """End jobs, running or not."""
        await self._order("cancel", [row for row in self.selected() if not row.is_final], "can be cancelled")

    @work(exclusive=True, group="ask")
    async def action_approve(self) -> None:
        """Let jobs run that wait for the owner's word: shown first, then signed."""
        rows = [row for row in self.selected() if row.reason == "approval" and not row.is_final]
        if not rows:
            self.rq.say("no selected job waits for your word")
            return
        details = [detail for row in rows if (detail := await self.rq.feed.detail(row.id)) is not None]
        if not details or not self.rq.may_change():
            return
        shown = [introduced(detail, is_named=len(details) > 1) for detail in details[:SHOWN]]
        more = [f"and {len(details) - SHOWN} more"] if len(details) > SHOWN else []
        question = "\n".join([f"Let {self._what([detail.row for detail in details])} run?", *shown, *more])
        if await self.app.push_screen_wait(Pick(question, ANSWERS)) == "yes":
            ids = tuple(detail.row.id for detail in details)
            seen = tuple(detail.likeness for detail in details)
            await self.rq.order(Order(verb="approve", ids=ids, seen=seen))
            self.unselect()

    @work(exclusive=True, group="ask")
    async def action_kill(self) -> None:
        """End jobs at once: what runs gets no time to end by itself."""
        rows = [row for row in self.selected() if not row.is_final]
        if await self._is_meant("kill", len(rows)):
            await self._order("kill", rows, "can be killed")

    @work(exclusive=True, group="ask")
    async def action_forget(self) -> None:
        """Delete the records of jobs that have ended."""
        rows = [row for row in self.selected() if row.is_final]
        if await self._is_meant("delete", len(rows)):
            await self._order("forget", rows, "has ended")

    async def action_hold(self) -> None:
        """Keep waiting jobs from starting; let held ones go."""
        rows = [row for row in self.selected() if row.state in (State.PENDING, State.RUNNABLE)]
        held = [row for row in rows if row.reason == "held"]
        if held:
            await self._order("release", held, "is held")
        else:
            await self._order("hold", rows, "waits")

    @work(exclusive=True, group="ask")
    async def action_priority(self) -> None:
        """Move waiting jobs forward or back."""
        rows = [row for row in self.selected() if not row.is_final]
        if not rows:
            self.rq.say("no selected job waits")
            return
        question = f"Priority of {self._what(rows)} (-100 to 100; +5 or -5 changes it)"
        answer = await self.app.push_screen_wait(Ask(question, str(rows[0].priority)))
        value = new_priority(rows[0].priority, answer or "")
        if value is not None:
            await self._order("reprioritise", rows, "waits", str(value))
        elif answer:
            self.rq.say(f"{answer!r} is not a priority: write -100 to 100")

    @work(exclusive=True, group="ask")
    async def action_move(self) -> None:
        """Let waiting jobs run on one worker only."""
        rows = [row for row in self.selected() if row.state in (State.PENDING, State.RUNNABLE)]
        if not rows:
            self.rq.say("no selected job waits")
            return
        workers = [(w.name, w.name) for w in self.store.workers.values() if w.online]
        worker = await self.app.push_screen_wait(Pick(f"Move {self._what(rows)} to which worker?", workers))
        if worker:
            await self._order("move", rows, "waits", worker)

    @work(exclusive=True, group="ask")
    async def action_edit(self) -> None:
        """Submit a job again, changed."""
        row = self.here
        detail = await self.rq.feed.detail(row.id) if row else None
        if detail is not None:
            self.rq.action_push("submit", detail.spec, detail.row.id)

    @work(exclusive=True, group="ask")
    async def action_duplicate(self) -> None:
        """Submit jobs again as new ones."""
        if not self.rq.may_change():
            return
        rows = self.selected()
        made: list[str] = []
        try:
            for row in rows:
                made.append(await self.rq.feed.submit({}, like=row.id))
        except RelayQError as error:
            self.rq.say(str(error))
        else:
            self.rq.say(f"submitted {self._what(rows)} again")
        if made:
            self.rq.steering.note(Order(verb="submit", ids=tuple(made)))

    def unselect(self) -> None:
        """An order was given: what was selected for it no longer is."""

    async def _order(self, verb: str, rows: Sequence[JobRow], must: str, value: str = "") -> None:
        if not rows:
            self.rq.say(f"no selected job {must}")
            return
        await self.rq.order(Order(verb=verb, ids=tuple(row.id for row in rows), value=value))
        self.unselect()

    async def _is_meant(self, verb: str, count: int) -> bool:
        """Many at once ask for their number to be typed."""
        if count <= MANY or not self.rq.may_change():
            return True
        question = f"This would {verb} {count} jobs. Type {count} to do it."
        return await self.app.push_screen_wait(Ask(question, wanted=str(count))) is not None

    def _what(self, rows: Sequence[JobRow]) -> str:
        return f"{rows[0].short_id} {rows[0].title}" if len(rows) == 1 else f"{len(rows)} jobs"


def introduced(detail: JobDetail, *, is_named: bool) -> str:
    """Who asked for a job, and for what, in two lines: as its spec says now."""
    row, command = detail.row, detail.spec.get("command", "")
    asker = detail.asker or row.by or "somebody of the fleet"
    text = command if isinstance(command, str) else " ".join(map(str, cast("list[object]", command)))
    name = f"{row.short_id} {row.title}, " if is_named else ""
    return f"{name}asked for by {asker}\n$ {safe(text)[:COMMAND_SHOWN]}"


def new_priority(old: int, answer: str) -> int | None:
    """The priority that was typed, `+5` and `-5` counted from the old one when that is not 0."""
    try:
        value = int(answer)
    except ValueError:
        return None
    if answer.startswith("+") or (answer.startswith("-") and old != 0):
        value += old
    return value if -MAX_PRIORITY <= value <= MAX_PRIORITY else None
