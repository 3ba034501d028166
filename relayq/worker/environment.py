"""The environment a job sees: a clean allow-list, what the spec sets, and who it is.

Nothing of the worker's own environment passes but what a shell needs to feel at
home: a job must not depend on how its worker was started, nor read its secrets.
RelayQ's own names always win, and the names AWS Batch uses are there as well, so
that a script written for Batch runs unchanged.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from relayq.model.job import JobSpec
from relayq.store.records import Claim

PASSED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_COLLATE",
    "LC_NUMERIC",
    "TZ",
    "TMPDIR",
)


def inherited(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What passes from the worker's own environment; read once at its start."""
    source = os.environ if environ is None else environ
    return {"PATH": os.defpath} | {name: source[name] for name in PASSED if name in source}


def of_attempt(spec: JobSpec, claim: Claim, *, session: str, place: str) -> dict[str, str]:
    """RelayQ's own names for one attempt; `place` is its attempt directory."""
    index = claim.job.partition(":")[2]
    attempt = str(claim.attempt)
    env = {
        "RELAYQ_JOB_ID": claim.job,
        "RELAYQ_ATTEMPT": attempt,
        "RELAYQ_FENCE": f"{attempt}:{session}",
        "RELAYQ_QUEUE": spec.queue,
        "RELAYQ_WORKER": session.partition("#")[0],
        "RELAYQ_WORKDIR": f"{place}/work",
        "RELAYQ_PROGRESS": f"{place}/progress",
        "AWS_BATCH_JOB_ID": claim.job,
        "AWS_BATCH_JOB_ATTEMPT": attempt,
        "AWS_BATCH_JQ_NAME": spec.queue,
    }
    if spec.array and index:
        env |= _of_element(spec, int(index))
    return env


def _of_element(spec: JobSpec, index: int) -> dict[str, str]:
    array = spec.array
    assert array
    env = {
        "RELAYQ_ARRAY_INDEX": str(index),
        "RELAYQ_ARRAY_SIZE": str(array.size),
        "AWS_BATCH_JOB_ARRAY_INDEX": str(index),
        "AWS_BATCH_JOB_ARRAY_SIZE": str(array.size),
    }
    if array.values:
        env["RELAYQ_ARRAY_VALUE"] = array.values[index - array.start]
    return env
