"""One argument parser for one command, with errors that suggest what was meant.

Everything after the first `--` is the job's command and never reaches argparse.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn

from relayq.cli.commands import COMMANDS, Command
from relayq.errors import UsageError

HELP_WIDTH = 100
LIKENESS = 0.7
LONGEST = 500


# What argparse says, and how a person would.
PLAIN_WORDS = (
    (r"^argument ([^:]+): invalid int value: (.*)$", r"\1: \2 is not a whole number"),
    (r"^argument ([^:]+): invalid float value: (.*)$", r"\1: \2 is not a number"),
    (r"^argument [^:]*\|[^:]*: invalid choice: (.*) \(choose from (.*)\)$", r"\1 is none of \2"),
    (r"^argument ([^:]+): invalid choice: (.*) \(choose from (.*)\)$", r"\1: \2 is none of \3"),
    (r"^argument ([^:]+): expected one argument$", r"\1 needs a value"),
    (r"^argument ([^:]+): ", r"\1: "),
    (r"^the following arguments are required: (.*)$", r"missing: \1"),
)


class Parser(argparse.ArgumentParser):
    """argparse that raises UsageError instead of leaving the process.

    A public key (43 letters of base64url) may begin with a dash. argparse lets negative numbers
    stand where a value is wanted; here keys may as well, and whatever else is no option (`-5s`), so
    that it is refused for what it is.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._negative_number_matcher = re.compile(r"^-[\d.]|^-[A-Za-z0-9_-]{42}$")

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        """A place is called by the words it takes; one for any number of words may stay empty."""
        if not names[0].startswith("-"):
            if "choices" in settings:
                settings.setdefault("metavar", "|".join(settings["choices"]))
            if settings.get("nargs") == "*":
                settings.setdefault("default", [])
        return super().add_argument(*names, **settings)

    def error(self, message: str) -> NoReturn:
        for pattern, words in PLAIN_WORDS:
            message = re.sub(pattern, words, message)
        raise UsageError(f"{message[:LONGEST]}; see `{self.prog} --help`")

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse all of `argv` or raise UsageError with a suggestion."""
        args, extra = self.parse_known_args(argv)
        if "--" not in argv and any(not word.startswith("-") for word in extra):
            # A word that may be left out was taken as left out, because an option stood before it.
            args, extra = self.parse_known_intermixed_args(argv)
        if extra:
            self._refuse(extra[0])
        return args

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            raise UsageError(f"{self.prog} has no use for {word!r}; see `{self.prog} --help`")
        flag = word.partition("=")[0]
        hint = suggestion(flag, self._option_string_actions)
        raise UsageError(f"{self.prog} has no option {flag}{hint}; see `{self.prog} --help`")


class _Formatter(argparse.HelpFormatter):
    """argparse makes one for each argument; measuring the terminal each time would cost 2 ms."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=HELP_WIDTH)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`, did you mean x?` for the nearest of `known`, or nothing where none is near."""
    import difflib

    bare = {one.lstrip("-"): one for one in known}  # dashes are no likeness
    near = difflib.get_close_matches(word.lstrip("-"), list(bare), n=1, cutoff=LIKENESS)
    return f", did you mean {bare[near[0]]}?" if near else ""


def parser_of(command: Command) -> tuple[Parser, ModuleType]:
    """Import the module of `command` and build its parser."""
    module = import_module(f"relayq.cli.{command.module}")
    parser = Parser(
        formatter_class=_Formatter,
        prog=f"relayq {command.name}",
        description=command.summary[:1].upper() + command.summary[1:] + ".",
        allow_abbrev=False,
    )
    parser.set_defaults(command=command.name)
    module.configure(parser)
    where = parser.add_argument_group("which hub")
    where.add_argument("--url", metavar="URL", help="the hub's address, for example redis://host:6379/0")
    where.add_argument("--fleet", metavar="NAME", help="the fleet's name on that hub")
    return parser, module


def find_command(word: str) -> Command:
    """The command named `word`, or UsageError with the nearest name."""
    if word not in COMMANDS:
        raise UsageError(f"there is no command {word!r}{suggestion(word, COMMANDS)}; see `relayq --help`")
    return COMMANDS[word]


def add_trust(parser: argparse.ArgumentParser, what: str) -> None:
    """The `--trust KEY` of what believes somebody's signature; a word that is no key is a usage error."""
    parser.add_argument("--trust", action="append", default=[], metavar="KEY", type=_public_key, help=what)


def _public_key(text: str) -> str:
    from relayq.errors import ConfigError
    from relayq.trust.keys import PublicKey

    try:
        return PublicKey(text).public
    except ConfigError:
        raise UsageError(
            f"--trust: {text[:60]!r} is not a public key: 43 letters as `relayq keys` prints them"
        ) from None


def add_json(parser: argparse.ArgumentParser, what: str = "one JSON object a line") -> None:
    """The `--json` of every reading command."""
    parser.add_argument("--json", action="store_true", help=f"print {what}")
