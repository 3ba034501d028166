"""What a submitter signs: the body of one job, in an open half and a hidden half.

The open half is what the hub needs to queue the job and what any worker needs to
judge it: id, fleet, times, who signs, and the part of the spec that says where, when
and how often. The hidden half is what the job is: its command, name, environment,
input, files, labels. It is sealed (relayq/trust/bodies.py) before it leaves the machine,
and both halves travel as these very bytes: nobody ever has to write the same JSON twice.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from relayq.errors import SpecError
from relayq.model.duration import MAX_MOMENT_MS
from relayq.model.ids import is_id
from relayq.model.job import MAX_BODY_BYTES, JobSpec
from relayq.model.parts import ArraySpec
from relayq.model.reading import (
    check_choice,
    check_int,
    check_line,
    check_name,
    read_json,
    read_list,
    read_map,
    refuse_unknown,
    shown,
)

VALID_S = 30 * 86_400
HIDDEN = frozenset(
    ("command", "name", "env", "secrets", "cwd", "stdin", "inputs", "outputs", "labels", "args")
)
VALUES = "values"
_NEEDED = ("id", "fleet", "iat", "by", "spec")
_KNOWN = (*_NEEDED, "op", "exp", "reply")


class Body(NamedTuple):
    """A signed body as read: `iat` and `exp` are seconds since 1970 by the submitter's clock.

    A body that says no `op` submits, and one that says no `exp` is valid for 30 days from the job's
    earliest start: 31 bytes less for each queued job, which a hub rounds up to 128.
    `by` is the id of the key that signs, `reply` the public box key that the submitter
    wants its output sealed to, or empty when the owner's will do.
    """

    op: str
    id: str
    fleet: str
    iat: int
    exp: int
    by: str
    spec: JobSpec
    reply: str = ""


class Submitted(NamedTuple):
    """Who submits, and to what fleet."""

    fleet: str
    by: str
    reply: str = ""


def halves(spec: JobSpec, job: str, who: Submitted, iat_s: int) -> tuple[bytes, dict[str, Any]]:
    """The open half as the bytes to sign, and the hidden half.

    Together they are at most 64 KiB as JSON; SpecError above that.
    """
    shown_fields, hidden = split(spec)
    document = {"id": job, "fleet": who.fleet, "iat": iat_s, "by": who.by, "spec": shown_fields}
    if who.reply:
        document["reply"] = who.reply
    return _dumps(document), hidden


def split(spec: JobSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a spec's JSON that are open, and those that are hidden."""
    fields = spec.to_dict()
    hidden = {name: value for name, value in fields.items() if name in HIDDEN}
    shown_fields = {name: value for name, value in fields.items() if name not in HIDDEN}
    if spec.array and spec.array.values:
        hidden[VALUES] = spec.array.values
        shown_fields["array"] = spec.array._replace(values=()).to_json()
    return shown_fields, hidden


def hidden_bytes(hidden: dict[str, Any]) -> bytes:
    """The hidden half as JSON; SpecError for what JSON has no word for, or more than 64 KiB."""
    data = _dumps(hidden)
    if len(data) > MAX_BODY_BYTES:
        raise SpecError(
            f"the job spec is {len(data)} bytes: at most {MAX_BODY_BYTES}; put what is large into a file"
        )
    return data


def check_size(spec: JobSpec) -> None:
    """SpecError for a spec whose hidden half is too large to be submitted."""
    hidden_bytes(split(spec)[1])


def parse_halves(head: bytes, hidden: bytes | dict[str, Any]) -> Body:
    """Read a body; anything but exactly what `halves` makes is a SpecError."""
    document = read_map(read_json(head, "the signed body"), "body")
    refuse_unknown(document, _KNOWN, "the signed body")
    if missing := [name for name in _NEEDED if name not in document]:
        raise SpecError(f"the signed body has no field '{missing[0]}'")
    if not isinstance(document["id"], str) or not is_id(document["id"]) or ":" in document["id"]:
        raise SpecError(f"{shown(document['id'])} is not the id of a job (field 'id')")
    secret = parse_hidden(hidden) if isinstance(hidden, bytes) else hidden
    iat = check_int(document["iat"], "iat", 0, MAX_MOMENT_MS)
    spec = JobSpec.from_dict(joined(read_map(document["spec"], "spec"), secret))
    exp = document.get("exp", valid_until(spec, iat))
    return Body(
        op=check_choice(document.get("op", "submit"), "op", ("submit",)),
        id=document["id"],
        fleet=check_name(document["fleet"], "fleet"),
        iat=iat,
        exp=check_int(exp, "exp", iat, MAX_MOMENT_MS),
        by=check_line(document["by"], "by", 80),
        spec=spec,
        reply=check_line(document.get("reply", ""), "reply", 43),
    )


def valid_until(spec: JobSpec, iat_s: int) -> int:
    """Until when a job may begin, as seconds since 1970: 30 days from its earliest start."""
    return max(iat_s, spec.at_ms // 1000) + spec.delay_ms // 1000 + VALID_S


def parse_hidden(data: bytes) -> dict[str, Any]:
    """Read the hidden half."""
    hidden = read_map(read_json(data, "the sealed part"), "the sealed part")
    refuse_unknown(hidden, (*HIDDEN, VALUES), "the sealed part")
    return hidden


def joined(shown_fields: dict[str, Any], hidden: dict[str, Any]) -> dict[str, Any]:
    """The JSON of the whole spec; SpecError when a half holds what belongs into the other."""
    if misplaced := HIDDEN & shown_fields.keys():
        raise SpecError(f"the field '{min(misplaced)}' is not sealed")
    whole = {**shown_fields, **hidden}
    if VALUES in whole:
        values = tuple(read_list(whole.pop(VALUES), VALUES))
        whole["array"] = ArraySpec.from_json(shown_fields.get("array"))._replace(values=values).to_json()
    return whole


# Made once: json.dumps makes one for each call that names separators.
_WRITER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _dumps(document: dict[str, Any]) -> bytes:
    try:
        return _WRITER.encode(document).encode()
    except (TypeError, ValueError) as error:
        raise SpecError(f"the arguments cannot be written as JSON: {error} (field 'args')") from None
