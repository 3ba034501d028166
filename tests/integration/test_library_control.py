"""What people ask of a job: hold, release, another priority, another run; logs, events, retention."""

from __future__ import annotations

import pytest

from relayq.errors import SpecError
from relayq.model.lifecycle import State
from relayq.store.records import End, LogEntry
from tests.model.driver import Driver, running

DAY = 86_400_000
MINUTE = 60_000
UNKNOWN = "0000000000000000"


async def text_of(driver: Driver, job: str) -> bytes:
    """All output the hub has."""
    return b"".join(entry.data for entry in await driver.logs.read(job))


# -- words


@pytest.mark.parametrize("verb", ["cancel", "hold", "release"])
async def test_an_unknown_job_is_said_to_be_unknown(driver: Driver, verb: str) -> None:
    assert await getattr(driver.jobs, verb)(UNKNOWN) == "unknown"
    assert await driver.jobs.reprioritise(UNKNOWN, 1) == "unknown"
    assert await driver.jobs.retry(UNKNOWN, b"op") == "unknown"
    assert await driver.logs.watch(UNKNOWN) is None


async def test_a_finished_job_is_left_alone(driver: Driver) -> None:
    job, worker = await running(driver)
    await worker.report(job)
    words = [await getattr(driver.jobs, verb)(job) for verb in ("cancel", "hold", "release")]
    assert [*words, await driver.jobs.reprioritise(job, 1)] == ["ended:SUCCEEDED"] * 4


async def test_a_running_job_cannot_be_held_or_moved(driver: Driver) -> None:
    job, _ = await running(driver)
    assert await driver.jobs.hold(job) == "running"
    assert await driver.jobs.release(job) == "not-held"
    assert await driver.jobs.reprioritise(job, 1) == "running"
    assert await driver.jobs.retry(job, b"op") == "not-ended"


async def test_a_held_job_starts_when_it_is_released(driver: Driver) -> None:
    job = await driver.submit()
    assert await driver.jobs.hold(job) == "held"
    worker = await driver.worker()
    assert await worker.stand_by() == []
    assert await driver.jobs.release(job) == "released"
    assert ("claim", job) in await worker.letters()


async def test_a_held_job_waits_for_its_time_and_its_dependencies_as_well(driver: Driver) -> None:
    first = await driver.submit()
    job = await driver.submit(after=[{"job": first}], delay="1h")
    await driver.jobs.hold(job)
    await driver.jobs.release(job)
    assert await driver.state(job) == "PENDING dependency"
    await driver.jobs.hold(job)
    worker = await driver.worker()
    await worker.claim()
    await worker.report(first)
    assert await driver.state(job) == "PENDING held"
    await driver.jobs.release(job)
    assert await driver.state(job) == "PENDING delay"
    await driver.advance(60 * MINUTE)
    assert await driver.state(job) == "RUNNABLE"


async def test_a_waiting_job_is_cancelled_at_once(driver: Driver) -> None:
    first = await driver.submit()
    jobs = await driver.batch({"delay": "1h"}, {"after": [{"job": first}]}, {})
    assert [await driver.jobs.cancel(job, who="ann", why="no need") for job in jobs] == ["cancelled"] * 3
    assert {await driver.state(job) for job in jobs} == {"CANCELLED no need"}
    assert await driver.raw("EXISTS", "@delay") == 0


async def test_another_priority_is_another_place_in_the_lane(driver: Driver) -> None:
    first, second = await driver.batch({}, {})
    assert await driver.jobs.reprioritise(second, 1) == "done"
    assert await (await driver.worker()).claim() == [second, first]
    assert (await driver.record(second)).priority == 1


async def test_a_priority_given_while_it_waits_counts_when_it_is_due(driver: Driver) -> None:
    first = await driver.submit(delay="1s")
    await driver.jobs.reprioritise(first, 5)
    second = await driver.submit(priority=4)
    await driver.advance(1_000)
    assert await (await driver.worker()).claim() == [first, second]


async def test_a_priority_out_of_range_is_refused(driver: Driver) -> None:
    job = await driver.submit()
    with pytest.raises(SpecError, match="priority"):
        await driver.jobs.reprioritise(job, 101)


# -- another run


@pytest.mark.parametrize("outcome", ["ok", "failed", "cancelled"])
async def test_a_finished_job_runs_again_as_a_further_attempt(driver: Driver, outcome: str) -> None:
    job, worker = await running(driver, attempts=2)
    await worker.report(job, outcome, result=b"old")
    assert await driver.jobs.retry(job, b"signed op") == "retried"
    record = await driver.record(job)
    assert (record.state, record.result, record.exit_code, record.ended_ms) == (State.RUNNABLE, b"", None, 0)
    assert await worker.claim() == [job]
    assert worker.held[job] == 2
    assert worker.claims[job].retry_op == b"signed op"
    await worker.report(job, "failed", retry=True)
    assert await driver.state(job) == "RUNNABLE"
    await worker.claim()
    await worker.report(job)
    assert [attempt.number for attempt in (await driver.record(job)).attempts] == [1, 2, 3]


async def test_the_earlier_attempt_ended_when_it_ended_not_when_the_job_was_told_to_run_again(
    driver: Driver,
) -> None:
    job, worker = await running(driver)
    await driver.advance(MINUTE // 2)
    await worker.report(job, "failed")
    await driver.advance(60 * MINUTE)
    await driver.jobs.retry(job, b"op")
    [attempt] = (await driver.record(job)).attempts
    assert attempt.ended_ms is not None
    assert MINUTE // 2 <= attempt.ended_ms - attempt.started_ms < MINUTE


async def test_a_job_that_is_cancelled_while_it_waits_for_its_next_attempt_did_not_run_until_then(
    driver: Driver,
) -> None:
    job, worker = await running(driver)
    await worker.report(job, "failed")
    await driver.jobs.retry(job, b"op")
    await driver.advance(60 * MINUTE)
    await driver.jobs.cancel(job)
    record = await driver.record(job)
    assert (record.state, record.started_ms) == (State.CANCELLED, 0)
    await driver.jobs.retry(job, b"op")
    assert [attempt.number for attempt in (await driver.record(job)).attempts] == [1]


async def test_a_job_that_never_ran_runs_when_it_is_told_to(driver: Driver) -> None:
    skipped_by = await driver.submit()
    skipped = await driver.submit(after=[{"job": skipped_by}])
    expired = await driver.submit(deadline="1m", delay="1h")
    await driver.jobs.cancel(skipped_by)
    await driver.advance(MINUTE)
    assert [await driver.state(job) for job in (skipped, expired)] == [
        "SKIPPED dependency",
        "EXPIRED deadline",
    ]
    for job in (skipped, expired):
        assert await driver.jobs.retry(job, b"op") == "retried"
    await driver.advance(2 * MINUTE)
    assert sorted(await (await driver.worker()).claim()) == sorted([skipped, expired])


async def test_the_op_is_gone_when_the_job_has_ended(driver: Driver) -> None:
    job = await driver.submit()
    await driver.jobs.cancel(job)
    await driver.jobs.retry(job, b"op")
    await driver.jobs.cancel(job)
    assert await driver.raw("EXISTS", "@ro:" + job) == 0


# -- logs


async def test_output_is_kept_in_order_and_by_stream(driver: Driver) -> None:
    job, worker = await running(driver)
    await worker.write(job, b"out one\n")
    await worker.write(job, b"err one\n", stream=2)
    reply = await worker.write(job, b"out two\n", offset=8)
    assert reply.log_offsets == {job: (16, 8)}
    found = await driver.logs.read(job)
    assert [(e.stream, e.position, e.data) for e in found] == [
        (1, 0, b"out one\n"),
        (2, 8, b"err one\n"),
        (1, 16, b"out two\n"),
    ]


async def test_each_piece_of_output_says_when_it_came(driver: Driver) -> None:
    job, worker = await running(driver)
    await worker.write(job, b"first\n")
    await driver.advance(MINUTE, tick=False)
    await worker.write(job, b"second\n", offset=6)
    first, second = await driver.logs.read(job)
    assert MINUTE <= second.at_ms - first.at_ms < 2 * MINUTE


async def test_output_that_is_sent_twice_is_there_once(driver: Driver) -> None:
    job, worker = await running(driver)
    for _ in range(2):
        await worker.write(job, b"hello ")
    reply = await worker.write(job, b"hello world")
    assert reply.log_offsets == {job: (11, 0)}
    assert await text_of(driver, job) == b"hello world"


async def test_a_gap_is_refused_and_the_hubs_own_offset_told(driver: Driver) -> None:
    job, worker = await running(driver)
    await worker.write(job, b"abc")
    reply = await worker.write(job, b"xyz", offset=10)
    assert reply.log_offsets == {job: (3, 0)}
    assert await text_of(driver, job) == b"abc"


async def test_a_jump_leaves_out_the_middle_and_counts_it(driver: Driver) -> None:
    job, worker = await running(driver)
    await worker.write(job, b"abc")
    for _ in range(2):
        reply = await worker.write(job, b"xyz", offset=10, jump=True)
        assert reply.log_offsets == {job: (13, 0)}
    assert await text_of(driver, job) == b"abcxyz"
    assert await driver.logs.dropped(job) == 7


async def test_an_empty_jump_changes_nothing(driver: Driver) -> None:
    job, worker = await running(driver)
    reply = await worker.write(job, b"", offset=10, jump=True)
    assert reply.log_offsets == {job: (0, 0)}
    assert await driver.logs.dropped(job) == 0


async def test_a_superseded_attempt_writes_nothing(driver: Driver) -> None:
    job, worker = await running(driver, attempts=2)
    await worker.write(job, b"first")
    await worker.report(job, "failed", retry=True)
    await worker.claim()
    await worker.write(job, b"second")
    reply = await worker.write(job, b"ghost", attempt=1, offset=5)
    assert reply.log_offsets == {}
    assert [(e.attempt, e.data) for e in await driver.logs.read(job)] == [(1, b"first"), (2, b"second")]
    assert [e.data for e in await driver.logs.read(job, 1)] == [b"first"]
    assert [e.data for e in await driver.logs.read(job, 2)] == [b"second"]


async def test_a_stranger_writes_nothing(driver: Driver) -> None:
    job, _ = await running(driver)
    stranger = await driver.worker("stranger")
    reply = await stranger.write(job, b"ghost", attempt=1)
    assert reply.log_offsets == {}
    assert await driver.logs.read(job) == []


@pytest.mark.parametrize("keep", [0, 1_000, 200_000])
async def test_of_too_much_output_head_and_tail_stay(driver: Driver, keep: int) -> None:
    job, worker = await running(driver, keep_output=keep)
    piece, written = 500, 0
    for n in range(1_000):
        await worker.write(job, bytes([n % 256]) * piece, offset=written)
        written += piece
        if written > keep * 2 + 5_000:
            break
    kept = await text_of(driver, job)
    assert len(kept) <= keep
    assert len(kept) >= keep - 2 * piece
    assert len(kept) + await driver.logs.dropped(job) == written
    assert (await worker.sync()).session_known
    if keep:
        assert kept[:1] == b"\0" and kept[-1] == (written // piece - 1) % 256


async def test_a_large_piece_is_read_in_pages(driver: Driver) -> None:
    job, worker = await running(driver)
    for n in range(1_100):
        await worker.write(job, b"line\n", offset=n * 5)
    assert await text_of(driver, job) == b"line\n" * 1_100


# -- following


async def test_who_waits_learns_the_end_from_the_log(driver: Driver) -> None:
    job, worker = await running(driver, watch=True)
    assert (await worker.sync()).watched == [job]
    await worker.write(job, b"hello")
    await worker.report(job, "failed", exit_code=3, result=b"r")
    hello, end = await driver.logs.follow(job)
    assert isinstance(hello, LogEntry) and hello.data == b"hello"
    assert isinstance(end, End)
    assert (end.state, end.exit_code, end.reason, end.result) == (State.FAILED, 3, "exit", b"r")
    assert await driver.logs.follow(job, end.id, 1) == []


async def test_a_job_can_be_watched_while_it_runs(driver: Driver) -> None:
    job, worker = await running(driver)
    assert await driver.logs.watch(job) is State.RUNNING
    assert ("watch", job) in await worker.letters()
    await worker.report(job)
    assert (await driver.logs.follow(job))[-1].state is State.SUCCEEDED
    assert (await worker.sync()).watched == []
    assert await driver.logs.watch(job) is State.SUCCEEDED


async def test_a_watched_job_stays_watched_through_its_attempts(driver: Driver) -> None:
    job, worker = await running(driver, watch=True, attempts=2)
    await worker.report(job, "failed", retry=True)
    assert await driver.logs.follow(job, "0", 1) == []
    await worker.claim()
    assert (await worker.sync()).watched == [job]


async def test_the_end_of_a_job_that_never_ran_is_told(driver: Driver) -> None:
    job = await driver.submit(watch=True)
    await driver.jobs.cancel(job)
    (end,) = await driver.logs.follow(job)
    assert (end.state, end.exit_code) == (State.CANCELLED, None)


async def test_a_job_that_runs_again_ends_again(driver: Driver) -> None:
    job = await driver.submit(watch=True)
    for _ in range(3):
        await driver.jobs.cancel(job)
        assert [entry.state for entry in await driver.logs.follow(job)] == [State.CANCELLED]
        assert await driver.jobs.retry(job, b"op") == "retried"
        assert await driver.logs.follow(job, "0", 1) == []
    worker = await driver.worker()
    await worker.claim()
    await worker.write(job, b"at last")
    await worker.report(job)
    assert [type(entry) for entry in await driver.logs.follow(job)] == [LogEntry, End]


async def test_an_element_can_be_watched(driver: Driver) -> None:
    array = await driver.submit(array=2)
    worker = await driver.worker()
    await worker.claim()
    assert await driver.logs.watch(f"{array}:0") is State.RUNNING
    await worker.report(f"{array}:0")
    assert (await driver.logs.follow(f"{array}:0"))[-1].state is State.SUCCEEDED
    assert await driver.logs.watch(f"{array}:0") is State.SUCCEEDED


# -- events


async def test_events_tell_what_happened_and_can_be_resumed(driver: Driver) -> None:
    start = await driver.events.last_id()
    job, worker = await running(driver, attempts=2)
    await worker.report(job, "failed", retry=True)
    await driver.jobs.cancel(job)
    events = await driver.events.follow(start)
    assert [e.kind for e in events if e.subject == job] == ["submit", "start", "retry", "end"]
    assert await driver.events.follow(events[-1].id, 1) == []
    assert (await driver.events.last_id()) == events[-1].id
    assert [e.id for e in await driver.events.recent(2)] == [e.id for e in events[-2:]]
    assert events[0].at_ms > 0


# -- retention


async def test_success_is_kept_three_days_and_the_rest_two_weeks(driver: Driver) -> None:
    good, bad = await driver.batch({}, {})
    worker = await driver.worker()
    await worker.claim()
    await worker.sync(done=[worker.outcome(good), worker.outcome(bad, "failed")], want=0)
    await driver.advance(3 * DAY - 1_000)
    assert len(await driver.jobs.list_jobs()) == 2
    await driver.advance(1_001)
    assert [job.id for job in await driver.jobs.list_jobs()] == [bad]
    await driver.advance(11 * DAY)
    assert await driver.jobs.list_jobs() == []


async def test_beyond_the_byte_budget_the_oldest_successes_go_first(driver: Driver) -> None:
    bad, old, new = await driver.batch({"priority": 2}, {"priority": 1}, {})
    worker = await driver.worker()
    await worker.claim()
    for job, outcome in ((bad, "failed"), (old, "ok"), (new, "ok")):
        await worker.write(job, b"x" * 10_000)
        await worker.report(job, outcome)
        await driver.advance(10, tick=False)
    await driver.raw("HSET", "@cfg", "keep_bytes", 25_000)
    await driver.advance(1_000)
    assert {job.id for job in await driver.jobs.list_jobs()} == {bad, new}


async def test_nothing_is_left_of_what_was_forgotten(driver: Driver) -> None:
    job, worker = await running(driver, watch=True, attempts=2, unique="k", limits={"l": 1}, deadline="1d")
    array = await driver.submit(array=3, after=[{"job": job, "on": "any"}])
    await worker.write(job, b"output")
    await worker.report(job, "failed", retry=True, result=b"r")
    await worker.claim()
    await worker.report(job, "failed", result=b"r")
    await driver.jobs.retry(job, b"op")
    await driver.jobs.cancel(job)
    await driver.jobs.cancel(array)
    await driver.raw("HSET", "@cfg", "keep_bytes", 0)
    await driver.advance(1_000)
    assert await driver.jobs.list_jobs() == []
    left = {key.decode().partition("}:")[2].partition(":")[0] for key in await driver.raw("KEYS", "@*")}
    assert left <= {"cfg", "ev", "n", "hs", "lanes", "lx", "lref", "lused", "lanev", "ll",
                    "names", "w", "wlive", "mb"}  # fmt: skip


async def test_a_huge_array_is_forgotten_bite_by_bite(driver: Driver) -> None:
    array = await driver.submit(array=1_200)
    worker = await driver.worker(free={"c": 2_000_000})
    while jobs := await worker.claim(want=400):
        done = [worker.outcome(job, result=b"r") for job in jobs]
        await worker.sync(done=done, want=0)
    await driver.raw("HSET", "@cfg", "keep_bytes", 0)
    await driver.advance(1_000)
    assert await driver.jobs.record(array)
    await driver.advance(1_000)
    await driver.advance(1_000)
    assert await driver.raw("KEYS", f"@*{array}*") == []
