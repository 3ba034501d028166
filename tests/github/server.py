"""A server on loopback that answers as GitHub does: recorded bodies, paging, ETags, limits, failures.

Bodies come from `bodies/`; a repository's runs and jobs are the recorded ones with other
ids, times and labels. `script` puts failures in front of what would be answered.
It can be used by hand: `python -m tests.github.server` serves an example month.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

BODIES = Path(__file__).parent / "bodies"
TOKEN = "ghp_replayreplayreplayreplayreplay"


def recorded(name: str, status: str = "200", example: str = "") -> Any:
    """A recorded body: the first example of a status, or the one named."""
    found = json.loads((BODIES / f"{name}.json").read_text())["responses"][status]
    return copy.deepcopy(found[example] if example else next(iter(found.values())))


def moment(text: str) -> float:
    """Seconds since 1970 of a moment as GitHub writes it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() if "+" not in text else 0.0


def spelled(seconds: float) -> str:
    """A moment as GitHub writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Failure:
    """An answer to be given `times` times in place of the true one; `cut` breaks the body off."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    cut: bool = False
    hang: threading.Event | None = None
    after: bool = False


class Replay:
    """GitHub, as far as RelayQ asks it. `now_s` is its clock."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self.now_s = now_s
        self.repos: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, list[dict[str, Any]]] = {}
        self.jobs: dict[int, list[dict[str, Any]]] = {}
        self.annotations: dict[int, list[dict[str, Any]]] = {}
        self.posted: list[tuple[str, Any]] = []
        self.asked: list[str] = []
        self.failures: list[tuple[str, Failure]] = []
        self.usage: Any = recorded("billing__get-github-billing-usage-summary-report-user")
        self.user = recorded("users__get-authenticated")
        self.remaining = 5000
        self.scopes: str | None = None
        self.not_modified = 0
        self._lock = threading.RLock()
        handler = type("Handler", (_Handler,), {"replay": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    # -- what there is

    def repo(self, name: str, *, private: bool = True) -> None:
        """A repository, as recorded, under another name."""
        given = recorded("repos__get", example="default-response")
        owner, _, short = name.partition("/")
        given |= {"name": short, "full_name": name, "private": private, "default_branch": "main"}
        given["owner"]["login"] = owner
        self.repos[name.lower()] = given
        self.runs.setdefault(name.lower(), [])

    def run(self, repo: str, number: int, created: str, **fields: Any) -> dict[str, Any]:
        """A run, as recorded, created then; its `path` names the workflow's file."""
        given = recorded("actions__list-workflow-runs-for-repo")["workflow_runs"][0]
        given |= {
            "id": number, "created_at": created, "updated_at": created, "run_started_at": created,
            "status": "completed", "conclusion": "success", "run_attempt": 1, **fields,
        }  # fmt: skip
        self.runs[repo.lower()].append(given)
        self.jobs.setdefault(number, [])
        return given

    def job(
        self, run: int, started: str, seconds: float, label: str = "ubuntu-latest", **fields: Any
    ) -> None:
        """A job of a run, as recorded, that ran for so long on a runner with that label."""
        given = recorded("actions__list-jobs-for-workflow-run")["jobs"][0]
        given |= {
            "id": run * 1000 + len(self.jobs[run]), "run_id": run, "run_attempt": 1, "labels": [label],
            "started_at": started, "completed_at": spelled(moment(started[:-1]) + seconds), **fields,
        }  # fmt: skip
        self.jobs[run].append(given)

    def script(self, prefix: str, failure: Failure) -> None:
        """Answer what begins with `prefix` (`GET /repos/...`) with a failure first."""
        with self._lock:
            self.failures.append((prefix, failure))

    def posts(self, part: str) -> list[Any]:
        """The bodies that were posted to paths with `part` in them."""
        with self._lock:
            return [body for path, body in self.posted if part in path]

    def count(self, prefix: str) -> int:
        """How many requests began with `prefix`."""
        with self._lock:
            return sum(one.startswith(prefix) for one in self.asked)

    # -- answers

    def failure(self, line: str, *, after: bool) -> Failure | None:
        """The failure that stands in front of an answer, used up by one."""
        with self._lock:
            for prefix, failure in self.failures:
                if line.startswith(prefix) and failure.times > 0 and failure.after == after:
                    failure.times -= 1
                    return failure
        return None

    def answer(self, verb: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Status and body."""
        with self._lock:
            for pattern, method, act in ROUTES:
                if method == verb and (found := re.fullmatch(pattern, path)):
                    return act(self, found, query, body)
        return 404, {"message": "Not Found"}


Route = Callable[[Replay, re.Match[str], dict[str, str], Any], tuple[int, Any]]


def _page(items: list[Any], query: dict[str, str]) -> list[Any]:
    size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
    return items[(page - 1) * size : page * size]


def _known(replay: Replay, found: re.Match[str]) -> str | None:
    name = f"{found['owner']}/{found['repo']}".lower()
    return name if name in replay.repos else None


def _needs_repo(act: Route) -> Route:
    def answered(replay: Replay, found: re.Match[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        if _known(replay, found) is None:
            return 404, {"message": "Not Found"}
        return act(replay, found, query, body)

    return answered


def _runs(replay: Replay, found: re.Match[str], query: dict[str, str], _: Any) -> tuple[int, Any]:
    runs = replay.runs[str(_known(replay, found))]
    if workflow := found.groupdict().get("workflow"):
        runs = [run for run in runs if f"/{workflow}@" in run["path"]]
    if event := query.get("event"):
        runs = [run for run in runs if run["event"] == event]
    if created := query.get("created"):
        low, _, high = created.partition("..")
        runs = [run for run in runs if low <= run["created_at"] <= high]
    runs = sorted(runs, key=lambda run: run["created_at"], reverse=True)
    listed = runs[:1000] if created else runs
    return 200, {"total_count": len(runs), "workflow_runs": _page(listed, query)}


def _run(replay: Replay, found: re.Match[str], query: dict[str, str], _: Any) -> tuple[int, Any]:
    for run in replay.runs[str(_known(replay, found))]:
        if run["id"] == int(found["run"]):
            return 200, run
    return 404, {"message": "Not Found"}


def _jobs(replay: Replay, found: re.Match[str], query: dict[str, str], _: Any) -> tuple[int, Any]:
    jobs = replay.jobs.get(int(found["run"]), [])
    if query.get("filter", "latest") == "latest":
        last = max((job["run_attempt"] for job in jobs), default=1)
        jobs = [job for job in jobs if job["run_attempt"] == last]
    return 200, {"total_count": len(jobs), "jobs": _page(jobs, query)}


def _cancel(replay: Replay, found: re.Match[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
    status, run = _run(replay, found, query, body)
    if status != 200:
        return status, run
    if run["status"] == "completed":
        return 409, {"message": "Cannot cancel a workflow run that is completed."}
    run |= {"status": "completed", "conclusion": "cancelled"}
    return 202, {}


def _dispatch(replay: Replay, found: re.Match[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
    replay.posted.append((found[0], body))
    number = 9000 + len(replay.posted)
    name = f"{found['owner']}/{found['repo']}"
    replay.run(name, number, spelled(replay.now_s()), path=f".github/workflows/{found['workflow']}@main")
    if not body.get("return_run_details"):
        return 204, None
    return 200, recorded("actions__create-workflow-dispatch") | {"workflow_run_id": number}


def _post(kind: str) -> Route:
    def answered(replay: Replay, found: re.Match[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        replay.posted.append((found[0], {**body, "created_at": spelled(replay.now_s())}))
        return (204, None) if kind == "dispatch" else (201, {"id": len(replay.posted)})

    return answered


def _posted(part: str, key: str = "") -> Route:
    def answered(replay: Replay, found: re.Match[str], query: dict[str, str], _: Any) -> tuple[int, Any]:
        items = [body for path, body in replay.posted if part in path and f"/{found['repo']}/" in path]
        items = _page(items[::-1], query)
        return 200, {"total_count": len(items), key: items} if key else items

    return answered


def _repo(replay: Replay, found: re.Match[str], *_: Any) -> tuple[int, Any]:
    return 200, replay.repos[str(_known(replay, found))]


def _own_repos(replay: Replay, found: re.Match[str], query: dict[str, str], _: Any) -> tuple[int, Any]:
    private = query.get("visibility") == "private" or query.get("type") == "private"
    return 200, _page([one for one in replay.repos.values() if one["private"] or not private], query)


def _usage(replay: Replay, *_: Any) -> tuple[int, Any]:
    return (200, replay.usage) if replay.usage is not None else (403, {"message": "Forbidden"})


REPO = r"/repos/(?P<owner>[^/]+)/(?P<repo>[^/]+)"
ROUTES: list[tuple[str, str, Route]] = [
    (r"/user", "GET", lambda replay, *_: (200, replay.user)),
    (r"/user/repos", "GET", _own_repos),
    (r"/orgs/[^/]+/repos", "GET", _own_repos),
    (r"/users/(?P<login>[^/]+)", "GET", lambda r, found, *_: (200, {**r.user, "login": found["login"]})),
    (r"/(users|organizations)/[^/]+/settings/billing/usage/summary", "GET", _usage),
    (REPO, "GET", _needs_repo(_repo)),
    (REPO + r"/actions/runs", "GET", _needs_repo(_runs)),
    (REPO + r"/actions/workflows/(?P<workflow>[^/]+)/runs", "GET", _needs_repo(_runs)),
    (REPO + r"/actions/runs/(?P<run>\d+)", "GET", _needs_repo(_run)),
    (REPO + r"/actions/runs/(?P<run>\d+)/jobs", "GET", _needs_repo(_jobs)),
    (REPO + r"/actions/runs/(?P<run>\d+)/cancel", "POST", _needs_repo(_cancel)),
    (REPO + r"/actions/workflows/(?P<workflow>[^/]+)/dispatches", "POST", _needs_repo(_dispatch)),
    (REPO + r"/check-runs/(?P<job>\d+)/annotations", "GET",
     lambda replay, found, query, _: (200, _page(replay.annotations.get(int(found["job"]), []), query))),
    (REPO + r"/statuses/[0-9a-f]{40}", "POST", _needs_repo(_post("status"))),
    (REPO + r"/commits/[0-9a-f]{40}/statuses", "GET", _needs_repo(_posted("/statuses/"))),
    (REPO + r"/check-runs", "POST", _needs_repo(_post("check"))),
    (REPO + r"/commits/[0-9a-f]{40}/check-runs", "GET", _needs_repo(_posted("/check-runs", "check_runs"))),
    (REPO + r"/issues/\d+/comments", "POST", _needs_repo(_post("comment"))),
    (REPO + r"/issues/\d+/comments", "GET", _needs_repo(_posted("/comments"))),
    (REPO + r"/dispatches", "POST", _needs_repo(_post("dispatch"))),
]  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    replay: Replay
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer leaves in one piece, or each costs 40 ms
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self, verb: str) -> None:
        replay, split = self.replay, urlsplit(self.path)
        line = f"{verb} {self.path}"
        size = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(size)) if size else None
        replay.asked.append(line)
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._send(401, {"message": "Bad credentials"})
        if failure := replay.failure(line, after=False):
            return self._fail(failure)
        status, answer = replay.answer(verb, split.path, dict(parse_qsl(split.query)), body)
        if failure := replay.failure(line, after=True):
            return self._fail(failure)
        return self._send(status, answer)

    def _fail(self, failure: Failure) -> None:
        if failure.hang is not None:
            failure.hang.wait(30)
            self.close_connection = True
            return
        self._send(failure.status, failure.body, failure.headers, cut=failure.cut)

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None, cut: bool = False) -> None:
        replay = self.replay
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        if status == 200 and self.command == "GET" and self.headers.get("if-none-match") == etag:
            replay.not_modified += 1
            status, content = 304, b""
        replay.remaining -= status != 304
        self.send_response_only(status)
        given = {
            "Date": formatdate(replay.now_s(), usegmt=True),
            "x-ratelimit-limit": "5000",
            "x-ratelimit-remaining": str(replay.remaining),
            "x-ratelimit-reset": str(int(replay.now_s()) + 600),
            **({"x-oauth-scopes": replay.scopes} if replay.scopes is not None else {}),
            **({"etag": etag} if status in (200, 304) else {}),
            **(headers or {}),
        }
        for name, value in given.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True


def main() -> None:
    """Serve an example month until interrupted."""
    from tests.github.month import example

    replay = Replay()
    example(replay)
    print(f"export RELAYQ_GITHUB_API={replay.url} GH_TOKEN={TOKEN}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        replay.close()


if __name__ == "__main__":
    main()
