"""What a submit-only user may learn of its own job: was it let in, what does it write, how did it end.

The hub's word on an end counts only as far as the worker that ran the job has signed the
same (trust/outputs.py); an array has no worker of its own, its state is the hub's word.
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from relayq.errors import Refused
from relayq.model.lifecycle import FINAL, State, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from relayq.step.sender import Sender
    from relayq.trust.outputs import Ear

ATTEMPT_STEP = 1 << 44  # the ids of a log's entries are attempt * 2^44 + position (store/keys.py)
BLOCK_MS = 2_000
PAGE = 500
UNIQUE = "unique:"
LOOK_S = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0)
_SIGNED_REASONS = ("", "exit", "timeout")


class Answer(NamedTuple):
    """What became of the job: `accepted`, `refused`, `pending` or `unique`, and why.

    Of `unique` the why is the id of the job that has its key: no second one was made.
    """

    word: str
    why: str = ""


class Piece(NamedTuple):
    """Output of the job, from stdout or stderr."""

    data: bytes
    is_error: bool = False


class End(NamedTuple):
    """How it ended. `doubt` says why this is the hub's word alone."""

    state: State
    exit_code: int
    reason: str = ""
    doubt: str = ""


class Watcher:
    """Looks at one job of this sender's."""

    def __init__(self, sender: Sender, job: str) -> None:
        self._sender, self._job = sender, job
        self._roster = sender.roster

    @cached_property
    def _ear(self) -> Ear:
        """What opens output; a step that does not wait has no use for it."""
        from relayq.trust.boxes import BoxKey
        from relayq.trust.outputs import Ear
        from relayq.trust.sealing import Opener

        return Ear(self._sender.fleet, Opener([BoxKey.of(self._sender.key)]), self._is_worker)

    def answer(self, within_s: float) -> Answer:
        """What the admission said, once it has, or `pending` when nothing was said in time."""
        deadline = time.monotonic() + within_s
        for number in range(1 << 30):
            record, why, note = self._look()
            if why:
                text = why.decode("utf-8", "replace")
                return (
                    Answer("unique", text[len(UNIQUE) :])
                    if text.startswith(UNIQUE)
                    else Answer("refused", text)
                )
            if record:
                return Answer("accepted", (note or b"").decode("utf-8", "replace"))
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                break
            time.sleep(min(left_s, LOOK_S[min(number, len(LOOK_S) - 1)]))
        return Answer("pending")

    def follow(self, until_s: float) -> Iterator[Piece | End]:
        """Output as it comes, then the End; ends without one at `until_s` (time.monotonic)."""
        last = "0"
        while time.monotonic() < until_s:
            entries = self._entries(last)
            for name, flat in entries:
                last = name.decode()
                item = self._item(last, flat)
                if isinstance(item, Piece):
                    yield item
                elif item:
                    yield item
                    return
            if not entries and (end := self._over()):
                yield end
                return

    def _look(self) -> list[Any]:
        of = self._sender.key_of
        return self._sender.ask(
            ("HGETALL", of("j", self._job)),
            ("GET", of("no", self._job)),
            ("GET", of("why", self._job)),
        )

    def _entries(self, last: str) -> list[Any]:
        key = self._sender.key_of("log", self._job)
        [reply] = self._sender.ask(("XREAD", "COUNT", PAGE, "BLOCK", BLOCK_MS, "STREAMS", key, last))
        return reply[0][1] if reply else []

    def _item(self, name: str, flat: list[bytes]) -> Piece | End | None:
        attempt, position = divmod(int(name.split("-", 1)[0]), ATTEMPT_STEP)
        if flat[0] == b"x":
            letter, code, reason = flat[1].decode().split(" ", 2)
            return self._believed(attempt, End(state_of(letter), _code(code), reason), flat[3])
        stream = 1 if flat[0] == b"o" else 2
        offset = int(flat[3].split()[0]) if len(flat) > 3 else position
        try:
            data = self._ear.piece(self._job, attempt, (stream, offset), flat[1])
        except Refused as refusal:
            return Piece(f"(output is not shown: {refusal})\n".encode(), is_error=True)
        return Piece(data, is_error=stream == 2)

    def _over(self) -> End | None:
        """The end of a job in whose log no end stands."""
        record = _fields(self._look()[0])
        state = state_of(record["s"]) if record else None
        if state is None or state not in FINAL:
            return None
        end = End(state, int(record.get("x", "0")), record.get("r", ""))
        return end if "n" in record else end._replace(doubt="its end was read from the hub alone")

    def _believed(self, attempt: int, end: End, sealed: bytes) -> End:
        signed = end.state is State.SUCCEEDED or (end.state is State.FAILED and end.reason in _SIGNED_REASONS)
        if not signed:
            return end
        record = _fields(self._look()[0])
        if "n" in record:
            return end
        try:
            ended = self._ear.ended(self._job, attempt, sealed)
        except Refused as refusal:
            return end._replace(doubt=str(refusal))
        says = State.SUCCEEDED if ended.outcome == "ok" else State.FAILED
        if (says, ended.exit_code) != (end.state, end.exit_code):
            return end._replace(doubt=f"its worker has signed {says.value} with exit code {ended.exit_code}")
        return end

    def _is_worker(self, public: str) -> bool:
        """A worker may have been let in while the job waited: then the roster is read again, once a key."""
        if not self._roster.is_worker(public):
            self._roster = self._sender.fresh_roster()
        return self._roster.is_worker(public)


def _code(text: str) -> int:
    return int(text) if text.lstrip("-").isdecimal() else 0


def _fields(flat: list[bytes]) -> dict[str, str]:
    words = [word.decode("utf-8", "replace") for word in flat or []]
    return dict(zip(words[::2], words[1::2]))
