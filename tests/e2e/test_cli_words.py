"""What the command line says when something is not as it should be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.command_line import RELAYQ, objects, printed, relayq, state_of
from tests.support import PrivateServer, eventually_sync


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


def test_jobs_for_nobody_are_named_among_many_once_for_all_with_the_same_needs(served: None) -> None:
    spec = '{"command": "true", "needs": ["attic"]}\n'
    said = relayq("submit", "-", stdin=f'{spec * 3}{{"command": "true"}}\n')
    ids = said.stdout.split()
    assert (said.returncode, len(ids)) == (0, 4)
    [line] = [line for line in said.stderr.splitlines() if "no worker can run" in line]
    assert line.startswith(f"relayq: job {ids[0]} and 2 like it wait: no worker can run them now (worker ")


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


@pytest.fixture
def broken_policy(home: Path) -> str:
    """A policy that no worker starts with; what one says of it."""
    file = home / ".config/relayq/policy.toml"
    file.parent.mkdir(parents=True)
    file.write_text("bogus = 1\n")
    return "there is no rule 'bogus' at the top"


def test_a_background_worker_that_cannot_start_is_not_waited_for(broken_policy: str) -> None:
    for words in (("run", "--", "true"), ("run", "-q", "--", "true"), ("up",)):
        ended = relayq(*words)
        assert ended.returncode == 125
        assert "the background worker cannot work here" in ended.stderr
        assert ended.stderr.rstrip().splitlines()[-1].count(broken_policy) == 1


def test_who_waits_for_a_job_is_told_why_its_worker_cannot_start(home: Path, broken_policy: str) -> None:
    job = printed("submit", "--", "echo now").strip()
    ended = relayq("wait", job)
    assert (ended.returncode, broken_policy in ended.stderr) == (125, True)
    (home / ".config/relayq/policy.toml").unlink()
    assert relayq("wait", job).returncode == 0


def test_who_follows_a_job_soon_replaces_its_killed_worker(home: Path) -> None:
    command = f"echo begun; touch {home}/begun; until [ -e {home}/go ]; do sleep 0.1; done; echo ended"
    job = printed("submit", "--", command).strip()
    eventually_sync((home / "begun").exists)
    os.kill(int((home / ".local/state/relayq/background-worker.lock").read_text()), signal.SIGKILL)
    (home / "go").touch()
    began_s = time.monotonic()
    assert printed("logs", "-f", job) == "begun\nended\n"
    assert time.monotonic() - began_s < 10


def test_a_worker_that_was_killed_keeps_no_other_from_being_started(home: Path) -> None:
    printed("hub", "start")
    worker = subprocess.Popen([*RELAYQ, "worker", "--name", "fg", "--headless"], stderr=subprocess.DEVNULL)
    eventually_sync(lambda: [one["name"] for one in objects("workers")] == ["fg"], "it is there")
    assert "started one" not in relayq("submit", "--", "true").stderr
    worker.kill()
    worker.wait(10)
    assert "no worker was running: started one" in relayq("submit", "--", "true").stderr


def checked(name: str) -> tuple[str, str]:
    """What the doctor says of one thing: the verdict, and what was found with its remedy."""
    told = relayq("doctor", "--json").stdout.splitlines()
    checks = {check["name"]: check for check in map(json.loads, told)}
    return checks[name]["verdict"], f"{checks[name]['found']}; {checks[name]['remedy']}"


def test_the_doctor_reads_the_key_that_signs(hub: str, home: Path) -> None:
    printed("submit", "--", "true")
    [key] = home.rglob("owner.key")
    assert checked("owner key")[0] == "ok"
    key.write_text("garbage")
    verdict, said = checked("owner key")
    assert (verdict, "is damaged" in said) == ("bad", True)


def test_the_doctor_misses_whoever_would_run_jobs_and_fire_schedules(hub: str) -> None:
    printed("jobs")
    assert checked("workers") == (
        "warn",
        "the fleet has none; jobs wait: start one with `relayq worker`, or for good with "
        "`relayq service install`",
    )
    assert checked("schedules")[0] == "ok"
    printed("schedule", "add", "nightly", "--every", "1h", "--", "true")
    verdict, said = checked("schedules")
    assert (verdict, "no scheduler runs, so nothing fires (1 not paused)" in said) == ("warn", True)
    printed("schedule", "pause", "nightly")
    assert checked("schedules")[0] == "ok"


def test_the_doctor_has_a_sentence_for_a_hub_that_answers_some_questions_and_no_others(
    own_server: PrivateServer, home: Path
) -> None:
    own_server.call("ACL", "SETUSER", "half", "on", ">word", "~*", "+info", "+time")
    ended = relayq("doctor", "--json", "--url", own_server.url.replace("unix://", "unix://half:word@"))
    checks = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (ended.returncode, ended.stderr, checks[-1]["verdict"]) == (1, "", "bad")
    assert "User half has no permissions" in checks[-1]["found"] and "word" not in ended.stdout


def test_the_doctor_counts_the_workers_that_are_online(served: None) -> None:
    assert checked("workers") == ("ok", "1 of 1 online; ")


def test_a_quiet_run_says_nothing_beside_the_output(home: Path) -> None:
    """Not even that it started a hub and a worker."""
    ended = relayq("run", "-q", "--", "echo out")
    assert (ended.stdout, ended.stderr) == ("out\n", "")


def test_wait_gives_up_after_the_time_that_was_typed(hub: str) -> None:
    job = printed("submit", "--", "true").strip()
    for typed in ("300ms", "0.5s"):
        ended = relayq("wait", job, "--timeout", typed)
        said = typed.replace("0.5s", "500ms")
        assert (ended.returncode, ended.stderr) == (
            124,
            f"relayq: job {job} has not ended after {said}; it goes on\n",
        )


def test_a_priority_below_zero_may_stand_behind_a_dash(hub: str) -> None:
    job = printed("submit", "--", "true").strip()
    assert printed("reprioritise", job, "--", "-5").split() == [job, "priority", "-5"]
    assert printed("reprioritise", job, "-6").split() == [job, "priority", "-6"]
    assert relayq("jobs", "--", "a", "b").returncode == 2


def test_what_a_job_waits_for_is_named(hub: str) -> None:
    first, second = (printed("submit", "--", "true").strip() for _ in range(2))
    one = printed("submit", "--after", first, "--", "true").strip()
    assert f"it waits for job {first[-6:]}\n" in printed("explain", one)
    both = printed("submit", "--after", first, "--after", second, "--", "true").strip()
    assert f"it waits for jobs {first[-6:]}, {second[-6:]}\n" in printed("explain", both)


def test_a_job_that_costs_next_to_nothing_takes_one_line_for_it(served: None) -> None:
    job = printed("submit", "--", "true").strip()
    printed("wait", job)
    prices = [line for line in printed("show", job).splitlines() if line.startswith("price")]
    assert len(prices) == 1 and "under 0.01" in prices[0]


def test_only_a_waiting_job_is_replaced_and_the_words_say_so(served: None) -> None:
    running = printed("submit", "--unique", "k", "--", "exec tail -f /dev/null").strip()
    eventually_sync(lambda: state_of(running) == "RUNNING", "it runs")
    ended = relayq("submit", "--unique", "k,replace", "--", "true")
    assert (ended.returncode, ended.stdout) == (0, f"{running}\n")
    assert "runs already, and only one that waits is replaced" in ended.stderr
    assert "is there already: no second one is made" in relayq("submit", "--unique", "k", "--", "true").stderr
    printed("cancel", running)


def test_run_says_that_a_unique_key_kept_its_command_out(served: None) -> None:
    first = printed("submit", "--unique", "k,1h", "--", "echo first").strip()
    again = relayq("run", "--unique", "k,1h", "--", "echo second")
    assert (again.returncode, again.stdout) == (0, "first\n")
    assert (
        again.stderr == f"relayq: job {first} with this unique key is there already: no second one is made\n"
    )


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("worker", "--labels", "=,="), "'=' is not a label"),
        (("worker", "--labels", "cpus=4"), "'cpus=4' is no label"),
        (("submit", "--at", "2020-01-01", "--", "true"), "is past"),
        (("submit", "--prefer", ",", "--", "true"), "',' names nothing"),
        (("submit", "--needs", " , ,", "--", "true"), "names nothing"),
    ],
)
def test_what_makes_no_sense_is_not_taken_without_a_word(hub: str, argv: tuple[str, ...], words: str) -> None:
    ended = relayq(*argv)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert words in ended.stderr


def test_what_is_taken_but_may_be_a_slip_is_said(hub: str) -> None:
    empty = relayq("submit", "-", stdin="\n")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert "stdin held no job spec" in empty.stderr
    assert "no job stands in a queue called 'nosuchq'" in relayq("queue", "pause", "nosuchq").stderr
    printed("submit", "--queue", "night", "--", "true")
    assert relayq("queue", "pause", "night").stderr == ""


def test_a_name_that_nothing_has_is_a_usage_error_everywhere(hub: str, tmp_path: Path) -> None:
    nobody = "0123456789ABCDEF"
    lines = [
        *((verb, name) for verb in ("show", "explain", "logs", "wait", "fetch") for name in (nobody, "ZZZZ")),
        *((verb, nobody) for verb in ("cancel", "hold", "release", "retry", "forget", "approve")),
        ("reprioritise", nobody, "5"),
        ("quiet", "nosuch"),
        ("stop", "nosuch"),
        *(("schedule", verb, "nosuch") for verb in ("show", "pause", "resume", "remove", "run", "next")),
        ("revoke", "nosuch"),
        ("join", "rq1broken"),
        ("hub", "invite", "worker", "bad name!"),
        ("hub", "restore", str(tmp_path / "none")),
    ]
    for line in lines:
        ended = relayq(*line)
        assert (line, ended.returncode) == (line, 2), ended.stderr
    (tmp_path / "b").write_text("x")
    assert relayq("hub", "backup", str(tmp_path / "b")).returncode == 2


def test_a_cancelled_job_has_no_exit_code_of_its_own(hub: str) -> None:
    job = printed("submit", "--", "true").strip()
    printed("cancel", job)
    ended = relayq("wait", job)
    assert (ended.returncode, ended.stdout) == (1, f"{job}  CANCELLED\n")
