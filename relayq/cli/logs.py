"""`relayq logs`: the output of a job, as the hub has it or whole from its worker's disk."""

from __future__ import annotations

import argparse
from contextlib import aclosing
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, progress, say
from relayq.cli.parser import add_json
from relayq.cli.session import with_client
from relayq.cli.stream import STDERR, STDOUT, Screen, gap_words
from relayq.errors import NotFound, Refused, UnknownName, UsageError
from relayq.model.ids import short
from relayq.model.lifecycle import FINAL, State
from relayq.store.records import LogEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from relayq.client.aio import AsyncClient
    from relayq.client.wholelog import WholeLog
    from relayq.store.records import AttemptRecord, JobRecord

ELEMENTS_MAX = 1000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the job, an element (ID:INDEX), or the end of an id")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the job has ended")
    parser.add_argument(
        "--attempt",
        type=int,
        metavar="N",
        help="the output of this attempt (default: the last; -f goes on with later ones)",
    )
    parser.add_argument("--stderr", action="store_true", help="only what was written to stderr")
    parser.add_argument(
        "--full", action="store_true", help="all of it, from the disk of the worker that ran it"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the output."""
    if args.attempt is not None and args.attempt < 1:
        raise UsageError(f"--attempt {args.attempt} makes no sense: attempts count from 1")
    if args.full:
        return _full(args)
    if args.follow:
        with_client(args, lambda client: _follow(client, args))
        return OK
    if not with_client(args, lambda client: _read(client, args)):
        say("the job has written nothing (yet); `relayq logs -f` waits for it")
    return OK


class Printer:
    """Shows log entries; says where the hub kept less than was written, and which element wrote what."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._screen = Screen()
        self._note_stream = STDERR if args.stderr else STDOUT
        self._begin("", "")

    def _begin(self, job: str, heading: str) -> None:
        self._job, self._heading = job, heading
        self._next = self._attempt = 0

    def begin_element(self, job: str) -> None:
        """What comes next was written by this element of an array."""
        self._begin(job, f"[element {job.partition(':')[2]}]")

    def begin_job(self, job: str) -> None:
        """What comes next was written by this job."""
        self._begin(job, "")

    def show(self, entry: LogEntry) -> None:
        """Show one entry if it was asked for."""
        if self._args.attempt and entry.attempt != self._args.attempt:
            return
        if entry.doubt:
            raise Refused(entry.doubt)
        if entry.attempt != self._attempt:
            self._attempt, self._next = entry.attempt, 0
        missing, begun = entry.position - self._next, self._next
        self._next = entry.position + len(entry.data)
        if self._args.stderr and entry.stream != STDERR:
            return
        if self._args.json:
            self._print_objects(entry, begun, missing)
            return
        if self._heading:
            self._screen.note(self._heading, self._note_stream)
            self._heading = ""
        if missing > 0:
            self._screen.note(gap_words(missing, self._job), self._note_stream)
        self._screen.write(entry.stream, entry.data)

    def _print_objects(self, entry: LogEntry, begun: int, missing: int) -> None:
        head = {"id": self._job, "attempt": entry.attempt}
        if missing > 0:
            print_json({**head, "position": begun, "missing_bytes": missing})
        text = entry.data.decode("utf-8", "replace")
        print_json({**head, "position": entry.position, "stream": entry.stream, "text": text})

    def close(self) -> None:
        """Write what is left of a half character."""
        self._screen.close()


async def _read(client: AsyncClient, args: argparse.Namespace) -> int:
    """Show what the hub has now, or say that it kept nothing; 0 when nothing was written."""
    shown = 0
    record = await (await client.job(args.id)).info()
    printer = Printer(args)
    for job in _begun(printer, record):
        entries = await client.logs.read(job, args.attempt)
        last = args.attempt or max((entry.attempt for entry in entries), default=0)
        for entry in entries:
            if entry.attempt == last:
                printer.show(entry)
        printer.close()
        shown += len(entries)
    if not shown:
        _require_attempt(record, args.attempt)
        if dropped := await client.logs.dropped(record.id):
            say(gap_words(dropped, record.id).strip("[.] "))
            return dropped
    return shown


async def _follow(client: AsyncClient, args: argparse.Namespace) -> None:
    record = await (await client.job(args.id)).info()
    if record.state in FINAL:
        _require_attempt(record, args.attempt)
    printer = Printer(args)
    for job in _begun(printer, record):
        first = (
            0
            if args.attempt
            else _last_attempt(record if job == record.id else await client.jobs.record(job))
        )
        async for entry in client.handle(job).logs(follow=True):
            if entry.attempt >= first:
                printer.show(entry)
        printer.close()


def _begun(printer: Printer, record: JobRecord) -> Iterator[str]:
    """The ids whose output is the job's, each told to the printer."""
    for job in elements_of(record):
        if job == record.id:
            printer.begin_job(job)
        else:
            printer.begin_element(job)
        yield job


def _last_attempt(record: JobRecord | None) -> int:
    """The number of the last attempt; of a job that waits for its next, that one's."""
    if record is None:
        return 0
    return record.attempt + (record.state in (State.PENDING, State.RUNNABLE))


def _require_attempt(record: JobRecord, wanted: int | None) -> None:
    """UnknownName for an attempt that has not been."""
    last = max([record.attempt, *(attempt.number for attempt in record.attempts)])
    if wanted is not None and not 1 <= wanted <= last:
        had = f"its last is attempt {last}" if last else "it has not run yet"
        raise UnknownName(f"job {record.id} has no attempt {wanted}: {had}")


def elements_of(record: JobRecord) -> list[str]:
    """The ids whose output is the job's: its own, or those of an array's elements in order."""
    array = record.array
    if array is None:
        return [record.id]
    if array.size > ELEMENTS_MAX:
        raise UsageError(
            f"array job {record.id} has {array.size} elements: name the one to show, {short(record.id)}:INDEX"
        )
    return [f"{record.id}:{index}" for index in range(array.start, array.start + array.size)]


def _full(args: argparse.Namespace) -> int:
    """The whole output: from this machine's disk where it is, else from the worker that ran the job."""
    if args.follow:
        raise UsageError("--full shows what has been written so far: leave out -f")
    with progress("fetching the output") as tell:
        with_client(args, lambda client: _pour(client, args, tell))
    return OK


async def _pour(client: AsyncClient, args: argparse.Namespace, tell: Callable[[int, int], None]) -> None:
    from relayq.client.glance import glance
    from relayq.client.wholelog import WholeLog

    record = await (await client.job(args.id)).info()
    printer = Printer(args)
    for job in _begun(printer, record):
        ran = record if job == record.id else await client.jobs.record(job)
        attempt = _attempt_of(ran, args.attempt) if ran else None
        if attempt:
            spec = glance(record.envelope)
            secrets = [value for _, value in spec.secrets] if spec and not record.is_sealed else []
            await _show_whole(WholeLog(client, job, attempt, secrets), attempt.number, printer, tell)
        elif job == record.id:
            _require_attempt(record, args.attempt)
            raise NotFound(f"job {record.id} has not run yet; `relayq explain {short(record.id)}` says more")


def _attempt_of(record: JobRecord, wanted: int | None) -> AttemptRecord | None:
    """The attempt whose output to show: the last one without a wish."""
    ran = {attempt.number: attempt for attempt in record.attempts}
    return ran.get(wanted or max(ran, default=0))


async def _show_whole(
    whole: WholeLog, number: int, printer: Printer, tell: Callable[[int, int], None]
) -> None:
    done = 0
    async with aclosing(whole.parts()) as parts:
        async for part in parts:
            entry = LogEntry(id="", attempt=number, position=done, stream=part.stream, data=part.data)
            printer.show(entry)
            done += len(part.data)
            tell(done, whole.bytes)
    printer.close()
