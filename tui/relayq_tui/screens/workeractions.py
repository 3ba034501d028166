"""What can be done to workers, in their list and on a worker's own screen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice

from textual import work

from relayq.client.steering import Order
from relayq.text import safe
from relayq_tui.audit import Deed, Diary
from relayq_tui.clipboard import copy
from relayq_tui.rows import JobRow, WorkerRow
from relayq_tui.screens import SCREENS
from relayq_tui.screens.ask import Pick
from relayq_tui.screens.base import HubScreen
from relayq_tui.sieve import of_lots

JOBS_SEEN = 200
EVENTS_SEEN = 100
LOOKED_AT = 20_000


class WorkerActions(HubScreen):
    """A screen on which a worker is selected."""

    def __init__(self) -> None:
        super().__init__()
        self._diary = Diary(self.rq.store)

    def worker(self) -> WorkerRow | None:
        """The worker that an action is for."""
        return None

    def jobs_of(self, worker: WorkerRow) -> list[JobRow]:
        """Its jobs: those that run, then the latest that ended."""
        found: list[JobRow] = []
        for row in of_lots(self.store.newest[:LOOKED_AT], lambda lot: lot.worker == worker.name):
            if row.started_ms:
                found.append(row)
                if len(found) >= JOBS_SEEN:
                    break
        return sorted(found, key=lambda row: (row.is_final, -row.ended_ms, -row.started_ms))

    def deeds_of(self, worker: WorkerRow) -> list[Deed]:
        """What happened to it, the newest first; its jobs' comings and goings are theirs."""
        mine = (one for one in reversed(self._diary.read()) if one.worker == worker.name and not one.job)
        return list(islice(mine, EVENTS_SEEN))

    async def action_pause(self) -> None:
        """Let it take nothing new; let it take jobs again."""
        worker = self._reachable()
        if worker is not None:
            verb = "unquiet" if worker.command in ("quiet", "stop") else "quiet"
            await self.rq.order(Order(verb=verb, ids=(worker.name,)))

    async def action_stop(self) -> None:
        """Let it finish what it runs and leave."""
        worker = self._reachable()
        if worker is not None:
            await self.rq.order(Order(verb="stop", ids=(worker.name,)))

    @work(exclusive=True, group="ask")
    async def action_labels(self) -> None:
        """Labels and slots belong to the machine: say where they are set."""
        worker = self.worker()
        if worker is None:
            return
        question = f"Labels and slots of {worker.name} are set on its machine. Copy which line?"
        line = await self.app.push_screen_wait(
            Pick(question, [(line, line.replace("\n", "  ")) for line in _settings(worker)])
        )
        if line:
            self._copy(line)

    @work(exclusive=True, group="ask")
    async def action_copy(self) -> None:
        """Copy something about it."""
        worker = self.worker()
        if worker is None:
            return
        choices = [("name", "name"), ("ssh", f"ssh {_host(worker)}"), ("facts", "facts as JSON")]
        match await self.app.push_screen_wait(Pick("Copy what?", choices)):
            case "name":
                self._copy(worker.name)
            case "ssh":
                self._copy(f"ssh {_host(worker)}")
            case "facts":
                self._copy(json.dumps({"offer": dict(worker.offer), "facts": dict(worker.facts)}, indent=1))

    def action_log(self) -> None:
        """The output of what it runs, or ran last."""
        worker = self.worker()
        jobs = self.jobs_of(worker) if worker else []
        if jobs and "job" in SCREENS:
            self.rq.action_push("job", jobs[0].id, "log")

    def _reachable(self) -> WorkerRow | None:
        worker = self.worker()
        if worker is not None and not worker.online:
            self.rq.say(f"{worker.name} is offline: it cannot be told anything")
            return None
        return worker

    def _copy(self, text: str) -> None:
        copy(self.app, text)
        self.rq.say(f"copied {len(text)} characters")


def _host(worker: WorkerRow) -> str:
    return safe(str(worker.offer.get("host") or worker.name))


def _settings(worker: WorkerRow) -> Sequence[str]:
    labels = worker.offer.get("labels")
    words = safe(",".join(map(str, labels))) if isinstance(labels, list) else ""
    cpus = worker.offer.get("cpus_milli", 1000)
    slots = cpus // 1000 if isinstance(cpus, int) else 1
    return (
        f"relayq worker --name {worker.name} --labels {words} --slots {slots}",
        f"[worker]  # config.toml\nlabels = {json.dumps(words.split(','))}\nslots = {slots}",
    )
