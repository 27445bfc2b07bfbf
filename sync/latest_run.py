"""The newest run of an environment, and who has hold of it: it goes on, was interrupted, or is over.

Judges what the ledger has read; asks nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.errors import LeaseHeldError
from sync.lease import Holder, Standing
from sync.ledger_entries import RunSummary


@dataclass(frozen=True, slots=True)
class LatestRun:
    """One moment of the ledger. Ask again before anything is said or offered because of it."""

    run: RunSummary
    last_seq: int
    """Number of its newest entry: unchanged as long as nobody goes on with it."""
    last_operator: str
    """Who wrote that entry."""
    last_at: datetime
    """When that was: an interrupted run was still alive then."""
    holder: Holder | None
    """Who has the environment's lease, for this run or something else; None when whoever had it is gone."""
    standing: Standing | None
    """Of the holder."""

    @property
    def is_held(self) -> bool:
        """Whether somebody who is not known to be gone executes this very run."""
        return self.holder is not None and self.run.is_resumable and self.holder.run_id == self.run.run_id

    @property
    def is_silent(self) -> bool:
        """Whether it is held by a machine that has not been heard of: running or not, nobody here knows."""
        return self.is_held and self.standing is Standing.SILENT

    @property
    def silent_holder(self) -> Holder | None:
        """Who has the lease, for whatever, on a machine that has not been heard of."""
        return self.holder if self.standing is Standing.SILENT else None

    @property
    def is_interrupted(self) -> bool:
        """Whether it was stopped or killed with something left to do, and nobody goes on with it."""
        return self.run.is_resumable and not self.is_held

    def refuse_held(self) -> None:
        """Raises LeaseHeldError, naming the holder, while the run goes on or something else is executed."""
        if self.holder is None or not self.run.is_resumable:
            return
        name, who = self.run.run_id, self.holder.words
        if self.standing is Standing.SILENT:
            raise LeaseHeldError(
                f"Whether run {name} goes on is not known: {who}, has not been heard of.",
                next_step="Make sure that nothing of it runs any more, then break its lease: "
                f"{self.holder.command_to_break(self.run.environment)}.",
            )
        if not self.is_held:
            raise LeaseHeldError(
                f"Run {name} was interrupted, but another execution is running now: {who}.",
                next_step="Wait for it, then run this again.",
            )
        raise LeaseHeldError(
            f"Run {name} is running, it was not interrupted: {who}.",
            next_step=f"Wait for it, or stop it there; `abreast ledger show --run {name}` has its steps.",
        )
