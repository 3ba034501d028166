"""Write the tables of keys into docs/howto/tui.md: `python -m relayq_tui.keypage docs/howto/tui.md`.

Only what stands between the two marks is replaced. A test holds the page against the
table of actions, so the documentation cannot name a key that is none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from relayq_tui.actions import CONTEXTS, Action, of_context, shown_key

BEGIN, END = "<!-- keys: python -m relayq_tui.keypage docs/howto/tui.md -->", "<!-- end of keys -->"
TITLES = {
    "anywhere": "Anywhere",
    "list": "In a list",
    "jobs": "Jobs, and a job's own screen",
    "job": "A job's own screen",
    "log": "Its log",
    "workers": "Workers",
    "timeline": "Timeline",
    "schedules": "Schedules",
    "budget": "Budget",
    "events": "Events",
    "form": "The form of a new job",
}
HEAD = "| key | action | id | changes | in a shell |\n|---|---|---|---|---|\n"
CHANGES = {"": "", "undo": "can be undone for 5 s", "now": "cannot be undone"}


def main() -> None:
    """Renew the page that was named."""
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text("utf-8")), "utf-8")


def renewed(page: str) -> str:
    """The page with its tables as the actions have them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no place for the keys: put {BEGIN} and {END} into it")
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def tables() -> str:
    """One table for each context that has actions."""
    return "".join(line for context in CONTEXTS for line in _table(context))


def _table(context: str) -> Iterator[str]:
    actions = of_context(context)
    if actions:
        yield f"\n### {TITLES[context]}\n\n{HEAD}"
        yield from map(_row, actions)


def _row(action: Action) -> str:
    keys = " ".join(f"`{_escaped(shown_key(key))}`" for key in action.keys.split(","))
    twin = f"`{_escaped(action.twin)}`" if action.cli else ""
    return f"| {keys} | {action.label} | {action.id} | {CHANGES[action.danger]} | {twin} |\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
