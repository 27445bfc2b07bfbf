"""What the recovery offers and shows, decided from values: the choice, the waves, the proof.

Pure but for `conclude`, which blocks and belongs into a thread. What it says is in
`recovery_steps`; the truth about a run is in the ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from console.faults import as_error
from console.state import RunPhase, RunState
from sync.agents import ChangedAddress, Reach, changed_addresses, judge, reach
from sync.hollow import is_emptied
from sync.model import Action, ActionResult, Drift, DriftKind, DriftRow, Outcome
from sync.plan import wave_title
from sync.recoverable import Recoverable, left_words
from sync.recovery import REBUILT, Assessment, Finding, StaleId, Verification, verify
from sync.schedule import is_left_open
from widgets.findings import FindingGroup
from widgets.waves import WaveView

if TYPE_CHECKING:
    from console.ledger_run import LedgerRun
    from console.session_protocol import ConsoleSession
    from sync.deletions import Situation
    from sync.model import ActualInventory, DesiredInventory

BAD = (Outcome.FAILED, Outcome.UNKNOWN)

SAMPLES = 5
"""Objects that are named before many are confirmed at once."""


@dataclass(frozen=True)
class Aftermath:
    """What both sides said when they were read anew after a rebuild, and what was saved for others."""

    run_id: str
    at: datetime
    """When the older of the two readings began."""
    proof: Verification | None
    """None when it could not be made; then `problem` says why."""
    files: tuple[str, ...] = ()
    """Paths of the identity map; empty when there is nothing in it or it could not be written."""
    agents: Reach | None = None
    """How many agents Jenkins reaches after the rebuild; None where it is not asked."""
    addresses: tuple[ChangedAddress, ...] = ()
    """Where Jenkins will look for an agent in vain, or find a stranger's machine."""
    relinks: tuple[str, ...] = ()
    """Paths of the new ids for the CI database's owner, as CSV and, where the statement is known, SQL."""
    new_ids: Mapping[str, int] = field(default_factory=dict)
    """What has a new id, counted: `domain` → 36."""
    to_link: tuple[StaleId, ...] = ()
    """Every id that had to be stored since the rebuild, by any reading; also what is stored by now."""
    passwords: int = 0
    """How many users got a new one, in this rebuild and the others of the last two days."""
    rebuilds: int = 1
    """How many rebuilds the passwords and new ids are of."""
    password_file: str = ""
    problem: str = ""
    """Why the proof or the files could not be made; empty when they were."""


def with_links(after: Aftermath, earlier: Aftermath | None) -> Aftermath:
    """With what had to be stored by the proofs of the same run before it."""
    told = after.proof.stale_ids if after.proof is not None else ()
    before = earlier.to_link if earlier is not None and earlier.run_id == after.run_id else ()
    newer = {one.key for one in told}
    return replace(after, to_link=(*(one for one in before if one.key not in newer), *told))


# --- the choice ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """What the operator changed of the proposal: to rebuild all that is critical and nothing else."""

    left_out: frozenset[str] = frozenset()
    taken_in: frozenset[str] = frozenset()
    """Keys of rows that merely differ and are to be repaired as well."""

    def has(self, finding: Finding) -> bool:
        """Whether this finding is to be rebuilt."""
        if not finding.actions:
            return False
        return finding.key not in self.left_out if finding.is_proposed else finding.key in self.taken_in

    def toggled(self, findings: Iterable[Finding]) -> Choice:
        """Take these in; when all of them are in already, leave them out."""
        some = [finding for finding in findings if finding.actions]
        is_out = all(self.has(finding) for finding in some)
        proposed = {finding.key for finding in some if finding.is_proposed}
        others = {finding.key for finding in some} - proposed
        return Choice(
            self.left_out | proposed if is_out else self.left_out - proposed,
            self.taken_in - others if is_out else self.taken_in | others,
        )


def chosen(assessment: Assessment, choice: Choice) -> tuple[Finding, ...]:
    """The findings to rebuild, worst first."""
    return tuple(one for one in (*assessment.to_rebuild, *assessment.differing) if choice.has(one))


def groups(assessment: Assessment, returnable: Iterable[Recoverable] = ()) -> tuple[FindingGroup, ...]:
    """The findings as the list shows them, worst first, with what is done about each group; with projects of
    which nothing else is to be said than that destroyed VMs can be brought back."""
    made = (
        FindingGroup(
            "dying", "the old domain is renamed out of the way, then all is created", assessment.dying
        ),
        FindingGroup("hollow", "the domain stays, account and users are created in it", assessment.hollow),
        FindingGroup("missing", "created anew from the CI database", assessment.missing),
        FindingGroup(
            "orphaned", "created anew; the VMs without a domain stay as they are", assessment.orphaned
        ),
        FindingGroup(
            "destroyed VMs", "the rest of the project is as it should be", _only_vms(assessment, returnable)
        ),
        FindingGroup(
            "half-made", "a rebuild began it and was cut off: the rest is made", assessment.half_made
        ),
        FindingGroup("differs", "left alone unless you choose it", assessment.differing),
        FindingGroup(
            "emptied", "step 4 makes again what captures and archives have of it", assessment.emptied
        ),
        FindingGroup("for people", "left alone, nothing here changes them", assessment.for_people),
    )
    return tuple(group for group in made if group.findings)


def _only_vms(assessment: Assessment, returnable: Iterable[Recoverable]) -> tuple[Finding, ...]:
    """A finding for each project that is in no other group and has VMs that can be brought back."""
    others = (
        *assessment.to_rebuild,
        *assessment.differing,
        *assessment.emptied,
        *assessment.for_people,
    )
    told = {one.key for one in others}
    names: dict[str, list[str]] = {}
    for one in returnable:
        if one.key not in told:
            names.setdefault(one.key, [one.project]).append(one.vm.name)
    return tuple(
        Finding(key, name, DriftKind.IN_SYNC, (), f"can be brought back: {', '.join(vms)}")
        for key, (name, *vms) in names.items()
    )


def action_count(findings: Iterable[Finding]) -> int:
    """How many actions they need together: several may need the same parent."""
    return len({action.id for finding in findings for action in finding.actions})


def questions(actions: Collection[Action]) -> list[str]:
    """What a person has to know before saying yes to many: totals by kind, five samples, what it is not."""
    numbers: dict[str, int] = {}
    for action in actions:
        numbers[action.kind.value] = numbers.get(action.kind.value, 0) + 1
    last = len(actions) - 1
    places = sorted({place * last // (SAMPLES - 1) for place in range(SAMPLES)}) if actions else []
    samples = [list(actions)[place] for place in places]
    named = ", ".join(f"{action.kind.value} {action.target.rpartition('/')[2]}" for action in samples)
    return [
        ", ".join(f"{number} × {kind}" for kind, number in numbers.items()) + ".",
        f"For example {named}.",
        "Nothing is deleted. What is there already by then is skipped.",
    ]


def vm_questions(found: Sequence[Recoverable], now: datetime) -> list[str]:
    """What a person has to know before VMs are brought back: the most urgent ones, and what it means."""
    named = [f"{one.label}: {left_words(one.until, now)}" for one in found[:SAMPLES]]
    more = f", and {len(found) - SAMPLES} more" if len(found) > SAMPLES else ""
    return [
        f"The most urgent first: {'; '.join(named)}{more}.",
        "Each is read again, and recovered only while it is Destroyed. It is there again, stopped.",
        "Nothing is deleted. A VM that comes back counts against its owner's limits.",
    ]


# --- the run ------------------------------------------------------------------------------------------------


def waves(
    actions: Iterable[Action], results: Mapping[str, ActionResult], active: Mapping[str, str]
) -> tuple[WaveView, ...]:
    """How far every wave of these actions is, in the order in which they run."""
    found: dict[str, list[int]] = {}
    for action in actions:
        counts = found.setdefault(wave_title((action,)), [0, 0, 0, 0])
        result = results.get(action.id)
        counts[0] += 1
        if result is not None and result.outcome is not Outcome.NOT_RUN:
            counts[1] += 1
            counts[2] += result.outcome in BAD
        counts[3] += action.id in active
    return tuple(WaveView(title, *counts) for title, counts in found.items())


def noteworthy(run: RunState) -> tuple[Action, ...]:
    """What needs eyes: first what went wrong, then what is going on; at the end also what did not run."""
    bad, active, left = [], [], []
    for action in run.plan.actions:
        result = run.results.get(action.id)
        if result is not None and result.outcome in BAD:
            bad.append(action)
        elif action.id in run.active:
            active.append(action)
        elif result is not None and result.outcome is Outcome.NOT_RUN:
            left.append(action)
    return (*bad, *active, *left)


def done_count(run: RunState) -> int:
    """How many of its actions have ended, however; what did not run is not done."""
    return sum(result.outcome is not Outcome.NOT_RUN for result in run.results.values())


def done_here(run: RunState) -> int:
    """How many of its actions this execution has ended, without what an earlier one had."""
    return done_count(run) - len(run.earlier)


def failures(run: RunState) -> int:
    """How many of its actions failed, or ended nobody knows how."""
    return sum(result.outcome in BAD for result in run.results.values())


def is_unfinished(run: RunState) -> bool:
    """Whether resuming the run may still achieve something."""
    if run.is_going_on:
        return False
    return run.report is None or is_left_open(run.problem, {one.outcome for one in run.results.values()})


def left_open(found: LedgerRun | None) -> RunState | None:
    """An interrupted run as far as the ledger has it, for what is shown of it; None of any other."""
    if found is None or found.plan is None:
        return None
    return RunState(
        found.plan,
        RunPhase.FAILED,
        found.latest.run.started_at,
        run_id=found.run_id,
        results=found.results,
        ended_at=found.latest.last_at,
        problem=found.words,
    )


def is_read_after(run: RunState, drift: Drift) -> bool:
    """Whether this drift proves something about the run: both sides complete and read after its end."""
    if run.ended_at is None or not (drift.desired.is_complete and drift.actual.is_complete):
        return False
    moments = (drift.desired_taken_at, drift.actual_taken_at, drift.limits_taken_at)
    return all(moment is not None and moment >= run.ended_at for moment in moments)


def still_repairable(run: RunState, proof: Verification) -> tuple[tuple[DriftRow, ...], tuple[DriftRow, ...]]:
    """What a plan could still repair: of what the run was for, and of what was left out of it."""
    projects = {action.project for action in run.plan.actions}
    mine = tuple(row for row in proof.repairable if row.key in projects)
    return mine, tuple(row for row in proof.repairable if row.key not in projects)


def not_rebuilt(run: RunState, proof: Verification) -> tuple[DriftRow, ...]:
    """What the run was for, is not there as it should be or not known, and has no repair.

    Not a domain that has its accounts again and is hollow by what captures remember: that is a loss.
    """
    projects = {action.project for action in run.plan.actions}
    kinds = (*REBUILT, DriftKind.UNKNOWN)
    rows = (row for row in proof.for_people if row.key in projects and row.kind in kinds)
    return tuple(row for row in rows if not is_emptied(row))


# --- in threads ---------------------------------------------------------------------------------------------


def _reached(session: ConsoleSession, after: Drift, desired: DesiredInventory) -> Reach | None:
    """What the Jenkins of all projects together reach; a Jenkins that does not answer reaches nobody."""
    if session.environment.jenkins is None:
        return None
    said = session.read_agents(desired)
    return reach(finding for row in after.rows for finding in judge(row, said.get(row.key)))


def _report(run: RunState) -> Any:
    """Of a run that is over; its type is not imported before a run is."""
    return run.report


def conclude(
    session: ConsoleSession,
    run: RunState,
    after: Drift,
    desired: DesiredInventory,
    *,
    now: ActualInventory | None,
    situation: Situation | None,
) -> Aftermath:
    """Compare with before, and save the identity map beside the file of passwords; with the old ids of a
    capture where `situation` tells which one. `now` is CloudStack as it was read last. Blocks; never raises.
    """
    from console.losses import captured_before
    from console.past_rebuild import LOOKED_BACK, others
    from sync.identity_map import identity_map, merged, new_credentials, summary, write

    at = min(after.desired_taken_at, after.actual_taken_at)
    made = Aftermath(run.run_id, at, None)
    try:
        made = replace(made, addresses=changed_addresses(after.rows))
        made = replace(made, agents=_reached(session, after, desired))
        made = replace(made, proof=verify(run.drift_before or after, after, rules=session.rules))
        vault = session.vault
        earlier = others(session.ledger, after=session.clock() - LOOKED_BACK, than=run.run_id)
        drawn = [new_credentials(one.plan, _report(one), vault) for one in (*earlier, run)]
        users = {(one.domain_path, one.account, one.username) for some in drawn for one in some}
        made = replace(made, passwords=len(users), password_file=str(vault.path), rebuilds=len(drawn))
        before = captured_before(session, situation)
        maps = [
            identity_map(one.plan, _report(one), desired, before=before, now=now) for one in (*earlier, run)
        ]
        rows = merged(chain.from_iterable(maps[:-1]), maps[-1], now=now)
        if rows:
            files = write(rows, vault.path.parent, name=f"identity-map-{run.run_id}")
            made = replace(made, files=tuple(map(str, files)), new_ids=summary(rows))
        if made.proof is not None and made.proof.stale_ids:
            written = session.write_relinks(made.proof.stale_ids)
            made = replace(made, relinks=tuple(map(str, written)))
    except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
        return replace(made, problem=str(as_error(error, doing="concluding the rebuild")))
    return made


def relinked(session: ConsoleSession, after: Aftermath, stale: Sequence[StaleId]) -> Aftermath:
    """The same with the ids that are to be stored by a newer reading, their files written anew. Blocks; never
    raises."""
    if after.proof is None:
        return after
    try:
        after = replace(after, proof=replace(after.proof, stale_ids=tuple(stale)), relinks=())
        written = session.write_relinks(stale) if stale else ()
    except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
        return replace(after, problem=str(as_error(error, doing="writing the new ids")))
    return replace(after, relinks=tuple(map(str, written)))
