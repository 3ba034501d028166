"""The command line as people type it: processes, exit codes, streams, signals."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command_line import RELAYQ, objects, printed, relayq, state_of
from tests.support import PrivateServer, eventually_sync, processes_of


def test_run_passes_output_and_exit_code_on(served: None) -> None:
    ended = relayq("run", "--", "echo out; echo err >&2; exit 7")
    assert (ended.returncode, ended.stdout) == (7, "out\n")
    assert "err\n" in ended.stderr
    assert "failed with exit code 7" in ended.stderr


def test_quiet_run_shows_the_job_alone(served: None) -> None:
    ended = relayq("run", "-q", "--", "printf", "%s", "a b")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "a b", "")


def test_run_hands_bytes_through_where_nobody_looks(served: None) -> None:
    ended = subprocess.run(
        [*RELAYQ, "run", "-q", "--", r"printf '\033]0;x\007\377'"], capture_output=True, check=True
    )
    assert ended.stdout == b"\x1b]0;x\x07\xff"


def test_run_sanitises_what_a_person_looks_at(served: None) -> None:
    shown = on_a_terminal("run", "-q", "--", r"printf '\033]0;owned\007\033[31mred\033[0m'")
    assert b"\x1b]0;" not in shown
    assert b"\x1b[31mred" in shown


def on_a_terminal(*argv: str) -> bytes:
    """What a command line writes to a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(RELAYQ[0], [*RELAYQ, *argv])
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown


def test_a_timeout_is_124(served: None) -> None:
    assert relayq("run", "-q", "--timeout", "1s", "--", "sleep 60").returncode == 124


def test_a_first_interrupt_leaves_the_job_running(served: None) -> None:
    process, job = started("sleep 60")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert f"relayq wait {job[-6:]}" in process.stderr.read()
    assert state_of(job) == "RUNNING"
    assert "told to end it" in printed("cancel", job)


def test_a_second_interrupt_cancels_it(served: None) -> None:
    process, job = started("sleep 60")
    process.send_signal(signal.SIGINT)
    assert "goes on" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert relayq("wait", job).returncode == 1
    assert state_of(job) == "CANCELLED"


def started(command: str) -> tuple[subprocess.Popen[str], str]:
    """`relayq run` in the background, once its job runs: (process, job id)."""
    process = subprocess.Popen(
        [*RELAYQ, "run", "--", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    job = process.stderr.readline().split()[2]
    eventually_sync(lambda: state_of(job) == "RUNNING", "the job runs")
    return process, job


def test_submit_prints_the_id_and_wait_passes_the_exit_code(served: None) -> None:
    job = printed("submit", "--", "exit 5").strip()
    assert len(job) == 16
    ended = relayq("wait", job[-6:])
    assert (ended.returncode, ended.stdout) == (5, f"{job}  FAILED  exit code 5\n")


def test_waiting_for_several_is_1_when_one_failed(served: None) -> None:
    jobs = [printed("submit", "--", command).strip() for command in ("true", "exit 5")]
    assert relayq("wait", *jobs).returncode == 1
    assert relayq("wait", jobs[0]).returncode == 0


def test_waiting_has_a_limit(hub: str) -> None:
    job = printed("submit", "--", "true").strip()
    ended = relayq("wait", job, "--timeout", "100ms")
    assert ended.returncode == 124
    assert "it goes on" in ended.stderr


def test_one_look_is_enough_for_what_has_ended(served: None) -> None:
    jobs = [printed("submit", "--", "exit 5").strip() for _ in range(2)]
    assert relayq("wait", *jobs).returncode == 1
    assert relayq("wait", *jobs, "--timeout", "0").returncode == 1
    assert relayq("wait", jobs[0], "--timeout", "0").returncode == 5
    waiting = printed("submit", "--needs", "moon", "--", "true").strip()
    ended = relayq("wait", jobs[0], waiting, "--timeout", "0")
    assert (ended.returncode, "after 0s; it goes on" in ended.stderr) == (124, True)


def test_specs_are_submitted_in_bulk(hub: str) -> None:
    lines = "".join(json.dumps({"command": "true", "name": f"n{number}"}) + "\n" for number in range(1234))
    assert len(set(printed("submit", "-", stdin=lines).split())) == 1234
    assert objects("queues")[0]["runnable"] == 1234


def test_a_bad_line_is_named_and_nothing_is_queued(hub: str) -> None:
    ended = relayq("submit", "-", stdin='{"command":"true"}\n{"command":"true","colour":"red"}\n')
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "line 2 of stdin: unknown field 'colour'" in ended.stderr
    assert objects("jobs") == []


def test_jobs_are_listed_newest_first_and_filtered(hub: str) -> None:
    for name in ("one", "two", "three"):
        printed("submit", "--name", name, "--label", f"team={name}", "--queue", f"q-{name}", "--", "true")
    assert [job["name"] for job in objects("jobs")] == ["three", "two", "one"]
    assert [job["name"] for job in objects("jobs", "--name", "tw")] == ["two"]
    assert [job["name"] for job in objects("jobs", "--label", "team=one")] == ["one"]
    assert [job["name"] for job in objects("jobs", "--queue", "q-three")] == ["three"]
    assert [job["name"] for job in objects("jobs", "-n", "1")] == ["three"]
    assert objects("jobs", "--state", "running") == []
    assert relayq("jobs", "--state", "sleeping").returncode == 2
    assert "three" in printed("jobs").splitlines()[1]


def test_jobs_are_found_by_a_query(hub: str) -> None:
    for name in ("train-a", "train-b", "scrape"):
        printed("submit", "--name", name, "--label", "nightly=1", "--queue", f"q-{name}", "--", "true")
    assert [job["name"] for job in objects("jobs", "state:queued train sort:name")] == ["train-a", "train-b"]
    assert [job["name"] for job in objects("jobs", "-queue:q-train* tag:nightly")] == ["scrape"]
    assert [job["name"] for job in objects("jobs", "train OR scrape", "--queue", "q-scrape")] == ["scrape"]
    assert [job["name"] for job in objects("jobs", "age:<1h sort:-name", "-n", "1")] == ["train-b"]
    assert "queue q-scrape" in printed("jobs", "group:queue").splitlines()
    assert objects("jobs", "state:failed") == []


def test_a_query_that_makes_no_sense_is_pointed_at(hub: str) -> None:
    ended = relayq("jobs", "queue:gpu stat:failed")
    assert (ended.returncode, ended.stdout) == (2, "")
    query, caret, message = ended.stderr.splitlines()
    assert caret.index("^") == query.index("stat:")
    assert "did you mean state:?" in message


def test_show_tells_the_spec_and_what_became_of_it(served: None) -> None:
    job = printed(
        "submit", "--name", "n", "--attempts", "2", "--backoff", "0s", "--secret", "A=b", "--", "exit 3"
    ).strip()
    assert relayq("wait", job).returncode == 3
    [shown] = objects("show", job)
    assert (shown["state"], shown["reason"], shown["exit_code"]) == ("FAILED", "exit", 3)
    assert (shown["command"], shown["name"], shown["secrets"]) == ("exit 3", "n", {"A": "***"})
    attempts = shown["attempts"]
    assert isinstance(attempts, list)
    assert [(attempt["number"], attempt["worker"], attempt["exit_code"]) for attempt in attempts] == [
        (1, "w1", 3),
        (2, "w1", 3),
    ]
    assert "exit code" in printed("show", job)


def test_explain_names_the_clause_and_the_worker(served: None) -> None:
    ended = relayq("submit", "--needs", "mars", "--", "true")
    assert "no worker can run it now (worker w1 has no label 'mars')" in ended.stderr
    assert "worker w1 has no label 'mars'" in printed("explain", ended.stdout.strip())


def test_logs_are_shown_whole_by_attempt_and_by_stream(served: None) -> None:
    command = 'echo "out $RELAYQ_ATTEMPT"; echo "err $RELAYQ_ATTEMPT" >&2; test $RELAYQ_ATTEMPT = 2'
    job = printed("submit", "--attempts", "2", "--backoff", "0s", "--", command).strip()
    relayq("wait", job)
    assert printed("logs", job) == "out 2\n"
    assert relayq("logs", job).stderr == "err 2\n"
    assert printed("logs", job, "--attempt", "1") == "out 1\n"
    ended = relayq("logs", job, "--stderr")
    assert (ended.stdout, ended.stderr) == ("", "err 2\n")
    assert printed("logs", job, "--full") == "out 2\n"
    assert printed("logs", job, "-f") == "out 2\n"


def test_the_output_of_an_array_is_that_of_its_elements_in_order(served: None) -> None:
    ended = relayq("run", "--array", "2-4", "--", "echo $RELAYQ_ARRAY_INDEX; test $RELAYQ_ARRAY_INDEX != 3")
    assert (ended.returncode, ended.stdout) == (1, "2\n3\n4\n")
    job = ended.stderr.split()[2]
    assert (
        printed("logs", job)
        == printed("logs", job, "-f")
        == "".join(f"[element {n}]\n{n}\n" for n in (2, 3, 4))
    )
    assert printed("logs", f"{job[-6:]}:4") == "4\n"
    assert relayq("wait", f"{job}:3").returncode == 1
    counts = objects("show", job)[0]["elements"]
    assert isinstance(counts, dict)
    assert (counts["size"], counts["start"], counts["succeeded"], counts["failed"]) == (3, 2, 2, 1)


def test_hold_release_reprioritise_cancel(hub: str) -> None:
    job = printed("submit", "--", "true").strip()
    assert printed("hold", job).split() == [job, "held"]
    assert state_of(job) == "PENDING"
    assert printed("release", job).split() == [job, "released"]
    assert printed("reprioritise", job, "7").split() == [job, "priority", "7"]
    assert objects("show", job)[0]["priority"] == 7
    assert printed("cancel", job, "--why", "enough").split() == [job, "cancelled"]
    ended = relayq("cancel", job)
    assert ended.returncode == 1
    assert "it has ended (CANCELLED)" in ended.stdout


def test_retry_runs_a_job_again_and_clone_makes_a_new_one(served: None) -> None:
    job = printed("submit", "--name", "n", "--", "exit 4").strip()
    assert relayq("wait", job).returncode == 4
    assert "runs again" in printed("retry", job)
    assert relayq("wait", job).returncode == 4
    clone = printed("clone", job, "--", "exit 6").strip()
    assert clone != job
    assert relayq("wait", clone).returncode == 6
    assert objects("show", clone)[0]["name"] == "n"


def test_dependencies_take_the_end_of_an_id(served: None) -> None:
    first = printed("submit", "--", "exit 1").strip()
    second = printed("submit", "--after", f"{first[-6:]}:failed", "--", "true").strip()
    assert relayq("wait", second).returncode == 0


def test_queues_are_paused_weighted_and_resumed(hub: str) -> None:
    job = printed("submit", "--queue", "night", "--", "true").strip()
    printed("queue", "pause", "night")
    printed("queue", "weight", "night", "2.5")
    [queue] = objects("queues")
    assert (queue["name"], queue["paused"], queue["weight"]) == ("night", True, 2.5)
    assert "queue night is paused" in printed("explain", job)
    printed("queue", "resume", "night")
    assert "night" in printed("queues")
    assert not objects("queues")[0]["paused"]


def test_workers_are_listed_quieted_and_stopped(served: None) -> None:
    [worker] = objects("workers")
    assert (worker["name"], worker["online"]) == ("w1", True)
    printed("quiet", "w1")
    assert "quiet" in printed("workers")
    printed("quiet", "w1", "--off")
    printed("stop", "w1")
    eventually_sync(lambda: not objects("workers")[0]["online"], "the worker has left")
    assert relayq("quiet", "w1").returncode == 2


def test_the_doctor_finds_a_remedy(hub: str) -> None:
    checks = {str(check["name"]): check for check in objects("doctor")}
    assert checks["persistence"]["verdict"] == "warn"
    assert "appendonly yes" in str(checks["persistence"]["remedy"])
    assert checks["eviction"]["verdict"] == "ok"
    assert {"server", "memory", "clock", "round trip", "kill level", "disk", "socket", "schema"} <= set(
        checks
    )


def test_a_hub_that_is_down_is_named_with_what_to_do(hub: str) -> None:
    ended = relayq("submit", "--url", "redis://me:secret@127.0.0.1:1", "--", "true")
    assert ended.returncode == 125
    assert ended.stderr.count("\n") == 1
    assert "127.0.0.1:1" in ended.stderr and "relayq config show" in ended.stderr
    assert "secret" not in ended.stderr


def test_a_job_that_is_not_there_is_one_sentence(hub: str) -> None:
    for command in ("show", "explain", "logs", "wait", "cancel"):
        ended = relayq(command, "0123456789ABCDEF" if command != "cancel" else "ZZZZ")
        assert ended.returncode == 2, command
        assert "Traceback" not in ended.stderr
    assert "there is no job 'ZZZZ'" in relayq("show", "ZZZZ").stderr


def test_a_broken_pipe_is_silent(hub: str) -> None:
    lines = '{"command":"true"}\n' * 3000
    printed("submit", "-", stdin=lines)
    ended = subprocess.run(
        f"{sys.executable} -m relayq jobs -n 3000 | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ended.stdout.count("\n"), ended.stderr) == (1, "")


def test_hostile_names_are_harmless_in_lists(hub: str) -> None:
    printed("submit", "--name", "\x1b]0;owned\x07[red]\u202e", "--", "true")
    shown = on_a_terminal("jobs")
    assert b"\x1b]0;" not in shown and "\u202e".encode() not in shown
    assert b"[red]" in shown


def test_no_colour_is_honoured(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    printed("submit", "--", "true")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert b"\x1b[36m" in on_a_terminal("jobs")
    monkeypatch.setenv("NO_COLOR", "1")
    assert b"\x1b[3" not in on_a_terminal("jobs")


def test_a_fresh_checkout_runs_a_job_with_one_command(home: Path) -> None:
    ended = relayq("run", "--", "echo hello")
    assert (ended.returncode, ended.stdout) == (0, "hello\n")
    assert "no hub was running: started a private one in the background" in ended.stderr
    assert "started one in the background" in ended.stderr
    again = relayq("run", "--", "echo again")
    assert (again.returncode, again.stdout) == (0, "again\n")
    assert "started" not in again.stderr
    assert objects("hub", "status")[0]["workers"] == 1
    assert relayq("down").returncode == 0
    assert relayq("hub", "status").returncode == 1
    eventually_sync(lambda: not processes_of(home), "nothing is left running")
    assert printed("run", "-q", "--", "echo back") == "back\n"


def test_a_killed_background_worker_is_replaced(home: Path) -> None:
    printed("run", "-q", "--", "true")
    pid = int((home / ".local/state/relayq/background-worker.lock").read_text())
    os.kill(pid, signal.SIGKILL)
    assert printed("run", "-q", "--", "echo again") == "again\n"


def test_many_at_once_start_one_hub_and_one_worker(home: Path) -> None:
    processes = [
        subprocess.Popen([*RELAYQ, "run", "--", "true"], stderr=subprocess.PIPE, text=True) for _ in range(6)
    ]
    said = [process.communicate(timeout=90)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 6
    for what in ("started a private one in the background", "started one in the background"):
        assert sum(what in words for words in said) == 1
    assert objects("hub", "status")[0]["workers"] == 1


def test_up_and_down(home: Path) -> None:
    assert "a worker was started" in relayq("up").stderr
    eventually_sync(lambda: objects("hub", "status")[0]["workers"] == 1, "the worker is registered")
    assert "runs already" in relayq("up").stderr
    assert "its jobs are kept" in relayq("down").stderr
    assert "no local hub was running" in relayq("down").stderr


def test_up_is_for_the_local_hub(hub: str) -> None:
    ended = relayq("up")
    assert ended.returncode == 2
    assert "RELAYQ_URL names another one" in ended.stderr


def test_an_old_schema_is_refused_in_one_sentence(own_server: PrivateServer, home: Path) -> None:
    own_server.call("HSET", "{rq:home}:cfg", "schema", "99")
    ended = relayq("jobs", "--url", own_server.url)
    assert ended.returncode == 125
    assert "schema 99" in ended.stderr


def test_a_hub_that_has_gone_on_to_another_schema_takes_no_jobs(
    own_server: PrivateServer, home: Path
) -> None:
    assert relayq("submit", "--url", own_server.url, "--", "true").returncode == 0
    own_server.call("HSET", "{rq:home}:cfg", "schema", "99")
    for bulk in (("--", "true"), ("-",)):
        ended = relayq("submit", "--url", own_server.url, *bulk, stdin='{"command": "true"}\n')
        assert (ended.returncode, ended.stdout) == (125, "")
        assert "the hub speaks schema 99 and this RelayQ schema 1" in ended.stderr
    assert own_server.call("HGET", "{rq:home}:cfg", "schema") == b"$2\r\n99\r\n"
    assert own_server.call("HGET", "{rq:home}:n", "R") == b"$1\r\n1\r\n"
