"""The command line where its streams are not what one is used to: closed, or in an old encoding."""

from __future__ import annotations

import json
import os
import shlex
import subprocess

import pytest

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
