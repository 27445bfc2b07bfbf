"""Retire: every retirement with what it waits for, every candidate with why it may or may not be proposed.

The screen shows and asks; `console.retirements` does, in threads. Unarmed it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.retirement_lines import ceiling_words, list_lines, note_texts, page, result_texts
from console.retirement_state import Candidate, Found, RetireState, can_be_signed, why_no_step
from console.retirement_words import step_words, undo_words
from console.screens.ask import AskScreen
from console.screens.base import ConsoleScreen
from console.screens.confirm import ConfirmScreen
from sync.retirement import DESTRUCTIVE, Campaign, Retirement
from widgets.cells import age, counted
from widgets.lines import Line, Lines, spread, wrap
from widgets.pager import Pager
from widgets.retire_list import RetireList
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from textual.widget import AwaitMount

_RESULT_LINES = 3


class RetireTitle(Lines):
    """The ceiling, and whether anything can be changed from here."""

    def __init__(self) -> None:
        super().__init__(id="retire-title")
        self._left, self._right = ("the ledger is being read…", "tone--muted"), ""

    def show(self, left: tuple[str, str], right: str) -> None:
        """Say these at both ends; where there is no room, below each other."""
        self._left, self._right = left, right
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        text, tone = self._left
        left, right = f" Retire  {text}", f"{self._right} "
        if len(left) + len(right) < width:
            return [spread([(left, tone)], [(right, "tone--muted")], width)]
        first = [[(f" {line}", tone)] for line in wrap(left, width - 2)]
        return [*first, [(f" {self._right}", "tone--muted")]]


class RetireNote(Lines):
    """Sentences with their tones, wrapped; at most so many lines."""

    def __init__(self, *, id: str, most: int) -> None:
        super().__init__(id=id)
        self._texts: Sequence[tuple[str, str]] = ()
        self._most = most

    def show(self, texts: Sequence[tuple[str, str]]) -> None:
        """Show these instead."""
        self._texts = tuple(texts)
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        found: list[Line] = [
            [(f" {line}", tone)]
            for text, tone in self._texts
            for line in wrap(text, width - 2, at_hyphens=False)
        ]
        return found if len(found) <= self._most else [*found[: self._most - 1], [(" …", "tone--muted")]]


class _AskingScreen(ConsoleScreen):
    """What list and page share: the keys that act on one retirement or candidate, each behind a question."""

    @property
    def state(self) -> RetireState:
        return self.console.retire_state or RetireState()

    @property
    def found(self) -> Found | None:
        """What the keys act on."""
        raise NotImplementedError

    def begin(self) -> None:
        """Called by `on_mount` of the screens: Textual would call one of that name here a second time."""
        self.follow("drift", lambda _: self.console.retirements.tell_drift())
        self.follow("now", self._tick)

    def _tick(self, now: datetime) -> None:
        if self.is_current:
            self.console.retirements.tick(now)
        self.show_age(now)

    def read_own(self) -> None:
        """What the ledger has, together with both sides: others go on with it from elsewhere."""
        self.console.retirements.look()

    def show_age(self, now: datetime) -> None:
        """Say how old what is shown is."""
        raise NotImplementedError

    def age_words(self, now: datetime) -> str:
        """When the ledger was read last; empty before it was."""
        listing = self.state.listing
        return f"ledger read {age((now - listing.at).total_seconds())} ago" if listing is not None else ""

    def offers(self, command: commands.Command) -> bool:
        if not self.is_mounted:
            return False
        found, now = self.found, self.console.utc_clock()
        if command.id == "stop":
            return bool(self.state.doing)
        if command.id == "propose":
            return isinstance(found, Candidate)
        if command.id in ("write-loss-list", "take-in-loss"):
            return isinstance(found, Retirement | Campaign) and can_be_signed(found, now)
        if command.id == "campaign":
            return _beyond_ceiling(found, now) is not None
        if command.id == "retire-step":
            return isinstance(found, Retirement) and found.is_open(now) and found.next_step is not None
        if command.id == "retire-undo":
            return isinstance(found, Retirement) and found.is_open(now) and found.can_be_undone
        return super().offers(command)

    def read_only_words(self) -> str:
        """Why nothing is changed from here; empty where it may be."""
        app = self.console
        if app.console_mode.armed:
            return ""
        if app.session.is_replay:
            return "a replay changes nothing"
        if app.session.can_arm:
            return f"read-only: {self.key_of('arm')} arms"
        return "read-only: no key for writing is configured"

    # --- asking -------------------------------------------------------------------------------------------

    def _confirm(
        self,
        title: str,
        texts: Sequence[str],
        verb: str,
        act: Callable[[], bool],
        *,
        word: str = "",
    ) -> AwaitMount | None:
        """Ask for the environment's name, or for `word` where something is destroyed; then do it."""
        if self._is_busy():
            return None
        expected = word or self.console.identity.name
        question = ConfirmScreen(title, texts, expected, verb, is_destructive=bool(word))
        return self.app.push_screen(question, lambda yes: self._act_if(yes, act))

    def _act_if(self, confirmed: bool | None, act: Callable[[], bool]) -> None:
        if not confirmed:
            return
        if not self.console.console_mode.armed:
            self.notify("The console is read-only again: nothing was done.", severity="warning")
        elif not act():
            self._is_busy()

    def _is_busy(self) -> bool:
        """Whether something else is being done, which is then said."""
        word = self.console.operations.word
        if word:
            self.notify(f"Something else is being done ({word}): nothing was begun.", severity="warning")
        return bool(word)

    async def action_propose(self) -> None:
        found = self.found
        if not isinstance(found, Candidate):
            return
        if found.why_not:
            self.notify(f"Not proposed: {found.why_not}", severity="warning", timeout=10)
            return
        lost = found.proposal.lost if found.proposal is not None else 0
        evidence = found.evidence
        texts = [
            f"{found.path}: {counted(lost, 'object')} would be lost by the last readings.",
            f"Evidence: {evidence.by or 'nobody named'}, {evidence.at or 'no time named'}: "
            f"{evidence.reason or '–'}",
            found.note or "Both sides are read anew; two people other than you have to sign what is lost.",
            "Nothing is changed in CloudStack.",
        ]
        title = f"Propose {found.key} for retirement in {self.console.identity.title}?"
        asked = self._confirm(title, texts, "Propose", lambda: self.console.retirements.propose([found.key]))
        if asked is not None:
            await asked

    async def action_next_step(self) -> None:
        """Ask for the next step: typed name and number where it destroys, else the environment's name."""
        found, listing = self.found, self.state.listing
        if not isinstance(found, Retirement) or listing is None or found.next_step is None:
            return
        why = why_no_step(listing, found, self.console.utc_clock())
        if why:
            self.notify(why, severity="warning", timeout=10)
            return
        from sync.retirement_steps import word_for

        step, proposal, word = found.next_step, found.proposal, word_for(found)
        standing = listing.standings[found.id]
        texts = [
            f"{step_words(step)}",
            f"{', '.join(target.path for target in proposal.targets)}: "
            f"{counted(proposal.lost, 'object')} lost, {len(proposal.losses) - proposal.lost} kept.",
            f"Signed by {', '.join(standing.people)}.",
            f"{ceiling_words(listing, self.console.utc_clock())[0]}.",
        ]
        is_destructive = step in DESTRUCTIVE
        asked = self._confirm(
            f"{step.value.capitalize()}: {proposal.name} in {self.console.identity.title}?",
            texts,
            step.value.capitalize(),
            lambda: self.console.retirements.step(found, word),
            word=word if is_destructive else "",
        )
        if asked is not None:
            await asked

    async def action_undo_retirement(self) -> None:
        found = self.found
        if not isinstance(found, Retirement):
            return
        texts = [undo_words(found), "It needs no approval and no waiting."]
        title = f"Undo the retirement of {found.proposal.name} in {self.console.identity.title}?"
        asked = self._confirm(title, texts, "Undo", lambda: self.console.retirements.undo(found))
        if asked is not None:
            await asked

    async def action_propose_campaign(self) -> None:
        """Ask until when and why; then for the environment's name, as before all that is recorded."""
        project = _beyond_ceiling(self.found, self.console.utc_clock())
        if project is None or self._is_busy():
            return
        texts = (
            "The day that it ends with, in UTC, and the reason: 2026-12-31 the data centre closes",
            "It permits no step by itself: it counts when one more person has signed it, besides those who "
            "signed the retirement and who proposed it. `abreast retire --campaign` takes several projects.",
        )
        title = f"A campaign for {project}, beyond the ceiling?"
        question = AskScreen(title, texts, "Go on", placeholder="YYYY-MM-DD reason; esc cancels")
        await self.app.push_screen(question, lambda said: self._ask_for_campaign(project, said))

    def _ask_for_campaign(self, project: str, said: str | None) -> None:
        if not said:
            return
        day, _, reason = said.partition(" ")
        try:
            ends_at = datetime.fromisoformat(day).replace(tzinfo=UTC)
        except ValueError:
            self.notify(f"{day} is no day: nothing was asked for.", severity="warning")
            return
        texts = [
            f"Until {ends_at:%Y-%m-%d %H:%M} UTC: {reason.strip() or 'without a reason'}",
            "It is written into the ledger for others to sign. Nothing is changed in CloudStack.",
        ]
        self._confirm(
            f"Propose a campaign for {project} in {self.console.identity.title}?",
            texts,
            "Propose",
            lambda: self.console.retirements.propose_campaign(
                project, ends_at=ends_at, reason=reason.strip()
            ),
        )

    def action_write_loss_list(self) -> None:
        found = self.found
        if isinstance(found, Retirement | Campaign) and not self.console.retirements.write(found):
            self._is_busy()

    async def action_take_in(self) -> None:
        found = self.found
        if not isinstance(found, Retirement | Campaign) or self._is_busy():
            return
        texts = (
            "The path of a signature file, or of a folder with files that end in .sig.",
            "Each is judged; what would not count is refused with its reason and not kept.",
        )
        question = AskScreen("Take in signatures?", texts, "Go on", placeholder="path; esc cancels")
        await self.app.push_screen(question, lambda path: self._ask_to_take_in(found, path))

    def _ask_to_take_in(self, found: Retirement | Campaign, path: str | None) -> None:
        if path:
            source = Path(path).expanduser()
            name = found.id if isinstance(found, Campaign) else found.proposal.name
            self._confirm(
                f"Take in signatures for {name} in {self.console.identity.title}?",
                [str(source), "What counts is kept in the ledger. Nothing is changed in CloudStack."],
                "Take in",
                lambda: self.console.retirements.take_in(found.id, source),
            )

    def action_stop(self) -> None:
        self.console.retirements.stop()


def _beyond_ceiling(found: Found | None, now: datetime) -> str | None:
    """Key of the project that a campaign may be asked for; None where the ceiling is none of its concern."""
    if isinstance(found, Candidate):
        return None if found.is_empty or found.why_not else found.key
    if isinstance(found, Retirement) and found.is_open(now) and not found.proposal.is_empty:
        return found.proposal.projects[0]
    return None


class RetirementScreen(_AskingScreen):
    """One retirement, candidate or campaign in whole."""

    SCOPE = "retirement"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("retirement")]
    AUTO_FOCUS = "#page"

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key

    @property
    def found(self) -> Found | None:
        listing = self.state.listing
        return listing.find(self._key) if listing is not None else None

    def body(self) -> ComposeResult:
        yield RetireNote(id="retire-age", most=1)
        yield Pager(self.page, id="page")
        yield RetireNote(id="retire-result", most=_RESULT_LINES)

    def on_mount(self) -> None:
        self.begin()
        self.follow("retire_state", lambda _: self.show_page())
        self.follow("console_mode", lambda _: self.show_page())

    def show_page(self) -> None:
        """Lay it out anew; what can be done depends on it."""
        self.query_one(Pager).refill()
        self.query_one("#retire-result", RetireNote).show(result_texts(self.state))
        self.refresh_bindings()

    def show_age(self, now: datetime) -> None:
        self.query_one("#retire-age", RetireNote).show([(self.age_words(now), "tone--muted")])

    def page(self, width: int) -> list[Line]:
        """The whole page, laid out."""
        found = self.found
        if found is None:
            return [[(" It is in retirement now, or nothing says any more that it is to go.", "tone--muted")]]
        return page(found, self.state, self.console.utc_clock(), key=self.key_of, width=width)


class RetireScreen(_AskingScreen):
    """All retirements and candidates of this environment."""

    SCOPE = "retire"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("retire")]
    AUTO_FOCUS = "#retirements"

    def body(self) -> ComposeResult:
        yield RetireTitle()
        yield RetireList(id="retirements")
        yield RetireNote(id="retire-note", most=6)
        yield RetireNote(id="retire-result", most=_RESULT_LINES)

    def on_mount(self) -> None:
        self.list = self.query_one(RetireList)
        self.console.retirements.look()
        self.begin()
        for name in ("retire_state", "console_mode"):
            self.follow(name, lambda _: self.show())

    def show(self) -> None:
        """Show everything as the App has it now."""
        state, now = self.state, self.console.utc_clock()
        listing = state.listing
        if listing is not None:
            self.list.empty_text = "Nothing is being retired."
            self.list.show(list_lines(listing, now))
            self.show_age(now)
        elif state.fault:
            self.list.empty_text = "The retirements could not be read."
        self.query_one("#retire-result", RetireNote).show(result_texts(state))
        self.show_note()

    def show_age(self, now: datetime) -> None:
        listing = self.state.listing
        if listing is not None:
            hint = self.read_only_words() or "each step asks first"
            self.query_one(RetireTitle).show(ceiling_words(listing, now), f"{self.age_words(now)}; {hint}")

    @on(VirtualList.CursorMoved)
    def show_note(self) -> None:
        """What there is room for of what is under the cursor."""
        listing = self.state.listing
        if listing is not None:
            texts = note_texts(self.found, listing, self.console.utc_clock())
            self.query_one("#retire-note", RetireNote).show(texts)
        self.refresh_bindings()

    @property
    def found(self) -> Found | None:
        listing, line = self.state.listing, self.list.current
        return listing.find(line.key) if listing is not None and line is not None else None

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        if command.id == "retirement":
            return self.is_mounted and self.found is not None
        if command.id == "propose-empty":
            listing = self.state.listing
            return listing is not None and bool(listing.empty_candidates)
        return super().offers(command)

    @on(VirtualList.Chosen)
    async def action_open_retirement(self) -> None:
        line = self.list.current
        if line is not None:
            await self.app.push_screen(RetirementScreen(line.key))

    async def action_history(self) -> None:
        await self.console.open("history")

    async def action_propose_empty(self) -> None:
        listing = self.state.listing
        if listing is None or not listing.empty_candidates:
            return
        found = listing.empty_candidates
        texts = [
            *(f"{one.path}: {one.evidence.reason or '–'}" for one in found),
            *(one.note for one in found if one.note),
            "They own nothing: no waiting, outside of the ceiling, two signatures. Nothing is changed yet.",
        ]
        title = f"Propose {counted(len(found), 'empty domain')} in {self.console.identity.title}?"
        keys = [one.key for one in found]
        asked = self._confirm(
            title, texts, "Propose", lambda: self.console.retirements.propose(keys, is_empty=True)
        )
        if asked is not None:
            await asked
