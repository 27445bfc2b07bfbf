"""One action from its first reading to its outcome: read, compare, intend, send, follow, verify, record.

A call of unknown outcome is never repeated on suspicion: reading decides. Sending again is for names that
CloudStack keeps unique, and only once reading has shown that nothing happened. What was throttled (429) was
not carried out: it is read and sent again until patience ends, and that is no failure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from sync import polling
from sync.credentials import CredentialFile
from sync.errors import (
    AbreastError,
    ForbiddenError,
    OutcomeUnknownError,
    RefusedError,
    SourceError,
    ThrottledError,
    UnauthorizedError,
    UnreachableError,
)
from sync.journal import Intent, Journal
from sync.lookup import ArchiveLike, Lookup, ReaderLike, WriterLike
from sync.model import Action, ActionResult, Outcome
from sync.operations import (
    OPERATIONS,
    Observation,
    Operation,
    is_reached,
    shortfall,
    surprise,
    target_of,
)
from sync.patience import Patience

Phase = Literal["reading", "submitting", "waiting", "verifying", "done"]

Report = Callable[[Phase, Action], None]
"""Called with the phase that an action enters."""

ATTEMPTS = 3
"""How often an action is sent at most, each time after reading has shown that the last one had no effect."""

JOB_SECONDS = 900.0
"""How long a job is followed before its outcome is unknown."""

_LONGEST_POLL = 2.0
_VERIFY_WAITS = (0.25, 0.5, 1.0)
_DEFINITE_NOES = (RefusedError, ForbiddenError, UnauthorizedError)


class Performer:
    """Performs actions of one run. Threads may share it."""

    def __init__(
        self,
        *,
        reader: ReaderLike,
        writer: WriterLike,
        journal: Journal,
        vault: CredentialFile,
        stop: threading.Event,
        patience: Patience,
        report: Report,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        archive: ArchiveLike | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._journal = journal
        self._vault = vault
        self._stop = stop
        self._patience = patience
        self._report = report
        self._clock = clock
        self._sleep = sleep
        self._lookup = Lookup(reader, archive)

    def perform(self, action: Action, *, intent: Intent | None = None) -> ActionResult:
        """Bring one action to its outcome and record it; `intent` is an unresolved one of ours for it.

        Raises LedgerError when the record cannot be written, ConfigurationError when the credentials file
        cannot be used: then the whole execution has to end.
        """
        return _Attempt(self, action, intent).run()


class _Attempt:
    """One action on its way. One thread owns it."""

    def __init__(self, performer: Performer, action: Action, intent: Intent | None) -> None:
        self.p = performer
        self.action = action
        self.intent = intent
        self.operation: Operation = OPERATIONS[action.kind]
        self.started = performer._clock()
        self.job_id: str | None = intent.job_id if intent is not None else None
        self.now = Observation(None)
        """The reading that the precondition was last compared with."""
        self.sent = 0
        """How often it was sent, but for what was throttled."""
        self.may_have_effect = intent is not None
        """Whether a call of ours was sent that may have been carried out, and reading has not yet told."""
        self.throttled = performer._patience.wait()

    def run(self) -> ActionResult:
        """The recipe."""
        self.p._report("reading", self.action)
        try:
            result = self._resolve() if self.intent is not None else None
            while result is None and self.sent < ATTEMPTS:
                result = self._before_sending() or self._send()
        except SourceError as error:
            result = self._unreadable(error)
        finally:
            self.throttled.end()
        if result is None:
            result = self._result(Outcome.FAILED, f"Sent {ATTEMPTS} times, each time without effect.")
        self.p._journal.outcome(result)
        return result

    # --- before ---------------------------------------------------------------------------------------------

    def _before_sending(self) -> ActionResult | None:
        """SKIPPED when it is not to be sent, NOT_RUN after a stop, None when it is."""
        now = self.now = self._read()
        if is_reached(self.action, now) or (self.operation.is_creation and now.object_id is not None):
            return self._already_there(now)
        changed = surprise(self.action, now)
        if changed:
            return self._result(Outcome.SKIPPED, f"Changed since it was planned: {changed}.")
        objection = self.p._patience.ask(lambda: self.operation.objection(self.p._lookup, self.action, now))
        if objection:
            return self._result(Outcome.SKIPPED, f"Not sent: {objection}.")
        if self.p._stop.is_set():
            return self._result(Outcome.NOT_RUN, "Stopped before it was sent.")
        return None

    def _already_there(self, now: Observation, *, refusal: str = "") -> ActionResult:
        """`refusal` is what CloudStack said to a call of ours, if it did."""
        now = self._when_done(now)
        broken = self.operation.broken(now)
        if broken:
            return self._result(Outcome.FAILED, f"{refusal or 'Not sent.'} {_sentence(broken)}")
        if self.intent is not None or self.operation.is_under_way(now):
            return self._found(now)
        what = "exists already" if self.operation.is_creation else "is so already"
        return self._result(Outcome.SKIPPED, f"{self.action.target} {what}.", object_id=now.object_id)

    def _read(self) -> Observation:
        """A fresh reading; a busy or silent server is asked again. Raises SourceError."""
        return self.p._patience.ask(lambda: self.operation.observe(self.p._lookup, self.action))

    def _unreadable(self, error: SourceError) -> ActionResult:
        if self.intent is not None:
            return self._result(Outcome.UNKNOWN, f"What became of the call cannot be read: {error}")
        is_given_up = isinstance(error, (ThrottledError, UnreachableError))
        if is_given_up and (self.p._patience.ended_because or self.p._stop.is_set()):
            return self._result(Outcome.NOT_RUN, f"Not sent: {error}")
        return self._result(Outcome.FAILED, f"Nothing was sent: {error}")

    # --- sending --------------------------------------------------------------------------------------------

    def _send(self) -> ActionResult | None:
        """The outcome of one call, or None when it is proven to have had no effect and may be sent again."""
        self.sent += 1
        parameters = self.p._patience.ask(
            lambda: self.operation.parameters(self.p._lookup, self.action, self.now)
        )
        secret = self._password(parameters)
        entry = self.p._journal.intent(
            self.action, self.operation.command, parameters=parameters, attempt=self.sent
        )
        had_intent, self.intent = self.intent, Intent(self.action.id, entry.at)
        if self.p._stop.is_set():
            self.intent = had_intent
            return self._result(Outcome.NOT_RUN, "Stopped before it was sent.")
        self.p._report("submitting", self.action)
        try:
            submission = self.p._writer.submit(self.operation.command, {**parameters, **secret})
        except _DEFINITE_NOES as error:
            return self._refused(error, had_intent=had_intent)
        except ThrottledError as error:
            return self._throttled(error)
        except (OutcomeUnknownError, SourceError) as error:
            self.may_have_effect = True
            self.p._patience.note(error)
            return self._resolve_now()
        self.job_id = submission.job_id
        self.p._journal.submitted(self.action, self.job_id)
        if self.operation.is_proven_by(self.action, submission.body):
            return self._result(Outcome.SUCCEEDED, object_id=self.action.target_id)
        return self._follow_and_verify()

    def _password(self, parameters: dict[str, str]) -> dict[str, str]:
        """Written to the disk before the call; the same one whenever the same user is tried again."""
        if not self.operation.has_password:
            return {}
        target = target_of(self.action)
        return {"password": self.p._vault.password_for(target.path, target.account, parameters["username"])}

    def _refused(self, error: AbreastError, *, had_intent: Intent | None) -> ActionResult:
        """CloudStack said no. Whether that matters is read, not taken from its text."""
        self.intent = had_intent
        try:
            now = self._read()
        except SourceError:
            if had_intent is not None:
                raise
            return self._result(Outcome.FAILED, str(error))
        if self.operation.is_creation and now.object_id is not None:
            self.p._lookup.forget_domain(self.action.target)
            return self._already_there(now, refusal=str(error))
        if self.operation.is_refused_when_gone and now.fields.get("listed") == "no":
            return self._result(
                Outcome.SKIPPED,
                f"CloudStack refused it and no longer shows the object: it is gone by now. {error}",
                object_id=self.action.target_id,
            )
        return self._result(Outcome.FAILED, str(error))

    def _throttled(self, error: ThrottledError) -> ActionResult | None:
        """It was not carried out, and may be sent again after a fresh reading, once the wait has passed."""
        self.sent -= 1
        if self.throttled.on(error):
            return None
        if self.may_have_effect:
            raise error
        return self._result(Outcome.NOT_RUN, f"Not sent: {error}")

    # --- following ------------------------------------------------------------------------------------------

    def _follow_and_verify(self) -> ActionResult | None:
        if self.job_id is not None:
            self.p._report("waiting", self.action)
            try:
                failure = self._follow(self.job_id)
            except SourceError:
                return self._resolve_now()
            if failure:
                return self._after_failed_job(failure)
        self.p._report("verifying", self.action)
        return self._verify()

    def _follow(self, job_id: str) -> str:
        """Follow a job to its end; the failure's text, "" on success. Raises SourceError when it is lost."""
        return polling.follow(
            lambda job_id: self.p._patience.ask(lambda: self.p._reader.job(job_id)),
            job_id,
            seconds=JOB_SECONDS,
            longest=_LONGEST_POLL,
            sleep=self.p._sleep,
            silence=0.0,
        )

    def _when_done(self, now: Observation) -> Observation:
        """The object once CloudStack no longer works at it; as it is then, where that takes too long."""
        if not self.operation.is_under_way(now):
            return now
        self.p._report("waiting", self.action)
        done = polling.until(
            self._if_done, self.operation.patience_seconds, longest=_LONGEST_POLL, sleep=self.p._sleep
        )
        return done or self._read()

    def _if_done(self) -> Observation | None:
        now = self._read()
        return None if self.operation.is_under_way(now) else now

    def _after_failed_job(self, failure: str) -> ActionResult:
        now = self._read()
        if is_reached(self.action, now):
            return self._result(
                Outcome.SUCCEEDED, f"Its job failed, but it is done: {failure}", object_id=now.object_id
            )
        broken = self.operation.broken(now)
        return self._result(Outcome.FAILED, f"{failure} {_sentence(broken)}" if broken else failure)

    def _verify(self) -> ActionResult:
        """Read back what CloudStack says it did."""
        now = self._when_done(self._read())
        for wait in _VERIFY_WAITS:
            if now.object_id is not None and not shortfall(self.action, now):
                break
            self.p._sleep(wait)
            now = self._when_done(self._read())
        return self._found(now)

    def _found(self, now: Observation) -> ActionResult:
        """The outcome of a call of ours that reading shows the effect of."""
        now = self._when_done(now)
        if self.operation.is_under_way(now):
            return self._result(
                Outcome.UNKNOWN,
                f"CloudStack still works at {self.action.target}. It is read again when the run is resumed.",
                object_id=now.object_id,
            )
        if broken := self.operation.broken(now):
            return self._result(Outcome.FAILED, _sentence(broken))
        if now.object_id is None:
            return self._result(
                Outcome.FAILED, f"CloudStack took it, but {self.action.target} is not there. Read both sides."
            )
        missing = shortfall(self.action, now)
        if missing:
            return self._result(
                Outcome.FAILED, f"It is there, but not as it was sent: {missing}.", object_id=now.object_id
            )
        return self._result(Outcome.SUCCEEDED, object_id=now.object_id)

    # --- resolving ------------------------------------------------------------------------------------------

    def _resolve_now(self) -> ActionResult | None:
        """The outcome of a call that was sent and not answered just now."""
        result = self._read_for(self.operation.settle_seconds)
        if result is None and not self.operation.is_repeatable:
            return self._result(
                Outcome.UNKNOWN,
                f"No answer came, and {self.action.target} is not to be seen yet. "
                "It is read again when the run is resumed.",
            )
        return result

    def _resolve(self) -> ActionResult | None:
        """The outcome of an intent of an earlier try or process; None when it is proven without effect."""
        assert self.intent is not None
        if self.job_id is not None:
            try:
                failure = self._follow(self.job_id)
            except RefusedError:
                failure = ""
            if failure:
                return self._after_failed_job(failure)
        age = self.p._clock() - self.intent.at
        left = timedelta(seconds=self.operation.settle_seconds) - age
        return self._read_for(left.total_seconds())

    def _read_for(self, seconds: float) -> ActionResult | None:
        """Read until the effect shows or `seconds` have passed without it."""
        return polling.until(
            lambda: self._resolved_by(self._read()), seconds, longest=_LONGEST_POLL, sleep=self.p._sleep
        )

    def _resolved_by(self, now: Observation) -> ActionResult | None:
        if now.unseen:
            return self._result(
                Outcome.SKIPPED,
                "Nothing of the object can be seen any more; what comes next shows whether it is in the way.",
                object_id=now.object_id,
            )
        if is_reached(self.action, now) or (self.operation.is_creation and now.object_id is not None):
            return self._found(now)
        return None

    def _result(self, outcome: Outcome, detail: str = "", *, object_id: str | None = None) -> ActionResult:
        return ActionResult(
            self.action.id,
            outcome,
            detail,
            object_id=object_id,
            job_id=self.job_id,
            seconds=(self.p._clock() - self.started).total_seconds(),
        )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
