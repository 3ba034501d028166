"""Who may do what at a hub that somebody else runs, and who did: by signatures, and typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.e2e.command_line import objects, printed, relayq, state_of
from tests.support import eventually_sync


def test_a_worker_is_let_in_by_the_command_that_it_says(
    hub: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = printed("submit", "--", "true").strip()
    key = str(objects("keys")[0]["key"])
    there = ("worker", "--once", "--name", "pi", "--trust", key)

    monkeypatch.setenv("HOME", str(tmp_path))
    stranger = relayq(*there)
    assert (stranger.returncode, "is not enrolled in" in stranger.stderr) == (125, True)
    [command] = re.findall(r"`relayq (trust worker .*?)`", stranger.stderr)

    monkeypatch.setenv("HOME", str(home))
    let_in = relayq(*shlex.split(command))
    assert (let_in.returncode, "may run the jobs of fleet" in let_in.stderr) == (0, True)

    monkeypatch.setenv("HOME", str(tmp_path))
    assert relayq(*there).returncode == 0
    monkeypatch.setenv("HOME", str(home))
    assert state_of(job) == "SUCCEEDED"

    printed("revoke", "pi")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "a key that was revoked comes in no more" in relayq(*there).stderr


@pytest.mark.parametrize("option", [(), ("--kill",)])
def test_a_running_job_is_ended_by_an_order_that_counts(served: None, option: tuple[str, ...]) -> None:
    job = printed("submit", "--", "exec tail -f /dev/null").strip()
    eventually_sync(lambda: state_of(job) == "RUNNING", "it runs")
    printed("cancel", job, *option)
    [order] = [one for one in objects("trust", "orders") if one["order"] == "cancel"]
    assert (order["subject"], order["by"], order["alarm"]) == (job, "the owner", "")
