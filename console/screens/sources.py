"""Sources: how completely both sides were read, list by list, by whom, whether they agree with the readings
before, and how old each part is; and whether Jenkins answers. Here a person accepts a side that rightly has
less in it than before."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from console import commands
from console.faults import as_error
from console.screens.ask import AskScreen
from console.screens.base import ConsoleScreen
from console.screens.confirm import ConfirmScreen
from sync.errors import AbreastError
from sync.model import Coverage, ListProof, Side
from widgets.cells import age, counted, fit
from widgets.header import clock_time
from widgets.lines import Line, wrap
from widgets.pager import Pager

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from console.accepting import Acceptable
    from sync.agents import JenkinsReading
    from widgets.values import SourceStatus


# --- the page -----------------------------------------------------------------------------------------------


def coverage_lines(coverage: Coverage, width: int) -> list[Line]:
    """The proof of one reading: whose eyes, from which root; each list with rows, ids, counts and pages."""
    lines: list[Line] = []
    if coverage.caller:
        root = f", ROOT domain {coverage.root_id}" if coverage.root_id else ""
        lines += [
            [(f"   {line}", "tone--muted")] for line in wrap(f"read as {coverage.caller}{root}", width - 4)
        ]
    lines += _agreement_lines(coverage, width)
    if coverage.lists:
        head = f"   {fit('list', _name_width(width))}{'rows':>9}{'ids':>9}{'pages':>6}  count"
        lines.append([(fit(head, width), "tone--muted")])
    for proof in coverage.lists:
        lines += _proof_lines(proof, width)
    return lines


def _name_width(width: int) -> int:
    return max(20, min(46, width - 42))


def _proof_lines(proof: ListProof, width: int) -> list[Line]:
    ids = "–" if proof.unique is None else f"{proof.unique:,}"
    text = (
        f"   {fit(proof.name, _name_width(width))}{proof.rows:>9,}{ids:>9}{proof.pages:>6}  {_counts(proof)}"
    )
    lines: list[Line] = [[(fit(text, width), "tone--warning" if proof.problem else "")]]
    for words, tone in ((proof.problem, "tone--warning"), (proof.note, "tone--muted")):
        lines += [[(f"     {line}", tone)] for line in wrap(words, width - 6) if words]
    return lines


def _counts(proof: ListProof) -> str:
    """CloudStack's own count, before and after the pages where it changed."""
    if proof.count_before is None and proof.count_after is None:
        return "–"
    if proof.count_after is None or proof.count_before == proof.count_after:
        return f"{proof.count_before:,}" if proof.count_before is not None else f"→{proof.count_after:,}"
    return f"{proof.count_before if proof.count_before is not None else '?'}→{proof.count_after}"


def _agreement_lines(coverage: Coverage, width: int) -> list[Line]:
    """Whether it has as much in it as the readings before."""
    if coverage.agreed:
        return [[("   agrees with the readings before", "tone--muted")]]
    if not coverage.shrunk:
        return [[("   not compared with earlier readings", "tone--muted")]]
    lines: list[Line] = []
    for one in coverage.shrunk:
        names = f": {', '.join(one.names)}{' …' if one.lost > len(one.names) else ''}" if one.names else ""
        text = f"{one.lost} of {one.of} {one.what} went, seen last at {one.since:%Y-%m-%d %H:%M} UTC{names}"
        lines += [[(f"   {line}", "tone--bad")] for line in wrap(text, width - 4)]
    return lines


_PROBLEMS = 3
"""Projects whose Jenkins does not answer that are named with their reason."""


def jenkins_lines(readings: Mapping[str, JenkinsReading], now: datetime, width: int) -> list[Line]:
    """How many projects' Jenkins was asked, when, and why some tell nothing."""
    lines: list[Line] = [[]]
    if not readings:
        return [*lines, [(" Jenkins: not asked yet", "tone--strong")]]
    failed = [one for one in readings.values() if one.problem]
    answered = f"{len(readings) - len(failed)} of {counted(len(readings), 'project')} answered"
    lines.append([(f" Jenkins: {answered}", "tone--strong")])
    asked_at = min(one.taken_at for one in readings.values())
    seconds = max(0.0, (now - asked_at).total_seconds())
    lines.append([(f"   asked at {clock_time(asked_at)}, {age(seconds)} ago", "tone--muted")])
    for one in failed[:_PROBLEMS]:
        lines += [[(f"   {line}", "tone--bad")] for line in wrap(f"{one.project}: {one.problem}", width - 4)]
    if len(failed) > _PROBLEMS:
        lines.append([(f"   and {len(failed) - _PROBLEMS} more, each on its project's screen", "tone--bad")])
    return lines


# --- the screen ---------------------------------------------------------------------------------------------


class ExtentRead(Message):
    """A side was read to be accepted as it is, or could not be."""

    def __init__(self, found: Acceptable | AbreastError) -> None:
        super().__init__()
        self.found = found


class ExtentAccepted(Message):
    """The ledger has that a side was accepted, in words, or could not record it."""

    def __init__(self, result: str | AbreastError) -> None:
        super().__init__()
        self.result = result


class SourcesScreen(ConsoleScreen):
    """A page on both sides."""

    SCOPE = "sources"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("sources")]

    def body(self) -> ComposeResult:
        yield Pager(self.page, id="page")

    def on_mount(self) -> None:
        self.follow("sources", lambda _: self.show_page())
        self.follow("drift", lambda _: self.show_page())
        self.follow("agents", lambda _: self.show_page())

    def show_page(self) -> None:
        """Lay it out anew; what can be accepted depends on it."""
        self.query_one(Pager).refill()
        self.refresh_bindings()

    def page(self, width: int) -> list[Line]:
        """The whole page, laid out."""
        app = self.console
        lines: list[Line] = []
        for status, inventory in zip(app.sources, (app.desired, app.actual), strict=True):
            lines += self._status_lines(status, width)
            if inventory is not None:
                lines += coverage_lines(inventory.coverage, width)
            # Before CloudStack's long lists: it is the symptom with which it all begins.
            if status.side is Side.DESIRED and app.session.environment.jenkins is not None:
                lines += jenkins_lines(app.agents, app.utc_clock(), width)
        return lines[1:]

    def _status_lines(self, status: SourceStatus, width: int) -> list[Line]:
        word = status.coverage.value if status.coverage is not None else "not read yet"
        lines: list[Line] = [[], [(f" {status.label}: {word}", "tone--strong")]]
        if status.taken_at is not None:
            seconds = status.age_seconds(self.console.utc_clock()) or 0.0
            text = f"   last usable reading at {clock_time(status.taken_at)}, {age(seconds)} ago"
            lines.append([(text, "tone--muted")])
        if status.failed_at is not None:
            lines.append([(f"   failing since {clock_time(status.failed_at)}", "tone--bad")])
        if status.side is Side.ACTUAL:
            lines += self._part_lines()
        for words in (status.why, status.unrecognised):
            lines += [[(f"   {line}", "tone--bad")] for line in wrap(words, width - 4) if words]
        if self.side_to_accept() is status.side:
            key = self.key_of("accept")
            text = f"   {key} accepts it as it is now, with a reason, for all who share the ledger."
            lines.append([(fit(text, width), "tone--key")])
        return lines

    def _part_lines(self) -> list[Line]:
        """The parts of CloudStack's side that are read less often have an age of their own."""
        app = self.console
        if app.actual is None:
            return []
        lines: list[Line] = []
        for name, taken_at in (("users", app.actual.users_taken_at), ("limits", app.actual.limits_taken_at)):
            if taken_at is not None:
                seconds = max(0.0, (app.utc_clock() - taken_at).total_seconds())
                lines.append([(f"   {name} at {clock_time(taken_at)}, {age(seconds)} ago", "tone--muted")])
        return lines

    # --- accepting ----------------------------------------------------------------------------------------

    def side_to_accept(self) -> Side | None:
        """The side that has less in it than is believed; the CI database first."""
        drift = self.console.drift
        for status, coverage in zip(
            self.console.sources,
            (drift.desired, drift.actual) if drift is not None else (None, None),
            strict=True,
        ):
            if status.shrunk or (coverage is not None and coverage.is_doubted):
                return status.side
        return None

    def offers(self, command: commands.Command) -> bool:
        if command.id == "accept":
            return self.is_mounted and self.side_to_accept() is not None
        return super().offers(command)

    def action_accept(self) -> None:
        """Read the side once more, and ask about what it has now."""
        side, session = self.side_to_accept(), self.console.session
        if side is None:
            return

        def work() -> None:
            try:
                message = ExtentRead(session.acceptable(side))
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = ExtentRead(as_error(error, doing=f"reading {side.value}"))
            self.post_message(message)

        self.notify(f"Reading {side.value} once more.")
        self.console.run_in_background(work, name=f"read {side.value} to accept it")

    def on_extent_read(self, message: ExtentRead) -> None:
        """Ask for the reason, and then for the word."""
        found = message.found
        if isinstance(found, AbreastError):
            self.console.show_error(found)
            return
        question = AskScreen(
            f"Accept the {found.side.value} as it is now?",
            (
                *found.texts,
                "From now on this is taken for all of it, by everybody who shares this ledger.",
                "Why is it right? The reason is recorded.",
            ),
            "Go on",
            placeholder="reason; esc cancels",
        )
        self.app.push_screen(question, lambda reason: self._ask_word(found, reason))

    def _ask_word(self, found: Acceptable, reason: str | None) -> None:
        if not reason:
            return
        question = ConfirmScreen(
            f"Accept the {found.side.value} as it is now?",
            (*found.texts, f"Because: {reason}"),
            self.console.identity.name,
            "Accept",
            is_destructive=True,
        )
        self.app.push_screen(question, lambda yes: self._accept(found, reason) if yes else None)

    def _accept(self, found: Acceptable, reason: str) -> None:
        session = self.console.session

        def work() -> None:
            try:
                message = ExtentAccepted(session.accept(found, reason=reason))
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = ExtentAccepted(as_error(error, doing="accepting it", changes=True))
            self.post_message(message)

        self.console.run_in_background(work, name=f"accept {found.side.value}")

    def on_extent_accepted(self, message: ExtentAccepted) -> None:
        """Both sides are read anew: what was accepted counts from then on."""
        if isinstance(message.result, AbreastError):
            self.console.show_error(message.result)
            return
        self.notify(message.result)
        self.console.refresher.supersede()
