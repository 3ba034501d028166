"""What the command line says when something is not as it should be."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.command_line import RELAYQ, printed, relayq


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


def test_a_hub_that_is_not_there_is_no_dead_end(home: Path) -> None:
    for words in (["jobs"], ["run", "--", "true"], ["submit", "--", "true"], ["workers"]):
        options, dashes, command = words[:1], words[1:2], words[2:]
        ended = relayq(*options, "--url", "redis://127.0.0.1:1", *dashes, *command)
        assert ended.returncode == 125
        assert ended.stderr == (
            "relayq: hub redis://127.0.0.1:1 cannot be reached: Connection refused; check the address "
            "(`relayq config show`) and the network, then try again\n"
        )


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
