"""What Overview and Watch share: the table of drift with headline, filter and order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual import events, on

from console import commands, keymap
from console.screens.base import ConsoleScreen
from console.screens.filtered import box_of_enter
from console.state import Filter, SortOrder, counts_of, visible
from sync.model import DriftKind, Side
from widgets.banner import Banner
from widgets.cells import age, counted
from widgets.drift_table import DriftTable
from widgets.lines import Line
from widgets.summary import CountsBar, HeadlineBar
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from textual.widgets import Input


class TableScreen(ConsoleScreen):
    """Subclasses compose a `Banner`, a `HeadlineBar`, a `CountsBar`, a `DriftHeading` of the id `heading` and
    a `DriftTable`, wherever they like."""

    AUTO_FOCUS = "DriftTable"

    def __init__(self) -> None:
        super().__init__()
        self.filter = Filter()
        self.order = SortOrder.WORST
        self._filter_before = Filter()

    def begin(self) -> None:
        """Called by `on_mount` of the screens: Textual would call one of that name here a second time."""
        self.table = self.query_one(DriftTable)
        self.follow("views", lambda _: self.show_rows())
        self.follow("headline", lambda _: self.show_headline())
        self.follow("situation", lambda _: self.show_keys())
        self.follow("fault", lambda _: self.show_headline())
        self.follow("sources", lambda _: self.show_soundness())
        self.follow("now", lambda _: self.show_soundness())
        self.follow("drift", lambda _: self.show_hidden())

    # --- showing ------------------------------------------------------------------------------------------

    def show_rows(self) -> None:
        """Fill the table from the App's rows through filter and order."""
        views = self.console.views
        shown = visible(views, self.filter, self.order)
        self.table.empty_text = self._why_empty(len(views))
        self.table.show(shown)
        self.show_counts()

    def _why_empty(self, total: int) -> str:
        if self.console.drift is None and not total:
            return "Rows appear when both sides have been read and compared."
        if not total and not all(status.is_sound for status in self.console.sources):
            return "Nothing is known yet. e shows what was read and what went wrong."
        if not total:
            return "Neither side has anything."
        if not self.filter.is_plain:
            return f"No row matches. esc clears the filter; {counted(total, 'row')} in all."
        return f"No drift: {counted(total, 'project')} in sync. d shows them."

    def show_counts(self) -> None:
        """Say how many rows there are of each kind, and what the table is limited to."""
        self.query_one(CountsBar).show(
            counts_of(self.console.views),
            filter=self.filter_words(),
            is_stale=self.table.is_dimmed,
            notes=self.notes(),
        )

    @on(DriftTable.WorseAbove)
    def show_worse_above(self) -> None:
        """What turned worse out of sight is said, and no more once it is in sight."""
        self.show_counts()

    def show_hidden(self) -> None:
        """Say how much is hidden now; the key that lists it exists while something is."""
        self.show_counts()
        self.refresh_bindings()

    def notes(self) -> Line:
        """What the table itself does not show: what turned worse above it, and what rules hide."""
        worse = self.table.worse_above
        above: Line = [(f"{counted(worse, 'worse row')} above", "tone--bad")] if worse else []
        return [*above, *self.hidden_notes()]

    def hidden_notes(self) -> Line:
        """How much rules hide, and how many hide nothing: always on screen, with the key of the list."""
        drift = self.console.drift
        if drift is None:
            return []
        notes: Line = []
        if drift.hidden:
            notes.append((f"{len(drift.hidden):,} hidden", "tone--warning"))
        if drift.rule_problems:
            number = len(drift.rule_problems)
            notes.append((f"{counted(number, 'rule')} hide{'s' if number == 1 else ''} nothing", "tone--bad"))
        return [*notes, (f"{self.key_of('hidden')} lists them", "tone--key")] if notes else []

    def filter_words(self) -> str:
        """What the table is limited to and how it is ordered."""
        words = self.filter.describe()
        return words if self.order is SortOrder.WORST else f"{words}, {self.order.value}"

    def show_headline(self) -> None:
        """The findings in words, with the keys that exist here and now, as they are mapped now."""
        app = self.console
        self.table.empty_text = self._why_empty(len(app.views))
        if app.fault:
            self.query_one(HeadlineBar).show(app.fault, tone="tone--bad")
        elif app.headline is None:
            self.query_one(HeadlineBar).show("Reading the CI database and CloudStack.", tone="tone--muted")
        else:
            hints = [self._hint(hint.key, hint.words) for hint in app.headline.next_keys]
            keys = ", ".join(hint for hint in hints if hint)
            self.query_one(HeadlineBar).show(self._findings(app.headline.text), keys=keys)

    def _findings(self, text: str) -> str:
        """The headline without what the header says already: that a side could not be read, and why."""
        drift = self.console.drift
        if drift is None:
            return text
        from sync.headline import unread

        shorter = text
        for side, coverage in ((Side.DESIRED, drift.desired), (Side.ACTUAL, drift.actual)):
            if not coverage.is_complete:
                sentence = unread(side, coverage)
                shorter = shorter.replace(f"{sentence} ", "").replace(sentence, "")
        return shorter.strip() or "Nothing can be compared before both sides are read."

    def _hint(self, key: str, words: str) -> str:
        found = keymap.by_key(self.SCOPE, key)
        if found is None or not self.console.console_mode.allows(found):
            return ""
        shown = keymap.shown_keys(found, self.console.session.environment.keys)
        return f"{shown.split(' ')[0]} {words}"

    def show_soundness(self) -> None:
        """Dim the rows while what they show is older than it should be or was not read, and say it of a side
        that should have answered by now. A replay is old by its nature: the header says from when it is."""
        now = self.console.now
        dim = any(
            status.taken_at is not None and (status.is_stale(now) or not status.is_sound)
            for status in self.console.sources
        )
        if dim != self.table.is_dimmed:
            self.table.is_dimmed = dim
            self.show_counts()
        sources = () if self.console.session.is_replay else self.console.sources
        silent = [status for status in sources if status.is_silent(now)]
        words = []
        for status in silent:
            seconds = status.age_seconds(now)
            words.append(f"{status.label} silent for {age(seconds)}" if seconds else f"{status.label} unread")
        rest = "What is shown is old." if self.console.views else "Nothing is known yet."
        self.query_one(Banner).show(f"STALE: {', '.join(words)}. {rest}" if words else "")
        self.set_class(bool(words), "-stale")

    def key_label(self, command: commands.Command) -> str:
        if command.id == "show-all":
            return "drift" if self.filter.everything else "all"
        return super().key_label(command)

    # --- keys ---------------------------------------------------------------------------------------------

    @on(VirtualList.Chosen)
    async def action_open(self) -> None:
        key = self.table.cursor_key
        if key is not None:
            await self.console.open("project", key)

    async def action_sources(self) -> None:
        await self.console.open("sources")

    async def action_hidden(self) -> None:
        await self.console.open("hidden")

    def action_show_all(self) -> None:
        self.set_filter(replace(self.filter, everything=not self.filter.everything, kind=None))

    def action_sort(self) -> None:
        self.order = self.order.following
        self.show_rows()

    def action_next_kind(self) -> None:
        """The next kind that has rows; after the last one all kinds again."""
        counts = counts_of(self.console.views)
        present = [None, *(kind for kind in DriftKind if counts[kind])]
        at = present.index(self.filter.kind) if self.filter.kind in present else 0
        self.set_filter(replace(self.filter, kind=present[(at + 1) % len(present)]))

    def set_filter(self, chosen: Filter) -> None:
        """Limit the table to this."""
        self.filter = chosen
        self.show_rows()
        self.show_keys()

    # --- the filter's box ---------------------------------------------------------------------------------

    async def action_filter(self) -> None:
        """Open the box; what is typed applies at once, enter keeps it, esc brings back what was.

        The box has the focus when this returns: what is typed right behind the key, in one packet over a
        slow line, is text and never runs as commands.
        """
        from textual.widgets import Input

        self._filter_before = self.filter
        found = list(self.query("#filter-box").results(Input))
        if not found:
            hint = "words, or :missing :hollow :deleting …"
            found = [Input(self.filter.text, placeholder=hint, id="filter-box", select_on_focus=False)]
            await self.mount(found[0], before="#heading")
        self.set_focus(found[0])
        # At once: selected when the focus is told of, the first letter typed would be replaced by the second.
        found[0].select_all()

    def before_typing(self, event: events.Key | events.Paste) -> bool:
        """An enter in the box keeps what stands there now: the next key is for the row that it leaves."""
        box = box_of_enter(self, event)
        if box is None:
            return False
        self.set_filter(replace(self.filter, text=box.value.strip()))
        return self._close_box()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.display:
            self.set_filter(replace(self.filter, text=event.value.strip()))

    def on_input_submitted(self) -> None:
        self._close_box()

    def _close_box(self) -> bool:
        box = self.query("#filter-box")
        if not box:
            return False
        box.set(display=False).remove()
        self.table.focus()
        return True

    def offers(self, command: commands.Command) -> bool:
        if command.id == "hidden":
            return bool(self.hidden_notes())
        is_typing = command.id == "filter" and any(box.has_focus for box in self.query("#filter-box"))
        return not is_typing and super().offers(command)

    def why_not(self, command: commands.Command) -> str:
        return "No ignore rule hides anything here." if command.id == "hidden" else super().why_not(command)

    def has_step_back(self) -> bool:
        return bool(self.query("#filter-box")) or not self.filter.is_plain

    def go_back(self) -> bool:
        before = self._filter_before
        if self._close_box():
            self.set_filter(before)
            return True
        if not self.filter.is_plain:
            self.set_filter(Filter(everything=self.filter.everything))
            return True
        return False
