"""Moments as GitHub writes them, `2026-11-28T10:40:00Z`, as ms since 1970 and back."""

from __future__ import annotations

from datetime import UTC, datetime


def moment_ms(text: object) -> int:
    """The moment in ms since 1970; 0 for none."""
    if not isinstance(text, str):
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def spelled(ms: int) -> str:
    """A moment as GitHub reads it, in whole seconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
