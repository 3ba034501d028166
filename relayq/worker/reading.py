"""Read what the system tells of itself: small files, and what a system program prints.

A file that is missing and a program that fails read as nothing: a fact less, never an
error.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

ASK_TIMEOUT_S = 10


def read(path: Path) -> str:
    """The text of a small file without its last newline; "" when it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def subdirectories(path: Path) -> Iterator[Path]:
    """The entries of a directory in /sys, in order; none when there is no such directory."""
    try:
        yield from sorted(path.iterdir())
    except OSError:
        return


def ask(*argv: str) -> str:
    """What a system program prints; "" when it is missing, fails or hangs."""
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
