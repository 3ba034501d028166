"""Type a command line and look at what it prints."""

from __future__ import annotations

import json
import subprocess
import sys

RELAYQ = [sys.executable, "-m", "relayq"]


def relayq(*argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run one command line to its end."""
    return subprocess.run(
        [*RELAYQ, *argv], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


def printed(*argv: str, stdin: str = "") -> str:
    """The stdout of a command line that succeeds."""
    ended = relayq(*argv, stdin=stdin)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def objects(*argv: str) -> list[dict[str, object]]:
    """The JSON objects that a reading command prints."""
    return [json.loads(line) for line in printed(*argv, "--json").splitlines()]


def state_of(job: str) -> object:
    """The state that `show` tells."""
    return objects("show", job)[0]["state"]
