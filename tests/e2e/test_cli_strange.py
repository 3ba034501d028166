"""What strange input gets: one sentence, the documented exit code, and nothing is lost."""

from __future__ import annotations

import json
import os
import secrets
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command_line import RELAYQ, objects, printed, relayq
from tests.support import PrivateServer, eventually_sync

DIGITS = "9" * 5000


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Type a line into a shell; RELAYQ in it is the program."""
    return subprocess.run(
        ["bash", "-c", line.replace("RELAYQ", " ".join(RELAYQ))],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )


def refusal(*argv: str, stdin: str = "") -> tuple[int, str]:
    """The exit code and the one line that a refused command says."""
    ended = relayq(*argv, stdin=stdin)
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert line.startswith("relayq: ")
    return ended.returncode, line.removeprefix("relayq: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("submit", "--priority", "high", "--", "true"), "'high' is not a whole number (field 'priority')"),
        (("submit", "--priority", "1_0", "--", "true"), "'1_0' is not a whole number (field 'priority')"),
        (("submit", "--limit", "gpu", "--", "true"), "--limit: 'gpu' is not NAME=VALUE"),
        (("schedule", "add", "x", "--every", "0s", "--", "true"), "an interval above 0"),
        (("submit", "--in", "/dev/zero", "--", "true"), "/dev/zero is no file but a pipe or device"),
        (("submit", "--limit", "gpu=a", "--", "true"), "'a' is not a whole number (field 'limits.gpu')"),
        (("submit", "--backoff", "-5s", "--", "true"), "'-5s' is not a duration"),
        (("submit", "--array", DIGITS, "--", "true"), "is not an array: write 100 or 5-20"),
        (("submit", "--array", "٣", "--", "true"), "is not an array: write 100 or 5-20"),
        (("submit", "--array", "@/dev/null", "--", "true"), "/dev/null has no line"),
        (("submit", "--priority", DIGITS, "--", "true"), "..."),
        (("submit", "--cwd", "~nobody-here/x", "--", "true"), "names the home of a user"),
        (("submit", "--unique", "k,0s", "--", "true"), "a window of no time keeps nothing out"),
        (("submit", "-", "--", "true"), "- reads job specs from stdin"),
        (("submit", "--wire", "--", "true"), "this is not a whole join string"),
        (("join", "rq1abc"), "this is not a whole join string"),
        (("queue", "pause", "a b"), "'a b' is not a name"),
        (("queue", "weight", "a b", "2"), "'a b' is not a name"),
        (("queue",), "missing: pause|resume|weight, NAME"),
        (("queue", "stop", "x"), "'stop' is none of 'pause', 'resume', 'weight'"),
        (("hub",), "missing: start|stop|status"),
        (("fetch",), "missing: ID; see"),
        (("jobs", "-n", "0"), "-n 0 shows nothing"),
        (("jobs", "-n", "-5"), "-n -5 shows nothing"),
        (("policy", "check", "--as", "", "--", "true"), "no key is called ''"),
        (("--url",), "--url needs a value"),
        (("hub", "stop", "--url", "redis://127.0.0.1:1"), "is for the local hub"),
        (("hub", "start", "--url", "redis://127.0.0.1:1"), "is for the local hub"),
        (("down", "--url", "redis://127.0.0.1:1"), "is for the local hub"),
        (("up", "--url", "redis://127.0.0.1:1"), "is for the local hub"),
        (("worker", "--trust", "x"), "'x' is not a public key: 43 letters as `relayq keys` prints them"),
        (("scheduler", "--trust", "x"), "'x' is not a public key"),
        (("notifier", "--trust", "x"), "'x' is not a public key"),
        (("jobs", "--url", "redis://h:99999"), "a port from 1 to 65535"),
        (("submit", "--url", "redis://h:x", "--", "true"), "a port from 1 to 65535"),
        (("submit", "--url", "redis://[::1", "--", "true"), "a port from 1 to 65535"),
        (("submit", "--url", "redis://h/x", "--", "true"), "the number of a database"),
        (("submit", "--url", "unix://", "--", "true"), "unix:///PATH"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_what_makes_no_sense_is_named(
    hub: str, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("RELAYQ_JOIN", "rq1broken")
    code, line = refusal(*words)
    assert (code, said in line) == (2, True), line
    assert len(line) < 600
    assert objects("jobs") == []


def test_a_number_that_is_too_long_is_called_so(hub: str) -> None:
    code, line = refusal("submit", "-", stdin=f'{{"command": "true", "priority": {DIGITS}}}')
    assert (code, line) == (
        2,
        "line 1 of stdin: the job spec is not JSON: a number has too many digits",
    )


def test_a_directory_that_is_gone_is_called_so(hub: str, tmp_path: Path) -> None:
    ended = shell(f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir ../gone; RELAYQ submit --cwd . -- true")
    assert (ended.returncode, ended.stderr) == (
        2,
        b"relayq: --cwd: the directory you stand in is gone: go to another one, or write --cwd /DIR\n",
    )


@pytest.mark.parametrize("line", ["version", "jobs", "submit -- true", "run -- 'echo x'", "config show"])
def test_closed_streams_are_no_errors(served: None, line: str) -> None:
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        ended = shell(f"RELAYQ {line} {closed}")
        assert (ended.returncode, b"Traceback" in ended.stderr) == (0, False), ended.stderr


def test_no_stdin_is_an_empty_one(hub: str) -> None:
    assert shell("RELAYQ submit - <&-").stderr == b"relayq: stdin held no job spec: nothing was submitted\n"
    assert shell("RELAYQ submit --stdin - -- cat <&-").returncode == 0


@pytest.mark.parametrize("encoding", ["utf-8:strict", "utf-8:surrogateescape", "ascii:strict"])
def test_bytes_that_are_no_text_arrive_as_they_are_in_any_locale(
    served: None, tmp_path: Path, encoding: str
) -> None:
    typed = shell(r"printf 'caf\xe9' | RELAYQ run -q --stdin - -- cat", PYTHONIOENCODING=encoding)
    assert (typed.returncode, typed.stdout) == (0, b"caf\xe9")
    (tmp_path / "spec").write_bytes(b'{"command": "printf caf\xe9"}\n')
    lines = shell(f"RELAYQ submit - < {tmp_path / 'spec'}", PYTHONIOENCODING=encoding)
    assert (lines.returncode, lines.stderr) == (0, b"")
    job = lines.stdout.decode().strip()
    printed("wait", job)
    assert shell(f"RELAYQ logs {job}").stdout == b"caf\xe9"


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict", "latin-1:strict"])
def test_whatever_a_job_is_called_can_be_listed_in_any_locale(served: None, encoding: str) -> None:
    job = shell(r"RELAYQ submit --name $'caf\xe9 …' -- true").stdout.decode().strip()
    for words in ("jobs", f"show {job}", f"explain {job}"):
        plain, as_json = (
            shell(f"RELAYQ {words} {more}", PYTHONIOENCODING=encoding) for more in ("", "--json")
        )
        assert (plain.returncode, as_json.returncode) == (0, 0), plain.stderr + as_json.stderr
        assert json.loads(as_json.stdout.decode("utf-8"))["id"] == job
    name = json.loads(shell("RELAYQ jobs --json", PYTHONIOENCODING=encoding).stdout)["name"]
    assert name == "caf\udce9 …"


def test_lines_of_a_file_end_at_a_line_feed_alone(served: None, tmp_path: Path) -> None:
    (tmp_path / "names").write_text("a\u2028b\r\nc\x85d\n", encoding="utf-8", newline="")
    (tmp_path / "env").write_text("A=1\x852\n", encoding="utf-8")
    options = ["--array", f"@{tmp_path / 'names'}", "--env-file", f"{tmp_path / 'env'}"]
    job = printed("submit", *options, "--", 'printf %s "$RELAYQ_ARRAY_VALUE$A"').strip()
    printed("wait", job)
    assert [printed("logs", f"{job}:{index}") for index in (0, 1)] == ["a\u2028b1\x852", "c\x85d1\x852"]


def test_what_was_queued_before_the_hub_was_full_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = PrivateServer(options=("--maxmemory", "14mb")).start()
    try:
        monkeypatch.setenv("RELAYQ_URL", server.url)
        lines = [json.dumps({"command": "true", "stdin": secrets.token_hex(8000)}) for _ in range(2500)]
        ended = relayq("submit", "-", stdin="\n".join(lines))
        queued = {job["id"] for job in objects("jobs", "-n", "5000")}
    finally:
        server.close()
    assert ended.returncode == 125
    assert set(ended.stdout.split()) == queued
    assert len(queued) in (500, 1000, 1500)
    assert f"only the first {len(queued)} jobs were queued" in ended.stderr.splitlines()[-1]


def test_a_spec_that_is_too_large_as_a_whole_is_named_before_anything_is_queued(hub: str) -> None:
    lines = [json.dumps({"command": "true"})] * 600
    lines.append(json.dumps({"command": "x" * 40_000, "stdin": "y" * 40_000}))
    code, line = refusal("submit", "-", stdin="\n".join(lines))
    assert (code, line.startswith("line 601 of stdin: the job spec is ")) == (2, True), line
    assert objects("jobs") == []


@pytest.fixture
def locked_server() -> Iterator[PrivateServer]:
    """A server that asks for a password."""
    server = PrivateServer(options=("--requirepass", "s3cret")).start()
    yield server
    server.close()


def test_a_password_that_is_missing_is_no_broken_link(home: Path, locked_server: PrivateServer) -> None:
    for words in (["jobs"], ["submit", "--", "true"], ["hub", "status"], ["worker", "--headless"]):
        code, line = refusal(words[0], "--url", locked_server.url, *words[1:])
        assert (code, "refused the user or password" in line) == (125, True), line


def test_what_an_address_has_too_much_is_named(home: Path, hub_url: str) -> None:
    for url, said in (
        (hub_url.replace("unix://", "unix://:pw@"), "asks nobody for a password: leave it out"),
        (f"{hub_url}?db=99", "has no database 99"),
    ):
        for words in (["jobs"], ["submit", "--", "true"], ["hub", "status"]):
            code, line = refusal(words[0], "--url", url, *words[1:])
            assert (code, said in line) == (125, True), line


def test_a_hub_that_goes_away_is_not_waited_for_in_silence(
    home: Path, monkeypatch: pytest.MonkeyPatch, own_server: PrivateServer
) -> None:
    monkeypatch.setenv("RELAYQ_URL", own_server.url)
    job = printed("submit", "--", "true").strip()
    waiting = subprocess.Popen([*RELAYQ, "wait", job], stderr=subprocess.PIPE, text=True)
    assert waiting.stderr
    eventually_sync(lambda: b"XREAD" in own_server.call("CLIENT", "LIST").upper(), "somebody waits")
    own_server.kill()
    said = waiting.stderr.readline()
    own_server.start()
    printed("cancel", job)
    assert (waiting.wait(30), waiting.stderr.read()) == (1, "")
    assert f"hub {own_server.url} cannot be reached" in said
    assert "waiting for it, 60 s at most" in said


class _Web(socketserver.StreamRequestHandler):
    """What a web server says to whoever is not a browser."""

    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class _Old(socketserver.StreamRequestHandler):
    """A Redis 6.2, as far as it is asked."""

    INFO = b"redis_version:6.2.14\r\nrole:master\r\n"

    def handle(self) -> None:
        while head := self.rfile.readline():
            words = []
            for _ in range(int(head[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            self.wfile.write(self._reply(words))

    def _reply(self, words: list[bytes]) -> bytes:
        match words[0].upper():
            case b"INFO":
                return b"$%d\r\n%b\r\n" % (len(self.INFO), self.INFO)
            case b"HMGET":
                return b"*2\r\n$-1\r\n$-1\r\n"
            case b"GET" | b"GETRANGE":
                return b"$-1\r\n"
        return b"-ERR unknown command `%b`\r\n" % words[0]


@pytest.mark.parametrize(
    ("kind", "said"), [(_Web, "what answers there is no Redis or Valkey"), (_Old, "Redis 7.0")]
)
def test_a_server_of_another_kind_or_age_is_called_so(
    home: Path, kind: type[socketserver.BaseRequestHandler], said: str
) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"redis://127.0.0.1:{server.server_address[1]}"
        for words in (["jobs"], ["submit", "--", "true"], ["hub", "status"]):
            code, line = refusal(words[0], "--url", url, *words[1:])
            assert (code, said in line) == (125, True), line
        server.shutdown()


def test_directories_that_cannot_be_used_name_the_way_out(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed("hub", "start")
    for variable in ("RELAYQ_DATA_DIR", "RELAYQ_STATE_DIR"):
        with monkeypatch.context() as changed:
            changed.setenv("RELAYQ_RUNTIME_DIR", str(home / ".local/state/relayq/run"))
            changed.setenv(variable, "/proc/nope")
            code, line = refusal("submit", "--", "true")
            assert (code, "name another one under [paths]" in line) == (125, True), line
