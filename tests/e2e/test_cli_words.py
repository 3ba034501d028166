"""What the command line says when something is not as it should be."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.command_line import RELAYQ, printed, relayq, state_of
from tests.support import eventually_sync


def test_the_doctor_finds_a_broken_configuration(hub: str) -> None:
    file = Path(printed("config", "path").strip())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("bogus = [")
    ended = relayq("doctor", "--json")
    checks = {check["name"]: check for check in map(json.loads, ended.stdout.splitlines())}
    assert (ended.returncode, checks["config"]["verdict"]) == (1, "bad")
    assert "not valid TOML" in checks["config"]["found"]
    assert printed("config", "path").strip() == str(file)


def test_a_job_that_nobody_can_run_is_not_waited_for_in_silence(served: None) -> None:
    process = subprocess.Popen(
        [*RELAYQ, "run", "--needs", "attic", "--", "true"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    said = [process.stderr.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert "no worker can run it now" in said[0]
    assert "is submitted" in said[1]
    assert "waits: worker w1 has no label 'attic'" in said[2]


def test_a_job_for_nobody_is_named_at_the_private_hub_too(home: Path) -> None:
    printed("run", "-q", "--", "true")
    assert "no worker can run it" in relayq("submit", "--needs", "attic", "--", "true").stderr
    assert "no worker can run it" not in relayq("submit", "--", "true").stderr


def test_output_that_cannot_be_written_is_one_sentence(served: None) -> None:
    for words in (["run", "-q", "--", "echo x"], ["workers"]):
        with open("/dev/full", "w") as full:
            ended = subprocess.run(
                [*RELAYQ, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
            )
        assert ended.returncode == 125
        assert ended.stderr == "relayq: the output cannot be written: No space left on device\n"


def test_a_typed_address_or_id_that_makes_no_sense_is_a_usage_error(home: Path) -> None:
    ended = relayq("run", "--url", "http://x", "--", "true")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert relayq("show", "ab").returncode == 2


def test_a_directory_is_the_one_where_the_person_stands(served: None, tmp_path: Path) -> None:
    ended = subprocess.run(
        [*RELAYQ, "run", "-q", "--cwd", ".", "--", "pwd"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == f"{tmp_path.resolve()}\n"
    gone = tmp_path / "gone"
    missing = relayq("run", "--cwd", str(gone), "--", "pwd")
    assert missing.returncode == 126
    assert f"cannot work in '{gone}' on this worker: No such file or directory" in missing.stderr


def test_stdin_is_sent_along_when_it_is_asked_for(served: None) -> None:
    assert printed("run", "-q", "--stdin", "-", "--", "cat", stdin="piped") == "piped"


def test_down_stops_what_up_started_whichever_hub_is_configured_by_now(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert relayq("up").returncode == 0
    monkeypatch.setenv("RELAYQ_URL", "redis://127.0.0.1:1")
    assert "its jobs are kept" in relayq("down").stderr


@pytest.fixture
def short_deadline(home: Path) -> None:
    """Workers that give their jobs two seconds to end."""
    config = home / ".config/relayq/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[worker]\nstop_deadline = "2s"\n')


@pytest.mark.usefixtures("short_deadline")
def test_down_names_what_runs_and_stops_the_hub_as_well_when_the_deadline_is_over(home: Path) -> None:
    job = printed("submit", "--", "tail -f /dev/null").strip()
    eventually_sync(lambda: state_of(job) == "RUNNING")
    ended = relayq("down")
    assert ended.returncode == 0, ended.stderr
    waiting, left, on, hub = ended.stderr.splitlines()
    assert f"waiting up to 2.0s for job {job[-6:]} to end; `relayq down --kill`" in waiting
    assert "has left" in left
    assert f"job {job[-6:]} may go on without it" in on
    assert "its jobs are kept" in hub


def test_down_kill_waits_for_nothing_and_the_job_runs_again(home: Path) -> None:
    command = f"[ -e {home}/again ] || {{ touch {home}/again; tail -f /dev/null; }}"
    job = printed("submit", "--", command).strip()
    eventually_sync((home / "again").exists)
    ended = relayq("down", "--kill")
    assert (ended.returncode, "waiting" in ended.stderr) == (0, False), ended.stderr
    assert relayq("hub", "start").returncode == 0
    assert state_of(job) == "RUNNABLE"
    assert relayq("up").returncode == 0
    printed("wait", job)
    assert state_of(job) == "SUCCEEDED"
