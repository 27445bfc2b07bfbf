"""One call of a retirement from its first reading to its outcome: read, intend, send, follow, read back.

A call of unknown outcome is never repeated on suspicion: reading decides, and only when reading proves that
nothing came of it, and no job of its kind runs, may a person have it sent again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sync import polling
from sync.archiving import Archiving
from sync.clocks import TOLERANCE
from sync.cloudstack.reader import Reader
from sync.cloudstack.retirement_reading import os_type_of, row_of, seen, templates_named
from sync.cloudstack.retirer import Retirer
from sync.errors import (
    DataError,
    ForbiddenError,
    IncompleteError,
    OutcomeUnknownError,
    RefusedError,
    SourceError,
    StoppedError,
    ThrottledError,
    UnauthorizedError,
    UnreachableError,
)
from sync.journal import Intent
from sync.ledger import EntryKind, Ledger
from sync.model import ActionResult, JsonObject, Outcome, Scope
from sync.radius import ObjectKind
from sync.retirement import Extract
from sync.retirement_calls import BEFORE, GOALS, Call, not_offered

SETTLE_SECONDS = 30.0
"""How long a call that was never answered is given to show its effect."""
JOB_SECONDS = 3600.0
"""How long a job is followed before its outcome is unknown: on hardware some take minutes."""
_LONGEST_POLL = 5.0
_VERIFY_WAITS = (0.25, 0.5, 1.0, 2.0)
_NEVER_SENT = (RefusedError, ForbiddenError, UnauthorizedError, ThrottledError, UnreachableError)
_JOBS = {
    "disableAccount": "DisableAccountCmd",
    "suspendProject": "SuspendProjectCmd",
    "activateProject": "ActivateProjectCmd",
    "createTemplate": "CreateTemplateCmd",
    "startVirtualMachine": "StartVMCmd",
    "destroyVirtualMachine": "DestroyVMCmd",
    "deleteSnapshot": "DeleteSnapshotCmd",
    "deleteTemplate": "DeleteTemplateCmd",
    "deleteIso": "DeleteIsoCmd",
    "deleteNetwork": "DeleteNetworkCmd",
    "deleteProject": "DeleteProjectCmd",
    "deleteAccount": "DeleteAccountCmd",
    "deleteDomain": "DeleteDomainCmd",
}
"""Command → what the class of its job is called. Domains and accounts vanish from the lists before their job
has done its work."""


class Sender:
    """Sends the calls of one step, one after another."""

    def __init__(
        self,
        *,
        reader: Reader,
        retirer: Retirer,
        ledger: Ledger,
        run_id: str,
        scope: Scope,
        root_id: str,
        archiving: Archiving | None,
        stop: threading.Event,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        """`archiving` is where what is extracted goes; None where nothing is."""
        self._reader = reader
        self._retirer = retirer
        self._ledger = ledger
        self._run_id = run_id
        self._scope = scope
        self._root_id = root_id
        self._archiving = archiving
        self._stop = stop
        self._clock = clock
        self._sleep = sleep

    def why_not(self, calls: Iterable[Call]) -> str:
        """Why one of these cannot be sent here as it is meant; empty where all can. Raises SourceError."""
        return not_offered(calls, self._retirer.capabilities().has)

    def perform(self, call: Call, *, intent: Intent | None = None) -> ActionResult:
        """Bring one call to its outcome, and record it; `intent` is an unresolved one of ours for it.

        Raises LedgerError when the record cannot be written: then nothing more may be sent.
        """
        started, job_id = self._clock(), intent.job_id if intent is not None else None
        try:
            result = self._resolve(call, intent) if intent is not None else None
            result = result or self._before(call) or self._send(call)
        except SourceError as error:
            outcome = Outcome.UNKNOWN if intent is not None else Outcome.FAILED
            what = "What became of the call cannot be read" if intent is not None else "Nothing was sent"
            result = ActionResult(call.action, outcome, f"{what}: {error}", job_id=job_id)
        seconds = (self._clock() - started).total_seconds()
        self._record(EntryKind.OUTCOME, call, outcome=result.outcome.value, detail=result.detail,
                     object_id=result.object_id, job_id=result.job_id, seconds=round(seconds, 3))  # fmt: skip
        return result

    def settle(self, call: Call, intent: Intent) -> ActionResult:
        """What became of an interrupted call; it is not sent again. Recorded. Raises LedgerError."""
        try:
            result = self._resolve(call, intent)
        except SourceError as error:
            result = _result(call, Outcome.UNKNOWN, f"What became of it cannot be read: {error}")
        result = result or _result(call, Outcome.FAILED, "It is proven to have had no effect.")
        self._record(EntryKind.OUTCOME, call, outcome=result.outcome.value, detail=result.detail,
                     object_id=result.object_id, job_id=result.job_id, seconds=0.0)  # fmt: skip
        return result

    def _record(self, entry_kind: EntryKind, call: Call, /, **content: object) -> datetime:
        return self._ledger.append(entry_kind, {"action": call.action, **content}, run_id=self._run_id).at

    # --- before ---------------------------------------------------------------------------------------------

    def _before(self, call: Call) -> ActionResult | None:
        """The outcome when it is not to be sent; None when it is."""
        if self.is_reached(call):
            return _result(call, Outcome.SKIPPED, f"{call.kind.value} {call.name} is so already.")
        now = seen(self._reader, call.kind, call.id)
        if now is None:
            return _result(call, Outcome.FAILED, f"CloudStack does not show {call.kind.value} {call.name}.")
        allowed = BEFORE.get(call.command)
        if allowed is not None and now.state not in allowed:
            return _result(
                call, Outcome.FAILED, f"{call.kind.value} {call.name} is {now.state}, nothing was sent."
            )
        if call.takes_away and now.is_protected:
            return _result(call, Outcome.FAILED, f"The {call.kind.value} {call.name} has delete protection.")
        if self._stop.is_set():
            return _result(call, Outcome.NOT_RUN, "Stopped before it was sent.")
        return None

    # --- sending --------------------------------------------------------------------------------------------

    def _send(self, call: Call) -> ActionResult:
        parameters = self._parameters(call)
        self._record(EntryKind.INTENT, call, kind=call.command, target_id=call.id, command=call.command,
                     parameters=parameters, attempt=1)  # fmt: skip
        try:
            submission = self._retirer.submit(call.command, parameters)
        except _NEVER_SENT as error:
            if self.is_reached(call):
                return _result(call, Outcome.SUCCEEDED, f"It was refused, but is so: {error}")
            return _result(call, Outcome.FAILED, str(error))
        except (OutcomeUnknownError, SourceError) as error:
            return self._after_silence(call, error)
        self._record(EntryKind.SUBMITTED, call, job_id=submission.job_id)
        return self._follow_and_verify(call, submission.job_id)

    def _parameters(self, call: Call) -> dict[str, str]:
        if call.extract is not None:
            return {**call.parameters, "zoneid": str(self._row(call)["zoneid"])}
        if call.archive is None:
            return dict(call.parameters)
        return {**call.parameters, "ostypeid": os_type_of(self._reader, call.archive.machine_id)}

    def _row(self, call: Call) -> JsonObject:
        """What CloudStack says of what is extracted. Raises SourceError."""
        row = row_of(self._reader, call.kind, call.id)
        if row is None or not row.get("zoneid"):
            raise DataError(f"CloudStack does not show {call.kind.value} {call.name} and its zone.")
        return row

    def _after_silence(self, call: Call, error: Exception) -> ActionResult:
        """The outcome of a call that was sent and not answered just now."""
        if call.extract is not None:
            return _result(call, Outcome.FAILED, f"It is not kept, and nothing was changed: {error}")
        try:
            found = self._read_for(call, SETTLE_SECONDS)
        except SourceError as unread:
            found = _result(call, Outcome.UNKNOWN, f"{error} {unread}")
        what = f"{error} It is read again when this is gone on with."
        return found or _result(call, Outcome.UNKNOWN, what)

    def _follow_and_verify(self, call: Call, job_id: str | None) -> ActionResult:
        try:
            failure = ""
            if job_id is not None:
                failure = polling.follow(
                    self._reader.job, job_id, seconds=JOB_SECONDS, longest=_LONGEST_POLL, sleep=self._sleep
                )
            if call.extract is not None and job_id is not None and not failure:
                return self._fetch(call, call.extract, job_id)
            if failure:
                outcome = Outcome.SUCCEEDED if self.is_reached(call) else Outcome.FAILED
                return _result(call, outcome, failure, job_id)
            return self._verify(call, job_id)
        except SourceError as error:
            return _result(call, Outcome.UNKNOWN, f"It was sent and cannot be read back: {error}", job_id)

    def _fetch(self, call: Call, one: Extract, job_id: str) -> ActionResult:
        """Download what was made ready. What does not come whole has changed nothing: it is sent again when
        the step goes on."""
        try:
            result = self._reader.job(job_id).result
            found = next((one for one in result.values() if isinstance(one, dict) and one.get("url")), None)
            if found is None or self._archiving is None:
                raise DataError(f"CloudStack gave no address to download {call.name} from.")
            kept = self._archiving.fetch(one, self._row(call), str(found["url"]))
        except StoppedError as error:
            return _result(call, Outcome.NOT_RUN, str(error), job_id)
        except SourceError as error:
            return _result(call, Outcome.FAILED, f"It is not kept: {error}", job_id)
        detail = f"{kept.file}, {kept.size} bytes, SHA-256 {kept.sha256}"
        return _result(call, Outcome.SUCCEEDED, detail, job_id)

    def _verify(self, call: Call, job_id: str | None) -> ActionResult:
        """Read back what CloudStack says that it did. Raises SourceError."""
        for wait in (*_VERIFY_WAITS, 0.0):
            if self.is_reached(call, has_ended=True):
                return _result(call, Outcome.SUCCEEDED, job_id=job_id)
            self._sleep(wait)
        what = "CloudStack says that it was done; reading does not show it."
        return _result(call, Outcome.FAILED, what, job_id)

    # --- resolving ------------------------------------------------------------------------------------------

    def _resolve(self, call: Call, intent: Intent) -> ActionResult | None:
        """The outcome of an intent of an earlier try or process; None when it is proven without effect."""
        if call.extract is not None:
            return _result(call, Outcome.SUCCEEDED, "It is kept.") if self.is_reached(call) else None
        if intent.job_id is not None and self._is_known(intent.job_id):
            return self._follow_and_verify(call, intent.job_id)
        # Who intended it may have another clock.
        left = timedelta(seconds=SETTLE_SECONDS) + TOLERANCE - (self._clock() - intent.at)
        result = self._read_for(call, left.total_seconds())
        if result is None and self._is_running(call):
            return _result(call, Outcome.UNKNOWN, "A job of its kind runs; it is read again later.")
        return result

    def _is_known(self, job_id: str) -> bool:
        """Whether the server still knows the job; when it has forgotten it, reading decides."""
        try:
            self._reader.job(job_id)
        except RefusedError:
            return False
        return True

    def _read_for(self, call: Call, seconds: float) -> ActionResult | None:
        def look() -> ActionResult | None:
            return _result(call, Outcome.SUCCEEDED, "Seen by reading.") if self.is_reached(call) else None

        return polling.until(look, seconds, longest=_LONGEST_POLL, sleep=self._sleep)

    # --- reading --------------------------------------------------------------------------------------------

    def is_reached(self, call: Call, *, has_ended: bool = False) -> bool:
        """Whether reading shows what the call is to bring about; `has_ended` when its own job is known to
        have. Raises SourceError."""
        if call.extract is not None:
            return self._archiving is not None and self._archiving.has(call.extract)
        if call.archive is not None:
            return self.template_of(call) is not None
        now = seen(self._reader, call.kind, call.id)
        if now is not None:
            return now.state in GOALS.get(call.command, ())
        return call.takes_away and self._is_gone(call, has_ended=has_ended)

    def template_of(self, call: Call) -> JsonObject | None:
        """The archive's template, where it is ready and belongs to an account of ROOT. Raises SourceError."""
        found = templates_named(self._reader, call.parameters["name"], call.parameters["displaytext"])
        ready = (row for row in found if row.get("isready") and row.get("domainid") == self._root_id)
        return next(ready, None)

    def _is_gone(self, call: Call, *, has_ended: bool) -> bool:
        """Whether a complete reading proves that the object is not there, and nothing still deletes it."""
        inventory = self._reader.inventory(self._scope, limits=False)
        if not inventory.coverage.is_complete:
            raise IncompleteError(
                f"Whether {call.kind.value} {call.name} is gone cannot be proven: {inventory.coverage.why}"
            )
        if not has_ended and self._is_running(call):
            return False
        rows = getattr(inventory, _LISTS[call.kind])
        return all(row.id != call.id for row in rows)

    def _is_running(self, call: Call) -> bool:
        """Whether a job of this kind runs, of whomever. Raises SourceError where jobs cannot be read."""
        name = _JOBS.get(call.command)
        if name is None:
            return False
        inventory = self._reader.inventory(self._scope, limits=False, users=False, everything=False)
        if inventory.jobs is None:
            raise IncompleteError("CloudStack's running jobs could not be read.")
        return any(name in job.command for job in inventory.jobs)


_LISTS = {
    ObjectKind.DOMAIN: "domains",
    ObjectKind.SUBDOMAIN: "domains",
    ObjectKind.PROJECT: "projects",
    ObjectKind.ACCOUNT: "accounts",
    ObjectKind.VM: "vms",
    ObjectKind.VOLUME: "volumes",
    ObjectKind.SNAPSHOT: "snapshots",
    ObjectKind.TEMPLATE: "templates",
    ObjectKind.ISO: "isos",
    ObjectKind.NETWORK: "networks",
}


def _result(call: Call, outcome: Outcome, detail: str = "", job_id: str | None = None) -> ActionResult:
    return ActionResult(call.action, outcome, detail, object_id=call.id, job_id=job_id)
