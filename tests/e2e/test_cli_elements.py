"""What the command line shows of an array's elements, of attempts and of gaps in the output."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.command_line import objects, printed, relayq
from tests.support import eventually_sync


def ended(*argv: str) -> str:
    """The id of a job that was submitted so and has ended."""
    job = printed("submit", *argv).strip()
    relayq("wait", job)
    return job


def test_show_lists_which_elements_failed_those_alike_together(served: None) -> None:
    script = "case $RELAYQ_ARRAY_INDEX in 3) exit 9;; 5|6|7) exit 2;; esac"
    job = ended("--array", "2-9", "--attempts", "2", "--backoff", "1ms", "--", script)
    shown = [" ".join(line.split()) for line in printed("show", job).splitlines()]
    assert "elements 8 (2 to 9): 4 succeeded, 4 failed" in shown
    at = shown.index("failed 3: exit code 9 after 2 attempts")
    assert shown[at + 1] == "5-7: exit code 2 after 2 attempts"
    failed = objects("show", job)[0]["failed_elements"]
    assert isinstance(failed, list)
    assert [(one["index"], one["exit_code"], one["attempts"]) for one in failed] == [
        (3, 9, 2),
        (5, 2, 2),
        (6, 2, 2),
        (7, 2, 2),
    ]
    assert "failed_elements" not in objects("show", f"{job}:3")[0]


def test_an_element_is_forgotten_with_its_array(served: None) -> None:
    job = ended("--array", "2", "--", "true")
    left = relayq("forget", f"{job}:1")
    assert (left.returncode, left.stdout) == (
        1,
        f"{job}:1  left as it is: an element is forgotten with its array\n",
    )
    assert printed("show", f"{job}:1")


def test_an_array_waits_for_another_index_to_index(served: None) -> None:
    first = printed("submit", "--array", "2", "--", "test $RELAYQ_ARRAY_INDEX != 1").strip()
    then = printed("submit", "--array", "2", "--after", f"{first[-6:]}:index", "--", "true").strip()
    relayq("wait", then)
    states = [objects("show", f"{then}:{index}")[0]["state"] for index in range(2)]
    assert states == ["SUCCEEDED", "SKIPPED"]


def test_an_element_is_found_by_its_id(served: None) -> None:
    job = ended("--array", "3", "--", "test $RELAYQ_ARRAY_INDEX != 1")
    for name in (f"{job}:1", f"{job[-6:]}:1"):
        assert [found["id"] for found in objects("jobs", f"id:{name}")] == [f"{job}:1"]
    assert [found["exit_code"] for found in objects("jobs", f"state:failed id:{job}:1")] == [1]
    assert objects("jobs", f"state:succeeded id:{job}:1") == []
    assert objects("jobs", f"id:{job}:3") == []


def test_it_is_said_that_ended_elements_are_not_searched(served: None) -> None:
    ended("--array", "3", "--", "test $RELAYQ_ARRAY_INDEX != 1 || exit 9")
    assert "`relayq show ID` lists those that failed" in relayq("jobs", "exit:9").stderr
    assert "`relayq show ID`" not in relayq("jobs", "name:nothing").stderr


def test_the_log_of_an_array_names_the_element_before_its_output(served: None) -> None:
    job = ended("--array", "2", "--", "printf $RELAYQ_ARRAY_INDEX; echo e >&2")
    shown = relayq("logs", job)
    assert shown.stdout == "[element 0]\n0\n[element 1]\n1"
    assert relayq("logs", job, "--stderr").stderr == "[element 0]\ne\n[element 1]\ne\n"
    assert printed("logs", job, "--full") == shown.stdout
    assert {line["id"] for line in objects("logs", job)} == {f"{job}:0", f"{job}:1"}


def test_a_gap_in_the_output_is_a_line_of_its_own(served: None) -> None:
    script = "for i in $(seq 1 5000); do echo line $i; done"
    job = ended("--keep-output", "2K", "--", script)
    whole = "".join(f"line {i}\n" for i in range(1, 5001))
    for shown in (printed("logs", job), printed("logs", job, "-f")):
        before, gap, after = shown.partition("[... ")
        marker, _, rest = after.partition(" ...]\n")
        assert (gap and not before) or before.endswith("\n")
        assert "bytes were not kept here" in marker
        missing = int(marker.split()[0])
        assert len(before.removesuffix("\n")) + missing + len(rest) in (len(whole), len(whole) - 1)
        assert whole.startswith(before.removesuffix("\n")) and whole.endswith(rest)
    gaps = [line for line in objects("logs", job) if "missing_bytes" in line]
    assert len(gaps) == 1 and gaps[0]["missing_bytes"] == missing


def test_output_of_which_the_hub_keeps_nothing_is_not_called_none(served: None) -> None:
    shown = relayq("run", "--keep-output", "10", "--", "seq 1 20")
    assert (shown.returncode, "[... 51 bytes were not kept here" in shown.stdout) == (0, True), shown
    job = ended("--keep-output", "0", "--", "seq 1 20")
    assert "51 bytes were not kept here" in relayq("logs", job).stderr
    assert len(printed("logs", job, "--full")) == 51


def test_an_attempt_or_element_that_never_was_is_named(served: None) -> None:
    job = ended("--", "echo x")
    for options in ([], ["-f"], ["--full"]):
        said = relayq("logs", job, "--attempt", "7", *options)
        assert (said.returncode, said.stdout) != (0, "x\n") and "has no attempt 7" in said.stderr
        assert said.returncode
    assert relayq("logs", job, "--attempt", "0").returncode == 2
    assert f"job {job} is no array" in relayq("logs", f"{job}:3").stderr
    array = ended("--array", "2-4", "--", "true")
    for verb in ("show", "explain", "logs"):
        said = relayq(verb, f"{array}:9")
        assert f"array job {array} has no element 9: they go from 2 to 4" in said.stderr


def test_after_a_retry_everything_speaks_of_the_last_attempt(served: None) -> None:
    job = ended("--", "echo attempt $RELAYQ_ATTEMPT; exit 3")
    printed("retry", job)
    relayq("wait", job)
    [shown] = objects("show", job)
    assert isinstance(shown["attempts"], list)
    assert shown["attempt"] == shown["attempts"][-1]["number"] == 2
    assert printed("logs", job) == printed("logs", job, "-f") == "attempt 2\n"
    assert json.loads(printed("jobs", f"id:{job}", "--json"))["attempt"] == 2


def test_why_a_job_was_cancelled_is_kept_and_shown(served: None) -> None:
    """Also of one that runs, and of an array: it is its worker who reports the end."""
    waiting = printed("submit", "--needs", "attic", "--", "true").strip()
    running = printed("submit", "--", "echo up; exec tail -f /dev/null").strip()
    array = printed("submit", "--array", "2", "--", "echo up; tail -f /dev/null").strip()
    for job in (running, f"{array}:0", f"{array}:1"):
        eventually_sync(lambda job=job: objects("show", job)[0]["state"] == "RUNNING", "it runs")
    for job in (waiting, running, array):
        printed("cancel", job, "--why", "not needed: the data is wrong")
        relayq("wait", job)
        [shown] = objects("show", job)
        assert (shown["state"], shown["reason"]) == ("CANCELLED", "not needed: the data is wrong")
        assert printed("explain", job).rstrip().endswith(": not needed: the data is wrong")
    assert objects("show", f"{array}:1")[0]["reason"] == "not needed: the data is wrong"
    attempts = objects("show", running)[0]["attempts"]
    assert isinstance(attempts, list) and attempts[0]["reason"] == "cancelled"
    unsaid = printed("submit", "--needs", "attic", "--", "true").strip()
    printed("cancel", unsaid)
    assert "it was cancelled: from the command line" in printed("explain", unsaid)


def test_explain_says_what_an_element_that_waits_is_waiting_for(served: None) -> None:
    printed("queue", "pause", "night")
    job = printed("submit", "--queue", "night", "--array", "3", "--", "true").strip()
    first, array, paused, worker = printed("explain", f"{job}:1").splitlines()
    assert first == f"job {job}:1 is PENDING"
    assert array == f"  it waits in array {job[-6:]}, which is RUNNABLE"
    assert "queue night is paused by the owner" in paused
    assert worker == "  worker w1 could run it"


def test_explain_names_what_keeps_a_busy_worker_from_a_job(served: None, tmp_path: Path) -> None:
    command = f"touch {tmp_path}/begun; tail -f /dev/null"
    running = printed("submit", "--needs", "cpus=3", "--", command).strip()
    eventually_sync((tmp_path / "begun").exists)
    waiting = printed("submit", "--needs", "cpus=2", "--", "true").strip()
    said = printed("explain", waiting)
    printed("cancel", "--kill", running)
    assert said.splitlines()[1] == "  worker w1 could run it, but has 1 of 4 cpus free and it needs 2"
    printed("wait", waiting)
