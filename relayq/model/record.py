"""Frozen records that cost nothing to define: what `dataclasses` gives, without its 10 ms.

A cold `relayq submit` is a new process for every job. `dataclasses` writes and compiles
source code for each class and imports `inspect` for it; for the few large records on
that path, this base reads the annotations and keeps them in slots. Type checkers see a
frozen, keyword-only dataclass. Elsewhere a dataclass is the better choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from typing import Self, dataclass_transform
else:

    def dataclass_transform(**_):
        return lambda kind: kind


_set = object.__setattr__


class _Fields(type):
    """Turns the annotations of a record's body into its slots, and their values into defaults."""

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _Fields:
        own = [field for field in body.get("__annotations__", ()) if not field.isupper()]
        inherited = {
            base: default for parent in bases for base, default in getattr(parent, "DEFAULTS", {}).items()
        }
        known = tuple(field for parent in bases for field in getattr(parent, "FIELDS", ()))
        defaults = {field: body.pop(field) for field in own if field in body}
        body |= {"__slots__": tuple(own), "FIELDS": (*known, *own), "DEFAULTS": {**inherited, **defaults}}
        return super().__new__(mcs, name, bases, body)


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record(metaclass=_Fields):
    """A frozen record. `__post_init__` judges the values; `but` gives a changed copy.

    FIELDS are the names in their order, DEFAULTS the values of those that may be left out.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()
    DEFAULTS: ClassVar[dict[str, Any]] = {}

    def __init__(self, **given: Any) -> None:
        values = {**self.DEFAULTS, **given}
        try:
            for field in self.FIELDS:
                _set(self, field, values[field])
        except KeyError as missing:
            raise TypeError(f"{type(self).__name__} needs the field {missing}") from None
        if len(values) != len(self.FIELDS):
            strange = ", ".join(values.keys() - set(self.FIELDS))
            raise TypeError(f"{type(self).__name__} has no field {strange}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """Judge the values; a record that has no rules takes them as they are."""

    def but(self, **changes: Any) -> Self:
        """A copy with other values in the named fields, judged again."""
        return type(self)(**{**self.to_fields(), **changes})

    def to_fields(self) -> dict[str, Any]:
        """The values by name, as they are."""
        return {field: getattr(self, field) for field in self.FIELDS}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in self.FIELDS)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, field) for field in self.FIELDS))

    def __repr__(self) -> str:
        facts = ", ".join(f"{name}={value!r}" for name, value in self.to_fields().items())
        return f"{type(self).__name__}({facts})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.to_fields())


def _rebuilt(kind: type[Record], fields: dict[str, Any]) -> Record:
    return kind(**fields)
