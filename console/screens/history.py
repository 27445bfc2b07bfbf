"""History: the ledger, newest first, by runs; filtered by text; and whether its chain is intact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from console import commands
from console.faults import as_error
from console.ledger_lines import entry_page, lines_of, merged
from console.screens.base import ConsoleScreen
from console.screens.filtered import FilteredScreen
from sync.errors import AbreastError
from widgets.cells import counted
from widgets.entry_list import EntryList
from widgets.header import clock_time
from widgets.lines import Line, Lines, spread, wrap
from widgets.pager import Pager
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from datetime import datetime

    from console.state import RunState
    from sync.ledger import Entry, Verification

_AT_ONCE = 500
"""Entries that are read to see what is new."""
_SECONDS = 2.0
"""How often the ledger is read while a run goes on."""


class ChainLine(Lines):
    """Whether the chain of hashes is intact, or the first of its problems in whole."""

    def __init__(self) -> None:
        super().__init__(id="chain")
        self._text, self._tone, self._filter = "the chain is being verified…", "tone--muted", ""

    def show(self, text: str, tone: str) -> None:
        """Say this of the chain."""
        self._text, self._tone = text, tone
        self.redraw()

    def show_filter(self, text: str) -> None:
        """Say what the list is limited to."""
        self._filter = text
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        texts = wrap(self._text, width - 2)
        right: Line = [(f"{self._filter} ", "tone--muted")] if self._filter else []
        first = spread([(f" {texts[0]}", self._tone)], right, width)
        return [first, *([(f" {text}", self._tone)] for text in texts[1:])]


class EntryScreen(ConsoleScreen):
    """One entry in whole."""

    SCOPE = "help"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("help")]

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self._entry = entry

    def body(self) -> ComposeResult:
        yield Pager(lambda width: entry_page(self._entry, width), id="page")


class HistoryScreen(FilteredScreen):
    """The ledger of this environment."""

    SCOPE = "history"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("history")]
    AUTO_FOCUS = "#entries"
    FILTERS = "#entries"
    FILTER_HINT = "words: a project, an action, failed …"

    class EntriesRead(Message):
        """The ledger was read; with `is_all` from its beginning, else only its end."""

        def __init__(self, generation: int, entries: Sequence[Entry], *, is_all: bool) -> None:
            super().__init__()
            self.generation = generation
            self.entries = entries
            self.is_all = is_all

    class ChainVerified(Message):
        """The chain was recomputed."""

        def __init__(self, generation: int, verification: Verification, at: datetime) -> None:
            super().__init__()
            self.generation = generation
            self.verification = verification
            self.at = at

    class LedgerBroke(Message):
        """The ledger could not be read."""

        def __init__(self, error: AbreastError) -> None:
            super().__init__()
            self.error = error

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[Entry] = []
        self._by_key: dict[str, Entry] = {}
        self._reading = 0
        self._verifying = 0
        """Generations of what was asked for last; what is older is dropped."""
        self._was_going_on = False

    def body(self) -> ComposeResult:
        yield ChainLine()
        yield EntryList(id="entries")

    def on_mount(self) -> None:
        self.list = self.query_one(EntryList)
        self._read(is_all=True)
        self.action_verify()
        self.follow("run_state", self._take_run)
        self.set_interval(_SECONDS, self._read_while_running)

    # --- in threads ---------------------------------------------------------------------------------------

    def _take_run(self, run: RunState | None) -> None:
        """When a run has ended, the rest of it is read and the chain verified."""
        is_going_on = run is not None and run.is_going_on
        if self._was_going_on and not is_going_on:
            self._read(is_all=False)
            self.action_verify()
        self._was_going_on = is_going_on

    def _read_while_running(self) -> None:
        if self._was_going_on:
            self._read(is_all=False)

    def _read(self, *, is_all: bool) -> None:
        self._reading += 1
        generation = self._reading

        def work() -> Message:
            entries = self.console.session.ledger.entries(limit=None if is_all else _AT_ONCE)
            return self.EntriesRead(generation, entries, is_all=is_all)

        self._thread(work, "reading the ledger")

    def action_verify(self) -> None:
        self._verifying += 1
        generation, at = self._verifying, self.console.utc_clock()
        self.query_one(ChainLine).show("the chain is being verified…", "tone--muted")

        def work() -> Message:
            return self.ChainVerified(generation, self.console.session.ledger.verify(), at)

        self._thread(work, "verifying the ledger")

    def _thread(self, work: Callable[[], Message], doing: str) -> None:
        def guarded() -> None:
            try:
                message = work()
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = self.LedgerBroke(as_error(error, doing=doing))
            self.post_message(message)

        self.console.run_in_background(guarded, name=doing)

    @on(EntriesRead)
    def _take_entries(self, message: EntriesRead) -> None:
        if message.generation != self._reading:
            return
        entries = list(message.entries) if message.is_all else merged(self._entries, message.entries)
        if entries is None:
            self._read(is_all=True)
            return
        if len(entries) != len(self._entries) or not entries:
            self._entries = entries
            self._by_key = {str(entry.seq): entry for entry in entries}
            self.show_filtered()

    @on(ChainVerified)
    def _take_verification(self, message: ChainVerified) -> None:
        if message.generation != self._verifying:
            return
        found = message.verification
        entries = counted(found.entries, "entry", "entries")
        if found.is_sound:
            text = f"✓ chain intact, {entries} (at {clock_time(message.at)})"
            self.query_one(ChainLine).show(text, "tone--good")
            return
        more = f" {len(found.problems) - 1} more: `abreast ledger verify`." if len(found.problems) > 1 else ""
        text = f"✗ chain BROKEN, {entries}. {found.problems[0]}{more}"
        self.query_one(ChainLine).show(text, "tone--bad")

    @on(LedgerBroke)
    def _take_breakage(self, message: LedgerBroke) -> None:
        self.list.empty_text = "The ledger could not be read."
        self.query_one(ChainLine).show(str(message.error), "tone--bad")

    # --- what is shown ------------------------------------------------------------------------------------

    def show_filtered(self) -> None:
        """The entries that the filter lets through."""
        lines = lines_of(self._entries, self.words)
        self.list.empty_text = "No entry matches. esc clears the filter." if self.words else "Nothing yet."
        self.list.show(lines)
        shown = counted(sum(not line.is_run for line in lines), "entry", "entries")
        self.query_one(ChainLine).show_filter(f"filter: “{self.words}”, {shown}" if self.words else "")

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        if command.id == "entry":
            return self.is_mounted and self.list.current is not None
        return super().offers(command)

    @on(VirtualList.CursorMoved)
    def _show_offers(self) -> None:
        self.refresh_bindings()

    def action_captures(self) -> None:
        self.console.open("captures")

    @on(VirtualList.Chosen)
    async def action_open_entry(self) -> None:
        line = self.list.current
        if line is None:
            return
        entry = self._by_key.get(line.key) or self._first_of(line.key)
        if entry is not None:
            await self.app.push_screen(EntryScreen(entry))

    def _first_of(self, key: str) -> Entry | None:
        """The first entry of a run, which holds its plan."""
        return next((entry for entry in self._entries if f"run {entry.run_id or ''}" == key), None)
