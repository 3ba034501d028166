"""Read a query into a tree of terms.

    either = both (OR both)*      both  = unary ([AND] unary)*
    unary  = (- | NOT) unary      unary = ( either )  |  word

`sort:` and `group:` are no conditions: they may stand anywhere outside parentheses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from relayq.query.fields import (
    BARE_COST,
    FIELDS,
    BadValue,
    Field,
    Test,
    all_of,
    any_of,
    bare,
    is_plain,
    none_of,
    one_of_words,
)
from relayq.query.scan import Item, QueryError, Token, scan

SORTS = ("new", *(name for name in FIELDS if FIELDS[name].kind in ("state", "name", "number", "duration")),
         "name", "cmd", "by")  # fmt: skip
GROUPS = ("state", "queue", "worker", "name", "by", "run", "exit")
_DEPTH_MAX = 40
_END = Token("end", -1)


@dataclass(frozen=True, slots=True)
class Term:
    """One word: a field (or none) with its values, compiled."""

    field: str
    items: tuple[Item, ...]
    test: Test
    cost: int


@dataclass(frozen=True, slots=True)
class Group:
    """`all` or `any` of the parts, or `not` the only one."""

    kind: str
    parts: tuple[Node, ...]


Node = Term | Group


@dataclass(frozen=True, slots=True)
class Tree:
    """What a text says: the condition, the order and the grouping."""

    node: Node
    sort: tuple[tuple[str, bool], ...]
    group: str


def read(text: str) -> Tree:
    """The tree of a query, or QueryError."""
    return _Reader(text).tree()


def compiled(node: Node) -> tuple[int, Test]:
    """What it costs to ask, and the test; in a conjunction the cheap parts are asked first."""
    if isinstance(node, Term):
        return node.cost, node.test
    parts = sorted(map(compiled, with_words_together(node)), key=lambda part: part[0])
    tests, cost = [test for _, test in parts], sum(cost for cost, _ in parts)
    if node.kind == "not":
        return cost, none_of(tests[0])
    return cost, (all_of if node.kind == "all" else any_of)(tests)


def cost_of(node: Node) -> int:
    """What it costs to ask, to be compared with others."""
    return compiled(node)[0]


def test_of(node: Node) -> Test:
    """The test of a part of a query."""
    return compiled(node)[1]


def with_words_together(node: Group) -> Sequence[Node]:
    """The parts of a group; where one of them is enough, those that are plain words are one."""
    words = [part for part in node.parts if isinstance(part, Term) and not part.field]
    items = [item for part in words for item in part.items]
    if node.kind != "any" or len(words) < 2 or not all(map(is_plain, items)):
        return node.parts
    together = Term("", tuple(items), one_of_words(items), BARE_COST)
    return [*(part for part in node.parts if part not in words), together]


class _Reader:
    """A descent over the tokens; `_at` is the next one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sort: list[tuple[str, bool]] = []
        self._group = ""
        self._tokens = self._conditions(scan(text))
        self._at = 0
        self._depth = 0

    def tree(self) -> Tree:
        node: Node = self._either() if self._tokens else Group("all", ())
        if self._peek is not _END:
            self._fail("this parenthesis was never opened", self._peek.column)
        return Tree(node, tuple(self._sort), self._group)

    @property
    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _next(self) -> Token:
        token = self._peek
        self._at += 1
        return token

    def _either(self) -> Node:
        parts = [self._both()]
        while self._peek.kind == "or":
            self._next()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Group("any", tuple(parts))

    def _both(self) -> Node:
        parts = [self._unary()]
        while self._peek.kind not in ("or", "close", "end"):
            if self._peek.kind == "and":
                self._next()
            parts.append(self._unary())
        return parts[0] if len(parts) == 1 else Group("all", tuple(parts))

    def _unary(self) -> Node:
        token = self._next()
        if token.kind == "word":
            return self._term(token)
        if token.kind not in ("not", "open"):
            self._fail("a condition is missing here", token.column)
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            self._fail(f"this is nested too deep: at most {_DEPTH_MAX} levels", token.column)
        node = Group("not", (self._unary(),)) if token.kind == "not" else self._enclosed(token)
        self._depth -= 1
        return node

    def _enclosed(self, opened: Token) -> Node:
        node = self._either()
        if self._next().kind != "close":
            self._fail("this parenthesis is never closed", opened.column)
        return node

    def _term(self, token: Token) -> Term:
        field = FIELDS.get(token.field)
        if token.field and field is None:
            self._fail(_no_field(token.field), token.column)
        tests = [self._test(field, item) for item in token.items]
        cost = field.cost if field else BARE_COST
        return Term(token.field, token.items, any_of(tests), cost * len(tests))

    def _test(self, field: Field | None, item: Item) -> Test:
        try:
            return field.test(field.get, item) if field else bare(item)
        except BadValue as error:
            self._fail(str(error), item.value_column + error.offset)

    def _conditions(self, tokens: list[Token]) -> list[Token]:
        """The tokens without `sort:` and `group:`, which are noted."""
        left: list[Token] = []
        depth = 0
        for token in tokens:
            depth += (token.kind == "open") - (token.kind == "close")
            if token.field not in ("sort", "group"):
                left.append(token)
            elif depth or (left and left[-1].kind == "not"):
                self._fail(f"{token.field}: is no condition: put it at the end", token.column)
            elif token.field == "sort":
                self._sort += [self._order(item) for item in token.items]
            else:
                self._group = self._chosen(token.items[0], GROUPS, "group")
        return left

    def _order(self, item: Item) -> tuple[str, bool]:
        is_descending = item.text.startswith("-")
        plain = Item(item.text.removeprefix("-"), item.column + is_descending)
        return self._chosen(plain, SORTS, "sort"), is_descending

    def _chosen(self, item: Item, names: tuple[str, ...], what: str) -> str:
        if item.text not in names:
            self._fail(f"cannot {what} by {item.text!r}, but by {', '.join(names)}", item.column)
        return item.text

    def _fail(self, message: str, column: int) -> NoReturn:
        raise QueryError(message, self._text, column if column >= 0 else len(self._text))


def _no_field(name: str) -> str:
    near = get_close_matches(name, FIELDS, n=1)
    hint = f"did you mean {near[0]}:?" if near else f"the fields are {', '.join(FIELDS)}"
    return f"there is no field {name!r}, {hint} (put text with a colon in quotes)"
