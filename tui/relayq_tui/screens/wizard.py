"""The first run: nothing is set up, so ask what is wanted before anything is started or written.

A small app of its own that ends with a choice: a private hub and a worker here, a hub
elsewhere whose address is tried at once, or the demo.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.padding import Padding
from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.filter import LineFilter
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from relayq.errors import RelayQError
from relayq_tui import theme
from relayq_tui.setup import Choice, probe, remember, start_here

if TYPE_CHECKING:
    from relayq.config import Config

WAYS = (
    ("local", "Start here", "a private hub and one worker on this machine; no port is opened"),
    ("join", "Join a hub", "you have the address of one: redis://, rediss:// or unix://"),
    ("demo", "Look around", "a made-up home with a few machines; nothing is started"),
)
WELCOME = "RelayQ: a job queue for the machines you already own."
NO_ADDRESS = "this is no redis://, rediss:// or unix:// address; a join string goes into: relayq join -"
HEIGHTS = [(0, "-low"), (20, "-tall")]
ADDRESS = "rediss://user:password@vm.example:6379"


class Wizard(App[Choice]):
    """Three ways to begin."""

    ENABLE_COMMAND_PALETTE = False
    VERTICAL_BREAKPOINTS = HEIGHTS
    CSS_PATH = "../relayq.tcss"
    CSS = """
    Wizard Screen { align: center middle; }
    #box { width: 84; max-width: 100%; height: auto; max-height: 100%; padding: 1 2; }
    .-low #box { padding: 0 1; }
    .-low #box OptionList { margin: 0; }
    .-low #none { display: none; }
    #box { background: $panel; border: solid $primary; }
    #box OptionList { height: auto; margin: 1 0; }
    #box Input { display: none; margin-top: 1; background: $background; }
    #box.-joining Input { display: block; }
    #box.-joining OptionList { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", show=False),
        Binding("ctrl+q", "quit", show=False),
    ]

    def __init__(self, config: Config, style: str = "dark", *, is_ascii: bool = False) -> None:
        os.environ.pop("NO_COLOR", None)  # the theme `mono` draws without any colour
        super().__init__(watch_css=False)
        self._config = config
        self._style, self._is_ascii = style, is_ascii
        self.palette = theme.PALETTES[style]
        self._tried = ""

    def compose(self) -> ComposeResult:
        """A box in the middle."""
        with Vertical(id="box"):
            yield Static(WELCOME, markup=False)
            yield Static("\nNo hub is configured on this machine yet.", id="none", markup=False)
            yield OptionList(*(self._option(*way) for way in WAYS), markup=False)
            box = Input(placeholder=ADDRESS)
            box.cursor_blink = False
            yield box
            yield Static(id="said", markup=False)

    def on_mount(self) -> None:
        """Look as the screens do."""
        for one in theme.THEMES:
            self.register_theme(one)
        self.theme = self._style
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self.exit)
        self.query_one(OptionList).focus()
        self._say("enter chooses, esc leaves")

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What the theme does to every line."""
        filters = list(super().get_line_filters())
        if self._is_ascii:
            filters.append(theme.PlainLetters())
        return [*filters, theme.FILTERS[self.theme]] if self.theme in theme.FILTERS else filters

    async def action_back(self) -> None:
        """From the address to the ways, from the ways out."""
        box = self.query_one("#box")
        if not box.has_class("-joining"):
            self.exit()
        box.remove_class("-joining")
        self.query_one(OptionList).focus()
        self._say("enter chooses, esc leaves")

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        match event.option_id:
            case "local":
                self._start_here()
            case "join":
                self.query_one("#box").add_class("-joining")
                self.query_one(Input).focus()
                self._say("enter tries the address, esc goes back")
            case _:
                self.exit(Choice("demo"))

    @work(exclusive=True)
    async def _start_here(self) -> None:
        self._say("starting a hub and a worker...")
        try:
            await asyncio.to_thread(start_here, self._config)
        except RelayQError as error:
            self._say(str(error), is_bad=True)
        else:
            self.exit(Choice("local"))

    @on(Input.Changed)
    def _typed(self) -> None:
        self._tried = ""

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        url = event.value.strip()
        if url and url == self._tried:
            self._join(url)
        elif url and "://" not in url:  # which may be a secret: it is not repeated
            self._say(NO_ADDRESS, is_bad=True)
        elif url:
            self._try(url)

    @work(exclusive=True)
    async def _try(self, url: str) -> None:
        self._say("trying it...")
        answer = await probe(url, self._config.fleet)
        self._tried = url if answer.is_good else ""
        what = "enter remembers the address and goes there" if answer.is_good else "enter tries it again"
        self._say(f"{answer.sentence}\n{what}, esc goes back", is_bad=not answer.is_good)

    def _join(self, url: str) -> None:
        try:
            remember(self._config, url)
        except RelayQError as error:
            self._say(str(error), is_bad=True)
        else:
            self.exit(Choice("join", url))

    def _say(self, sentence: str, *, is_bad: bool = False) -> None:
        style = self.palette.bad if is_bad else self.palette.head
        self.query_one("#said", Static).update(Text(sentence, style))

    def _option(self, id: str, title: str, about: str) -> Option:
        told = Padding(Text(about, self.palette.head), (0, 0, 0, 2))
        return Option(Group(Text(title, self.palette.strong), told), id=id)
