"""What is typed into the form of a new job, as a spec, as a command line, or as what is wrong with it.

Each field is a line of text; `read` puts it into the shape of the JSON spec, whose
strict reader judges it: a form cannot allow what the hub would refuse. The same table
gives the option of `relayq submit` that says the same.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from relayq.errors import SpecError
from relayq.model.duration import spell_duration
from relayq.model.ids import short
from relayq.model.job import Dependency, JobSpec, Unique
from relayq.model.needs import lane_of
from relayq.model.parts import unique_words
from relayq.store.fleet import why_not
from relayq_tui.rows import WorkerRow

SHORT_ID = 4  # characters of an id that are enough to mean it


class FormField(NamedTuple):
    """One line: the spec's name for it, the option of the command line, a hint, how it is read."""

    name: str
    flag: str
    hint: str
    read: Callable[[str], Any]


class Wrong(NamedTuple):
    """What is wrong, and with which field."""

    field: str
    sentence: str


def _text(text: str) -> Any:
    return text


def _whole(text: str) -> Any:
    """A number if it is one; what is none is refused by the spec itself."""
    return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else text


def _words(text: str) -> Any:
    return [word for word in re.split(r"[,\s]+", text) if word]


def _moment(text: str) -> Any:
    """With its zone; a time of the day is the next such time here."""
    try:
        if "T" in text or "-" in text:
            return datetime.fromisoformat(text).astimezone().isoformat()
        moment = datetime.combine(datetime.now().date(), time.fromisoformat(text)).astimezone()
    except ValueError:
        raise SpecError(f"{text!r} is not a time: write 18:00 or 2027-01-31T18:00 (field 'at')") from None
    return (moment + timedelta(days=moment < datetime.now().astimezone())).isoformat()


def _plain(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) else None


def _line(value: Any) -> str | None:
    return shlex.join(map(str, value)) if isinstance(value, list) else _plain(value)


def _listed(value: Any) -> str | None:
    return ",".join(value) if all(isinstance(one, str) for one in value) else None


def _jobs(value: Any) -> str | None:
    """`ID,ID:any`, the ids in full, for the jobs may be unknown here; index by index has no words."""
    jobs = [Dependency.from_json(one) for one in value]
    if any(job.mode == "index" for job in jobs):
        return None
    return ",".join(job.job if job.on == "ok" else f"{job.job}:{job.on}" for job in jobs)


def _key(value: Any) -> str | None:
    """`KEY`, `KEY,replace` or `KEY,1h`."""
    key, mode, window_ms = Unique.from_json(value)
    return key if mode == "until_done" else f"{key},{spell_duration(window_ms) if window_ms else mode}"


FIELDS: tuple[FormField, ...] = (
    FormField("command", "", "what to run, as you would type it in a shell", _text),
    FormField("name", "--name", "what to call it", _text),
    FormField("queue", "--queue", "the queue to stand in", _text),
    FormField("needs", "--needs", "mac, tool:ffmpeg, cpus=2, memory=1G, gpu=1", _words),
    FormField("array", "--array", "how many elements: 40, or a range: 10-19", _whole),
    FormField("attempts", "--attempts", "attempts in all, 1 to 10", _whole),
    FormField("timeout", "--timeout", "the limit of one attempt: 90s, 15m, 2h", _text),
    FormField("priority", "--priority", "-100 to 100: higher goes first", _whole),
    FormField("after", "--after", "ids of jobs to wait for; ID:any or ID:failed", _words),
    FormField("at", "--at", "not before 18:00, or 2027-01-31T18:00", _moment),
    FormField("delay", "--delay", "start no earlier than in 10m", _text),
    FormField("deadline", "--deadline", "give up if it has not started within 2h", _text),
    FormField("unique", "--unique", "a key: one such job at a time; KEY,replace", unique_words),
)
NAMES = frozenset(field.name for field in FIELDS)
# How a spec's value is put into words; None where it cannot be.
_SHOWN = {"command": _line, "needs": _listed, "after": _jobs, "unique": _key}


def texts_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """A spec's JSON as the form shows it; what the form has no line for, or no words, is left out."""
    texts = {name: _SHOWN.get(name, _plain)(spec[name]) for name in NAMES & spec.keys()}
    return {name: text for name, text in texts.items() if text is not None}


def untold(spec: Mapping[str, Any]) -> frozenset[str]:
    """The lines that stay empty though the spec says something there, for want of words."""
    return (NAMES & spec.keys()) - texts_of(spec).keys()


def fields_of(texts: Mapping[str, str], known_ids: Iterable[str] = ()) -> dict[str, Any]:
    """The JSON spec of what was typed. Shortened ids are spelt out by `known_ids`; SpecError."""
    given = {
        field.name: field.read(texts[field.name].strip())
        for field in FIELDS
        if texts.get(field.name, "").strip()
    }
    if "after" in given:
        ids = list(known_ids)
        given["after"] = [_whole_id(item, ids) for item in given["after"]]
    return given


def judge(texts: Mapping[str, str], before: Mapping[str, Any], known_ids: Iterable[str]) -> JobSpec | Wrong:
    """The spec, laid over that of the job it was made from, or what is wrong with it."""
    try:
        return JobSpec.from_dict({**before, **changed(fields_of(texts, known_ids), before)})
    except SpecError as error:
        sentence, _, rest = str(error).partition(" (field '")
        field = re.split(r"[.']", rest)[0]
        return Wrong(field if field in NAMES else "command", sentence)


def changed(fields: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the job it was made from; None where a line was emptied."""
    shown = texts_of(before)
    emptied, old = dict.fromkeys(shown.keys() - fields.keys()), fields_of(shown)
    return {name: value for name, value in fields.items() if old.get(name) != value} | emptied


def command_line(texts: Mapping[str, str], before: Mapping[str, Any], like: str = "") -> str:
    """The command line that does the same as the form."""
    words = ["relayq", "clone", short(like)] if like else ["relayq", "submit"]
    old = texts_of(before)
    for field in FIELDS[1:]:
        text = texts.get(field.name, "").strip()
        if text == old.get(field.name, ""):
            continue
        values = [text]
        if field.read is _words:
            values = _words(text) or [""] if field.name == "after" else [",".join(_words(text))]
        for value in values:
            words += [field.flag, value]
    command = texts.get("command", "").strip()
    if command and command != old.get("command", ""):
        words += ["--", command]
    return shlex.join(words)


def who_could(spec: JobSpec, workers: Iterable[WorkerRow]) -> tuple[list[str], list[str]]:
    """(workers that are online and could run it, why the others could not)."""
    lane, able, reasons = lane_of(spec), [], []
    for worker in workers:
        if worker.online:
            why = why_not(lane, dict(worker.offer), {})
            if why:
                reasons.append(f"{worker.name} {why}")
            else:
                able.append(worker.name)
    return able, reasons


def _whole_id(item: str, ids: Sequence[str]) -> str:
    """`M4:any` with the id spelt out, when exactly one job's id ends like that."""
    job, colon, on = item.partition(":")
    found = [one for one in ids if one.endswith(job.upper())] if len(job) >= SHORT_ID else []
    if len(found) > 1:
        raise SpecError(f"{job} could be {len(found)} jobs: write more of its id (field 'after')")
    return (found[0] if found else job) + colon + on
