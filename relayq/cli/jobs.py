"""`relayq jobs`: list jobs, newest first."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_table, say
from relayq.cli.parser import add_json
from relayq.cli.session import with_client
from relayq.errors import UsageError
from relayq.model.duration import parse_duration_ms
from relayq.model.lifecycle import State

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.store.records import JobRecord


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--state", action="append", metavar="STATE", help="only jobs in this state (may be repeated)"
    )
    parser.add_argument("--queue", metavar="NAME", help="only jobs of this queue")
    parser.add_argument("--worker", metavar="NAME", help="only jobs that run or ran on this worker")
    parser.add_argument("--since", metavar="TIME", help="only jobs submitted in the last 2h, 3d, ...")
    parser.add_argument("--name", metavar="TEXT", help="only jobs whose name or command contains this")
    parser.add_argument("--label", metavar="NAME[=VALUE]", help="only jobs with this label")
    parser.add_argument("-n", type=int, default=20, metavar="N", help="at most N jobs (default: 20)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the jobs that were asked for."""
    states = [state_named(word) for word in args.state or []]
    records, now_ms = with_client(args, lambda client: _found(client, args, states))
    from relayq.cli.views import JOB_HEADERS, job_json, job_row

    if args.json:
        for record in records:
            print_json(job_json(record))
    elif records:
        print_table(JOB_HEADERS, [job_row(record, now_ms) for record in records])
    else:
        say("no such jobs; submit one with `relayq run -- COMMAND`")
    return OK


def state_named(word: str) -> State:
    """The state of this name, in any case of letters."""
    try:
        return State(word.upper())
    except ValueError:
        names = ", ".join(state.lower() for state in State)
        raise UsageError(f"there is no state {word!r}; the states are {names}") from None


async def _found(
    client: AsyncClient, args: argparse.Namespace, states: list[State]
) -> tuple[list[JobRecord], int]:
    """Ask for more of the newest jobs until enough of them fit."""
    now_ms = await client.now_ms()
    fits = _filter(args, now_ms)
    limit = args.n
    while True:
        records = await client.jobs.list_jobs(states or tuple(State), queue=args.queue or "", limit=limit)
        found = [record for record in records if fits(record)]
        if len(found) >= args.n or len(records) < limit or _is_past(args, records[-1], now_ms):
            return found[: args.n], now_ms
        limit *= 8


def _is_past(args: argparse.Namespace, record: JobRecord, now_ms: int) -> bool:
    return bool(args.since) and record.submitted_ms < now_ms - parse_duration_ms(args.since, "--since")


def _filter(args: argparse.Namespace, now_ms: int) -> Callable[[JobRecord], bool]:
    """What the hub cannot tell, because it stands in the signed spec."""
    from relayq.client.glance import glance, title_of

    name, equals, value = (args.label or "").partition("=")

    def fits(record: JobRecord) -> bool:
        if _is_past(args, record, now_ms):
            return False
        if args.worker and record.worker != args.worker:
            return False
        if not args.name and not args.label:
            return True
        spec = glance(record.envelope)
        labels = dict(spec.labels) if spec else {}
        if args.label and (name not in labels or (equals and labels[name] != value)):
            return False
        return not args.name or args.name in title_of(spec)

    return fits
