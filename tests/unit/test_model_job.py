"""The job spec: each reads back, from JSON and from the signed bytes; what is wrong is named."""

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayq.errors import SpecError
from relayq.model.body import HIDDEN, VALID_S, Body, Submitted, halves, hidden_bytes, parse_halves
from relayq.model.ids import is_id
from relayq.model.job import (
    FIELDS,
    MAX_BODY_BYTES,
    ArraySpec,
    Dependency,
    JobSpec,
    Unique,
    new_id,
    routing,
    short,
)
from relayq.model.lifecycle import KEEP_OUTPUT_BYTES
from relayq.model.needs import lane_of
from tests.unit.model_strategies import json_values, specs

ID = "0123456789ABCDEF"
OTHER = "FEDCBA9876543210"
IAT = 1_800_000_000

patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)


def body(spec: JobSpec, job: str, fleet: str, iat_s: int) -> bytes:
    """Both halves in the clear."""
    head, hidden = halves(spec, job, Submitted(fleet, "0badc0de"), iat_s)
    return head + b"\n" + hidden_bytes(hidden)


def parse_body(data: bytes) -> Body:
    head, _, hidden = data.partition(b"\n")
    return parse_halves(head, hidden)


def read(**fields):
    return JobSpec.from_dict({"command": "true", **fields})


@patient
@given(specs())
def test_a_spec_reads_back_from_its_json(spec):
    assert JobSpec.from_dict(spec.to_dict()) == spec
    assert JobSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@patient
@given(specs(), st.integers(0, 10**10))
def test_a_spec_reads_back_from_the_signed_bytes(spec, iat_s):
    data = body(spec, ID, "home", iat_s)
    read_back = parse_body(data)
    assert (read_back.op, read_back.id, read_back.fleet, read_back.iat) == ("submit", ID, "home", iat_s)
    assert read_back.spec == spec
    assert body(read_back.spec, ID, "home", iat_s) == data


@patient
@given(specs())
def test_the_hub_is_told_nothing_that_is_empty(spec):
    told = routing(spec, ID)
    assert told["i"] == ID
    assert told["l"] == lane_of(spec).id
    assert all(value for key, value in told.items() if key != "k")


def test_the_json_of_a_plain_spec_holds_the_command_alone():
    assert JobSpec(command="true").to_dict() == {"command": "true"}
    assert routing(JobSpec(command="true"), ID).keys() == {"i", "l"}


def test_every_field_of_the_surface_is_read():
    spec = read(
        command=["ffmpeg", "-i", "in.mp4"],
        type="shell",
        name="encode",
        queue="video",
        needs=["mac", "tool:ffmpeg", "cpus=2"],
        prefer=["fast"],
        prefer_wait="10s",
        priority=-5,
        attempts=3,
        backoff="10s",
        retry_on=["75,100-110", "timeout"],
        stop_on=[9],
        timeout="2h",
        deadline="1d",
        delay="10m",
        after=[{"job": ID, "on": "any"}, OTHER, f"{OTHER}:failed", f"{ID}:index", f"{ID}:any:index"],
        array="5-20",
        unique={"key": "encode", "mode": "window", "window": "1h"},
        limits={"license": 2},
        rates={"api": "10/1m"},
        share="anna",
        env={"LANG": "C"},
        secrets={"TOKEN": "s3cret"},
        cwd="/srv",
        stdin="hello",
        inputs=[{"name": "in.mp4", "sha256": "0" * 64, "size": 5}],
        outputs=["*.webm"],
        keep_output="16M",
        on_lost="hold",
        grace="5m",
        labels={"project": "film"},
        args={"crf": 30},
    )
    assert spec.command == ("ffmpeg", "-i", "in.mp4")
    assert spec.needs.tools == ("ffmpeg",)
    assert spec.timeout_ms == 7_200_000
    assert spec.after == (
        Dependency(job=ID, on="any"),
        Dependency(job=OTHER),
        Dependency(job=OTHER, on="failed"),
        Dependency(job=ID, mode="index"),
        Dependency(job=ID, on="any", mode="index"),
    )
    assert spec.array == ArraySpec(size=16, start=5)
    assert spec.unique == Unique(key="encode", mode="window", window_ms=3_600_000)
    assert spec.rates == (("api", 10, 60_000),)
    assert spec.retry.retry_on == ("75", "100-110", "timeout")
    assert spec.keep_output_bytes == 16 << 20
    assert JobSpec.from_dict(spec.to_dict()) == spec


def test_routing_says_what_the_hub_must_know():
    spec = read(
        priority=7,
        delay="1s",
        deadline="1d",
        attempts=3,
        on_lost="fail",
        grace="2m",
        keep_output=0,
        after=[{"job": OTHER, "mode": "index"}],
        array={"values": ["a", "b"], "start": 3, "sequential": True},
        unique="key",
    )
    assert routing(spec, ID) == {
        "i": ID,
        "l": lane_of(spec).id,
        "p": 7,
        "d": 1_000,
        "D": 86_400_000,
        "m": 3,
        "f": "fail",
        "g": 120_000,
        "k": 0,
        "af": [[OTHER, "ok", "index"]],
        "n": 2,
        "n0": 3,
        "sq": 1,
        "u": ["key", "until_done", 0],
    }
    assert routing(read(at="2030-01-01T00:00:00Z"), ID)["at"] == 1_893_456_000_000


def test_a_field_that_is_null_counts_as_not_given():
    assert read(timeout=None, array=None, args=None, attempts=None) == JobSpec(command="true")


@pytest.mark.parametrize(
    ("value", "array"),
    [
        (100, ArraySpec(size=100)),
        ("100", ArraySpec(size=100)),
        ("5-20", ArraySpec(size=16, start=5)),
        (["a", "b"], ArraySpec(size=2, values=("a", "b"))),
        ({"size": 3, "sequential": True}, ArraySpec(size=3, sequential=True)),
        ({"values": ["a"], "start": 7}, ArraySpec(size=1, start=7, values=("a",))),
    ],
)
def test_arrays_are_read_in_every_form(value, array):
    assert read(array=value).array == array


WRONG = [
    ({"command": ""}, "command"),
    ({"command": "  "}, "command"),
    ({"command": []}, "command"),
    ({"command": [""]}, "command"),
    ({"command": "a\0b"}, "command"),
    ({"command": ["a", "b\0"]}, "command"),
    ({"command": ["a", 1]}, "command"),
    ({"command": 7}, "command"),
    ({"command": {}}, "command"),
    ({"command": "\ud800"}, "command"),
    ({"type": "no such"}, "type"),
    ({"type": 1}, "type"),
    ({"name": "two\nlines"}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"queue": ""}, "queue"),
    ({"queue": "../x y"}, "queue"),
    ({"queue": "q" * 65}, "queue"),
    ({"needs": {"cpus": 2}}, "needs"),
    ({"needs": ["cpus=0"]}, "needs"),
    ({"prefer": ["tool:x"]}, "prefer"),
    ({"prefer_wait": -1}, "prefer_wait"),
    ({"priority": 101}, "priority"),
    ({"priority": -101}, "priority"),
    ({"priority": "high"}, "priority"),
    ({"priority": 1.5}, "priority"),
    ({"priority": True}, "priority"),
    ({"attempts": 0}, "attempts"),
    ({"attempts": 11}, "attempts"),
    ({"backoff": "x"}, "backoff"),
    ({"retry_on": 256}, "retry_on"),
    ({"stop_on": "never"}, "stop_on"),
    ({"timeout": "soon"}, "timeout"),
    ({"deadline": "3661d"}, "deadline"),
    ({"delay": []}, "delay"),
    ({"at": "2030-01-01"}, "at"),
    ({"at": "2030-01-01T00:00:00Z", "delay": "1s"}, "at"),
    ({"after": ID}, "after"),
    ({"after": ["short"]}, "after.job"),
    ({"after": [f"{ID}:maybe"]}, "after"),
    ({"after": [f"{ID}:index:any"]}, "after"),
    ({"after": [{"on": "ok"}]}, "after.job"),
    ({"after": [{"job": ID, "on": "maybe"}]}, "after.on"),
    ({"after": [{"job": ID, "mode": "twice"}]}, "after.mode"),
    ({"after": [{"job": ID, "mode": "index"}]}, "after.mode"),
    ({"after": [ID] * 257}, "after"),
    ({"after": [7]}, "after"),
    ({"array": 0}, "array.size"),
    ({"array": 10_000_001}, "array.size"),
    ({"array": []}, "array.size"),
    ({"array": True}, "array.size"),
    ({"array": {}}, "array.size"),
    ({"array": "9-5"}, "array"),
    ({"array": "x"}, "array"),
    ({"array": 1.5}, "array"),
    ({"array": [1]}, "array.values"),
    ({"array": {"size": 2, "values": ["a"]}}, "array.values"),
    ({"array": {"size": 2, "start": -1}}, "array.start"),
    ({"array": {"size": 2, "sequential": 1}}, "array.sequential"),
    ({"unique": ""}, "unique.key"),
    ({"unique": 1}, "unique"),
    ({"unique": {"key": "a", "mode": "always"}}, "unique.mode"),
    ({"unique": {"key": "a", "mode": "window"}}, "unique.window"),
    ({"unique": {"key": "a", "mode": "queued", "window": "1s"}}, "unique.window"),
    ({"limits": {"a": 0}}, "limits.a"),
    ({"limits": {"a b": 1}}, "limits"),
    ({"limits": {"a": "1"}}, "limits.a"),
    ({"limits": [1]}, "limits"),
    ({"rates": {"a": "10"}}, "rates.a"),
    ({"rates": {"a": "x/1m"}}, "rates.a"),
    ({"rates": {"a": "0/1m"}}, "rates.a"),
    ({"rates": {"a": "1/0s"}}, "rates.a"),
    ({"rates": {"a": 1}}, "rates.a"),
    ({"share": "a b"}, "share"),
    ({"env": {"1A": "x"}}, "env"),
    ({"env": {"": "x"}}, "env"),
    ({"env": {"A=B": "x"}}, "env"),
    ({"env": {"RELAYQ_ATTEMPT": "9"}}, "env"),
    ({"env": {"A": 1}}, "env.A"),
    ({"env": {"A": "x\0"}}, "env.A"),
    ({"env": ["A=1"]}, "env"),
    ({"secrets": {"A B": "x"}}, "secrets"),
    ({"cwd": "/a\0"}, "cwd"),
    ({"cwd": "/" * 4097}, "cwd"),
    ({"stdin": 5}, "stdin"),
    ({"inputs": [{"name": "../x", "sha256": "0" * 64, "size": 1}]}, "inputs.name"),
    ({"inputs": [{"name": "", "sha256": "0" * 64, "size": 1}]}, "inputs.name"),
    ({"inputs": [{"name": "x", "sha256": "0" * 63, "size": 1}]}, "inputs.sha256"),
    ({"inputs": [{"name": "x", "sha256": "0" * 64}]}, "inputs.size"),
    ({"inputs": [{"name": "x", "sha256": "0" * 64, "size": 1, "key": "A" * 42}]}, "inputs.key"),
    ({"inputs": [{"name": "x", "sha256": "0" * 64, "size": 1, "key": 5}]}, "inputs.key"),
    ({"outputs": ["/etc/*"]}, "outputs"),
    ({"outputs": ["a/../../b"]}, "outputs"),
    ({"outputs": [""]}, "outputs"),
    ({"keep_output": "257M"}, "keep_output"),
    ({"on_lost": "panic"}, "on_lost"),
    ({"grace": "x"}, "grace"),
    ({"labels": {"a b": "x"}}, "labels"),
    ({"labels": {"a": 1}}, "labels.a"),
]


@pytest.mark.parametrize(("fields", "field"), WRONG)
def test_a_wrong_field_is_named(fields, field):
    with pytest.raises(SpecError, match=rf"\(field '{field}'\)$"):
        read(**fields)


def test_a_limit_is_named():
    with pytest.raises(SpecError, match=r"^20000000 is too large: at most 10000000 \(field 'array.size'\)$"):
        read(array=20_000_000)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"tiemout": "2h"}, "unknown field 'tiemout' in the job spec: did you mean 'timeout'?"),
        ({"warp": 9}, "unknown field 'warp' in the job spec; perhaps a newer RelayQ knows it"),
        ({"unique": {"key": "a", "mod": "x"}}, "unknown field 'mod' in 'unique': did you mean 'mode'?"),
        ({"after": [{"job": ID, "x": 1}]}, "unknown field 'x' in 'after'"),
        ({"array": {"size": 1, "x": 1}}, "unknown field 'x' in 'array'"),
    ],
)
def test_an_unknown_field_is_refused_by_name(fields, where):
    with pytest.raises(SpecError) as refusal:
        read(**fields)
    assert str(refusal.value).startswith(where)


@pytest.mark.parametrize("value", [None, [], "true", 7, {1: 2}])
def test_what_is_no_object_is_no_spec(value):
    with pytest.raises(SpecError, match="is not an object"):
        JobSpec.from_dict(value)


def test_a_spec_built_in_python_is_checked_too():
    with pytest.raises(SpecError, match="priority"):
        JobSpec(command="true", priority=1000)
    with pytest.raises(SpecError, match="parse_needs"):
        JobSpec(command="true", needs=["mac"])  # type: ignore[arg-type]


def test_only_a_shell_job_must_have_a_command():
    assert JobSpec.from_dict({"type": "resize", "args": {"width": 100}}).args == {"width": 100}


@patient
@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), json_values))
def test_whatever_is_sent_is_a_spec_or_a_spec_error(fields):
    try:
        spec = JobSpec.from_dict({"command": "true", **fields})
    except SpecError:
        return
    assert JobSpec.from_dict(spec.to_dict()) == spec


def test_a_body_is_valid_for_thirty_days_from_the_earliest_start():
    assert parse_body(body(JobSpec(command="true"), ID, "home", IAT)).exp == IAT + VALID_S
    assert parse_body(body(read(delay="60d"), ID, "home", IAT)).exp == IAT + 60 * 86_400 + VALID_S
    later = read(at="2030-01-01T00:00:00Z")
    assert parse_body(body(later, ID, "home", IAT)).exp == 1_893_456_000 + VALID_S


def test_a_body_may_say_itself_until_when_it_is_valid():
    assert b"exp" not in body(JobSpec(command="true"), ID, "home", IAT)
    said = json.dumps(document(exp=99)).encode() + b'\n{"command":"true"}'
    assert parse_body(said).exp == 99


def test_a_body_above_64_kib_is_refused_and_the_limit_named():
    def hidden(size: int) -> bytes:
        return body(read(stdin="x" * size), ID, "home", IAT).partition(b"\n")[2]

    room = MAX_BODY_BYTES - len(hidden(1)) + 1
    assert len(hidden(room)) == MAX_BODY_BYTES
    with pytest.raises(SpecError, match="65537 bytes: at most 65536"):
        hidden(room + 1)


def test_arguments_that_json_cannot_say_are_refused():
    for args in (float("nan"), {1, 2}, b"x"):
        with pytest.raises(SpecError, match="args"):
            body(JobSpec(command="true", args=args), ID, "home", IAT)


def document(**changes):
    fields = {"op": "submit", "id": ID, "fleet": "home", "iat": 1, "exp": 2, "by": "me", "spec": {}}
    return {key: value for key, value in {**fields, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"op":"submit","op":"submit"}',
        b'{"op":NaN}',
        b'{"op":-Infinity}',
        b'{"op":1e999}',
        b'{"op":' + b"9" * 5000 + b"}",
        b"[" * 60_000,
        b'{"op":' + b"[" * 40 + b"]" * 40 + b"}",
        *(
            json.dumps(document(**{key: value})).encode() + b'\n{"command":"true"}'
            for key, value in [
                ("op", "cancel"),
                ("op", ["submit"]),
                ("id", "short"),
                ("id", f"{ID}:1"),
                ("id", ID.lower()),
                ("id", "0123456789ABCDEI"),
                ("id", "../../etc/passwd"),
                ("id", 7),
                ("id", None),
                ("fleet", ""),
                ("fleet", "a\nb"),
                ("fleet", None),
                ("iat", -1),
                ("iat", 1.5),
                ("iat", True),
                ("iat", None),
                ("exp", 0),
                ("exp", "later"),
                ("exp", 10**30),
                ("spec", []),
                ("by", None),
                ("by", "a\nb"),
                ("reply", 7),
                ("reply", "x" * 50),
                ("spec", None),
                ("spec", {"command": "true"}),
                ("spec", {"warp": 9}),
                ("extra", 1),
            ]
        ),
        *(
            json.dumps(document()).encode() + b"\n" + hidden
            for hidden in (
                b"",
                b"{}",
                b"[]",
                b'{"queue":"x"}',
                b'{"command":"x","command":"y"}',
                b'{"values":1}',
            )
        ),
    ],
)
def test_what_body_does_not_write_is_refused(data):
    with pytest.raises(SpecError):
        parse_body(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_body_or_a_spec_error(data):
    with pytest.raises(SpecError):
        parse_body(data)


@given(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_body_is_never_a_traceback(position, patch, gone):
    data = body(read(array=5, env={"A": "b"}, after=[OTHER], retry_on=["75"]), ID, "home", IAT)
    position %= len(data)
    try:
        parse_body(data[:position] + patch + data[position + gone :])
    except SpecError as refusal:
        assert "\n" not in str(refusal)


def test_what_a_job_does_is_hidden_and_what_the_hub_needs_is_not():
    secret = {
        "command": "true --password hunter2",
        "name": "payroll",
        "env": {"A": "hidden1"},
        "secrets": {"B": "hidden2"},
        "cwd": "/srv/hidden3",
        "stdin": "hidden4",
        "outputs": ["hidden5"],
        "labels": {"l": "hidden6"},
        "inputs": [{"name": "hidden7", "sha256": "a" * 64, "size": 1, "key": "hidden7" + "A" * 36}],
        "array": ["hidden8", "hidden9"],
    }
    head, hidden = halves(read(**secret, queue="night"), ID, Submitted("home", "me"), IAT)
    assert b"hidden" not in head and b"hunter2" not in head and b"payroll" not in head
    assert json.loads(head)["spec"] == {"queue": "night", "array": 2}
    assert hidden.keys() <= HIDDEN | {"values"}


def test_a_refusal_shows_at_most_a_little_of_what_was_wrong():
    for fields in (
        {"queue": "x" * 50_000},
        {"timeout": "9" * 50_000},
        {"x" * 50_000: 1},
        {"priority": 10**400},
    ):
        with pytest.raises(SpecError) as refusal:
            read(**fields)
        assert len(str(refusal.value)) < 200


def test_ids_are_80_random_bits_that_can_be_read_aloud():
    found = {new_id() for _ in range(1000)}
    assert len(found) == 1000
    assert all(is_id(job) and len(job) == 16 for job in found)
    assert set("".join(found)) == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


@pytest.mark.parametrize(
    "text", ["", ID[:-1], ID + "0", ID.lower(), ID + ":", ID + ":01", ID + ":-1", ID + "\n", ID + ":1:2"]
)
def test_what_is_no_id(text):
    assert not is_id(text)


def test_people_see_the_last_six_characters_and_the_index():
    assert short(ID) == "ABCDEF"
    assert short(f"{ID}:17") == "ABCDEF:17"


def test_the_output_kept_is_one_mebibyte_unless_asked_otherwise():
    assert JobSpec(command="true").keep_output_bytes == KEEP_OUTPUT_BYTES == 1 << 20


def test_the_model_loads_nothing_heavy():
    heavy = {
        "asyncio",
        "redis",
        "httpx",
        "socket",
        "subprocess",
        "difflib",
        "datetime",
        "logging",
        "cryptography",
    }
    code = f"import sys, relayq.model.job; print(sorted({heavy!r} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
