"""The columns of a list of deeds: when, who, what, to which job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayq_tui.audit import Deed, title_of
from relayq_tui.glyphs import age, clock
from relayq_tui.widgets.jobtable import Cell, Column

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

WIDE = 100


def deed_columns(app: RelayQApp, width: int, *, is_of_one: bool = False) -> list[Column[Deed]]:
    """The columns for a list this wide: a narrow one says all in one column. `is_of_one` leaves who out."""
    glyphs, palette, store = app.glyphs, app.palette, app.store

    def when(one: Deed) -> Cell:
        if not app.absolute_times and width < WIDE:
            return age(store.now_ms() - one.at_ms), palette.dim
        today = store.now_ms() - one.at_ms < 12 * 3_600_000
        return clock(one.at_ms, "%H:%M:%S" if today else "%d %b %H:%M"), palette.dim

    def mark(one: Deed) -> Cell:
        if one.mark is None:
            return glyphs.dot, palette.dim
        return glyphs.states[one.mark], palette.of(one.mark)

    def what(one: Deed) -> Cell:
        return one.what, palette.warn if one.kind == "trouble" else None

    def all_of_it(one: Deed) -> Cell:
        """The id, what happened and then the name, which may be cut."""
        subject, _, title = title_of(one, store).partition(" ")
        parts = (subject or one.who, one.what, f" {title}" if title else "")
        return " ".join(part for part in parts if part), palette.warn if one.kind == "trouble" else None

    if is_of_one:
        return [Column("", 4, when, right=True), Column("", 1, mark), Column("WHAT HAPPENED", 0, what)]
    if width < WIDE:
        return [Column("", 4, when, right=True), Column("", 1, mark), Column("WHAT HAPPENED", 0, all_of_it)]
    return [
        Column("WHEN", 12, when),
        Column("", 1, mark),
        Column("WHO", 14, lambda one: (one.who or glyphs.dash, palette.head)),
        Column("WHAT", 36, what),
        Column("JOB", 0, lambda one: (title_of(one, store), None)),
    ]
