"""Executes a confirmed plan: guards, lease, and going on after any interruption.

`execution` sends what `schedule` lets go, `attempt` brings one action to its outcome, `ledger` has the truth.
A run needs nothing but the ledger to be resumed.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync import plan as plans
from sync import prediction as predictions
from sync.approval_rules import ApprovalRules, Approved, refuse_unapproved
from sync.credentials import CredentialFile
from sync.errors import GuardError, IncompleteError, StaleError
from sync.execution import ExecutionEvent, LimitsLike, OnEvent, Run, RunReport
from sync.journal import begun, results_of
from sync.ledger import Clock, Ledger, utc_now
from sync.ledger_entries import Written
from sync.lookup import ArchiveLike, ReaderLike, WriterLike
from sync.model import Action, ActionKind, ActionResult, JsonObject, Plan
from sync.operations import OPERATIONS, contradictions, missing_parameters, target_of, unknown_fields
from sync.pins import Server
from sync.prediction import Prediction
from sync.retirement_journal import open_projects
from sync.schedule import ExecutionPolicy

__all__ = [
    "Confirmation",
    "ExecutionEvent",
    "ExecutionPolicy",
    "Executor",
    "LimitsLike",
    "RunReport",
]

CONFIRMATION_AGE = timedelta(minutes=60)
"""How long a person's word for a plan counts."""

_ENABLING = frozenset({ActionKind.ENABLE_ACCOUNT, ActionKind.ENABLE_USER})


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A named person's word for exactly one plan."""

    digest: str
    by: str
    at: datetime


class Executor:
    """Runs plans of one environment, one at a time."""

    def __init__(
        self,
        *,
        reader: ReaderLike,
        writer: WriterLike,
        ledger: Ledger,
        vault: CredentialFile,
        limits: LimitsLike,
        policy: ExecutionPolicy = ExecutionPolicy.STAGED,
        approvals: ApprovalRules | None = None,
        archive: ArchiveLike | None = None,
        clock: Clock = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`policy` holds for `run`; a resumed run keeps its own. `archive` has the files that plans name."""
        self._reader = reader
        self._writer = writer
        self._ledger = ledger
        self._vault = vault
        self._limits = limits
        self._policy = policy
        self._approvals = approvals if approvals is not None else ApprovalRules()
        self._archive = archive
        self._clock = clock
        self._sleep = sleep

    def run(
        self,
        plan: Plan,
        *,
        confirmed: Confirmation,
        on_event: OnEvent,
        stop: threading.Event,
        pause: threading.Event | None = None,
        approved: Approved | None = None,
        predicted: Prediction | None = None,
    ) -> RunReport:
        """Execute a plan. Raises GuardError before anything is sent, LedgerError when the record fails.

        After `stop` nothing more is sent, and the run ends; while `pause` is set nothing more is sent, and it
        goes on afterwards. `approved` has the verified signatures, where the environment asks for any;
        `predicted` is what a rehearsal of exactly this plan came to, for the record.

        Intents of earlier runs for the same actions that were left unresolved are resolved by reading.
        """
        self._vault.open()
        with self._ledger.lease(self._ledger.operator):
            self._guard_approved(plan, approved)
            self._guard(plan, confirmed)
            plans.refuse_expired(plan, self._clock())
            run_id = f"{self._clock():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
            payload = {
                "plan": Written(lambda: plans.text_of(plan)),
                "policy": self._policy.value,
                "confirmed": _confirmation_json(confirmed),
                **_approval_json(approved),
                **_prediction_json(predicted, plan),
            }
            self._ledger.begin_run(run_id, payload, digest=plan.digest, total=len(plan.actions))
            run = self._new_run(
                plan, run_id, self._policy, known={}, on_event=on_event, stop=stop, pause=pause
            )
            return run.execute()

    def resume(
        self,
        run_id: str,
        *,
        confirmed: Confirmation,
        on_event: OnEvent,
        stop: threading.Event,
        pause: threading.Event | None = None,
    ) -> RunReport:
        """Go on with a stopped or killed run: resolve what is unknown by reading, then send what was not.

        The plan comes from the ledger and needs a fresh confirmation; its age does not matter, because every
        precondition is read again. In a rebuild, what failed is tried again as well.
        """
        self._vault.open()
        with self._ledger.lease(self._ledger.operator):
            plan, started = begun(self._ledger, run_id)
            self._guard_approved(plan, _approval_of(started))
            self._guard(plan, confirmed)
            self._refuse_superseded(run_id)
            policy = ExecutionPolicy(started["policy"])
            known = results_of(self._ledger, run_id)
            self._ledger.resume_run(run_id, {"confirmed": _confirmation_json(confirmed)})
            run = self._new_run(plan, run_id, policy, known=known, on_event=on_event, stop=stop, pause=pause)
            return run.execute()

    def _new_run(
        self,
        plan: Plan,
        run_id: str,
        policy: ExecutionPolicy,
        *,
        known: Mapping[str, ActionResult],
        on_event: OnEvent,
        stop: threading.Event,
        pause: threading.Event | None,
    ) -> Run:
        return Run(
            plan,
            run_id,
            policy=policy,
            known=known,
            reader=self._reader,
            writer=self._writer,
            ledger=self._ledger,
            vault=self._vault,
            limits=self._limits,
            on_event=on_event,
            stop=stop,
            pause=pause if pause is not None else threading.Event(),
            clock=self._clock,
            sleep=self._sleep,
            archive=self._archive,
        )

    def _guard(self, plan: Plan, confirmed: Confirmation) -> None:
        """Refuse whatever is not proven to be the confirmed plan for this environment and server."""
        plans.refuse_changed(plan)
        if not confirmed.by or confirmed.digest != plan.digest:
            raise GuardError(
                "What was confirmed is not this plan.", next_step="Review it and confirm it by its digest."
            )
        if abs(self._clock() - confirmed.at) > CONFIRMATION_AGE:
            raise StaleError(
                f"The confirmation by {confirmed.by} is older than {CONFIRMATION_AGE.seconds // 60} minutes.",
                next_step="Review the plan and confirm it again.",
            )
        if plan.environment != self._ledger.environment:
            raise GuardError(
                f"The plan is for {plan.environment}, this is {self._ledger.environment}.",
                next_step="Name its environment with --environment.",
            )
        found = self._reader.capabilities()
        if not found.root_id:
            raise IncompleteError(
                f"Which server answers at {found.endpoint} could not be read: it lists no ROOT.",
                next_step="Nothing was sent. Look, then try again.",
            )
        is_same = (plan.endpoint, plan.root_id) == (found.endpoint, found.root_id)
        if not is_same or self._reader.domain_by_id(plan.root_id) is None:
            raise GuardError(
                f"The plan was made for {plan.endpoint} with ROOT domain {plan.root_id}; "
                f"this is {found.endpoint} with {found.root_id}.",
                next_step="Make a new plan here.",
            )
        for action in plan.actions:
            _guard_action(action)
        self._refuse_unserved(plan)
        self._refuse_lifting(plan)
        self._ledger.pins.recognise(Server(found.endpoint, found.root_id))

    def _refuse_unserved(self, plan: Plan) -> None:
        """What is made of an archive's file cannot be made where nobody serves it."""
        files = sum("file" in action.parameters for action in plan.actions)
        if files and self._archive is None:
            raise GuardError(
                f"{files} actions of the plan need files of an archive, and none is served here.",
                next_step="Go on with it by `abreast restore --archive FOLDER --serve ADDRESS`.",
            )

    def _refuse_lifting(self, plan: Plan) -> None:
        """Enabling anything of a project that is being retired would lift its quarantine."""
        enabling = [action for action in plan.actions if action.kind in _ENABLING]
        retiring = open_projects(self._ledger, self._clock()) if enabling else frozenset()
        for action in enabling:
            if action.project in retiring:
                raise GuardError(
                    f"“{action.id}” is not done: the retirement of {action.project} is open.",
                    next_step=f"`abreast retire {action.project} --undo` takes that back, and enables it.",
                )

    def _guard_approved(self, plan: Plan, approved: Approved | None) -> None:
        """Whoever asks for the run: nothing that needs approvals runs without them."""
        digest, people = (approved.digest, approved.people) if approved is not None else (None, ())
        refuse_unapproved(plan, self._approvals, digest=digest, people=people)

    def _refuse_superseded(self, run_id: str) -> None:
        newest = self._ledger.interrupted_run()
        if newest is None or newest.run_id != run_id:
            raise GuardError(
                f"The run {run_id} is finished, or another was started after it.",
                next_step="Read both sides again and make a new plan.",
            )


def _guard_action(action: Action) -> None:
    if action.kind not in OPERATIONS:
        raise GuardError(f"“{action.kind.value}” cannot be executed.", next_step="Make a new plan.")
    target_of(action)
    if not action.precondition and not action.needs:
        raise GuardError(f"“{action.id}” has no precondition.", next_step="Make a new plan.")
    missing = missing_parameters(action)
    if missing:
        raise GuardError(
            f"“{action.id}” lacks {', '.join(missing)}, without which it cannot be sent.",
            next_step="Make a new plan.",
        )
    contradicting = contradictions(action)
    if contradicting:
        raise GuardError(
            f"“{action.id}” says two things of what it is about: {', '.join(contradicting)}.",
            next_step="The plan is damaged: make a new one.",
        )
    unknown = unknown_fields(action)
    if unknown:
        raise GuardError(
            f"The precondition of “{action.id}” names {', '.join(unknown)}, which cannot be checked.",
            next_step="Make a new plan with this version of abreast.",
        )


def _confirmation_json(confirmed: Confirmation) -> dict[str, str]:
    return {"digest": confirmed.digest, "by": confirmed.by, "at": confirmed.at.isoformat()}


def _approval_json(approved: Approved | None) -> dict[str, dict[str, object]]:
    """Who approved, for the record; nothing where nobody had to and nobody did."""
    if approved is None or not approved.people:
        return {}
    people, keys = list(approved.people), list(approved.keys)
    return {"approved": {"digest": approved.digest, "people": people, "keys": keys}}


def _prediction_json(predicted: Prediction | None, plan: Plan) -> JsonObject:
    """What was predicted, for the record; nothing where it was of other actions."""
    if predicted is None or not predictions.fits(predicted, plan):
        return {}
    return {"predicted": predictions.to_json(predicted, [action.id for action in plan.actions])}


def _approval_of(started: Mapping[str, object]) -> Approved | None:
    """The approval that a run was started with, as it was recorded."""
    recorded = started.get("approved")
    if not isinstance(recorded, dict):
        return None
    return Approved(str(recorded["digest"]), tuple(recorded["people"]), tuple(recorded["keys"]))
