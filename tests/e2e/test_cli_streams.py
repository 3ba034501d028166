"""The command line where its streams are not what one is used to: closed, or in an old encoding."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import termios

import pytest

from relayq.cli.output import fitted
from tests.e2e.command_line import RELAYQ, printed

BYTES = b"echo caf\xe9 \xff"


def typed(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """What a shell makes of `relayq` and the rest of a line."""
    return subprocess.run(
        f"{shlex.join(RELAYQ)} {line}",
        shell=True,
        capture_output=True,
        env=os.environ | environment,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_none_to_stumble_over(hub: str, closed: str) -> None:
    ended = typed(f"submit --name closed -- true {closed}")
    assert (ended.returncode, ended.stdout.count(b"\n")) == (0, ">" not in closed.replace("2>", ""))
    assert b"Traceback" not in ended.stderr
    assert printed("jobs", "-n", "1").count("closed") == 1


def test_an_error_does_not_turn_into_a_result_where_stderr_is_closed(hub: str) -> None:
    ended = typed("nonsense 2>&-")
    assert (ended.returncode, ended.stdout) == (2, b"")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_a_job_of_strange_bytes_is_listed_in_any_encoding(hub: str, encoding: str) -> None:
    subprocess.run([*map(os.fsencode, RELAYQ), b"submit", b"--", BYTES], check=True, timeout=60)
    for line in ("jobs", "jobs --json"):
        ended = typed(line, PYTHONIOENCODING=f"{encoding}:strict")
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert b"echo caf" in ended.stdout
    assert os.fsencode(json.loads(ended.stdout)["command"]) == BYTES


def test_a_job_goes_on_when_nobody_reads_its_output_any_more(served: None) -> None:
    ended = typed("run -- 'while sleep 0.1; do echo tick; done' | head -n 1")
    assert ended.stdout == b"tick\n"
    [job] = [json.loads(line) for line in printed("jobs", "--json").splitlines()]
    assert f"nobody reads on, job {job['id']} goes on" in ended.stderr.decode()
    printed("cancel", job["id"])


def on_a_terminal(columns: int, *words: str) -> list[str]:
    """The lines that a command draws on a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment["TERM"] = "xterm"
    subprocess.run([*RELAYQ, *words], stdout=theirs, env=environment, check=True, timeout=60)
    os.close(theirs)
    drawn = b""
    try:
        while piece := os.read(ours, 65536):
            drawn += piece
    except OSError:  # what a terminal says when nobody has it open any more
        os.close(ours)
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", drawn.decode()).splitlines()]


@pytest.mark.parametrize("columns", [30, 60, 80])
def test_an_id_can_be_read_on_the_narrowest_terminal(hub: str, columns: int) -> None:
    job = printed(
        "submit", "--name", "a name that is far longer than anything has room for", "--", "true"
    ).strip()
    [head, row] = on_a_terminal(columns, "jobs")
    assert head.startswith("ID ") and row.startswith(f"{job[-6:]}  ")
    assert ("RUNNABLE" in row) == (columns == 80)
    assert max(len(head), len(row)) <= columns


@pytest.mark.parametrize(
    ("room", "widths"),
    [(40, [6, 8, 20]), (30, [6, 8, 16]), (20, [6, 7, 7]), (15, [6, 5, 4]), (7, [5, 1, 1]), (1, [1, 1, 1])],
)
def test_the_widest_columns_give_way_first_and_the_id_last(room: int, widths: list[int]) -> None:
    assert sorted(fitted([6, 8, 20], room)) == sorted(widths)
    assert fitted([6, 8, 20], room)[0] == widths[0]
