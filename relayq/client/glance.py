"""Look into an envelope without opening it: what a job says it is, for showing only.

No signature is checked here, so nothing may act on what this returns. Workers open
envelopes with `trust.envelope.open_job`.
"""

from __future__ import annotations

import zlib

from relayq.errors import SpecError
from relayq.model.job import JobSpec, parse_body
from relayq.trust.envelope import BODY_BYTES_MAX


def glance(envelope: bytes) -> JobSpec | None:
    """The spec inside, or None when it cannot be read."""
    header, _, payload = envelope.partition(b"\n")
    try:
        if header.startswith(b"1z "):
            payload = zlib.decompressobj().decompress(payload, BODY_BYTES_MAX)
        return parse_body(payload).spec
    except (zlib.error, SpecError):
        return None


def title_of(spec: JobSpec | None) -> str:
    """What to call a job in one line: its name, or its command."""
    if spec is None:
        return "(unreadable spec)"
    if spec.name:
        return spec.name
    return spec.command if isinstance(spec.command, str) else " ".join(spec.command)
