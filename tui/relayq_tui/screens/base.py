"""What all screens share: the header, the status line and the keys, and when to draw.

A screen says with `contexts` whose actions are its own, yields its widgets in `body`
and draws in `show`, which is called at most ten times a second, only while it is
on top, with what has changed; coming back, it is shown everything. It never asks the
hub by itself on a timer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.messages import Prune
from textual.screen import Screen

from relayq_tui.actions import Action, bindings, of_context, offered
from relayq_tui.screens import SCREENS
from relayq_tui.store import Changes, Store
from relayq_tui.widgets.frame import Header, Keys, Status, TooSmall

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

EVERYTHING = frozenset(
    {"jobs", "workers", "counts", "series", "connection", "events", "schedules", "budget", "clock"}
)


class HubScreen(Screen[None]):
    """A screen of the frame. `contexts` are the contexts of its actions besides `anywhere`."""

    contexts: ClassVar[tuple[str, ...]] = ()
    label: ClassVar[str] = ""
    AUTO_FOCUS = ""

    def __init_subclass__(cls) -> None:
        cls.BINDINGS = list(bindings(of_context(*cls.contexts)))
        super().__init_subclass__()

    @property
    def rq(self) -> RelayQApp:
        """The app, as what it is."""
        return cast("RelayQApp", self.app)

    @property
    def store(self) -> Store:
        """What the feed has said."""
        return self.rq.store

    def compose(self) -> ComposeResult:
        """The frame around `body`."""
        yield TooSmall()
        yield Header()
        with Vertical(id="body"):
            yield from self.body()
        yield Status()
        yield Keys()

    def body(self) -> ComposeResult:
        """The widgets of this screen."""
        yield from ()

    def show(self, changes: Changes) -> None:
        """Draw what has changed."""

    @property
    def still_s(self) -> int:
        """How many seconds it may be left as it is drawn, with nothing happening: some times go on."""
        return 1

    def hold(self) -> None:
        """Updates are paused: nothing that is drawn here may change by itself."""

    def clear(self) -> None:
        """Take back what was typed or marked here; where nothing was, say how to leave."""
        self.rq.say(f"{self.rq.key_named('close')} leaves")

    def actions(self) -> list[Action]:
        """What can be done here, for footer, help and palette."""
        return offered(of_context(*self.contexts, "anywhere"), SCREENS, self, self.app)

    def draw(self, changes: Changes) -> None:
        """Draw the frame and what has changed; called by the app. All is drawn when all is there."""
        if not (self.is_mounted and self.is_attached):
            return
        self.query_one(Header).draw(changes)
        self.query_one(Status).update()
        self.query_one(Keys).update()
        self.show(changes)
        self.rq.keep_time()

    def on_mount(self) -> None:
        """Draw everything once."""
        self.call_after_refresh(self.draw_all)

    def on_screen_resume(self) -> None:
        """Other screens were on top: what was drawn here is old."""
        self.draw_all()

    async def on_prune(self, event: Prune) -> None:
        """It is being closed: whatever is still on its way to it has nothing to be shown in any more."""
        self.workers.cancel_node(self)

    def draw_all(self) -> None:
        """Draw everything as it is now."""
        self.draw(Changes(parts=set(EVERYTHING), all_jobs=True))
