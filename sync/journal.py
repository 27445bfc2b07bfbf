"""What an execution writes into the ledger about its actions, and reads out of it again.

An intent without a definite outcome is unresolved: only reading CloudStack can tell what became of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sync import plan as plans
from sync.errors import LedgerError
from sync.ledger import Entry, EntryKind, Ledger
from sync.model import STANDS, Action, ActionResult, JsonObject, Outcome, Plan
from sync.schedule import ExecutionPolicy

_ABOUT_ACTIONS = (EntryKind.INTENT, EntryKind.SUBMITTED, EntryKind.OUTCOME)


@dataclass(frozen=True, slots=True)
class Intent:
    """An intent of ours whose outcome is not known."""

    action_id: str
    at: datetime
    job_id: str | None = None
    """The job that CloudStack gave for it, where it came to that."""


class Journal:
    """Writes about the actions of one run. Every method raises LedgerError when it cannot."""

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self.run_id = run_id
        self._ledger = ledger

    def intent(self, action: Action, command: str, *, parameters: Mapping[str, str], attempt: int) -> Entry:
        """Before a call is made. `parameters` are without the password."""
        return self._write(
            EntryKind.INTENT,
            action.id,
            kind=action.kind.value,
            target_id=action.target_id,
            command=command,
            parameters=dict(parameters),
            attempt=attempt,
        )

    def submitted(self, action: Action, job_id: str | None) -> None:
        """After CloudStack took the call."""
        self._write(EntryKind.SUBMITTED, action.id, job_id=job_id)

    def outcome(self, result: ActionResult) -> None:
        """When it is known what became of the action, or that it is unknown."""
        self._write(
            EntryKind.OUTCOME,
            result.action_id,
            outcome=result.outcome.value,
            detail=result.detail,
            object_id=result.object_id,
            job_id=result.job_id,
            seconds=round(result.seconds, 3),
        )

    def _write(self, entry_kind: EntryKind, action_id: str, /, **content: object) -> Entry:
        return self._ledger.append(entry_kind, {"action": action_id, **content}, run_id=self.run_id)


def plan_of(ledger: Ledger, run_id: str) -> Plan:
    """The plan that a run was started with; LedgerError when the ledger has no such run."""
    return begun(ledger, run_id)[0]


def begun(ledger: Ledger, run_id: str) -> tuple[Plan, JsonObject]:
    """The plan that a run was started with, and the rest of its first entry's payload.

    Raises LedgerError when the ledger has no such run.
    """
    started = ledger.entries(run_id=run_id, kinds=[EntryKind.RUN_STARTED], hook=plans.early)
    if not started:
        raise LedgerError(
            f"The ledger has no run {run_id} in {ledger.environment}.",
            next_step="`abreast ledger show` lists what it has.",
        )
    rest = dict(started[0].payload)
    return plans.from_json(rest.pop("plan")), rest


def results_of(ledger: Ledger, run_id: str) -> dict[str, ActionResult]:
    """The last outcome of every action of a run that has one, by the action's id."""
    results = {}
    for entry in ledger.each(run_id=run_id, kinds=[EntryKind.OUTCOME]):
        payload = entry.payload
        results[payload["action"]] = ActionResult(
            action_id=payload["action"],
            outcome=Outcome(payload["outcome"]),
            detail=payload["detail"],
            object_id=payload["object_id"],
            job_id=payload["job_id"],
            seconds=payload["seconds"],
        )
    return results


def left_by_rebuilds(ledger: Ledger) -> frozenset[str]:
    """Keys of the projects of which a rebuild that was begun did not do everything, and no later run did it.

    Raises LedgerError.
    """
    left: dict[str, str] = {}
    for run in reversed(ledger.runs()):
        is_all_done = sum(run.counts.get(one, 0) for one in STANDS) == run.total
        if is_all_done and not left:
            continue
        plan, started = begun(ledger, run.run_id)
        results = results_of(ledger, run.run_id)
        for action in plan.actions:
            if action.id in results and results[action.id].outcome in STANDS:
                left.pop(action.id, None)
            elif started["policy"] == ExecutionPolicy.REBUILD.value:
                left[action.id] = action.project
    return frozenset(left.values())


def unresolved(ledger: Ledger) -> dict[str, Intent]:
    """Intents of the environment without a definite outcome, by the action's id, over all of its runs."""
    return unresolved_among(ledger.each(kinds=_ABOUT_ACTIONS))


def unresolved_among(entries: Iterable[Entry]) -> dict[str, Intent]:
    """The same, decided from entries in their order."""
    open_intents: dict[str, Intent] = {}
    for entry in entries:
        action_id = entry.payload["action"]
        if entry.kind is EntryKind.INTENT:
            open_intents[action_id] = Intent(action_id, entry.at)
        elif entry.kind is EntryKind.SUBMITTED:
            open_intents[action_id] = Intent(action_id, entry.at, entry.payload["job_id"])
        elif entry.payload["outcome"] != Outcome.UNKNOWN.value:
            open_intents.pop(action_id, None)
    return open_intents
