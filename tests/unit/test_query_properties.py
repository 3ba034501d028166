"""What holds for every query: the tree says what was written, the plan never hides a match."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from relayq.model.lifecycle import State
from relayq.query import QueryError, complete, insert, parse, quote
from tests.unit.query_rows import NOW_MS, D, Row

Said = tuple[str, Callable[[Row], bool]]

words = st.text('abAB7*?~"\\(),:=-é ', min_size=1, max_size=6)
names = st.sampled_from(["gpu", "ai", "media", "Gpu"])
rows = st.builds(
    Row,
    name=words,
    command=words,
    state=st.sampled_from(State),
    queue=names,
    worker=names,
    priority=st.integers(-9, 9),
    exit_code=st.none() | st.integers(0, 9),
    submitted_ms=st.integers(NOW_MS - 9 * D, NOW_MS),
    labels=st.dictionaries(names, names, max_size=2),
    needs=st.lists(names, max_size=2).map(",".join),
)


def said(strategy: st.SearchStrategy[object], text: str, means: Callable[[object, Row], bool]) -> object:
    """A term with the drawn value, and what it means."""
    return strategy.map(lambda value: (text.format(value), lambda row: means(value, row)))


terms = st.one_of(
    said(words.map(quote), "name:{}", lambda v, row: unquoted(v) in row.name.lower()),
    said(words.map(quote), "cmd:{}", lambda v, row: unquoted(v) in row.command.lower()),
    said(names, "queue:{}", lambda v, row: row.queue == v),
    said(st.lists(names, min_size=1).map(",".join), "worker:{}", lambda v, row: row.worker in v.split(",")),
    said(st.sampled_from(State), "state:{}", lambda v, row: row.state == v),
    said(st.integers(-9, 9), "prio:>={}", lambda v, row: row.priority >= v),
    said(st.integers(0, 9), "exit:<{}", lambda v, row: row.exit_code is not None and row.exit_code < v),
    said(st.integers(0, 9), "age:<{}d", lambda v, row: NOW_MS - row.submitted_ms < v * D),
    said(st.integers(0, 9), "age:{}d..9d", lambda v, row: v * D <= NOW_MS - row.submitted_ms <= 9 * D),
    said(names, "tag:{}", lambda v, row: v in row.labels),
    said(names, "label:{}", lambda v, row: v in row.labels or v in row.needs.split(",")),
)
queries = st.recursive(
    terms,
    lambda inner: st.one_of(
        inner.map(lambda q: (f"-({q[0]})", lambda row: not q[1](row))),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda qs: (f"({' '.join(q[0] for q in qs)})", lambda row: all(q[1](row) for q in qs))
        ),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda qs: (f"({' OR '.join(q[0] for q in qs)})", lambda row: any(q[1](row) for q in qs))
        ),
    ),
    max_leaves=8,
)


def unquoted(value: object) -> str:
    """The text in a quoted value, as it is compared."""
    return str(value)[1:-1].replace('\\"', '"').replace("\\\\", "\\").lower()


@given(queries, rows)
def test_a_query_means_what_was_written(query: Said, row: Row) -> None:
    text, means = query
    assert parse(text).matches(row, NOW_MS) == means(row)


@given(queries, rows)
def test_a_plan_never_hides_a_match(query: Said, row: Row) -> None:
    parsed = parse(query[0])
    if not parsed.matches(row, NOW_MS):
        return
    plan = parsed.plan
    assert plan.states is None or row.state in plan.states
    assert plan.queue in ("", row.queue)
    assert plan.worker in ("", row.worker)
    assert row.submitted_ms >= plan.since_ms(NOW_MS)
    assert plan.min_age_ms is None or NOW_MS - row.submitted_ms >= plan.min_age_ms


@given(st.text('abst:,"\\()- ~*<>=.0159dOR\n', max_size=30) | st.text(max_size=30), rows)
def test_any_text_is_a_query_or_an_error_with_a_place(text: str, row: Row) -> None:
    try:
        query = parse(text)
    except QueryError as error:
        assert 0 <= error.column <= len(text)
        assert str(error)
        return
    assert query.select([row], NOW_MS) == ([row] if query.matches(row, NOW_MS) else [])


@given(st.text('stae:,"()- qu', max_size=20), st.integers(0, 20))
def test_any_text_can_be_completed(text: str, cursor: int) -> None:
    cursor = min(cursor, len(text))
    for word in complete(text, cursor, {"queue": ["gpu", "a b"]}):
        grown, place = insert(text, cursor, word)
        assert 0 <= place <= len(grown)
        assert word in grown
