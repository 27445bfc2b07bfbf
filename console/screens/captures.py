"""Captures: a time line, either side at any instant, and what changed between two of them or until now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from console import commands
from console.capture_lines import change_lines, side_lines, total_words
from console.faults import as_error
from console.screens.base import ConsoleScreen
from console.screens.filtered import FilteredScreen
from sync.changes import Change, changes
from sync.errors import AbreastError
from sync.model import Side
from widgets.capture_list import CaptureLine, CaptureList, TimeLine
from widgets.cells import fit
from widgets.lines import Line, Lines, spread
from widgets.pager import Pager
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from sync.capture import Capture
    from sync.capture_store import CaptureEntry

_SHOWN = {"desired.projects": "projects", "actual.domains": "domains", "actual.vms": "VMs"}
"""What the list counts: names of lists → nouns."""
_NOW = ""
"""Key of the line for what is there now."""


class CapturesScreen(ConsoleScreen):
    """All captures of this environment."""

    SCOPE = "captures"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("captures")]
    AUTO_FOCUS = "#captures"
    HAS_NOW: ClassVar[bool] = True
    """Whether what is there now is a line of the list."""

    class EntriesListed(Message):
        """The captures were listed."""

        def __init__(self, generation: int, entries: Sequence[CaptureEntry]) -> None:
            super().__init__()
            self.generation = generation
            self.entries = entries

    class NotListed(Message):
        """The captures could not be listed."""

        def __init__(self, generation: int, error: AbreastError) -> None:
            super().__init__()
            self.generation = generation
            self.error = error

    class InstantRead(Message):
        """A capture was read, to be shown."""

        def __init__(self, generation: int, capture: Capture) -> None:
            super().__init__()
            self.generation = generation
            self.capture = capture

    class Compared(Message):
        """Two captures were compared."""

        def __init__(self, generation: int, before: Capture, after: Capture, found: Sequence[Change]) -> None:
            super().__init__()
            self.generation = generation
            self.before = before
            self.after = after
            self.found = found

    class NotRead(Message):
        """Captures could not be read, to be shown or compared."""

        def __init__(self, generation: int, error: AbreastError) -> None:
            super().__init__()
            self.generation = generation
            self.error = error

    def __init__(self) -> None:
        super().__init__()
        self._listing = 0
        self._opening = 0
        """Generations of the list and of what was opened last; what is older is dropped."""

    def body(self) -> ComposeResult:
        yield TimeLine()
        yield CaptureList(id="captures")

    def on_mount(self) -> None:
        self.list = self.query_one(CaptureList)
        self.follow("last_capture", lambda _: self._list())

    # --- in threads ---------------------------------------------------------------------------------------

    def _list(self) -> None:
        captures = self.console.session.captures
        self._listing += 1
        generation = self._listing

        def work() -> Message:
            return self.EntriesListed(generation, captures.history.entries() if captures.exist else ())

        self._thread(work, partial(self.NotListed, generation), "listing the captures")

    def _captured_now(self) -> Capture | None:
        app = self.console
        if app.desired is None or app.actual is None:
            return None
        capture: Capture = app.session.captures.make(app.desired, app.actual)
        return capture

    def _reader(self, key: str) -> Callable[[], Capture]:
        """How the capture of a line is come by, in a thread."""
        now = self._captured_now()
        if key == _NOW and now is not None:
            return lambda: now

        def read() -> Capture:
            capture: Capture = self.console.session.captures.history.read(int(key))
            return capture

        return read

    def _open(self, work: Callable[[int], Message], doing: str) -> None:
        """Read what is to be shown; `work` is given the generation of its message."""
        self._opening += 1
        generation = self._opening
        self._thread(lambda: work(generation), partial(self.NotRead, generation), doing)

    def _thread(
        self, work: Callable[[], Message], broke: Callable[[AbreastError], Message], doing: str
    ) -> None:
        def guarded() -> None:
            try:
                message = work()
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = broke(as_error(error, doing=doing))
            self.post_message(message)

        self.console.run_in_background(guarded, name=doing)

    # --- what came back -----------------------------------------------------------------------------------

    @on(EntriesListed)
    def _take_entries(self, message: EntriesListed) -> None:
        if message.generation != self._listing:
            return
        app = self.console
        # Of the first one nothing tells what changed.
        lines = [_line(entry, is_first=number == 0) for number, entry in enumerate(message.entries)][::-1]
        # In a replay, what is read is one of the captures.
        has_now = self.HAS_NOW and not app.session.is_replay
        if app.desired is not None and app.actual is not None and has_now:
            counts = {
                "projects": len(app.desired.projects),
                "domains": len(app.actual.domains),
                "VMs": len(app.actual.vms),
            }
            is_complete = app.desired.coverage.is_complete and app.actual.coverage.is_complete
            words = "complete" if is_complete else "partial"
            taken_at = max(app.desired.taken_at, app.actual.taken_at)
            lines.insert(0, CaptureLine(_NOW, taken_at, words, counts, is_complete=is_complete))
        self.list.empty_text = "Nothing was captured yet."
        self.list.show(lines, app.utc_clock())
        self.query_one(TimeLine).show(lines)

    @on(NotListed)
    def _take_no_list(self, message: NotListed) -> None:
        if message.generation == self._listing:
            self._say(message.error)

    @on(NotRead)
    def _take_breakage(self, message: NotRead) -> None:
        if message.generation == self._opening:
            self._say(message.error)

    def _say(self, error: AbreastError) -> None:
        self.list.empty_text = "The captures could not be read."
        self.query_one(TimeLine).say(str(error), "tone--bad")

    def _is_waited_for(self, generation: int) -> bool:
        """Whether nothing else was opened since, and nobody has gone on to another screen."""
        return generation == self._opening and self.is_current

    @on(InstantRead)
    def _show_instant(self, message: InstantRead) -> None:
        if self._is_waited_for(message.generation):
            self.app.push_screen(InstantScreen(message.capture))

    @on(Compared)
    def _show_changes(self, message: Compared) -> None:
        if self._is_waited_for(message.generation):
            self.app.push_screen(ChangesScreen(message.before, message.after, message.found))

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        if command.id in ("instant", "mark", "compare"):
            return self.is_mounted and self.list.current is not None
        return True

    @on(VirtualList.CursorMoved)
    def _show_offers(self) -> None:
        self.refresh_bindings()

    @on(VirtualList.Chosen)
    def _open_clicked(self) -> None:
        self.action_open_instant()

    def action_open_instant(self) -> None:
        line = self.list.current
        if line is not None:
            read = self._reader(line.key)
            self._open(lambda generation: self.InstantRead(generation, read()), "reading a capture")

    def action_mark(self) -> None:
        line = self.list.current
        if line is not None:
            self.list.mark(None if self.list.marked == line.key else line.key)

    def action_compare(self) -> None:
        """The marked capture with the one under the cursor; without a mark, with the one before it."""
        keys, here = list(self.list.keys), self.list.cursor
        other = keys.index(self.list.marked) if self.list.marked in keys else here + 1
        if other == here or not 0 <= other < len(keys):
            self.console.notify("Mark another capture to compare with.")
            return
        # The newest is on top.
        earlier, later = self._reader(keys[max(here, other)]), self._reader(keys[min(here, other)])

        def work(generation: int) -> Message:
            before, after = earlier(), later()
            return self.Compared(generation, before, after, changes(before, after))

        self._open(work, "comparing two captures")


def _line(entry: CaptureEntry, *, is_first: bool) -> CaptureLine:
    counts = {noun: entry.counts.get(name, 0) for name, noun in _SHOWN.items()}
    words = "complete" if entry.is_complete else f"{entry.desired.value}/{entry.actual.value}"
    changed = 0 if is_first else entry.changed
    return CaptureLine(
        str(entry.id), entry.taken_at, words, counts, changed=changed, is_complete=entry.is_complete
    )


class TitleLine(Lines):
    """What is shown, and how it is filtered."""

    def __init__(self) -> None:
        super().__init__(id="title")
        self._left, self._right = "", ""

    def show(self, left: str, right: str) -> None:
        """Say these at both ends."""
        self._left, self._right = left, right
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        left = fit(f" {self._left}", width).rstrip()
        return [spread([(left, "tone--strong")], [(f"{self._right} ", "tone--muted")], width)]


class _PageScreen(FilteredScreen):
    """A page of lines that words filter."""

    AUTO_FOCUS = "#page"
    FILTERS = "#page"

    def body(self) -> ComposeResult:
        yield TitleLine()
        yield Pager(lambda _: self.page() or [[(" Nothing to show.", "tone--muted")]], id="page")

    def on_mount(self) -> None:
        self.show_filtered()

    def show_filtered(self) -> None:
        self.query_one(Pager).refill()
        right = f"filter: “{self.words}”" if self.words else ""
        self.query_one(TitleLine).show(self.heading(), right)

    def page(self) -> list[Line]:
        """The lines that the filter lets through."""
        raise NotImplementedError

    def heading(self) -> str:
        """What the page is about."""
        raise NotImplementedError


class InstantScreen(_PageScreen):
    """Either side as it was."""

    SCOPE = "instant"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("instant")]
    FILTER_HINT = "words: a project, a VM, an address, a path …"

    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture
        self._side = Side.ACTUAL

    def heading(self) -> str:
        inventory = self._capture.actual if self._side is Side.ACTUAL else self._capture.desired
        when = f"{inventory.taken_at.astimezone():%Y-%m-%d %H:%M:%S}"
        return f"{self._side.value} as it was at {when}, {inventory.coverage.state.value}"

    def page(self) -> list[Line]:
        return side_lines(self._capture, self._side, self.words)

    def action_other_side(self) -> None:
        self._side = Side.DESIRED if self._side is Side.ACTUAL else Side.ACTUAL
        self.show_filtered()


class ChangesScreen(_PageScreen):
    """What changed between two instants."""

    SCOPE = "changes"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("changes")]
    FILTER_HINT = "words: a project, gone, VM, state …"

    def __init__(self, before: Capture, after: Capture, found: Sequence[Change]) -> None:
        super().__init__()
        self._before, self._after, self._found = before.taken_at, after.taken_at, found

    def heading(self) -> str:
        span = f"{self._before.astimezone():%Y-%m-%d %H:%M:%S} → {self._after.astimezone():%Y-%m-%d %H:%M:%S}"
        return f"{span}   {total_words(self._found)}"

    def page(self) -> list[Line]:
        return change_lines(self._found, self.words)
