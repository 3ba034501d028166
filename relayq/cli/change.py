"""`relayq cancel | retry | hold | release | forget`: change where jobs stand, id by id."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import FAILED, OK, USAGE
from relayq.cli.output import print_json, print_lines
from relayq.cli.session import with_client

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient

# What the hub answers -> what a person reads. An answer that is not here changed nothing.
DONE = {
    "cancelled": "cancelled",
    "asked": "its worker is told to end it",
    "pushed": "asked: the next worker that looks into your inbox sees to it",
    "retried": "runs again",
    "held": "held",
    "released": "released",
    "forgotten": "forgotten, with its output",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "ids", nargs="+", metavar="ID", help="jobs, or the last four or more characters of their ids"
    )
    if parser.get_default("command") == "cancel":
        parser.add_argument("--why", default="", metavar="TEXT", help="the reason, kept with the job")
        parser.add_argument("--kill", action="store_true", help="leave running jobs no time to end")
    parser.add_argument("--json", action="store_true", help="print one JSON object a job")


def run(args: argparse.Namespace) -> int:
    """Change every job that was named; 1 when one of them was not changed, 2 when it is not there."""
    answers = with_client(args, lambda client: _change_all(client, args))
    for job, answer in answers:
        if args.json:
            print_json({"id": job, "answer": answer})
        else:
            print_lines([f"{job}  {DONE.get(answer) or refusal(answer)}"])
    return code_of([answer for _, answer in answers])


def code_of(answers: Sequence[str]) -> int:
    """The exit code for what the hub answered."""
    if "unknown" in answers:
        return USAGE
    return OK if all(answer in DONE for answer in answers) else FAILED


async def _change_all(client: AsyncClient, args: argparse.Namespace) -> list[tuple[str, str]]:
    jobs = [(await client.job(text)).id for text in args.ids]
    return [(job, await _change(client, args, job)) for job in jobs]


async def _forget(client: AsyncClient, job: str) -> str:
    if ":" in job:
        return "with-array"
    [word] = await client.bulk.steer("forget", [job])
    return word


async def ask(client: AsyncClient, word: str, job: str) -> str:
    """A submit-only user's way: through its inbox, so what becomes of it is not known yet."""
    await asyncio.to_thread(client.submitter.push_order, word, job)
    return "pushed"


def _change(client: AsyncClient, args: argparse.Namespace, job: str) -> Awaitable[str]:
    match args.command:
        case "forget":
            return _forget(client, job)
        case "cancel" | "hold" | "release" if client.submitter.is_narrow:
            return ask(client, args.command, job)
        case "cancel":
            return client.jobs.cancel(job, who="from the command line", why=args.why, kill=args.kill)
        case "retry":
            return client.retry(job)
        case "hold":
            return client.jobs.hold(job)
    return client.jobs.release(job)


def refusal(answer: str) -> str:
    """Why the hub left a job as it was."""
    word, _, detail = answer.partition(":")
    if word == "unknown":
        return "is not in the hub"
    why = {
        "ended": f"it has ended ({detail})",
        "running": "it runs already",
        "not-held": "it is not held",
        "not-ended": "it has not ended",
        "changed": "it is another one than was shown; look at it again",
        "unique": f"job {detail} has its unique key",
        "lanes": "nothing else needs what it needs, and the hub has 512 sets of needs already",
        "with-array": "an element is forgotten with its array",
        "element": "retry its array, of which only what did not succeed runs again",
    }
    return f"left as it is: {why.get(word, answer)}"
