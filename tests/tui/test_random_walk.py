"""Whatever keys are pressed on a real hub, in whatever haste, the terminal UI stays.

The keys come from a seed, through a real terminal, with jobs that run, print and end
meanwhile. Only those that leave are not among them.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import eventually_sync
from tests.tui.test_pty import RUN, Terminal

KEYS = [
    *"123456jkgGlditfszv*U!RCKPEDHXMAuUrpoWwnNe[]mMhya:;?/FLST+-0=x 7",
    "\x1b", "\x1b", "\x1b", "\r", "\r", "\t", "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[Z", "\x1bOP",
    "\x04", "\x15", "\x1b[<0;10;8M\x1b[<0;10;8m", "\x1b[<0;40;1M\x1b[<0;40;1m", "\x1b[<65;20;20M",
    "Cul\x1b", "l\x1b", "/x\r",
]  # fmt: skip
JOBS = (
    "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; echo error $i >&2; done; exit 3",
    "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo $i; read -t 0.05 x < /dev/zero; done",
    "true",
)
ROUNDS, MOST_AT_ONCE, PACE_S = 150, 6, 0.1


@pytest.fixture
def hub(home: Path) -> Iterator[Path]:
    """The private hub with a worker, and jobs; exports go into its directory."""
    relayq("up")
    for name, command in enumerate(JOBS * 4):
        relayq("submit", "--name", f"job-{name}", "--", command)
    yield home
    relayq("down")


def relayq(*words: str) -> None:
    """A command, as a user would type it."""
    subprocess.run([sys.executable, "-m", "relayq", *words], check=True, capture_output=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_walk_over_the_keys_ends_it(hub: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(hub)
    monkeypatch.delenv("TMUX", raising=False)
    dice = random.Random(seed)
    made = Terminal(RUN)
    try:
        eventually_sync(lambda: made.shows("job-11"), "the jobs are there")
        for _ in range(ROUNDS):
            made.press("".join(dice.choices(KEYS, k=dice.randint(1, MOST_AT_ONCE))).encode())
            made.read_for(PACE_S)
        made.press(b"\x11")
        eventually_sync(made.has_ended, "it leaves when it is told to", timeout_s=60)
        assert made.code == 0, made.out[-6_000:].decode("utf-8", "replace")
    finally:
        made.close()
    assert b"Traceback" not in made.out
