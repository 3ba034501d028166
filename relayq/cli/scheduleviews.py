"""Schedules as rows for people and as JSON for programs, both kinds side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from relayq.cli.views import cut, iso, local_time
from relayq.client.glance import title_of
from relayq.model.cronruns import CronRuns, Seen
from relayq.model.duration import format_duration, spell_duration
from relayq.model.ids import short
from relayq.model.schedule import Schedule
from relayq.store.schedules import Board, ScheduleRecord, Slot
from relayq.workflows import Found, WorkflowCron, monthly_minutes, read_crons, repository_of

HEADERS = ("SCHEDULE", "KEPT BY", "RULE", "NEXT", "LAST", "BY", "LATE", "MISSED", "MIN/MONTH")
HISTORY_HEADERS = ("SLOT", "FIRED", "LATE", "BY", "WHAT", "JOB")
HISTORY = 10
NAMES = 24


def workflow_crons(directory: Path) -> Found:
    """The cron lines of the repository that a directory lies in."""
    repository = repository_of(directory)
    return read_crons(repository) if repository else Found([], [])


def githubs(board: Board, found: Found) -> list[WorkflowCron]:
    """The cron lines that are not the twin of a schedule in the hub."""
    kept = {record.name for record in board.schedules}
    return [cron for cron in found.crons if cron.twin_of not in kept]


def rows(board: Board, found: Found, runs: Mapping[str, CronRuns]) -> Iterator[list[str]]:
    """The lines of `relayq schedule list`."""
    for record in board.schedules:
        yield _row(record, board.now_ms)
    for cron in githubs(board, found):
        yield _cron_row(cron, found.seen(cron, runs), board.now_ms)


def as_json(board: Board, found: Found, runs: Mapping[str, CronRuns]) -> Iterator[dict[str, Any]]:
    """The same as JSON."""
    for record in board.schedules:
        yield schedule_json(record, board.now_ms)
    for cron in githubs(board, found):
        seen = found.seen(cron, runs)
        yield {
            "name": cron.name,
            "kept_by": "github",
            "rule": cron.cron,
            "zone": cron.zone,
            "next": [iso(ms) for ms in cron.next_ms(board.now_ms, 5)],
            "last": _seen_json(seen) if seen and seen.last else None,
            "missed": seen.missed if seen else None,
            "minutes_a_month": cron.minutes,
            "twin_of": cron.twin_of,
        }


def _seen_json(seen: Seen) -> dict[str, Any]:
    made = seen.last
    return {
        "job": None,
        "slot": iso(seen.slot_ms),
        "fired": iso(made.made_ms) if made else None,
        "late_ms": seen.late_ms,
        "by": "github",
        "state": made.word if made else None,
    }


def schedule_json(record: ScheduleRecord, now_ms: int) -> dict[str, Any]:
    """One schedule as JSON."""
    schedule, why_not = record.schedule, record.doubt
    given = schedule.to_dict() if schedule else {}
    if "secrets" in given.get("spec", {}):
        given["spec"]["secrets"] = dict.fromkeys(given["spec"]["secrets"], "***")
    is_coming = schedule is not None and not record.paused_ms
    return {
        **given,
        "name": record.name,
        "kept_by": "hub+github" if schedule and schedule.github else "hub",
        "refused": why_not or None,
        "paused": iso(record.paused_ms),
        "next": [iso(ms) for ms in islice(schedule.slots(now_ms), 5)] if schedule and is_coming else [],
        "last": {
            "job": record.last_job,
            "slot": iso(record.last_slot_ms),
            "fired": iso(record.last_fired_ms),
            "late_ms": lateness_ms(schedule, record.last_slot_ms, record.last_fired_ms),
            "by": record.last_who,
            "state": record.last_state.value if record.last_state else None,
        }
        if record.last_job
        else None,
        "fired": record.fired,
        "missed": record.missed,
        "passed_over": record.passed,
        "minutes_a_month": twin_minutes(schedule),
        "history": [_slot_json(schedule, slot) for slot in record.history],
    }


def lateness_ms(schedule: Schedule | None, slot_ms: int, fired_ms: int) -> int | None:
    """How long after it was due, its jitter included, a slot was fired; None for what had no time."""
    if not slot_ms or not fired_ms:
        return None
    return max(0, fired_ms - (schedule.due_ms(slot_ms) if schedule else slot_ms))


def twin_minutes(schedule: Schedule | None) -> int:
    """What the twin of a schedule is billed in 30 days; 0 without one."""
    return monthly_minutes(schedule.github, schedule.rule.zone) if schedule and schedule.github else 0


def facts(record: ScheduleRecord, now_ms: int) -> Iterator[tuple[str, str]]:
    """`relayq schedule show`."""
    schedule, why_not = record.schedule, record.doubt
    yield "schedule", record.name
    if schedule is None:
        yield "not believed", why_not
        return
    yield "rule", schedule.rule.text
    yield "zone", schedule.rule.zone if schedule.rule.cron else ""
    yield "paused", f"since {local_time(record.paused_ms)}" if record.paused_ms else ""
    yield "next", "" if record.paused_ms else "\n".join(firing_lines(schedule, now_ms, 3))
    yield "command", title_of(schedule.spec.but(name=""))
    yield "start", local_time(schedule.start_ms)
    yield "end", local_time(schedule.end_ms)
    yield "jitter", spell_duration(schedule.jitter_ms) if schedule.jitter_ms else ""
    yield (
        "missed slots",
        f"all, the last {schedule.runs_max}" if schedule.misfire == "all" else schedule.misfire,
    )
    yield "overlap", schedule.overlap
    if schedule.github:
        yield "twin", f"GitHub at {schedule.github}, {twin_minutes(schedule)} minutes a month"
        yield "github was", _github_words(schedule, record)
    yield "slots", f"{record.fired} fired, {record.missed} missed, {record.passed} passed over"
    if record.last_job:
        state = record.last_state.value if record.last_state else "forgotten"
        yield "last job", f"{short(record.last_job)} {state}, fired by {record.last_who}"
    yield "signed by", f"key {record.by}"
    yield "added", local_time(record.added_ms)


def history(record: ScheduleRecord) -> Iterator[list[str]]:
    """The latest slots, the newest first."""
    for slot in record.history[:HISTORY]:
        late_ms = lateness_ms(None, slot.slot_ms, slot.fired_ms)
        yield [
            local_time(slot.slot_ms) or "-",
            local_time(slot.fired_ms),
            "" if late_ms is None else format_duration(late_ms),
            slot.who,
            slot.word,
            short(slot.job) if slot.job else "",
        ]


def firings(schedule: Schedule, now_ms: int, count: int) -> list[dict[str, Any]]:
    """The next firings as JSON."""
    slots = islice(schedule.slots(now_ms), count)
    return [{"slot": iso(slot_ms), "due": iso(schedule.due_ms(slot_ms))} for slot_ms in slots]


def firing_lines(schedule: Schedule, now_ms: int, count: int) -> list[str]:
    """The next firings for people: those of a cron by the clock of its zone, others by this machine's."""
    lines = []
    for slot_ms in islice(schedule.slots(now_ms), count):
        ahead = format_duration(schedule.due_ms(slot_ms) - now_ms)
        zone = schedule.rule.zone if schedule.rule.cron else ""
        lines.append(f"{_on_the_wall(slot_ms, zone)}  in {ahead}")
    return lines


def next_words(schedule: Schedule, now_ms: int) -> str:
    """When it fires next, in words."""
    lines = firing_lines(schedule, now_ms, 1)
    return f"it fires next {lines[0].replace('  ', ', ')}" if lines else "it fires no more"


def _on_the_wall(ms: int, zone: str) -> str:
    return f"{_moment(ms, zone):%a %Y-%m-%d %H:%M:%S %Z}"


def _moment(ms: int, zone: str) -> datetime:
    """The moment in this zone, or in this machine's."""
    moment = datetime.fromtimestamp(ms / 1000, ZoneInfo(zone) if zone else UTC)
    return moment if zone else moment.astimezone()


def _row(record: ScheduleRecord, now_ms: int) -> list[str]:
    schedule = record.schedule
    late_ms = lateness_ms(schedule, record.last_slot_ms, record.last_fired_ms)
    last = "never"
    if record.last_job:
        state = record.last_state.value if record.last_state else "forgotten"
        last = f"{state} {format_duration(max(0, now_ms - record.last_fired_ms))} ago"
    return [
        record.name,
        "hub+github" if schedule and schedule.github else "hub",
        cut(schedule.rule.text if schedule else record.rule, NAMES),
        _next_cell(record, schedule, now_ms),
        last,
        record.last_who or "-",
        "-" if late_ms is None else format_duration(late_ms),
        str(record.missed),
        str(twin_minutes(schedule)),
    ]


def _next_cell(record: ScheduleRecord, schedule: Schedule | None, now_ms: int) -> str:
    if schedule is None:
        return "not believed"
    if record.paused_ms:
        return "paused"
    return _coming(schedule.next_due_ms(now_ms), schedule.rule.zone if schedule.rule.cron else "", now_ms)


def _coming(due_ms: int | None, zone: str, now_ms: int) -> str:
    """When it fires next, by the clock that its rule means, and how far ahead that is."""
    if due_ms is None:
        return "no more"
    return f"{_moment(due_ms, zone):%m-%d %H:%M:%S %Z} in {format_duration(due_ms - now_ms)}"


def _cron_row(cron: WorkflowCron, seen: Seen | None, now_ms: int) -> list[str]:
    coming = cron.next_ms(now_ms, 1)
    following = _coming(coming[0] if coming else None, cron.zone, now_ms)
    told = ["?", "github", "?", "?"] if seen is None else _seen_cells(seen, now_ms)
    return [cron.name, "github", cut(cron.cron, NAMES), following, *told, str(cron.minutes)]


def _seen_cells(seen: Seen, now_ms: int) -> list[str]:
    """Last, by whom, how late, how many missed."""
    missed = "?" if seen.missed is None else str(seen.missed)
    if seen.last is None:
        return ["never", "-", "-", missed]
    word = seen.last.state.value if seen.last.state else seen.last.word
    ago = format_duration(max(0, now_ms - seen.last.made_ms))
    return [f"{word} {ago} ago", "github", format_duration(seen.late_ms or 0), missed]


def _github_words(schedule: Schedule, record: ScheduleRecord) -> str:
    """How GitHub did, by the slots that are remembered; what was run by hand is none."""
    slots = [slot for slot in record.history if slot.slot_ms]
    mine = [slot for slot in slots if slot.who.startswith("github")]
    if not slots:
        return ""
    of = f"of the last {len(slots)} slots" if len(slots) > 1 else "of the one slot so far"
    if not mine:
        return f"first for none {of}"
    worst = max(lateness_ms(schedule, slot.slot_ms, slot.fired_ms) or 0 for slot in mine)
    return f"first for {len(mine)} {of}, up to {format_duration(worst)} late"


def _slot_json(schedule: Schedule | None, slot: Slot) -> dict[str, Any]:
    return {
        "slot": iso(slot.slot_ms),
        "fired": iso(slot.fired_ms),
        "late_ms": lateness_ms(schedule, slot.slot_ms, slot.fired_ms),
        "by": slot.who,
        "word": slot.word,
        "job": slot.job,
    }
