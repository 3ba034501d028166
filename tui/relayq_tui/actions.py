"""Everything a person can do in the terminal UI, as one table.

Key bindings, the footer, the help page, the palette, the `a` sheet, the key table of
the documentation and the test that each action has a twin on the command line are
all made from it. Lower case looks, UPPER case changes.

An action is carried out by `action_<handler>` of the screen that shows it, or of the
app. A screen without that method does not offer the action.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from textual.binding import Binding

CONTEXTS = (
    "anywhere", "list", "jobs", "job", "log", "workers", "timeline", "schedules", "budget", "events",
    "form",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that can be done.

    `keys` are separated by commas, the first is shown. `danger` is "" (looks), "undo"
    (changes; can be undone for five seconds) or "now" (changes for good). `needs` is what
    must be there: "", "job", "worker", "schedule". `cli` is the command line that does the
    same, with {ids}, {id}, {name}, {value} and {query} to be filled in. `rank` orders the
    footer; 0 stays out of it.
    """

    id: str
    keys: str
    label: str
    context: str
    handler: str
    danger: str = ""
    needs: str = ""
    cli: str = ""
    rank: int = 0

    @property
    def key(self) -> str:
        """The key that is shown."""
        return self.keys.split(",")[0]

    @property
    def handler_on_screen(self) -> str:
        """What a click on it does: Textual looks at the screen, `app.` at the app."""
        return ("app." if self.context == "anywhere" else "screen.") + self.handler

    @property
    def method(self) -> str:
        """The name of its handler, without the argument."""
        return self.handler.partition("(")[0]

    @property
    def argument(self) -> str:
        """What stands between the handler's brackets."""
        return self.handler.partition("(")[2].strip("')")

    @property
    def twin(self) -> str:
        """The command line that does the same, for people."""
        return self.cli.format(ids="ID...", id="ID", name="NAME", value="VALUE", query="QUERY")

    @property
    def changes(self) -> bool:
        """Does it change anything in the hub?"""
        return bool(self.danger)


def _look(id: str, keys: str, label: str, where: str, cli: str = "", rank: int = 0) -> Action:
    context, _, handler = where.partition(".")
    return Action(id=id, keys=keys, label=label, context=context, handler=handler, cli=cli, rank=rank)


def _change(id: str, keys: str, label: str, where: str, cli: str, rank: int = 0) -> Action:
    """`where` is context.handler:danger:needs."""
    place, danger, needs = where.split(":")
    context, _, handler = place.partition(".")
    return Action(
        id=id, keys=keys, label=label, context=context, handler=handler,
        danger=danger, needs=needs, cli=cli, rank=rank,
    )  # fmt: skip


ACTIONS: tuple[Action, ...] = (
    _look("screen.jobs", "1", "jobs", "anywhere.screen('jobs')", "relayq jobs"),
    _look("screen.workers", "2", "workers", "anywhere.screen('workers')", "relayq workers"),
    _look("screen.timeline", "3", "timeline", "anywhere.screen('timeline')", "relayq jobs --json"),
    _look("screen.schedules", "4", "schedules", "anywhere.screen('schedules')", "relayq schedule list"),
    _look("screen.budget", "5", "budget", "anywhere.screen('budget')", "relayq budget"),
    _look("screen.events", "6", "events", "anywhere.screen('events')"),
    _look("palette", ":,ctrl+p", "command", "anywhere.push('palette')", rank=20),
    _look("jump", ";", "jump", "anywhere.push('jump')"),
    _look("help", "?", "help", "anywhere.push('help')", "relayq --help", rank=99),
    _look("sheet", "a", "actions", "anywhere.push('sheet')", rank=80),
    _look("back", "escape", "back", "anywhere.back"),
    _look("close", "q", "back or quit", "anywhere.close"),
    _look("quit", "ctrl+q", "quit", "anywhere.leave"),
    _look("refresh", "r", "refresh", "anywhere.refresh_data"),
    _look("freeze", "p", "pause updates", "anywhere.freeze"),
    _look("times", "t", "time format", "anywhere.times"),
    _look("undo", "u", "undo", "anywhere.undo", rank=5),
    _look("submit", "o", "new job", "anywhere.push('submit')", "relayq submit -- COMMAND", rank=70),
    _look("next_pane", "tab", "next pane", "anywhere.focus_next"),
    _look("down", "j,down", "down", "list.down"),
    _look("up", "k,up", "up", "list.up"),
    _look("top", "g,home", "top", "list.top"),
    _look("bottom", "G,end", "bottom", "list.bottom"),
    _look("page_down", "pagedown,ctrl+d", "page down", "list.page_down"),
    _look("page_up", "pageup,ctrl+u", "page up", "list.page_up"),
    _look("filter", "/", "filter", "jobs.filter", "relayq jobs '{query}'", rank=10),
    _look("views", "F", "saved views", "jobs.next_view"),
    _look("open", "enter", "open", "jobs.open", "relayq show {id}", rank=40),
    _look("log", "l", "log", "jobs.log", "relayq logs {id}", rank=45),
    _look("details", "d", "details", "jobs.details", "relayq show {id}"),
    _look("explain", "i", "why", "jobs.explain", "relayq explain {id}"),
    _look("flow", "f", "flow", "jobs.flow"),
    _look("sort", "s", "sort column", "jobs.sort"),
    _look("zoom", "z", "zoom pane", "jobs.zoom"),
    _look("mark", "space", "mark", "jobs.mark", rank=30),
    _look("range", "v", "mark a range", "jobs.mark_range"),
    _look("mark_all", "*", "mark all matching", "jobs.mark_all"),
    _look("unmark", "U", "clear marks", "jobs.unmark"),
    _look("copy", "y", "copy", "jobs.copy", rank=90),
    _look("export", "x", "export", "jobs.export", "relayq jobs --json '{query}'"),
    _look("bell", "!", "bell when it ends", "jobs.bell", "relayq wait {id}"),
    _change("retry", "R", "retry", "jobs.retry:undo:job", "relayq retry {ids}", rank=50),
    _change("approve", "A", "approve", "jobs.approve:now:job", "relayq approve {id}"),
    _change("cancel", "C", "cancel", "jobs.cancel:undo:job", "relayq cancel {ids}", rank=55),
    _change("kill", "K", "kill", "jobs.kill:undo:job", "relayq cancel --kill {ids}"),
    _change("priority", "P", "priority", "jobs.priority:undo:job", "relayq reprioritise {id} {value}", 60),
    _change("edit", "E", "edit", "jobs.edit:undo:job", "relayq clone {id}", 65),
    _change("duplicate", "D", "duplicate", "jobs.duplicate:undo:job", "relayq clone {id}"),
    _change("hold", "H", "hold or release", "jobs.hold:undo:job", "relayq hold {ids}"),
    _change("forget", "X", "delete record", "jobs.forget:undo:job", "relayq forget {ids}"),
    _change("move", "M", "move to worker", "jobs.move:undo:job", "relayq clone --needs host={value} {id}"),
    _look("job.next", "tab", "next tab", "job.turn(1)", rank=8),
    _change("job.cancel_flow", "W", "cancel the flow", "job.cancel_flow:undo:job", "relayq cancel {ids}"),
    _look("job.previous", "shift+tab", "tab before", "job.turn(-1)"),
    _look("log.search", "/", "search", "log.search", "relayq logs {id}", rank=10),
    _look("log.next", "n", "next match", "log.next_match", rank=12),
    _look("log.previous", "N", "previous match", "log.previous_match"),
    _look("log.error", "e", "next error", "log.next_error", rank=14),
    _look("log.wrap", "w", "wrap", "log.wrap", rank=16),
    _look("log.times", "t", "times", "log.log_times", rank=18),
    _look("log.attempt_back", "[", "earlier attempt", "log.attempt(-1)"),
    _look("log.attempt_on", "]", "later attempt", "log.attempt(1)"),
    _look("log.minute_on", "m", "+1 minute", "log.seek(60)"),
    _look("log.minute_back", "M", "-1 minute", "log.seek(-60)"),
    _look("log.hour_on", "o", "+1 hour", "log.seek(3600)"),
    _look("log.hour_back", "O", "-1 hour", "log.seek(-3600)"),
    _look("log.day_on", "d", "+1 day", "log.seek(86400)"),
    _look("log.day_back", "D", "-1 day", "log.seek(-86400)"),
    _look("log.left", "h,left", "pan left", "log.pan(-8)"),
    _look("log.right", "l,right", "pan right", "log.pan(8)"),
    _change("worker.pause", "P", "pause", "workers.pause:undo:worker", "relayq quiet {name}", 50),
    _change("worker.stop", "S", "stop", "workers.stop:undo:worker", "relayq stop {name}", 55),
    _look("worker.labels", "T", "labels", "workers.labels", "relayq worker --labels LIST", rank=60),
    _look("worker.log", "l", "log", "workers.log", "relayq logs {id}", rank=45),
    _look("worker.open", "enter", "open", "workers.open", "relayq workers --json", rank=40),
    _look("worker.copy", "y", "copy", "workers.copy", rank=90),
    _look("time.left", "h,left", "earlier", "timeline.pan(-1)"),
    _look("time.right", "l,right", "later", "timeline.pan(1)"),
    _look("time.in", "+,=", "zoom in", "timeline.zoom_in", rank=20),
    _look("time.out", "-", "zoom out", "timeline.zoom_out", rank=21),
    _look("time.now", "0", "now", "timeline.now", rank=22),
    _look("time.group", "g", "group", "timeline.group", rank=35),
    _look("time.flow", "f", "flow", "timeline.flow", rank=40),
    _look("time.pane", "tab", "to the flow", "timeline.next_pane", rank=42),
    _look("time.replay", "r", "replay from here", "timeline.replay", rank=60),
    _look("time.export", "x", "export", "timeline.export", "relayq jobs --json", rank=65),
    _look("time.open", "enter", "open", "timeline.open", "relayq show {id}", rank=45),
    _look("schedule.open", "enter", "open last job", "schedules.open", rank=40),
    _change("schedule.run", "R", "run now", "schedules.run:now:schedule", "relayq schedule run {name}", 50),
    _change(
        "schedule.pause", "P", "pause", "schedules.pause:undo:schedule", "relayq schedule pause {name}", 55
    ),
    _change("schedule.edit", "E", "edit", "schedules.edit:undo:schedule", "relayq schedule edit {name}", 60),
    _change(
        "schedule.remove", "X", "remove", "schedules.remove:undo:schedule", "relayq schedule remove {name}"
    ),
    _change("budget.limit", "L", "set limit", "budget.limit:undo:", "relayq budget limit {value}", rank=30),
    _change("budget.ask", "R", "update", "budget.ask_github:now:", "relayq budget refresh", rank=35),
    _look("event.open", "enter", "open job", "events.open", "relayq show {id}", rank=40),
    _look("event.filter", "/", "filter", "events.filter", rank=10),
    _look("event.kind", "F", "kind", "events.next_kind", rank=20),
    _look("event.follow", "f", "follow", "events.top", rank=30),
    _look("form.next", "tab,down", "next field", "form.focus_on(1)", rank=20),
    _look("form.previous", "shift+tab,up", "field before", "form.focus_on(-1)", rank=22),
    _change("form.submit", "enter", "submit", "form.submit:undo:", "relayq submit -- COMMAND", rank=40),
    _look("form.copy", "y", "copy line", "form.copy_line", rank=50),
)


def shown_key(key: str) -> str:
    """A key as people write it."""
    return _KEYS.get(key, key.replace("ctrl+", "^"))


_KEYS = {"escape": "esc", "pageup": "PgUp", "pagedown": "PgDn"}


def of_context(*contexts: str) -> list[Action]:
    """The actions of these contexts, in the order of the table."""
    return [action for action in ACTIONS if action.context in contexts]


def offered(actions: Iterable[Action], screens: Container[str], *handlers: object) -> list[Action]:
    """Those of `actions` that one of `handlers` (screen, app) can carry out with these screens."""
    return [
        action
        for action in actions
        if any(hasattr(one, f"action_{action.method}") for one in handlers)
        and (action.method not in ("push", "screen") or action.argument in screens)
    ]


def bindings(actions: Iterable[Action]) -> list[Binding]:
    """Textual's bindings for these actions; a keymap gives other keys by action id."""
    return [
        Binding(
            action.keys, action.handler, action.label, id=action.id, show=False, priority=_comes_first(action)
        )
        for action in actions
    ]


def _comes_first(action: Action) -> bool:
    """Moving from field to field overtakes keys still to be typed, or a burst of them ends in one field."""
    return action.method == "focus_on"
