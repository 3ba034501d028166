"""CPU time of the parts that have no terminal: prints milliseconds of ours and of the plain way.

`log`: a hundred thousand coloured lines come and a screenful of them is drawn; the
plain way is Textual's own RichLog, measured with a twentieth of the lines and counted
twenty times. `filter`: the dearest of six queries over a hundred thousand rows in
the columns of the store; the plain way is a list comprehension that looks for a text
in the names of as many objects.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from relayq.model.lifecycle import State
from relayq.query import parse
from relayq_tui.columns import Columns
from relayq_tui.listed import Newest
from relayq_tui.rows import JobRow
from relayq_tui.sieve import sift

ROWS = 100_000
SHARE = 20
QUERIES = (
    "prices",
    "state:failed",
    "queue:gpu state:done",
    "name:~^train",
    "cmd:rate dur:>5m",
    "(train OR scrape) -label:x",
)


def cpu_ms(work: Callable[[], object], times: int = 5) -> float:
    """Return the CPU milliseconds of some work, the least of a few runs."""
    found = []
    for _ in range(times):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found) * 1000


def log() -> tuple[float, float]:
    """Coloured lines."""
    from relayq_tui.widgets.ansi import decoded
    from relayq_tui.widgets.logbuffer import STDOUT, LogBuffer, Piece

    line = b"\x1b[32m12:00:00\x1b[0m step %d \x1b[1;33mloss\x1b[0m 0.1186\n"
    chunks = [
        Piece(STDOUT, b"".join(line % number for number in range(start, start + 100)))
        for start in range(0, ROWS, 100)
    ]

    def append() -> None:
        buffer = LogBuffer()
        for chunk in chunks:
            buffer.append([chunk])
        for number in range(len(buffer) - 40, len(buffer)):
            decoded(buffer.lines[number])

    return cpu_ms(append), _richlog() * SHARE


def _richlog() -> float:
    command = [sys.executable, "-m", "benchmarks.screens.minimal"]
    spent = []
    for lines in ("1", str(ROWS // SHARE)):
        before = _children_s()
        subprocess.run([*command, lines], stdin=subprocess.DEVNULL, capture_output=True, check=True)
        spent.append(_children_s() - before)
    return (spent[1] - spent[0]) * 1000


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows() -> list[JobRow]:
    """A hundred thousand rows as the hub's would be."""
    from benchmarks.screens.fleet import specs

    return [
        JobRow(
            id=f"{number:016}", name=spec.name, command=str(spec.command), queue=spec.queue,
            state=State.FAILED if number % 33 == 0 else State.SUCCEEDED, worker=f"pi{number % 4}",
            submitted_ms=1_000 * number, ready_ms=1_000 * number, started_ms=1_000 * number + 50,
            ended_ms=1_000 * number + number % 400_000, exit_code=0,
        )
        for number, spec in enumerate(specs(ROWS))
    ]  # fmt: skip


def filtered() -> tuple[float, float]:
    """Queries."""
    held, columns = rows(), Columns()
    for row in held:
        columns.put(row)
    newest = Newest(columns)
    own = max(cpu_ms(partial(sift, parse(text), newest, 10**9)) for text in QUERIES)
    return own, cpu_ms(lambda: [row for row in held if "prices" in row.name])


if __name__ == "__main__":
    print(*(log if sys.argv[1] == "log" else filtered)())
