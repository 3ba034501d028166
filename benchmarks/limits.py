"""The physical limits: what the machine allows when there is no queue at all.

A bare interpreter, a plain socket, a loop that spawns `true`. Whoever is close to
these has nothing left to gain; they are measured in the same run as the peers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from benchmarks.bench import Bench, Stage
from benchmarks.figures import median
from benchmarks.resp import Connection, encode
from benchmarks.roster import Entry
from benchmarks.work import argument

LIMIT = Entry(name="limit", title="limit", module="", distribution="")
ONE_COMMAND = """
import socket, sys
link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
link.sendall(b"*3\\r\\n$5\\r\\nLPUSH\\r\\n$1\\r\\nq\\r\\n$1\\r\\nx\\r\\n")
link.recv(64)
"""
BATCH = 500
POP = 16
ELEMENTS = 1000


def measure(bench: Bench) -> dict[str, float]:
    """Return the limits by row key."""
    with bench.stage(LIMIT) as stage:
        near = stage.server.port
        return {
            "cold": _cold_ms(near, bench.few(9, 3)),
            "cold_far": _cold_ms(stage.link(50).port, bench.few(9, 3)),
            "warm": _push_ms(near, bench.few(1000, 200)),
            "bulk": _pushes_a_second(near, bench.few(100_000, 20_000)),
            "drain_noop": _pops_a_second(near, bench.few(50_000, 10_000)),
            "drain_shell": _spawns_a_second(bench.few(1000, 200)),
            "fanout": 1000 * _wake_s(stage),
            "latency": _bare_queue_ms(near, bench.few(100, 30)),
            "latency_far": _bare_queue_ms(stage.link(50).port, bench.few(10, 4)),
            "memory_queued": _entry_bytes(stage),
            "idle_memory": _interpreter_mb(),
        }


def _cold_ms(port: int, count: int) -> float:
    """A bare interpreter that sends one command over a plain socket."""
    argv = [sys.executable, "-S", "-E", "-c", ONE_COMMAND, str(port)]
    return 1000 * median([_seconds(lambda: subprocess.run(argv, check=True)) for _ in range(count)])


def _push_ms(port: int, count: int) -> float:
    """One command and its answer."""
    link = Connection(port)
    return 1000 * median([_seconds(lambda: link.call("LPUSH", "warm", argument(0))) for _ in range(count)])


def _pushes_a_second(port: int, count: int) -> float:
    """Commands of 200 bytes, 500 to a round trip."""
    link, batch = Connection(port), [encode("LPUSH", "bulk", argument(0))] * BATCH
    return count / _seconds(lambda: [link.pipeline(batch) for _ in range(count // BATCH)])


def _pops_a_second(port: int, count: int) -> float:
    """Entries taken out of a list, 16 to a round trip."""
    link = Connection(port)
    for _ in range(count // BATCH):
        link.pipeline([encode("LPUSH", "pop", argument(0))] * BATCH)
    return count / _seconds(lambda: [link.call("LPOP", "pop", POP) for _ in range(count // POP)])


def _spawns_a_second(count: int) -> float:
    """`true` run again and again, by as many threads as there are CPUs."""
    cpus = os.cpu_count() or 1
    threads = [threading.Thread(target=_spawn, args=(count // cpus,)) for _ in range(cpus)]

    def all_of_them() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return count / _seconds(all_of_them)


def _spawn(count: int) -> None:
    for _ in range(count):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)


def _wake_s(stage: Stage) -> float:
    """A push that wakes a reader behind a link of 100 ms."""
    far, near = Connection(stage.link(100).port), stage.server.connect()
    woken: list[float] = []

    def wait() -> None:
        far.call("BLPOP", "wake", 20)
        woken.append(time.perf_counter())

    reader = threading.Thread(target=wait)
    reader.start()
    time.sleep(0.5)  # until it waits
    begin = time.perf_counter()
    near.call("LPUSH", "wake", "x")
    reader.join()
    return woken[0] - begin


def _bare_queue_ms(port: int, count: int) -> float:
    """Two lists and a spawn: the least that can be called submit, run and result."""
    submitter, worker = Connection(port), Connection(port)

    def work() -> None:
        for _ in range(count):
            worker.call("BLPOP", "todo", 20)
            _spawn(1)
            worker.call("LPUSH", "done", "0")

    running = threading.Thread(target=work)
    running.start()
    ask = [encode("LPUSH", "todo", "true"), encode("BLPOP", "done", "20")]
    taken = [_seconds(lambda: submitter.pipeline(ask)) for _ in range(count)]
    running.join()
    return 1000 * median(taken)


def _entry_bytes(stage: Stage) -> float:
    """A list entry with the same argument."""
    link = stage.server.connect()
    before = stage.server.memory()
    link.pipeline([encode("LPUSH", "memory", argument(number)) for number in range(ELEMENTS)])
    return (stage.server.memory() - before) / ELEMENTS


def _interpreter_mb() -> float:
    """The resident memory of an interpreter that does nothing."""
    ask = "print(next(line for line in open('/proc/self/status') if line.startswith('VmRSS')))"
    done = subprocess.run([sys.executable, "-S", "-E", "-c", ask], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[1]) * 1024 / 1e6


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
