"""Turn the hub's replies into records: the only place that knows the short field names."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from relayq.errors import SpecError
from relayq.model.lifecycle import State, state_of
from relayq.model.needs import Lane
from relayq.model.price import NO_WORK, Work, hosted_system
from relayq.store.records import (
    ArrayCounts,
    AttemptRecord,
    Claim,
    JobRecord,
    Letter,
    NoticeRecord,
    Steered,
    WorkerRecord,
)

Fields = dict[str, str]
MIB_A_GIB = 1024


def text(value: bytes | str | int) -> str:
    """A bulk reply as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def fields(flat: list[Any]) -> Fields:
    """A flat reply (name, value, name, value...) as a dict of text."""
    words = _texts(flat)
    return dict(zip(words[::2], words[1::2], strict=True))


def _texts(replies: list[Any]) -> list[str]:
    """Bulk replies as text, decoded in one go where none of them holds the separator."""
    try:
        words = b"\0".join(replies).decode("utf-8", "replace").split("\0")
    except TypeError:  # a number is among them
        words = []
    return words if len(words) == len(replies) else [text(reply) for reply in replies]


def unpacked(reply: list[Any]) -> Iterator[list[bytes]]:
    """The rows of strings that `R.packed` (bulk.lua) put into one: a tenth of the work of a nested reply."""
    lengths, strings = reply
    at = 0
    for row in lengths.split(b";")[:-1]:
        words = []
        for length in map(int, row.split()):
            words.append(strings[at : at + length])
            at += length
        yield words


def job_rows(reply: list[Any]) -> list[list[Any]]:
    """Packed job rows as `job` takes them: id, fields, envelope."""
    return [[words[0], words[2:], words[1]] for words in unpacked(reply)]


def lanes(flat: list[Any]) -> dict[str, Lane]:
    """The lanes that this version understands; a newer submitter's are left to newer workers."""
    found = {}
    for name, json_text in fields(flat).items():
        with contextlib.suppress(SpecError):
            found[name] = Lane.from_json(json_text)
    return found


def claim(reply: list[Any], *, pushed: bool = False) -> Claim:
    """A claim as `letters.lua` builds it."""
    job, attempt, crashes, lane, offered, envelope, op, size = reply
    return Claim(
        job=text(job),
        attempt=int(attempt),
        crashes=int(crashes),
        lane=text(lane),
        offered_ms=int(offered),
        envelope=envelope,
        retry_op=op,
        array_size=int(size),
        pushed=pushed,
    )


def letter(entry: list[Any]) -> Letter:
    """One entry of a mailbox."""
    flat = entry[1]
    found = {text(flat[i]): flat[i + 1] for i in range(0, len(flat), 2)}
    kind = text(found["k"])
    if kind == "claim":
        parts = [found[name] for name in ("i", "a", "c", "l", "o", "e", "r", "n")]
        return Letter(id=text(entry[0]), kind=kind, claim=claim(parts, pushed=True))
    return Letter(
        id=text(entry[0]),
        kind=kind,
        job=text(found.get("i", b"")),
        delay_ms=int(float(found.get("d", 0))),
        ticket=text(found.get("t", b"")),
        attempt=int(found.get("a", 0)),
    )


def job(reply: list[Any], lanes_by_id: dict[str, Lane]) -> JobRecord:
    """A job as `views.lua` shows it: id, fields, envelope and, from `record`, result and attempts."""
    f = fields(reply[1])
    session = f.get("w", "")
    lane = lanes_by_id.get(f["l"]) or _lost_lane()
    return JobRecord(
        id=text(reply[0]),
        state=state_of(f["s"]),
        reason=f.get("r", ""),
        lane=lane,
        priority=_int(f, "p"),
        attempt=_int(f, "ma") if "n" in f else _int(f, "a") - _int(f, "hb"),
        crashes=_int(f, "c"),
        worker=session.rsplit("#", 1)[0],
        session=session,
        submitted_ms=_int(f, "t"),
        ready_ms=_int(f, "y"),
        started_ms=_int(f, "b"),
        ended_ms=_int(f, "e"),
        exit_code=int(f["x"]) if "x" in f else None,
        array=_array(f),
        progress=_progress(f),
        message=f.get("pg", ""),
        cancel_asked="cx" in f,
        cancel_why=f.get("cy", ""),
        due_ms=_int(f, "du") if f.get("r") == "delay" else 0,
        attempts=_attempts(f, reply[4] if len(reply) > 4 else []),
        envelope=reply[2],
        result=reply[3] if len(reply) > 3 else b"",
        took=work(f.get("us", ""), hosted_system(lane.needs.labels)),
        notices=_notices(reply[6] if len(reply) > 6 else []),
        steered=Steered(f.get("h", ""), f.get("ho", "").encode(), f.get("po", "").encode()),
    )


def worker(reply: list[Any], now_ms: int, lease_ms: int) -> WorkerRecord:
    """A worker as `views.lua` shows it."""
    session, expires, flat, jobs, gone = reply
    f = fields(flat)
    until = int(float(expires))
    return WorkerRecord(
        name=f.get("name", text(session).rsplit("#", 1)[0]),
        session=text(session),
        online=until > now_ms,
        seen_ms=until - lease_ms if until else int(float(gone)),
        started_ms=_int(f, "since"),
        offer=json.loads(f.get("offer", "{}")),
        facts=json.loads(f.get("facts", "{}")),
        unserved=_dict(f.get("unserved", "{}")),
        running={name: int(attempt) for name, attempt in fields(jobs).items()},
        command=f.get("cmd", ""),
    )


def _int(f: Fields, name: str) -> int:
    return int(float(f.get(name, "0")))


def _dict(raw: str) -> dict[str, str]:
    found = json.loads(raw)
    return found if isinstance(found, dict) else {}


def _progress(f: Fields) -> float | None:
    value = float(f.get("pm", "-1"))
    return value if value >= 0 else None


def _array(f: Fields) -> ArrayCounts | None:
    if "n" not in f:
        return None
    size = int(f["n"])
    ended = {name: _int(f, name) for name in ("nS", "nF", "nC", "nK")}
    running = _int(f, "nR")
    return ArrayCounts(
        size=size,
        start=_int(f, "n0"),
        waiting=max(0, size - running - sum(ended.values())),
        running=running,
        succeeded=ended["nS"],
        failed=ended["nF"],
        cancelled=ended["nC"],
        skipped=ended["nK"],
    )


def work(told: str, system: str = "linux") -> Work:
    """What a job took, as `meter.lua` writes it; `system` is that of the hosted runner."""
    if not told:
        return NO_WORK
    run, cpu, memory, minutes, millijoules, unmetered = (float(word) for word in told.split(" "))
    return Work(
        run / 1000,
        cpu / 1000,
        memory / MIB_A_GIB / 1000,
        {system: int(minutes)},
        millijoules / 1000,
        unmetered / 1000,
    )


def work_of_day(flat: list[Any]) -> dict[str, Work]:
    """What the work of one day took, by worker."""
    sums: dict[str, Fields] = {}
    for name, amount in fields(flat).items():
        worker, _, what = name.rpartition(":")
        sums.setdefault(worker, {})[what] = amount
    return {worker: _worker_day(f) for worker, f in sums.items()}


def _worker_day(f: Fields) -> Work:
    systems = {"L": "linux", "M": "macos", "W": "windows"}
    return Work(
        _int(f, "r") / 1000,
        _int(f, "c") / 1000,
        _int(f, "g") / MIB_A_GIB / 1000,
        {system: _int(f, letter) for letter, system in systems.items() if letter in f},
        _int(f, "j") / 1000,
        _int(f, "u") / 1000,
    )


def _notices(flat: list[Any]) -> tuple[NoticeRecord, ...]:
    """What became of each notice, in their order."""
    found = []
    for index, said in sorted(fields(flat).items()):
        word, at_ms, detail = said.split(" ", 2)
        found.append(NoticeRecord(index=int(index), word=word, at_ms=int(at_ms), detail=detail))
    return tuple(found)


def _attempts(f: Fields, lines: list[bytes]) -> list[AttemptRecord]:
    earlier = [_attempt_line(text(line)) for line in lines]
    if not _int(f, "b") or "n" in f:
        return earlier
    state = state_of(f["s"])
    ended = _int(f, "e") if state not in (State.RUNNING, State.UNREACHABLE) else 0
    current = AttemptRecord(
        number=_int(f, "a"),
        worker=f.get("w", "").rsplit("#", 1)[0],
        started_ms=_int(f, "b"),
        ended_ms=ended or None,
        exit_code=int(f["x"]) if "x" in f else None,
        reason=("cancelled" if state is State.CANCELLED else f.get("r", "")) if ended else "",
    )
    if earlier and earlier[-1].number >= current.number:
        return earlier
    return [*earlier, current]


def _attempt_line(line: str) -> AttemptRecord:
    number, session, begun, ended, code, reason = line.split(" ", 5)
    return AttemptRecord(
        number=int(number),
        worker=session.rsplit("#", 1)[0],
        started_ms=int(begun),
        ended_ms=int(ended),
        exit_code=None if code == "-" else int(code),
        reason="" if reason == "-" else reason,
    )


def _lost_lane() -> Lane:
    """What is shown of a job whose lane this version does not understand."""
    return Lane.from_json('{"q":"default","t":"shell"}')
