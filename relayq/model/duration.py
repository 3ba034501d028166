"""Read and write durations, sizes and moments: `90s`, `1h30m`, `512M`, `2026-11-24T03:00:00Z`.

There are two ways out: `spell_*` is exact and reads back as the same number,
`format_*` is rounded for people.
"""

from __future__ import annotations

import re
from operator import mul

from relayq.errors import SpecError
from relayq.model.reading import shown

MAX_DURATION_MS = 3660 * 86_400_000
MAX_SIZE_BYTES = 1 << 60
MAX_MOMENT_MS = 253_402_300_799_999  # the end of the year 9999

_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_UNITS_BYTES = {"P": 1 << 50, "T": 1 << 40, "G": 1 << 30, "M": 1 << 20, "K": 1 << 10, "": 1}
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_DURATION = "".join(f"(?:{_NUMBER}{unit})?" for unit in _UNITS_MS)
_SIZE = _NUMBER + r" ?([KMGTP]?)(?:i?B)?"
_MAX_TEXT = 40


def parse_duration_ms(value: object, field: str = "duration") -> int:
    """Milliseconds of `"90s"`, `"1h30m"`, `"250ms"`, a number of seconds (`90`, `"90"`) or a timedelta."""
    seconds = _seconds(value)
    if seconds is None:
        raise SpecError(
            f"{shown(value)} is not a duration: write 90s, 15m, 1h30m, 2h or 3d (field '{field}')"
        )
    if not 0 <= seconds * 1000 <= MAX_DURATION_MS:
        raise SpecError(f"{shown(value)} is out of range: a duration is 0 to 3660d (field '{field}')")
    ms = round(seconds * 1000)
    if seconds and not ms:
        raise SpecError(f"{shown(value)} is too short: a duration is 0 or at least 1ms (field '{field}')")
    return ms


def spell_duration(ms: int) -> str:
    """The exact duration, largest unit first: `1h30m`, `250ms`, `0s`."""
    parts = []
    for unit, factor in _UNITS_MS.items():
        count, ms = divmod(ms, factor)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def format_duration(ms: int) -> str:
    """The duration for people, in its two largest units: `0.4s`, `12s`, `2m41s`, `3d04h`."""
    if ms < 0:
        return "-" + format_duration(-ms)
    seconds = ms // 1000
    if seconds < 10:
        return f"{ms // 100 / 10:.1f}s"
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    if seconds < 86_400:
        return f"{seconds // 3600}h{seconds // 60 % 60:02d}m"
    return f"{seconds // 86_400}d{seconds // 3600 % 24:02d}h"


def parse_size(value: object, field: str = "size") -> int:
    """Bytes of `"512M"`, `"1.5G"`, `"2GiB"` or a number of bytes; units are powers of 1024."""
    size = _bytes(value)
    if size is None:
        raise SpecError(f"{shown(value)} is not a size: write 512M, 1.5G or bytes (field '{field}')")
    if not 0 <= size <= MAX_SIZE_BYTES:
        raise SpecError(f"{shown(value)} is out of range: a size is 0 to 1024P (field '{field}')")
    return size


def spell_size(size: int) -> str:
    """The exact size in the largest unit that divides it: `1G`, `1536M`, `1000`."""
    for unit, factor in _UNITS_BYTES.items():
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return "0"


def format_size(size: int) -> str:
    """The size for people: `17B`, `1.1M`, `512M`."""
    scaled, unit = float(size), "B"
    for unit in "BKMGTP":
        if scaled < 999.5 or unit == "P":
            break
        scaled /= 1024
    digits = 0 if unit == "B" or scaled >= 9.95 else 1
    return f"{scaled:.{digits}f}{unit}"


def parse_moment_ms(value: object, field: str = "at") -> int:
    """Milliseconds since 1970 of an ISO 8601 time with its zone, or of a number of seconds since 1970."""
    if isinstance(value, str):
        seconds = _iso_seconds(value.strip(), field)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = value
    else:
        raise SpecError(f"{shown(value)} is not a time (field '{field}')")
    if not 0 < seconds * 1000 <= MAX_MOMENT_MS:
        raise SpecError(
            f"{shown(value)} is out of range: a time is after 1970 and before 10000 (field '{field}')"
        )
    return round(seconds * 1000)


def spell_moment(ms: int) -> str:
    """The exact time in UTC: `2026-11-24T03:00:00Z`."""
    from datetime import datetime, timedelta, timezone

    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds" if ms % 1000 else "seconds") + "Z"


def _iso_seconds(text: str, field: str) -> float:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SpecError(
            f"{shown(text)} is not a time: write 2026-11-24T03:00:00Z (field '{field}')"
        ) from None
    if moment.tzinfo is None:
        raise SpecError(f"{shown(text)} has no zone: add Z or an offset like +01:00 (field '{field}')")
    return moment.timestamp()


def _seconds(value: object) -> float | None:
    """The duration in seconds, None when it is none."""
    if isinstance(value, str):
        return _spelled_seconds(value.strip())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return min(value, MAX_DURATION_MS)
    total = getattr(value, "total_seconds", None)
    return float(total()) if callable(total) else None


def _spelled_seconds(text: str) -> float | None:
    if not text or len(text) > _MAX_TEXT:
        return None
    if re.fullmatch(_NUMBER, text):
        return float(text)
    match = re.fullmatch(_DURATION, text)
    if not match:
        return None
    total: float = sum(map(mul, map(float, match.groups("0")), _UNITS_MS.values()))
    return total / 1000


def _bytes(value: object) -> int | None:
    """The size in bytes, None when it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        return None
    match = re.fullmatch(_SIZE, value.strip(), re.IGNORECASE)
    if not match:
        return None
    number, factor = match[1], _UNITS_BYTES[match[2].upper()]
    return round(float(number) * factor) if "." in number else int(number) * factor
