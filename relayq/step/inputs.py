"""What a step was asked for: variables of its environment, made into a job spec.

`action.yml` passes each input as one variable and never as part of a script, so no value
is ever read by a shell. Lists are one item a line. A value of several lines is written as
the runner's own files write it: `NAME<<END`, the lines, `END`.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from relayq.errors import SpecError, UsageError
from relayq.model.duration import parse_duration_ms
from relayq.model.job import JobSpec
from relayq.model.parts import unique_words
from relayq.model.reading import read_json, read_map
from relayq.step.notices import notices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from relayq.step.slots import Slot

PREFIX = "RELAYQ_INPUT_"
JOIN = "RELAYQ_JOIN"
INPUTS = (
    "join",
    "command",
    "args",
    "params",
    "name",
    "queue",
    "needs",
    "array",
    "after",
    "timeout",
    "attempts",
    "secrets",
    "unique",
    "notify",
    "schedule",
    "slot",
    "wait",
    "cap",
    "link",
    "sign",
)
EVENT_BYTES_MAX = 32 << 20
CAP = "10m"
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")


class Wanted(NamedTuple):
    """A job, and what to do once it is handed over. `link` is a URL with `{id}`, or empty."""

    spec: JobSpec
    wait: bool
    cap_s: float
    link: str
    sign: str = "auto"


def inputs_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The inputs that were given, by name."""
    found = {name: environ.get(PREFIX + name.upper(), "") for name in INPUTS}
    found["join"] = found["join"] or environ.get(JOIN, "")
    return {name: value for name, value in found.items() if value.strip()}


def secrets_of(given: Mapping[str, str]) -> dict[str, str]:
    """The values that nobody may see."""
    return pairs(given.get("secrets", ""), "secrets")


def wanted(given: Mapping[str, str], environ: Mapping[str, str]) -> Wanted:
    """What the inputs mean; SpecError and UsageError name the input that is wrong."""
    fields: dict[str, Any] = {
        name: given[name].strip() for name in ("name", "queue", "needs", "timeout") if name in given
    }
    fields["unique"] = unique_words(given["unique"].strip()) if "unique" in given else None
    fields["command"] = _command(given)
    fields["env"] = pairs(given.get("params", ""), "params")
    fields["secrets"] = secrets_of(given)
    fields["array"] = _array(given["array"]) if "array" in given else None
    fields["after"] = re.split(r"[\s,]+", given["after"].strip()) if "after" in given else None
    fields["attempts"] = _whole(given["attempts"], "attempts") if "attempts" in given else None
    told = notices(given.get("notify", ""), environ, event_of(environ))
    fields["notify"] = told or None
    spec = JobSpec.from_dict({name: value for name, value in fields.items() if value not in (None, {}, [])})
    return Wanted(
        spec=spec,
        wait=_flag(given.get("wait", ""), "wait"),
        cap_s=parse_duration_ms(given.get("cap", CAP), "cap") / 1000,
        link=_link(given.get("link", "").strip()),
        sign=given.get("sign", "auto").strip().lower(),
    )


def slot_of(given: Mapping[str, str], now_s: int) -> Slot | None:
    """The slot of a schedule that is to be fired, where the inputs name one in place of a job."""
    if "schedule" not in given and "slot" not in given:
        return None
    if "schedule" not in given or "slot" not in given:
        raise UsageError("a schedule and its rule go together (inputs 'schedule' and 'slot')")
    if others := sorted(given.keys() - {"schedule", "slot", "join", "notify", "cap", "wait", "sign", "link"}):
        raise UsageError(
            f"a schedule has its job in the hub: '{others[0]}' cannot be given beside 'schedule'"
        )
    from relayq.step.slots import latest

    return latest(given["schedule"].strip(), given["slot"], now_s)


def pairs(text: str, field: str) -> dict[str, str]:
    """Lines NAME=value, or NAME<<END with the value on the lines until END; or one JSON object.

    JSON is for values that others chose: `{"NAME": ${{ toJSON(...) }}}` has no way out of its quotes.
    """
    if text.lstrip().startswith("{"):
        return _json_pairs(text, field)
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, mark, value = _divided(line)
        if not mark or not name:
            raise UsageError(f"a line of {field} is not NAME=value (input '{field}')")
        if mark == "<<":
            value = _until(value, lines, f"{name} (input '{field}')")
        found[name] = value
    return found


def _json_pairs(text: str, field: str) -> dict[str, str]:
    try:
        given = read_map(read_json(text, f"the input '{field}'"), field)
    except SpecError as error:
        # The text itself may hold what nobody may see.
        raise UsageError(f"what begins with {{ is no JSON object (input '{field}')") from error
    return {name: _json_text(value, field) for name, value in given.items() if value is not None}


def _json_text(value: object, field: str) -> str:
    if isinstance(value, (dict, list)):
        raise UsageError(f"a value is an object or a list: only text is a variable (input '{field}')")
    return value if isinstance(value, str) else json.dumps(value)


def _divided(line: str) -> tuple[str, str, str]:
    found = re.match(r"\s*([^=<\s]+)\s*(=|<<)(.*)", line)
    return (found[1], found[2], found[3]) if found else ("", "", "")


def _until(end: str, lines: Any, what: str) -> str:
    value: list[str] = []
    for line in lines:
        if line.strip() == end.strip():
            return "\n".join(value)
        value.append(line)
    raise UsageError(f"the value of {what} has no end: no line is {end.strip()[:40]!r}")


def event_of(environ: Mapping[str, str]) -> dict[str, Any]:
    """The event that started the run; empty outside of one."""
    path = environ.get("GITHUB_EVENT_PATH", "")
    try:
        if not path or os.path.getsize(path) > EVENT_BYTES_MAX:
            return {}
        with open(path, "rb") as file:
            event = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _command(given: Mapping[str, str]) -> str | list[str]:
    if "args" in given and "command" in given:
        raise UsageError("command and args exclude each other: a shell line, or one argument a line")
    if "args" in given:
        return given["args"].splitlines()
    if "command" not in given:
        raise UsageError("no command was given (input 'command')")
    return given["command"].strip("\r\n")


def _array(text: str) -> int | str | list[str]:
    """A number, a range, or one value a line; a text with a line end is always values."""
    word = text.strip()
    if "\n" not in text and re.fullmatch(r"[0-9]+", word):
        return int(word)
    if "\n" not in text and re.fullmatch(r"[0-9]+-[0-9]+", word):
        return word
    return [line for line in text.splitlines() if line.strip()]


def _link(link: str) -> str:
    plain = link.startswith(("https://", "http://")) and link.isascii() and link.isprintable()
    if link and (not plain or set(link) & set(" ()<>[]\"'`|\\")):
        raise UsageError("the link is not a plain http(s) address (input 'link')")
    return link


def _whole(text: str, field: str) -> int:
    if not re.fullmatch(r"\s*[0-9]{1,9}\s*", text):
        raise UsageError(f"{text.strip()[:40]!r} is not a whole number (input '{field}')")
    return int(text)


def _flag(text: str, field: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE + FALSE:
        raise UsageError(f"{word[:40]!r} is neither true nor false (input '{field}')")
    return word in TRUE
