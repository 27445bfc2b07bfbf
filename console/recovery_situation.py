"""All that the steps of the recovery depend on, as one value. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from console.recovering import Aftermath, Choice, is_unfinished
from console.state import RunState
from sync.recovery import Assessment, StoredIds

if TYPE_CHECKING:
    from console.ledger_run import LedgerRun
    from console.losses import Losses
    from console.report_state import Reporting
    from console.restore_state import Restoring
    from sync.deletions import Situation as Deletions


@dataclass(frozen=True)
class Situation:
    """All that the steps depend on."""

    key: Callable[[str], str]
    """Id of a command → the key as it is mapped now."""
    is_armed: bool
    can_arm: bool
    is_drill: bool
    deletions: Deletions | None = None
    """What is being deleted; None until it was read."""
    can_tell_deletions: bool = True
    """Whether CloudStack's last reading told of them; else they are of an earlier one."""
    assessment: Assessment | None = None
    """None until both sides were compared."""
    is_fresh: bool = True
    """Whether it is of readings from after the rebuild that ended last."""
    choice: Choice = field(default_factory=Choice)
    run: RunState | None = None
    """The execution going on or ended last, whatever it is for."""
    ledger_run: LedgerRun | None = None
    """The newest run as the ledger has it; None while one of this console is going on."""
    aftermath: Aftermath | None = None
    problem: str = ""
    """What was refused last; empty when nothing was."""
    losses: Losses | None = None
    """None until they were told."""
    now: datetime | None = None
    rehearsal: str = ""
    """How the rehearsal of what is chosen stands; empty while there was none."""
    last_rebuild: RunState | None = None
    """The newest one of this console, whatever ran after it."""
    restoring: Restoring | None = None
    """The newest restore of this console, planned or run; None where none was looked at."""
    left_run: str = ""
    """The interrupted run that the operator leaves as it is, to plan anew what is missing."""
    reporting: Reporting | None = None
    """How the report and the letters stand that were written here last; None where none were asked for."""
    is_replay: bool = False
    """Whether a capture is shown: what was, and cannot be changed."""
    plays_owner: bool = False
    """Whether the drill's own page lets the CI database's owner store the new ids."""

    @property
    def rebuild(self) -> RunState | None:
        """The recovery's run that goes on or ended last."""
        own = self.run if self.run is not None and self.run.is_rebuild else None
        return self.last_rebuild or own

    @property
    def is_to_restore(self) -> bool:
        """Whether a restore goes on, is being planned or looked at, or is there to be begun."""
        state, run = self.restoring, self.run
        if run is not None and run.is_restore and run.is_going_on:
            return True
        if state is None or state.problem or state.ended is not None:
            return False
        return bool(state.step) or state.is_run or (state.made is not None and bool(state.made.actions))

    @property
    def held(self) -> LedgerRun | None:
        """The newest run, if it goes on elsewhere or may."""
        return self.ledger_run if self.ledger_run is not None and self.ledger_run.is_held else None

    @property
    def unfinished(self) -> LedgerRun | None:
        """The newest run, if it was interrupted."""
        found = self.ledger_run
        is_left = found is not None and found.run_id == self.left_run
        return None if found is None or found.is_held or found.is_over or is_left else found

    @property
    def is_finished_elsewhere(self) -> bool:
        """Whether another console has brought to its end what this one left unfinished."""
        run, found = self.rebuild, self.ledger_run
        return (
            run is not None
            and found is not None
            and is_unfinished(run)
            and found.run_id == run.run_id
            and found.is_over
        )

    @property
    def stored(self) -> StoredIds | None:
        """How the stored ids stand, by both sides as they were read last; None where that is not known, or of
        before the rebuild that ended last."""
        found = self.assessment
        return found.stored if found is not None and self.is_fresh and not found.unproven else None

    @property
    def is_to_link(self) -> bool:
        """Whether the CI database stores ids of domains that have others now."""
        return self.stored is not None and bool(self.stored.stale)
