"""Run a part of the suite on code in which one mistake has been made, and see whether it notices."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 300


class Named(Protocol):
    """A mistake that can be asked for by its name."""

    @property
    def name(self) -> str: ...


M = TypeVar("M", bound=Named)


def named(mutants: Sequence[M], name: str) -> M:
    """The mutant with this name."""
    return next(mutant for mutant in mutants if mutant.name == name)


def sample(mutants: Sequence[M], count: int, seed: int) -> list[M]:
    """So many of them, by chance."""
    return random.Random(seed).sample(list(mutants), count)


def try_out(mutants: Sequence[M], survives: Callable[[M], bool], of: str) -> int:
    """What the command line asks for: mutants by name, a sample, or all; 1 if any survives, else 0.

    Each runs in a process of its own, so as many run at once as there are cores.
    """
    parser = argparse.ArgumentParser(description=f"Which mistakes in {of} go unnoticed?")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--sample", type=int, metavar="N", help="only N of them")
    parser.add_argument("--seed", type=int, metavar="S", help="which N (else by chance)")
    asked = parser.parse_args()
    unknown = set(asked.names) - {mutant.name for mutant in mutants}
    if unknown:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in mutants if not asked.names or mutant.name in asked.names]
    if asked.sample:
        seed = random.SystemRandom().randrange(1000) if asked.seed is None else asked.seed
        print(f"seed {seed}")
        chosen = sample(chosen, asked.sample, seed)
    alive = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, lives in zip(chosen, pool.map(survives, chosen), strict=True):
            alive += lives
            print(f"{'SURVIVES' if lives else 'killed  '}  {mutant.name}", flush=True)
    print(f"{len(chosen) - alive} of {len(chosen)} mutants of {of} are killed")
    return 1 if alive else 0


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
