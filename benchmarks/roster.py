"""Who is measured: each peer, where it comes from, and the environment it runs in.

The peers do not share one environment: arq wants redis-py below 6, SAQ below 8,
taskiq-redis 8. So they are no extra of RelayQ, which uv could not resolve: a peer that
is installed beside the benchmark is used from there, and each of the others gets a
virtual environment of its own in the user's cache, made once.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One column. `module` is its adapter in `benchmarks.peers`; one that is `alone` has no Redis.

    A `slow` one takes much time: a quick run leaves it out.
    """

    name: str
    title: str
    module: str
    distribution: str
    requirements: tuple[str, ...] = ()
    note: str = ""
    alone: bool = False
    slow: bool = False


ROSTER = (
    Entry(name="relayq", title="RelayQ", module="relayq", distribution="relayq",
          note="signed specs, keeper, logs, spool: as installed"),
    Entry(name="rq", title="RQ", module="rq", distribution="rq", requirements=("rq>=2.0",),
          note="`rq worker`, which forks for each job; N at once are N workers"),
    Entry(name="rq-simple", slow=True, title="RQ Simple", module="rq_simple", distribution="rq",
          requirements=("rq>=2.0",), note="`rq worker -w rq.SimpleWorker`, no fork; N at once are N workers"),
    Entry(name="arq", slow=True, title="arq", module="arq", distribution="arq", requirements=("arq>=0.26",),
          note="`arq`, max_jobs N; its result is polled every 10 ms (its default is 500)"),
    Entry(name="saq", title="SAQ", module="saq", distribution="saq",
          requirements=("saq[redis]>=0.18", "typing_extensions"),  # which it imports and does not ask for
          note="`saq`, concurrency N"),
    Entry(name="dramatiq", title="dramatiq", module="dramatiq", distribution="dramatiq",
          requirements=("dramatiq[redis]>=1.17",), note="`dramatiq --processes 1 --threads N`, results kept"),
    Entry(name="huey", title="huey", module="huey", distribution="huey",
          requirements=("huey>=2.5", "redis>=5"), note="`huey_consumer -k thread -w N`, results kept"),
    Entry(name="celery", slow=True, title="Celery", module="celery", distribution="celery",
          requirements=("celery[redis]>=5.4",), note="`celery worker -c N` (prefork), results kept"),
    Entry(name="taskiq", slow=True, title="taskiq", module="taskiq", distribution="taskiq-redis",
          requirements=("taskiq-redis>=1.0",),
          note="ListQueueBroker, `taskiq worker --workers 1 --max-async-tasks N`; result polled every 10 ms"),
    Entry(name="bullmq", title="BullMQ", module="bullmq", distribution="bullmq",
          requirements=("bullmq>=2.10",),
          note="the Python port, concurrency N; it has no worker command, so a script of ten lines runs it"),
    Entry(name="hyperqueue", title="HyperQueue", module="hyperqueue", distribution="hyperqueue",
          requirements=("hyperqueue>=0.19",), alone=True,
          note="no Redis: its own server and worker in Rust, in memory; only where it has the row"),
)  # fmt: skip

RELAYQ = "relayq"


def chosen(names: str, *, quick: bool = False) -> list[Entry]:
    """Return the entries named in a comma-separated list; for an empty one all, or those of a quick run."""
    if not names:
        return [entry for entry in ROSTER if not (quick and entry.slow)]
    known = {entry.name: entry for entry in ROSTER}
    wanted = names.split(",")
    if unknown := [name for name in wanted if name not in known]:
        raise SystemExit(f"there is no peer {unknown[0]!r}: choose among {', '.join(known)}")
    return [known[name] for name in wanted]


@cache
def python_for(entry: Entry) -> str:
    """Return the interpreter that has the peer, making its environment when there is none."""
    if _installed_here(entry.distribution):
        return sys.executable
    home = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "relayq-bench" / entry.distribution
    )
    python = home / "bin" / "python"
    if _version(str(python), entry.distribution) is None:
        print(f"making an environment for {entry.title}: {home}", flush=True)
        venv.create(home, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *entry.requirements], check=True)
    return str(python)


def version_of(entry: Entry) -> str:
    """Return the version of the peer that is measured."""
    return _version(python_for(entry), entry.distribution) or "?"


def _installed_here(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _version(python: str, distribution: str) -> str | None:
    ask = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
    try:
        done = subprocess.run([python, "-c", ask, distribution], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
