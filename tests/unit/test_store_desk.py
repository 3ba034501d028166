"""Which roster counts, when several on one machine hear of new ones at the same time."""

from __future__ import annotations

from pathlib import Path

from relayq.store.desk import Desk
from relayq.trust.book import Book
from relayq.trust.keys import SigningKey
from relayq.trust.roster import Roster, new_roster, sign_roster

NOW_S = 1_800_000_000


def test_a_roster_that_became_old_while_it_was_asked_for_counts_for_nothing(tmp_path: Path) -> None:
    owner = SigningKey.generate()
    first = new_roster(owner, "home", NOW_S)
    old, new = (sign_roster(owner, first.but(version=version)) for version in (1, 2))
    book = Book(tmp_path, "home", owner.public)

    class Slow(Book):
        """Hears of the second version between the look at its own and the reply of the hub."""

        def accept(self, data: bytes) -> Roster:
            book.accept(new)
            return super().accept(data)

    desk = Desk(Slow(tmp_path, "home", owner.public), lambda command: old, None)
    seen = desk.seen()
    assert seen is not None and seen.version == 2
