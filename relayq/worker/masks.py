"""What must not be shown of a log: the secrets of a job beside its output, sealed to this worker.

A command writes its output to the disk itself, secrets and all. Whoever reads that file later,
when the job's spec may be gone, has to know what to mask. So before a job with secrets starts,
their values are left in its directory, sealed to the worker's own key. A log with such a file
beside it is shown by those who can open it, masked, and by nobody else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from relayq.errors import Refused
from relayq.trust.redacting import Redactor
from relayq.trust.sealing import Sealer

if TYPE_CHECKING:
    from relayq.trust.sealing import Opener
    from relayq.worker.attempt import Attempt

FILE = "secrets"
_WHAT = b"relayq-mask-1\n"


def leave(attempt: Attempt, box: str) -> None:
    """Leave the secrets of an attempt beside its output, sealed to this public box key."""
    values = json.dumps([value for _, value in attempt.spec.secrets]).encode()
    path = attempt.workdir.parent / FILE
    path.touch(mode=0o600)
    path.write_bytes(Sealer([box]).seal(values, _WHAT + attempt.key.encode()))


def has_secrets(place: Path) -> bool:
    """Is there something that must not be shown of this attempt's output?"""
    return (place / FILE).exists()


def redactor_of(place: Path, opener: Opener) -> Redactor | None:
    """What masks the output of this attempt, if anything must be; Refused when that is not known here."""
    if not has_secrets(place):
        return None
    try:
        values = json.loads(opener.open((place / FILE).read_bytes(), _WHAT + place.name.encode()).data)
    except (OSError, Refused):
        raise Refused("its secrets are not known here any more, so its output is not shown") from None
    return Redactor(values)
