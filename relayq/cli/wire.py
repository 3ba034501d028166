"""`relayq submit --wire`: what the step of GitHub Actions does, by hand or from any other CI system.

Nothing is joined and nothing stays on the disk: the join string of a submit-only user comes
from the variable RELAYQ_JOIN, never from the command line, where every user of the machine
could read it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import FAILED, OK
from relayq.client.submitter import tell_on_stderr
from relayq.errors import UsageError
from relayq.step.identity import author_of
from relayq.step.inputs import JOIN
from relayq.step.sender import Sender
from relayq.step.waiting import Answer, Watcher
from relayq.trust.ticket import read_ticket

if TYPE_CHECKING:
    from relayq.model.job import JobSpec

ADMISSION_S = 10.0


def submit(spec: JobSpec, *, as_json: bool) -> int:
    """Hand the job over and say what a worker made of it: let in, refused, or nothing yet."""
    if not os.environ.get(JOIN):
        raise UsageError(
            f"--wire takes the join string from the variable {JOIN}, which is not set: "
            "`relayq hub invite submit NAME` makes one"
        )
    with Sender(read_ticket(os.environ[JOIN])) as sender:
        job = sender.submit(spec, author_of(sender.key, sender.roster, os.environ, "auto"))
        answer = Watcher(sender, job).answer(ADMISSION_S)
    if answer.word == "unique":
        job, answer = answer.why, Answer(answer.word)
    if as_json:
        print(json.dumps({"id": job, "word": answer.word, "detail": answer.why}))
    else:
        print(job)
    return _told(job, answer)


def _told(job: str, answer: Answer) -> int:
    if answer.word == "refused":
        tell_on_stderr(f"job {job} is refused: {answer.why}")
        return FAILED
    if answer.word == "unique":
        tell_on_stderr(f"job {job} with this unique key is there already")
    elif answer.word == "pending":
        tell_on_stderr(f"job {job} waits in the inbox: no worker has looked into it within {ADMISSION_S:g} s")
    elif answer.why:
        tell_on_stderr(f"job {job} waits: {answer.why}")
    return OK
