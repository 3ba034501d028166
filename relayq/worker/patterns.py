"""Patterns for commands, one for each word of an argv: what a policy lets a job type.

    "ffmpeg", "-i", "*.mp4"     a word without a slash: a glob, which matches no slash, no `..`, and
                                nothing that begins with `-` unless the pattern does
    "/srv/media/**"             with a slash, or after `path:`: a path. Relative ones lie under a root
    "path:*.mp4"                of the policy, and `**` stands for any number of directories
    "work:*.csv"                a path in the job's own work directory, where its input files are
    "re:-crf=[0-9]+"            a regular expression for the whole word, taken as it is written
    "..."                       last: any further words;  "...path:clips/*": further words like that

A path is compared after every link in it has been followed, and it is refused before
that when it begins with `-` (a program would read an option), has a `..` in it, or
begins with something like `http:` (many programs fetch that).
"""

from __future__ import annotations

import os
import re
from itertools import zip_longest
from typing import NamedTuple

from relayq.model.reading import shown

GLOB, PATH, WORK, REGEX = "glob", "path", "work", "re"
MORE = "..."
MISSING = "\0missing"
_WILD = re.compile(r"[*?[]")


class Place(NamedTuple):
    """Where a job works: the real path of its `cwd`, empty in its own work directory; the policy's roots."""

    cwd: str
    roots: tuple[str, ...]


class Word(NamedTuple):
    """The pattern of one word."""

    kind: str
    text: str

    def __str__(self) -> str:
        is_plain = self.kind != REGEX and self == Word.parse(self.text)
        return self.text if is_plain else f"{self.kind}:{self.text}"

    @classmethod
    def parse(cls, text: str) -> Word:
        """Read it; ValueError says what is wrong with it."""
        kind, colon, rest = text.partition(":")
        if colon and kind in (GLOB, PATH, WORK, REGEX):
            word = cls(kind, rest)
        elif "/" in text:
            word = cls(PATH, text)
        else:
            word = cls(GLOB, text)
        word.check()
        return word

    def check(self) -> None:
        """Raise ValueError for a pattern that nothing could match, or that would not mean what it says."""
        if self.kind == REGEX:
            try:
                re.compile(self.text)
            except re.error as error:
                raise ValueError(f"{shown(self.text)} is not a regular expression: {error}") from None
        elif self.kind != GLOB and self.text.startswith("-"):
            raise ValueError(f"{shown(self.text)} is an option with a path in it: write re: for it")
        elif self.kind == GLOB and "/" in self.text:
            raise ValueError(
                f"{shown(self.text)} has a slash, which a glob never matches: write path: or re:"
            )
        elif self.kind != GLOB and ".." in self.text.split("/"):
            raise ValueError(f"{shown(self.text)} has '..' in it: name the directory itself")

    def why_not(self, word: str, place: Place) -> str:
        """Why a word does not fit, or nothing when it does."""
        match self.kind:
            case "re":
                fits = re.fullmatch(self.text, word) is not None
            case "path":
                return path_trouble(word) or _outside(self.text, word, place)
            case "work":
                return path_trouble(word) or _not_in_work(self.text, word, place)
            case _:
                fits = _fits_glob(self.text, word)
        return "" if fits else f"{shown(word)} does not match {shown(self.text)}"


ANYTHING = Word(REGEX, r"(?s:.*)")


class Command(NamedTuple):
    """The patterns of an argv; `more` is that of further words, None when there may be none."""

    words: tuple[Word, ...]
    more: Word | None

    def __str__(self) -> str:
        more = [] if self.more is None else [MORE if self.more == ANYTHING else f"{MORE}{self.more}"]
        return " ".join([*map(str, self.words), *more])

    @classmethod
    def parse(cls, texts: list[str]) -> Command:
        """Read it; ValueError says what is wrong."""
        if not texts:
            raise ValueError("a command has at least the name of a program")
        if any(text.startswith(MORE) for text in texts[:-1]) or texts[0].startswith(MORE):
            raise ValueError("'...' stands only at the end of a command")
        more = None
        if texts[-1].startswith(MORE):
            *texts, last = texts
            more = Word.parse(last.removeprefix(MORE)) if last != MORE else ANYTHING
        return cls(tuple(map(Word.parse, texts)), more)

    def relative_paths(self) -> list[Word]:
        """The patterns that mean a path under a root."""
        words = [*self.words, *([self.more] if self.more else [])]
        return [word for word in words if word.kind == PATH and not word.text.startswith("/")]

    def fits(self, argv: list[str], place: Place) -> tuple[int, str]:
        """How many words fit, and why the next does not; an empty reason when all do."""
        for number, (word, given) in enumerate(zip_longest(self.words, argv, fillvalue=None)):
            pattern = word or self.more
            if given is None:
                return number, f"it ends before {shown(self.words[number].text)}"
            if pattern is None:
                return number, f"{shown(given)} is one word too many"
            if why := pattern.why_not(given, place):
                return number, why
        return len(argv), ""


def why_none_fits(commands: tuple[Command, ...], argv: list[str], place: Place) -> str:
    """Why no command of a policy fits an argv, told of the one that comes nearest; empty when one does."""
    tried = [command.fits(argv, place) for command in commands]
    if any(not why for _, why in tried):
        return ""
    reached, why = max(tried, default=(0, ""), key=lambda one: one[0])
    return why if reached else f"no command that begins with {shown(argv[0])} is allowed"


def path_trouble(word: str) -> str:
    """Why a word is no path that a policy could judge."""
    if word.startswith("-"):
        return f"{shown(word)} is an option, not a path"
    if ".." in word.split("/"):
        return f"{shown(word)} climbs out with '..'"
    if not word or ":" in word.partition("/")[0]:
        return f"{shown(word)} is no path of a file"
    return ""


def inside(path: str, directory: str) -> bool:
    """Is the path the directory or something below it? Both are real paths."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _fits_glob(pattern: str, word: str) -> bool:
    if word == pattern:
        return True
    is_option = word.startswith("-") and not pattern.startswith("-")
    return not is_option and word != ".." and _glob(pattern).fullmatch(word) is not None


def _outside(pattern: str, word: str, place: Place) -> str:
    if not word.startswith("/") and not place.cwd:
        return f"{shown(word)} lies in the job's own work directory, and {shown(pattern)} under a root"
    real = os.path.realpath(os.path.join(place.cwd, word))
    bases = [""] if pattern.startswith("/") else place.roots
    if any(_matches(os.path.join(base, pattern), real) for base in bases):
        return ""
    where = "" if real == word else f", which is {shown(real)},"
    return f"{shown(word)}{where} is not under {shown(pattern)}"


def _not_in_work(pattern: str, word: str, place: Place) -> str:
    if place.cwd or word.startswith("/"):
        return f"{shown(word)} is not in the job's own work directory"
    fits = _glob(pattern).fullmatch(word)
    return "" if fits else f"{shown(word)} does not match {shown(pattern)}"


def _matches(pattern: str, real: str) -> bool:
    """Does a real path match an absolute pattern, links before its first wildcard followed?"""
    wild = _WILD.search(pattern)
    cut = pattern.rfind("/", 0, wild.start()) if wild else len(pattern)
    fixed = os.path.realpath(pattern[:cut] or "/")
    rest = pattern[cut:] if fixed != "/" else pattern[cut:].removeprefix("/")
    return re.fullmatch(re.escape(fixed) + _glob(rest).pattern, real) is not None


def _glob(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression: `*` and `?` stay between slashes, `**` does not."""
    parts = []
    for piece in re.split(r"(\*\*|\*|\?|\[[^]/]+\])", pattern):
        if piece == "**":
            parts.append("(?s:.*)")
        elif piece == "*":
            parts.append("[^/]*")
        elif piece == "?":
            parts.append("[^/]")
        elif piece.startswith("[") and len(piece) > 2:
            not_these = piece[1] == "!"
            letters = piece[1 + not_these : -1].replace("\\", "\\\\")
            parts.append(f"(?!/)[{'^' if not_these else ''}{letters}]")
        else:
            parts.append(re.escape(piece))
    return re.compile("".join(parts))
