"""What must be true of a fleet's keys at every moment, recounted from nothing but the keys.

`read` takes one snapshot, `breaches` says what is wrong with it, a sentence each. The
numbers are those of the design's list of invariants: 1 places,
2 counters, 3 holders, 7 attempts, 10 limits, 11 unique keys, 13 dependencies, 19 and 24
arrays and leftovers. What needs a memory (4, 5, 6, 8, 9) is in history.py.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import redis

FINAL = frozenset("SFCKE")
CRASH_LIMIT = 5
CODES = {2: "S", 3: "F", 4: "C", 5: "K"}
NEVER_BEGAN = 0
MAY_START = 6
UNSTARTED = (NEVER_BEGAN, MAY_START)

_READERS = {
    b"hash": "hgetall",
    b"set": "smembers",
    b"zset": "zrange",
    b"list": "lrange",
    b"string": "get",
    b"stream": "xlen",
}
_RANGED = (b"zset", b"list")


def text(value: Any) -> Any:
    """Bytes as text, in whatever shape a reply has."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {text(k): text(v) for k, v in value.items()}
    if isinstance(value, set):
        return {text(item) for item in value}
    if isinstance(value, list | tuple):
        return [text(item) for item in value]
    return value


@dataclass(slots=True)
class Snapshot:
    """Every key of a fleet by kind and name: `of["j"]["<id>"]`, `of["cfg"][""]`; bitfields stay bytes."""

    of: dict[str, dict[str, Any]] = field(default_factory=dict)

    def kind(self, kind: str) -> dict[str, Any]:
        """All keys of one kind by name."""
        return self.of.get(kind, {})

    def only(self, kind: str, empty: Any) -> Any:
        """The one key of a kind."""
        return self.kind(kind).get("", empty)

    @property
    def jobs(self) -> dict[str, dict[str, str]]:
        """Every record: jobs, and the elements that are alive."""
        return self.kind("j")


def read(client: redis.Redis, prefix: str) -> Snapshot:
    """The fleet's keys, in three round trips."""
    names = sorted(client.keys(prefix.replace("[", "\\[") + "*"))
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.type(name)
    kinds = pipe.execute()
    for name, kind in zip(names, kinds, strict=True):
        bounds = (0, -1) if kind in _RANGED else ()
        getattr(pipe, _READERS[kind])(name, *bounds)
    found = Snapshot()
    for name, value in zip(names, pipe.execute(), strict=True):
        kind, _, rest = name.decode().removeprefix(prefix).partition(":")
        found.of.setdefault(kind, {})[rest] = value if kind == "as" else text(value)
    return found


def breaches(snap: Snapshot) -> list[str]:
    """What is wrong, a sentence each; empty when everything holds."""
    checks = (places, counters, holders, attempts, limits, uniques, lanes, dependencies, arrays, leftovers)
    return [f"{check.__name__}: {breach}" for check in checks for breach in check(snap)]


def number(record: dict[str, str], name: str) -> int:
    """A numeric field, 0 when it is not there."""
    return int(float(record.get(name, "0")))


# -- 1: each job stands in exactly the index its state demands


def places(snap: Snapshot) -> Iterator[str]:
    """Every job in its place and nowhere else."""
    stands: dict[str, list[str]] = {}
    for index in ("delay", "pend", "lost", "open", "done", "fail"):
        for job in snap.only(index, []):
            stands.setdefault(job, []).append(index)
    for kind in ("q", "wj"):
        for name, members in snap.kind(kind).items():
            for job in members:
                stands.setdefault(job, []).append(f"{kind}:{name}")
    for job, record in snap.jobs.items():
        wanted = [place(job, record)]
        if stands.pop(job, []) != wanted:
            yield f"{job} is {record.get('s')} and stands in {all_places(snap, job)}, not in {wanted}"
    for job, where in stands.items():
        yield f"{job} stands in {where} and there is no such job"


def all_places(snap: Snapshot, job: str) -> list[str]:
    """Wherever a job stands."""
    found = [i for i in ("delay", "pend", "lost", "open", "done", "fail") if job in snap.only(i, [])]
    return found + [f"{k}:{n}" for k in ("q", "wj") for n, members in snap.kind(k).items() if job in members]


def place(job: str, record: dict[str, str]) -> str:
    """The index that a record's state demands."""
    match record.get("s"):
        case "P":
            return "delay" if record.get("r") == "delay" else "pend"
        case "R":
            return "q:" + record["l"]
        case "N":
            return "open" if "n" in record else "wj:" + record.get("w", "")
        case "U":
            return "lost"
        case "S":
            return "done"
        case state if state in FINAL:
            return "fail"
    return "nowhere"


# -- 2: counters equal a recount


def counters(snap: Snapshot) -> Iterator[str]:
    """The counters by state and the bytes kept."""
    told = {name: int(value) for name, value in snap.only("n", {}).items()}
    kept = told.pop("kept", 0)
    counted = Counter(record.get("s", "?") for record in snap.jobs.values())
    for state in sorted(told.keys() | counted.keys()):
        if told.get(state, 0) != counted[state]:
            yield f"{state} is {told.get(state, 0)}, and {counted[state]} are there"
    booked = sum(number(r, "z") for r in snap.jobs.values() if r.get("s") in FINAL)
    if kept != booked:
        yield f"{kept} bytes are said to be kept, and {booked} are booked"
    for name, value in snap.only("lref", {}).items():
        alive = sum(1 for r in snap.jobs.values() if r.get("l") == name and r.get("s") not in FINAL)
        if int(value) != alive:
            yield f"lane {name} is said to hold {value} jobs, and {alive} are alive"
    ended = Counter(r["l"] for job, r in snap.jobs.items() if r.get("s") in FINAL)
    if ended != {name: int(value) for name, value in snap.only("lkept", {}).items()}:
        yield f"lanes are said to keep {snap.only('lkept', {})}, and {dict(ended)} have ended"


# -- 3: holders


def holders(snap: Snapshot) -> Iterator[str]:
    """wj matches state, session and attempt; orders concern what is held."""
    live = set(snap.only("wlive", []))
    for session, held in snap.kind("wj").items():
        if session not in live:
            yield f"{session} is not live and holds {sorted(held)}"
        for job, attempt in held.items():
            record = snap.jobs.get(job, {})
            if (record.get("s"), record.get("w"), record.get("a")) != ("N", session, attempt):
                yield f"{session} holds {job} attempt {attempt}, whose record says {record}"
    for session, orders in snap.kind("fl").items():
        for order in orders:
            if order[1:] not in snap.kind("wj").get(session, {}):
                yield f"{session} has the order {order} for what it does not hold"
    for lane, sessions in snap.kind("idle").items():
        for session in set(sessions) - live:
            yield f"{session} is not live and idle for lane {lane}"


# -- 7: attempts


def attempts(snap: Snapshot) -> Iterator[str]:
    """attempts - crashes - handed back <= max, crashes <= limit."""
    for job, r in snap.jobs.items():
        used = number(r, "a") - number(r, "c") - number(r, "v")
        if used > max(1, number(r, "m")):
            yield f"{job} has used {used} attempts of {max(1, number(r, 'm'))}"
        if not 0 <= number(r, "c") <= CRASH_LIMIT:
            yield f"{job} has crashed {r['c']} times"
        if r.get("s") == "N" and "n" not in r and not (r.get("w") and number(r, "a")):
            yield f"{job} runs without a session or attempt"
        for name, value in r.items():
            if len(value.encode()) > 64 and name not in ("w", "u", "pg"):
                yield f"{job} has {len(value)} bytes in the field {name}"


# -- 10, 11: limits and unique keys


def limits(snap: Snapshot) -> Iterator[str]:
    """Holders of a limit are exactly the running jobs that have it, and no more than it allows."""
    wanted: dict[str, set[str]] = {}
    most: dict[str, int] = {}
    for lane, raw in snap.only("lx", {}).items():
        for name, allowed in (json.loads(raw).get("l") or {}).items():
            most[name] = max(allowed, most.get(name, 0))
            wanted.setdefault(name, set()).update(
                j for j, r in snap.jobs.items() if r.get("l") == lane and r["s"] in "NU" and "n" not in r
            )
    for name in wanted.keys() | snap.kind("lim").keys():
        held = snap.kind("lim").get(name, set())
        if held != wanted.get(name, set()):
            yield f"limit {name} is held by {sorted(held)}, and {sorted(wanted.get(name, ()))} run"
        if len(held) > most.get(name, 0):
            yield f"limit {name} allows {most.get(name)} and {len(held)} hold it"


def uniques(snap: Snapshot) -> Iterator[str]:
    """At most one live job a unique key, and the key names it."""
    living: dict[str, list[str]] = {}
    for job, record in snap.jobs.items():
        mode, _, key = record.get("u", "").partition(" ")
        if key and record["s"] not in FINAL and mode in ("d", "r"):
            living.setdefault(key, []).append(job)
    for key, jobs in living.items():
        holder = snap.kind("uq").get(key, "").partition(" ")[0]
        if jobs != [holder]:
            yield f"unique key {key} is held by {holder!r}, and {jobs} live"
    for key, value in snap.kind("uq").items():
        job, _, free = value.partition(" ")
        if free == "0" and snap.jobs.get(job, {}).get("s", "S") in FINAL:
            yield f"unique key {key} is held by {job}, which has ended"


def lanes(snap: Snapshot) -> Iterator[str]:
    """Both tables of lanes agree, and every living job's lane is in them."""
    known = snap.only("lanes", {}).keys()
    if known != snap.only("lx", {}).keys():
        yield "lanes and lx differ"
    if known != set(snap.only("lused", [])):
        yield f"lused has {snap.only('lused', [])} and lanes {sorted(known)}"
    for job, record in snap.jobs.items():
        if record["s"] not in FINAL and record["l"] not in known:
            yield f"{job} is alive and its lane {record['l']} is not known"


# -- 8, 13: dependencies


def dependencies(snap: Snapshot) -> Iterator[str]:
    """What a job still waits for stands in the lists of jobs that have not ended, or are being told."""
    waits: Counter[str] = Counter()
    telling = {entry.split(" ")[0] for entry in snap.only("fan", [])}
    for job, entries in snap.kind("dep").items():
        if snap.jobs.get(job, {}).get("s", "S") in FINAL and job not in telling:
            yield f"{job} has ended and its dependents are never told"
        waits.update(entry.split(" ")[0] for entry in entries)
    for job, record in snap.jobs.items():
        # a job that ended early and runs again stands in lists that it does not wait for any more
        if record["s"] == "P" and "d" in record and number(record, "d") != waits[job]:
            yield f"{job} waits for {number(record, 'd')} jobs, and {waits[job]} know of it"
        if record["s"] in "RNU" and number(record, "d") > 0:
            yield f"{job} is {record['s']} with {record['d']} open dependencies"


# -- 24: arrays


def elements(snap: Snapshot, job: str) -> list[int]:
    """The four bits of every element of an array."""
    size = number(snap.jobs[job], "n")
    raw = snap.kind("as").get(job, b"").ljust((size + 1) // 2, b"\0")
    return [(raw[i // 2] >> 4 if i % 2 == 0 else raw[i // 2] & 15) for i in range(size)]


def arrays(snap: Snapshot) -> Iterator[str]:
    """Counters of elements equal a recount; each element has one place."""
    for job, record in snap.jobs.items():
        if "n" in record:
            yield from (f"array {job}: {breach}" for breach in array_breaches(snap, job, record))


def array_breaches(snap: Snapshot, job: str, record: dict[str, str]) -> Iterator[str]:
    """What is wrong with one array."""
    codes = elements(snap, job)
    first = number(record, "n0")
    alive = {str(first + i) for i, code in enumerate(codes) if code == 1}
    records = {name.partition(":")[2] for name in snap.jobs if name.startswith(job + ":")}
    noted = snap.kind("am").get(job, set()) | snap.kind("ac").get(job, set())
    if not alive == records == noted or len(alive) != number(record, "nR"):
        told = record.get("nR")
        yield f"alive are {alive} by the bits, {noted} by the set, {records} by records, {told} by count"
    ended = Counter(CODES[code] for code in codes if code in CODES)
    rest = sum(1 for code in codes if code in UNSTARTED)
    if "rc" in record:  # which is about what never began; what may start still may
        ended[record["rc"]] += codes.count(NEVER_BEGAN)
        rest -= codes.count(NEVER_BEGAN)
    if "ra" in record:
        ended[record["ra"]] += codes.count(MAY_START)
        rest -= codes.count(MAY_START)
    told = {letter: number(record, "n" + letter) for letter in "SFCK"}
    if told != {letter: ended[letter] for letter in "SFCK"}:
        yield f"counts {told}, and ended are {dict(ended)}"
    if record["s"] in FINAL and (rest or alive):
        yield f"it has ended and {rest} elements never started, {alive} are alive"
    if record["s"] not in FINAL and not rest and not alive:
        yield "all its elements have ended and it has not"
    ready = snap.kind("ar").get(job, [])
    gated = [str(first + i) for i, code in enumerate(codes) if code == MAY_START and "ra" not in record]
    if sorted(ready) != sorted(gated) and "rc" not in record:
        yield f"may start are {ready}, and marked so {gated}"


# -- 19: nothing is left behind

_OF_JOBS = ("s", "r", "log", "at", "ro", "as", "am", "ar", "ac", "ax", "dx", "al", "dep", "io", "o")


def leftovers(snap: Snapshot) -> Iterator[str]:
    """Every key of a job belongs to a job that is there; batch records are counted."""
    for kind in _OF_JOBS:
        for name in snap.kind(kind):
            if name.partition(":")[0] not in snap.jobs:
                yield f"{kind}:{name} has no job"
    for job in snap.jobs:
        if ":" not in job and job not in snap.kind("s"):
            yield f"{job} has no envelope"
    for job in snap.only("dl", []):
        if snap.jobs.get(job, {}).get("s", "S") in FINAL or "D" not in snap.jobs[job]:
            yield f"{job} has ended or has no deadline, and stands in dl"
    for kind in ("wj", "mb", "fl", "wl"):
        for session in snap.kind(kind):
            if session not in snap.kind("w"):
                yield f"{kind}:{session} has no session"
    referred = Counter(digest for digests in snap.kind("io").values() for digest in digests)
    if referred != {digest: int(count) for digest, count in snap.only("bn", {}).items()}:
        yield f"blobs are counted as {snap.only('bn', {})}, and referred to are {dict(referred)}"
    if missing := referred.keys() - snap.kind("b").keys():
        yield f"blobs are referred to and not there: {sorted(missing)}"
    if snap.kind("bt").keys() != snap.only("btn", {}).keys():
        yield f"batch records {sorted(snap.kind('bt'))} are counted as {snap.only('btn', {})}"
