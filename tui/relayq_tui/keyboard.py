"""One key after the other: a key is looked at when the one before has done all that it does.

Textual hands a key to the widget that has the focus and looks at the next one at once. A
key that opens a box moves the focus only a little later, and on a slow line keys come in
bursts: of `/Kiosk`, typed quickly, the K would not be a letter in the box but the order
to kill what is under the cursor. So the keys that come meanwhile are kept. Behind each
key a message takes the same way up to the app; where it has come through, and the screen
that is on top by then has set its focus, it is the turn of the next. It goes two laps,
for a key may send a message of its own: the one that a box has been left. A key that is
held down waits for nothing: whatever it does once, it does again. Nothing waits for one
that only moves a cursor.
"""

from __future__ import annotations

import asyncio
from collections import deque

from textual import events
from textual.app import App
from textual.keys import _character_to_key
from textual.message import Message
from textual.widgets import Input

LAPS = 2
MOVES = frozenset({"j", "k", "down", "up", "pagedown", "pageup"})
PATIENCE_S = 1.0  # a widget that was taken away in between passes nothing on


class Keyboard(App[None]):
    """An app that takes its keys one by one."""

    def __init__(self) -> None:
        super().__init__(watch_css=False)
        self._typed: deque[events.Key] = deque()
        self._turn, self._key = 0, ""
        self._is_taken = False

    class Done(Message):
        """Whatever the key of this turn does has been done."""

        def __init__(self, turn: int, laps: int) -> None:
            self.turn = turn
            self.laps = laps
            super().__init__()

    @property
    def has_keys_waiting(self) -> bool:
        """Is there a key that has not done all that it does?"""
        return self._is_taken

    async def on_event(self, event: events.Event) -> None:
        """Keep a key for its turn; anything else goes its usual way."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        if event.key in MOVES and not self._is_taken and not isinstance(self.focused, Input):
            await super().on_event(event)
            return
        for one in self._as_typed(event):
            is_held_down = one.key == self._key and not self._typed
            if self._is_taken and not is_held_down:
                self._typed.append(one)
            else:
                await self._take(one)

    def _as_typed(self, event: events.Key) -> list[events.Key]:
        """Escape and a letter right behind it look like that letter with Alt, which nothing here wants."""
        letter = event.character or ""
        if not event.key.startswith("alt+") or not letter.isprintable() or event.key in self.active_bindings:
            return [event]
        name = letter if letter.isalnum() else _character_to_key(letter)
        return [events.Key("escape", "\x1b"), events.Key(name, letter)]

    async def _take(self, event: events.Key) -> None:
        """Let the key do what it does, and send word behind it."""
        self._is_taken, self._turn, self._key = True, self._turn + 1, event.key
        taker = self.focused or self.screen
        asyncio.get_running_loop().call_later(PATIENCE_S, self._settle, self._turn, 0)
        await super().on_event(event)
        if not taker.post_message(self.Done(self._turn, LAPS)):
            self._settle(self._turn, LAPS - 1)

    def on_keyboard_done(self, message: Done) -> None:
        """The key has come through; what it asked to be done a little later stands behind it in the line."""
        self.call_later(self._settle, message.turn, message.laps - 1)

    def _settle(self, turn: int, laps: int) -> None:
        """Wait for the screen on top: one that was opened just now has no focus yet."""
        if turn == self._turn and self._is_taken and self.screen_stack:
            self.screen.call_later(self.call_later, self._go_on, turn, laps)

    async def _go_on(self, turn: int, laps: int) -> None:
        """Another lap, or the next key."""
        if turn != self._turn or not self._is_taken:
            return
        taker = self.focused or self.screen
        if laps and taker.post_message(self.Done(turn, laps)):
            return
        if self._typed:
            await self._take(self._typed.popleft())
        else:
            self._is_taken = False
