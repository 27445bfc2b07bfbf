"""Does one step of a retirement, or undoes what was done: under the lease, and after every guard.

The first surprise is recorded and ends it. The client that can delete is made here and nowhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from sync.archive_manifest import ArchivedTemplate
from sync.archiving import AT_ONCE, Archiving
from sync.clocks import why_apart
from sync.cloudstack.retirement_reading import EXPUNGE_DELAY, seconds_of, seen
from sync.cloudstack.retirer import Permit, Retirer
from sync.containment_held import held
from sync.deletion_record import DeletionRecord
from sync.deletions import Told, assess
from sync.errors import GuardError, OutcomeUnknownError, StoppedError
from sync.journal import Intent
from sync.machine_states import GOING
from sync.model import ActionResult, Outcome, Scope, Side
from sync.radius import ObjectKind
from sync.retirement import BEGUN_CLOCKS, DESTRUCTIVE, ENDED_CLOCKS, Retirement, Step
from sync.retirement_approval import campaigns_for, refuse_unapproved, standing_of
from sync.retirement_calls import Call, before_quarantine, calls_of, calls_to_undo, owned_ids
from sync.retirement_desk import Desk
from sync.retirement_proposal import View, refuse_unfit
from sync.retirement_rules import (
    is_coming_to_rest,
    not_at_rest,
    refuse_above_ceiling,
    refuse_contained,
    refuse_early,
    surprises,
)
from sync.retirement_sending import Sender

COUNTED = 1.024
"""CloudStack counts `expunge.delay` so much longer [source]."""

_SETTLING = timedelta(minutes=5)
_SETTLE_POLL_SECONDS = 3.0
"""How long, and how often it is looked whether, VMs come to rest that are being stopped."""

Report = Callable[[Call, ActionResult], None]
"""Called when a call has its outcome."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A person's word for the next step: the name, and how many objects are lost."""

    step: Step
    word: str


def word_for(retirement: Retirement) -> str:
    """What has to be typed before each step."""
    return f"{retirement.proposal.name} {retirement.proposal.lost}"


def _no_report(_: Call, __: ActionResult) -> None:
    return None


def _performed(
    sender: Sender, calls: Sequence[Call], intents: Mapping[str, Intent]
) -> Iterator[tuple[Call, ActionResult]]:
    """Each call with its outcome, one after another; what is extracted comes last, several at once."""
    for call in calls:
        if call.extract is None:
            yield call, sender.perform(call, intent=intents.get(call.action))
    extracts = [call for call in calls if call.extract is not None]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="archive") as threads:
        going = {
            threads.submit(sender.perform, call, intent=intents.get(call.action)): call for call in extracts
        }
        try:
            for one in as_completed(going):
                yield going[one], one.result()
        finally:
            for one in going:
                one.cancel()


class Steps:
    """Steps of the retirements of one environment."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    # --- going on -------------------------------------------------------------------------------------------

    def step(
        self,
        project: str,
        *,
        confirmed: Confirmation,
        stop: threading.Event | None = None,
        report: Report = _no_report,
    ) -> Retirement:
        """Do the next step of a project's retirement, or go on with one that was interrupted.

        Raises GuardError for a guard, a surprise or a refusal of CloudStack's, which is recorded;
        OutcomeUnknownError when only a later reading can tell; StoppedError; SourceError; LedgerError.
        """
        with self._desk.ledger.lease(self._desk.ledger.operator):
            self._desk.recognise()
            retirement = self._desk.of(project)
            step = self._refuse(retirement, confirmed)
            told = self._desk.reader.told(Scope(self._desk.environment.parent))
            view = self._desk.view()
            self._refuse_containment(retirement, step, told, view)
            self._refuse_surprises(retirement, step, view)
            calls = calls_of(retirement, step, listed=owned_ids(view.actual))
            self._refuse_not_offered(retirement, step, calls, view)
            if retirement.done(step) is None:
                self._desk.journal.begun(retirement.id, step, self._facts_before(retirement, step, view))
            self._send(retirement, step, calls, stop=stop, report=report)
            self._desk.journal.ended(retirement.id, step, self._facts_after(retirement, step, calls))
            return self._desk.of(project)

    def _refuse(self, retirement: Retirement, confirmed: Confirmation) -> Step:
        """The next step, when everything but the two sides lets it be done."""
        clocks, history, rules = (
            self._desk.agreed_clocks(), self._desk.history(), self._desk.environment.approvals,
        )  # fmt: skip
        now = clocks.own
        refuse_early(retirement, clocks.earliest, latest=clocks.latest)
        step = retirement.next_step
        assert step is not None
        if (confirmed.step, confirmed.word) != (step, word_for(retirement)):
            raise GuardError(
                f"“{confirmed.word}” is not what confirms “{step.value}”: nothing was done.",
                next_step=f"Type the name and the number of what is lost: {word_for(retirement)}",
            )
        self._desk.refuse_other_server(retirement)
        refuse_unapproved(retirement, standing_of(retirement, history, rules, now=now))
        self._desk.refuse_bad_records(
            {target.project: target.evidence for target in retirement.proposal.targets}
        )
        if retirement.done(step) is None:
            refuse_above_ceiling(
                retirement,
                history,
                self._desk.environment.retirement,
                now=now,
                campaigns=campaigns_for(retirement, history, rules, now=now),
            )
        if step is Step.DELETE_ACCOUNTS:
            self._refuse_unexpunged(retirement, clocks.earliest)
        return step

    def _refuse_unexpunged(self, retirement: Retirement, now: datetime) -> None:
        """The delay in force may have been made longer since the VMs were destroyed."""
        destroyed = retirement.done(Step.DESTROY)
        if destroyed is None or destroyed.ended_by is None:
            return
        until = destroyed.ended_by + self._expunge_delay()
        if now < until:
            raise GuardError(
                f"The VMs of {retirement.proposal.name} can be recovered until {until:%Y-%m-%d %H:%M} UTC.",
                next_step="Wait until then.",
            )

    def _refuse_containment(self, retirement: Retirement, step: Step, told: Told, view: View) -> None:
        """Nothing is destroyed while somebody else deletes, or what is there is being saved."""
        if step not in DESTRUCTIVE:
            return
        refuse_unfit(view)
        ledger = self._desk.ledger
        recorded = DeletionRecord().current(ledger).deletions
        own = {(one.kind, one.target_id) for one in recorded if one.until is None}
        refuse_contained(
            retirement,
            step,
            assess(self._desk.reader.beside(view.actual, told)),
            held=held(self._desk.environment, ledger, release=view.actual.release, is_deleting=bool(own)),
            own=own,
        )

    def _refuse_not_offered(
        self, retirement: Retirement, step: Step, calls: Sequence[Call], view: View
    ) -> None:
        """Raises GuardError, before anything is begun, where the server would not do just what is meant."""
        there = {project.id for project in view.actual.projects}
        due = [call for call in calls if call.kind is not ObjectKind.PROJECT or call.id in there]
        if not due:
            return
        why = self._sender(retirement, step, due, threading.Event()).why_not(due)
        if why:
            raise GuardError(
                f"“{step.value}” of {retirement.proposal.name} was not begun: {why}.",
                next_step=f"`abreast retire {retirement.proposal.projects[0]}` goes on when that is settled.",
            )

    def _refuse_surprises(self, retirement: Retirement, step: Step, view: View) -> None:
        """Raises GuardError, and records it, when something is not as it was signed or has to be."""
        found = surprises(retirement, step, view, gone=self._gone(retirement, step, view))
        if step in (Step.DESTROY, Step.DELETE_ACCOUNTS):
            found += self._lost_archives(retirement)
        if found:
            more = f" And {len(found) - 5} more." if len(found) > 5 else ""
            self._stop(retirement, step, f"{'. '.join(found[:5])}.{more}")

    def _gone(self, retirement: Retirement, step: Step, view: View) -> frozenset[str]:
        """Domains that this very step has deleted before it was interrupted."""
        if step is not Step.DELETE_DOMAIN:
            return frozenset()
        intended = self._desk.journal.intended(retirement.id)
        listed = {domain.id for domain in view.actual.domains}
        calls = calls_of(retirement, step, listed=owned_ids(view.actual))
        return frozenset(call.id for call in calls if call.action in intended and call.id not in listed)

    def _lost_archives(self, retirement: Retirement) -> list[str]:
        archived = retirement.done(Step.ARCHIVE)
        if archived is None:
            return []
        templates = archived.facts.get("templates")
        assert isinstance(templates, dict)
        found = []
        for one in retirement.proposal.archives:
            id = templates.get(one.volume_id, "")
            if not id or seen(self._desk.reader, ObjectKind.TEMPLATE, id) is None:
                found.append(f"the archive {one.template} ({id}) of {one.machine} is not there any more")
        archiving = self._archiving(retirement, threading.Event())
        for file in retirement.proposal.extracts:
            if archiving is None or not archiving.has(file):
                found.append(f"the file {file.file} of the {file.kind} {file.name} is not in the archive")
        return found

    def _stop(self, retirement: Retirement, step: Step, reason: str) -> NoReturn:
        self._desk.journal.stopped(retirement.id, step, reason)
        raise GuardError(
            f"“{step.value}” of {retirement.proposal.name} stopped: {reason}",
            next_step=f"`abreast retire {retirement.proposal.projects[0]}` goes on when that is settled"
            + ("; `--undo` takes back what was done." if retirement.can_be_undone else "."),
        )

    # --- sending --------------------------------------------------------------------------------------------

    def _send(
        self,
        retirement: Retirement,
        step: Step,
        calls: Sequence[Call],
        *,
        stop: threading.Event | None,
        report: Report,
    ) -> None:
        """Bring every call to its outcome, one after another; the first that fails ends the step."""
        if not calls:
            return
        sender = self._sender(retirement, step, calls, stop or threading.Event())
        intents = self._desk.journal.intents(retirement.id)
        for call, result in _performed(sender, calls, intents):
            report(call, result)
            if result.outcome is Outcome.NOT_RUN:
                self._desk.journal.stopped(retirement.id, step, "the operator stopped it")
                raise StoppedError(f"“{step.value}” of {retirement.proposal.name} was stopped.")
            if result.outcome is Outcome.UNKNOWN:
                self._unknown(retirement, step, call, result)
            if result.outcome is Outcome.FAILED:
                self._stop(retirement, step, f"{call.command} {call.name} ({call.id}): {result.detail}")

    def _unknown(self, retirement: Retirement, step: Step, call: Call, result: ActionResult) -> NoReturn:
        self._desk.journal.stopped(retirement.id, step, result.detail)
        raise OutcomeUnknownError(
            f"What became of {call.command} {call.name} ({call.id}) is not known: {result.detail}",
            next_step="Go on with it later: it is resolved by reading, and not sent again before.",
        )

    def _sender(
        self, retirement: Retirement, step: Step, calls: Sequence[Call], stop: threading.Event
    ) -> Sender:
        """With the client that can send these calls and no others; it ends with the step."""
        credentials = self._desk.environment.cloudstack.write
        if credentials is None:
            name = self._desk.environment.name
            raise GuardError(
                f"The environment {name} is read-only: it has no credentials for writing.",
                next_step=f"Name them as `write` under [environments.{name}.cloudstack].",
            )
        permit = Permit(retirement.id, step.value, frozenset((call.command, call.id) for call in calls))
        return Sender(
            reader=self._desk.reader,
            retirer=Retirer(credentials, permit, clock=self._desk.clock),
            ledger=self._desk.ledger,
            run_id=retirement.id,
            scope=Scope(self._desk.environment.parent),
            root_id=retirement.proposal.root_id,
            archiving=self._archiving(retirement, stop),
            stop=stop,
            clock=self._desk.clock,
            sleep=self._desk.sleep,
        )

    def _archiving(self, retirement: Retirement, stop: threading.Event) -> Archiving | None:
        """Where files go; None where none does. Raises GuardError where nobody says where."""
        archive, desk = self._desk.environment.archive, self._desk
        if archive is None and retirement.proposal.extracts:
            raise GuardError(
                f"The environment {desk.environment.name} names no archive for the files on the list.",
                next_step=f"Write archive = FOLDER under [environments.{desk.environment.name}].",
            )
        if archive is None or retirement.proposal.is_empty:
            return None
        return Archiving(archive, retirement, stop=stop, clock=desk.clock, sleep=desk.sleep)

    # --- facts ----------------------------------------------------------------------------------------------

    def _facts_before(self, retirement: Retirement, step: Step, view: View) -> dict[str, object]:
        facts: dict[str, object] = {BEGUN_CLOCKS: view.after.json()}
        if step is Step.QUARANTINE:
            facts["before"] = before_quarantine(retirement, view.actual)
        if step is Step.DESTROY:
            facts["expunge_seconds"] = self._expunge_delay().total_seconds()
        return facts

    def _facts_after(self, retirement: Retirement, step: Step, calls: Sequence[Call]) -> dict[str, object]:
        """What has to be known later. Raises GuardError where the step did not bring about what it must."""
        facts: dict[str, object] = {}
        wait: timedelta | None = None
        if step is Step.QUARANTINE:
            awake = self._not_at_rest(retirement)
            if awake:
                self._stop(retirement, step, f"{'. '.join(awake[:5])}.")
            if not retirement.proposal.is_empty:
                wait = timedelta(days=retirement.proposal.quarantine_days)
        elif step is Step.ARCHIVE:
            facts["templates"] = self._templates(retirement, step, calls)
        elif step is Step.DESTROY:
            wait = self._expunge_delay()
        else:
            self._let_go(retirement, step)
        clocks = self._desk.clocks()
        why = why_apart(clocks)
        if why:
            self._stop(retirement, step, f"when it ended is not known, so no wait can begin: {why}.")
        facts[ENDED_CLOCKS] = clocks.json()
        if wait is not None:
            facts["until"] = (clocks.latest + wait).isoformat()
        return facts

    def _not_at_rest(self, retirement: Retirement) -> list[str]:
        """What is awake when nothing is on its way to rest any more, or has been for too long. Who takes over
        from a process that died may find its stops still going on."""
        until = self._desk.clock() + _SETTLING
        while True:
            view = self._desk.view()
            awake = not_at_rest(retirement, view)
            if not awake or not is_coming_to_rest(retirement, view) or self._desk.clock() >= until:
                return awake
            self._desk.sleep(_SETTLE_POLL_SECONDS)

    def _templates(self, retirement: Retirement, step: Step, calls: Sequence[Call]) -> dict[str, str]:
        """Volume → its template, read back once more, and said in the archive's manifest."""
        calls = [call for call in calls if call.archive is not None]
        if not calls:
            return {}
        sender = self._sender(retirement, step, calls, threading.Event())
        found = {call.id: sender.template_of(call) for call in calls}
        missing = [call.name for call in calls if found[call.id] is None]
        if missing:
            self._stop(retirement, step, f"the archives of {', '.join(missing)} cannot be read back")
        made = {id: str(row["id"]) for id, row in found.items() if row is not None}
        archiving = self._archiving(retirement, threading.Event())
        if archiving is not None:
            archiving.keep_templates(
                ArchivedTemplate(
                    one.volume_id, one.machine_id, one.machine, made[one.volume_id], one.template,
                    self._desk.clock(),
                )
                for one in retirement.proposal.archives
            )  # fmt: skip
        return made

    def _let_go(self, retirement: Retirement, step: Step) -> None:
        """What was deleted on purpose has not shrunk."""
        losses = retirement.proposal.losses
        accounts, domains = ObjectKind.ACCOUNT.value, {ObjectKind.DOMAIN.value, ObjectKind.SUBDOMAIN.value}
        gone = {
            "accounts": frozenset(
                f"{one.domain_path.casefold()}:{one.name.casefold()}"
                for one in losses
                if one.kind == accounts
            )
        }
        if step is Step.DELETE_DOMAIN:
            gone["domains"] = frozenset(one.domain_path.casefold() for one in losses if one.kind in domains)
        self._desk.ledger.extents(self._desk.environment.parent).let_go(Side.ACTUAL, gone)

    def _expunge_delay(self) -> timedelta:
        return timedelta(seconds=seconds_of(self._desk.reader, EXPUNGE_DELAY) * COUNTED)

    # --- undoing --------------------------------------------------------------------------------------------

    def undo(
        self,
        project: str,
        *,
        start: bool = False,
        stop: threading.Event | None = None,
        report: Report = _no_report,
    ) -> Retirement:
        """Take back what was done, as far as it can be: recover VMs, enable accounts, activate Projects.

        VMs stay stopped and are named, unless they are to be started. Needs no approval and no waiting, and
        goes on with an undoing that was interrupted. Raises GuardError where nothing can be undone any more.
        """
        with self._desk.ledger.lease(self._desk.ledger.operator):
            self._desk.recognise()
            retirement = self._desk.of(project)
            if not retirement.can_be_undone:
                raise GuardError(
                    f"{retirement.proposal.name} is {retirement.stage.value}: nothing can be undone."
                )
            self._desk.refuse_other_server(retirement)
            if retirement.done(Step.UNDO) is None:
                self._desk.journal.begun(retirement.id, Step.UNDO, {"start": start})
            self._settle(retirement)
            calls, lost = self._undoable(retirement, start=start)
            self._send(retirement, Step.UNDO, calls, stop=stop, report=report)
            left = [] if start else self._left_stopped(retirement)
            self._desk.journal.ended(retirement.id, Step.UNDO, {"stopped": left, "lost": lost})
            return self._desk.of(project)

    def _settle(self, retirement: Retirement) -> None:
        """Know what became of every call that was interrupted: what still comes could undo the undoing."""
        intents = self._desk.journal.intents(retirement.id)
        begun = [one.step for one in retirement.steps if one.step is not Step.UNDO]
        calls = [call for step in begun for call in calls_of(retirement, step, listed=())]
        left = [call for call in calls if call.action in intents]
        if left:
            sender = self._sender(retirement, Step.UNDO, left, threading.Event())
            for call in left:
                result = sender.settle(call, intents[call.action])
                if result.outcome is Outcome.UNKNOWN:
                    self._unknown(retirement, Step.UNDO, call, result)

    def _undoable(self, retirement: Retirement, *, start: bool) -> tuple[list[Call], list[str]]:
        """The calls that can still be sent, and names of VMs that are beyond recovery. Raises SourceError."""
        calls, lost = [], []
        for call in calls_to_undo(retirement, start=start):
            is_machine = call.kind is ObjectKind.VM
            now = seen(self._desk.reader, call.kind, call.id) if is_machine else None
            if is_machine and (now is None or now.state in GOING):
                lost.append(call.name)
            else:
                calls.append(call)
        return calls, sorted(set(lost))

    def _left_stopped(self, retirement: Retirement) -> list[str]:
        """Names of the VMs that ran before the quarantine, and do not now."""
        quarantine = retirement.done(Step.QUARANTINE)
        if quarantine is None:
            return []
        before = quarantine.facts["before"]
        assert isinstance(before, dict)
        found = {id: seen(self._desk.reader, ObjectKind.VM, id) for id in before["running"]}
        return sorted(
            str(before["running"][id])
            for id, now in found.items()
            if now is not None and now.state != "running"
        )
