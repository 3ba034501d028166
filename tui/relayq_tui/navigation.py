"""Getting about: one screen at the bottom, whatever is open over it, and the way back."""

from __future__ import annotations

from typing import Any

from relayq_tui.keyboard import Keyboard
from relayq_tui.screens import SCREENS, screen_class, tabs
from relayq_tui.screens.base import HubScreen


class Navigation(Keyboard):
    """An app of screens that are kept when they are left, and others that are opened over them."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, HubScreen] = {}

    def tabs(self) -> list[tuple[int, str, bool]]:
        """(number key, name, is it here) of each tab."""
        here = self.screen_stack[1] if len(self.screen_stack) > 1 else None
        return [(number, name, here is not None and self._kept.get(name) is here) for number, name in tabs()]

    def action_screen(self, name: str) -> None:
        """Show one of the screens; what is open over the one before is closed."""
        if name not in SCREENS:
            return
        screen = self._kept.get(name)
        if screen is None:
            screen = self._kept[name] = screen_class(name)()
            self.install_screen(screen, name)
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if screen is self.screen:
            return
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def action_push(self, name: str, *arguments: Any) -> None:
        """Open a screen over this one."""
        if name in SCREENS:
            self.push_screen(screen_class(name)(*arguments))

    async def action_back(self) -> None:
        """Close what is open over a screen; on the screen itself, clear what was typed or marked.

        It never leaves: on a slow line half of an arrow key is an escape.
        """
        if len(self.screen_stack) > 2:
            self.pop_screen()
        elif isinstance(self.screen, HubScreen):
            self.screen.clear()

    async def action_close(self) -> None:
        """Close what is open over a screen; on the screen itself, leave."""
        if len(self.screen_stack) > 2:
            self.pop_screen()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Leave; what waits for its grace is carried out on the way out."""
        self.exit()
