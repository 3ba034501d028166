"""`relayq schedule add | list | show | next | run | fire | pause | resume | edit | remove`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relayq.cli.exit_codes import OK, USAGE
from relayq.cli.options import add_job_options, command_of, fields_of
from relayq.cli.output import print_facts, print_json, print_lines, print_table, say
from relayq.cli.parser import add_json
from relayq.cli.session import with_client
from relayq.errors import UsageError

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.model.cronruns import CronRuns
    from relayq.model.schedule import Schedule
    from relayq.store.schedules import Board

NEXT = 5
# Option, what to show for its value, help; each is a field of the schedule.
RULE_OPTIONS = (
    ("--cron", "RULE", "fire by a cron rule: '30 2 * * *' (minute hour day month weekday)"),
    ("--zone", "ZONE", "whose clock the cron rule and dates mean: Europe/Berlin (default: this machine's)"),
    ("--every", "TIME", "fire at this interval: 30s, 15m, 6h"),
)
POLICY_OPTIONS = (
    ("--start", "TIME", "no firing before this; an interval counts from it"),
    ("--end", "TIME", "no firing after this; none takes it away again"),
    ("--jitter", "TIME", "fire up to this much later, by chance"),
    ("--misfire", "HOW", "missed slots: once (the last, default), skip, all or all:N (the last N)"),
    ("--late", "TIME", "with --misfire skip: how late is not too late (default: 1m)"),
    ("--overlap", "HOW", "when the job before still lives: skip (default), allow, queue or cancel it"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=tuple(_ACTIONS), help="what to do")
    parser.add_argument("names", nargs="*", metavar="NAME", help="the schedule")
    when = parser.add_argument_group("when")
    for flag, metavar, words in (*RULE_OPTIONS, *POLICY_OPTIONS):
        when.add_argument(flag, metavar=metavar, help=words)
    twin = parser.add_argument_group("a twin on GitHub")
    twin.add_argument(
        "--github", action="store_true", help="write a workflow that fires it too, in this repository"
    )
    twin.add_argument("--no-github", action="store_true", help="forget the twin (edit)")
    twin.add_argument("--uses", metavar="ACTION", help="the submit action: OWNER/REPO/PATH@SHA, or ./PATH")
    parser.add_argument("-n", "--count", type=int, default=NEXT, metavar="N", help=f"how many (next; {NEXT})")
    parser.add_argument("--by", metavar="WHO", default="fire", help="who fires it, for the history (fire)")
    add_json(parser)
    add_job_options(parser)


def run(args: argparse.Namespace) -> int:
    """Do what was asked."""
    action, most, options = _ACTIONS[args.action]
    if len(args.names) > most or (not args.names and args.action not in ("list", "next")):
        raise UsageError(f"`relayq schedule {args.action}` takes {_counted(most)}")
    _refuse_strays(args, options)
    return action(args)


def _counted(most: int) -> str:
    return {0: "no name", 1: "the name of one schedule"}.get(most, "the names of schedules")


def _refuse_strays(args: argparse.Namespace, options: Sequence[str]) -> None:
    """An option that this action has no use for was meant for something."""
    flags = [flag for flag, _, _ in (*RULE_OPTIONS, *POLICY_OPTIONS)] + ["--github", "--no-github", "--uses"]
    given = [flag for flag in flags if getattr(args, flag[2:].replace("-", "_"))]
    if "job" not in options:
        given += [f"--{field.replace('_', '-')}" for field in fields_of(args)]
        given += ["-- COMMAND"] if args.command_line else []
    if stray := next((flag for flag in given if flag not in options and "job" not in options), None):
        raise UsageError(f"`relayq schedule {args.action}` has no use for {stray}")


# -- reading


def _list(args: argparse.Namespace) -> int:
    from relayq.cli import scheduleviews as views
    from relayq.store.schedules import KEPT

    history = KEPT if args.json else 0
    found = views.workflow_crons(Path.cwd())

    async def look(client: AsyncClient) -> tuple[Board, dict[str, CronRuns]]:
        from relayq.cli.cronruns import cron_runs

        board = await client.schedules.board(history=history)
        return board, await cron_runs(client, found) if views.githubs(board, found) else {}

    board, runs = with_client(args, look)
    for problem in found.problems:
        say(problem)
    if args.json:
        for item in views.as_json(board, found, runs):
            print_json(item)
        return OK
    rows = list(views.rows(board, found, runs))
    if rows:
        print_table(views.HEADERS, rows)
    else:
        say("there is no schedule yet: relayq schedule add NAME --cron '30 2 * * *' -- COMMAND")
    _warn_when_nobody_fires(board)
    return OK


def _show(args: argparse.Namespace) -> int:
    from relayq.cli import scheduleviews as views
    from relayq.client.schedules import find

    async def look(client: AsyncClient) -> Any:
        return await find(client, args.names[0]), await client.now_ms()

    record, now_ms = with_client(args, look)
    if args.json:
        print_json(views.schedule_json(record, now_ms))
        return OK
    print_facts(views.facts(record, now_ms))
    if record.history:
        print_table(views.HISTORY_HEADERS, views.history(record))
    return OK


def _next(args: argparse.Namespace) -> int:
    """The next firings, of a schedule in the hub or of a rule that is only being thought of."""
    from relayq.cli import scheduleviews as views

    if not 1 <= args.count <= 1000:
        raise UsageError(f"{args.count} firings cannot be shown: 1 to 1000")
    schedule, now_ms = _thought_of(args) if not args.names else with_client(args, _named(args.names[0]))
    firings = views.firings(schedule, now_ms, args.count)
    if args.json:
        for firing in firings:
            print_json(firing)
    else:
        print_lines(views.firing_lines(schedule, now_ms, args.count))
    return OK


def _thought_of(args: argparse.Namespace) -> tuple[Schedule, int]:
    import time

    from relayq.cli.schedulewords import rule_of
    from relayq.model.job import JobSpec
    from relayq.model.schedule import Schedule

    rule = rule_of(args)
    if rule is None:
        raise UsageError(
            "`relayq schedule next` takes the name of a schedule, or a rule: --cron '30 2 * * *'"
        )
    return Schedule(name="thought", rule=rule, spec=JobSpec(command="true")), int(time.time() * 1000)


def _named(name: str) -> Callable[[AsyncClient], Any]:
    async def look(client: AsyncClient) -> tuple[Schedule, int]:
        from relayq.client.schedules import find, verified

        return verified(await find(client, name)), await client.now_ms()

    return look


# -- changing


def _add(args: argparse.Namespace) -> int:
    from relayq.cli import scheduleviews as views
    from relayq.cli.schedulewords import policy_of, rule_of
    from relayq.client.schedules import add
    from relayq.model.job import JobSpec
    from relayq.model.schedule import Schedule

    rule = rule_of(args)
    if not args.command_line:
        raise UsageError("say what: relayq schedule add NAME --every 1h -- COMMAND")
    if rule is None:
        raise UsageError("say when: --cron '30 2 * * *', --every 15m or --at 2027-01-31T18:00")
    fields = {name: value for name, value in fields_of(args).items() if name != "at"}
    spec = JobSpec.from_dict({"command": command_of(args), **fields})
    schedule = _twinned(args, Schedule(name=args.names[0], rule=rule, spec=spec, **policy_of(args)))

    async def keep(client: AsyncClient) -> tuple[Board, int]:
        now_ms = await client.now_ms()
        if schedule.next_due_ms(now_ms) is None:
            raise UsageError(f"schedule '{schedule.name}' would never fire: its last time has passed")
        await add(client, schedule)
        return await client.schedules.board(), now_ms

    board, now_ms = with_client(args, keep)
    print_lines([f"schedule {schedule.name} is kept: {views.next_words(schedule, now_ms)}"])
    _write_twin(args, schedule)
    _warn_when_nobody_fires(board)
    return OK


def _edit(args: argparse.Namespace) -> int:
    from relayq.cli import scheduleviews as views
    from relayq.cli.schedulewords import changed
    from relayq.client.schedules import change, find, verified

    async def work(client: AsyncClient) -> tuple[Schedule, int]:
        record = await find(client, args.names[0])
        schedule = _twinned(args, changed(args, verified(record)))
        await change(client, record, schedule)
        return schedule, await client.now_ms()

    schedule, now_ms = with_client(args, work)
    print_lines([f"schedule {schedule.name} is changed: {views.next_words(schedule, now_ms)}"])
    _write_twin(args, schedule)
    return OK


def _twinned(args: argparse.Namespace, schedule: Schedule) -> Schedule:
    """The schedule with the cron line of its twin, where it has one or shall have one."""
    from relayq.workflows import check_action, repository_of, twin_cron

    if args.no_github:
        return replace(schedule, github="")
    if (args.github or args.uses) and (repository := repository_of(Path.cwd())):
        check_action(repository, schedule.name, args.uses)
    return replace(schedule, github=twin_cron(schedule)) if args.github or schedule.github else schedule


def _write_twin(args: argparse.Namespace, schedule: Schedule) -> None:
    """Write the workflow where it was asked for, or where there is one that is now out of date."""
    from relayq.workflows import check_action, repository_of, twin_path, write_twin

    repository, name = repository_of(Path.cwd()), schedule.name
    old = twin_path(repository, name) if repository else None
    is_here = old is not None and old.exists()
    if args.no_github and is_here:
        say(f"its twin is no longer wanted: git rm {old}")
    if not schedule.github:
        return
    if repository and (args.github or is_here):
        path = write_twin(repository, schedule, check_action(repository, name, args.uses))
        say(f"wrote {path.relative_to(repository)}: commit and push it")
        say("its secret RELAYQ_JOIN is the string of `relayq hub invite submit NAME`")
    else:
        say(f"its twin is still to be written: in its git repository, `relayq schedule edit {name} --github`")


def _run_now(args: argparse.Namespace) -> int:
    from relayq.client.schedules import run_now

    print(with_client(args, lambda client: run_now(client, args.names[0])))
    return OK


def _fire(args: argparse.Namespace) -> int:
    """What a twin elsewhere does: fire the latest slot unless that has been done."""
    from relayq.client.schedules import fire_latest
    from relayq.model.duration import spell_moment

    slot = with_client(args, lambda client: fire_latest(client, args.names[0], args.by[:64]))
    if slot is None:
        say("no slot has come yet")
    elif args.json:
        print_json({"slot": spell_moment(slot.slot_ms), "word": slot.word, "job": slot.job})
    else:
        said = {
            "new": f"is fired: job {slot.job}",
            "before": "has been decided before",
            "overlap": f"is passed over: job {slot.job} still lives",
        }
        print_lines([f"slot {spell_moment(slot.slot_ms)} {said.get(slot.word, slot.word)}"])
    return OK


def _steer(args: argparse.Namespace) -> int:
    """Pause, resume or remove; 2 when one of them is not there."""
    from relayq.client.schedules import unknown

    async def work(client: AsyncClient) -> list[str]:
        order = getattr(client.schedules, args.action)
        return [await order(name) for name in args.names]

    words = with_client(args, work)
    said = {
        "paused": "is paused",
        "was-paused": "was paused already",
        "resumed": "fires again, from its next slot on",
        "not-paused": "was not paused",
        "removed": "is removed; jobs it has made go on",
    }
    for name, word in zip(args.names, words, strict=True):
        if word == "unknown":
            say(str(unknown(name)))
        else:
            print_lines([f"schedule {name} {said[word]}"])
    return USAGE if "unknown" in words else OK


def _warn_when_nobody_fires(board: Board) -> None:
    if board.schedules and not board.schedulers:
        say("no scheduler runs, so nothing fires: start `relayq scheduler`, or a worker with --scheduler")


_RULE = tuple(flag for flag, _, _ in RULE_OPTIONS)
# Action -> what does it, how many names it takes, the options it has a use for.
_ACTIONS: dict[str, tuple[Callable[[argparse.Namespace], int], int, Sequence[str]]] = {
    "add": (_add, 1, ("job",)),
    "list": (_list, 0, ()),
    "show": (_show, 1, ()),
    "next": (_next, 1, (*_RULE, "--at")),
    "run": (_run_now, 1, ()),
    "fire": (_fire, 1, ()),
    "pause": (_steer, 100, ()),
    "resume": (_steer, 100, ()),
    "edit": (_edit, 1, ("job",)),
    "remove": (_steer, 100, ()),
}
