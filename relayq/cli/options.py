"""The options that describe a job: one table from which parser, spec and help are made.

Each option fills one field of the JSON spec, whose strict reader (`JobSpec.from_dict`)
judges the values; here they are only put into its shapes.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from relayq.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

# Where argparse keeps what was typed for a job, so that `--name` and the like never clash with ours.
JOB_PREFIX = "job_"


class JobOption(NamedTuple):
    """One option: flag, field of the spec, what to show for its value, help, and how values become JSON.

    `read` takes all values that were given; without it, the last one is the field.
    """

    flag: str
    field: str
    metavar: str
    help: str
    read: Callable[[list[str]], Any] | None = None


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a job spec to `parser`."""
    group = parser.add_argument_group("the job")
    for option in JOB_OPTIONS:
        group.add_argument(
            option.flag, dest=_dest(option), action="append", metavar=option.metavar, help=option.help
        )
    group.add_argument(
        "--sequential",
        dest=f"{JOB_PREFIX}sequential",
        action="store_true",
        help="run the array's elements one after the other",
    )


def fields_of(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of a JSON spec that were typed."""
    fields: dict[str, Any] = {}
    for option in JOB_OPTIONS:
        values = getattr(args, _dest(option))
        if values is None:
            continue
        try:
            value = option.read(values) if option.read else values[-1]
        except UsageError as error:
            raise UsageError(f"{option.flag}: {error}") from error
        fields[option.field] = {**fields.get(option.field, {}), **value} if isinstance(value, dict) else value
    if args.job_sequential:
        fields["array"] = _sequential(fields.get("array"))
    return fields


def command_of(args: argparse.Namespace) -> str | list[str]:
    """What stands after `--`: one argument is a shell line, several are argv."""
    words: list[str] | None = args.command_line
    if not words:
        raise UsageError(f"no command was given; write `relayq {args.command} [OPTIONS] -- COMMAND...`")
    return words[0] if len(words) == 1 else words


def input_files(args: argparse.Namespace) -> list[str]:
    """The files that must be in the hub before the job."""
    return getattr(args, f"{JOB_PREFIX}in") or []


def _dest(option: JobOption) -> str:
    return JOB_PREFIX + option.flag[2:].replace("-", "_")


def _whole(values: list[str]) -> int | str:
    """A number; what is none the spec's reader refuses, and names the field."""
    text = values[-1].strip()
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text


def _words(values: list[str]) -> list[str]:
    """The words of lists with commas; an empty list is an empty text, not commas between nothing."""
    words = [word.strip() for value in values for word in value.split(",") if word.strip()]
    if not words and any(value.strip() for value in values):
        raise UsageError(f"{values[-1]!r} names nothing: write words with commas between them")
    return words


def _pairs(values: list[str]) -> dict[str, str]:
    return dict(_pair(value) for value in values)


def _counts(values: list[str]) -> dict[str, int | str]:
    return {name: _whole([count]) for name, count in map(_pair, values)}


def _pair(value: str) -> tuple[str, str]:
    name, equals, text = value.partition("=")
    if not equals or not name:
        raise UsageError(f"{value!r} is not NAME=VALUE")
    return name, text


def _env_files(values: list[str]) -> dict[str, str]:
    """Lines NAME=VALUE; empty lines and lines that begin with # are skipped."""
    lines = (line.strip() for path in values for line in _lines(read_text(path)))
    return dict(_pair(line) for line in lines if line and not line.startswith("#"))


def _array(values: list[str]) -> int | str | list[str]:
    """A number of elements, a range, or the lines of @file."""
    text = values[-1]
    if not text.startswith("@"):
        return _whole(values)
    if lines := _lines(read_text(text[1:])):
        return lines
    raise UsageError(f"{text[1:]} has no line: an array has at least one element")


def _lines(text: str) -> list[str]:
    """What stands between line feeds, as `wc -l` counts: other separators are part of a name or value."""
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []


def _sequential(array: Any) -> dict[str, Any]:
    from relayq.model.parts import ArraySpec

    if array is None:
        raise UsageError("--sequential needs --array")
    spec = ArraySpec.from_json(array)
    return {"size": spec.size, "start": spec.start, "values": list(spec.values), "sequential": True}


def _file_text(values: list[str]) -> str:
    return read_text(values[-1])


def _moment(values: list[str]) -> str:
    """A time with its zone; without one it is local time, and without a date the next such time."""
    from datetime import datetime

    return moment(values[-1], datetime.now())


def moment(text: str, now: datetime) -> str:
    """What a time that was typed means `now`, by the clock on the wall here, as ISO 8601 with its zone."""
    from datetime import datetime, time, timedelta

    try:
        if "T" in text or "-" in text:
            return datetime.fromisoformat(text).astimezone().isoformat()
        wall = datetime.combine(now.date(), time.fromisoformat(text))
    except ValueError:
        raise UsageError(f"{text!r} is not a time: write 2027-01-31T18:00 or 18:00") from None
    # The day is added before the zone is: tomorrow's clock may be another one.
    if wall.astimezone() < now.astimezone():
        wall += timedelta(days=1)
    return wall.astimezone().isoformat()


def _inputs(values: list[str]) -> list[dict[str, Any]]:
    """What the spec says of the files; `input_files` names them for the upload."""
    from relayq.client.files import items_of

    return items_of(values)


def _as_list(values: list[str]) -> list[str]:
    return values


def _unique(values: list[str]) -> str | dict[str, str]:
    from relayq.model.parts import unique_words

    return unique_words(values[-1])


def _directory(values: list[str]) -> str:
    """A directory as the person who types it means it: `.` is where they stand."""
    from pathlib import Path

    try:
        return str(Path(values[-1]).expanduser().absolute())
    except RuntimeError:
        raise UsageError(f"{values[-1]} names the home of a user that this machine does not have") from None
    except FileNotFoundError:
        raise UsageError(
            "the directory you stand in is gone: go to another one, or write --cwd /DIR"
        ) from None


def read_text(path: str) -> str:
    """The text of a file the person named, `-` for stdin."""
    from pathlib import Path

    try:
        return (
            sys.stdin.read()
            if path == "-"
            else Path(path).read_text(encoding="utf-8", errors="surrogateescape")
        )
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


JOB_OPTIONS: Sequence[JobOption] = (
    JobOption("--name", "name", "NAME", "what to call the job"),
    JobOption("--queue", "queue", "NAME", "the queue to stand in (default: default)"),
    JobOption("--type", "type", "TYPE", "the job type that runs it (default: shell)"),
    JobOption(
        "--needs", "needs", "LIST", "what the worker must have: mac,tool:ffmpeg,cpus=2,memory=1G", _words
    ),
    JobOption("--prefer", "prefer", "LIST", "labels of workers that are asked first", _words),
    JobOption("--prefer-wait", "prefer_wait", "TIME", "how long the preferred workers are waited for"),
    JobOption("--priority", "priority", "N", "-100 to 100; a step is worth ten minutes of waiting", _whole),
    JobOption("--attempts", "attempts", "N", "attempts in all, 1 to 10", _whole),
    JobOption(
        "--backoff",
        "backoff",
        "TIME",
        "the longest wait before the second attempt, from 0 by chance; doubled for each further one, to 10m",
    ),
    JobOption(
        "--retry-on",
        "retry_on",
        "CODES",
        "retry only after these: exit codes, timeout, refused: 75,100-110,timeout (default: any exit code)",
        _words,
    ),
    JobOption(
        "--timeout", "timeout", "TIME", "the limit of one attempt: 90s, 15m, 2h; 0 (the default) is none"
    ),
    JobOption("--deadline", "deadline", "TIME", "give up if it has not started by then"),
    JobOption("--delay", "delay", "TIME", "start no earlier than this from now"),
    JobOption("--at", "at", "TIME", "start no earlier than this: 2027-01-31T18:00, or 18:00", _moment),
    JobOption(
        "--after",
        "after",
        "ID[:ON][:index]",
        "start when that job has ended: ok (default), any or failed; of two arrays, index to index",
        _as_list,
    ),
    JobOption(
        "--array",
        "array",
        "N|A-B|@FILE",
        "many elements: a number, a range, or a line of the file each, in $RELAYQ_ARRAY_VALUE",
        _array,
    ),
    JobOption(
        "--unique",
        "unique",
        "KEY[,HOW]",
        "one such job at a time; HOW: until_done (the default), queued, replace or a window (1h)",
        _unique,
    ),
    JobOption("--limit", "limits", "NAME=N", "at most N jobs that name it run at once", _counts),
    JobOption("--rate", "rates", "NAME=N/TIME", "at most N jobs that name it start in TIME", _pairs),
    JobOption("--share", "share", "NAME", "in whose name it runs; names share the workers fairly"),
    JobOption("--env-file", "env", "FILE", "a file of NAME=VALUE lines for the environment", _env_files),
    JobOption("--env", "env", "NAME=VALUE", "a variable of the job's environment", _pairs),
    JobOption("--secret", "secrets", "NAME=VALUE", "such a variable whose value RelayQ never shows", _pairs),
    JobOption(
        "--cwd", "cwd", "DIR", "where it runs, on the worker (default: a directory of its own)", _directory
    ),
    JobOption(
        "--stdin", "stdin", "FILE", "what it reads from stdin, sent along; - is the stdin of here", _file_text
    ),
    JobOption(
        "--in",
        "inputs",
        "FILE[=NAME]",
        "a file of at most 16M for its work directory, sent along (and called NAME there)",
        _inputs,
    ),
    JobOption(
        "--out", "outputs", "GLOB", "files of its work directory to keep; `relayq fetch` gets them", _as_list
    ),
    JobOption("--keep-output", "keep_output", "SIZE", "how much output the hub keeps (default: 1M)"),
    JobOption("--on-lost", "on_lost", "WHAT", "when its worker is lost: retry (default), hold or fail"),
    JobOption("--grace", "grace", "TIME", "how long a lost worker may come back with it"),
    JobOption(
        "--notify",
        "notify",
        "NOTICE",
        "tell GitHub how it ended: status:OWNER/REPO@SHA, comment:OWNER/REPO#N, dispatch:OWNER/REPO",
        _as_list,
    ),
    JobOption("--label", "labels", "NAME=VALUE", "a label on the job, for finding it", _pairs),
)
