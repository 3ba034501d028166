"""The command line of the screens (`:` or ctrl+p): actions by a few letters of their names, and commands.

A command takes a word: `worker pi4`, `queue.pause media`, `jobs state:failed`. What the
word may be is completed from what the feed has said. Beside every action stands the
command line that does the same in a shell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from relayq.client.steering import Order
from relayq_tui.actions import Action, shown_key
from relayq_tui.screens.over import Over, option
from relayq_tui.store import Store
from relayq_tui.widgets.line import Line

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

SHOWN = 40
SEEN_JOBS = 2_000


class Command(NamedTuple):
    """A word that takes another: what it is called, what it takes, what that may be, what it does."""

    word: str
    takes: str
    about: str
    values: Callable[[Store], Iterable[str]]
    run: Callable[[RelayQApp, str], Any]


class Entry(NamedTuple):
    """One line of the list: what it says, its key and command line, and what it does."""

    id: str
    label: str
    key: str
    note: str
    run: Callable[[], Any]


class Palette(Over):
    """A line to type in, and what it may mean."""

    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette > Vertical { width: 100; margin-top: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("pagedown", "move(10)", show=False, priority=True),
        Binding("pageup", "move(-10)", show=False, priority=True),
        Binding("tab", "complete", show=False, priority=True),
    ]

    columns = 100

    def __init__(self) -> None:
        super().__init__("Type an action or a command")
        known = [action for action in self.offered() if action.id != "palette"]
        self._actions = sorted(known, key=lambda action: action.context == "anywhere")
        self._entries: dict[str, Entry] = {}

    def answers(self) -> ComposeResult:
        """The line and the list."""
        box = Input()
        box.cursor_blink = False
        yield box
        yield self.listed()

    def on_mount(self) -> None:
        """Show everything."""
        self.query_one(Input).focus()
        self._show("")

    def action_move(self, lines: int) -> None:
        """Up and down the list while typing."""
        count = self.options.option_count
        if count:
            self.options.highlighted = max(0, min(count - 1, (self.options.highlighted or 0) + lines))

    def action_complete(self) -> None:
        """Let the line become what is under the cursor, as far as it is a command."""
        entry = self._here()
        if entry is not None and entry.id.startswith(":"):
            box = self.query_one(Input)
            box.value = entry.id[1:]
            box.cursor_position = len(box.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._run(self._here())

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._run(self._entries[str(event.option_id)])

    def _run(self, entry: Entry | None) -> None:
        if entry is None:
            return
        if entry.id.endswith(" "):
            self.action_complete()
        else:
            self.then(entry.run)

    def _here(self) -> Entry | None:
        highlighted = self.options.highlighted
        if highlighted is None:
            return None
        return self._entries[str(self.options.get_option_at_index(highlighted).id)]

    def _show(self, typed: str) -> None:
        found = list(self._found(typed))[:SHOWN]
        self._entries = {entry.id: entry for entry in found}
        self.options.clear_options()
        self.options.add_options(option(self._line(entry, self.room), self.room, entry.id) for entry in found)
        self.options.highlighted = 0 if found else None
        if not found:
            self.options.add_option(Option("nothing fits what is typed", disabled=True))

    def _found(self, typed: str) -> Iterator[Entry]:
        """What the line may mean: a command with its word, then actions and commands by their letters."""
        word, space, value = typed.lstrip().partition(" ")
        for command in COMMANDS:
            if space and command.word == word:
                yield from self._values(command, value.strip())
                return
        entries = [*map(self._of_action, self._actions), *map(self._of_command, COMMANDS)]
        ranked = ((rank(typed, entry.label), number, entry) for number, entry in enumerate(entries))
        yield from (entry for score, _, entry in sorted(ranked, key=lambda one: one[:2]) if score < MISS)

    def _values(self, command: Command, typed: str) -> Iterator[Entry]:
        known = [value for value in command.values(self.rq.store) if typed.lower() in value.lower()]
        wanted = [typed] if typed and typed not in known and command.takes == "QUERY" else []
        for value in [*wanted, *known]:
            run = _call(command.run, self.rq, value)
            yield Entry(f":{command.word} {value}", f"{command.word} {value}", "", command.about, run)

    def _of_action(self, action: Action) -> Entry:
        def run() -> Any:
            return self.app.run_action(action.handler_on_screen)

        return Entry(action.id, action.label, shown_key(self.rq.key_of(action)), action.twin, run)

    def _of_command(self, command: Command) -> Entry:
        return Entry(f":{command.word} ", f"{command.word} {command.takes}", "", command.about, lambda: None)

    def _line(self, entry: Entry, width: int) -> Line:
        p = self.rq.palette
        line = Line().add(f"{entry.label:<26}", p.text).add(entry.key, p.accent)
        room = width - line.width - 2
        return line.right(f"  {entry.note}" if len(entry.note) <= room else "", p.dim)


MISS = 9


def rank(typed: str, label: str) -> int:
    """How well the label fits what was typed, 0 best, MISS not at all."""
    wanted, offered = typed.lower().strip(), label.lower()
    if not wanted or offered.startswith(wanted):
        return 0
    if f" {wanted}" in offered:
        return 1
    if wanted in offered:
        return 2
    letters = iter(offered)
    return 3 if all(letter in letters for letter in wanted) else MISS


def _call(do: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: do(*arguments)


def _queues(store: Store) -> Sequence[str]:
    return sorted({row.queue for row in store.newest[:SEEN_JOBS]}.union(store.counts.paused))


def _jobs(app: RelayQApp, query: str) -> None:
    app.action_screen("jobs")
    app.call_after_refresh(app.run_action, f"screen.ask({query!r})")


def _job(app: RelayQApp, words: str) -> None:
    app.action_push("job", words.rpartition(" ")[2], "log")


async def _pause(app: RelayQApp, queue: str) -> None:
    await app.order(Order(verb="pause", ids=(queue,)))


async def _resume(app: RelayQApp, queue: str) -> None:
    await app.order(Order(verb="resume", ids=(queue,)))


COMMANDS: tuple[Command, ...] = (
    Command("jobs", "QUERY", "relayq jobs 'QUERY'", lambda _: ("state:failed", "state:running"), _jobs),
    Command("worker", "NAME", "relayq workers", lambda store: sorted(store.workers),
            lambda app, name: app.action_push("worker", name)),
    Command("queue.pause", "QUEUE", "relayq queue pause QUEUE", _queues, _pause),
    Command("queue.resume", "QUEUE", "relayq queue resume QUEUE", _queues, _resume),
)  # fmt: skip
