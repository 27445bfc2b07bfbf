"""What was lost, read for people: one function for the screen, `abreast losses` and the incident report.

Blocks, and belongs into a thread. What cannot be read makes the answer poorer, and it says so: no error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sync.errors import AbreastError, CaptureError, SourceError, UsageError
from sync.identities import by_capture
from sync.loss_basis import Basis, choose, given, vanished
from sync.loss_ledger import Expunging, Fate, LossLedger, loss_ledger, losses_without_capture
from sync.object_types import NO_ARCHIVE
from sync.recoverable import Recoverable, recoverable
from sync.restoration import ranges_of

if TYPE_CHECKING:
    from console.session_protocol import ConsoleSession
    from sync.capture import Capture
    from sync.capture_store import CaptureEntry
    from sync.deletions import Situation
    from sync.model import ActualInventory, DesiredInventory
    from sync.plan import PlanRules


@dataclass(frozen=True, slots=True)
class Losses:
    """What was lost, against what that is told, and what can be brought back at once."""

    ledger: LossLedger
    basis: Basis
    recoverable: tuple[Recoverable, ...]
    """The most urgent first."""
    unread: tuple[str, ...] = ()
    """What could not be read for this, in whole sentences."""
    times: Expunging = field(default_factory=Expunging)
    """How long destroyed VMs have left."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Id of an object that is lost or going → what of it an archive has, in words."""
    archive: str = NO_ARCHIVE
    """What is known of archives, in a sentence."""
    before: Capture | None = field(default=None, repr=False, compare=False)
    """What the losses were told against."""
    again: frozenset[str] = frozenset()
    """Ids of what is lost and there again under its name, with another id, whoever made it."""

    @property
    def returnable(self) -> tuple[Recoverable, ...]:
        """The VMs that may be brought back."""
        return tuple(one for one in self.recoverable if not one.kept_back)

    @property
    def blind(self) -> tuple[str, ...]:
        """Everything that is not known, in whole sentences."""
        return (*self.unread, *self.ledger.blind)


def chosen_capture(session: ConsoleSession, wanted: str) -> int | Capture:
    """The newest complete capture of that moment or before, by its number, or that of a file.

    Raises CaptureError, UsageError.
    """
    from console.cli.record import capture_moment

    if Path(wanted).exists():
        from sync.capture_file import read_file

        return read_file(Path(wanted))
    at = capture_moment(wanted, session.clock())
    found = [one for one in session.captures.history.entries() if one.is_complete and one.taken_at <= at]
    if not found:
        raise UsageError(
            f"There is no complete capture of {at:%Y-%m-%d %H:%M:%S} UTC or before.",
            next_step="The console's History has them on a time line (H, then c).",
        )
    number: int = found[-1].id
    return number


class LossReader:
    """Reads losses of one environment again and again; what was read of a capture is kept. One thread uses it
    at a time."""

    def __init__(self, session: ConsoleSession) -> None:
        self._session = session
        self._kept: tuple[int, Capture] | None = None
        """The capture that was read last, with its number."""

    def read(
        self,
        desired: DesiredInventory,
        actual: ActualInventory,
        situation: Situation | None,
        *,
        chosen: int | Capture | None = None,
        until: datetime | None = None,
    ) -> Losses:
        """Against the capture chosen, by its number or itself; else the newest complete one from before the
        deletion, of those of `until` or before; without one, by what the CI database and CloudStack's events
        know."""
        unread: list[str] = []
        entries = self._entries(unread)
        if chosen is None or isinstance(chosen, int):
            basis, capture = self._capture(entries, situation, unread, chosen=chosen, until=until)
        else:
            basis, capture = given(chosen.taken_at, situation), chosen
        times = self._expunging(unread)
        deleted = [] if situation is None else _ended(situation)
        ledger = (
            loss_ledger(capture.actual, actual, expunging=times, deleted=deleted)
            if capture is not None
            else losses_without_capture(desired, actual, situation, made=self._made(basis.began, unread))
        )
        found = recoverable(actual, self._session.rules, expunging=times)
        kept, archive = self._archived(ledger, unread)
        again = (
            frozenset(one.old_id for one in by_capture(capture.actual, actual)) if capture else frozenset()
        )
        return Losses(ledger, basis, found, tuple(unread), times, kept, archive, capture, again)

    def _made(self, began: datetime | None, unread: list[str]) -> frozenset[str]:
        """The ids of what was made since the deletion began, by the ledger; none where that is not known."""
        if began is None:
            return frozenset()
        from sync.identities import made_ids
        from sync.ledger_entries import EntryKind

        try:
            outcomes = self._session.ledger.each(kinds=[EntryKind.OUTCOME])
            return made_ids(entry for entry in outcomes if entry.at >= began)
        except AbreastError as error:
            unread.append(f"What was made since the deletion is not known: {error}")
            return frozenset()

    def _archived(self, ledger: LossLedger, unread: list[str]) -> tuple[Mapping[str, str], str]:
        """What the environment's archive has of what is lost or going, and a sentence about it."""
        folder = self._session.environment.archive
        if folder is None:
            return {}, NO_ARCHIVE
        from sync.archive_folder import read
        from sync.kept import kept

        try:
            found = kept(ledger.objects, read(folder))
        except (AbreastError, OSError) as error:
            unread.append(str(error))
            return {}, f"What the archive {folder} holds is not known."
        gone = sum(one.fate in (Fate.LOST, Fate.DYING) for one in ledger.objects)
        return found, f"The archive {folder} has {len(found)} of the {gone} objects that are lost or going."

    def before(self, situation: Situation | None) -> tuple[Basis, Capture | None]:
        """The newest complete capture from before the deletion, and why that; None where there is none."""
        unread: list[str] = []
        return self._capture(self._entries(unread), situation, unread, chosen=None, until=None)

    def _entries(self, unread: list[str]) -> tuple[CaptureEntry, ...]:
        captures = self._session.captures
        try:
            found: tuple[CaptureEntry, ...] = captures.history.entries() if captures.exist else ()
        except CaptureError as error:
            unread.append(str(error))
            return ()
        return found

    def _capture(
        self,
        entries: tuple[CaptureEntry, ...],
        situation: Situation | None,
        unread: list[str],
        *,
        chosen: int | None,
        until: datetime | None,
    ) -> tuple[Basis, Capture | None]:
        mine = next((one for one in entries if one.id == chosen), None)
        if mine is not None:
            basis = given(mine.taken_at, situation, id=mine.id)
        else:
            basis = choose(entries, situation, last_seen=self._last_seen(situation, unread), until=until)
        if basis.id is None:
            return basis, None
        try:
            if self._kept is None or self._kept[0] != basis.id:
                self._kept = (basis.id, self._session.captures.history.read(basis.id))
        except CaptureError as error:
            unread.append(str(error))
            return Basis(None, "the capture cannot be read", basis.began), None
        return basis, self._kept[1]

    def _last_seen(self, situation: Situation | None, unread: list[str]) -> Mapping[str, datetime]:
        """When each domain that vanished was last captured."""
        ids = vanished(situation)
        try:
            found: Mapping[str, datetime] = self._session.captures.last_captured(ids) if ids else {}
        except CaptureError as error:
            unread.append(str(error))
            return {}
        return found

    def _expunging(self, unread: list[str]) -> Expunging:
        try:
            return self._session.expunging()
        except SourceError as error:
            unread.append(f"How long destroyed VMs have left is not known: {error}")
            return Expunging()


def rules_with_ranges(session: ConsoleSession, situation: Situation | None) -> PlanRules:
    """The session's rules, with the ranges that networks had where a capture from before the deletion knows
    them: only then can VMs that are made again have their addresses."""
    rules: PlanRules = session.rules
    before = captured_before(session, situation) if may_know_ranges(session) else None
    return rules if before is None else replace(rules, ranges=ranges_of(before))


def may_know_ranges(session: ConsoleSession) -> bool:
    """Whether networks are made at all, and there are captures that may tell which ranges they had."""
    return session.rules.network is not None and session.captures.exist


def captured_before(session: ConsoleSession, situation: Situation | None) -> ActualInventory | None:
    """CloudStack as the newest complete capture from before the deletion has it; None without any."""
    if not session.captures.exist:
        return None
    _, found = LossReader(session).before(situation)
    return None if found is None else found.actual


def _ended(situation: Situation) -> list[str]:
    """The ids of domains whose deletion has ended, by CloudStack's own events."""
    from sync.deletions import Kind, Stage

    return [one.target_id for one in situation.of(Stage.ENDED) if one.kind is Kind.DOMAIN]
