"""The submit action as a runner runs it, with a hub that has TLS and roles: step, inbox, worker, result."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayq.hub.certificates import make_authority
from relayq.store.wire import Wire
from relayq.trust.envelope import payload_of
from relayq.trust.keys import SigningKey
from tests.security.issuer import Issuer, running
from tests.step.house import Home, json_url
from tests.step.runner_support import ACTION, SHA, Log, Ran, Runner
from tests.step.tokens import Tokens, tokens
from tests.support import eventually_sync


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def house(issuer: Issuer) -> Iterator[Home]:
    house = Home(issuer)
    yield house
    house.site.close()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_a_step_hands_a_job_over_and_goes(house: Home, runner: Runner) -> None:
    ran = runner.run(
        join=house.join, command='echo "$GREETING, $WHO"', params="GREETING=Good evening\nWHO=home",
        name="greet", queue="video", timeout="2m", attempts="2",
    )  # fmt: skip
    assert ran.code == 0, ran.raw
    job = ran.outputs["job-id"]
    assert job.startswith(house.ticket.mark)
    assert ran.outputs["status"] == "accepted"
    assert ran.outputs["url"] == "https://github.example/acme/site/actions/runs/9183"
    assert f"[`{job}`](https://github.example/acme/site/actions/runs/9183)" in ran.summary
    assert "| name | `greet` |" in ran.summary
    assert "Billed so far: 1 minute" in ran.summary
    assert ran.log.commands == []
    record = house.ended(job)
    assert (record["state"], record["queue"], record["name"]) == ("SUCCEEDED", "video", "greet")
    assert house.output(job) == "Good evening, home\n"


def test_arguments_reach_the_job_word_by_word(house: Home, runner: Runner) -> None:
    ran = runner.run(join=house.join, args="printf\n%s|\n$HOME; touch x\n`id`\n")
    assert house.output(ran.outputs["job-id"]) == "$HOME; touch x|`id`|"


def test_files_of_a_push_become_one_array_job(house: Home, runner: Runner) -> None:
    ran = runner.run(
        join=house.join, command='echo "$RELAYQ_ARRAY_VALUE"', array="a.png\nb c.png\n", wait="true"
    )
    assert (ran.code, ran.outputs["status"]) == (0, "succeeded"), ran.raw
    assert "| array | 2 elements |" in ran.summary
    assert house.output(ran.outputs["job-id"] + ":1") == "b c.png\n"


def test_a_step_that_waits_shows_the_output_and_ends_as_the_job_does(house: Home, runner: Runner) -> None:
    ran = runner.run(join=house.join, command="echo one; echo two >&2; exit 7", wait="true", cap="1m")
    assert (ran.code, ran.outputs["status"]) == (7, "failed")
    assert {"one", "two"} <= set(ran.log.shown)
    assert ran.error == f"job {ran.outputs['job-id']} has failed with exit code 7"
    assert "up to 1 for this run" in ran.log.text
    assert "Without `wait`" in ran.log.text


def test_a_step_stays_no_longer_than_its_cap_and_the_job_goes_on(house: Home, runner: Runner) -> None:
    ran = runner.run(join=house.join, command="sleep 4", wait="true", cap="1s")
    assert (ran.code, ran.outputs["status"]) == (124, "running")
    assert "the cap of 1 s is reached" in ran.log.annotations("warning")[0]
    assert house.ended(ran.outputs["job-id"])["state"] == "SUCCEEDED"


def test_a_run_that_is_cancelled_ends_in_a_sentence_and_the_job_goes_on(house: Home, runner: Runner) -> None:
    (runner.directory / "event.json").write_text("{}")
    given = {"JOIN": house.join, "COMMAND": "sleep 2", "NAME": "goes on", "WAIT": "true"}
    step = subprocess.Popen(
        ["python3", "-ISB", str(ACTION / "submit.py")],
        env=runner.environment | {f"RELAYQ_INPUT_{name}": value for name, value in given.items()},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert step.stdout
    before = ""
    while "Waiting costs" not in before:
        before += step.stdout.readline()
    assert "is in" in before
    step.send_signal(signal.SIGINT)
    out, err = step.communicate(timeout=30)
    assert (step.returncode, err) == (130, "")
    log = Log.read(before + out)
    assert log.annotations("warning") == ["the run was cancelled: a job that was handed over goes on at home"]
    assert house.ended(before.partition("job ")[2].partition(" ")[0])["state"] == "SUCCEEDED"


def test_a_pull_request_of_a_fork_is_told_why_it_has_no_string(runner: Runner) -> None:
    ends = {"head": {"repo": {"id": 2}}, "base": {"repo": {"id": 1}}}
    for name, pull in (("fork", ends), ("deleted fork", ends | {"head": {"repo": None}})):
        runner.event = {"pull_request": pull}
        ran = runner.run(command="true")
        assert (name, ran.code) == (name, 2)
        assert "no secrets to the runs of a fork's pull request" in ran.error
    runner.event = {"pull_request": ends | {"head": {"repo": {"id": 1}}}}
    assert "make one with `relayq hub invite" in runner.run(command="true").error


def test_a_public_repository_is_told_that_its_minutes_are_free(house: Home, tmp_path: Path) -> None:
    ran = Runner(tmp_path, private=False).run(join=house.join, command="true")
    assert "This repository is public: its minutes are free." in ran.summary


def test_it_is_said_why_no_worker_can_run_it(house: Home, runner: Runner) -> None:
    ran = runner.run(join=house.join, command="true", needs="gpu=8")
    assert (ran.code, ran.outputs["status"]) == (0, "accepted")
    assert "has no gpus" in ran.log.annotations("warning")[0]
    assert "| why it waits | `no worker can run it now (worker" in ran.summary
    assert house.owner.relayq("cancel", ran.outputs["job-id"])


def test_a_second_job_with_a_unique_key_is_not_made_and_the_first_is_named(
    house: Home, runner: Runner
) -> None:
    first = runner.run(join=house.join, command="sleep 4; echo the first", unique="nightly build")
    assert first.outputs["status"] == "accepted"
    ran = runner.run(join=house.join, command="true", unique="nightly build,until_done")
    assert (ran.code, ran.outputs["status"]) == (0, "unique"), ran.raw
    assert ran.outputs["job-id"] == first.outputs["job-id"]
    assert "is there already: no second one is made" in ran.log.text
    assert "| status | unique |" in ran.summary
    ran = runner.run(join=house.join, command="true", unique="nightly build", wait="true")
    assert (ran.code, ran.outputs["status"]) == (0, "succeeded"), ran.raw
    assert "the first" in ran.log.shown
    assert runner.run(join=house.join, command="true", unique="nightly build").outputs["status"] == "accepted"


def test_every_way_to_be_unique_is_one_of_the_step_too(house: Home, runner: Runner) -> None:
    house.owner.relayq("queue", "pause", "video")
    first = runner.run(join=house.join, command="true", queue="video", unique="cut,replace")
    second = runner.run(join=house.join, command="true", queue="video", unique="cut,replace")
    assert [one.outputs["status"] for one in (first, second)] == ["accepted"] * 2
    assert house.ended(first.outputs["job-id"])["state"] == "CANCELLED"
    for how in ("queued", "1h"):
        there = runner.run(join=house.join, command="true", queue="video", unique=f"cut,{how}")
        assert (there.outputs["status"], there.outputs["job-id"]) == ("unique", second.outputs["job-id"])
    house.owner.relayq("queue", "resume", "video")
    assert house.ended(second.outputs["job-id"])["state"] == "SUCCEEDED"
    windows = [runner.run(join=house.join, command="true", unique="day,1h") for _ in range(2)]
    assert [one.outputs["status"] for one in windows] == ["accepted", "unique"]


def test_nobody_replaces_the_job_of_another_by_its_key(house: Home, runner: Runner) -> None:
    submit = ("submit", "--queue", "video", "--unique", "mine", "--", "true")
    house.owner.relayq("queue", "pause", "video")
    job = house.owner.relayq(*submit).strip()
    ran = runner.run(join=house.join, command="true", queue="video", unique="mine,replace", wait="true")
    assert (ran.code, ran.outputs["status"], ran.outputs["job-id"]) == (0, "unique", job), ran.raw
    assert "is not this user's: the step cannot wait for it" in ran.log.annotations("warning")[0]
    house.owner.relayq("queue", "resume", "video")
    assert house.ended(job)["state"] == "SUCCEEDED"


def test_a_refused_job_fails_the_step_with_the_workers_reason(house: Home, runner: Runner) -> None:
    ran = runner.run(join=house.join, command="true", queue="other")
    assert (ran.code, ran.outputs["status"]) == (1, "refused")
    assert "may not use queue other" in ran.error
    assert "may not use queue other" in ran.summary


def test_a_job_waits_in_the_inbox_while_nobody_is_at_home(house: Home, runner: Runner) -> None:
    house.worker.send_signal(signal.SIGSTOP)
    try:
        ran = runner.run(join=house.join, command="echo late")
    finally:
        house.worker.send_signal(signal.SIGCONT)
    assert (ran.code, ran.outputs["status"]) == (0, "pending"), ran.raw
    assert "no worker has looked into it within 10 s" in ran.log.annotations("warning")[0]
    job = ran.outputs["job-id"]
    eventually_sync(lambda: house.owner.ended("show", job).returncode == 0, "it was let in", every_s=0.3)
    assert house.output(job) == "late\n"


def test_who_shall_be_told_stands_in_the_signed_spec(house: Home, runner: Runner) -> None:
    runner.event["issue"] = {"number": 12}
    ran = runner.run(join=house.join, command="true", notify="status, comment")
    envelope = Wire(json_url(house.owner)).call("GET", f"{{rq:home}}:s:{ran.outputs['job-id']}")
    spec = json.loads(payload_of(envelope)[1].partition(b"\n")[0])["spec"]
    assert spec["notify"] == [f"status:acme/site@{SHA}", "comment:acme/site#12"]


def test_the_twin_of_a_schedule_fires_its_latest_slot_once(
    house: Home, runner: Runner, tmp_path: Path
) -> None:
    hub, mark = Wire(json_url(house.owner)), tmp_path / "fired"
    rule = ("--cron", "* * * * *", "--zone", "UTC", "--overlap", "allow")
    house.owner.relayq("schedule", "add", "tick", *rule, "--", f"echo x >> {mark}")
    # As if made two minutes ago; the hub's clock stands for the worker's lease too and is left alone.
    hub.call("HINCRBY", "{rq:home}:sd:tick", "fl", -120_000)
    runner.environment["RELAYQ_JOIN"] = house.join
    ran = [runner.run(schedule="tick", slot="* * * * * UTC") for _ in range(2)]
    assert [(one.code, one.outputs["status"]) for one in ran] == [(0, "sent")] * 2, ran[0].raw
    assert "of schedule tick is fired, unless that has been done" in ran[0].summary
    eventually_sync(mark.exists, "the slot has run")
    for job in {one.outputs["job-id"] for one in ran}:
        assert house.ended(job)["state"] == "SUCCEEDED"
    assert len(mark.read_text().split()) == len({one.outputs["job-id"] for one in ran})
    house.owner.relayq("schedule", "remove", "tick")


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({"schedule": "tick"}, "go together"),
        ({"slot": "* * * * * UTC"}, "go together"),
        ({"schedule": "../x", "slot": "* * * * * UTC"}, "is not a name"),
        ({"schedule": "tick", "slot": "* * * * *"}, "is no cron rule and its zone"),
        ({"schedule": "tick", "slot": "* * * * * Moon/Crater"}, "is no cron rule and its zone"),
        ({"schedule": "tick", "slot": "99 * * * * UTC"}, "is no cron rule and its zone"),
        ({"schedule": "tick", "slot": "* * * * * UTC", "command": "true"}, "'command' cannot be given"),
    ],
)
def test_a_slot_that_is_none_is_one_sentence(runner: Runner, inputs: dict[str, str], why: str) -> None:
    ran = runner.run(join="never looked at", **inputs)
    assert (ran.code, why in ran.error) == (2, True), ran.raw


HOSTILE = [
    "$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "', "${{ secrets.X }}",
    "%0A::error::pwned", "a%b", "</td><script>", "[x](https://evil.example)", "a|b", "$'\\n'::error::x",
]  # fmt: skip


def test_no_input_is_ever_read_by_the_runners_shell(house: Home, runner: Runner) -> None:
    jobs = {}
    for text in HOSTILE:
        ran = runner.run(
            join=house.join, args="printf\n%s\n" + text, name=text[:60], params=f"P={text}", unique=text
        )
        assert ran.code == 0, ran.raw
        assert not list(runner.directory.glob("**/pwned"))
        assert not ran.log.annotations("error")
        row = next(line for line in ran.summary.splitlines() if line.startswith("| name |"))
        assert row.count("|") == 3
        assert row.count("`") == 2
        assert "<" not in row
        jobs[text] = ran.outputs["job-id"]
    assert {text: house.output(jobs[text]) for text in HOSTILE[::5]} == {text: text for text in HOSTILE[::5]}


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({}, "no command was given"),
        ({"command": "true", "args": "true"}, "command and args exclude each other"),
        ({"command": "true", "timeout": "soon"}, "'soon' is not a duration"),
        ({"command": "true", "attempts": "many"}, "'many' is not a whole number"),
        ({"command": "true", "attempts": "99"}, "99 is too large"),
        ({"command": "true", "params": "no equals sign"}, "a line of params is not NAME=value"),
        ({"command": "true", "params": "1A=x"}, "is not the name of a variable"),
        ({"command": "true", "params": "RELAYQ_X=1"}, "RELAYQ_X is refused"),
        ({"command": "true", "secrets": "KEY<<END\nabc"}, "has no end"),
        ({"command": "true", "name": "a\n::error::pwned"}, "has more than one line"),
        ({"command": "true", "name": "x" * 300}, "is too long: at most 200"),
        ({"command": "true", "params": "A=" + "x" * 66_000}, "is too long: at most 65536"),
        ({"command": "true", "array": "20000000"}, "is too large: at most 10000000"),
        ({"command": "true", "after": "nonsense"}, "is not the id of a job"),
        ({"command": "true", "needs": "gpu=many"}, "'many' is not a count"),
        ({"command": "true", "unique": "key,sometimes"}, "'sometimes' is not one of until_done, queued"),
        ({"command": "true", "unique": ",queued"}, "the key is empty"),
        ({"command": "true", "wait": "perhaps"}, "neither true nor false"),
        ({"command": "true", "notify": "everybody"}, "is none of status, check, comment, dispatch"),
        ({"command": "true", "notify": "comment"}, "belongs to no issue or pull request"),
        ({"command": "true", "link": "javascript:alert(1)"}, "not a plain http(s) address"),
    ],
)
def test_a_wrong_input_is_one_sentence_before_anything_is_sent(
    runner: Runner, inputs: dict[str, str], why: str
) -> None:
    ran = runner.run(join="never looked at", **inputs)
    assert (ran.code, ran.outputs["job-id"]) == (2, "")
    assert why in ran.error
    assert [name for name, _ in ran.log.commands if name != "add-mask"] == ["error"]
    assert len(ran.error) < 4_096


def test_the_output_of_a_job_orders_nobody_about(house: Home, runner: Runner) -> None:
    lines = [
        "::error::pwned", "##[error]pwned", "::add-mask::e", "::set-output name=x::y", "::stop-commands::x",
        "::x::", "\x1b]0;title\x07", "\x1b[2J", "%0A::error::pwned", "::endgroup::", "\r::error::pwned",
    ]  # fmt: skip
    args = "printf\n%b\n" + "".join(f"{line.encode('unicode_escape').decode()}\\n" for line in lines)
    ran = runner.run(join=house.join, args=args, wait="true")
    assert ran.code == 0, ran.raw
    assert [name for name, _ in ran.log.commands] == ["stop-commands"]
    assert "::error::pwned" in ran.log.shown
    assert "\x1b" not in ran.raw
    assert "\x07" not in ran.raw


def test_output_without_end_is_shown_up_to_a_limit(house: Home, runner: Runner) -> None:
    ran = runner.run(join=house.join, command="yes '::error::x' | head -c 3000000", wait="true")
    assert ran.code == 0
    assert len(ran.raw) < 9 << 20
    assert not ran.log.annotations("error")
    assert len(ran.summary) < 2_000


def test_secrets_are_masked_and_reach_the_job_alone(house: Home, runner: Runner) -> None:
    secrets = "TOKEN=tok-8d1f7c2e\nKEY<<END\nline-one-51c7\nline-two-9a3e\nEND"
    ran = runner.run(
        join=house.join,
        secrets=secrets,
        wait="true",
        command='printf "%s" "$KEY" | wc -l; echo "$TOKEN" | cut -c1-4',
    )
    assert ran.code == 0, ran.raw
    assert ran.log.masks == ["tok-8d1f7c2e", "line-one-51c7", "line-two-9a3e"]
    assert {"1", "tok-"} <= set(ran.log.shown)
    rest = "\n".join(ran.log.shown) + ran.summary + json.dumps(ran.outputs)
    assert not [mask for mask in (*ran.log.masks, house.join) if mask in rest]
    assert not [
        path for path in runner.directory.rglob("*") if path.is_dir() and path.name.startswith("relayq-")
    ]


def test_nothing_but_the_standard_library_is_loaded(house: Home, runner: Runner, tmp_path: Path) -> None:
    report = tmp_path / "report.py"
    report.write_text(
        "import atexit, runpy, sys\n"
        f"atexit.register(lambda: open({str(tmp_path / 'modules')!r}, 'w').write(' '.join(sys.modules)))\n"
        f"runpy.run_path({str(ACTION / 'submit.py')!r}, run_name='__main__')\n"
    )
    env = runner.environment | {"RELAYQ_INPUT_JOIN": house.join, "RELAYQ_INPUT_COMMAND": "true"}
    subprocess.run(["python3", "-ISB", str(report)], env=env, check=True, capture_output=True, timeout=60)
    modules = (tmp_path / "modules").read_text().split()
    # These are the ones that ruff holds to Python 3.9 (pyproject.toml).
    ours = {".".join(name.split(".")[1:3]) for name in modules if name.startswith("relayq.")}
    assert {name for name in ours if name.split(".")[0] not in ("model", "step", "trust")} == {
        "errors",
        "store",
        "store.tls",
        "store.wire",
        "text",
    }
    loaded = {name.partition(".")[0] for name in modules}
    assert not loaded & {"cryptography", "redis", "asyncio", "httpx", "platformdirs", "rich", "textual"}


# -- signed by the run itself


@pytest.fixture
def service(issuer: Issuer, runner: Runner) -> Iterator[Tokens]:
    """What a run with `id-token: write` may ask."""
    with tokens(issuer) as service:
        runner.environment |= service.variables | {"GITHUB_REPOSITORY_ID": "12"}
        yield service


def trust(house: Home, *options: str) -> None:
    """The owner trusts the repository."""
    house.owner.relayq("trust", "github", "me/site", "--repository-id", "12", "--owner-id", "34", *options)


def test_a_run_signs_with_its_identity_where_the_owner_trusts_the_repository(
    house: Home, runner: Runner, service: Tokens
) -> None:
    assert runner.run(join=house.join, command="true").outputs["status"] == "accepted"
    assert service.audiences == []  # no rule yet: the submit key signs
    trust(house)
    ran = runner.run(join=house.join, command="echo by token; exit 3", wait="true")
    assert (ran.code, ran.outputs["status"]) == (3, "failed"), ran.raw
    assert "by token" in ran.log.shown
    [audience] = service.audiences
    assert re.fullmatch("relayq:sha256:[0-9a-f]{64}", audience)
    envelope = Wire(json_url(house.owner)).call("GET", f"{{rq:home}}:s:{ran.outputs['job-id']}")
    assert re.match(rb"1z? oidc ", envelope)
    service.claims = {"event_name": "pull_request"}
    ran = runner.run(join=house.join, command="true")
    assert (ran.code, ran.outputs["status"]) == (1, "refused")
    assert "event 'pull_request' is not one of push" in ran.error
    service.claims = {"ref": "refs/heads/other"}
    assert "is not refs/heads/main" in runner.run(join=house.join, command="true").error
    assert runner.run(join=house.join, command="true", sign="key").outputs["status"] == "accepted"
    service.claims = {}
    trust(house, "--approve")
    ran = runner.run(join=house.join, command="true")
    assert "its owner has to let it run: relayq approve" in ran.log.annotations("warning")[0]
    house.owner.relayq("approve", ran.outputs["job-id"])
    assert house.ended(ran.outputs["job-id"])["state"] == "SUCCEEDED"
    house.owner.relayq("trust", "github", "me/site", "--remove")
    assert "no rule of the roster" in runner.run(join=house.join, command="true", sign="oidc").error


def test_a_token_service_that_fails_is_a_sentence(house: Home, runner: Runner, service: Tokens) -> None:
    for answers, why in (
        ([(403, "{}")], "it answers 403"),
        ([(302, "{}")], "it answers 302"),
        ([(200, "{}")] * 3, "holds no token"),
    ):
        service.answers = list(answers)
        ran = runner.run(join=house.join, command="true", sign="oidc")
        assert ran.code == 125
        assert "GitHub gave no identity token to this run" in ran.error
        assert why in ran.error
        assert service.answers == []
    service.answers = [(500, ""), (200, "no json")]  # and the third time a token
    assert runner.run(join=house.join, command="true", sign="oidc", queue="other").code == 1
    assert len(service.audiences) == 1
    del runner.environment["ACTIONS_ID_TOKEN_REQUEST_URL"]
    ran = runner.run(join=house.join, command="true", sign="oidc")
    assert (ran.code, "id-token: write" in ran.error) == (2, True)


# -- a hub, or a string, that is not what it should be


def failed(runner: Runner, join: str) -> Ran:
    """A step that cannot hand its job over."""
    ran = runner.run(join=join, command="true")
    assert ran.outputs["status"] == ""
    assert "Traceback" not in ran.raw
    assert join not in ran.raw or not join
    return ran


def test_a_string_that_is_none_is_a_sentence(house: Home, runner: Runner) -> None:
    assert "there is no join string" in failed(runner, "").error
    assert "not a whole join string" in failed(runner, "rq1nonsense").error
    assert "not a whole join string" in failed(runner, house.join[:-7]).error
    worker = house.invited("w2", role="worker")
    assert "is for worker w2" in failed(runner, worker).error


def test_a_revoked_user_is_told_so(house: Home, runner: Runner) -> None:
    join = house.invited("gone")
    house.owner.relayq("revoke", "gone")
    ran = failed(runner, join)
    assert (ran.code, "was it revoked?" in ran.error) == (125, True)
    # A new epoch began: what is sealed to it is let in by workers that have not heard of it yet.
    ran = runner.run(join=house.join, command="true")
    assert (ran.code, ran.outputs["status"]) == (0, "accepted"), ran.raw


def test_somebody_between_step_and_hub_is_noticed(house: Home, runner: Runner) -> None:
    """The certificate of another authority, and a roster that another owner signed."""
    other = house.ticket._replace(authority=make_authority().certificate).encode()
    assert "its certificate is refused" in failed(runner, other).error
    owner = house.ticket._replace(owner=SigningKey.generate().public).encode()
    assert "not by the owner's" in failed(runner, owner).error


def test_a_hub_that_is_not_there_is_tried_three_times(house: Home, runner: Runner) -> None:
    begun_s = time.monotonic()
    ran = failed(runner, house.ticket._replace(address="127.0.0.1:1").encode())
    assert ran.code == 125
    assert "cannot be reached" in ran.error
    assert time.monotonic() - begun_s > 4


def test_what_the_hub_holds_shows_nothing_of_the_job(house: Home, runner: Runner) -> None:
    ran = runner.run(
        join=house.join, command="echo unlikely-7f3a", params="P=param-77aa", secrets="S=secret-31bb"
    )
    job = ran.outputs["job-id"]
    house.ended(job)
    wire = Wire(json_url(house.owner))
    keys = wire.call("SCAN", 0, "COUNT", 100_000)[1]
    held = b"".join(dumped(wire, key) for key in keys if job.encode() in key)
    wire.close()
    assert job.encode() in b"".join(keys)
    assert held
    assert not [word for word in (b"unlikely-7f3a", b"param-77aa", b"secret-31bb") if word in held]


def dumped(wire: Wire, key: bytes) -> bytes:
    """Everything under one key, as bytes."""
    kind = wire.call("TYPE", key)
    reads = {b"string": ("GET", key), b"hash": ("HGETALL", key), b"stream": ("XRANGE", key, "-", "+")}
    return repr(wire.call(*reads[kind])).encode() if kind in reads else b""
