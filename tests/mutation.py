"""Run a part of the suite in a fresh interpreter in which a plug-in has made one mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 300


def passes(mutant: str, *, plugin: str, variable: str, suite: Sequence[Path | str]) -> bool:
    """Whether the suite passes all the same. One that cannot run at all is an error.

    `plugin` is the module that makes the mistake; it finds the mutant's name in `variable`.
    """
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-n0",
            "-p",
            plugin,
            "-p",
            "no:cacheprovider",
            *map(str, suite),
        ],
        cwd=ROOT,
        env={**os.environ, variable: mutant},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if run.returncode not in (0, 1):
        raise RuntimeError(f"{mutant}: the suite did not run\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return run.returncode == 0
