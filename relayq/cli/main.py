"""The door of the command line: open the streams, find the command, build its parser alone, run it.

A cold `relayq submit` is a new process for every job, so its whole cost is what it
imports. This module imports argparse and a table; only the module of the typed
command is loaded, and each of those imports what it needs where it needs it. The
garbage collector sleeps meanwhile: looking for cycles among freshly imported
modules takes 8 of those milliseconds and finds none.
"""

from __future__ import annotations

import errno
import gc
import os
import sys

from relayq.cli.exit_codes import INTERRUPTED, OK, RELAYQ_FAILED, USAGE
from relayq.errors import RelayQError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

GLOBAL_OPTIONS = ("--url", "--fleet")
# Behind any other command, `--` ends the options: `relayq reprioritise ID -- -5`.
TAKE_A_COMMAND = ("run", "submit", "clone", "schedule", "policy")
OUTPUT_FAILS = (errno.EIO, errno.EBADF, errno.EFBIG, errno.ENOSPC, errno.EDQUOT)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    gc.disable()
    _open_streams()
    try:
        code = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except RelayQError as error:
        return _complain(error)
    except KeyboardInterrupt:
        print("relayq: interrupted; what was submitted goes on", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; leave without a second complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        return _complain_of_output(error)
    finally:
        gc.enable()


def _open_streams() -> None:
    """Have all three streams, and let no strange byte in them be an error.

    One that was closed would leave its descriptor to the next socket. What is no text comes in as
    Python escapes it, as with arguments; what the terminal has no letter for goes out as `?`.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace")):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors=errors)


def _dispatch(argv: list[str]) -> int:
    options, rest = _leading_options(argv)
    if not rest or rest[0] in ("-h", "--help", "help"):
        return _help(rest[1:])
    if rest[0] == "--version":
        rest[0] = "version"
    from relayq.cli.parser import find_command, parser_of

    parser, module = parser_of(find_command(rest[0]))
    ours, command_line = _split(rest[1:])
    if command_line is not None and rest[0] not in TAKE_A_COMMAND:
        ours, command_line = [*ours, "--", *command_line], None
    args = parser.parse(options + ours)
    args.command_line = command_line
    if rest[0] != "submit":
        gc.enable()
    return int(module.run(args))


def _leading_options(argv: list[str]) -> tuple[list[str], list[str]]:
    """Options that name the hub may stand before the command: (they, the rest)."""
    taken: list[str] = []
    while argv and argv[0].partition("=")[0] in GLOBAL_OPTIONS:
        width = 1 if "=" in argv[0] else 2
        if len(argv) < width:
            raise UsageError(f"{argv[0]} needs a value; see `relayq --help`")
        taken, argv = taken + argv[:width], argv[width:]
    if argv and argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version"):
        raise UsageError(f"relayq has no option {argv[0]} before the command; see `relayq --help`")
    return taken, argv


def _split(argv: list[str]) -> tuple[list[str], list[str] | None]:
    """Our arguments, and what stands after the first `--` (None: there was no `--`)."""
    if "--" not in argv:
        return argv, None
    cut = argv.index("--")
    return argv[:cut], argv[cut + 1 :]


def _help(words: list[str]) -> int:
    if words:
        from relayq.cli.parser import find_command, parser_of

        parser_of(find_command(words[0]))[0].print_help()
        return OK
    from relayq.cli.commands import GROUPS

    print("relayq: a job queue for the machines you already own.\n")
    print("Usage: relayq COMMAND [OPTIONS]      relayq COMMAND --help\n")
    for title, commands in GROUPS:
        print(f"{title}:")
        for command in commands:
            print(f"  {command.name:<14}{command.summary}")
        print()
    print("Try: relayq run -- 'echo hello from $(hostname)'")
    return OK


def _complain_of_output(error: OSError) -> int:
    """Our output cannot be written, or what no command thought of: a sentence all the same."""
    about = f"{error.filename}: " if error.filename else ""
    if not about and error.errno in OUTPUT_FAILS:
        about = "the output cannot be written: "
    print(f"relayq: {about}{error.strerror or error}", file=sys.stderr)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return RELAYQ_FAILED


def _complain(error: RelayQError) -> int:
    import re

    from relayq.text import safe

    # A join string is a secret, also where it was typed in a wrong place.
    words = re.sub(r"\brq1[A-Za-z0-9_-]{16,}", "rq1...", str(error))
    print(f"relayq: {safe(words)}", file=sys.stderr)
    return error.exit_code or USAGE
