"""What the client makes of options, logs and records, without a hub."""

from __future__ import annotations

import json
import pickle
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayq.cli.exit_codes import FAILED, OK, TIMED_OUT
from relayq.cli.outcome import exit_code_of
from relayq.client.glance import glance, title_of
from relayq.client.result import Transcript, error_of, outcome_of
from relayq.client.specs import map_spec, on_label, spec_of, with_value
from relayq.errors import (
    GitHubLimited,
    GitHubUnavailable,
    JobCancelled,
    JobExpired,
    JobFailed,
    JobSkipped,
    OutputTruncated,
    Refused,
    SpecError,
)
from relayq.model.job import JobSpec
from relayq.model.lifecycle import State
from relayq.model.needs import Lane, lane_of
from relayq.store.fleet import nobody_serves
from relayq.store.records import End, LogEntry

NOW_MS = 1_700_000_000_000
SPEC = JobSpec(command="true")


def piece(position: int, data: bytes, *, attempt: int = 1, stream: int = 1) -> LogEntry:
    """One entry of a log."""
    return LogEntry(id=f"{position}-0", attempt=attempt, position=position, stream=stream, data=data)


def test_python_values_become_the_values_of_a_spec() -> None:
    spec = spec_of(
        ("ls", "-l"),
        {"needs": "mac, cpus=2", "timeout": timedelta(minutes=2), "cwd": Path("/tmp"), "at": None},
    )
    assert spec == JobSpec.from_dict(
        {"command": ["ls", "-l"], "needs": ["mac", "cpus=2"], "timeout": "2m", "cwd": "/tmp"}
    )


def test_a_job_waits_for_handles_and_ids_one_or_many() -> None:
    job = "0123456789ABCDEF"
    handle = SimpleNamespace(id=job)
    needed = spec_of("true", {"after": [job]}).after
    for after in (job, handle, [handle], (handle,), {"job": job}):
        assert spec_of("true", {"after": after}).after == needed
    with pytest.raises(SpecError, match="after"):
        spec_of("true", {"after": 5})


def test_a_datetime_is_a_time_to_start_at() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert spec_of("true", {"at": moment}).at_ms == int(moment.timestamp() * 1000)


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match="neds"):
        spec_of("true", {"neds": ["mac"]})


def test_a_label_joins_the_other_needs() -> None:
    assert spec_of("true", on_label("mac", {"needs": "cpus=2"})).needs.to_list() == ["mac", "cpus=2"]


def test_mapping_nothing_is_refused() -> None:
    with pytest.raises(SpecError, match="nothing to map"):
        map_spec("echo {}", [], {})
    for template in ("echo", ["echo", "x"]):
        with pytest.raises(SpecError, match="no place for the items"):
            map_spec(template, ["a"], {})
    assert map_spec("echo $RELAYQ_ARRAY_VALUE", ["a"], {}).array


@settings(deadline=None)  # each example starts four shells
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20))
def test_the_value_of_an_element_is_one_word_however_the_template_quotes_it(value: str) -> None:
    templates = ("printf '%s.' {} x{}y", 'printf \'%s.\' "{}" "x{}y"', "printf '%s.' '{}' 'x{}y'")
    for template in (*templates, ["printf", "%s.", "{}", "x{}y"]):
        assert shell(with_value(template), value) == f"{value}.x{value}y.".encode()


def shell(line: str, value: str) -> bytes:
    """What `line` prints in an element of this value."""
    environment = {"RELAYQ_ARRAY_VALUE": value, "LC_ALL": "C.UTF-8"}
    return subprocess.run(["/bin/sh", "-c", line], env=environment, stdout=subprocess.PIPE, check=True).stdout


def test_a_backslash_between_single_quotes_protects_nothing() -> None:
    assert shell(with_value("printf '%s' 'a\\'{}"), "v w") == b"a\\v w"


def test_output_is_the_stdout_of_the_last_attempt() -> None:
    transcript = Transcript()
    for entry in (piece(0, b"old"), piece(0, b"new", attempt=2), piece(3, b"err", attempt=2, stream=2)):
        transcript.add(entry)
    assert (transcript.output, transcript.tail, transcript.truncated) == ("new", "newerr", False)


def test_a_hole_in_the_log_is_shown_and_told() -> None:
    transcript = Transcript()
    transcript.add(piece(0, b"head"))
    transcript.add(piece(100, b"tail"))
    result = outcome_of(
        "J", End(id="", state=State.SUCCEEDED, exit_code=0, reason="", result=b""), transcript
    )
    assert "96 bytes were not kept" in result.output
    with pytest.raises(OutputTruncated):
        result.get()


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (State.FAILED, JobFailed),
        (State.CANCELLED, JobCancelled),
        (State.SKIPPED, JobSkipped),
        (State.EXPIRED, JobExpired),
    ],
)
def test_each_bad_end_has_its_error(state: State, error: type[Exception]) -> None:
    end = End(id="", state=state, exit_code=3, reason="exit", result=b"")
    assert type(error_of(outcome_of("J", end, Transcript()))) is error


@pytest.mark.parametrize(
    "error",
    [
        JobFailed("it failed", "J", exit_code=3, log_tail="why", reason="timeout"),
        JobCancelled("it was cancelled", "J"),
        Refused("nobody signed it", "refused"),
        GitHubLimited("not now", 42.0),
        GitHubUnavailable("no answer", is_unsure=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_whole_out_of_another_process(error: Exception) -> None:
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))


def test_the_exit_code_is_the_jobs_own() -> None:
    assert exit_code_of(State.SUCCEEDED, 0, "") == OK
    assert exit_code_of(State.FAILED, 7, "exit") == 7
    assert exit_code_of(State.FAILED, 143, "timeout") == TIMED_OUT
    assert exit_code_of(State.CANCELLED, 143, "") == FAILED


def test_an_envelope_can_be_looked_into() -> None:
    spec = JobSpec(command="echo " + "long " * 1000, name="n")
    envelope = b"1 ed25519 00000000 AAAA\n" + json.dumps({"spec": spec.to_dict()}).encode()
    assert glance(envelope) == spec
    assert title_of(glance(b"garbage")) == "(unreadable spec)"


def test_a_submitter_hears_when_nobody_could_run_the_job() -> None:
    def view(name: str, offer: bytes, lease_s: int) -> list[object]:
        return [f"{name}#1".encode(), b"%d" % (lease_s * 1000), [b"offer", offer], []]

    lane: Lane = lane_of(JobSpec.from_dict({"command": "true", "needs": ["mac"]}))
    clock = [b"1000", b"0"]
    able = view("m", b'{"labels":["mac"]}', 1060)
    assert nobody_serves(lane, clock, [view("a", b"{}", 1060), able]) == []
    assert nobody_serves(lane, clock, [view("a", b"{}", 1060)]) == ["worker a has no label 'mac'"]
    assert "no worker is online" in nobody_serves(lane, clock, [view("m", b'{"labels":["mac"]}', 900)])[0]
