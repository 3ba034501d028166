"""Needs, offers and lanes: the rule that decides which worker may run what."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.errors import SpecError
from relayq.model.needs import (
    MEMORY_STEP,
    Lane,
    Needs,
    Offer,
    Placement,
    capacity,
    cost,
    lane_of,
    parse_needs,
    parse_prefer,
    preferred,
    unmet,
    unserved,
)
from tests.unit.model_strategies import names, needs, offers, placements

BIG = Offer(
    labels=frozenset({"mac", "room=attic"}),
    name="macmini",
    host="Mac-mini.local",
    cpus_milli=8000,
    memory_bytes=16 << 30,
    gpus=1,
    counters=(("license", 2),),
)


def found(_tool):
    return True


def missing(_tool):
    return False


@given(needs)
def test_needs_read_back_from_their_canonical_words(wanted):
    assert parse_needs(wanted.to_list()) == wanted
    assert parse_needs(",".join(wanted.to_list())) == wanted


@given(needs, st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_words_do_not_matter(wanted, random):
    words = wanted.to_list() + list(wanted.labels)
    random.shuffle(words)
    assert parse_needs(words) == wanted


def test_every_kind_of_need_is_read():
    text = "mac, tool:ffmpeg,cpus=1.5,memory=1G,gpu=1,host=macmini,count:license=2,exclusive,room=attic"
    assert parse_needs(text) == Needs(
        labels=("mac", "room=attic"),
        tools=("ffmpeg",),
        cpus_milli=1500,
        memory_bytes=1 << 30,
        gpus=1,
        host="macmini",
        counters=(("license", 2),),
        exclusive=True,
    )


@pytest.mark.parametrize(
    "words",
    [
        *("cpus=0", "cpus=", "cpus=-1", "cpus=4097", "cpus=1.0001", "cpus=nan", "cpus=1,cpus=2", "cpu=2"),
        *("memory=lots", "memory=", "mem=1G", "gpu=x", "gpu=1.5", "gpu=1000001", "gpus=1"),
        *("host=", "host=a,host=b", "host=a b", "tool:", "tool:..", "tool:a b"),
        *("count:=1", "count:a", "count:a=x", "count:a=1,count:a=2"),
        *("=x", "a=b=c", "-mac", "a:b", "mäc", "a\nb", "x" * 65, ",".join(f"l{i}" for i in range(33))),
        *(["a", 1], [None], [["a"]]),
    ],
)
def test_what_is_no_need_is_refused(words):
    with pytest.raises(SpecError, match=r"\(field 'needs(\..*)?'\)"):
        parse_needs(words)


def test_a_misspelt_need_is_told_the_right_word():
    with pytest.raises(SpecError, match="write cpus=N"):
        parse_needs("cpu=2")


@pytest.mark.parametrize("words", ["tool:x", "count:a=1", "a b", "-x"])
def test_only_labels_and_hosts_can_be_preferred(words):
    with pytest.raises(SpecError, match=r"\(field 'prefer'\)"):
        parse_prefer(words)


@given(offers)
def test_a_worker_without_queues_of_its_own_serves_all(offer):
    lane = Placement(queue="some-queue", needs=Needs(cpus_milli=1))
    all_queues = Offer(cpus_milli=offer.cpus_milli, queues=None)
    assert unserved(lane, all_queues, found) == []


def test_queue_and_type_are_clauses_too():
    lane = Placement(queue="gpu", type="python")
    offer = Offer(queues=frozenset({"default"}))
    assert unserved(lane, offer, found) == ["does not serve queue 'gpu'", "does not offer job type 'python'"]


def test_what_the_worker_has_meets_the_needs():
    text = "mac,room=attic,tool:ffmpeg,cpus=8,memory=16G,gpu=1,host=macmini,count:license=2"
    assert unmet(parse_needs(text), BIG, found) == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("linux", "has no label 'linux'"),
        ("tool:ffmpeg", "has no tool 'ffmpeg' on its PATH"),
        ("host=pi4", "is not host 'pi4'"),
        ("cpus=8.5", "has 8 cpus, not 8.5"),
        ("memory=17G", "has 16G memory, not 17G"),
        ("gpu=2", "has 1 gpus, not 2"),
        ("count:license=3", "has 2 'license', not 3"),
        ("count:seat=1", "has no 'seat'"),
    ],
)
def test_each_unmet_need_is_one_reason(words, reason):
    assert unmet(parse_needs(words), BIG, missing) == [reason]


def test_a_host_is_known_by_the_worker_s_name_or_the_machine_s():
    assert unmet(parse_needs("host=MACMINI"), BIG, found) == []
    assert unmet(parse_needs("host=mac-mini.local"), BIG, found) == []


@given(needs, offers)
def test_unmet_needs_grow_with_every_clause(wanted, offer):
    bare = Needs(cpus_milli=1)
    assert unmet(bare, offer, missing) == []
    alone = [
        Needs(cpus_milli=wanted.cpus_milli),
        Needs(cpus_milli=1, memory_bytes=wanted.memory_bytes),
        Needs(cpus_milli=1, gpus=wanted.gpus),
        Needs(cpus_milli=1, host=wanted.host),
        Needs(cpus_milli=1, labels=wanted.labels),
        Needs(cpus_milli=1, tools=wanted.tools),
        Needs(cpus_milli=1, counters=wanted.counters),
    ]
    reasons = [reason for clause in alone for reason in unmet(clause, offer, missing)]
    assert sorted(unmet(wanted, offer, missing)) == sorted(reasons)


@given(needs, offers)
def test_a_job_fits_the_empty_worker_exactly_when_no_need_is_unmet(wanted, offer):
    has = capacity(offer)
    fits = all(amount <= has.get(key, 0) for key, amount in cost(wanted, offer).items())
    countable = Needs(
        cpus_milli=wanted.cpus_milli,
        memory_bytes=wanted.memory_bytes,
        gpus=wanted.gpus,
        counters=wanted.counters,
    )
    assert fits == (unmet(countable, offer, found) == [])


@given(needs, offers)
def test_nothing_fits_beside_an_exclusive_job(wanted, offer):
    alone = cost(Needs(exclusive=True, cpus_milli=1), offer)
    left = capacity(offer)["c"] - alone["c"]
    assert left == 0 < cost(wanted)["c"]


def test_memory_is_counted_in_steps():
    assert cost(parse_needs("memory=1M"))["m"] == 64
    assert cost(parse_needs("memory=64M"))["m"] == 64
    assert cost(parse_needs("memory=65M"))["m"] == 128


@given(placements)
def test_a_lane_reads_back(placement):
    lane = lane_of(placement)
    assert Lane.from_json(lane.json) == lane == Lane.from_json(lane.json.encode())
    assert lane_of(lane) == lane


@given(placements)
def test_the_json_of_a_lane_is_canonical(placement):
    text = lane_of(placement).json
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) == text
    assert all(value or key == "pw" for key, value in json.loads(text).items())


@given(placements, placements)
def test_lanes_differ_exactly_when_their_json_does(one, other):
    assert (lane_of(one).id == lane_of(other).id) == (lane_of(one).json == lane_of(other).json)


def test_a_lane_has_the_short_keys_that_the_hub_reads():
    placement = Placement(
        queue="gpu",
        needs=parse_needs("mac,memory=100M"),
        prefer=("fast",),
        prefer_wait_ms=0,
        limits=(("license", 2),),
        rates=(("api", 10, 60_000),),
        share="anna",
    )
    assert json.loads(lane_of(placement).json) == {
        "q": "gpu",
        "t": "shell",
        "n": ["mac", "memory=128M"],
        "p": ["fast"],
        "pw": 0,
        "l": {"license": 2},
        "r": {"api": [10, 60_000]},
        "s": "anna",
    }


def test_memory_within_a_step_shares_a_lane():
    one, other = (Placement(needs=Needs(memory_bytes=size)) for size in (1, MEMORY_STEP))
    assert lane_of(one) == lane_of(other)


@given(names)
def test_the_lane_of_a_plain_job_is_as_small_as_can_be(queue):
    assert lane_of(Placement(queue=queue)).json == f'{{"q":"{queue}","t":"shell"}}'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["q", "t", "n", "p", "pw", "l", "r", "s", "x"]), json_values))
def test_whatever_the_hub_says_is_a_lane_or_a_spec_error(document):
    try:
        lane = Lane.from_json(json.dumps({"q": "default", "t": "shell", **document}))
    except SpecError:
        return
    assert lane_of(lane).queue == lane.queue


def test_preference_holds_when_the_worker_has_every_word():
    assert preferred(Placement(), Offer())
    assert preferred(Placement(prefer=("mac", "room=attic")), BIG)
    assert preferred(Placement(prefer=("host=macmini",)), BIG)
    assert not preferred(Placement(prefer=("linux", "mac")), BIG)
    assert not preferred(Placement(prefer=("host=pi4",)), BIG)


def test_needs_that_are_not_canonical_are_refused():
    with pytest.raises(SpecError, match="not canonical"):
        Placement(needs=Needs(labels=("b", "a")))
