"""Who works how long for one job: `python -m benchmarks.shares [COUNT] [SLOTS]`.

A drain of shell `true`: the CPU time of the worker, of its keeper, of the commands and of the
server for each job, by /proc, and the rate. It prints a line and writes nothing. A busy machine
makes everything dearer, so two commits are measured in turns, and the smallest figures compared.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from benchmarks.bench import Bench, Stage
from benchmarks.processes import Program, buried_ns, command_of, cpu_ns
from benchmarks.roster import RELAYQ, chosen

FIRST = 50


def main(count: int = 3000, slots: int = 16) -> None:
    """Drain, and print what each has taken."""
    bench = Bench(quick=False)
    try:
        with bench.stage(chosen(RELAYQ)[0]) as stage:
            shares, rate = _drained(stage, count, slots)
    finally:
        bench.close()
    shown = "  ".join(f"{who} {ns / count / 1e6:.3f}" for who, ns in shares.items())
    print(f"{shown}  in all {sum(shares.values()) / count / 1e6:.3f} ms a job, {rate:.0f} jobs/s")


def _drained(stage: Stage, count: int, slots: int) -> tuple[dict[str, int], float]:
    program = stage.work(slots)
    stage.drive("fill", "shell", 0, FIRST)
    stage.until(lambda: stage.ended("shell") >= FIRST, program)
    worker, keeper = _pid_of(program, b"--headless"), _pid_of(program, b"keeper.py")
    os.kill(worker, signal.SIGSTOP)  # until everything waits
    stage.drive("fill", "shell", FIRST, FIRST + count)
    before, begin = _shares(stage, worker, keeper), time.perf_counter()
    os.kill(worker, signal.SIGCONT)
    while stage.ended("shell") < FIRST + count:
        time.sleep(0.02)
    seconds = time.perf_counter() - begin
    after = _shares(stage, worker, keeper)
    return {who: after[who] - ns for who, ns in before.items()}, count / seconds


def _shares(stage: Stage, worker: int, keeper: int) -> dict[str, int]:
    return {
        "worker": cpu_ns(worker),
        "keeper": cpu_ns(keeper),
        "commands": buried_ns(keeper),
        "server": cpu_ns(stage.server.process.pid),
    }


def _pid_of(program: Program, word: bytes) -> int:
    return next(pid for pid in program.tree() if word in command_of(pid))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
