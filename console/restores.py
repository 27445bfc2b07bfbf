"""One restore of a session, for the screen and for `abreast restore`: what it goes by, what it would make,
its stages executed one after the other, and what came of them. Blocks, and belongs into a thread.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sync.errors import GuardError, SourceError, UsageError
from sync.model import RESTORING, Action, ActionResult, ActualInventory, Drift, Outcome, Plan

if TYPE_CHECKING:
    from datetime import datetime

    from console.session_protocol import ConsoleSession
    from sync.agents import ChangedAddress
    from sync.archive_folder import ArchiveServer
    from sync.archives import Archives
    from sync.capture import Capture
    from sync.deletions import Situation
    from sync.execution import OnEvent
    from sync.executor import RunReport
    from sync.freezes import Freeze
    from sync.identities import Identity
    from sync.lookup import ArchiveLike
    from sync.loss_basis import Basis
    from sync.restoration import AddressChange, Restoration
    from sync.stock import PublicAddress, Zone

Tell = Callable[[str], None]
"""Called with a sentence about what is being done."""
Done = tuple[Plan, "RunReport"]
"""One stage, executed."""


def is_restore(plan: Plan) -> bool:
    """Whether a plan is a restore's: a rebuild makes none of these."""
    return any(action.kind in RESTORING for action in plan.actions)


# --- what it goes by ----------------------------------------------------------------------------------------


def capture_of(session: ConsoleSession, named: str) -> Capture:
    """A file of `abreast capture`, or the newest complete automatic capture of a time or before. Raises
    UsageError, CaptureError."""
    from console.losses import chosen_capture

    found = chosen_capture(session, named)
    if not isinstance(found, int):
        return found
    read: Capture = session.captures.history.read(found)
    return read


def newest_before(session: ConsoleSession, situation: Situation | None) -> tuple[Basis, Capture]:
    """The newest complete automatic capture from before the deletion. Raises UsageError without any."""
    from console.losses import LossReader

    basis, found = LossReader(session).before(situation)
    if found is None:
        raise UsageError(
            f"It is not known what to restore: {basis.why}.",
            next_step="Name a capture of before: --capture FILE, or --capture 12h for an automatic one.",
        )
    return basis, found


def archives_of(session: ConsoleSession, named: Path | None, *, on_step: Tell) -> Archives:
    """Of the folder that was named, else of the environment's, which may be empty yet. Raises UsageError."""
    from sync import archive_folder
    from sync.archives import Archives

    if named is not None:
        return archive_folder.read(named)
    configured = session.environment.archive
    try:
        return Archives() if configured is None else archive_folder.read(configured)
    except UsageError as error:
        on_step(error.what)
        return Archives()


def server_of(
    session: ConsoleSession, archives: Archives, named: str, *, on_fetch: Tell = lambda _: None
) -> ArchiveServer | None:
    """What gives the archive's files to CloudStack while it is open, at the address that was named, else at
    the environment's; None where there is none, or nothing to serve. Raises UsageError."""
    from sync.archive_folder import ArchiveServer

    address = named or (session.environment.archive_address if archives.folder else "")
    if not address:
        return None
    if not archives.folder:
        raise UsageError("There is nothing to serve.", next_step="Name the archive: --archive FOLDER.")
    return ArchiveServer(archives, address, on_fetch=on_fetch)


def refuse_other_server(before: Capture, now: ActualInventory) -> None:
    """Raises GuardError where the capture is not of this server and parent."""
    then = before.actual
    ids = {one.coverage.root_id for one in (then, now)} - {""}
    if len(ids) > 1 or then.scope.parent.casefold() != now.scope.parent.casefold():
        raise GuardError(
            f"The capture is of another server or parent domain ({before.environment}, {then.scope.parent}).",
            next_step="Name a capture of this environment.",
        )


def keys_of(drift: Drift, projects: Sequence[str]) -> frozenset[str] | None:
    """The keys of the projects that were named; None where none was: all. Raises UsageError."""
    from console.choosing import choose_rows

    return frozenset(row.key for row in choose_rows(drift, projects)) if projects else None


def frozen(session: ConsoleSession) -> tuple[Freeze, ...]:
    """The zones that a restore has left closed, by the ledger. Raises LedgerError."""
    from sync import freezes
    from sync.ledger import EntryKind

    return freezes.frozen(session.ledger.entries(kinds=[EntryKind.INTENT, EntryKind.OUTCOME]))


def frozen_now(session: ConsoleSession, found: Sequence[Freeze]) -> tuple[Freeze, ...]:
    """Those of the zones that a restore has closed which CloudStack, asked now, does not say to be open.
    Raises LedgerError; where CloudStack cannot be read, they may be closed still."""
    from sync import freezes

    if not found:
        return ()
    allocations: dict[str, str] = {}
    for one in found:
        with suppress(SourceError):
            zone = session.reader.zone(one.zone)
            if zone is not None:
                allocations[one.zone] = zone.allocation
    latest = session.ledger.latest_run()
    return freezes.beside(found, allocations, is_in_run=latest is not None and latest.is_held)


def zone_named(session: ConsoleSession, name: str) -> Zone:
    """Raises UsageError for one that is not there."""
    zone: Zone | None = session.reader.zone(name)
    if zone is None:
        raise UsageError(f"CloudStack has no zone {name}.")
    return zone


def zone_to_freeze(session: ConsoleSession, name: str, *, on_step: Tell) -> Zone | None:
    """The zone of that name, where it is open; None for no name. Raises UsageError."""
    if not name:
        return None
    zone = zone_named(session, name)
    if zone.allocation.casefold() != "disabled":
        return zone
    if not any(one.zone == zone.name for one in frozen(session)):
        on_step(
            f"Zone {zone.name} is disabled already, and not by abreast: it is left so, and is not opened."
        )
    return None


# --- what it would make -------------------------------------------------------------------------------------


def plan_restore(
    session: ConsoleSession,
    before: ActualInventory,
    now: ActualInventory,
    *,
    archives: Archives,
    is_served: bool,
    keys: frozenset[str] | None,
    on_step: Tell,
) -> Restoration:
    """What is to be made again; only files that it needs are checked, byte by byte. Raises SourceError."""
    from sync import archive_folder
    from sync.restore import plan_restoration, wanted_files
    from sync.restore_scene import Means

    on_step("Reading what CloudStack has and offers …")
    means = Means(session.reader.stock(), archives, is_served, keys)
    if is_served:
        files = wanted_files(before, now, means)
        means = replace(means, archives=archive_folder.checked(means.archives, files, on_step=on_step))
    return plan_restoration(before, now, means)


def all_actions(session: ConsoleSession, actions: Sequence[Action], zone: Zone | None) -> tuple[Action, ...]:
    """With the freeze before them and what is opened again after them. Raises LedgerError, UsageError."""
    from sync.freezes import freeze, thaw

    closed = [zone_named(session, one.zone) for one in frozen(session)]
    first = [] if zone is None else [freeze(zone)]
    opened = [*closed, *([] if zone is None else [zone])]
    return (*first, *actions, *(thaw(one) for one in opened))


# --- executing ----------------------------------------------------------------------------------------------


def execute_stages(
    session: ConsoleSession,
    actions: Sequence[Action],
    zone: Zone | None,
    *,
    archive: ArchiveLike | None,
    on_event: OnEvent,
    stop: threading.Event,
    pause: threading.Event | None = None,
    on_done: Callable[[Done], None],
) -> None:
    """Close the zone that is named, make stage after stage, open what is closed once nothing is left to be
    sent; each stage is a run of its own in the ledger, and told when it has ended.

    The operator has confirmed all of it just now. Raises GuardError where the zone could not be closed: then
    nothing was made; AbreastError.
    """
    from sync.executor import Confirmation
    from sync.freezes import freeze, thaw
    from sync.ledger import RunState
    from sync.restoration import in_stages
    from sync.schedule import is_in_place

    def run(some: Sequence[Action]) -> RunReport:
        plan = session.plan(some)
        report: RunReport = session.executor(rebuild=True, archive=archive).run(
            plan,
            confirmed=Confirmation(plan.digest, session.operator, session.clock()),
            on_event=on_event,
            stop=stop,
            pause=pause,
        )
        on_done((plan, report))
        return report

    if zone is not None and not all(is_in_place(one) for one in run([freeze(zone)]).results):
        raise GuardError(f"Zone {zone.name} could not be frozen: nothing was restored.")
    for stage in in_stages(actions):
        if run(stage).state is not RunState.FINISHED:
            return
    for one in frozen(session):
        if not stop.is_set():
            run([thaw(zone_named(session, one.zone))])


def as_one(plan: Plan, done: Sequence[Done], *, started_at: datetime) -> RunReport:
    """What came of all stages, as the report of the plan that has them all; what was not reached, not run."""
    from sync.executor import RunReport
    from sync.ledger import RunState

    reports = [report for _, report in done]
    results = {one.action_id: one for report in reports for one in report.results}
    last = reports[-1] if reports else None
    is_whole = len(results) == len(plan.actions) and all(one.state is RunState.FINISHED for one in reports)
    return RunReport(
        run_id=last.run_id if last is not None else "",
        digest=plan.digest,
        state=RunState.FINISHED if is_whole else RunState.STOPPED,
        why=next((one.why for one in reports if one.why), ""),
        results=tuple(
            results.get(action.id) or ActionResult(action.id, Outcome.NOT_RUN) for action in plan.actions
        ),
        started_at=started_at,
        ended_at=last.ended_at if last is not None else started_at,
        calls=sum(one.calls for one in reports),
        most_at_once=max((one.most_at_once for one in reports), default=0),
    )


# --- what came of it ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Restored:
    """A restore at its end, both sides read anew."""

    made: Restoration
    """What was planned, and what was left then."""
    done: tuple[Done, ...]
    after: Drift
    now: ActualInventory = field(repr=False)
    before: ActualInventory = field(repr=False)
    keys: frozenset[str] | None = None
    """Of the projects, where only some were restored."""
    frozen: tuple[Freeze, ...] = ()
    """Zones that are closed still."""
    addresses: tuple[AddressChange, ...] = ()
    """VMs and public addresses that are not where they were, and who is there now."""
    agents: tuple[ChangedAddress, ...] = ()
    """Where Jenkins will look for an agent in vain, or find a stranger's machine."""
    identities: tuple[Identity, ...] = ()
    """Everything of the capture that has a new id."""
    unread: tuple[str, ...] = ()
    """What could not be read for these, and what that means: in whole sentences."""

    @property
    def failed(self) -> Mapping[str, str]:
        """Action → why, of what was tried or reached and is not in place."""
        from sync.schedule import is_in_place

        results = [one for _, report in self.done for one in report.results]
        return {one.action_id: one.detail or one.outcome.value for one in results if not is_in_place(one)}

    @property
    def unreached(self) -> tuple[str, ...]:
        """Actions that were planned, and that no stage came to: it ended before."""
        known = {one.action_id for _, report in self.done for one in report.results}
        return tuple(action.id for action in self.made.actions if action.id not in known)

    @property
    def is_whole(self) -> bool:
        """Whether everything that was planned is in place and no zone is left frozen."""
        return not (self.failed or self.unreached or self.frozen)

    @property
    def counts(self) -> Mapping[str, int]:
        """Kind of action → how many succeeded."""
        made: Counter[str] = Counter()
        for plan, report in self.done:
            kinds = {action.id: action.kind.value for action in plan.actions}
            made.update(kinds[one.action_id] for one in report.results if one.outcome is Outcome.SUCCEEDED)
        return dict(made)


def conclude(
    session: ConsoleSession,
    before: ActualInventory,
    made: Restoration,
    done: Sequence[Done],
    *,
    after: Drift,
    now: ActualInventory,
    keys: frozenset[str] | None,
) -> Restored:
    """Compare the capture with what is there now; what could not be read for that is said. Raises
    LedgerError."""
    from sync.agents import changed_addresses
    from sync.identities import by_capture
    from sync.restoration import moved, not_seen

    elsewhere: tuple[PublicAddress, ...] = ()
    why_not = ""
    try:
        elsewhere = session.reader.public_addresses()
    except SourceError as error:
        why_not = str(error)
    rows = (row for row in after.rows if keys is None or row.key in keys)
    return Restored(
        made,
        tuple(done),
        after,
        now,
        before,
        keys,
        frozen(session),
        moved(before, now, keys, elsewhere=elsewhere),
        changed_addresses(rows),
        tuple(row for row in by_capture(before, now) if keys is None or row.project in keys),
        not_seen(after, elsewhere=why_not),
    )


def write_map(session: ConsoleSession, ended: Restored, wanted: Path | None = None) -> tuple[Path, ...]:
    """The identity map as CSV and JSON, beside the new passwords unless it is wanted elsewhere; none where
    nothing has a new id. Raises UsageError."""
    from sync.identity_map import write

    if not ended.identities:
        return ()
    if wanted is not None:
        return write(ended.identities, wanted.parent, name=wanted.stem)
    run = ended.done[-1][1].run_id if ended.done else "of-capture"
    folder = session.environment.credential_file.parent
    return write(ended.identities, folder, name=f"identity-map-{run}")
