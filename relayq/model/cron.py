"""Cron rules in a time zone: read five fields, and say when they fire.

    minute 0-59   hour 0-23   day 1-31   month 1-12 or jan-dec   weekday 0-7 or sun-sat
    *   a   a-b   a,b   */n   a-b/n       @hourly @daily @midnight @weekly @monthly @yearly

When both day and weekday are named, either is enough, as in every cron since Vixie's
(crontab(5)); a field that begins with `*` names nothing. 0 and 7 are Sunday.

Daylight saving time. A rule that names hours means the clock on the wall: a time that
does not exist fires at the next valid moment, a time that exists twice fires the first
time only, and what would fall on one moment fires once. A rule whose hour field is `*`
means every hour that passes: it fires in both passes of an hour that exists twice, and
has nothing to make up for in an hour that does not exist.

A rule that cannot be read is a CronError with the nearest one that can. This file stands
on the standard library alone, without the rest of RelayQ and in the syntax of Python 3.9,
because a GitHub step that fires a late slot runs it uninstalled.
"""

from __future__ import annotations

import calendar
import hashlib
import re
from datetime import date, datetime, timedelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn
    from zoneinfo import ZoneInfo

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
LAST_YEAR = 9998
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MAX_TEXT = 200
_DAY_S = 86_400
# How far back the latest firing is looked for, shortest first: an hour to nine years.
_LOOK_BACK_S = (3_600, _DAY_S, 8 * _DAY_S, 62 * _DAY_S, 400 * _DAY_S, 9 * 366 * _DAY_S)


class CronError(ValueError):
    """A rule that cannot be read; `nearest` is a valid one that was perhaps meant."""

    def __init__(self, why: str, nearest: str) -> None:
        super().__init__(why)
        self.nearest = nearest


class _Field:
    """One of the five: its name, its range, the names of its values."""

    def __init__(self, name: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0) -> None:
        self.name, self.low, self.high = name, low, high
        self.numbers = {word: first + at for at, word in enumerate(names)}


FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, _MONTHS, 1),
    _Field("weekday", 0, 7, _WEEKDAYS),
)


class Cron:
    """A rule in a zone. Moments are whole seconds since 1970."""

    def __init__(self, text: str, zone: str = "UTC") -> None:
        from zoneinfo import ZoneInfo  # 0.3 MB, which a worker without schedules does without

        self.text = " ".join(text.split())[:_MAX_TEXT]
        self.zone = ZoneInfo(zone)
        words = MACROS.get(self.text.lower(), self.text).lower().split()
        if self.text.startswith("@") and len(words) == 1:
            self._refuse(f"it is none of {', '.join(MACROS)}")
        if len(words) != len(FIELDS):
            self._refuse("it does not have five fields (minute hour day month weekday)")
        found = []
        for at, field in enumerate(FIELDS):
            try:
                found.append(_values(words[at], field))
            except ValueError as error:
                self._refuse(str(error))
        self.minutes, self.hours, self.days, self.months, weekdays = found
        self.weekdays = sorted({day % 7 for day in weekdays})
        self._is_either = not words[2].startswith("*") and not words[4].startswith("*")
        if not self._is_either and not self._has_a_date():
            self._refuse("no such day exists in these months, so it would never fire")

    def after(self, moment_s: int) -> Iterator[int]:
        """Every firing after a moment, in order."""
        last_s = moment_s
        for at_s in self._elapsed(moment_s) if len(self.hours) == 24 else self._on_the_wall(moment_s):
            if at_s > last_s:
                yield at_s
                last_s = at_s

    def latest(self, moment_s: int) -> int | None:
        """The last firing at or before a moment; None when there was none in nine years."""
        for back_s in _LOOK_BACK_S:
            found = None
            for at_s in self.after(moment_s - back_s):
                if at_s > moment_s:
                    break
                found = at_s
            if found is not None:
                return found
        return None

    @property
    def firings_a_month(self) -> float:
        """Firings in 30 days, averaged over 360."""
        first = date(2026, 1, 1)
        days = 0
        for day in self._dates(first):
            if day - first >= timedelta(days=360):
                break
            days += 1
        return days * len(self.hours) * len(self.minutes) / 12

    def _refuse(self, why: str) -> NoReturn:
        raise CronError(why, nearest(self.text))

    def _has_a_date(self) -> bool:
        return any(self.days[0] <= _longest(month) for month in self.months)

    def _is_day(self, day: date) -> bool:
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self._is_either else in_month and in_week

    def _dates(self, first: date) -> Iterator[date]:
        """The days of the rule from `first` on."""
        day = first
        while day.year <= LAST_YEAR:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
                continue
            if self._is_day(day):
                yield day
            day += timedelta(days=1)

    def _on_the_wall(self, moment_s: int) -> Iterator[int]:
        """By the clock on the wall, day by day."""
        for day in self._dates(datetime.fromtimestamp(moment_s, self.zone).date()):
            midnight = datetime(day.year, day.month, day.day)
            start_s = resolve(midnight, self.zone)
            is_plain = resolve(midnight + timedelta(days=1), self.zone) - start_s == _DAY_S
            if is_plain and start_s + _DAY_S <= moment_s:
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    if is_plain:
                        yield start_s + hour * 3600 + minute * 60
                    else:
                        yield resolve(midnight.replace(hour=hour, minute=minute), self.zone)

    def _elapsed(self, moment_s: int) -> Iterator[int]:
        """By the hours that pass: the clock is read at each firing."""
        at_s = moment_s - moment_s % 60 + 60
        while True:
            local = datetime.fromtimestamp(at_s, self.zone)
            day = next(self._dates(local.date()), None)
            if day is None:
                return
            if day != local.date():
                at_s = max(at_s + 60, resolve(datetime(day.year, day.month, day.day), self.zone))
                continue
            minute = next((minute for minute in self.minutes if minute >= local.minute), 60)
            if minute == local.minute:
                yield at_s
                minute += 1
                minute = next((later for later in self.minutes if later >= minute), 60)
            ahead_s = at_s + (minute - local.minute) * 60
            # Where the clock is moved within this stretch, walk it minute by minute.
            moved = datetime.fromtimestamp(ahead_s, self.zone).utcoffset() != local.utcoffset()
            at_s = at_s + 60 if moved else ahead_s


def resolve(wall: datetime, zone: ZoneInfo) -> int:
    """The moment a clock on the wall shows `wall`: the first of two, or the end of the gap it falls into."""
    early = wall.replace(tzinfo=zone, fold=0)
    at_s = int(early.timestamp())
    if datetime.fromtimestamp(at_s, zone).replace(tzinfo=None) == wall:
        return at_s
    low_s, high_s = int(wall.replace(tzinfo=zone, fold=1).timestamp()), at_s
    before = datetime.fromtimestamp(low_s, zone).utcoffset()
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if datetime.fromtimestamp(middle_s, zone).utcoffset() == before:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s


def slot_id(fleet: str, schedule: str, slot_ms: int) -> str:
    """The id of the job that a schedule makes at a slot time: 80 bits of a SHA-256, as 16 characters."""
    digest = hashlib.sha256(f"relayq-slot\n{fleet}\n{schedule}\n{slot_ms}".encode()).digest()
    number = int.from_bytes(digest[:10], "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(75, -1, -5))


def nearest(text: str) -> str:
    """The valid rule that is nearest to what was typed."""
    text = " ".join(text.split())[:_MAX_TEXT].lower()
    if text.startswith("@"):
        from difflib import get_close_matches

        return (get_close_matches(text, MACROS, 1) or ["@hourly"])[0]
    words = text.split()
    if len(words) in (6, 7):  # seconds first, and perhaps a year last, as Quartz writes it
        words = words[1:6]
    words = [*words, *["*"] * len(FIELDS)][: len(FIELDS)]
    mended = [_mended(words[at], field) for at, field in enumerate(FIELDS)]
    days, months, weekdays = mended[2], _values(mended[3], FIELDS[3]), mended[4]
    longest = max(map(_longest, months))
    if min(_values(days, FIELDS[2])) > longest and (days.startswith("*") or weekdays.startswith("*")):
        mended[2] = str(longest)
    return " ".join(mended)


def _values(word: str, field: _Field) -> list[int]:
    """The values that one field names, sorted; ValueError says what is wrong with it."""
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step_text = part.partition("/")
        step = _step(step_text, field) if slash else 1
        if span == "*":
            low, high = field.low, field.high - (field.name == "weekday")
        else:
            first, dash, last = span.partition("-")
            low = _number(first, field)
            high = _number(last, field) if dash else field.high if slash else low
        if low > high:
            raise ValueError(f"the range {span} of its {field.name} runs backwards")
        found.update(range(low, high + 1, step))
    return sorted(found)


def _number(text: str, field: _Field) -> int:
    if text in field.numbers:
        return field.numbers[text]
    if not re.fullmatch("[0-9]{1,4}", text):
        raise ValueError(f"{text!a} is not a {field.name}")
    if not field.low <= int(text) <= field.high:
        raise ValueError(f"{field.name} {text} is out of range: {field.low} to {field.high}")
    return int(text)


def _step(text: str, field: _Field) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or int(text) == 0:
        raise ValueError(f"the step {text!a} of its {field.name} is not a number above 0")
    return int(text)


def _mended(word: str, field: _Field) -> str:
    """The field itself, or the nearest that can be read."""
    try:
        _values(word, field)
    except ValueError:
        return ",".join(_mended_part(part, field) for part in word.split(",")[:60])
    return word


def _mended_part(part: str, field: _Field) -> str:
    span, _, step = part.partition("/")
    tail = f"/{int(step)}" if re.fullmatch("[0-9]{1,4}", step) and int(step) else ""
    if span in ("", "*", "?"):
        return f"*{tail}"
    first, dash, last = span.partition("-")
    low = _mended_number(first, field)
    if not dash:
        return f"{low}{tail}"
    high = _mended_number(last, field)
    if _number(low, field) <= _number(high, field):
        return f"{low}-{high}{tail}"
    end = field.high - (field.name == "weekday")
    return (
        f"{low}-{end}{tail},{field.low}-{high}{tail}"
        if _number(low, field) <= end
        else f"{field.low}-{high}{tail}"
    )


def _mended_number(text: str, field: _Field) -> str:
    if text in field.numbers:
        return text
    if re.fullmatch("[0-9]+", text):
        number = int(text[:6])
        if field.name in ("hour", "minute") and number == field.high + 1:
            return str(field.low)
        return str(min(field.high, max(field.low, number)))
    from difflib import get_close_matches

    near = get_close_matches(text[:20], field.numbers, 1, 0.4) or [
        w for w in field.numbers if text.startswith(w)
    ]
    return near[0] if near else str(field.low)


def _longest(month: int) -> int:
    return calendar.monthrange(2024, month)[1]
