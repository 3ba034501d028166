"""What the keys of this machine make of what the hub carries.

A `Reader` stands between the hub and everybody who shows something to a person: specs
become readable again, output and results are opened and their worker's name on them is
checked. What the keys do not open says so; what nobody of the fleet wrote is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from relayq.errors import Refused, SpecError
from relayq.model.body import joined
from relayq.model.cron import slot_id
from relayq.model.ids import short
from relayq.model.lifecycle import State
from relayq.model.parts import ArraySpec
from relayq.model.schedule import SignedSchedule
from relayq.store.records import End, JobRecord, LogEntry
from relayq.trust.bodies import JOB, SCHEDULE, open_hidden, part
from relayq.trust.boxes import BoxKey
from relayq.trust.envelope import open_job, payload_of
from relayq.trust.keys import Keyring
from relayq.trust.outputs import Asked, Ear, Ended
from relayq.trust.roster import Roster, epoch_keys
from relayq.trust.sealing import Opener
from relayq.trust.slots import is_slot, read_schedule, schedule_of, slot_of
from relayq.trust.steering import HOLD, Given, given, priority_order

if TYPE_CHECKING:
    from relayq.trust.keys import SigningKey
    from relayq.trust.oidc import RunJudge

SEALED = "(sealed)"
NOTHING = Ended("", 0)
# A large array keeps no word about elements that succeeded without one (lua/array.lua).
_SMALL_ARRAY = 10_000
_WAITING = frozenset({State.PENDING, State.RUNNABLE})
_SIGNED_REASONS = frozenset({"", "exit", "timeout"})


class Reader:
    """Reads with one key, as far as the roster allows. Without a roster nothing is believed.

    `accept` judges a roster that the hub offers: what a worker wrote that was let in a moment
    ago can be read only with the newest. `runs` judges the tokens of GitHub Actions, which are
    refused without it.
    """

    def __init__(
        self,
        key: SigningKey,
        fleet: str,
        roster: Roster | None,
        accept: Callable[[bytes], Roster],
        runs: RunJudge | None = None,
    ) -> None:
        self._box, self._fleet, self._accept, self._runs = BoxKey.of(key), fleet, accept, runs
        self._learn(roster)

    def _learn(self, roster: Roster | None) -> None:
        self._roster, self.version = roster, roster.version if roster else 0
        self._submitters = roster.submitters() if roster else Keyring(())
        self._judge = self._runs.by(roster.github) if self._runs and roster else None
        self._opener = Opener([self._box, *(epoch_keys(roster, self._box) if roster else ())])
        self._ear = Ear(self._fleet, self._opener, roster.is_worker if roster else _nobody)

    def learn(self, data: bytes) -> bool:
        """Take a roster from the hub; False when it is older, or not the owner's."""
        try:
            self._learn(self._accept(data))
        except Refused:
            return False
        return True

    def record(self, record: JobRecord, *, is_whole: bool = True) -> JobRecord:
        """The same with a readable spec, message and result; `doubt` says why the result is not believed.

        A record that is not `is_whole` came without its result, so nothing is said of that.
        """
        envelope, is_sealed, head = self._envelope(record.envelope)
        ended, doubt = NOTHING, ""
        try:
            ended = self._result(record) if is_whole else NOTHING
        except Refused as refusal:
            doubt = _doubt(record.id, refusal)
        held_by, alarm = self._steered(record, head) if head and record.state in _WAITING else ("", "")
        return replace(
            record,
            held_by=held_by,
            alarm=alarm,
            envelope=envelope,
            is_sealed=is_sealed,
            message=self._message(record),
            result=ended.result,
            outputs={one.name: one for one in ended.files},
            doubt=doubt,
        )

    def clear(self, envelope: bytes) -> bytes:
        """An envelope as `record` would show it."""
        return self._envelope(envelope)[0]

    def entry(self, job: str, item: LogEntry | End) -> LogEntry | End:
        """An entry of a job's log, opened; `doubt` says why it is not."""
        if isinstance(item, End):
            return self._end(job, item)
        try:
            data = self._ear.piece(job, item.attempt, (item.stream, item.offset), item.data)
        except Refused as refusal:
            return replace(item, data=b"", doubt=f"output of job {short(job)} is not shown: {refusal}")
        return replace(item, data=data)

    def is_array(self, job: str, envelope: bytes, batch_record: bytes) -> bool:
        """Has somebody who may submit signed that this job is an array? May block, for a run's token.

        How an array ends nobody signs: it follows from its elements, whose ends are signed.
        """
        try:
            if is_slot(envelope):
                signed = read_schedule(schedule_of(envelope), self._submitters)
                named = slot_id(signed.fleet, signed.schedule.name, slot_of(envelope))
                return named == job and signed.schedule.spec.array is not None
            body = open_job(envelope, self._submitters, lambda _: batch_record, self._judge).body
            head = json.loads(part(body).head)
            return head["id"] == job and "array" in head["spec"]
        except (Refused, ValueError, KeyError, TypeError):
            return False

    def schedule(self, name: str, envelope: bytes) -> SignedSchedule:
        """What a schedule says that somebody who may submit has signed; else Refused."""
        signed = read_schedule(envelope, self._submitters, self._opener)
        if signed.fleet != self._fleet or signed.schedule.name != name:
            raise Refused("it was signed for another fleet or under another name")
        return signed

    def pour(self, asked: Asked, number: int, kind: str, sealed: bytes) -> bytes:
        """A piece of a whole log; Refused when it is not for us, or of another log."""
        return self._ear.pour(asked, number, kind, sealed)

    def given(self, order: bytes, word: str, subject: str, submitter: str = "") -> Given:
        """Who gave an order; Refused when nobody did who may (trust/steering.py)."""
        if self._roster is None:
            raise Refused("there is no roster to judge that by")
        return given(order, word, subject, self._roster, submitter)

    def _steered(self, record: JobRecord, head: Mapping[str, Any]) -> tuple[str, str]:
        """Who holds a job that waits, and what of its standing nobody who may has signed."""
        spec, by, steered = head.get("spec"), str(head.get("by")), record.steered
        if not isinstance(spec, dict):
            return "", ""
        held_by, alarms = "", []
        # The hub holds by itself what lost its worker and says so in its spec, and what waits for approval.
        is_by_rule = (steered.held == "l" and spec.get("on_lost") == "hold") or (
            steered.held == "a" and by.startswith("oidc:")
        )
        try:
            if steered.held and not is_by_rule:
                held_by = self.given(steered.hold, HOLD, record.id, by).by
        except Refused as refusal:
            alarms.append(f"it is held, but {refusal.why}")
        try:
            if ":" not in record.id and record.priority != spec.get("priority", 0):
                self.given(steered.priority, priority_order(record.priority), record.id, by)
        except Refused as refusal:
            alarms.append(f"its priority is {record.priority}, but {refusal.why}")
        return held_by, "; ".join(alarms)

    def _end(self, job: str, end: End) -> End:
        try:
            end_told = (end.state, end.exit_code, end.reason)
            result = self._believed(job, end.attempt, end_told, end.result).result
        except Refused as refusal:
            return replace(end, result=b"", doubt=_doubt(job, refusal))
        return replace(end, result=result)

    def _result(self, record: JobRecord) -> Ended:
        if record.array is not None or (not record.result and _is_of_large_array(record)):
            return NOTHING
        number = max((attempt.number for attempt in record.attempts), default=record.attempt)
        end = (record.state, record.exit_code, record.reason)
        return self._believed(record.id, number, end, record.result)

    def _believed(self, job: str, attempt: int, end: tuple[State, int | None, str], sealed: bytes) -> Ended:
        """What its worker has signed of the end, once that is what the hub says of it."""
        state, code, reason = end
        must = state is State.SUCCEEDED or (state is State.FAILED and reason in _SIGNED_REASONS)
        if not must:
            return NOTHING
        if not sealed:
            raise Refused("no worker has signed how it ended")
        ended = self._ear.ended(job, attempt, sealed)
        says = State.SUCCEEDED if ended.outcome == "ok" else State.FAILED
        if says is not state or (code or 0) != ended.exit_code:
            raise Refused(
                f"its worker has signed {says.value} with exit code {ended.exit_code}, "
                f"the hub says {state.value} with {code or 0}"
            )
        return ended

    def _envelope(self, envelope: bytes) -> tuple[bytes, bool, dict[str, Any]]:
        """The envelope with its body in the clear as far as our keys open it, whether a part stays sealed,
        and the open half.
        """
        if not envelope:
            return envelope, False, {}
        header, head, spec = b"", {}, None
        try:
            header, payload = payload_of(schedule_of(envelope))
            parted = part(payload)
            head = json.loads(parted.head)
            hidden = open_hidden(parted, self._opener, SCHEDULE if is_slot(envelope) else JOB)
            is_sealed = isinstance(hidden.get("secrets"), str)
            spec = joined(head["spec"], {**hidden, "secrets": {}} if is_sealed else hidden)
        except (Refused, SpecError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            is_sealed = True
        return _clear(header, head, spec), is_sealed, head if isinstance(head, dict) else {}

    def _message(self, record: JobRecord) -> str:
        try:
            return self._ear.note(record.id, record.message)
        except Refused:
            return SEALED


def _clear(header: bytes, head: Any, spec: Mapping[str, Any] | None) -> bytes:
    """An envelope to look at: the header as it was, and a body without a seal."""
    document = dict(head) if isinstance(head, dict) else {}
    if spec is None:
        shown = document.get("spec")
        spec = {**(shown if isinstance(shown, dict) else {}), "name": SEALED, "command": SEALED}
    return header + json.dumps({**document, "spec": spec}).encode()


def _is_of_large_array(record: JobRecord) -> bool:
    """An element that left nothing in an array so large that nothing is kept of those."""
    if ":" not in record.id:
        return False
    try:
        array = json.loads(payload_of(schedule_of(record.envelope))[1].partition(b"\n")[0])["spec"]["array"]
        return ArraySpec.from_json(array).size > _SMALL_ARRAY
    except (Refused, SpecError, ValueError, KeyError, TypeError):
        return False


def _doubt(job: str, refusal: Refused) -> str:
    return f"the result of job {short(job)} is not believed: {refusal}"


def _nobody(_: str) -> bool:
    return False
