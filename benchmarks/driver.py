"""Runs in a peer's own interpreter: `python -m benchmarks.driver MODULE VERB [ARGUMENTS AS JSON]`.

Every verb but `work` prints one JSON value: what the adapter's method of that
name returned. `work` becomes the peer's worker, with nothing of ours left in it.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.work import argument


def fill(peer, kind: str, begin: int, end: int, seconds: float = 0.0) -> tuple[float, float]:
    """Submit the jobs of a range of numbers; see the adapters' `fill`."""
    return peer.fill(kind, [argument(number, seconds) for number in range(begin, end)])


def work(peer, slots: int) -> None:
    """Become the peer's worker."""
    os.environ["BENCH_SLOTS"] = str(slots)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    argv = peer.worker(slots)
    os.execvp(argv[0], argv)


VERBS = {"fill": fill, "work": work}


def main(module: str, verb: str, arguments: str = "[]") -> None:
    """Call one method of a peer's adapter."""
    peer = import_module(f"benchmarks.peers.{module}").Peer()
    given = json.loads(arguments)
    answer = VERBS[verb](peer, *given) if verb in VERBS else getattr(peer, verb)(*given)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
