"""Step one of every recovery, put together: look, fence, brake, shield, lift, secure the evidence.

Needs CloudStack and a journal, which may be this machine's own; never the CI database, never the lease.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sync import evidence
from sync.brake import Brake, BrakeState, OnChange, lock_names
from sync.callers import Caller, find_callers
from sync.cloudstack import Capabilities, Fence, Reader
from sync.contain import METHODS, Fencing, Means, Method, Rung, Step, ladder, may_use, methods, refusal
from sync.containment_journal import ContainmentJournal, Standing, earlier_local, in_time, open_journal
from sync.deletion_text import clock_words
from sync.deletions import Reading, Situation, assess
from sync.errors import (
    AbreastError,
    ConfigurationError,
    GuardError,
    LedgerError,
    SourceError,
)
from sync.fence_check import NO_FENCES, FenceCheck
from sync.fence_reading import Witness, seen
from sync.ledger import utc_now
from sync.lifting import refuse_alone
from sync.model import Outcome, Scope
from sync.reading_pool import ReadingPool
from sync.secret import shown_url
from sync.settings import Environment
from sync.shield import Candidate, Choice, Shielding, Unshielded, choose, lost, why_no_shield

LAST_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CallerView:
    """A caller with what can be done about it."""

    caller: Caller
    refusal: str
    """Why it must not be fenced; empty where it may."""
    methods: tuple[Method, ...]
    other_calls: tuple[tuple[str, int, datetime], ...] = ()
    """Event type, how often, when last: what else this user did in the hour before its last deletion."""
    other_calls_problem: str = ""

    @property
    def may_be_fenced(self) -> bool:
        return not self.refusal and bool(self.methods)


def why_nobody(callers: Sequence[CallerView]) -> str:
    """Why none of them may be fenced, named or not; empty where one may."""
    if not callers:
        return "Neither events nor jobs name anybody who deletes."
    if any(view.may_be_fenced for view in callers):
        return ""
    return " ".join(f"{one.caller.label}: {one.refusal or 'no way is offered for it.'}" for one in callers)


@dataclass(frozen=True, slots=True)
class Look:
    """Everything about one moment."""

    situation: Situation
    release: str
    callers: tuple[CallerView, ...]
    ladder: tuple[Rung, ...]
    shields: Choice
    shield_why_not: str
    fences_standing: tuple[Standing, ...] = ()
    shields_standing: tuple[Standing, ...] = ()
    shields_lost: tuple[Unshielded, ...] = ()
    fences: FenceCheck = NO_FENCES
    """How each caller of `fences_standing` stands, by what is read now."""
    notes: tuple[str, ...] = ()


class Containment:
    """Containment of one environment. Safe to use from several threads; `close` it."""

    def __init__(
        self,
        environment: Environment,
        *,
        reader: Reader,
        operator: str,
        clock: Callable[[], datetime] = utc_now,
        is_armed: bool = True,
        recognise: Callable[[], None] = lambda: None,
    ) -> None:
        """Unless `is_armed` there is no client that could change anything until `arm` is called. `recognise`
        raises GuardError when this is not the server that the environment is pinned to."""
        self.environment = environment
        self._reader = reader
        self._operator = operator
        self._clock = clock
        self._fence: Fence | None = None
        self._journal: ContainmentJournal | None = None
        self._is_armed = is_armed
        self._recognise = recognise
        self._earlier: ContainmentJournal | None = None
        self._opening = threading.Lock()
        self._arming = threading.Lock()

    def arm(self) -> None:
        """From now on things may be changed."""
        with self._arming:
            self._is_armed = True

    def disarm(self) -> None:
        """Drop the client that could change anything; whatever runs keeps its own until it has ended."""
        with self._arming:
            self._is_armed = False
            self._fence = None

    def close(self) -> None:
        with self._opening:
            journals, self._journal, self._earlier = (self._journal, self._earlier), None, None
        for journal in journals:
            if journal is not None:
                journal.close()

    # --- what it works with -------------------------------------------------------------------------------

    @property
    def fence(self) -> Fence:
        """The client of containment. Raises GuardError without a key for writing, or when it is not armed:
        asked at each access, so that a disarmed console hands none out."""
        credentials = self.environment.cloudstack.write
        if credentials is None:
            raise GuardError(
                f"The environment {self.environment.name} is read-only: it has no key for writing.",
                next_step=f"Name one as `write` under [environments.{self.environment.name}.cloudstack].",
            )
        with self._arming:
            if not self._is_armed:
                raise GuardError("The console is read-only.", next_step="Arm it first.")
            if self._fence is None:
                self._fence = Fence(credentials, clock=self._clock)
            return self._fence

    @property
    def journal(self) -> ContainmentJournal:
        """The environment's ledger, or this machine's own. Raises LedgerError when neither can be written."""
        with self._opening:
            if self._journal is None:
                self._journal = open_journal(
                    self.environment.ledger.reveal(),
                    environment=self.environment.name,
                    operator=self._operator,
                    clock=self._clock,
                    local=self.environment.journal_path,
                )
            return self._journal

    def refuse_strangers(self) -> None:
        """Raises GuardError when this is not the server that the environment is pinned to.

        With this machine's own journal alone nothing tells it, nor does a ledger that does not answer:
        neither must keep anybody from containing.
        """
        if self.journal.is_recognising:
            with suppress(LedgerError):
                in_time(self._recognise)

    def scope(self) -> Scope:
        return Scope(parent=self.environment.parent)

    # --- looking ------------------------------------------------------------------------------------------

    def look(self, *, projects: Collection[str] = ()) -> Look:
        """One fresh reading with everything that follows from it; changes nothing. Never raises SourceError:
        what could not be read is among the problems."""
        with ReadingPool(3, name="contain") as threads:
            reading_ = threads.submit(self._reader.deletions, self.scope())
            offered_ = threads.submit(self._offered)
            standing_ = threads.submit(self._standing)
            reading, (offered, why_not) = reading_.result(), offered_.result()
            fences, shields, note = standing_.result()
        situation = assess(reading)
        shield_why_not = why_not if offered is None else why_no_shield(offered)
        held = self._held(fences, reading, situation)
        callers = self._callers(reading, offered, held)
        release = reading.world.release or (offered.release if offered else "")
        means = Means(
            runbook=self.environment.runbook,
            offered=offered,
            offered_why_not=why_not,
            nobody_why=why_nobody(callers),
            brake_why_not=self._brake_why_not(),
            brake_locks=lock_names(release),
            shield_why_not=shield_why_not,
        )
        ahead = clock_words((one.since for one in situation.deletions), reading.taken_at)
        choice = choose(reading.world, situation, parent=self.environment.parent, projects=projects)
        return Look(
            situation=situation,
            release=release,
            callers=callers,
            ladder=ladder(means, situation),
            shields=choice,
            shield_why_not=shield_why_not,
            fences_standing=fences,
            shields_standing=shields,
            shields_lost=lost(shields, reading.world),
            fences=held,
            notes=tuple(one for one in (note, ahead) if one),
        )

    def _offered(self) -> tuple[Capabilities | None, str]:
        """What CloudStack offers to the writing key, or why that is not known."""
        try:
            return self.fence.capabilities(), ""
        except (SourceError, GuardError) as error:
            return None, str(error)

    def _standing(self) -> tuple[tuple[Standing, ...], tuple[Standing, ...], str]:
        try:
            journals = self._journals()
            fences = [one for journal in journals for one in journal.standing("fence")]
            shields = [one for journal in journals for one in journal.standing("shield")]
        except AbreastError as error:
            return (), (), f"What was set before cannot be read, and nothing can be recorded: {error}"
        return tuple(fences), tuple(shields), self.journal.note

    def _journals(self) -> list[ContainmentJournal]:
        """Where something may stand that containment set: the journal in use, and this machine's own."""
        journal = self.journal
        if journal.has_all:
            return [journal]
        with self._opening:
            if self._earlier is None:
                self._earlier = earlier_local(
                    self.environment.name,
                    operator=self._operator,
                    clock=self._clock,
                    local=self.environment.journal_path,
                )
            return [journal] if self._earlier is None else [journal, self._earlier]

    def _brake_why_not(self) -> str:
        url = self.environment.cloudstack_database
        if url is None and self.environment.name == "drill":
            return (
                "The drill has no CloudStack database whose lock could be held. A real environment names one "
                "as cloudstack_database."
            )
        if url is None:
            return (
                "No connection to CloudStack's database is configured: write cloudstack_database = "
                '"mysql://USER:PASSWORD@HOST"; any user that may connect will do.'
            )
        try:
            Brake(url, "")
        except ConfigurationError as error:
            return str(error)
        return ""

    def _held(self, fences: Sequence[Standing], reading: Reading, situation: Situation) -> FenceCheck:
        """Whether what was fenced is fenced still, asked with the writing key where there is one."""
        accepted = {caller.user_id: caller.accepted for caller in find_callers(reading)}
        return seen(fences, self._witness(is_silent=situation.is_unread), accepted=accepted)

    def _witness(self, *, is_silent: bool) -> Witness | None:
        if is_silent:
            return None
        try:
            return self.fence
        except GuardError:
            return self._reader

    def _callers(
        self, reading: Reading, offered: Capabilities | None, held: FenceCheck
    ) -> tuple[CallerView, ...]:
        own: list[Capabilities] = [] if offered is None else [offered]
        try:
            own.append(self._reader.capabilities())
        except SourceError:
            return ()
        found = []
        for caller in find_callers(reading, also={one.target_id for one in held.lost}):
            ways = methods(offered) if offered is not None else ()
            ways = tuple(way for way in ways if METHODS[way].command not in held.passed_by(caller.user_id))
            calls, problem = self._other_calls(caller, reading)
            found.append(
                CallerView(
                    caller,
                    refusal(caller, own, reading.root_admins),
                    tuple(way for way in ways if may_use(way, caller, own)),
                    calls,
                    problem,
                )
            )
        return tuple(found)

    def _other_calls(
        self, caller: Caller, reading: Reading
    ) -> tuple[tuple[tuple[str, int, datetime], ...], str]:
        if not caller.account or not caller.domain_id:
            return (), ""
        since = (caller.last_at or reading.taken_at) - LAST_HOUR
        try:
            calls = self._reader.calls_of(caller.account, caller.domain_id, caller.username, since=since)
        except SourceError as error:
            return (), str(error)
        return tuple(one for one in calls if one[0] not in ("DOMAIN.DELETE", "ACCOUNT.DELETE")), ""

    # --- acting -------------------------------------------------------------------------------------------

    def fence_callers(
        self, views: Sequence[CallerView], *, on_step: Callable[[Step], None] = lambda _: None
    ) -> tuple[Step, ...]:
        """Fence each of them. Raises LedgerError, and GuardError when one must not be fenced."""
        for view in views:
            if view.refusal:
                raise GuardError(f"{view.caller.label} is not fenced: {view.refusal}")
        fencing = Fencing(self.fence, self.journal)
        steps: list[Step] = []
        for view in views:
            taken = fencing.put_up(view.caller, view.methods)
            taken = taken or (
                Step(
                    f"fence {view.caller.label}",
                    Outcome.NOT_RUN,
                    "No way to fence it is offered here.",
                    target=view.caller.user_id,
                ),
            )
            steps += taken
            for step in taken:
                on_step(step)
        return tuple(steps)

    def brakes(self, release: str, *, on_change: Callable[[str, BrakeState, str], None]) -> tuple[Brake, ...]:
        """The brakes of a release, recorded and not started yet. `on_change` is told the lock, its state and
        a sentence, from the brake's own thread.

        Raises ConfigurationError when there can be none, LedgerError when it cannot be recorded.
        """
        url = self.environment.cloudstack_database
        if url is None:
            raise ConfigurationError(self._brake_why_not())
        found = []
        for name in lock_names(release):
            found.append(Brake(url, name, on_change=self._recorded(name, on_change)))
            self.journal.intent(
                f"brake {name}",
                kind="brake",
                target=shown_url(url.reveal()),
                target_id=name,
                command="GET_LOCK",
                parameters={"lock": name},
            )
        return tuple(found)

    def _recorded(self, name: str, on_change: Callable[[str, BrakeState, str], None]) -> OnChange:
        outcomes = {
            BrakeState.HELD: Outcome.SUCCEEDED,
            BrakeState.LOST: Outcome.FAILED,
            BrakeState.REFUSED: Outcome.FAILED,
            BrakeState.RELEASED: Outcome.NOT_RUN,
        }

        def tell(state: BrakeState, text: str) -> None:
            if state in outcomes:
                try:
                    self.journal.outcome(f"brake {name}", outcomes[state], text)
                except LedgerError as error:
                    text = f"{text} {error}"
            on_change(name, state, text)

        return tell

    def shield(
        self,
        candidates: Sequence[Candidate],
        *,
        stop: threading.Event | None = None,
        on_step: Callable[[Step], None] = lambda _: None,
    ) -> tuple[Step, ...]:
        """Put up shields, the first candidates first. Raises LedgerError; GuardError where none counts."""
        why_not = why_no_shield(self.fence.capabilities())
        if why_not:
            raise GuardError(why_not)
        return Shielding(self.fence, self.journal, on_step=on_step).put_up(candidates, stop=stop)

    def lift_shields(
        self,
        is_meant: Callable[[Standing], bool],
        *,
        stop: threading.Event | None = None,
        on_step: Callable[[Step], None] = lambda _: None,
    ) -> tuple[Step, ...]:
        """Take down what the journals say was set, each recorded where it was. Raises LedgerError."""
        steps: list[Step] = []
        for journal in self._journals():
            meant = [one for one in journal.standing("shield") if is_meant(one)]
            steps += Shielding(self.fence, journal, on_step=on_step).take_down(meant, stop=stop)
        return tuple(steps)

    def lift_fences(
        self, is_meant: Callable[[Standing], bool], *, reason: str, why_keep: str, second: str = ""
    ) -> tuple[Step, ...]:
        """Undo fences of the journals, the newest first. `why_keep` is what `sync.relink` said of a reading
        of both sides, `second` whoever else agrees.

        Raises GuardError without a reason, or where it takes two people; LedgerError.
        """
        if not reason.strip():
            raise GuardError("Lifting a fence needs a reason.")
        refuse_alone(why_keep, self._operator, second)
        reason += f" (with {second.strip()})" if second.strip() else ""
        steps: list[Step] = []
        for journal in self._journals():
            fencing = Fencing(self.fence, journal)
            meant = [one for one in journal.standing("fence") if is_meant(one)]
            steps += [fencing.take_down(one, reason=reason) for one in reversed(meant)]
        return tuple(steps)

    def save_evidence(self, path: Path) -> dict[str, str]:
        """Write what expires to a file of its own, readable by its owner only; list → rows or problem.

        Raises UsageError, StorageError when the file cannot be written, SourceError.
        """
        found = self._reader.evidence()
        evidence.write(
            path,
            found,
            environment=self.environment.name,
            endpoint=self.environment.endpoint,
            at=self._clock(),
            by=self._operator,
        )
        return {
            name: f"{len(one['rows'])} rows" + (f" ({one['problem']})" if one["problem"] else "")
            for name, one in found.items()
        }
