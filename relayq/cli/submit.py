"""`relayq submit`: hand one job, or a stream of specs, to the hub and print the ids.

The cold path is parse, spec, body, signature, one round trip. Nothing here loads
redis or asyncio unless an abbreviated id has to be looked up.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.options import add_job_options, command_of, fields_of, input_files
from relayq.client.submitter import Submitter, tell_on_stderr
from relayq.config import load
from relayq.errors import SpecError, UsageError
from relayq.model.ids import is_id
from relayq.model.job import MAX_BODY_BYTES, JobSpec

if TYPE_CHECKING:
    from relayq.client.dispatch import Receipt

CHUNK = 5_000
MOST_GROWN = 8  # a letter of two bytes takes six in the body of a job, and a default has a name
WORDS = "one argument is a shell line, several are argv; - reads one JSON spec a line from stdin"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("words", nargs="*", metavar="- | -- COMMAND", help=WORDS)
    parser.add_argument("--json", action="store_true", help="print one JSON object a job")
    parser.add_argument(
        "--wire",
        action="store_true",
        help="by the join string in RELAYQ_JOIN alone, as a step of GitHub Actions does; nothing is joined",
    )
    add_job_options(parser)


def run(args: argparse.Namespace) -> int:
    """Submit what was asked for."""
    if args.wire:
        return _submit_by_wire(args)
    if args.words == ["-"]:
        if args.command_line:
            raise UsageError("- reads job specs from stdin: leave it out, or what stands behind --")
        return _submit_lines(args, submitter_of(args))
    refuse_bare_words(args)
    spec = spec_of(args)
    submitter = submitter_of(args)
    if files := input_files(args):
        from relayq.cli.output import sending
        from relayq.client.files import with_sent

        with sending(files):
            spec = with_sent(spec, submitter.put_files(files))
    _show(args, submitter.submit(spec))
    return OK


def _submit_by_wire(args: argparse.Namespace) -> int:
    if args.words == ["-"]:
        raise UsageError("--wire hands over one job: relayq submit --wire [OPTIONS] -- COMMAND")
    refuse_bare_words(args)
    if input_files(args):
        raise UsageError("a submit-only user cannot send files along: let the job fetch them itself")
    from relayq.cli import wire

    return wire.submit(JobSpec.from_dict({"command": command_of(args), **fields_of(args)}), as_json=args.json)


def submitter_of(args: argparse.Namespace) -> Submitter:
    """The way into the hub that was named."""
    return Submitter(load({"hub.url": args.url, "hub.fleet": args.fleet}))


def refuse_bare_words(args: argparse.Namespace) -> None:
    """A command without `--` before it: say where it belongs."""
    if args.words:
        command = " ".join(args.words)
        raise UsageError(f"put -- before the command: relayq {args.command} [OPTIONS] -- {command}")


def spec_of(args: argparse.Namespace) -> JobSpec:
    """The spec that the command line describes."""
    fields = fields_of(args)
    if "after" in fields:
        fields["after"] = _whole_ids(args, fields["after"])
    if "at" in fields:
        _refuse_past(fields["at"])
    return JobSpec.from_dict({"command": command_of(args), **fields})


def _refuse_past(at: str) -> None:
    """A time that was typed and is over is a slip: a job that may start at once needs none."""
    from datetime import datetime, timedelta

    if datetime.fromisoformat(at) < datetime.now().astimezone() - timedelta(minutes=1):
        raise UsageError(f"--at {at} is past: leave it out for a job that may start at once")


def _whole_ids(args: argparse.Namespace, after: list[str]) -> list[str]:
    """Dependencies with their ids spelt out; only a shortened id costs a look at the hub."""
    if all(is_id(item.partition(":")[0]) for item in after):
        return after
    from relayq.cli.session import with_client
    from relayq.client.aio import AsyncClient

    async def look_up(client: AsyncClient) -> list[str]:
        found = []
        for item in after:
            job, colon, on = item.partition(":")
            found.append(await client.jobs.resolve(job) + colon + on)
        return found

    return with_client(args, look_up)


def _submit_lines(args: argparse.Namespace, submitter: Submitter) -> int:
    """Every line of stdin is a spec. A chunk with a bad line is not submitted, nor is what follows it.

    A job that only the hub can refuse (it waits for a job that is not there) is told
    among the others, and makes the exit code 1.
    """
    from relayq.cli.output import sending, waiting

    gc.enable()
    fields = fields_of(args)
    if files := input_files(args):
        with sending(files):
            fields["inputs"] = submitter.put_files(files)
    specs = _specs(sys.stdin, fields)
    done, is_whole = 0, True
    with waiting("submitting", is_shown=not sys.stdout.isatty()) as tell:
        while chunk := list(islice(specs, CHUNK)):
            receipts: list[Receipt] = []
            try:
                submitter.submit_many(chunk, receipts)
            finally:  # what was taken before a failure is queued, and is told
                for receipt in receipts:
                    is_whole &= receipt.word != "bad"
                    _show(args, receipt)
            done += len(chunk)
            tell(f"{done} jobs are submitted")
    if not done:
        tell_on_stderr("stdin held no job spec: nothing was submitted")
    return OK if is_whole else FAILED


def _specs(lines: TextIO, defaults: dict[str, object]) -> Iterator[JobSpec]:
    from relayq.model.body import check_size

    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                spec = JobSpec.from_dict({**defaults, **_object(line)})
                if len(line) > MAX_BODY_BYTES // MOST_GROWN:
                    check_size(spec)
                yield spec
            except SpecError as error:
                raise SpecError(f"line {number} of stdin: {error}") from error


def _object(line: str) -> dict[str, object]:
    from relayq.model.reading import read_json

    value = read_json(line)
    if not isinstance(value, dict):
        raise SpecError("a job spec is a JSON object")
    return value


def kept_out(args: argparse.Namespace, job: str) -> str:
    """What is said of the job in the way; of a key that replaces, only one that has begun is."""
    is_replacing = args.job_unique and args.job_unique[-1].endswith(",replace")
    why = "runs already, and only one that waits is replaced" if is_replacing else "is there already"
    return f"job {job} with this unique key {why}: no second one is made"


def _show(args: argparse.Namespace, receipt: Receipt) -> None:
    if args.json:
        print(json.dumps({"id": receipt.id, "word": receipt.word, "detail": receipt.detail}))
    elif receipt.word != "bad":
        print(receipt.id)
    if receipt.word == "unique":
        tell_on_stderr(kept_out(args, receipt.id))
    elif receipt.word == "bad":
        tell_on_stderr(f"job {receipt.id} is refused: {receipt.detail}")
