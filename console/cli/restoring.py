"""`abreast restore`: what a capture had and a rebuild does not make, templates and VMs above all, made again.

Each step prints what it found to stderr; the result goes to stdout. What is not restored is listed.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.cli.changing import NotConfirmedError, progress, stop_on_interrupt
from console.cli.idle_options import refuse_idle
from console.cli.output import ask, say, told_last
from console.cli.reading import read_all, read_both, refuse_unread
from console.cli.rebuilding import Rebuild, finish_interrupted, show_samples
from console.cli.restoring_text import print_text, say_found, write_json
from console.cli.sessions import session_of
from console.restore_pages import rebuilt_first
from console.restores import (
    Restored,
    all_actions,
    archives_of,
    capture_of,
    conclude,
    execute_stages,
    frozen,
    keys_of,
    newest_before,
    plan_restore,
    refuse_other_server,
    server_of,
    write_map,
    zone_named,
    zone_to_freeze,
)
from console.session import Session
from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_STOPPED, EXIT_UNKNOWN, AbreastError, GuardError
from sync.model import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from sync.archives import Archives
    from sync.capture import Capture
    from sync.deletions import Situation
    from sync.model import ActualInventory
    from sync.restoration import Restoration
    from sync.stock import Zone


_OPTIONS = ("projects", "capture", "archive", "serve", "freeze_zone", "map", "format")


@dataclass
class Restore:
    """One call of the command."""

    work: Rebuild
    before: Capture
    archives: Archives
    keys: frozenset[str] | None
    """Of the projects, where only some are restored."""
    zone: str
    """The one that is to be frozen meanwhile; empty for none."""

    @property
    def session(self) -> Session:
        return self.work.session


def restore(arguments: argparse.Namespace) -> int:
    """`abreast restore [PROJECT…] --capture …`. Exit code 0 only when all that was planned is in place."""
    if arguments.thaw is not None:
        refuse_idle(arguments, _OPTIONS, used=(), here="with --thaw")
    with session_of(arguments) as session, stop_on_interrupt() as stop, ExitStack() as stack:
        session.arm()
        work = Rebuild(session, stop)
        if arguments.thaw is not None:
            return _thaw_one(work, arguments.thaw)
        named = None if arguments.capture is None else capture_of(session, arguments.capture)
        archives = archives_of(session, arguments.archive, on_step=say)
        server = server_of(session, archives, arguments.serve or "", on_fetch=say)
        if server is not None:
            work.archive = stack.enter_context(server)
        for one in frozen(session):
            say(one.words(session.environment.name))
        finish_interrupted(work)
        say("Reading both sides …")
        desired, actual, situation = read_all(session)
        drift = session.compare(desired, actual)
        refuse_unread(drift, "Nothing is restored: what was not seen would be made twice.")
        before = named if named is not None else _newest(session, situation)
        refuse_other_server(before, actual)
        keys = keys_of(drift, arguments.projects)
        restore_ = Restore(work, before, archives, keys, arguments.freeze_zone or "")
        return _restore(restore_, actual, arguments)


def _restore(restore_: Restore, actual: ActualInventory, arguments: argparse.Namespace) -> int:
    """The recipe, once both sides are read."""
    session, work = restore_.session, restore_.work
    made = _plan(restore_, actual)
    say_found(made, restore_.before)
    zone = zone_to_freeze(session, restore_.zone, on_step=say)
    is_left = False
    if not work.stop.is_set() and (made.actions or zone is not None or frozen(session)):
        try:
            _confirm(restore_, made, zone)
        except NotConfirmedError:
            if not work.done:
                raise
            is_left = True
            say("Not confirmed: nothing is done beyond the run that was gone on with.")
        else:
            _execute(restore_, made, zone)
    desired, now = read_both(session)
    ended = conclude(
        session,
        restore_.before.actual,
        made,
        work.done,
        after=session.compare(desired, now),
        now=now,
        keys=restore_.keys,
    )
    files: tuple[Path, ...] = ()
    unwritten: list[AbreastError] = []
    with told_last(unwritten):
        files = write_map(session, ended, arguments.map)
    if arguments.format == "json":
        write_json(ended, restore_.before, files)
    else:
        print_text(ended, session.environment.name, files)
    if unwritten:
        raise unwritten[0]
    return max(exit_code(ended, work), EXIT_DRIFT if is_left else EXIT_DONE)


def _newest(session: Session, situation: Situation | None) -> Capture:
    from sync.loss_basis import basis_words

    basis, found = newest_before(session, situation)
    say(basis_words(basis, session.clock()))
    return found


def _plan(restore_: Restore, actual: ActualInventory) -> Restoration:
    work = restore_.work
    return plan_restore(
        work.session,
        restore_.before.actual,
        actual,
        archives=restore_.archives,
        is_served=work.archive is not None,
        keys=restore_.keys,
        on_step=say,
    )


# --- the freeze ---------------------------------------------------------------------------------------------


def _thaw_one(work: Rebuild, name: str) -> int:
    """`abreast restore --thaw ZONE`: opens a zone that abreast has closed. Raises GuardError for another."""
    from sync.executor import Confirmation
    from sync.freezes import thaw

    zone = zone_named(work.session, name)
    if not any(one.zone == zone.name for one in frozen(work.session)):
        raise GuardError(
            f"Zone {zone.name} was not frozen by abreast, or is open again: it is {zone.allocation}.",
            next_step="Whoever disabled it, enables it.",
        )
    say(f"Zone {zone.name} is to be opened: everybody can deploy and take addresses in it again then.")
    _ask_for_word(work.session)
    plan = work.session.plan([thaw(zone)])
    word = Confirmation(digest=plan.digest, by=work.session.operator, at=work.session.clock())
    work.session.executor(rebuild=True).run(plan, confirmed=word, on_event=progress(), stop=work.stop)
    return EXIT_DONE if not frozen(work.session) else EXIT_DRIFT


# --- acting -------------------------------------------------------------------------------------------------


def _confirm(restore_: Restore, made: Restoration, zone: Zone | None) -> None:
    """The word of a named person, for the restore, the freeze before it and the thaw after it.

    Raises GuardError before anything is asked where the plan needs approvals: run so, it can have none.
    """
    from sync.approval import refuse_unsigned

    session = restore_.session
    plan = session.plan(all_actions(session, made.actions, zone))
    show_samples(made.actions)
    refuse_unsigned(plan, session.environment.approvals, now=session.clock())
    if zone is not None:
        say(f"Before that zone {zone.name} is frozen, and opened again at the end. VMs in it go on running.")
    for one in frozen(session):
        say(f"At the end zone {one.zone}, which is frozen, is opened again.")
    say(f"{len(made.actions)} actions in {session.environment.heading}. Nothing is deleted.")
    _ask_for_word(session)


def _ask_for_word(session: Session) -> None:
    word = session.environment.name
    if ask(f"Type {word} to do it, anything else to leave:") != word:
        raise NotConfirmedError("Not confirmed: nothing was done.")


def _execute(restore_: Restore, made: Restoration, zone: Zone | None) -> None:
    work, session = restore_.work, restore_.session
    execute_stages(
        session,
        made.actions,
        zone,
        archive=work.archive,
        on_event=progress(),
        stop=work.stop,
        on_done=work.done.append,
    )
    for one in frozen(session):
        say(one.words(session.environment.name))


def exit_code(ended: Restored, work: Rebuild) -> int:
    """0 only when all is in place that was planned, nothing waits for a rebuild that was not done, and all
    was read that tells whose addresses changed."""
    outcomes = {one.outcome for _, report in ended.done for one in report.results}
    if work.stop.is_set():
        return EXIT_STOPPED
    if Outcome.UNKNOWN in outcomes or ended.unread:
        return EXIT_UNKNOWN
    return EXIT_DONE if ended.is_whole and not rebuilt_first(ended.made) else EXIT_DRIFT
