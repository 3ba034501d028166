"""Look at what a job says it is, for showing only.

No signature is checked here, so nothing may act on what this returns. The envelopes of
records are in the clear as far as this machine's keys open them (store/reader.py);
workers open theirs with `trust.envelope.open_job`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from relayq.errors import SpecError
from relayq.model.job import JobSpec

_TOKEN = re.compile(rb"1z? oidc ([A-Za-z0-9_.-]{1,16384})\n")


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


def asked_by(envelope: bytes) -> str:
    """Who asked for it, by the token of a GitHub Actions run: repository, run, actor, event; else empty.

    The claims are those of GitHub's OpenID Connect tokens (its documentation of 2025). A worker
    judges the token before a job of a run waits for the owner's word; here it is only read.
    """
    header = _TOKEN.match(envelope)
    if not header:
        return ""
    try:
        body = header[1].split(b".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))
        told = {name: value for name, value in claims.items() if isinstance(value, str)}
    except (ValueError, IndexError, AttributeError, RecursionError):
        return ""
    ref = told.get("ref", "").removeprefix("refs/heads/")
    parts = (
        f"run {told['run_id']} of" if "run_id" in told else "a run of",
        told.get("repository") or f"repository {told.get('repository_id', '?')}",
        f"by {told['actor']}" if "actor" in told else "",
        f"({told.get('event_name', 'run')} on {ref})" if ref else "",
    )
    return " ".join(part for part in parts if part)


def title_of(spec: JobSpec | None) -> str:
    """What to call a job in one line: its name, or its command."""
    if spec is None:
        return "(unreadable spec)"
    if spec.name:
        return spec.name
    return spec.command if isinstance(spec.command, str) else " ".join(spec.command)
