"""The newest rebuild that the ledger has of this incident, whoever ran it: so that the path goes on where
somebody else, or an earlier console, left it. Blocks, and belongs into a thread."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from console.restores import is_restore
from console.state import RunPhase, RunState
from sync.model import ActionKind, ActionResult, Outcome, Plan

if TYPE_CHECKING:
    from sync.ledger import Ledger
    from sync.ledger_entries import RunSummary

LOOKED_BACK = timedelta(days=2)
"""As far as events are asked for: what was rebuilt before that is no step of this incident."""


def recall(ledger: Ledger, *, after: datetime) -> RunState | None:
    """The newest rebuild that began later and is over, as this console would have seen it end; None where
    there is none. Raises LedgerError."""
    for run in ledger.runs():
        if run.is_resumable or run.ended_at is None or run.started_at < after:
            continue
        found = _rebuild_of(ledger, run, run.ended_at)
        if found is not None:
            return found
    return None


def others(ledger: Ledger, *, after: datetime, than: str) -> tuple[RunState, ...]:
    """The other rebuilds that began later and made something, the oldest first; interrupted ones among them:
    their new passwords and ids are to be handed over too. Raises LedgerError."""
    found = (
        _rebuild_of(ledger, run, run.ended_at or run.started_at)
        for run in reversed(ledger.runs())
        if run.run_id != than and run.started_at >= after
    )
    return tuple(
        one
        for one in found
        if one is not None and any(it.outcome is Outcome.SUCCEEDED for it in one.results.values())
    )


def _rebuild_of(ledger: Ledger, run: RunSummary, ended_at: datetime) -> RunState | None:
    from sync.executor import RunReport
    from sync.journal import begun, results_of
    from sync.schedule import ExecutionPolicy

    plan, started = begun(ledger, run.run_id)
    if started["policy"] != ExecutionPolicy.REBUILD.value or not _is_rebuild(plan):
        return None
    known = results_of(ledger, run.run_id)
    results = tuple(
        known.get(action.id) or ActionResult(action.id, Outcome.NOT_RUN) for action in plan.actions
    )
    report = RunReport(run.run_id, run.digest, run.state, "", results, run.started_at, ended_at, calls=0)
    return RunState(
        plan,
        RunPhase.FINISHED,
        run.started_at,
        run_id=run.run_id,
        results={one.action_id: one for one in results},
        ended_at=ended_at,
        is_rebuild=True,
        report=report,
        recalled_of=_who_ended(ledger, run),
    )


def _who_ended(ledger: Ledger, run: RunSummary) -> str:
    """Whoever wrote its end; it may have been begun by somebody else."""
    from sync.ledger_entries import EntryKind

    return next(
        (one.operator for one in ledger.entries(run_id=run.run_id, kinds=[EntryKind.RUN_ENDED])[::-1]),
        run.operator,
    )


def _is_rebuild(plan: Plan) -> bool:
    """Restores, and VMs that are brought back, run by the same policy."""
    return not is_restore(plan) and any(one.kind is not ActionKind.RECOVER_VM for one in plan.actions)
