"""Decide whether a failed attempt is followed by another one.

The policy is AWS Batch's, made small: `attempts` counts all attempts, not the extra
ones; `stop_on` wins over `retry_on`; without `retry_on` every exit code is retried,
while a timeout or a refusal is retried only where it is named, because it rarely
ends otherwise the second time. The worker decides from the signed spec; the hub
draws the wait before the next attempt from [0, min(cap, backoff * 2^(failures-1))].
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from relayq.errors import SpecError
from relayq.model.duration import MAX_DURATION_MS, parse_duration_ms, spell_duration
from relayq.model.reading import check_int, read_list

MAX_ATTEMPTS = 10
MAX_PATTERNS = 16
BACKOFF_MS = 1_000
BACKOFF_CAP_MS = 600_000

# Ends that are no exit of the command itself; their exit codes are the killer's and match no code.
REASONS = ("timeout", "refused")

RETRY_FIELDS = ("attempts", "backoff", "backoff_cap", "retry_on", "stop_on")


class RetryPolicy(NamedTuple):
    """`attempts` in all, and after which ends: codes `75`, ranges `100-110`, `timeout`, `refused`."""

    attempts: int = 1
    backoff_ms: int = BACKOFF_MS
    cap_ms: int = BACKOFF_CAP_MS
    retry_on: tuple[str, ...] = ()
    stop_on: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> RetryPolicy:
        """Read the RETRY_FIELDS of a job spec; other fields are not looked at.

        Without a cap there is one of ten minutes, or of the backoff where that is longer.
        """
        backoff_ms = parse_duration_ms(mapping.get("backoff", BACKOFF_MS / 1000), "backoff")
        cap = mapping.get("backoff_cap", max(backoff_ms, BACKOFF_CAP_MS) / 1000)
        return cls(
            attempts=mapping.get("attempts", 1),
            backoff_ms=backoff_ms,
            cap_ms=parse_duration_ms(cap, "backoff_cap"),
            retry_on=parse_patterns(mapping.get("retry_on", ()), "retry_on"),
            stop_on=parse_patterns(mapping.get("stop_on", ()), "stop_on"),
        )

    def to_dict(self) -> dict[str, object]:
        """What differs from the default, under the names of the job spec."""
        fields: dict[str, object] = {}
        if self.attempts != 1:
            fields["attempts"] = self.attempts
        if self.backoff_ms != BACKOFF_MS:
            fields["backoff"] = spell_duration(self.backoff_ms)
        if self.cap_ms != max(self.backoff_ms, BACKOFF_CAP_MS):
            fields["backoff_cap"] = spell_duration(self.cap_ms)
        if self.retry_on:
            fields["retry_on"] = list(self.retry_on)
        if self.stop_on:
            fields["stop_on"] = list(self.stop_on)
        return fields

    def check(self) -> None:
        """Refuse numbers out of bounds and patterns that `parse_patterns` would have written otherwise."""
        check_int(self.attempts, "attempts", 1, MAX_ATTEMPTS)
        check_int(self.backoff_ms, "backoff", 0, MAX_DURATION_MS)
        check_int(self.cap_ms, "backoff_cap", 0, MAX_DURATION_MS)
        for field, patterns in (("retry_on", self.retry_on), ("stop_on", self.stop_on)):
            if patterns and parse_patterns(patterns, field) != patterns:
                raise SpecError(f"{patterns!r} is not canonical: use parse_patterns (field '{field}')")


NO_RETRY = RetryPolicy()


def decide(policy: RetryPolicy, failures: int, exit_code: int, reason: str = "exit") -> bool:
    """Is there another attempt after `failures` failed ones, this one included? Crashes do not count."""
    if failures >= policy.attempts or _matches(policy.stop_on, exit_code, reason):
        return False
    if policy.retry_on:
        return _matches(policy.retry_on, exit_code, reason)
    return reason not in REASONS


def parse_patterns(value: object, field: str = "retry_on") -> tuple[str, ...]:
    """Read `"75,100-110,timeout"`, or a list of such texts and numbers, into single patterns."""
    items = [value] if isinstance(value, (str, int)) else read_list(value, field)
    words = [word.strip() for item in items for word in str(item).split(",")]
    if len(words) > MAX_PATTERNS:
        raise SpecError(f"{len(words)} patterns are too many: at most {MAX_PATTERNS} (field '{field}')")
    return tuple(dict.fromkeys(_pattern(word, field) for word in words))


def _pattern(word: str, field: str) -> str:
    """One pattern in canonical form: no leading zeros, a range of one is a code."""
    if word in REASONS:
        return word
    match = re.fullmatch(r"([0-9]{1,3})(?:-([0-9]{1,3}))?", word)
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= low <= high <= 255:
        raise SpecError(
            f"{word[:40]!r} is not an exit code from 1 to 255, a range like 100-110, "
            f"{' or '.join(REASONS)} (field '{field}')"
        )
    return str(low) if low == high else f"{low}-{high}"


def _matches(patterns: tuple[str, ...], exit_code: int, reason: str) -> bool:
    if reason in REASONS:
        return reason in patterns
    return any(_covers(pattern, exit_code) for pattern in patterns if pattern not in REASONS)


def _covers(pattern: str, exit_code: int) -> bool:
    low, _, high = pattern.partition("-")
    return int(low) <= exit_code <= int(high or low)
