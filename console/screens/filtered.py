"""What screens with a list and a box of words to filter it share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events

from console import commands
from console.screens.base import ConsoleScreen

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.widgets import Input


def box_of_enter(screen: Screen[None], event: events.Key | events.Paste) -> Input | None:
    """The filter's box, when this is an enter in it."""
    from textual.widgets import Input

    focused = screen.focused
    is_enter = isinstance(event, events.Key) and event.key == "enter"
    return focused if is_enter and isinstance(focused, Input) and focused.id == "filter-box" else None


class FilteredScreen(ConsoleScreen):
    """A screen whose list shows only what has all of `words` in it. Subclasses say what is filtered."""

    FILTERS: ClassVar[str] = ""
    """Selector of the list, above which the box opens."""
    FILTER_HINT: ClassVar[str] = "words …"

    def __init__(self) -> None:
        super().__init__()
        self.words = ""

    def show_filtered(self) -> None:
        """Show what `words` let through."""
        raise NotImplementedError

    def offers(self, command: commands.Command) -> bool:
        return command.id != "filter" or not any(box.has_focus for box in self.query("#filter-box"))

    async def action_filter(self) -> None:
        """Open the box; what is typed applies at once, enter keeps it, esc clears it.

        The box has the focus when this returns: what is typed right behind the key is text.
        """
        from textual.widgets import Input

        found = list(self.query("#filter-box").results(Input))
        if not found:
            found = [Input(self.words, placeholder=self.FILTER_HINT, id="filter-box", select_on_focus=False)]
            await self.mount(found[0], before=self.FILTERS)
        self.set_focus(found[0])
        # At once: selected when the focus is told of, the first letter typed would be replaced by the second.
        found[0].select_all()

    def before_typing(self, event: events.Key | events.Paste) -> bool:
        """An enter in the box keeps what stands there now: the next key is for the list that it leaves."""
        box = box_of_enter(self, event)
        if box is None:
            return False
        self.words = box.value.strip()
        self.show_filtered()
        return self._close_box()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.display:
            self.words = event.value.strip()
            self.show_filtered()

    def on_input_submitted(self) -> None:
        self._close_box()

    def _close_box(self) -> bool:
        box = self.query("#filter-box")
        if not box:
            return False
        box.set(display=False).remove()
        self.query_one(self.FILTERS).focus()
        return True

    def has_step_back(self) -> bool:
        return bool(self.query("#filter-box")) or bool(self.words)

    def go_back(self) -> bool:
        """Close the box and clear the filter before the screen is left."""
        if not self._close_box() and not self.words:
            return False
        self.words = ""
        self.show_filtered()
        return True
