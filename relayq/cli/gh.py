"""`relayq gh dispatch | runs | cancel`: GitHub's workflows from here."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.output import print_json, print_lines, print_table, say, waiting
from relayq.cli.parser import add_json
from relayq.errors import UsageError

if TYPE_CHECKING:
    from relayq.config import Config
    from relayq.github.actions import Run
    from relayq.github.api import GitHub

T = TypeVar("T")
LOOK_S = 5.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("dispatch", "runs", "cancel"), help="what to do")
    parser.add_argument(
        "what",
        nargs="?",
        metavar="WHAT",
        help="the workflow's file of `dispatch` (and of `runs`: else all), the run's number of `cancel`",
    )
    parser.add_argument(
        "--repo",
        metavar="OWNER/NAME",
        help="the repository (default: that of this directory, or github.repos)",
    )
    parser.add_argument(
        "--ref", metavar="REF", help="dispatch: the branch or tag (default: the default branch)"
    )
    parser.add_argument(
        "-f",
        "--field",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="dispatch: an input of the workflow",
    )
    parser.add_argument("--watch", action="store_true", help="dispatch: wait for its end; 1 if it fails")
    parser.add_argument("-n", type=int, default=20, metavar="N", help="runs: how many (default: 20)")
    add_json(parser, "JSON")


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    if args.action != "runs" and not args.what:
        raise UsageError(
            "name the workflow's file"
            if args.action == "dispatch"
            else "name the run's number: `relayq gh runs`"
        )
    match args.action:
        case "dispatch":
            return _with_github(args, lambda github, repo: _dispatch(github, repo, args))
        case "cancel":
            return _with_github(args, lambda github, repo: _cancel(github, repo, args))
    return _with_github(args, lambda github, repo: _runs(github, repo, args))


def _with_github(args: argparse.Namespace, work: Callable[[GitHub, str], Awaitable[T]]) -> T:
    from relayq.config import load
    from relayq.github.opening import open_github

    config = load({"hub.url": args.url, "hub.fleet": args.fleet})
    repo = _repo(args.repo, config)

    async def session() -> T:
        async with open_github(config, os.environ) as github:
            return await work(github, repo)

    return asyncio.run(session())


def _repo(named: str | None, config: Config) -> str:
    from relayq.github.repos import check_repo
    from relayq.workflows import origin_of

    if named:
        return check_repo(named)
    if found := origin_of(Path.cwd()):
        return check_repo(found)
    known = config.values["github.repos"]
    if isinstance(known, tuple) and len(known) == 1:
        return check_repo(str(known[0]))
    raise UsageError("this is no clone of a GitHub repository: name one with --repo OWNER/NAME")


async def _dispatch(github: GitHub, repo: str, args: argparse.Namespace) -> int:
    from relayq.github.actions import check_inputs, check_workflow, dispatch
    from relayq.github.repos import repo as about

    inputs = dict(_field(text) for text in args.field)
    check_inputs(inputs)
    check_workflow(args.what)
    ref = args.ref or (await about(github, repo)).branch
    run = await dispatch(github, repo, args.what, ref, inputs)
    if run is None:
        if args.watch:
            raise UsageError(f"{args.what} was started, but this server tells no run: see `relayq gh runs`")
        print_lines([f"{args.what} was started on {ref}; this server tells no run: see `relayq gh runs`"])
        return OK
    if args.watch:
        say(f"run {run} of {args.what} was started on {ref}")
        return _ended(await _watched(github, repo, run), args)
    if args.json:
        print_json({"run": run, "repo": repo, "workflow": args.what, "ref": ref})
    else:
        print_lines([f"run {run} of {args.what} was started on {ref}"])
    return OK


def _field(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{text!r} is not NAME=VALUE")
    return name, value


async def _watched(github: GitHub, repo: str, number: int) -> Run:
    from relayq.github.actions import run_of

    with waiting(f"run {number}") as tell:
        while True:
            found = await run_of(github, repo, number)
            if found.has_ended:
                return found
            tell(f"run {number}: {found.status}")
            await asyncio.sleep(LOOK_S)


def _ended(found: Run, args: argparse.Namespace) -> int:
    if args.json:
        print_json(found._asdict())
    else:
        print_lines([f"run {found.id} ended: {found.conclusion or 'unknown'}"])
    return OK if found.conclusion == "success" else FAILED


async def _runs(github: GitHub, repo: str, args: argparse.Namespace) -> int:
    from relayq.github.actions import runs

    if not 1 <= args.n <= 100:
        raise UsageError(f"-n {args.n} is out of range: 1 to 100")
    found = await runs(github, repo, args.what or "", args.n)
    if args.json:
        for one in found:
            print_json(one._asdict())
        return OK
    print_table(
        ("RUN", "WORKFLOW", "STATUS", "EVENT", "BRANCH", "TRY", "CREATED", "TITLE"),
        [
            [str(one.id), one.workflow, one.conclusion or one.status, one.event, one.branch, str(one.attempt),
             one.created, one.title[:50]]
            for one in found
        ],
    )  # fmt: skip
    return OK


async def _cancel(github: GitHub, repo: str, args: argparse.Namespace) -> int:
    from relayq.github.actions import cancel

    if not args.what.isdecimal():
        raise UsageError(f"{args.what!r} is not the number of a run: see `relayq gh runs`")
    if await cancel(github, repo, int(args.what)):
        print_lines([f"run {args.what} is asked to end"])
        return OK
    print_lines([f"run {args.what} has ended already"])
    return FAILED
