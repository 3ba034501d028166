"""The step of a workflow: submit one job and go; stay only when asked to.

Waiting burns minutes, so the step ends as soon as a worker has let the job in, or said
why not. When nobody looks within a few seconds (all machines at home are off), the job
lies in the inbox and the step says so; that is no failure.

Exit codes: 0 the job is in; with `wait`, the job's own; 1 it was refused; 2 an input makes
no sense; 124 the cap was reached, the job goes on; 125 the hub cannot be used; 130 the run
was cancelled, a job that was handed over goes on.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from relayq.errors import RelayQError, UsageError
from relayq.model.ids import short
from relayq.model.lifecycle import State
from relayq.step import cost, month
from relayq.step.identity import author_of
from relayq.step.inputs import Wanted, event_of, inputs_of, secrets_of, slot_of, wanted
from relayq.step.runner import Runner, code
from relayq.step.sender import Sender
from relayq.step.waiting import Answer, End, Piece, Watcher
from relayq.trust import plain, primitives
from relayq.trust.ticket import read_ticket

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from relayq.step.slots import Slot

OK, FAILED, CAPPED, INTERRUPTED = 0, 1, 124, 130
ADMISSION_S = 10.0


class Told(NamedTuple):
    """What a step has to say at its end."""

    job: str
    status: str
    why: str = ""
    waited: bool = False


def main(environ: Mapping[str, str] | None = None) -> int:
    """Run the step; what is wrong is one annotation and an exit code."""
    primitives.use(plain)
    environ = os.environ if environ is None else environ
    runner = Runner(environ)
    try:
        return Step(environ, runner).run()
    except RelayQError as error:
        runner.annotate("error", str(error))
        return error.exit_code
    except KeyboardInterrupt:
        runner.annotate("warning", "the run was cancelled: a job that was handed over goes on at home")
        return INTERRUPTED
    except OSError as error:
        runner.annotate("error", f"the runner's files cannot be written: {error.strerror or error}")
        return RelayQError.exit_code


class Step:
    """One step, from its inputs to its summary."""

    def __init__(self, environ: Mapping[str, str], runner: Runner) -> None:
        self._environ, self._runner = environ, runner
        self._given = inputs_of(environ)
        self._begun_s = time.monotonic()

    def run(self) -> int:
        """The whole of it; the exit code."""
        for value in secrets_of(self._given).values():
            self._runner.mask(value)
        if slot := slot_of(self._given, int(time.time())):
            return self._fire(slot)
        asked = wanted(self._given, self._environ)
        with self._sender() as sender:
            author = author_of(sender.key, sender.roster, self._environ, asked.sign)
            job = sender.submit(asked.spec, author)
            self._runner.output("job-id", job)
            watcher = Watcher(sender, job)
            answer = watcher.answer(ADMISSION_S)
            told, exit_code = self._told(job, answer)
            if told.job != job:
                self._runner.output("job-id", told.job)
                watcher = Watcher(sender, told.job)
            if asked.wait and self._may_wait(told, sender):
                told, exit_code = self._wait(watcher, told.job, asked)
            self._tell(asked, told, self._month(sender))
        return exit_code

    def _sender(self) -> Sender:
        if "join" not in self._given:
            if _is_of_fork(event_of(self._environ)):
                raise UsageError(
                    "there is no join string: GitHub gives no secrets to the runs of a fork's pull request, "
                    "and a stranger's job has no business at home"
                )
            raise UsageError(
                "there is no join string: make one with `relayq hub invite submit NAME`, keep it as the "
                "Actions secret RELAYQ_JOIN, and pass it (input 'join')"
            )
        return Sender(read_ticket(self._given["join"]))

    def _fire(self, slot: Slot) -> int:
        with self._sender() as sender:
            spent = self._month(sender)
            job = sender.fire(slot)
        self._runner.output("job-id", job)
        self._runner.output("status", "sent")
        when = f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(slot.at_ms // 1000))} UTC"
        line = f"the slot of {when} of schedule {slot.schedule} is fired, unless that has been done"
        self._runner.say(line)
        self._runner.summary(f"### RelayQ\n\n{code(line)}\n\n{spent}\n")
        return OK

    def _told(self, job: str, answer: Answer) -> tuple[Told, int]:
        if answer.word == "unique":
            self._runner.say(f"job {answer.why} with this unique key is there already: no second one is made")
            return Told(answer.why, answer.word), OK
        told = Told(job, answer.word, answer.why)
        if answer.word == "refused":
            self._runner.annotate("error", f"job {job} is refused: {answer.why}")
            return told, FAILED
        if answer.word == "pending":
            self._runner.annotate(
                "warning",
                f"job {job} waits in the inbox: no worker has looked into it within {ADMISSION_S:g} s; "
                "it is let in when one comes online",
            )
        elif answer.why:
            self._runner.annotate("warning", f"job {job} waits: {answer.why}")
        else:
            self._runner.say(f"job {job} is in")
        return told, OK

    def _may_wait(self, told: Told, sender: Sender) -> bool:
        """Has the hub a job, or will it, whose end this user may see?"""
        if told.status == "unique" and not told.job.startswith(sender.ticket.mark):
            self._runner.annotate(
                "warning", f"job {told.job} is not this user's: the step cannot wait for it, and ends"
            )
            return False
        return told.status != "refused"

    def _wait(self, watcher: Watcher, job: str, asked: Wanted) -> tuple[Told, int]:
        self._runner.say(cost.forecast(asked.cap_s, self._system))
        until_s = self._begun_s + asked.cap_s
        end: End | None = None
        with self._runner.foreign() as foreign:
            for item in watcher.follow(until_s):
                if isinstance(item, Piece):
                    foreign.write(item.data, is_error=item.is_error)
                else:
                    end = item
        if end is None:
            self._runner.annotate(
                "warning", f"job {short(job)} goes on: the cap of {asked.cap_s:g} s is reached"
            )
            return Told(job, "running", waited=True), CAPPED
        if end.doubt:
            self._runner.annotate("warning", f"the end of job {short(job)} is not signed: {end.doubt}")
        if end.state is State.SUCCEEDED:
            self._runner.say(f"job {job} succeeded")
            return Told(job, "succeeded", waited=True), FAILED if end.doubt else OK
        word = end.state.value.lower()
        why = "" if end.reason in ("", "exit") else f" ({end.reason})"
        self._runner.annotate("error", f"job {job} has {word} with exit code {end.exit_code}{why}")
        return Told(
            job, word, "" if end.reason == "exit" else end.reason, waited=True
        ), end.exit_code & 0xFF or FAILED

    def _month(self, sender: Sender) -> str:
        """The line about the month; none in a public repository, where they are free and summaries public."""
        if self._is_private is False:
            return ""
        owner = self._environ.get("GITHUB_REPOSITORY", "").partition("/")[0]
        return month.line(sender.month, owner, time.time())

    def _tell(self, asked: Wanted, told: Told, spent: str) -> None:
        url = self._url(asked, told.job)
        self._runner.output("status", told.status)
        self._runner.output("url", url)
        line = cost.sentence(
            time.monotonic() - self._begun_s, self._system, is_private=self._is_private, waited=told.waited
        )
        self._runner.say(line)
        spec = asked.spec
        rows = [
            ("job", f"[{code(told.job)}]({url})" if url else code(told.job)),
            ("status", told.status),
            ("name", code(spec.name)),
            ("queue", code(spec.queue)),
            ("needs", code(",".join(spec.needs.to_list()))),
            ("array", f"{spec.array.size} elements" if spec.array else ""),
            ("why it waits" if told.status == "accepted" else "why", code(told.why)),
        ]
        table = "".join(f"| {name} | {value} |\n" for name, value in rows if value)
        follow = f"At home: `relayq logs -f {short(told.job)}`, `relayq explain {short(told.job)}`."
        paid = f"{line} {spent}".rstrip()
        self._runner.summary(f"### RelayQ\n\n| | |\n|---|---|\n{table}\n{follow}\n\n{paid}\n")

    def _url(self, asked: Wanted, job: str) -> str:
        """A page about the job where there is one; else the run, whose summary tells of it."""
        if asked.link:
            return asked.link.replace("{id}", job)
        names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
        server, repo, run = (self._environ.get(name, "") for name in names)
        return f"{server}/{repo}/actions/runs/{run}" if server and repo and run else ""

    @property
    def _system(self) -> str:
        return self._environ.get("RUNNER_OS", "Linux")

    @property
    def _is_private(self) -> bool | None:
        repository = event_of(self._environ).get("repository")
        private = repository.get("private") if isinstance(repository, dict) else None
        return private if isinstance(private, bool) else None


def _is_of_fork(event: Mapping[str, Any]) -> bool:
    """Is it about a pull request out of another repository?"""
    pull = event.get("pull_request")
    ends = [pull.get(name) for name in ("head", "base")] if isinstance(pull, dict) else []
    names = [end.get("repo") for end in ends if isinstance(end, dict)]
    ids = [repo.get("id") if isinstance(repo, dict) else None for repo in names]
    return len(ids) == len(("head", "base")) and ids[0] != ids[1]


if __name__ == "__main__":
    sys.exit(main())
