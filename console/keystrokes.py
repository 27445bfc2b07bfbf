"""Keys take effect in the order in which they were typed, each on what the one before it brought about.

Textual hands a key to the widget that has the focus when it arrives and looks its binding up when it has come
back; of a burst (a slow line, a paste, quick fingers) the first key may open a question while the others are
with the old screen already, and lost. Here a key is run before the next one is looked at, and a screen is
awaited with its focus; so is what is typed into a text box: an enter finds there what was typed before it,
and nothing that was typed behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from textual import events
from textual.app import App
from textual.widgets import Input

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.screen import Screen

ReturnType = TypeVar("ReturnType")


@runtime_checkable
class Question(Protocol):
    """A screen that wants to see what is typed before it takes effect."""

    def before_typing(self, event: events.Key | events.Paste) -> bool:
        """Whether it was taken; the focus may be put where it belongs."""


@runtime_checkable
class Telling(Protocol):
    """A screen that says why a key does nothing."""

    def tell_idle(self, key: str) -> None:
        """Say it, where there is something to say."""


class KeystrokesApp(App[ReturnType]):
    """An App whose keys take effect one after the other."""

    ENABLE_COMMAND_PALETTE = False
    """Textual's own key for it does not wait for its box."""

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        for typed in self._meant(event):
            if not await self._take_typing(typed):
                await super().on_event(typed)

    def _meant(self, event: events.Key | events.Paste) -> tuple[events.Key | events.Paste, ...]:
        """What was meant by this key: a terminal sends esc and a letter right behind it as one key with alt,
        and a box keeps ctrl+c to copy with, also where nothing is selected: there it leaves, as esc does."""
        if isinstance(event, events.Paste) or not self.screen_stack:
            return (event,)
        if event.key == "ctrl+c" and isinstance(self.focused, Input) and self.focused.selection.is_empty:
            return (events.Key("escape", "\x1b"),)
        if event.key.startswith("alt+") and event.key not in self.screen.active_bindings:
            name = event.character or event.key.removeprefix("alt+")
            return (events.Key("escape", "\x1b"), events.Key(name, event.character))
        return (event,)

    async def _take_typing(self, event: events.Key | events.Paste) -> bool:
        """Run a key's binding, or write it into its box, now; False where it is left to Textual: all while
        another window has the focus."""
        if not self.app_focus or not self.screen_stack:
            return False
        if isinstance(self.screen, Question) and self.screen.before_typing(event):
            return True
        text = (
            event.text if isinstance(event, events.Paste) else event.character if event.is_printable else None
        )
        if isinstance(self.focused, Input) and text is not None:
            _write(self.focused, text)
            return True
        if isinstance(event, events.Paste):
            return False
        bound = self.screen.active_bindings.get(event.key)
        if bound is None or not bound.enabled:
            if isinstance(self.screen, Telling):
                self.screen.tell_idle(event.key)
            return True
        return await self.run_action(bound.binding.action, bound.node)

    async def ask(self, question: Screen[bool], then: Callable[[bool | None], None]) -> None:
        """Show a question and call `then` with its answer. It has the focus when this returns: what was typed
        behind its key reaches it."""
        await self.push_screen(question, then)

    async def action_palette(self) -> None:
        """The palette; what is typed behind its key is searched for."""
        from textual.command import CommandPalette

        await self.push_screen(CommandPalette(id="--command-palette"))


def _write(box: Input, text: str) -> None:
    """Put this where the cursor is, as the box itself would: one line, in place of what is selected."""
    line = next(iter(text.splitlines()), "")
    if box.selection.is_empty:
        box.insert_text_at_cursor(line)
    else:
        box.replace(line, *box.selection)
