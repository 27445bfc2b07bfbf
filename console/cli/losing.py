"""`abreast losses`: what a deletion took, object by object; `abreast undelete`: destroyed VMs come back."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from console.cli.changing import confirm, exit_code, progress, report_run, stop_on_interrupt
from console.cli.output import plain, result, result_json, result_lines, say, table
from console.cli.reading import read_all
from console.cli.sessions import session_of
from console.session import Session
from sync.corpses import below
from sync.errors import EXIT_DONE, EXIT_UNKNOWN, SourceError, UsageError
from sync.loss_basis import basis_words
from sync.loss_ledger import Expunging, counts_of
from sync.model import ActualInventory, JsonObject, project_key
from sync.recoverable import left_words, recoverable, recoveries

if TYPE_CHECKING:
    from console.losses import Losses
    from sync.loss_ledger import ProjectLosses
    from sync.recoverable import Recoverable


# --- losses -------------------------------------------------------------------------------------------------


def losses(arguments: argparse.Namespace) -> int:
    """Exit code 0 when it was told, 3 where a side could not be read whole."""
    from console.losses import LossReader, chosen_capture

    with session_of(arguments) as session:
        say("Reading both sides …")
        desired, actual, situation = read_all(session)
        # Which projects are being retired is told by the comparison.
        session.compare(desired, actual)
        chosen = None if arguments.capture is None else chosen_capture(session, arguments.capture)
        found = LossReader(session).read(desired, actual, situation, chosen=chosen)
        keys = _keys(arguments.projects, [one.key for one in found.ledger.projects])
        shown = [one for one in found.ledger.projects if not keys or one.key in keys]
        if arguments.format == "json":
            result_json(_as_json(found, shown, session.clock()))
        else:
            _print(found, shown, session.clock())
        is_read = desired.coverage.is_complete and actual.coverage.is_complete
        return EXIT_DONE if is_read else EXIT_UNKNOWN


def _keys(projects: Sequence[str], known: Collection[str]) -> frozenset[str]:
    """Keys of the named projects. Raises UsageError, naming the nearest, for one that is not known."""
    for name in projects:
        if project_key(name) not in known:
            near = get_close_matches(project_key(name), list(known), n=1)
            hint = f"Did you mean {near[0]}?" if near else ""
            raise UsageError(f"Nothing is known here of a project {name}.", next_step=hint)
    return frozenset(map(project_key, projects))


def _print(told: Losses, shown: Sequence[ProjectLosses], now: datetime) -> None:
    from sync.loss_ledger import Fate
    from sync.object_types import comeback_words

    result(basis_words(told.basis, now))
    fates = tuple(Fate)
    rows = [
        (one.name, *(str(len(one.of(fate)) or "–") for fate in fates))
        for one in shown
        if any(one.of(fate) for fate in fates if fate is not Fate.SURVIVES)
    ]
    if rows:
        result_lines(table(rows, header=("project", *(fate.value for fate in fates))))
    whole = len(shown) - len(rows)
    if whole:
        result(f"nothing is lost of {whole} {'project' if whole == 1 else 'projects'}")
    counts = counts_of(shown)
    if rows:
        result("")
        by_type = [
            (
                name,
                *(str(counts[name].get(fate, 0) or "–") for fate in fates),
                comeback_words(name, has_capture=told.ledger.before is not None),
            )
            for name in counts
        ]
        result_lines(table(by_type, header=("object", *(fate.value for fate in fates), "comes back")))
    keys = {one.key for one in shown}
    mine = [one for one in told.recoverable if one.key in keys]
    if mine:
        result("")
        result("Destroyed VMs that can be brought back (`abreast undelete` does it), the most urgent first:")
        times = [(one.label, one.kept_back or left_words(one.until, now)) for one in mine]
        result_lines(table(times, header=("VM", "time left")))
    again = sum(one.id in told.again for project in shown for one in project.of(Fate.LOST))
    if again:
        result(f"{again} of what is lost were made again since, with other ids")
    result("")
    for text in told.blind:
        result(f"Not known: {text}")
    result(told.archive)


def _as_json(found: Losses, shown: Sequence[ProjectLosses], now: datetime) -> JsonObject:
    from sync.object_types import OBJECT_TYPES

    basis = found.basis
    keys = {one.key for one in shown}
    return {
        "capture": {"taken_at": plain(basis.taken_at), "id": basis.id, "why": basis.why},
        "deletion_began": plain(basis.began),
        "read_at": plain(found.ledger.now),
        "not_known": list(found.blind),
        "archive": {"words": found.archive, "has": dict(found.kept)},
        "made_again": sorted(found.again),
        "totals": plain(counts_of(shown)),
        "projects": [
            {"name": one.name, "counts": plain(one.counts()), "objects": plain(one.objects)} for one in shown
        ],
        "recoverable": [
            {
                "project": one.project,
                "vm": one.vm.name,
                "id": one.vm.id,
                "until": plain(one.until),
                "seconds_left": round((one.until - now).total_seconds()) if one.until else None,
                "kept_back": one.kept_back,
            }
            for one in found.recoverable
            if one.key in keys
        ],
        "types": plain(OBJECT_TYPES),
    }


# --- undelete -----------------------------------------------------------------------------------------------


def undelete(arguments: argparse.Namespace) -> int:
    """Brings destroyed VMs back, the most urgent first, after asking; needs no CI database.

    Exit code 1 where one could not be, 3 where CloudStack could not be read whole.
    """
    from sync.approval import refuse_unsigned

    with session_of(arguments) as session:
        session.arm()
        say("Reading CloudStack …")
        actual = session.read_actual(limits=False, users=False)
        found = _found(session, actual)
        keys = _keys(arguments.projects, _projects_of(actual))
        mine = [one for one in found if not keys or one.key in keys]
        for one in mine:
            say(f"  {one.label}: {one.kept_back or left_words(one.until, session.clock())}")
        if not actual.coverage.is_complete:
            say(f"CloudStack was not read completely, so there may be more: {actual.coverage.why}")
        unread = EXIT_DONE if actual.coverage.is_complete else EXIT_UNKNOWN
        actions = recoveries(mine)
        if not actions:
            say("There is no destroyed VM that could be brought back.")
            if arguments.format == "json":
                result_json({"run": None, "actions": {}, "results": []})
            return unread
        plan = session.plan(actions)
        refuse_unsigned(plan, session.environment.approvals, now=session.clock())
        confirmation = confirm(session, plan, digest=None)
        with stop_on_interrupt() as stop:
            report = session.executor(rebuild=True).run(
                plan, confirmed=confirmation, on_event=progress(), stop=stop
            )
        report_run(report, as_json=arguments.format == "json")
        return exit_code(report, stopped=stop.is_set()) or unread


def _found(session: Session, actual: ActualInventory) -> tuple[Recoverable, ...]:
    from sync.retirement_journal import open_projects

    try:
        times = session.expunging()
    except SourceError as error:
        say(f"How long they have left is not known: {error}")
        times = Expunging()
    rules = replace(session.rules, retiring=open_projects(session.ledger, session.clock()))
    return recoverable(actual, rules, expunging=times)


def _projects_of(actual: ActualInventory) -> frozenset[str]:
    """Keys of what there is right below the parent."""
    paths = (below(domain.path, actual.scope.parent) for domain in actual.domains)
    return frozenset(project_key(names[0]) for names in paths if names)
