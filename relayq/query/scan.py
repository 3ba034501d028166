"""Cut the text of a query into tokens, each knowing its column.

A word is `value` or `field:value,value`. A value may begin with an operator and may
stand in quotes, where nothing but `\"` and `\\` is special. Parentheses that open
inside a word belong to it, so that `name:~(a|b)` needs no quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from relayq.errors import SpecError

MAX_TEXT = 2_000
_FIELD = re.compile(r"([A-Za-z]+):")
_OPERATOR = re.compile(r"[<>]=?|=|~")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SPACE = re.compile(r"\s*")
_SPECIAL = {"(": "open", ")": "close", "-": "not"}
_WORDS = {"OR": "or", "AND": "and", "NOT": "not"}


class QueryError(SpecError):
    """A query that makes no sense. `column` is the place in `text`, counted from 0."""

    def __init__(self, message: str, text: str, column: int) -> None:
        super().__init__(message)
        self.text = text
        self.column = column

    @property
    def pointed(self) -> str:
        """The query, and a line with a caret below the place."""
        return f"{self.text}\n{' ' * self.column}^"


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a word: its operator (or none), its text, and where it stands."""

    text: str
    column: int
    operator: str = ""
    is_quoted: bool = False

    @property
    def value_column(self) -> int:
        """Where the text itself stands, behind operator and quote."""
        return self.column + len(self.operator) + self.is_quoted

    @property
    def has_wildcard(self) -> bool:
        """Does `*` or `?` stand for other characters here?"""
        return not self.is_quoted and ("*" in self.text or "?" in self.text)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query: `open`, `close`, `not`, `or`, `and`, or a `word` with its field and items."""

    kind: str
    column: int
    field: str = ""
    items: tuple[Item, ...] = ()


def scan(text: str) -> list[Token]:
    """The tokens of a query."""
    if len(text) > MAX_TEXT:
        raise QueryError(f"the query is too long: at most {MAX_TEXT} characters", text, MAX_TEXT)
    return _Scanner(text).tokens()


def quote(text: str) -> str:
    """The text as a value of which every character stands for itself."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Scanner:
    """Reads from left to right; `_at` is the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def tokens(self) -> list[Token]:
        found = []
        self._skip_space()
        while self._at < len(self._text):
            found.append(self._token())
            self._skip_space()
        return found

    def _token(self) -> Token:
        start = self._at
        kind = _SPECIAL.get(self._text[start])
        if kind:
            self._at += 1
            return Token(kind, start)
        return self._word(start)

    def _word(self, start: int) -> Token:
        field = _FIELD.match(self._text, start)
        if not field:
            item = self._item(commas=False)
            kind = "word" if item.is_quoted or item.operator else _WORDS.get(item.text, "word")
            return Token(kind, start, items=(item,))
        self._at = field.end()
        items = [self._item(commas=True)]
        while self._text.startswith(",", self._at):
            self._at += 1
            items.append(self._item(commas=True))
        return Token("word", start, field[1].lower(), tuple(items))

    def _item(self, *, commas: bool) -> Item:
        start = self._at
        operator = _OPERATOR.match(self._text, start)
        if operator:
            self._at = operator.end()
        sign = operator.group() if operator else ""
        if self._text.startswith('"', self._at):
            return Item(self._quoted(), start, sign, is_quoted=True)
        plain = self._plain(until_comma=commas and sign != "~")
        if not plain:
            self._fail("a value is missing here", self._at)
        return Item(plain, start, sign)

    def _quoted(self) -> str:
        match = _QUOTED.match(self._text, self._at)
        if not match:
            self._fail("this quote is never closed", self._at)
        self._at = match.end()
        following = self._text[self._at : self._at + 1]
        if following and following not in ",)" and not following.isspace():
            self._fail("a space is missing after the closing quote", self._at)
        return re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL)

    def _plain(self, *, until_comma: bool) -> str:
        start, depth = self._at, 0
        for character in self._text[start:]:
            if character.isspace() or (character == "," and until_comma):
                break
            depth += (character == "(") - (character == ")")
            if depth < 0:
                break
            self._at += 1
        return self._text[start : self._at]

    def _skip_space(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _fail(self, message: str, column: int) -> NoReturn:
        raise QueryError(message, self._text, column)
