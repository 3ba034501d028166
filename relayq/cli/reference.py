"""Write docs/reference/cli.md from the parsers: `python -m relayq.cli.reference > docs/reference/cli.md`.

argparse's own help is laid out differently by each version of Python, so the page is
drawn from its actions. A test holds the page against this module.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from relayq.cli.commands import GROUPS, Command
from relayq.cli.options import JOB_PREFIX, add_job_options
from relayq.cli.parser import parser_of

TOP = """\
# The command line

This page is generated: `python -m relayq.cli.reference > docs/reference/cli.md`.

Every command takes `--url URL` and `--fleet NAME`, which name the hub and the fleet;
both may also stand before the command. An `ID` is a job's id or its last four or more
characters, with `:INDEX` behind it for one element of an array. A `TIME` is written
`90s`, `15m`, `2h`, `3d`, a `SIZE` `512M`, `2G`.

| exit code | meaning |
|---|---|
| the job's own | `run`, and `wait` on one job |
| 0 | done, also where there was nothing to do |
| 1 | a job was cancelled, skipped or expired, or one of several failed; or something was left as it was |
| 1 | `doctor`, `policy check`, `budget check` and `plan`: no; `gh dispatch --watch`: the run failed |
| 2 | the command line or a job spec makes no sense, or names what is not there, or is there already |
| 124 | a timeout: the job's own, or that of `wait` |
| 125 | RelayQ itself failed: hub unreachable, refused, bad configuration |
| 130 | interrupted by Ctrl-C; the job goes on |
"""

UNIQUE = """
### One such job at a time

With `--unique KEY,HOW` a second job with the same key is not made while the first is in the way:
its id is printed, and stderr says that it is there already. The exit code is 0 either way.

| `HOW` | the first job is in the way |
|---|---|
| `until_done` | until it has ended (the default) |
| `queued` | until it starts: one may run and another wait |
| `replace` | while it runs; one that still waits is cancelled, and the new one takes its place |
| `1h`, any `TIME` | for that long after it was submitted, whether it has ended or not |

A comma in the key itself is fine, as long as `HOW` is said behind it."""

# Said once at the top of the page.
COMMON = ("--help", "--url", "--fleet")


def main() -> None:
    """Print the page."""
    print(page(), end="")


def page() -> str:
    """The whole page."""
    parts = [TOP]
    for title, commands in GROUPS:
        parts.append(f"\n## {title}\n")
        parts += ["\n".join(_section(command)) + "\n" for command in commands]
    parts.append("\n".join(_job_options()) + "\n")
    return "".join(parts)


def _section(command: Command) -> Iterator[str]:
    parser, _ = parser_of(command)
    actions = [action for action in parser._actions if not set(COMMON) & set(action.option_strings)]
    words = [_usage(action) for action in actions if not action.option_strings]
    options = ["[OPTIONS]"] if any(action.option_strings for action in actions) else []
    yield f"\n### relayq {command.name}\n"
    yield f"`{' '.join([parser.prog, *options, *filter(None, words)])}`\n"
    yield str(parser.description)
    described = [action for action in actions if not action.dest.startswith(JOB_PREFIX)]
    if len(described) < len(actions):
        yield "\nIt takes the [options of a job](#options-of-a-job)."
    yield from _table(described)


def _job_options() -> Iterator[str]:
    parser = argparse.ArgumentParser()
    add_job_options(parser)
    yield "\n## Options of a job\n"
    yield "For `run`, `submit`, `clone` and `schedule`, where `--at` names a date to fire at and may stand"
    yield "several times. Each fills a field of the job ([spec.md](spec.md))."
    yield from _table([action for action in parser._actions if action.dest.startswith(JOB_PREFIX)])
    yield UNIQUE


def _table(actions: list[argparse.Action]) -> Iterator[str]:
    if actions:
        yield "\n| | |\n|---|---|"
        yield from (f"| {_names(action)} | {_cell(action.help or '')} |" for action in actions)


def _usage(action: argparse.Action) -> str:
    name = _value(action)
    match action.nargs:
        case "?":
            return f"[{name}]"
        case "*":
            return f"{name}..."
        case "+":
            return f"{name}..."
    return name


def _names(action: argparse.Action) -> str:
    if not action.option_strings:
        return _cell(f"`{_value(action)}`")
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return _cell(", ".join(f"`{name}{value}`" for name in action.option_strings))


def _value(action: argparse.Action) -> str:
    if action.choices:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest)


def _cell(text: str) -> str:
    return text.replace("%%", "%").replace("|", "\\|")


if __name__ == "__main__":
    main()
