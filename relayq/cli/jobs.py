"""`relayq jobs`: list jobs, newest first, or those that a query finds in the order it asks for.

The options are short forms of the query's words. The hub is asked for what the query's
plan allows, in ever larger portions, until enough of it fits.
"""

from __future__ import annotations

import argparse
import sys
from itertools import groupby
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_table, say
from relayq.cli.parser import add_json
from relayq.cli.session import with_client
from relayq.errors import NotFound, UsageError
from relayq.model.duration import parse_duration_ms
from relayq.model.lifecycle import State
from relayq.query import Query, QueryError, parse, quote
from relayq.text import safe

if TYPE_CHECKING:
    from relayq.cli.asked import AskedJob
    from relayq.client.aio import AsyncClient

SCAN_FIRST = 512


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "query",
        nargs="?",
        default="",
        metavar="QUERY",
        help="a query: 'state:failed queue:gpu dur:>5m sort:-dur'",
    )
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
    if args.n < 1:
        raise UsageError(f"-n {args.n} shows nothing: write 1 or more")
    query = _parsed(args.query).also(parse(_spelled(args)))
    found, now_ms = with_client(args, lambda client: _found(client, query, args.n))
    if args.json:
        _print_objects(found)
    elif found:
        _print_groups(query, found, now_ms)
    else:
        say(f"no such jobs; {_advice(query)}")
    return OK


def _advice(query: Query) -> str:
    """What to do when nothing was found. How elements of arrays ended stands in no index."""
    if "exit:" in query.text:
        return "elements of arrays that have ended are not searched: `relayq show ID` lists those that failed"
    return "submit one with `relayq run -- COMMAND`"


def _parsed(text: str) -> Query:
    """The query; when it makes no sense, point to the place before the error is told."""
    try:
        return parse(text)
    except QueryError as error:
        for line in error.pointed.splitlines():
            print(f"  {safe(line)}", file=sys.stderr)
        raise


def _spelled(args: argparse.Namespace) -> str:
    """The options as a query."""
    words = [f"state:{','.join(map(quote, args.state))}"] if args.state else []
    words += [f"queue:{quote(args.queue)}"] if args.queue else []
    words += [f"worker:{quote(args.worker)}"] if args.worker else []
    words += [f"name:{quote(args.name)}"] if args.name else []
    words += [f"tag:{quote(args.label)}"] if args.label else []
    words += [f"age:<={parse_duration_ms(args.since, '--since')}ms"] if args.since else []
    return " ".join(words)


async def _found(client: AsyncClient, query: Query, most: int) -> tuple[list[AskedJob], int]:
    """The first `most` jobs in the order of the query, and the hub's time."""
    now_ms = await client.now_ms()
    found = await _listed(client, query, most, now_ms)
    if query.plan.element and (element := await _element(client, query.plan.element)):
        others = [job for job in found if job.id != element.id]
        found = query.ordered([*query.select([element], now_ms), *others], now_ms)[:most]
    return found, now_ms


async def _element(client: AsyncClient, text: str) -> AskedJob | None:
    """An element that is named; those that have ended, or wait, stand in no index."""
    from relayq.cli.asked import AskedJob

    try:
        record = await client.jobs.record((await client.job(text)).id)
    except (NotFound, UsageError):
        return None
    return AskedJob(record) if record else None


async def _listed(client: AsyncClient, query: Query, most: int, now_ms: int) -> list[AskedJob]:
    from relayq.cli.asked import AskedJob

    states = tuple(query.plan.states if query.plan.states is not None else State)
    limit = most if most > 0 and not query.sort else SCAN_FIRST
    while states:
        records = await client.jobs.list_jobs(states, queue=query.plan.queue, limit=limit)
        found = query.select(map(AskedJob, records), now_ms)
        is_whole = len(records) < limit or records[-1].submitted_ms < query.plan.since_ms(now_ms)
        if is_whole or (len(found) >= most and not query.sort):
            return query.ordered(found, now_ms)[:most]
        limit *= 8
    return []


def _print_objects(found: list[AskedJob]) -> None:
    from relayq.cli.views import job_json

    for job in found:
        print_json(job_json(job.record))


def _print_groups(query: Query, found: list[AskedJob], now_ms: int) -> None:
    """One table, or one for each group under its name."""
    from relayq.cli.views import JOB_HEADERS, job_row

    found = sorted(found, key=lambda job: query.group_of(job, now_ms))
    for name, group in groupby(found, key=lambda job: query.group_of(job, now_ms)):
        if query.group:
            print(f"{query.group} {safe(name) or '-'}")
        print_table(JOB_HEADERS, [job_row(job.record, now_ms) for job in group])
