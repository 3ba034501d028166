"""The systems of hosted runners, and what a minute on each counts: the one place that knows.

A minute of Windows counts 2 and one of macOS 10 of those included (the multipliers of the
documentation until autumn 2025; the page of 2026 gives prices alone). Whether a minute of
`ubuntu-slim` counts 1 or less is unresolved: 1 is taken. A step reads this file with
Python 3.9 too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FACTORS = {"linux": 1, "slim": 1, "windows": 2, "macos": 10}
SELF_HOSTED = "self-hosted"
# How a runner calls its system in RUNNER_OS.
RUNNER_OS = {"Linux": "linux", "Windows": "windows", "macOS": "macos"}
_STARTS = (
    ("ubuntu-slim", "slim"),
    ("ubuntu", "linux"),
    ("linux", "linux"),
    ("windows", "windows"),
    ("macos", "macos"),
)


def system_of(labels: Iterable[str]) -> str:
    """`linux`, `slim`, `windows`, `macos`, `self-hosted`, or `` for a runner with a name of its own."""
    words = [label.lower() for label in labels]
    if SELF_HOSTED in words:
        return SELF_HOSTED
    for word in words:
        for start, system in _STARTS:
            if word.startswith(start):
                return system
    return ""


def factor_of(system: str) -> int:
    """Included minutes for a minute; 0 on hardware of one's own, and what is not known counts as Linux."""
    return 0 if system == SELF_HOSTED else FACTORS.get(system, 1)
