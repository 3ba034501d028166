"""Run RelayQ with a wrong wall clock where the machine has no faketime: `python clock.py SECONDS ARGS...`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

DAY_S = 86_400
UNFAKED = "FAKETIME_DONT_FAKE_MONOTONIC=1"


def off_by(seconds: int) -> tuple[str, ...]:
    """The command that becomes a Python program, named by its argv, whose clock is off by so much."""
    faketime = shutil.which("faketime")
    if faketime is None:
        return (sys.executable, __file__, str(seconds))
    return ("env", f"LD_PRELOAD={library_of(faketime)}", f"FAKETIME={seconds:+d}s", UNFAKED)


def library_of(faketime: str) -> str:
    """What faketime has preloaded; itself it stays the parent and passes no signals on."""
    asked = (faketime, "--exclude-monotonic", "-f", "+0", "printenv", "LD_PRELOAD")
    return subprocess.check_output(asked, text=True).strip()


def main() -> int:
    """Move the clock of this interpreter, then be `python -m relayq` with the rest of the arguments."""
    offset_s = int(sys.argv[1])
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + offset_s
    time.time_ns = lambda: right_ns() + offset_s * 10**9
    sys.argv = sys.argv[4:]  # python -m relayq ...
    from relayq.cli.main import main as relayq

    return relayq(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
