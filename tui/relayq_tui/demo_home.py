"""The home that `relayq tui --demo` shows: a Mac mini, three Pis, and a month of work.

All of it is made from one seed and one time, so that the same home can be drawn
again: in tests, in screenshots, today and next year.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from relayq.model.lifecycle import State
from relayq.store.records import ArrayCounts
from relayq_tui.rows import NO_LABELS, BudgetView, EventRow, JobRow, Sample, ScheduleRow, WorkerRow

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(slots=True)
class Home:
    """Everything of the home at one time."""

    jobs: dict[str, JobRow]
    workers: dict[str, WorkerRow]
    schedules: list[ScheduleRow]
    budget: BudgetView
    events: list[EventRow]


class Kind(NamedTuple):
    """A kind of job that runs here again and again: its usual time in seconds, where, how often it fails."""

    name: str
    command: str
    queue: str
    workers: tuple[str, ...]
    usual_s: int
    priority: int = 5
    fails: float = 0.02
    needs: str = ""
    labels: tuple[tuple[str, str], ...] = ()


KINDS = (
    Kind("ping-fleet", "ping -c1 -W2 router", "default", ("pi3-shed",), 1, 1, 0.01),
    Kind("resize-images", "mogrify -resize 1600x photos/*.jpg", "media", ("pi4-attic", "mac-mini"), 21),
    Kind("nightly-backup", "restic backup /home --tag nightly", "default", ("mac-mini", "pi3-shed"), 40,
         labels=(("nightly", "yes"),)),
    Kind("embed-docs", "python embed.py docs/", "ai", ("mac-mini",), 48, 3, 0.03, "tool:python3"),
    Kind("", "ffmpeg -i in.mp4 -c:v libvpx-vp9 out.webm", "media", ("pi4-attic", "mac-mini"), 480, 5, 0.04,
         "media,tool:ffmpeg"),
    Kind("train-lora epochs=3", "python train.py --epochs 3", "gpu", ("mac-mini",), 301, 8, 0.06,
         "gpu=1,memory=1G"),
    Kind("scrape-prices", "python scrape.py shops.txt", "default", ("pi4-attic", "pi3-shed"), 70, 5, 0.05),
    Kind("summarize article.md", "relay-ai summarize article.md", "ai", ("ai-cloud",), 6),
    Kind("report-weekly", "make report", "default", ("mac-mini",), 95),
    Kind("build-site", "npm run build", "default", ("gh-hosted",), 120, 5, 0.05, "", (("run", "acme/site"),)),
)  # fmt: skip


def home(now_ms: int, *, seed: int = 7, older: int = 130) -> Home:
    """The home at `now_ms`, with `older` jobs of the days before."""
    dice = random.Random(seed)
    jobs = {row.id: row for row in (*_today(now_ms, dice), _asking(now_ms), *_earlier(now_ms, dice, older))}
    return Home(
        jobs=jobs,
        workers={row.name: row for row in _workers(now_ms, dice, jobs)},
        schedules=_schedules(now_ms),
        budget=_budget(now_ms, dice),
        events=_events(now_ms, jobs),
    )


def new_id(dice: random.Random, suffix: str = "") -> str:
    """An id from the seed."""
    return "".join(dice.choices(ALPHABET, k=16 - len(suffix))) + suffix


def _today(now_ms: int, dice: random.Random) -> Iterator[JobRow]:
    """The jobs of the last hours, as the design sketches them."""
    ids: dict[str, str] = {}
    for suffix, age_min, name, command, state, rest in TODAY:
        ids[suffix] = job = new_id(dice, suffix)
        fields: dict[str, Any] = dict(rest)
        submitted = now_ms - int(age_min * MINUTE)
        run_ms = int(fields.pop("run_s", 0) * 1000)
        ended = now_ms - int(fields.pop("ended_min", 0) * MINUTE)
        started = 0
        if state is State.RUNNING:
            started, ended = now_ms - run_ms, 0
        elif run_ms:
            started = ended - run_ms
        elif state in (State.PENDING, State.RUNNABLE):
            ended = 0
        ready = now_ms + int(fields.pop("in_min", 0) * MINUTE) if state is State.PENDING else submitted
        fields["after"] = tuple(ids[name] for name in fields.pop("after", ()))
        yield JobRow(
            id=job, name=name, command=command, state=state, submitted_ms=submitted, ready_ms=ready,
            started_ms=started, ended_ms=ended, by="you@laptop", **fields,
        )  # fmt: skip


def _asking(now_ms: int) -> JobRow:
    """A job of a GitHub Actions run whose rule says that the owner has to let it run."""
    return JobRow(
        id="5HJ2WC8QXT7RDKM1", name="deploy-site", command="./deploy.sh production", state=State.PENDING,
        reason="approval", priority=5, submitted_ms=now_ms - 32 * MINUTE, ready_ms=now_ms - 32 * MINUTE,
        by="run 9190 of acme/site by octocat (push on main)", labels={"run": "acme/site#9190"},
    )  # fmt: skip


R, F, S, C = State.RUNNING, State.FAILED, State.SUCCEEDED, State.CANCELLED
GPU = {"queue": "gpu", "priority": 8, "needs": "gpu=1,memory=1G", "attempt": 1, "max_attempts": 3}
TODAY: tuple[tuple[str, float, str, str, State, dict[str, Any]], ...] = (
    ("7RDK2F", 182, "ping-fleet", "ping -c1 -W2 router", S,
     {"worker": "pi3-shed", "priority": 1, "run_s": 1, "ended_min": 181, "attempt": 1, "exit_code": 0}),
    ("7RDK3H", 180, "nightly-backup", "restic backup /home --tag nightly", S,
     {"worker": "mac-mini", "priority": 5, "run_s": 40, "ended_min": 179, "attempt": 1, "exit_code": 0}),
    ("7RDK4K", 125, "summarize paper.pdf", "relay-ai summarize paper.pdf", S,
     {"worker": "ai-cloud", "queue": "ai", "priority": 5, "run_s": 31, "ended_min": 124, "attempt": 1,
      "exit_code": 0}),
    ("7RDK5M", 122, "embed-docs", "python embed.py docs/", S,
     {"worker": "mac-mini", "queue": "ai", "priority": 3, "run_s": 48, "ended_min": 121, "attempt": 1,
      "exit_code": 0}),
    ("7RDK6T", 121, "resize-images", "mogrify -resize 1600x photos/*.jpg", S,
     {"worker": "pi4-attic", "queue": "media", "priority": 5, "run_s": 21, "ended_min": 120, "attempt": 1,
      "exit_code": 0}),
    ("7RDK7C", 118, "", "ffmpeg -i trailer.mov trailer.webm", S,
     {"worker": "mac-mini", "queue": "media", "priority": 5, "run_s": 72, "ended_min": 116, "attempt": 1,
      "exit_code": 0}),
    ("7RDK88", 75, "scrape-prices", "python scrape.py shops.txt", S,
     {"priority": 5, "run_s": 571, "ended_min": 62, "attempt": 1,
      "array": ArrayCounts(size=40, start=0, waiting=0, running=0, succeeded=38, failed=2, cancelled=0,
                           skipped=0)}),
    ("7RDK9A", 70, "train-lora epochs=1", "python train.py --epochs 1", S,
     GPU | {"worker": "mac-mini", "run_s": 301, "ended_min": 61, "exit_code": 0}),
    ("7RDK9X", 65, "nightly-backup", "restic backup /home --tag nightly", S,
     {"worker": "mac-mini", "priority": 5, "run_s": 39, "ended_min": 60, "attempt": 1, "exit_code": 0}),
    ("7RDKB3", 55, "ping-fleet", "ping -c1 -W2 router", S,
     {"worker": "pi3-shed", "priority": 1, "run_s": 1, "ended_min": 54.9, "attempt": 1, "exit_code": 0}),
    ("7RDKC8", 52, "train-lora epochs=30", "python train.py --epochs 30", C,
     GPU | {"reason": "tui", "attempt": 0}),
    ("7RDKE1", 44, "summarize article.md", "relay-ai summarize article.md", S,
     {"worker": "ai-cloud", "queue": "ai", "priority": 5, "run_s": 6, "ended_min": 43.8, "attempt": 1,
      "exit_code": 0}),
    ("7RDKF5", 41, "resize-images", "mogrify -resize 1600x photos/*.jpg", S,
     {"worker": "pi4-attic", "queue": "media", "priority": 5, "run_s": 19, "ended_min": 40.6, "attempt": 1,
      "exit_code": 0}),
    ("7RDKH2", 35, "vacuum-db", "sqlite3 prices.db VACUUM", State.PENDING,
     {"reason": "delay", "priority": 5, "in_min": 252}),
    ("7RDKN0", 33, "embed-docs", "python embed.py docs/", State.RUNNABLE,
     {"queue": "ai", "priority": 5, "needs": "tool:python3"}),
    ("7RDKM4", 31, "train-lora epochs=9", "python train.py --epochs 9", F,
     GPU | {"worker": "mac-mini", "attempt": 3, "run_s": 895, "ended_min": 4, "exit_code": 137,
            "reason": "exit", "message": "step 8840 loss 0.1177",
            "labels": {"run": "acme/site#9183", "commit": "3fd21c"}}),
    ("7RDKJ7", 30.5, "report-weekly", "make report", State.PENDING,
     {"reason": "dependency", "priority": 5, "after": ("7RDK88", "7RDKN0", "7RDKM4")}),
    ("7RDKH9", 30.2, "mail-report", "mail -s weekly owner < report.html", State.PENDING,
     {"reason": "dependency", "priority": 5, "after": ("7RDKJ7",)}),
    ("7RDKP8", 22, "scrape-prices", "python scrape.py shops.txt", F,
     {"worker": "pi4-attic", "priority": 5, "run_s": 70, "ended_min": 20, "attempt": 1, "exit_code": 1,
      "reason": "exit", "message": "shop 12 of 40: HTTP 503"}),
    ("7RDKQ1", 17, "nightly-backup", "restic backup /home --tag nightly", F,
     {"worker": "pi3-shed", "priority": 5, "run_s": 41, "ended_min": 2, "attempt": 1, "exit_code": 1,
      "reason": "exit", "labels": {"nightly": "yes"}}),
    ("7RDKW9", 9, "", "ffmpeg -i in.mp4 -c:v libvpx-vp9 out.webm", R,
     {"worker": "pi4-attic", "queue": "media", "priority": 5, "run_s": 482, "attempt": 1, "progress": 22.0,
      "needs": "media,tool:ffmpeg", "message": "frame 11812 fps=24"}),
    ("7RDKX2", 3, "train-lora epochs=3", "python train.py --epochs 3", R,
     GPU | {"worker": "mac-mini", "run_s": 161, "progress": 68.0, "message": "step 2040 loss 0.231"}),
)  # fmt: skip


def _earlier(now_ms: int, dice: random.Random, count: int) -> Iterator[JobRow]:
    """What ran before, a job every few minutes."""
    at_ms = now_ms - 3 * HOUR - 5 * MINUTE
    for _ in range(count):
        at_ms -= int(dice.expovariate(1 / 9) * MINUTE)
        yield past_job(at_ms, dice)


def past_job(submitted_ms: int, dice: random.Random, kind: Kind | None = None) -> JobRow:
    """A job that has ended."""
    kind = kind or dice.choice(KINDS)
    failed = dice.random() < kind.fails
    started = submitted_ms + int(dice.expovariate(1 / 8) * 1000)
    run_ms = max(400, int(dice.gauss(kind.usual_s, kind.usual_s * 0.12) * 1000))
    return JobRow(
        id=new_id(dice), name=kind.name, command=kind.command, queue=kind.queue, priority=kind.priority,
        state=F if failed else S, reason="exit" if failed else "", exit_code=1 if failed else 0,
        worker=dice.choice(kind.workers), attempt=1, submitted_ms=submitted_ms, ready_ms=submitted_ms,
        started_ms=started, ended_ms=started + run_ms, needs=kind.needs,
        labels=dict(kind.labels) if kind.labels else NO_LABELS,
        by="schedule" if kind.name.startswith("nightly") else "you@laptop",
    )  # fmt: skip


def many(now_ms: int, count: int, *, seed: int = 11) -> list[JobRow]:
    """`count` jobs that have ended, the newest first, for measuring."""
    dice = random.Random(seed)
    return [past_job(now_ms - 3 * HOUR - index * 900, dice) for index in range(count)]


class Machine(NamedTuple):
    """A worker's machine and how it usually fares."""

    name: str
    model: str
    labels: tuple[str, ...]
    cpus: int
    memory_gib: int
    cpu: float
    memory: float
    celsius: float | None
    up_min: int


MACHINES = (
    Machine("mac-mini", "Apple Mac mini (M2)", ("mac", "gpu", "arm64", "heavy"), 8, 16, 0.62, 0.55, 58,
            18_000),
    Machine("pi4-attic", "Raspberry Pi 4 8G", ("media", "arm64", "pi"), 4, 8, 0.90, 0.40, 62, 17_300),
    Machine("pi3-shed", "Raspberry Pi 3 1G", ("arm64", "pi", "room=shed"), 4, 1, 0.04, 0.45, 47, 61_000),
    Machine("iphone-ssh", "iPhone over SSH", ("ios",), 6, 6, 0.0, 0.0, None, 300),
    Machine("gh-hosted", "GitHub Actions runner", ("linux", "x86_64", "hosted"), 4, 16, 0.35, 0.30, None, 14),
    Machine("ai-cloud", "AI providers", ("ai",), 16, 1, 0.02, 0.05, None, 9_000),
)  # fmt: skip


def _workers(now_ms: int, dice: random.Random, jobs: dict[str, JobRow]) -> Iterator[WorkerRow]:
    for machine in MACHINES:
        online = machine.name != "iphone-ssh"
        seen = now_ms - 2_000 if online else now_ms - 213 * MINUTE
        yield WorkerRow(
            name=machine.name, session=f"{machine.name}#{dice.getrandbits(32):08x}", online=online,
            seen_ms=seen, since_ms=now_ms - machine.up_min * MINUTE, offer=_offer(machine),
            facts=_facts(machine),
            running={row.id: row.attempt for row in jobs.values()
                     if row.worker == machine.name and row.state is R},
            history=tuple(samples(machine, now_ms, dice)) if online else (),
        )  # fmt: skip


def _offer(machine: Machine) -> dict[str, object]:
    return {
        "labels": list(machine.labels), "host": machine.name, "cpus_milli": machine.cpus * 1000,
        "memory_bytes": machine.memory_gib << 30, "gpus": int("gpu" in machine.labels),
        "types": ["shell"], "queues": None, "counters": {},
    }  # fmt: skip


def _facts(machine: Machine) -> dict[str, str]:
    """As the probe of a worker tells them."""
    memory = machine.memory_gib << 30
    found = {
        "os": "macOS 15.5" if "mac" in machine.labels else "Debian 12",
        "arch": "x86_64" if "x86_64" in machine.labels else "aarch64",
        "model": machine.model,
        "version": "0.1.0",
        "cpus": str(machine.cpus),
        "memory_bytes": str(memory),
        "memory_free_bytes": str(int(memory * (1 - machine.memory))),
        "disk_bytes": str(64 << 30),
        "disk_free_bytes": str(25 << 30),
        "uptime_s": str(machine.up_min * 60),
        "load": f"{machine.cpu * machine.cpus:.2f}",
        "temperature_c": "" if machine.celsius is None else f"{machine.celsius:.0f}",
        "power": "mains",
        "cpu_percent": f"{machine.cpu * 100:.0f}",
        "received_bps": "2100000",
        "sent_bps": "310000",
        "throttled": "no" if "pi" in machine.labels else "",
    }
    return {name: text for name, text in found.items() if text}


def samples(machine: Machine, now_ms: int, dice: random.Random, count: int = 60) -> Iterator[Sample]:
    """One sample a minute."""
    for index in range(count):
        cpu = min(1.0, max(0.01, machine.cpu + dice.gauss(0, 0.06)))
        yield Sample(
            at_ms=now_ms - (count - index) * MINUTE,
            cpu=cpu,
            memory=min(1.0, machine.memory + 0.1 * index / count),
            celsius=None if machine.celsius is None else round(machine.celsius + 6 * (cpu - machine.cpu), 1),
        )


def _schedules(now_ms: int) -> list[ScheduleRow]:
    midnight = now_ms - now_ms % DAY
    half_past_two = midnight + DAY + 150 * MINUTE

    def fires(first: int, every: int) -> tuple[int, ...]:
        return tuple(first + step * every for step in range(5))

    return [
        ScheduleRow(name="nightly-backup", origin="both", rule="30 2 * * *", last_by="pi4-attic", minutes=30,
                    next_ms=fires(half_past_two, DAY), last_ms=midnight + 150 * MINUTE, last_state=F,
                    drift_ms=200, command="restic backup /home"),
        ScheduleRow(name="ping-fleet", origin="local", rule="every 1h", last_by="mac-mini",
                    next_ms=fires(now_ms - now_ms % HOUR + HOUR, HOUR), last_ms=now_ms - now_ms % HOUR,
                    last_state=S, drift_ms=40, command="ping -c1 router"),
        ScheduleRow(name="vacuum-db", origin="local", rule="30 2 * * *", next_ms=fires(half_past_two, DAY),
                    last_by="pi4-attic",
                    last_ms=midnight + 150 * MINUTE, last_state=S, drift_ms=90, missed=1,
                    command="sqlite3 prices.db VACUUM"),
        ScheduleRow(name="report-weekly", origin="local", rule="0 20 * * 6", is_paused=True,
                    last_ms=now_ms - 7 * DAY, last_state=S, last_by="mac-mini", command="make report"),
        ScheduleRow(name="nightly.yml", origin="github", rule="0 3 * * *", last_by="github", minutes=30,
                    next_ms=fires(midnight + DAY + 3 * HOUR, DAY),
                    last_ms=midnight + 3 * HOUR + 11 * MINUTE, last_state=S, drift_ms=11 * MINUTE,
                    command="acme/site"),
        ScheduleRow(name="links.yml", origin="github", rule="*/30 * * * *", last_by="github", minutes=1440,
                    next_ms=fires(now_ms - now_ms % (HOUR // 2) + HOUR // 2, HOUR // 2),
                    last_ms=now_ms - 25 * MINUTE, last_state=S, drift_ms=7 * MINUTE, missed=3,
                    command="acme/site"),
    ]  # fmt: skip


def _budget(now_ms: int, dice: random.Random) -> BudgetView:
    used, days = 0.0, []
    for _ in range(22):
        used += dice.gauss(64, 18)
        days.append(used)
    scale = 1420 / used
    return BudgetView(
        included_min=2000, used_min=1420, resets_ms=now_ms - now_ms % DAY + 10 * DAY,
        read_ms=now_ms - 12 * MINUTE, days=tuple(round(day * scale, 1) for day in days), days_in_month=31,
        saved_min=3911, spenders=(("nightly.yml", 612), ("ci.yml", 418), ("deploy.yml", 203)),
        ai_spent=1.84, ai_limit=5.0, ai_spenders=(("small-cloud", 1.21), ("big-cloud", 0.63), ("local", 0.0)),
        hub_bytes=61 << 20, hub_max_bytes=256 << 20, guard_percent=90, guard_on=True,
        limit="90%",
        warnings=("2 workflows poll a job from inside Actions: 41 min wasted",),
        prices=(("Fargate", "$14.02 (arm $11.22)"), ("hosted Actions", "$23.47"), ("at home", "1.93")),
    )  # fmt: skip


# Minutes ago, and the event: what happened to workers and queues today.
HAPPENED = (
    (252, "worker-gone", "pi4-attic#31", ""), (251, "worker", "pi4-attic", "pi4-attic#1"),
    (241, "worker", "gh-hosted", "gh-hosted#1"), (213, "worker-gone", "iphone-ssh#1", ""),
    (190, "quiet", "pi3-shed", ""), (185, "resume", "pi3-shed", "pi3-shed#1"), (95, "pause", "media", ""),
    (88, "resume", "media", ""),
)  # fmt: skip


def _events(now_ms: int, jobs: dict[str, JobRow]) -> list[EventRow]:
    """What the stream would hold of these jobs, oldest first."""
    found: list[tuple[int, str, str, str]] = [
        (now_ms - ago_min * MINUTE, kind, subject, detail) for ago_min, kind, subject, detail in HAPPENED
    ]
    for row in jobs.values():
        found.append((row.submitted_ms, "submit", row.id, ""))
        if row.started_ms:
            found.append((row.started_ms, "start", row.id, f"{row.attempt} {row.worker}#1"))
        if row.is_final and row.ended_ms:
            found.append(
                (row.ended_ms, "end", row.id, f"{row.state.value[0]} {row.exit_code or ''} {row.reason}")
            )
    found.sort()
    return [EventRow(f"{at_ms}-{number}", *rest) for number, (at_ms, *rest) in enumerate(found[-400:])]
