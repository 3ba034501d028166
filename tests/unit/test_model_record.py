"""Records are frozen, keyword-only, comparable, and inherit their fields."""

from __future__ import annotations

import pickle

import pytest

from relayq.model.record import Record


class Point(Record):
    x: int
    y: int = 0

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x is negative")


class Named(Point):
    name: str = ""


def test_fields_and_defaults_are_inherited_in_order() -> None:
    assert Named.FIELDS == ("x", "y", "name")
    assert Named(x=1).to_fields() == {"x": 1, "y": 0, "name": ""}


def test_a_record_is_equal_by_value_and_kind() -> None:
    assert Point(x=1) == Point(x=1, y=0) != Point(x=2)
    assert Point(x=1) != Named(x=1)
    assert hash(Point(x=1)) == hash(Point(x=1))
    assert repr(Named(x=1, name="a")) == "Named(x=1, y=0, name='a')"


def test_a_record_cannot_be_changed() -> None:
    point = Point(x=1)
    with pytest.raises(AttributeError, match="frozen"):
        point.x = 2  # type: ignore[misc]  # which is the point
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    with pytest.raises(AttributeError):
        point.z = 1  # type: ignore[attr-defined]  # which is the point


def test_a_changed_copy_is_judged_again() -> None:
    assert Named(x=1, name="a").but(x=3) == Named(x=3, name="a")
    with pytest.raises(ValueError, match="negative"):
        Point(x=1).but(x=-1)


@pytest.mark.parametrize(("given", "why"), [({}, "needs the field 'x'"), ({"x": 1, "q": 2}, "no field q")])
def test_a_missing_or_strange_field_is_named(given: dict[str, int], why: str) -> None:
    with pytest.raises(TypeError, match=why):
        Point(**given)


def test_a_record_travels_between_processes() -> None:
    assert pickle.loads(pickle.dumps(Named(x=1, name="a"))) == Named(x=1, name="a")
