"""`abreast rebuild`, recovery without a screen: finish what was interrupted, plan, confirm, execute, verify.

Each step prints what it found to stderr; the result goes to stdout.
"""

from __future__ import annotations

import argparse
import shlex
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from console.choosing import choose_rows
from console.cli.changing import NotConfirmedError, at_once, confirm, progress, report_json, stop_on_interrupt
from console.cli.idle_options import refuse_idle
from console.cli.output import ask, clipped, plain, result, result_json, result_lines, say, table, told_last
from console.cli.reading import is_read, read_both, refuse_unread
from console.cli.rehearsing import (
    Sides,
    compared_runs,
    comparison_json,
    conclude_rehearsal,
    rehearsal_of,
)
from console.cli.sessions import session_of
from console.restores import frozen
from console.session import Session
from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_STOPPED, EXIT_UNKNOWN, AbreastError
from sync.model import (
    Action,
    ActionKind,
    ActualInventory,
    DesiredInventory,
    Drift,
    DriftKind,
    DriftRow,
    Plan,
    project_key,
)
from widgets.cells import counted

if TYPE_CHECKING:
    from sync.deletions import Situation
    from sync.executor import RunReport
    from sync.identities import Identity
    from sync.lookup import ArchiveLike
    from sync.prediction import Comparison, Prediction
    from sync.recovery import Verification

ANEW = "abreast rebuild --anew"
MAKING_USERS = frozenset({ActionKind.CREATE_ACCOUNT, ActionKind.CREATE_USER})
SAMPLES = 5
"""Actions of a kind that are shown before many of them are confirmed at once."""


@dataclass
class Rebuild:
    """One call of the command: what was planned and done so far."""

    session: Session
    stop: threading.Event
    is_to_rehearse: bool = False
    done: list[tuple[Plan, RunReport]] = field(default_factory=list)
    sides: Sides | None = None
    """What was read last."""
    archive: ArchiveLike | None = None
    """What is served, where an interrupted run may need it."""


def rebuild(arguments: argparse.Namespace) -> int:
    """`abreast rebuild [PROJECT…]`. Exit code 0 only when nothing of what was chosen is left, read anew."""
    if arguments.rehearse_only:
        refuse_idle(arguments, ("anew", "map"), used=(), here="with --rehearse-only")
    with session_of(arguments) as session, stop_on_interrupt() as stop:
        work = Rebuild(session, stop, is_to_rehearse=arguments.rehearse)
        if arguments.rehearse_only:
            return _rehearse_only(work, arguments)
        session.arm()
        for one in frozen(session):
            say(one.words(session.environment.name))
        if arguments.anew:
            _leave_interrupted(work)
        else:
            finish_interrupted(work, named=arguments.projects)
        desired, drift = _read(work)
        before = drift
        if not work.done:
            refuse_unread(drift, "Nothing is rebuilt.")
        if is_read(drift) and not stop.is_set():
            drift = _rebuild(work, drift, arguments.projects)
        return _conclude(work, arguments, before=before, after=drift, desired=desired)


def _read(work: Rebuild) -> tuple[DesiredInventory, Drift]:
    say("Reading both sides …")
    desired, actual = work.sides = read_both(work.session)
    drift = work.session.compare(desired, actual)
    say(work.session.headline(drift).text)
    return desired, drift


def finish_interrupted(work: Rebuild, *, named: Sequence[str] = ()) -> None:
    """Go on with a run that was stopped or killed: unknown outcomes are read, not repeated.

    What was `named` for this call is no part of it, unless it was for that one; it is said.
    Raises LeaseHeldError while it goes on elsewhere: nothing is read, offered or asked then.
    """
    from sync.journal import plan_of, results_of
    from sync.model import STANDS

    latest = work.session.ledger.latest_run()
    if latest is None or not latest.run.is_resumable:
        return
    latest.refuse_held()
    run = latest.run
    plan = plan_of(work.session.ledger, run.run_id)
    say(
        f"Run {run.run_id} by {run.operator}, started {plain(run.started_at)}, was interrupted. "
        "What is unknown of it is resolved by reading; then the rest of it runs."
    )
    if run.operator != work.session.operator:
        say(f"You take it over from {run.operator}: the passwords of users made until now are in their file.")
    if work.is_to_rehearse:
        say("What is left of it is not rehearsed: what became of its open calls only the server can tell.")
    results = results_of(work.session.ledger, run.run_id)
    rest = [one for one in plan.actions if one.id not in results or results[one.id].outcome not in STANDS]
    total = counted(len(plan.actions), "action")
    say(f"{len(plan.actions) - len(rest)} of its {total} done. What is left of it:")
    show_samples(rest, plan.notes)
    for line in _not_part(plan, named):
        say(line)
    changed = _configured_otherwise(work.session, rest)
    if changed:
        say(f"The plan of that run is from before the configuration was changed: {changed}.")
        say(f"`{ANEW}` leaves that run as it is and makes a new plan of what is left to do.")
        if ask("Type anew to do that now, anything else to go on with the old plan:") == "anew":
            return
    confirmation = confirm(work.session, plan, digest=None, left=len(rest))
    report = work.session.executor(rebuild=True, archive=work.archive).resume(
        run.run_id, confirmed=confirmation, on_event=progress(), stop=work.stop
    )
    work.done.append((plan, report))


def _not_part(plan: Plan, named: Sequence[str]) -> Iterator[str]:
    """What is asked for by name and not by that run, in words."""
    of_run = {action.project for action in plan.actions}
    others = [name for name in named if project_key(name) not in of_run]
    if others:
        names, again = ", ".join(map(clipped, others)), shlex.join(others)
        yield f"No part of that run, as they were named now: {names}. They are asked for when it is done;"
        yield f"`{ANEW} {again}` leaves that run as it is, and plans them alone."


def _configured_otherwise(session: Session, rest: Sequence[Action]) -> str:
    """What of the networks to be made is not as configured now, in words; empty when nothing."""
    network = session.environment.network
    if network is None:
        return ""
    now = {"zone": network.zone, "offering": network.offering}
    planned = {
        (name, action.parameters[name], said)
        for action in rest
        if action.kind is ActionKind.CREATE_NETWORK
        for name, said in now.items()
        if action.parameters[name] != said
    }
    return ", ".join(f"it has the {name} “{old}”, now it is “{said}”" for name, old, said in sorted(planned))


def _leave_interrupted(work: Rebuild) -> None:
    """Do not go on with what was interrupted. Raises LeaseHeldError while it goes on elsewhere."""
    latest = work.session.ledger.latest_run()
    if latest is None or not latest.run.is_resumable:
        return
    latest.refuse_held()
    say(f"Run {latest.run.run_id} by {latest.run.operator} is left as it is: the rest is planned anew.")


def _rehearse_only(work: Rebuild, arguments: argparse.Namespace) -> int:
    """Plan and rehearse; nothing is sent to the server, and what was interrupted stays so."""
    _, drift = _read(work)
    refuse_unread(drift, "Nothing is rehearsed.")
    latest = work.session.ledger.latest_run()
    if latest is not None and latest.is_interrupted:
        say(f"Run {latest.run.run_id} was interrupted: what is left of it by this reading is rehearsed too.")
    plan = _plan(work, drift, arguments.projects)
    predicted = None
    if plan.actions:
        show_samples(plan.actions, plan.notes)
        predicted = _rehearsed(work, plan)
    return conclude_rehearsal(
        predicted, nothing_to_do=not plan.actions, as_json=arguments.format == "json", stop=work.stop
    )


def _rehearsed(work: Rebuild, plan: Plan) -> Prediction | None:
    assert work.sides is not None, "a plan is made of what was read"
    return rehearsal_of(work.session, plan, work.sides, work.stop)


def _plan(work: Rebuild, drift: Drift, projects: list[str]) -> Plan:
    from console.losses import may_know_ranges
    from console.rebuild_plan import plan_for

    session = work.session
    keys = (
        frozenset(row.key for row in choose_rows(drift, projects)) if projects else _to_rebuild(work, drift)
    )
    situation = _situation(work) if may_know_ranges(session) else None
    return plan_for(session, drift, keys, now=session.clock(), situation=situation)


def _to_rebuild(work: Rebuild, drift: Drift) -> frozenset[str]:
    """Keys of what a rebuild of everything takes up: what is not there as it should be, and what is there and
    differs where an earlier rebuild did not do all that it was to do."""
    from sync.journal import left_by_rebuilds
    from sync.recovery import REBUILT

    left = left_by_rebuilds(work.session.ledger)
    return frozenset(
        row.key
        for row in drift.rows
        if row.kind in REBUILT or (row.kind is DriftKind.DIFFERS and row.key in left)
    )


def _situation(work: Rebuild) -> Situation | None:
    """What CloudStack shows of deletions; None where it could not be read."""
    from sync.deletions import can_tell

    assert work.sides is not None, "both sides were read before"
    _, actual = work.sides
    told = work.session.read_told()
    return work.session.situation(actual, told) if can_tell(actual.coverage) else None


def _rebuild(work: Rebuild, drift: Drift, projects: list[str]) -> Drift:
    """Plan, rehearse where that was asked for, confirm, execute, and read both sides anew.

    Raises GuardError before anything is asked where the plan needs approvals: run so, it can have none.
    """
    from sync.approval import refuse_unsigned

    session, plan = work.session, _plan(work, drift, projects)
    if not plan.actions:
        say("There is nothing to rebuild.")
        return drift
    show_samples(plan.actions, plan.notes)
    refuse_unsigned(plan, session.environment.approvals, now=session.clock())
    predicted = _rehearsed(work, plan) if work.is_to_rehearse else None
    if work.stop.is_set():
        return drift
    try:
        confirmation = confirm(session, plan, digest=None)
    except NotConfirmedError:
        if not work.done:
            raise
        say("Not confirmed: nothing is done beyond the run that was gone on with.")
        return drift
    report = session.executor(rebuild=True).run(
        plan, confirmed=confirmation, on_event=progress(), stop=work.stop, predicted=predicted
    )
    work.done.append((plan, report))
    _, after = _read(work)
    return after


def show_samples(actions: Sequence[Action], notes: Sequence[str] = ()) -> None:
    """Totals by kind and a few of each: what a person can take in before saying yes to many."""
    totals = Counter(action.kind for action in actions)
    for kind, count in totals.items():
        some = [clipped(action.target) for action in actions if action.kind is kind][:SAMPLES]
        more = f" … and {count - len(some)} more" if count > len(some) else ""
        say(f"  {count:4} × {kind.value}: {', '.join(some)}{more}")
    for note in notes:
        say(f"  {note}")


def _conclude(
    work: Rebuild,
    arguments: argparse.Namespace,
    *,
    before: Drift,
    after: Drift,
    desired: DesiredInventory,
) -> int:
    from sync.identity_map import summary
    from sync.recovery import verify

    session = work.session
    proof = verify(before, after, rules=session.rules)
    wanted = _wanted(work, arguments.projects, before=before, after=after)
    rows, unwritten = _identities(work, desired, after), list[AbreastError]()
    files: tuple[Path, ...] = ()
    relinking: tuple[Path, ...] = ()
    with told_last(unwritten):
        files = _map_files(work, arguments.map, rows)
        relinking = _relink_files(work, arguments.map, proof)
    passwords, uncompared = _new_passwords(work), _uncompared(proof, wanted, is_all=not arguments.projects)
    compared = compared_runs(session, [report.run_id for _, report in work.done])
    if arguments.format == "json":
        result_json(
            {
                "runs": [report_json(report) for _, report in work.done],
                "predicted": [comparison_json(one) for one in compared],
                "rebuilt": not (proof.unproven or uncompared or _left(proof, wanted)),
                "unproven": proof.unproven,
                "not_compared": [row.name for row in uncompared],
                "repairable_left": [row.name for row in _left(proof, wanted)],
                "repairable_not_chosen": [row.name for row in _not_chosen(proof, wanted)],
                "for_people": {row.name: row.kind.value for row in proof.for_people},
                "losses": plain(proof.losses),
                "stored_ids_to_relink": plain(proof.stale_ids),
                "identity_map": [str(path) for path in files],
                "relink": [str(path) for path in relinking],
                "new_ids": sum(summary(rows).values()),
                "credentials": str(passwords) if passwords is not None else None,
            }
        )
    else:
        for _, report in work.done:
            result(f"run {report.run_id}: {at_once(report)}")
        _print_proof(proof, wanted, is_all=not arguments.projects, failed=_failed(work))
        if uncompared:
            names = ", ".join(clipped(row.name) for row in uncompared)
            what = counted(len(uncompared), "project")
            result(f"neither proven nor rebuilt: {what} that could not be compared: {names}")
        _print_compared(compared)
        for path in files:
            result(f"identity map: {path}")
        for path in relinking:
            result(f"new ids for the CI database's owner: {path}")
        if passwords is not None:
            result(f"new passwords (mode 0600): {passwords}")
    if unwritten:
        raise unwritten[0]
    if work.stop.is_set():
        return EXIT_STOPPED
    if proof.unproven:
        return EXIT_UNKNOWN
    if _left(proof, wanted):
        return EXIT_DRIFT
    return EXIT_UNKNOWN if uncompared else EXIT_DONE


def _print_compared(compared: Sequence[Comparison]) -> None:
    for one in compared:
        for line in one.lines():
            result(line)


def _new_passwords(work: Rebuild) -> Path | None:
    """The file with the passwords of the users that were made; None where none was made."""
    file = work.session.environment.credential_file
    is_making = any(action.kind in MAKING_USERS for plan, _ in work.done for action in plan.actions)
    return file if is_making and file.exists() else None


def _uncompared(proof: Verification, wanted: frozenset[str], *, is_all: bool) -> list[DriftRow]:
    """Projects that were to be looked at and of which nobody knows what there is to rebuild."""
    return [
        row
        for row in proof.for_people
        if row.kind is DriftKind.UNKNOWN and row.project is not None and (is_all or row.key in wanted)
    ]


def _wanted(work: Rebuild, projects: list[str], *, before: Drift, after: Drift) -> frozenset[str]:
    """Keys of what this call was to rebuild: the named projects, or all that was not there as it should be.

    What an earlier run had begun is part of it. What only differs is not, unless it was named.
    """
    begun = {action.project for plan, _ in work.done for action in plan.actions}
    if projects:
        return frozenset(begun | {row.key for row in choose_rows(after, projects)})
    return frozenset(begun | _to_rebuild(work, before) | _to_rebuild(work, after))


def _left(proof: Verification, wanted: frozenset[str]) -> list[DriftRow]:
    """What should have been rebuilt and can still be repaired."""
    return [row for row in proof.repairable if row.key in wanted]


def _not_chosen(proof: Verification, wanted: frozenset[str]) -> list[DriftRow]:
    """What can be repaired and was not asked for."""
    return [row for row in proof.repairable if row.key not in wanted]


def _identities(work: Rebuild, desired: DesiredInventory, after: Drift) -> list[Identity]:
    """The identity map of all that was done; also where there was nothing to do any more: the run that did it
    may have been killed before its map."""
    from sync.identity_map import identity_map

    before, now = _captured(work)
    rows = [] if work.done else _changed_earlier(before, now, after)
    for plan, report in work.done:
        some = identity_map(plan, report, desired, before=before, now=now)
        rows += [row for row in some if row not in rows]
    return rows


def _map_files(work: Rebuild, wanted: Path | None, rows: list[Identity]) -> tuple[Path, ...]:
    """The map, where it was asked for, else beside the new passwords. Raises UsageError, StorageError."""
    from sync.identity_map import write

    if not rows:
        return ()
    if wanted is None:
        # A file a run, as the console has it: a later, poorer map never takes the place of a richer one.
        name = f"identity-map-{work.done[-1][1].run_id}" if work.done else "identity-map-relink"
        return write(rows, work.session.environment.credential_file.parent, name=name)
    return write(rows, wanted.parent, name=wanted.stem)


def _captured(work: Rebuild) -> tuple[ActualInventory | None, ActualInventory | None]:
    """CloudStack by a capture from before the deletion, and now, as far as it was read whole."""
    from console.losses import captured_before

    assert work.sides is not None, "both sides were read before"
    _, now = work.sides
    if not now.coverage.is_complete:
        return None, None
    is_there = work.session.captures.exist
    return captured_before(work.session, _situation(work)) if is_there else None, now


def _changed_earlier(
    before: ActualInventory | None, now: ActualInventory | None, after: Drift
) -> list[Identity]:
    """What has another id than before, whichever run made it."""
    from sync.identities import by_capture
    from sync.identity_map import changed_earlier

    captured = () if before is None or now is None else by_capture(before, now)
    return list(dict.fromkeys((*captured, *changed_earlier(after))))


def _relink_files(work: Rebuild, wanted: Path | None, proof: Verification) -> tuple[Path, ...]:
    """The new ids for the CI database's owner, beside the identity map."""
    from console.cli.relinking import write_files

    if not proof.stale_ids or proof.unproven:
        return ()
    folder = wanted.parent if wanted is not None else work.session.environment.credential_file.parent
    return write_files(work.session, proof.stale_ids, folder)


def _failed(work: Rebuild) -> dict[str, str]:
    """Action → why it failed, of all that was run. The same call fails again until that is mended."""
    from sync.model import Outcome

    results = [one for _, report in work.done for one in report.results]
    return {one.action_id: one.detail for one in results if one.outcome is Outcome.FAILED}


def _print_proof(
    proof: Verification, wanted: frozenset[str], *, is_all: bool, failed: dict[str, str]
) -> None:
    left, not_chosen = _left(proof, wanted), _not_chosen(proof, wanted)
    if proof.unproven:
        result(f"not verified: {proof.unproven}")
    elif left:
        again = "Run it again." if not failed else "Mend what failed, then run it again:"
        result(f"not all is rebuilt: {len(left)} can still be repaired. {again}")
        for action, why in failed.items():
            result(f"  {action}: {why}")
    elif not_chosen and is_all:
        result("verified: nothing is left to rebuild, both sides read anew")
    elif not_chosen:
        result("verified: nothing that was chosen is left to repair, both sides read anew")
    else:
        result("verified: nothing repairable is left, both sides read anew")
    if not_chosen:
        named = " ".join(shlex.quote(row.name) for row in not_chosen)
        why = "is there and only differs" if is_all else "was not chosen"
        result(f"left alone, because it {why}: {len(not_chosen)}. To repair it: abreast rebuild {named}")
    rows = [(row.kind.value, clipped(row.name), row.reason) for row in (*proof.repairable, *proof.for_people)]
    if rows:
        result_lines(table(rows, header=("drift", "project", "why")))
    if proof.losses:
        machines = counted(len(proof.losses), "machine")
        projects = counted(len({loss.key for loss in proof.losses}), "project")
        result(f"lost: {machines} of {projects} without a VM now")
    if proof.stale_ids:
        result(
            f"re-link: the CI database stores {counted(len(proof.stale_ids), 'id')} of domains that are gone;"
            " its owner has to store the new ones before any synchronisation is switched on"
        )
    if proof.disappeared:
        result(f"gone meanwhile, not by abreast: {', '.join(proof.disappeared)}")
