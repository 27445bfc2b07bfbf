"""A list that draws only the lines on screen, with a cursor that stays on the same key.

Subclasses say how one item looks; the list holds keys, moves the cursor and posts messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from widgets.paint import style_of

Piece = tuple[str, str]
"""Text of fixed width and the name of its paint (empty for the plain colour)."""


class VirtualList(ScrollView, can_focus=True):
    """One line an item; 5,000 items cost as much as the 20 in sight."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor(-1)", "up", show=False, id="list.up"),
        Binding("down,j", "cursor(1)", "down", show=False, id="list.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="list.page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="list.page-down"),
        Binding("home,g", "edge(-1)", "first", show=False, id="list.first"),
        Binding("end,G", "edge(1)", "last", show=False, id="list.last"),
    ]

    DEFAULT_CSS = """
    VirtualList {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    SHOWS_CURSOR: ClassVar[Literal["always", "focused", "never"]] = "always"
    """When the line of the cursor is painted as such."""

    cursor: reactive[int] = reactive(0, repaint=False)
    """Index of the line under the cursor; 0 also when there is no line."""

    class CursorMoved(Message):
        """The cursor is on another item, or the item under it changed."""

        def __init__(self, sender: VirtualList, key: str | None) -> None:
            super().__init__()
            self.sender = sender
            self.key = key

        @property
        def control(self) -> VirtualList:
            return self.sender

    class Chosen(Message):
        """An item was clicked while the cursor was on it already."""

        def __init__(self, sender: VirtualList, key: str) -> None:
            super().__init__()
            self.sender = sender
            self.key = key

        @property
        def control(self) -> VirtualList:
            return self.sender

    def __init__(
        self, *, id: str | None = None, classes: str | None = None, empty_text: str = "Nothing to show."
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._keys: Sequence[str] = ()
        self._index_of: dict[str, int] = {}
        self._empty_text = empty_text
        self._strips: LRUCache[tuple[int, int, bool, bool], Strip] = LRUCache(512)

    # --- for subclasses ---------------------------------------------------------------------------------

    def line(self, index: int, width: int) -> list[Piece]:
        """The pieces of one item; together as wide as `width` or less."""
        raise NotImplementedError

    # --- API --------------------------------------------------------------------------------------------

    @property
    def keys(self) -> Sequence[str]:
        return self._keys

    @property
    def cursor_key(self) -> str | None:
        """Key of the item under the cursor; None when the list is empty."""
        return self._keys[self.cursor] if 0 <= self.cursor < len(self._keys) else None

    @property
    def empty_text(self) -> str:
        return self._empty_text

    @empty_text.setter
    def empty_text(self, text: str) -> None:
        if text != self._empty_text:
            self._empty_text = text
            self.redraw()

    def set_keys(self, keys: Sequence[str]) -> None:
        """Replace the items. The cursor stays on its key; where that is gone, on the same line."""
        before, line = self.cursor_key, self.cursor
        on_screen = line - self.scroll_offset.y
        self._keys = keys
        self._index_of = {key: index for index, key in enumerate(keys)}
        self._fit_virtual_size()
        self.redraw()
        index = self._index_of.get(before, line) if before is not None else 0
        index = max(0, min(index, len(keys) - 1))
        moved = index != self.cursor
        self.set_reactive(VirtualList.cursor, index)
        if moved and 0 <= on_screen < self.size.height:
            self.scroll_to(y=max(0, index - on_screen), animate=False, force=True, immediate=True)
        self._show_cursor()
        self.post_message(self.CursorMoved(self, self.cursor_key))

    def move_to(self, key: str) -> bool:
        """Put the cursor on the item of that key; False when it is not in the list."""
        index = self._index_of.get(key)
        if index is None:
            return False
        self.cursor = index
        return True

    def redraw(self) -> None:
        """Draw every visible line anew: what the items look like has changed."""
        self._strips.clear()
        self.refresh()

    # --- cursor -----------------------------------------------------------------------------------------

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, len(self._keys) - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        self.refresh_line(old)
        self.refresh_line(new)
        self._show_cursor()
        self.post_message(self.CursorMoved(self, self.cursor_key))

    def _show_cursor(self) -> None:
        height, top = self.size.height, self.scroll_offset.y
        if height <= 0:
            return
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True, immediate=True)

    def action_cursor(self, step: int) -> None:
        self.cursor += step

    def action_page(self, direction: int) -> None:
        self.cursor += direction * max(1, self.size.height - 1)

    def action_edge(self, direction: int) -> None:
        self.cursor = 0 if direction < 0 else len(self._keys) - 1

    def on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y
        if event.button != 1 or not 0 <= index < len(self._keys):
            return
        if index == self.cursor and event.chain == 2:
            self.post_message(self.Chosen(self, self._keys[index]))
        self.cursor = index

    # --- drawing ----------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        del event
        self._fit_virtual_size()
        self.redraw()
        self._show_cursor()

    def _fit_virtual_size(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._keys))

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def on_focus(self) -> None:
        self.redraw()

    def on_blur(self) -> None:
        self.redraw()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        if not 0 <= index < len(self._keys):
            text = f" {self._empty_text}" if index == 0 else ""
            return Strip([Segment(text, self._muted())]).adjust_cell_length(width, self.rich_style)
        is_cursor = index == self.cursor
        cache_key = (index, width, is_cursor, self.has_focus)
        strip = self._strips.get(cache_key)
        if strip is None:
            strip = self._draw(index, width, is_cursor=is_cursor)
            self._strips[cache_key] = strip
        return strip

    def _draw(self, index: int, width: int, *, is_cursor: bool) -> Strip:
        base, pieces = self.rich_style, self.line(index, width)
        paint = self._cursor_paint() if is_cursor else ""
        if paint:
            base += style_of(self, paint)
            pieces = _marked(pieces) if self.app.no_color else pieces
        segments, used = [], 0
        for text, paint in pieces:
            segments.append(Segment(text, base + style_of(self, paint)))
            used += cell_len(text)
        return Strip(segments, used).adjust_cell_length(width, base)

    def _cursor_paint(self) -> str:
        """How the line of the cursor is painted; empty where it is not shown."""
        if self.has_focus and self.SHOWS_CURSOR != "never":
            return "list--cursor"
        return "list--cursor-blurred" if self.SHOWS_CURSOR == "always" else ""

    def _muted(self) -> Style:
        return self.rich_style + style_of(self, "tone--muted")


def _marked(pieces: list[Piece]) -> list[Piece]:
    """The line of the cursor where there are no colours: a sign in place of the space that it begins with."""
    (text, paint), *rest = pieces or [("", "")]
    return [(f"▸{text[1:]}", paint), *rest] if text.startswith(" ") else pieces
