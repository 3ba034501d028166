"""The schedules of the hub and the cron lines of this repository as rows, next firings computed here."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from relayq.client.glance import title_of
from relayq.model.cronruns import CronRuns, Seen
from relayq.store.schedules import Board, ScheduleRecord
from relayq.text import safe
from relayq.workflows import Found, WorkflowCron, monthly_minutes, read_crons, repository_of
from relayq_tui.rows import ScheduleRow

FIRES = 5
COMMAND_SHOWN = 300


def here() -> Found:
    """The cron lines of the repository that the terminal stands in."""
    repository = repository_of(Path.cwd())
    return read_crons(repository) if repository else Found([], [])


def schedule_rows(board: Board, found: Found, runs: Mapping[str, CronRuns]) -> list[ScheduleRow]:
    """A row for each schedule, and for each cron line that is not the twin of one.

    `runs` are those that GitHub's clock made, by repository, as somebody with a token has read them.
    """
    kept = {record.name for record in board.schedules}
    crons = (cron for cron in found.crons if cron.twin_of not in kept)
    return [_kept(record, board.now_ms) for record in board.schedules] + [
        _cron(cron, found.seen(cron, runs), board.now_ms) for cron in crons
    ]


def _kept(record: ScheduleRecord, now_ms: int) -> ScheduleRow:
    schedule = record.schedule
    row = ScheduleRow(
        name=safe(record.name),
        origin="local",
        rule=safe(record.rule),
        last_ms=record.last_fired_ms,
        last_state=record.last_state,
        last_job=record.last_job,
        last_by=safe(record.last_who),
        missed=record.missed,
        is_paused=bool(record.paused_ms),
        command=safe(f"not believed: {record.doubt}"),
    )
    if schedule is None:
        return row
    row.origin = "both" if schedule.github else "local"
    row.rule = safe(schedule.rule.text)
    row.zone = safe(schedule.rule.zone) if schedule.rule.cron else ""
    row.command = safe(title_of(schedule.spec.but(name=""))[:COMMAND_SHOWN])
    if not record.paused_ms:
        row.next_ms = tuple(schedule.due_ms(slot) for slot in islice(schedule.slots(now_ms), FIRES))
    if record.last_slot_ms:
        row.drift_ms = max(0, record.last_fired_ms - schedule.due_ms(record.last_slot_ms))
    if schedule.github:
        row.minutes = monthly_minutes(schedule.github, schedule.rule.zone)
    return row


def _cron(cron: WorkflowCron, seen: Seen | None, now_ms: int) -> ScheduleRow:
    row = ScheduleRow(
        name=safe(cron.name),
        origin="github",
        rule=safe(cron.cron),
        zone=safe(cron.zone),
        next_ms=cron.next_ms(now_ms, FIRES),
        minutes=cron.minutes,
        command=safe(f"the workflow {cron.name}"),
    )
    if seen is not None:
        row.missed = seen.missed or 0
    if seen is not None and seen.last is not None:
        row.last_ms, row.last_state, row.last_by = seen.last.made_ms, seen.last.state, "github"
        row.drift_ms = seen.late_ms or 0
    return row
