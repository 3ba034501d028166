"""What happened, as sentences: who did what to which job or worker.

The hub's events carry words and ids; here they become a line that a person reads. What
a person or a worker did has a `who`; what only tells of progress is left out.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from relayq.client.explain import REASONS
from relayq.model.budget import limit_words
from relayq.model.ids import short
from relayq.model.lifecycle import State, state_of
from relayq.text import safe
from relayq_tui.rows import EventRow, JobRow
from relayq_tui.store import EVENTS_KEPT, Store

SILENT = frozenset({"progress"})
ENDINGS = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
    State.SKIPPED: "skipped",
    State.EXPIRED: "came too late",
}


class Deed(NamedTuple):
    """One event as people read it.

    `mark` is a state that its glyph and colour come from, None for no state. `who` did it,
    `what` it was, to `job` (an id, or "") or `worker`. `kind` groups them for the filter:
    jobs, workers, people, trouble.
    """

    id: str
    at_ms: int
    mark: State | None
    who: str
    what: str
    job: str
    worker: str
    kind: str


class Said(NamedTuple):
    """An event's words, before it is known what it was done to; as a template, with {fields} in them."""

    mark: State | None
    who: str
    what: str
    kind: str


def deed(event: EventRow, store: Store) -> Deed | None:
    """An event in words; None for one that is not worth a line."""
    if event.kind in SILENT:
        return None
    said = _words(event, store.jobs.get(event.subject))
    is_of_worker = event.kind in OF_WORKERS or _lets_a_worker_go_on(event)
    return Deed(
        id=event.id,
        at_ms=event.at_ms,
        mark=said.mark,
        who=safe(said.who),
        what=safe(said.what),
        job="" if is_of_worker or event.kind in OF_QUEUES else event.subject,
        worker=name_of(event.subject) if is_of_worker else _worker_of(event),
        kind=said.kind,
    )


def name_of(session: str) -> str:
    """The worker of a session, `mac-mini#3f2a` or `mac-mini`."""
    return session.partition("#")[0]


def _worker_of(event: EventRow) -> str:
    match event.kind:
        case "start":
            return name_of(event.detail.partition(" ")[2])
        case "unreachable" | "handback" | "adopt":
            return name_of(event.detail)
    return ""


def _words(event: EventRow, row: JobRow | None) -> Said:
    if event.kind == "start":
        return _started(event, row)
    if event.kind == "end":
        return _ended(event, row)
    if event.kind == "budget":
        return Said(None, "", _of_budget(event), "people")
    if _lets_a_worker_go_on(event):
        return Said(None, name_of(event.subject), "was told to take jobs again", "people")
    template = TEMPLATES.get(event.kind)
    if template is None:  # a word of a newer hub
        return Said(None, "", f"{event.kind} {event.detail}".strip(), "jobs")
    fields = {
        "by": row.by if row else "",
        "detail": event.detail,
        "why": REASONS.get(event.detail, event.detail),
        "slot": SLOTS.get(event.detail, event.detail),
        "teller": name_of(event.detail),
        "subject": name_of(event.subject),
    }
    what = template.what.format(**fields).rstrip(" :")
    return template._replace(who=template.who.format(**fields), what=what)


def _lets_a_worker_go_on(event: EventRow) -> bool:
    """Queues are resumed by the same word, but a queue has no session."""
    return event.kind == "resume" and bool(event.detail)


def _of_budget(event: EventRow) -> str:
    if event.subject != "limit":
        return "GitHub's minutes were read"
    try:
        words = limit_words(json.loads(event.detail))
    except (ValueError, TypeError, KeyError, AttributeError):
        return "the limit was set"
    return "the limit was taken away" if words == "off" else f"the limit was set to {words}"


def _started(event: EventRow, row: JobRow | None) -> Said:
    attempt, _, session = event.detail.partition(" ")
    again = f", attempt {attempt}" if attempt not in ("", "1") else ""
    worker = name_of(session) or (row.worker if row else "")
    return Said(State.RUNNING, worker, f"started{again}", "jobs")


def _ended(event: EventRow, row: JobRow | None) -> Said:
    letter, code, reason = [*event.detail.split(" ", 2), "", ""][:3]
    state = _state(letter)
    who = row.worker if row else ""
    if state is State.CANCELLED:
        return Said(state, "" if reason == "cancelled" else reason, ENDINGS[state], "people")
    said = [ENDINGS.get(state, "ended")]
    if code not in ("", "0"):
        said.append(f"exit {code}")
    if state is State.FAILED and reason not in ("", "exit"):
        said.append(REASONS.get(reason, reason))
    return Said(state, who, ", ".join(said), "trouble" if state in (State.FAILED, State.EXPIRED) else "jobs")


def _state(letter: str) -> State:
    try:
        return state_of(letter)
    except (KeyError, ValueError):
        return State.SKIPPED


TEMPLATES = {
    "submit": Said(State.RUNNABLE, "{by}", "submitted", "people"),
    "wait": Said(State.PENDING, "", "waits: {why}", "jobs"),
    "approval": Said(State.PENDING, "", "waits for its owner's word", "people"),
    "retry": Said(State.RUNNABLE, "", "is tried again: {why}", "trouble"),
    "again": Said(State.RUNNABLE, "", "queued again by a person", "people"),
    "cancel": Said(State.CANCELLED, "{detail}", "told it to end", "people"),
    "hold": Said(State.PENDING, "", "was held", "people"),
    "release": Said(None, "", "was let go", "people"),
    "approved": Said(None, "", "was let run by the owner", "people"),
    "priority": Said(None, "", "priority is now {detail}", "people"),
    "handback": Said(State.RUNNABLE, "{teller}", "gave it back before it ended", "jobs"),
    "adopt": Said(State.RUNNING, "{teller}", "took it up again after a restart", "workers"),
    "alarm": Said(State.FAILED, "", "was refused by a worker: {why}", "trouble"),
    "unreachable": Said(State.UNREACHABLE, "{teller}", "was not heard of while it ran this", "trouble"),
    "worker": Said(None, "{subject}", "came", "workers"),
    "worker-gone": Said(State.UNREACHABLE, "{subject}", "went away", "workers"),
    "quiet": Said(None, "{subject}", "was told to take nothing new", "people"),
    "stop": Said(None, "{subject}", "was told to finish and leave", "people"),
    "kill": Said(None, "{subject}", "was told to stop at once", "people"),
    "pause": Said(None, "", "queue {subject} was paused", "people"),
    "resume": Said(None, "", "queue {subject} was resumed", "people"),
    "forgotten": Said(None, "", "its record was deleted", "people"),
    "notice": Said(None, "", "GitHub is to be told how it ended", "jobs"),
    "told": Said(None, "", "GitHub was told how it ended: {detail}", "jobs"),
    "roster": Said(None, "", "the roster of who may do what has version {subject}", "people"),
    "schedule": Said(None, "", "schedule {subject} was {detail}", "people"),
    "slot": Said(State.RUNNABLE, "", "schedule {subject} came to a slot: {slot}", "jobs"),
    "weight": Said(None, "", "queue {subject} has weight {detail} now", "people"),
}
OF_WORKERS = frozenset({"worker", "worker-gone", "quiet", "stop", "kill"})
OF_QUEUES = frozenset({"pause", "weight", "resume", "schedule", "slot", "budget", "roster"})
SLOTS = {"new": "fired", "overlap": "passed over, the job before lives", "by-hand": "run by hand"}


class Diary:
    """Everything that is known to have happened, the newest last; each event is put into words once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = ""
        self._deeds: deque[Deed] = deque(maxlen=EVENTS_KEPT)

    def read(self) -> Sequence[Deed]:
        """The deeds, with those that have come since."""
        fresh = list(takewhile(lambda event: event.id != self._last, reversed(self._store.events)))
        if fresh:
            self._last = fresh[0].id
            self._deeds.extend(one for event in reversed(fresh) if (one := deed(event, self._store)))
        return self._deeds


def title_of(one: Deed, store: Store) -> str:
    """What it was done to: a job's short id and name, or nothing."""
    if not one.job:
        return ""
    row = store.jobs.get(one.job) or store.jobs.get(one.job.partition(":")[0])
    return f"{short(one.job)} {row.title}" if row else short(one.job)
