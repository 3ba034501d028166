"""Why a job stands where it stands: a sentence for each thing that keeps it from its start."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from relayq.client.explain import sentences
from relayq.model.job import JobSpec
from relayq.model.lifecycle import FINAL, State
from relayq.model.needs import Lane, lane_of
from relayq.store.records import ArrayCounts, AttemptRecord, Explanation, JobRecord, Steered, WorkerRecord

NOW_MS = 1_700_000_000_000
SPEC = JobSpec(command="true")
OTHERS = ("AAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBB")


def record(**changes: object) -> JobRecord:
    """A runnable job."""
    plain = JobRecord(
        id="0123456789ABCDEF",
        state=State.RUNNABLE,
        reason="",
        lane=lane_of(SPEC),
        priority=0,
        attempt=0,
        crashes=0,
        worker="",
        session="",
        submitted_ms=NOW_MS,
        ready_ms=NOW_MS,
        started_ms=0,
        ended_ms=0,
        exit_code=None,
        array=None,
        progress=None,
        message="",
        cancel_asked=False,
        attempts=[],
        envelope=b"",
        result=b"",
        outputs={},
    )
    return replace(plain, **changes)


def worker(name: str, *, online: bool = True, labels: tuple[str, ...] = (), **told: object) -> WorkerRecord:
    """A worker with two cpus."""
    plain = WorkerRecord(
        name=name,
        session=f"{name}#1",
        online=online,
        seen_ms=NOW_MS,
        started_ms=NOW_MS,
        offer={"cpus_milli": 2000, "labels": list(labels)},
        facts={},
        unserved={},
        running={},
        command="",
    )
    return replace(plain, **told)


def told(job: JobRecord, blockers: list[tuple[str, str]], *workers: WorkerRecord) -> list[str]:
    """What `explain` says."""
    return sentences(Explanation(record=job, blockers=blockers, workers=list(workers)), NOW_MS)


def test_explain_says_for_each_worker_what_is_missing() -> None:
    job = record(lane=lane_of(JobSpec.from_dict({"command": "true", "needs": ["mac", "cpus=4"]})))
    said = told(job, [], worker("a"), worker("b", online=False), worker("c", labels=("mac",)))
    assert said[0].startswith("worker a has no label 'mac' and has 2 cpus")
    assert said[1] == "worker b is offline"
    assert "mac" not in said[2]


def test_explain_does_not_promise_what_a_silent_worker_may_not_hold() -> None:
    late, in_time = worker("a", seen_ms=NOW_MS - 45_000), worker("b", seen_ms=NOW_MS - 25_000)
    said = told(record(), [], late, in_time)
    assert said[0] == "worker a could run it, but has been silent for 45s and may be gone"
    assert "silent" not in said[1]


def test_explain_believes_what_a_worker_says_of_a_lane() -> None:
    job = record()
    assert told(job, [], worker("a", unserved={job.lane.id: "has no tool 'ffmpeg' on its PATH"})) == [
        "worker a has no tool 'ffmpeg' on its PATH"
    ]


@pytest.mark.parametrize(
    ("kind", "detail", "words"),
    [
        ("dependencies", "2", "waits for 2 dependencies"),
        ("dependencies", "index by index", "index by index"),
        ("delay", "90000", "1m30s"),
        ("held", "", "relayq release ABCDEF"),
        ("paused", "night", "relayq queue resume night"),
        ("limit", "gpu 2/2", "2/2"),
        ("rate", "api 3000", "3.0s"),
        ("ahead", "4", "4 jobs of its kind stand before it"),
        ("ahead", "1", "1 job of its kind stands before it"),
    ],
)
def test_explain_names_what_a_job_waits_for(kind: str, detail: str, words: str) -> None:
    assert words in told(record(state=State.PENDING), [(kind, detail)])[0]


def test_explain_has_a_sentence_for_every_state() -> None:
    for state in State:
        job = record(state=state, worker="w", attempt=1, started_ms=NOW_MS - 5000, exit_code=1, reason="exit")
        assert all(told(job, [])), state
        assert told(job, []), state
    assert FINAL


def lane(**fields: object) -> Lane:
    """The lane of a job with these fields."""
    return lane_of(JobSpec.from_dict({"command": "true", **fields}))


def envelope(**fields: object) -> bytes:
    """An opened envelope of a spec with these fields."""
    spec = JobSpec.from_dict({"command": "true", **fields})
    return b"1 ed25519 00000000 AAAA\n" + json.dumps({"spec": spec.to_dict()}).encode()


def busy(wanted: list[str], *running: list[str], **offer: object) -> str:
    """What is said of a worker that runs jobs with these needs when another needs `wanted`."""
    uses = {f"J{number}": lane(needs=needs) for number, needs in enumerate(running)}
    one = worker("w", running=dict.fromkeys(uses, 1))
    one = replace(one, offer={**one.offer, **offer})
    job = record(lane=lane(needs=wanted))
    [said] = sentences(Explanation(record=job, blockers=[], workers=[one], uses=uses), NOW_MS)
    return said


def test_explain_names_the_resource_that_is_in_use() -> None:
    assert busy([], [], []) == "worker w could run it, but has 0 of 2 cpus free and it needs 1"
    assert (
        busy(["cpus=2"], ["cpus=0.5"]) == "worker w could run it, but has 1.5 of 2 cpus free and it needs 2"
    )
    assert busy([], ["exclusive"]).endswith("0 of 2 cpus free and it needs 1")
    assert busy(["memory=3G"], ["memory=2G"], memory_bytes=4 << 30).endswith(
        "2.0G of 4.0G memory free and it needs 3.0G"
    )
    assert busy(["count:lic=1"], ["count:lic=1"], counters={"lic": 1}).endswith(
        "0 of 1 lic free and it needs 1"
    )
    assert busy([], []) == "worker w could run it and takes it with its next heartbeat"


def test_explain_says_when_a_worker_takes_nothing_and_why() -> None:
    assert told(record(), [], worker("w", facts={"takes_nothing": "outside its hours"})) == [
        "worker w could run it, but takes nothing new now: outside its hours"
    ]


def test_explain_says_for_how_long_a_job_is_left_to_the_preferred() -> None:
    job = record(lane=lane(prefer=["mac"], prefer_wait="20s"), ready_ms=NOW_MS - 5_000)
    assert told(job, [], worker("pi"), worker("mini", labels=("mac",))) == [
        "worker pi could run it, but leaves it to workers with mac for another 15s",
        "worker mini could run it and takes it with its next heartbeat",
    ]
    assert told(replace(job, ready_ms=NOW_MS - 21_000), [], worker("pi")) == [
        "worker pi could run it and takes it with its next heartbeat"
    ]


def test_explain_tells_a_wait_between_attempts_from_one_that_was_asked_for() -> None:
    failed = AttemptRecord(number=2, worker="w", started_ms=1, ended_ms=2, exit_code=75, reason="exit")
    job = record(state=State.PENDING, reason="delay", attempt=2, attempts=[failed])
    wait = [("delay", "90000")]
    assert told(job, wait) == ["attempt 2 failed (exit code 75); the next one starts in 1m30s"]
    timed_out = replace(job, attempts=[replace(failed, reason="timeout", exit_code=143)])
    assert told(timed_out, wait) == [
        "attempt 2 failed (it reached its timeout); the next one starts in 1m30s"
    ]


def test_explain_says_that_a_job_is_held_because_it_lost_its_worker() -> None:
    job = record(state=State.PENDING, steered=Steered(held="l"))
    assert told(job, [("held", "")])[0].startswith("it is held: it lost its worker; `relayq release")


def test_explain_says_since_when_nobody_has_heard_of_the_worker_that_runs_a_job() -> None:
    job = record(state=State.RUNNING, worker="w", attempt=1, started_ms=NOW_MS - 90_000)
    gone = worker("w", online=False, seen_ms=NOW_MS - 70_000)
    assert told(job, [], worker("w")) == ["attempt 1 runs on worker w since 1m30s"]
    assert told(job, [], gone) == ["attempt 1 runs on worker w since 1m30s, which was not heard of for 1m10s"]


def test_explain_says_of_an_element_what_its_array_waits_for() -> None:
    array = Explanation(record=record(), blockers=[("paused", "night")], workers=[])
    element = record(id="0123456789ABCDEF:3", state=State.PENDING, reason="array")
    said = sentences(Explanation(record=element, blockers=[], workers=[], array=array), NOW_MS)
    assert said[0] == "it waits in array ABCDEF, which is RUNNABLE"
    assert said[1].startswith("queue night is paused")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"array": {"size": 4, "sequential": True}}, ", each for the one before it"),
        (
            {"array": 4, "after": [{"job": OTHERS[0], "mode": "index"}]},
            ", each for the same element of AAAAAA",
        ),
        ({"array": 4}, ""),
    ],
)
def test_explain_says_what_lets_elements_start_one_by_one(fields: dict[str, object], words: str) -> None:
    counts = ArrayCounts(size=4, start=0, waiting=2, running=1, succeeded=1, failed=0, cancelled=0, skipped=0)
    job = record(state=State.RUNNING, array=counts, envelope=envelope(**fields))
    assert told(job, []) == [f"1 of its 4 elements run, 2 wait{words}"]


@pytest.mark.parametrize(
    ("job", "fields", "words"),
    [
        ("0" * 16, {"after": [OTHERS[0]]}, "job AAAAAA did not succeed"),
        ("0" * 16, {"after": [f"{OTHERS[0]}:failed"]}, "job AAAAAA did not fail"),
        ("0" * 16, {"after": list(OTHERS)}, "one of the jobs AAAAAA, BBBBBB did not do what was needed"),
        ("0" * 16, {}, "a dependency did not do what was needed"),
        (
            "0" * 16 + ":2",
            {"array": 3, "after": [{"job": OTHERS[0], "mode": "index"}]},
            "element 2 of array AAAAAA did not succeed",
        ),
        ("0" * 16 + ":2", {"array": {"size": 3, "sequential": True}}, "an element before it did not succeed"),
    ],
)
def test_explain_names_what_a_job_was_skipped_for(job: str, fields: dict[str, object], words: str) -> None:
    skipped = record(id=job, state=State.SKIPPED, reason="dependency", envelope=envelope(**fields))
    assert told(skipped, []) == [f"it was skipped: {words}"]
