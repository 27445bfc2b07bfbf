"""`abreast restore`: what a capture had and a rebuild does not make, templates and VMs above all, made again.

Each step prints what it found to stderr; the result goes to stdout. What is not restored is listed.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.changing import progress, stop_on_interrupt
from console.cli.output import ask, say
from console.cli.reading import read_all, read_both, refuse_unread
from console.cli.rebuilding import Rebuild, finish_interrupted, show_samples
from console.cli.record import moment
from console.cli.restoring_text import Ended, print_text, say_found, write_json
from console.cli.sessions import session_of
from console.session import Session, choose_rows
from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_STOPPED, EXIT_UNKNOWN, GuardError, UsageError
from sync.model import Action, Drift, Outcome

if TYPE_CHECKING:
    from sync.archive_folder import ArchiveServer
    from sync.archives import Archives
    from sync.capture import Capture
    from sync.deletions import Situation
    from sync.freezes import Freeze
    from sync.model import ActualInventory
    from sync.restoration import Restoration
    from sync.stock import Zone


@dataclass
class Restore:
    """One call of the command."""

    work: Rebuild
    before: Capture
    archives: Archives
    keys: frozenset[str] | None
    """Of the projects, where only some are restored."""
    zone: str | None
    """The one that is to be frozen meanwhile."""

    @property
    def session(self) -> Session:
        return self.work.session


def restore(arguments: argparse.Namespace) -> int:
    """`abreast restore [PROJECT…] --capture …`. Exit code 0 only when all that was planned is in place."""
    with session_of(arguments) as session, stop_on_interrupt() as stop, ExitStack() as stack:
        session.arm()
        work = Rebuild(session, stop)
        if arguments.thaw is not None:
            return _thaw_one(work, arguments.thaw)
        named = None if arguments.capture is None else _capture(session, arguments.capture)
        archives = _archives(arguments.archive, session.environment.archive)
        address = _address(arguments.serve, session.environment.archive_address, archives)
        if address is not None:
            work.archive = _serve(stack, archives, address)
        for one in _frozen(session):
            say(one.words(session.environment.name))
        finish_interrupted(work)
        say("Reading both sides …")
        desired, actual, situation = read_all(session)
        drift = session.compare(desired, actual)
        refuse_unread(drift, "Nothing is restored: what was not seen would be made twice.")
        before = named if named is not None else _newest_before(session, situation)
        _refuse_other_server(before, actual)
        restore_ = Restore(work, before, archives, _keys(drift, arguments.projects), arguments.freeze_zone)
        return _restore(restore_, actual, arguments)


def _restore(restore_: Restore, actual: ActualInventory, arguments: argparse.Namespace) -> int:
    """The recipe, once both sides are read."""
    session, work = restore_.session, restore_.work
    made = _plan(restore_, actual)
    say_found(made, restore_.before)
    zone = _zone_to_freeze(restore_)
    if not work.stop.is_set() and (made.actions or zone is not None or _frozen(session)):
        _confirm(restore_, made, zone)
        _execute(restore_, made, zone)
    desired, now = read_both(session)
    ended = Ended(
        work,
        restore_.before,
        made,
        session.compare(desired, now),
        now,
        keys=restore_.keys,
        frozen=_frozen(session),
        map=arguments.map,
    )
    if arguments.format == "json":
        write_json(ended)
    else:
        print_text(ended)
    return _exit_code(ended)


def _newest_before(session: Session, situation: Situation | None) -> Capture:
    """The newest complete automatic capture from before the deletion. Raises UsageError without any."""
    from console.losses import LossReader
    from sync.loss_basis import basis_words

    basis, found = LossReader(session).before(situation)
    if found is None:
        raise UsageError(
            f"It is not known what to restore: {basis.why}.",
            next_step="Name a capture of before: --capture FILE, or --capture 12h for an automatic one.",
        )
    say(basis_words(basis, session.clock()))
    return found


def _capture(session: Session, named: str) -> Capture:
    """A file of `abreast capture`, or an automatic capture of a time. Raises UsageError, CaptureError."""
    from sync.capture_file import read_file

    if Path(named).exists():
        return read_file(Path(named))
    try:
        at = moment(named, session.clock())
    except UsageError:
        raise UsageError(
            f"{named} is neither a file nor a point in time.",
            next_step="Name a file of `abreast capture`, or when an automatic one was taken: 12h.",
        ) from None
    store = session.captures.history
    return store.read(store.at(at).id)


def _archives(named: Path | None, configured: Path | None) -> Archives:
    """Of the folder that was named, else of the environment's, which may be empty yet. Raises UsageError."""
    from sync import archive_folder
    from sync.archives import Archives

    if named is not None:
        return archive_folder.read(named)
    try:
        return Archives() if configured is None else archive_folder.read(configured)
    except UsageError as error:
        say(error.what)
        return Archives()


def _address(named: str | None, configured: str, archives: Archives) -> str | None:
    """Where files are served: as named, else as the environment has it, where there is anything to serve."""
    return named if named is not None or not archives.folder else configured or None


def _serve(stack: ExitStack, archives: Archives, address: str) -> ArchiveServer:
    from sync.archive_folder import ArchiveServer

    if not archives.folder:
        raise UsageError("There is nothing to serve.", next_step="Name the archive: --archive FOLDER.")
    return stack.enter_context(ArchiveServer(archives, address, on_fetch=say))


def _refuse_other_server(before: Capture, now: ActualInventory) -> None:
    """Raises GuardError where the capture is not of this server and parent."""
    then = before.actual
    ids = {one.coverage.root_id for one in (then, now)} - {""}
    if len(ids) > 1 or then.scope.parent.casefold() != now.scope.parent.casefold():
        raise GuardError(
            f"The capture is of another server or parent domain ({before.environment}, {then.scope.parent}).",
            next_step="Name a capture of this environment.",
        )


def _keys(drift: Drift, projects: Sequence[str]) -> frozenset[str] | None:
    return frozenset(row.key for row in choose_rows(drift, projects)) if projects else None


def _plan(restore_: Restore, actual: ActualInventory) -> Restoration:
    """What is to be made again; only the files that it needs are checked, byte by byte."""
    from sync import archive_folder
    from sync.restore import plan_restoration, wanted_files
    from sync.restore_scene import Means

    say("Reading what CloudStack has and offers …")
    before = restore_.before.actual
    is_served = restore_.work.archive is not None
    means = Means(restore_.session.reader.stock(), restore_.archives, is_served, restore_.keys)
    if is_served:
        files = wanted_files(before, actual, means)
        means = replace(means, archives=archive_folder.checked(means.archives, files, on_step=say))
    return plan_restoration(before, actual, means)


# --- the freeze ---------------------------------------------------------------------------------------------


def _frozen(session: Session) -> tuple[Freeze, ...]:
    from sync.freezes import frozen
    from sync.ledger import EntryKind

    return frozen(session.ledger.entries(kinds=[EntryKind.INTENT, EntryKind.OUTCOME]))


def _zone_to_freeze(restore_: Restore) -> Zone | None:
    """The zone that was asked for, where it is open. Raises UsageError for one that is not there."""
    if restore_.zone is None:
        return None
    zone = _zone(restore_.session, restore_.zone)
    if zone.allocation.casefold() == "disabled":
        if not any(one.zone == zone.name for one in _frozen(restore_.session)):
            say(
                f"Zone {zone.name} is disabled already, and not by abreast: it is left so, and is not opened."
            )
        return None
    return zone


def _zone(session: Session, name: str) -> Zone:
    zone = session.reader.zone(name)
    if zone is None:
        raise UsageError(f"CloudStack has no zone {name}.")
    return zone


def _thaw_one(work: Rebuild, name: str) -> int:
    """`abreast restore --thaw ZONE`: opens a zone that abreast has closed. Raises GuardError for another."""
    from sync.freezes import thaw

    zone = _zone(work.session, name)
    if not any(one.zone == zone.name for one in _frozen(work.session)):
        raise GuardError(
            f"Zone {zone.name} was not frozen by abreast, or is open again: it is {zone.allocation}.",
            next_step="Whoever disabled it, enables it.",
        )
    say(f"Zone {zone.name} is opened: everybody can deploy and take addresses in it again.")
    _ask_for_word(work.session)
    _run(work, [thaw(zone)])
    return EXIT_DONE if not _frozen(work.session) else EXIT_DRIFT


# --- acting -------------------------------------------------------------------------------------------------


def _confirm(restore_: Restore, made: Restoration, zone: Zone | None) -> None:
    """The word of a named person, for the restore, the freeze before it and the thaw after it."""
    show_samples(made.actions)
    if zone is not None:
        say(f"Before that zone {zone.name} is frozen, and opened again at the end. VMs in it go on running.")
    for one in _frozen(restore_.session):
        say(f"At the end zone {one.zone}, which is frozen, is opened again.")
    environment = restore_.session.environment
    say(f"{len(made.actions)} actions in {environment.heading}. Nothing is deleted.")
    _ask_for_word(restore_.session)


def _ask_for_word(session: Session) -> None:
    word = session.environment.name
    if ask(f"Type {word} to do it, anything else to leave:") != word:
        raise GuardError("Not confirmed: nothing was done.")


def _execute(restore_: Restore, made: Restoration, zone: Zone | None) -> None:
    from sync.freezes import freeze, thaw
    from sync.restoration import in_stages

    work, session = restore_.work, restore_.session
    if zone is not None and not _run(work, [freeze(zone)]):
        raise GuardError(f"Zone {zone.name} could not be frozen: nothing was restored.")
    is_whole = all(_run(work, actions) for actions in in_stages(made.actions))
    for one in _frozen(session):
        if work.stop.is_set() or not is_whole:
            say(one.words(session.environment.name))
        else:
            _run(work, [thaw(_zone(session, one.zone))])


def _run(work: Rebuild, actions: Sequence[Action]) -> bool:
    """Executes a plan of these; whether nothing of it is left to be sent."""
    from sync.executor import Confirmation
    from sync.ledger import RunState

    session = work.session
    plan = session.plan(actions)
    word = Confirmation(digest=plan.digest, by=session.operator, at=session.clock())
    executor = session.executor(rebuild=True, archive=work.archive)
    report = executor.run(plan, confirmed=word, on_event=progress(), stop=work.stop)
    work.done.append((plan, report))
    return report.state is RunState.FINISHED


def _exit_code(ended: Ended) -> int:
    outcomes = {one.outcome for _, report in ended.work.done for one in report.results}
    if ended.work.stop.is_set():
        return EXIT_STOPPED
    if Outcome.UNKNOWN in outcomes or not ended.now.coverage.is_complete:
        return EXIT_UNKNOWN
    return EXIT_DONE if ended.is_whole else EXIT_DRIFT
