"""Look at what a job says it is, for showing only.

No signature is checked here, so nothing may act on what this returns. The envelopes of
records are in the clear as far as this machine's keys open them (store/reader.py);
workers open theirs with `trust.envelope.open_job`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from relayq.errors import SpecError
from relayq.model.job import JobSpec


def glance(envelope: bytes) -> JobSpec | None:
    """The spec inside, or None when it cannot be read."""
    try:
        return JobSpec.from_dict(peek(envelope))
    except SpecError:
        return None


def peek(envelope: bytes) -> Mapping[str, Any]:
    """The JSON of the spec as it stands there, unjudged and many times as fast; empty if unreadable."""
    try:
        spec = json.loads(envelope.partition(b"\n")[2])["spec"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return spec if isinstance(spec, dict) else {}


def title_of(spec: JobSpec | None) -> str:
    """What to call a job in one line: its name, or its command."""
    if spec is None:
        return "(unreadable spec)"
    if spec.name:
        return spec.name
    return spec.command if isinstance(spec.command, str) else " ".join(spec.command)
