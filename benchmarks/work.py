"""The three kinds of work that every peer is given, and the trace each leaves.

An argument is a text of 200 bytes that begins with the job's number and, for
`nap`, the seconds it sleeps. A finished job appends a line `e NUMBER TIME_NS` to
the file BENCH_MARKS, a nap also `s NUMBER TIME_NS` when it starts; one write to
a file opened for appending is atomic and takes two microseconds.
"""

from __future__ import annotations

import os
import time

ARGUMENT_BYTES = 200
_marks: list[int] = []


def argument(number: int, seconds: float = 0.0) -> str:
    """Return the argument of a job."""
    return f"{number} {seconds:g} ".ljust(ARGUMENT_BYTES, "x")


def number_of(text: str) -> int:
    """Return the number of the job that has this argument."""
    return int(text.split(" ", 1)[0])


def mark(letter: str, text: str) -> None:
    """Append one line for the job that has this argument."""
    if not _marks:
        path = os.environ.get("BENCH_MARKS") or os.devnull
        _marks.append(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    os.write(_marks[0], b"%s %d %d\n" % (letter.encode(), number_of(text), time.time_ns()))


def noop(text: str) -> None:
    """Do nothing."""
    mark("e", text)


def shell(text: str) -> None:
    """Run `true` and wait for it."""
    import subprocess

    subprocess.run(["true"], check=True)
    mark("e", text)


def nap(text: str) -> None:
    """Sleep as long as the argument says."""
    mark("s", text)
    time.sleep(float(text.split(" ", 2)[1]))
    mark("e", text)


async def noop_async(text: str) -> None:
    """`noop` for the peers whose jobs are coroutines."""
    mark("e", text)


async def shell_async(text: str) -> None:
    """`shell` for the peers whose jobs are coroutines."""
    import asyncio

    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    mark("e", text)


async def nap_async(text: str) -> None:
    """`nap` for the peers whose jobs are coroutines."""
    import asyncio

    mark("s", text)
    await asyncio.sleep(float(text.split(" ", 2)[1]))
    mark("e", text)


WORK = {"noop": noop, "shell": shell, "nap": nap}
WORK_ASYNC = {"noop": noop_async, "shell": shell_async, "nap": nap_async}
