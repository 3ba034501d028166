"""Look into an envelope without opening it: what a job says it is, for showing only.

No signature is checked here, so nothing may act on what this returns. Workers open
envelopes with `trust.envelope.open_job`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from relayq.errors import SpecError
from relayq.model.job import JobSpec, parse_body
from relayq.model.schedule import Schedule, parse_schedule_body
from relayq.trust.envelope import BODY_BYTES_MAX
from relayq.trust.slots import is_slot, schedule_of


def glance(envelope: bytes) -> JobSpec | None:
    """The spec inside, or None when it cannot be read."""
    try:
        if is_slot(envelope):
            return parse_schedule_body(_body(envelope)).schedule.spec
        return parse_body(_body(envelope)).spec
    except (zlib.error, SpecError):
        return None


def glance_schedule(envelope: bytes) -> Schedule | None:
    """The schedule inside, or None when it cannot be read."""
    try:
        return parse_schedule_body(_body(envelope)).schedule
    except (zlib.error, SpecError):
        return None


def peek(envelope: bytes) -> Mapping[str, Any]:
    """The JSON of the spec as it stands there, unjudged and many times as fast; empty if unreadable."""
    try:
        spec = json.loads(_body(envelope))["spec"]
    except (zlib.error, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return spec if isinstance(spec, dict) else {}


def _body(envelope: bytes) -> bytes:
    header, _, payload = schedule_of(envelope).partition(b"\n")
    if header.startswith(b"1z "):
        return zlib.decompressobj().decompress(payload, BODY_BYTES_MAX)
    return payload


def title_of(spec: JobSpec | None) -> str:
    """What to call a job in one line: its name, or its command."""
    if spec is None:
        return "(unreadable spec)"
    if spec.name:
        return spec.name
    return spec.command if isinstance(spec.command, str) else " ".join(spec.command)
