"""The newest run as the ledger has it, whoever executes it: what may be said of it, and what may be offered.

Pure but for `ask`, which blocks and belongs into a thread. Asked again before anything is said or offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from sync.model import STANDS, ActionResult

if TYPE_CHECKING:
    from sync.latest_run import LatestRun
    from sync.lease import Holder
    from sync.ledger import Ledger
    from sync.model import Plan
    from sync.prediction import Comparison


@dataclass(frozen=True)
class LedgerRun:
    """The newest run of the environment, at the moment when the ledger was asked."""

    latest: LatestRun
    plan: Plan | None = None
    """Only of an interrupted run."""
    results: Mapping[str, ActionResult] = field(default_factory=lambda: MappingProxyType({}))
    """Those that stand, by action id; only of an interrupted run."""
    compared: Comparison | None = None
    """What was predicted against what was; only of a run that is over and was rehearsed."""

    @property
    def run_id(self) -> str:
        return self.latest.run.run_id

    @property
    def is_held(self) -> bool:
        """Whether it goes on elsewhere, or may."""
        return self.latest.is_held

    @property
    def can_be_finished(self) -> bool:
        """Whether it may be offered to go on with it: interrupted, and nobody executes anything else."""
        return self.plan is not None and self.latest.is_interrupted and self.latest.holder is None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it to do."""
        return not self.latest.run.is_resumable

    @property
    def silent(self) -> Holder | None:
        """Who has the lease on a machine that has not been heard of; breaking it takes a person's word."""
        return self.latest.silent_holder

    @property
    def words(self) -> str:
        """How it stands, in one or two sentences."""
        run, holder = self.latest.run, self.latest.holder
        if self.is_over:
            return f"Run {run.run_id} was ended by {self.latest.last_operator}."
        if holder is None:
            # Whoever stops a run writes its end; a process that dies does not.
            how = "was interrupted" if run.ended_at is None else "was stopped before its end"
            return f"Run {run.run_id} by {run.operator} {how}."
        who = f"{holder.owner} since {holder.since.astimezone():%H:%M:%S} on host {holder.host}"
        if not self.is_held:
            return f"Run {run.run_id} was interrupted, but something else is executed now, by {who}."
        if self.latest.is_silent:
            return f"Whether run {run.run_id} goes on is not known: held by {who}, which is not heard of."
        return f"Run {run.run_id} is running, by {who}."


def ask(ledger: Ledger, known: LedgerRun | None) -> LedgerRun | None:
    """What the ledger says of its newest run now; None while it has none. Blocks; raises LedgerError.

    `known` is what it said last: the plan and the results of an interrupted run are read once.
    """
    latest = ledger.latest_run()
    if latest is None:
        return None
    if not latest.is_interrupted:
        return LedgerRun(latest, compared=_compared(ledger, latest, known))
    run_id = latest.run.run_id
    if known is not None and known.plan is not None and known.latest.last_seq == latest.last_seq:
        return LedgerRun(latest, known.plan, known.results)
    from sync.journal import plan_of, results_of

    found = results_of(ledger, run_id)
    standing = {id: result for id, result in found.items() if result.outcome in STANDS}
    return LedgerRun(latest, plan_of(ledger, run_id), standing)


def _compared(ledger: Ledger, latest: LatestRun, known: LedgerRun | None) -> Comparison | None:
    """Read once of a run that is over."""
    if latest.run.is_resumable:
        return None
    if known is not None and known.is_over and known.latest.last_seq == latest.last_seq:
        return known.compared
    from sync.ledger import EntryKind
    from sync.prediction import compared_in

    run_id = latest.run.run_id
    (started,) = ledger.entries(run_id=run_id, kinds=[EntryKind.RUN_STARTED])
    if not started.payload.get("predicted"):
        return None
    telling = (EntryKind.RUN_RESUMED, EntryKind.OUTCOME, EntryKind.RUN_ENDED)
    entries = (started, *ledger.entries(run_id=run_id, kinds=telling))
    return next((one.comparison for one in compared_in(entries)), None)
