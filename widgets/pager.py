"""A scrolling page of lines that were laid out for its width: help, sources, long errors."""

from __future__ import annotations

from collections.abc import Callable

from widgets.lines import Line
from widgets.virtual_list import Piece, VirtualList


class Pager(VirtualList):
    """Shows what `layout(width)` answers; scrolled by the keys of a list."""

    SHOWS_CURSOR = "never"

    def __init__(self, layout: Callable[[int], list[Line]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._layout = layout
        self._page: list[Line] = []

    def on_mount(self) -> None:
        self.refill()

    def refill(self) -> None:
        """Lay the page out anew."""
        # Before the first layout it has no width yet: its first frame is for the whole screen, as it will be.
        width = self.scrollable_content_region.width or self.app.size.width
        self._page = self._layout(max(20, width))
        top = self.scroll_offset.y
        self.set_keys([str(number) for number in range(len(self._page))])
        self.scroll_to(y=top, animate=False, force=True, immediate=True)

    def action_cursor(self, step: int) -> None:
        self.scroll_relative(y=step, animate=False)

    def action_page(self, direction: int) -> None:
        self.scroll_relative(y=direction * max(1, self.size.height - 1), animate=False)

    def action_edge(self, direction: int) -> None:
        self.scroll_to(y=0 if direction < 0 else self.virtual_size.height, animate=False)

    def _on_resize(self, event: object) -> None:
        del event
        self.refill()

    def line(self, index: int, width: int) -> list[Piece]:
        del width
        return self._page[index]
