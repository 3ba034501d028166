"""Turn what was typed for a schedule into its rule and policies."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import datetime
from typing import Any

from relayq.cli.options import command_of, fields_of
from relayq.cli.output import say
from relayq.client.schedules import local_zone
from relayq.errors import SpecError, UsageError
from relayq.model.cron import resolve
from relayq.model.duration import parse_duration_ms, parse_moment_ms
from relayq.model.job import JobSpec
from relayq.model.schedule import RUNS_MAX, Rule, Schedule

NONE = "none"


def rule_of(args: argparse.Namespace, zone: str = "") -> Rule | None:
    """The rule that was typed, None when none was; `zone` stands in for a zone that was not."""
    dates = args.job_at or []
    given = [
        flag for flag, value in (("--cron", args.cron), ("--every", args.every), ("--at", dates)) if value
    ]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} exclude each other: a schedule has one rule")
    zone = args.zone or zone or local_zone()
    if args.cron:
        return Rule(cron=args.cron, zone=zone)
    if args.every:
        if args.zone:
            raise UsageError("--zone is for --cron and dates: an interval knows no zone")
        return Rule(every_ms=parse_duration_ms(args.every, "every"))
    if dates:
        return Rule(at_ms=tuple(sorted(moment_ms(text, zone, "at") for text in dates)))
    return None


def policy_of(args: argparse.Namespace) -> dict[str, Any]:
    """The other fields of a schedule that were typed."""
    zone, fields = args.zone or local_zone(), dict[str, Any]()
    for field in ("start", "end"):
        if text := getattr(args, field):
            fields[f"{field}_ms"] = 0 if text == NONE else moment_ms(text, zone, field)
    for field in ("jitter", "late"):
        if text := getattr(args, field):
            fields[f"{field}_ms"] = parse_duration_ms(text, field)
    if args.overlap:
        fields["overlap"] = args.overlap
    if args.misfire:
        fields["misfire"], colon, number = args.misfire.partition(":")
        if colon and (fields["misfire"] != "all" or not number.isdecimal() or len(number) > 4):
            raise SpecError(f"{args.misfire[:60]!a} is no misfire policy: write once, skip, all or all:5")
        fields["runs_max"] = int(number) if colon else RUNS_MAX
    return fields


def changed(args: argparse.Namespace, schedule: Schedule) -> Schedule:
    """The schedule with what was typed in place of what it had."""
    rule = rule_of(args, schedule.rule.zone if schedule.rule.cron else "") or schedule.rule
    if args.zone and rule == schedule.rule:
        if not rule.cron:
            raise UsageError("--zone is for --cron and dates: this schedule has no cron rule")
        rule = rule._replace(zone=args.zone)
    fields = {name: value for name, value in fields_of(args).items() if name != "at"}
    if args.command_line:
        fields["command"] = command_of(args)
    spec = JobSpec.from_dict({**schedule.spec.to_dict(), **fields}) if fields else schedule.spec
    return replace(schedule, rule=rule, spec=spec, **policy_of(args))


def moment_ms(text: str, zone: str, field: str) -> int:
    """A moment; without an offset it is by the clock of the zone, and said when that clock skips it."""
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text[:60]!a} is not a time: write 2027-01-31T18:00 (--{field})") from None
    if wall.tzinfo is not None:
        return parse_moment_ms(text, field)
    clock = Rule(cron="* * * * *", zone=zone)
    Schedule(name="zone", rule=clock, spec=JobSpec(command="true"))  # judges the zone
    from zoneinfo import ZoneInfo

    at_s = resolve(wall, ZoneInfo(zone))
    meant = datetime.fromtimestamp(at_s, ZoneInfo(zone))
    if meant.replace(tzinfo=None) != wall:
        say(f"{text} does not exist in {zone}, where the clock is moved: {meant:%H:%M} is meant")
    elif meant.utcoffset() != meant.replace(fold=1).utcoffset():
        say(f"{text} exists twice in {zone}, where the clock is moved: the first is meant")
    return parse_moment_ms(at_s, field)
