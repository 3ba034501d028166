"""`relayq wait`: wait until jobs have ended."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.output import print_json, print_lines, waiting
from relayq.cli.parser import add_json
from relayq.cli.session import with_client
from relayq.errors import WaitTimeout
from relayq.model.duration import parse_duration_ms, spell_duration
from relayq.model.lifecycle import State

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.client.result import Result


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "ids", nargs="+", metavar="ID", help="jobs, or the last four or more characters of their ids"
    )
    parser.add_argument(
        "--timeout", metavar="TIME", help="give up after this (exit code 124); the jobs go on"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Wait for all; the job's own code for one job, 1 when one of several failed."""
    from relayq.cli.outcome import exit_code_of

    results = with_client(args, lambda client: _wait_all(client, args))
    for result in results:
        if args.json:
            print_json(
                {
                    "id": result.id,
                    "state": result.state.value,
                    "exit_code": result.exit_code,
                    "reason": result.reason,
                }
            )
        else:
            is_own = result.exit_code is not None and result.state is not State.CANCELLED
            code = f"  exit code {result.exit_code}" if is_own else ""
            print_lines([f"{result.id}  {result.state.value}{code}"])
    if len(results) == 1:
        return exit_code_of(results[0].state, results[0].exit_code, results[0].reason)
    return OK if all(result.state == State.SUCCEEDED for result in results) else FAILED


async def _wait_all(client: AsyncClient, args: argparse.Namespace) -> list[Result]:
    """One after the other: those that ended meanwhile cost a round trip each."""
    limit_ms = parse_duration_ms(args.timeout, "--timeout") if args.timeout else None
    jobs = [await client.job(text) for text in args.ids]
    until_s = time.monotonic() + (limit_ms or 0) / 1000
    results: list[Result] = []
    try:
        with waiting(f"waiting for {len(jobs)} jobs") as tell:
            for job in jobs:
                left_s = None if limit_ms is None else max(0.0, until_s - time.monotonic())
                results.append(await job.result(left_s))
                tell(f"{len(results)} of {len(jobs)} jobs have ended")
    except WaitTimeout as error:
        late = jobs[len(results)].id
        raise WaitTimeout(
            f"job {late} has not ended after {spell_duration(limit_ms or 0)}; it goes on"
        ) from error
    return results
