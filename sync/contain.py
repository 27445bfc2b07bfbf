"""Containment: the ladder of what can be done against a deletion, and the fence that takes a caller's access.

Each rung says what it does not stop and how it is undone; what a fence may be put on is decided here, and
every change is written down before it is sent and read back afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from sync.callers import Caller
from sync.cloudstack.access import SOURCE_LIST
from sync.cloudstack.capabilities import Capabilities
from sync.cloudstack.values import JobState, Submission
from sync.containment_journal import ContainmentJournal, Standing
from sync.deletions import Situation, Stage
from sync.errors import AbreastError, GuardError, OutcomeUnknownError, SourceError
from sync.fence_check import NOWHERE, is_fenced
from sync.model import STANDS, JsonObject, Outcome

JOB_SECONDS = 60.0
_POLL_SECONDS = 0.25
_ENABLED = "enabled"


class FenceLike(Protocol):
    """What containment sends with; `sync.cloudstack.Fence` has it."""

    def submit(self, command: str, parameters: Mapping[str, str], /) -> Submission: ...
    def user(self, user_id: str, /) -> JsonObject: ...
    def source_list(self, account_id: str, /) -> str: ...
    def job(self, job_id: str, /) -> JobState: ...


# --- how a caller can be fenced -----------------------------------------------------------------------------


class Method(Enum):
    """Best first; the value is the word on screen."""

    API_KEYS = "apikeyaccess"
    LOCK = "lockUser"
    SOURCE = "source list"
    DISABLE = "disableUser"


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """What is known of a way to fence."""

    command: str
    parameter: str
    """Which listApis has to name; empty where the command alone decides."""
    what: str
    does_not_stop: str
    undo: str
    known: str
    """Where it was measured."""


METHODS: Mapping[Method, MethodFacts] = {
    Method.API_KEYS: MethodFacts(
        "updateUser",
        "apikeyaccess",
        "refuses the user's API keys at once",
        "jobs that are already submitted; the user's login in the browser",
        "updateUser apikeyaccess=inherit (or what it was before)",
        "measured on 4.23; 4.20.1 and later",
    ),
    Method.LOCK: MethodFacts(
        "lockUser",
        "",
        "answers every further call of the user with 401, at once",
        "jobs that are already submitted",
        "enableUser, which also enables the account: not while the account is disabled",
        "measured on 4.23; in 4.18 [source]",
    ),
    Method.SOURCE: MethodFacts(
        "updateConfiguration",
        "accountid",
        f"lets the whole account call from {NOWHERE} only, at once",
        "jobs that are already submitted; other management servers may take 30 s [source]",
        f"updateConfiguration {SOURCE_LIST} with the value that held before, for the account",
        "measured on 4.23",
    ),
    Method.DISABLE: MethodFacts(
        "disableUser",
        "",
        "disables the user",
        "jobs that are already submitted; it is a job itself and may queue behind them",
        "enableUser, which also enables the account: not while the account is disabled",
        "measured on 4.18 and 4.23, on an idle server",
    ),
}


def methods(offered: Capabilities) -> tuple[Method, ...]:
    """The ways that listApis offers to the writing key, best first."""
    found = []
    for method, facts in METHODS.items():
        if not offered.has(facts.command, facts.parameter or None):
            continue
        if method is Method.SOURCE and not offered.has("listConfigurations", "accountid"):
            continue
        found.append(method)
    return tuple(found)


# --- who may be fenced --------------------------------------------------------------------------------------


def refusal(caller: Caller, own: Iterable[Capabilities], root_admins: frozenset[str]) -> str:
    """Why this user must not be fenced; empty when nothing speaks against it.

    `own` are the callers that abreast itself reads and writes as; a user name is unique per domain.
    """
    if not caller.user_id:
        return "CloudStack does not show this user, so there is nobody to fence."
    if caller.username.casefold() == "system":
        return "It is CloudStack's own user `system`."
    for one in own:
        if not one.user or not one.domain_id:
            return "CloudStack does not say whom abreast itself calls as: it might be this user."
        if one.domain_id == caller.domain_id and one.user.casefold() == caller.username.casefold():
            return "abreast itself calls with this user's key: fencing it would lock the operator out."
    if not root_admins:
        return "The enabled root admins could not be listed: it might be the last one."
    if root_admins <= {caller.user_id}:
        return "It is the last enabled root admin."
    return ""


def may_use(method: Method, caller: Caller, own: Iterable[Capabilities]) -> bool:
    """Whether a way to fence this caller leaves abreast's own keys alone: a source list is the account's."""
    if method is not Method.SOURCE:
        return True
    return not any(one.domain_id == caller.domain_id and one.account == caller.account for one in own)


# --- fencing ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One change of containment and what came of it."""

    action: str
    outcome: Outcome
    detail: str = ""
    undo: str = ""
    target: str = ""
    """Whom it is done to, where several ways may be tried one after the other; else empty."""


def last_of(steps: Iterable[Step]) -> tuple[Step, ...]:
    """What became of each thing that was to be done: a caller is fenced when the last way tried holds,
    whatever became of the ways before."""
    by_target: dict[str, Step] = {}
    for step in steps:
        by_target[step.target or step.action] = step
    return tuple(by_target.values())


class Fencing:
    """Puts fences up and takes them down again, each recorded before it is sent."""

    def __init__(
        self,
        fence: FenceLike,
        journal: ContainmentJournal,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._fence = fence
        self._journal = journal
        self._sleep = sleep

    def put_up(self, caller: Caller, choice: Sequence[Method]) -> tuple[Step, ...]:
        """Fence one caller by the first way that reading back confirms. Raises LedgerError."""
        steps: list[Step] = []
        for method in choice:
            step = self._try(caller, method)
            steps.append(step)
            if step.outcome in STANDS:
                break
        return tuple(steps)

    def _try(self, caller: Caller, method: Method) -> Step:
        facts, target = METHODS[method], caller.user_id
        action = f"fence {caller.label} by {method.value}"
        try:
            before = self._state(caller, method)
        except SourceError as error:
            return Step(action, Outcome.NOT_RUN, f"Its state cannot be read: {error}", target=target)
        if is_fenced(facts.command, before):
            return Step(action, Outcome.SKIPPED, "It is fenced so already.", facts.undo, target)
        parameters = _parameters(caller, method)
        self._journal.intent(
            action,
            kind="fence",
            target=caller.label,
            target_id=caller.user_id,
            command=facts.command,
            parameters=parameters,
            before=before
            | {
                "account_id": caller.account_id,
                "account": caller.account,
                "username": caller.username,
                "seen_to": _seen_to(caller),
            },
        )
        outcome, detail, job_id = self._send(facts.command, parameters)
        if outcome is not Outcome.FAILED:
            outcome, detail = self._read_back(caller, method, detail)
        self._journal.outcome(action, outcome, detail, job_id=job_id)
        return Step(action, outcome, detail, facts.undo, target)

    def _state(self, caller: Caller, method: Method) -> JsonObject:
        if method is Method.SOURCE:
            return {"source_list": self._fence.source_list(caller.account_id)}
        return self._fence.user(caller.user_id)

    def _send(self, command: str, parameters: Mapping[str, str]) -> tuple[Outcome, str, str | None]:
        try:
            submitted = self._fence.submit(command, parameters)
        except OutcomeUnknownError as error:
            return Outcome.UNKNOWN, str(error), None
        except (SourceError, GuardError) as error:
            return Outcome.FAILED, str(error), None
        if submitted.job_id is None:
            return Outcome.SUCCEEDED, "", None
        try:
            failure = self._follow(submitted.job_id)
        except SourceError as error:
            return Outcome.UNKNOWN, str(error), submitted.job_id
        return (Outcome.FAILED if failure else Outcome.SUCCEEDED), failure, submitted.job_id

    def _follow(self, job_id: str) -> str:
        """The failure of a job, empty on success or when it is not over yet: then reading back decides."""
        for _ in range(int(JOB_SECONDS / _POLL_SECONDS)):
            job = self._fence.job(job_id)
            if job.status == "failed":
                return job.text or f"The job {job_id} failed with {job.code}."
            if job.status == "succeeded":
                return ""
            self._sleep(_POLL_SECONDS)
        return ""

    def _read_back(self, caller: Caller, method: Method, detail: str) -> tuple[Outcome, str]:
        try:
            now = self._state(caller, method)
        except SourceError as error:
            return Outcome.UNKNOWN, f"It was sent and cannot be read back: {error}"
        if is_fenced(METHODS[method].command, now):
            return Outcome.SUCCEEDED, ""
        return Outcome.UNKNOWN, (detail or "CloudStack accepted it, but reading back does not show it.")

    # --- undoing ------------------------------------------------------------------------------------------

    def take_down(self, standing: Standing, *, reason: str) -> Step:
        """Undo one fence of the journal, to what was before. Raises LedgerError."""
        action = f"lift {standing.action}"
        try:
            command, parameters = self._undoing(standing)
        except AbreastError as error:
            return Step(action, Outcome.NOT_RUN, str(error))
        self._journal.intent(
            action,
            kind="unfence",
            target=standing.target,
            target_id=standing.target_id,
            command=command,
            parameters=parameters,
            undoes=standing.action,
            reason=reason,
        )
        outcome, detail, job_id = self._send(command, parameters)
        if outcome is not Outcome.FAILED:
            outcome, detail = self._read_lifted(standing, parameters)
        self._journal.outcome(action, outcome, detail, job_id=job_id)
        return Step(action, outcome, detail)

    def _undoing(self, standing: Standing) -> tuple[str, dict[str, str]]:
        if standing.command == "updateConfiguration":
            account_id, value = str(standing.before["account_id"]), str(standing.before["source_list"])
            return "updateConfiguration", {"name": SOURCE_LIST, "accountid": account_id, "value": value}
        if standing.command == "updateUser":
            access = str(standing.before.get("apikeyaccess") or "inherit").lower()
            return "updateUser", {"id": standing.target_id, "apikeyaccess": access}
        account_state = str(self._fence.user(standing.target_id).get("account_state", ""))
        if account_state.casefold() == "disabled" or standing.before.get("account_state") == "disabled":
            raise GuardError(
                f"enableUser would also enable the account of {standing.target}, which is disabled.",
                next_step="Enable the account first, if that is wanted.",
            )
        return "enableUser", {"id": standing.target_id}

    def _read_lifted(self, standing: Standing, parameters: Mapping[str, str]) -> tuple[Outcome, str]:
        try:
            if standing.command == "updateConfiguration":
                is_lifted = self._fence.source_list(parameters["accountid"]) == parameters["value"]
            else:
                now = self._fence.user(standing.target_id)
                is_lifted = str(now.get("state", "")).casefold() == _ENABLED
                if standing.command == "updateUser":
                    is_lifted = str(now.get("apikeyaccess", "")).casefold() == parameters["apikeyaccess"]
        except SourceError as error:
            return Outcome.UNKNOWN, f"It was sent and cannot be read back: {error}"
        return (Outcome.SUCCEEDED, "") if is_lifted else (Outcome.UNKNOWN, "Reading back does not show it.")


def _seen_to(caller: Caller) -> str:
    """The newest deletion of the caller's that was known when it was fenced, by CloudStack's clock."""
    return max(caller.accepted).isoformat() if caller.accepted else ""


def _parameters(caller: Caller, method: Method) -> dict[str, str]:
    if method is Method.API_KEYS:
        return {"id": caller.user_id, "apikeyaccess": "disabled"}
    if method is Method.SOURCE:
        return {"name": SOURCE_LIST, "accountid": caller.account_id, "value": NOWHERE}
    return {"id": caller.user_id}


# --- the ladder ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rung:
    """One thing that can be done, or why it cannot."""

    name: str
    what: str
    does_not_stop: str
    undo: str
    known: str
    """Measured where, read in the source, or only a person can do it."""
    why_not: str = ""
    """Why it cannot be done here and now; empty where it can."""
    text: tuple[tuple[str, str], ...] = ()
    """The runbook, title and text, where the rung is a person's."""


@dataclass(frozen=True, slots=True)
class Means:
    """What this environment has against a deletion."""

    runbook: Mapping[str, str]
    offered: Capabilities | None
    """What CloudStack offers to the writing key; None without one."""
    offered_why_not: str = ""
    brake_why_not: str = ""
    brake_locks: tuple[str, ...] = ()
    shield_why_not: str = ""
    nobody_why: str = ""
    """Why nobody may be fenced, whatever is offered; empty where somebody may."""


def ladder(means: Means, situation: Situation) -> tuple[Rung, ...]:
    """The rungs in the order in which they are taken."""
    return (
        _stop_at_source(means.runbook),
        _fence(means),
        _brake(means),
        Rung(
            "shield",
            "delete protection on one VM of every domain that is not submitted: its deletion then fails",
            "deletions already submitted or running; domains without VMs; a project's member may lift it",
            "`abreast shield --lift`, which undoes exactly what it set",
            "measured on 4.23: one protected VM is enough, for deleteDomain and deleteAccount",
            why_not=means.shield_why_not,
        ),
        _running(situation),
    )


def _stop_at_source(runbook: Mapping[str, str]) -> Rung:
    return Rung(
        "stop the job at its source",
        "stop what calls CloudStack: the host, the unit, the Jenkins job. CloudStack cannot know it",
        "what it has already submitted",
        "start it again, after a fresh reading",
        "a person's work",
        why_not="" if runbook else "The environment has no [runbook]: write the stop commands into it.",
        text=tuple(runbook.items()),
    )


def _fence(means: Means) -> Rung:
    if means.offered is None:
        why_not = means.offered_why_not or "There is no key for writing."
        choice: tuple[Method, ...] = ()
    else:
        choice = methods(means.offered)
        why_not = means.nobody_why if choice else "CloudStack offers none of the ways to the writing key."
    best = METHODS[choice[0]] if choice else METHODS[Method.LOCK]
    way = f" ({choice[0].value}; else {', '.join(one.value for one in choice[1:])})" if choice else ""
    return Rung(
        "fence the caller",
        f"takes the deleting user's access away{way}: {best.what}",
        best.does_not_stop,
        best.undo,
        best.known,
        why_not=why_not,
    )


def _brake(means: Means) -> Rung:
    locks = " and ".join(means.brake_locks) or "DomainCleanup"
    return Rung(
        "brake",
        f"holds CloudStack's own database lock {locks}: "
        "deletions that wait for it fail after 30 s, untouched",
        "the deletion that runs now; deleteAccount; the caller, who keeps its key (fence first); "
        "with several management servers, one more deletion a server may come before it",
        "it ends with this process: ctrl+c",
        "DomainCleanup measured on 4.23; AccountCleanup in 4.18 [source], "
        "which also holds back the background clean-up",
        why_not=means.brake_why_not,
    )


def _running(situation: Situation) -> Rung:
    idle = "Nothing is being deleted now."
    if situation.is_unread:
        idle = "What is being deleted is not known: CloudStack could not be read."
    elif situation.problems:
        idle = "No running deletion was seen; not everything could be read."
    running = situation.of(Stage.RUNNING)
    servers = sorted({one.attempt.job.server for one in running if one.attempt and one.attempt.job} - {""})
    where = f" (the job runs on {', '.join(servers)})" if servers else ""
    return Rung(
        "the domain that is being deleted now",
        f"stop the management service on all management servers{where}: kill it, a graceful stop lets the "
        "job go on [source]. The API has nothing measured that saves what is in it: protecting, stopping and "
        "moving its VMs and new snapshots were tried and do not help. Renaming it frees its name",
        "what is already gone: snapshots go first, then templates, then VMs one by one",
        "start the services again; the domain's row then goes and its VMs stay as orphans [source]",
        "4.18 and 4.23, measured; stopping the servers is a person's work",
        why_not="" if running else idle,
    )
