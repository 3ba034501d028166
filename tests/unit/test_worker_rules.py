"""The rules of a worker that need neither hub nor process: room, lanes, demand, ends, environment, gate."""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from relayq.config import TakeWhen
from relayq.model.job import JobSpec
from relayq.model.needs import Lane, Offer, capacity, lane_of
from relayq.plugins import Outcome
from relayq.store.records import Claim
from relayq.worker import environment
from relayq.worker.admission import Admitted
from relayq.worker.attempt import Attempt, Host
from relayq.worker.bell import Bell
from relayq.worker.board import Board
from relayq.worker.demand import EXTRA, Demand
from relayq.worker.ending import CANCELLED, STOPPED, TIMEOUT, report_of
from relayq.worker.gate import STOPPING, Gate
from relayq.worker.lanes import LaneBook
from relayq.worker.probe import Conditions
from relayq.worker.room import Room
from relayq.worker.session import Session, _now_s
from relayq.worker.view import LINES_MAX, View

OFFER = Offer(labels=frozenset({"linux"}), name="w1", host="h", cpus_milli=2000, memory_bytes=1 << 30)


def lane(**fields: Any) -> Lane:
    return lane_of(JobSpec.from_dict({"command": "true", **fields}))


def book(*lanes: Lane) -> LaneBook:
    found = LaneBook(OFFER)
    found.learn(1, {one.id: one for one in lanes})
    return found


def admitted(**fields: Any) -> Admitted:
    spec = JobSpec.from_dict({"command": "true", **fields})
    claim = Claim(job="A" * 16, attempt=2, crashes=0, lane="l", envelope=b"", offered_ms=0)
    return Admitted(claim=claim, body=b"", spec=spec, lane=lane_of(spec), exp_s=0, failures=2)


# -- room and lanes


def test_what_was_taken_is_free_again_when_it_is_given_back() -> None:
    room = Room({"c": 2000, "m": 512})
    room.take({"c": 1500, "m": 512})
    assert not room.fits({"c": 1000})
    assert room.left() == {"c": 500, "m": 0}
    room.give({"c": 1500, "m": 512})
    assert room.free == {"c": 2000, "m": 512}


def test_a_resource_the_worker_has_not_never_fits() -> None:
    assert not Room({"c": 1000}).fits({"g": 1})


def test_a_lane_is_served_or_the_reason_is_told() -> None:
    fine, missing, wide = lane(), lane(needs=["moon"]), lane(needs=["cpus=3"])
    found = book(fine, missing, wide)
    assert list(found.served) == [fine.id]
    assert "moon" in found.unserved[missing.id]
    assert "cpus" in found.unserved[wide.id]


def test_durations_survive_a_new_list_of_lanes() -> None:
    one = lane()
    found = book(one)
    found.ended(one.id, 40.0)
    found.learn(2, {one.id: one})
    assert found.served[one.id].mean_ms == 40.0


@pytest.mark.parametrize(("mean_ms", "ahead"), [(None, 0), (5.0, 4), (0.1, 16), (3_600_000.0, 0)])
def test_only_short_jobs_are_fetched_ahead(mean_ms: float | None, ahead: int) -> None:
    found = book(lane())
    found.mean_ms = mean_ms
    assert found.prefetch(slots=2, turn_ms=10.0) == ahead


# -- demand


def demand_of(found: LaneBook, *, takes_new: bool = True, free: dict[str, int] | None = None) -> Demand:
    board = SimpleNamespace(
        takes_new=takes_new,
        waiting=0,
        room=Room(capacity(OFFER)),
        unclaimed=lambda: dict(free or capacity(OFFER)),
    )
    return Demand(cast("Board", board), found)


def test_an_idle_worker_tells_its_true_room_and_wants_to_be_offered_jobs() -> None:
    parts = demand_of(book(lane())).parts()
    assert parts["idle"]
    assert parts["want"] == 2
    assert parts["free"]["c"] == 2000


def test_a_worker_that_takes_nothing_asks_for_nothing() -> None:
    parts = demand_of(book(lane()), takes_new=False).parts()
    assert "lanes" not in parts
    assert not parts["idle"]


def test_a_lane_that_does_not_fit_now_is_named_as_one_that_could() -> None:
    small, wide = lane(), lane(needs=["cpus=2"])
    parts = demand_of(book(small, wide), free={"c": 1000, "m": 1024, "g": 0}).parts()
    assert [name for name, _ in parts["lanes"]] == [small.id]
    assert parts["empty_lanes"] == [wide.id]


def test_a_long_lane_costs_true_room_while_short_jobs_are_fetched_ahead() -> None:
    short, long = lane(), lane(queue="slow")
    found = book(short, long)
    found.ended(short.id, 2.0)
    demand = demand_of(found)
    demand.heard(want=2, claims=2, wide=None)
    parts = demand.parts()
    costs = dict(parts["lanes"])
    assert parts["free"]["c"] > 2000
    assert parts["free"][EXTRA] == 2000
    assert EXTRA not in costs[short.id]
    assert costs[long.id][EXTRA] == 1000
    assert not parts["idle"]


def test_a_lane_that_prefers_others_is_told_with_its_wait() -> None:
    ((_, cost),) = demand_of(book(lane(prefer=["mac"]))).parts()["lanes"]
    assert cost["w"] > 0


def test_a_worker_reserves_itself_for_a_wide_job_and_fills_gaps_with_short_ones() -> None:
    short, unknown, wide = lane(), lane(queue="unknown"), lane(needs=["cpus=2"])
    found = book(short, unknown, wide)
    found.ended(short.id, 100.0)
    demand = demand_of(found, free={"c": 1000, "m": 1024, "g": 0})
    demand.heard(want=1, claims=0, wide=(wide.id, 5))
    assert [name for name, _ in demand.parts()["lanes"]] == [short.id]
    demand.heard(want=1, claims=0, wide=None)
    assert {name for name, _ in demand.parts()["lanes"]} == {short.id, unknown.id}


# -- endings


def test_an_end_becomes_the_report_that_says_it() -> None:
    one = admitted(attempts=3)
    assert report_of(one, Outcome(ok=True), "", 5).outcome == "ok"
    failed = report_of(one, Outcome(ok=False, exit_code=7), "", 5)
    assert (failed.outcome, failed.exit_code, failed.reason, failed.retry) == ("failed", 7, "exit", True)


def test_what_was_asked_wins_over_how_the_command_took_it() -> None:
    one = admitted()
    assert report_of(one, Outcome(ok=True), CANCELLED, 5).outcome == "cancelled"
    assert report_of(one, Outcome(ok=True), STOPPED, 5).outcome == "handback"
    assert report_of(one, Outcome(ok=False, exit_code=143), TIMEOUT, 5).outcome == "timeout"


def test_an_end_that_nobody_saw_is_a_loss_and_no_failure() -> None:
    report = report_of(admitted(), Outcome(ok=False, exit_code=-1, reason="machine_lost"), "", 5)
    assert (report.outcome, report.retry) == ("lost", False)


def test_the_last_attempt_is_not_followed_by_another() -> None:
    assert not report_of(admitted(attempts=2), Outcome(ok=False, exit_code=1), "", 5).retry


# -- view


def test_a_persons_terminal_shows_starts_and_ends_and_never_obeys_a_job() -> None:
    stream = io.StringIO()
    view = View(stream)
    one = Attempt(admitted(name="\x1b]0;mine\x07"), cost={}, place="/p", host=cast("Host", None))
    view.started(one)
    view.ended(one, Outcome(ok=False, exit_code=7))
    start, end = stream.getvalue().splitlines()
    assert start.startswith("▶ AAAAAA")
    assert "\x1b" not in start
    assert "exit code 7" in end


def test_in_a_drain_lines_are_counted_instead_of_shown() -> None:
    stream = io.StringIO()
    view = View(stream)
    one = Attempt(admitted(), cost={}, place="/p", host=cast("Host", None))
    for _ in range(200):
        view.started(one)
    assert len(stream.getvalue().splitlines()) <= 2 * LINES_MAX


# -- environment


def test_nothing_passes_from_the_workers_environment_but_the_allow_list() -> None:
    passed = environment.inherited(
        {"PATH": "/bin", "LANG": "C", "AWS_SECRET_ACCESS_KEY": "x", "LD_PRELOAD": "y"}
    )
    assert passed == {"PATH": "/bin", "LANG": "C"}


def test_an_element_knows_its_index_size_and_value() -> None:
    spec = JobSpec.from_dict({"command": "true", "array": ["a", "b"]})
    claim = Claim(job="A" * 16 + ":1", attempt=1, crashes=0, lane="l", envelope=b"", offered_ms=0)
    env = environment.of_attempt(spec, claim, session="w1#00", place="/p")
    assert env["RELAYQ_ARRAY_INDEX"] == env["AWS_BATCH_JOB_ARRAY_INDEX"] == "1"
    assert env["RELAYQ_ARRAY_SIZE"] == "2"
    assert env["RELAYQ_ARRAY_VALUE"] == "b"


# -- gate and bell


ALWAYS = TakeWhen(on_battery=True, max_load=None, max_temperature=None, hours=())


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        (Conditions(on_battery=True, load=0.1, temperature=None), "on battery"),
        (Conditions(on_battery=False, load=3.0, temperature=None), "load 3.0 per cpu"),
        (Conditions(on_battery=False, load=0.1, temperature=90.0), "90 degrees"),
    ],
)
def test_the_owners_conditions_close_the_gate(conditions: Conditions, why: str) -> None:
    gate = Gate(TakeWhen(on_battery=False, max_load=2.0, max_temperature=80.0, hours=()))
    gate.look(conditions)
    assert (gate.is_open, gate.why) == (False, why)
    gate.look(Conditions(on_battery=False, load=0.1, temperature=40.0))
    assert gate.is_open


def test_outside_its_hours_a_worker_takes_nothing() -> None:
    now = time.localtime()
    minute = now.tm_hour * 60 + now.tm_min
    gate = Gate(
        TakeWhen(
            on_battery=True,
            max_load=None,
            max_temperature=None,
            hours=(((minute + 60) % 1440, (minute + 120) % 1440),),
        )
    )
    gate.look(Conditions(on_battery=False, load=0.0, temperature=None))
    assert gate.why == "outside its hours"


def test_each_side_opens_only_what_it_has_closed() -> None:
    gate = Gate(ALWAYS)
    gate.close(STOPPING, "stopping")
    gate.close("hub", "quiet")
    gate.open("hub")
    assert not gate.is_open


async def test_a_ring_before_the_wait_is_not_lost() -> None:
    bell = Bell()
    bell.ring()
    async with asyncio.timeout(1):
        await bell.wait(60)


async def test_a_wait_ends_at_its_time() -> None:
    async with asyncio.timeout(1):
        await Bell().wait(0.01)


def test_a_claim_whose_lease_may_have_passed_is_not_started() -> None:
    session = Session(url="unix:///none", fleet="f", name="w1", describe=cast("Any", None))
    session._heard(100_000, _now_s())
    fresh, late = (replace(admitted().claim, offered_ms=offered) for offered in (100_000, 49_000))
    assert session.may_start(fresh)
    assert not session.may_start(late)
