"""The rule of a schedule: a cron rule in a zone, an interval, or dates."""

from __future__ import annotations

from typing import Any, NamedTuple

from relayq.errors import SpecError
from relayq.model.cron import Cron, CronError
from relayq.model.duration import parse_duration_ms, parse_moment_ms, spell_duration, spell_moment
from relayq.model.reading import check_line, read_list, read_map, refuse_unknown, shown

EVERY_MIN_MS = 1_000
DATES_MAX = 100


class Rule(NamedTuple):
    """When: exactly one of `cron` (with its `zone`), `every_ms` and `at_ms` is given."""

    cron: str = ""
    zone: str = "UTC"
    every_ms: int = 0
    at_ms: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """For people: `30 2 * * *`, `every 1h`, `at 2027-01-31T18:00:00Z`."""
        if self.cron:
            return self.cron
        if self.every_ms:
            return f"every {spell_duration(self.every_ms)}"
        more = f" and {len(self.at_ms) - 1} more" if len(self.at_ms) > 1 else ""
        return f"at {spell_moment(self.at_ms[0])}{more}"

    @property
    def key(self) -> str:
        """The rule on one line, zone and all: what a late firing from elsewhere must name."""
        return f"{self.cron} {self.zone}" if self.cron else self.text


def parse_rule(text: str, zone: str = "UTC") -> Rule:
    """A rule as people write it: a cron rule, `every 15m`, or `at 2027-01-31T18:00Z`."""
    word, _, rest = text.strip().partition(" ")
    if word == "every":
        return Rule(every_ms=parse_duration_ms(rest.strip(), "every"))
    if word == "at":
        return Rule(at_ms=(parse_moment_ms(rest.strip(), "at"),))
    return Rule(cron=text.strip(), zone=zone)


def read_rule(value: object) -> Rule:
    given = read_map(value, "rule")
    refuse_unknown(given, ("cron", "zone", "every", "at"), "the rule")
    return Rule(
        cron=check_line(given.get("cron", ""), "rule.cron", 200),
        zone=check_line(given.get("zone", "UTC"), "rule.zone", 64),
        every_ms=parse_duration_ms(given["every"], "rule.every") if "every" in given else 0,
        at_ms=tuple(
            parse_moment_ms(at, "rule.at") for at in read_list(given.get("at", []), "rule.at", DATES_MAX)
        ),
    )


def write_rule(rule: Rule) -> dict[str, Any]:
    if rule.cron:
        return {"cron": rule.cron, "zone": rule.zone}
    if rule.every_ms:
        return {"every": spell_duration(rule.every_ms)}
    return {"at": [spell_moment(at_ms) for at_ms in rule.at_ms]}


def check_rule(rule: Rule) -> None:
    if sum(map(bool, (rule.cron, rule.every_ms, rule.at_ms))) != 1:
        raise SpecError("a schedule has one rule: a cron rule, an interval above 0 or dates (field 'rule')")
    if rule.cron:
        _check_cron(rule)
    elif rule.every_ms and rule.every_ms < EVERY_MIN_MS:
        raise SpecError(f"every {spell_duration(rule.every_ms)} is too often: at least 1s (field 'every')")
    if list(rule.at_ms) != sorted(set(rule.at_ms)):
        raise SpecError("the dates must be in order and different (field 'at')")


def _check_cron(rule: Rule) -> None:
    try:
        Cron(rule.cron, rule.zone)
    except CronError as error:
        raise SpecError(
            f"{shown(rule.cron)} is not a cron rule: {error}; "
            f"the nearest valid one is '{error.nearest}' (field 'cron')"
        ) from None
    except (KeyError, ValueError, OSError):
        raise SpecError(
            f"{shown(rule.zone)} is not a time zone known here{_near_zone(rule.zone)} (field 'zone')"
        ) from None


def _near_zone(zone: str) -> str:
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    near = get_close_matches(zone[:64], available_timezones(), 1, 0.5)
    return f": did you mean {near[0]}?" if near else ": write an IANA name like Europe/Berlin"
