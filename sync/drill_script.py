"""A drill that plays itself: assess, rebuild, verify; one summary, and an exit code that can be believed.

What it says afterwards was read anew from both sides. Losses are listed, not repaired, and held against the
sandbox's own log; what was unexpected before must still be there, untouched. How each scenario goes is in
`drill_plays`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from sync import plan as plans
from sync.agents import changed_addresses, judge, reach
from sync.capture_store import CaptureStore
from sync.ci_db import CiDatabase
from sync.cloudstack import Reader, Writer
from sync.credentials import CredentialFile
from sync.deletions import Kind, Stage
from sync.deletions import assess as assess_deletions
from sync.drift import compare
from sync.drill import Drill
from sync.drill_losses import Destroyed, contradictions, losses_json, words
from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_UNKNOWN
from sync.executor import Confirmation, ExecutionEvent, ExecutionPolicy, Executor, RunReport
from sync.headline import headline
from sync.hollow import BASELINE
from sync.identities import made_ids
from sync.jenkins import Jenkins
from sync.lease import Place
from sync.ledger import EntryKind, Ledger
from sync.lookup import ArchiveLike
from sync.loss_ledger import LossLedger, loss_ledger, losses_without_capture
from sync.model import (
    Action,
    ActualInventory,
    Contents,
    DesiredInventory,
    Drift,
    DriftKind,
    JsonObject,
    Outcome,
    Plan,
    Scope,
)
from sync.plan import PlanRules, repairable
from sync.recovery import plan_rebuild, verify
from sync.restoration import ranges_of
from sync.sandbox.naive_sync import SyncLog
from sync.settings import Environment

OPERATOR = "drill"
"""Who confirms in a drill that nobody watches; the ledger says so."""
ROUNDS = 3
"""How often it assesses and rebuilds again where something repairable was left."""
HOURS_WAITED = 12
"""Of the sandbox's time, at most, for what is being deleted to have gone."""

Say = Callable[[str], None]
"""Called with one line of progress; from any thread."""


def silent(_: str) -> None:
    """Progress for nobody."""


@dataclass
class Rehearsal:
    """Both sides of one environment, and what was done to bring them together."""

    environment: Environment
    say: Say = silent
    operator: str = OPERATOR
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    place: Place | None = None
    """Where it executes, as its leases say; this machine when left out."""
    reports: list[RunReport] = field(default_factory=list)
    desired: DesiredInventory | None = None
    """As it was read last, and so is `actual`."""
    actual: ActualInventory | None = None

    def __post_init__(self) -> None:
        cloudstack = self.environment.cloudstack
        assert cloudstack.write is not None, "a drill can always be written to"
        self.ci_database = CiDatabase(self.environment.ci_database, clock=self.clock)
        self.reader = Reader(cloudstack.read, clock=self.clock)
        self.writer = Writer(cloudstack.write, clock=self.clock)
        self.rules = PlanRules(
            parent=self.environment.parent,
            roles=self.environment.roles,
            network=self.environment.network,
            ranges=self._ranges(),
        )

    @property
    def calls(self) -> int:
        """API calls so far, reading and writing."""
        return self.reader.calls + self.writer.calls

    def assess(self) -> Drift:
        """Read both sides anew, limits and users included, and compare them."""
        scope = Scope(parent=self.environment.parent)
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="side") as pool:
            desired = pool.submit(self.ci_database.read, scope)
            actual = pool.submit(self.reader.inventory, scope, limits=True)
            self.desired, self.actual = desired.result(), actual.result()
        rule = self.environment.network
        return compare(self.desired, self.actual, network_rule=rule, before=self._baseline())

    def _baseline(self) -> Mapping[str, Contents]:
        """What captures remember of the domains, as the console asks them."""
        path = self.environment.captures
        if path is None or not path.exists():
            return {}
        with CaptureStore(path, read_only=True) as store:
            return store.contents(self.clock() - BASELINE)

    def _ranges(self) -> Mapping[str, tuple[str, str]]:
        """What networks had on the eve, which is the first capture of a drill, where it has any."""
        path = self.environment.captures
        if path is None or not path.exists():
            return {}
        with CaptureStore(path, read_only=True) as store:
            first = min(store.entries(), key=lambda one: one.taken_at, default=None)
            return {} if first is None else ranges_of(store.read(first.id).actual)

    def rebuild(self, drift: Drift) -> RunReport:
        """Plan every repair there is, differences too, confirm it as the drill, and execute it."""
        now = self.clock()
        found = self.reader.capabilities()
        plan = plan_rebuild(
            drift,
            {row.key for row in repairable(drift, self.rules)},
            rules=self.rules,
            environment=self.environment.name,
            root_id=found.root_id,
            endpoint=found.endpoint,
            author=self.operator,
            now=now,
        )
        return self._run(plan)

    def execute(self, actions: Iterable[Action], *, archive: ArchiveLike) -> RunReport:
        """Plan these, confirm them as the drill, and execute them; `archive` has the files that they name."""
        found = self.reader.capabilities()
        plan = plans.build(
            actions,
            environment=self.environment.name,
            root_id=found.root_id,
            endpoint=found.endpoint,
            author=self.operator,
            now=self.clock(),
        )
        return self._run(plan, archive)

    def _run(self, plan: Plan, archive: ArchiveLike | None = None) -> RunReport:
        with self.ledger() as ledger:
            report = self._executor(ledger, archive).run(
                plan,
                confirmed=Confirmation(digest=plan.digest, by=self.operator, at=self.clock()),
                on_event=self._tell,
                stop=threading.Event(),
            )
        self.reports.append(report)
        return report

    def resume(self, run_id: str, digest: str) -> RunReport:
        """Finish a run that somebody left in the ledger, whose plan has that digest."""
        with self.ledger() as ledger:
            report = self._executor(ledger).resume(
                run_id,
                confirmed=Confirmation(digest=digest, by=self.operator, at=self.clock()),
                on_event=self._tell,
                stop=threading.Event(),
            )
        self.reports.append(report)
        return report

    def ledger(self) -> Ledger:
        """The environment's ledger, not opened yet."""
        return Ledger(
            self.environment.ledger.reveal(),
            environment=self.environment.name,
            operator=self.operator,
            clock=self.clock,
            place=self.place,
        )

    def _executor(self, ledger: Ledger, archive: ArchiveLike | None = None) -> Executor:
        return Executor(
            reader=self.reader,
            writer=self.writer,
            ledger=ledger,
            vault=CredentialFile(self.environment.credential_file),
            limits=self.environment.execution,
            policy=ExecutionPolicy.REBUILD,
            archive=archive,
            clock=self.clock,
        )

    def _tell(self, event: ExecutionEvent) -> None:
        if event.result is not None:
            self.say(
                f"[{event.done}/{event.total}] {event.result.outcome.value} {event.result.action_id} "
                f"{event.result.detail}".rstrip()
            )


@dataclass
class Act:
    """One drill under way, and all that its summary tells."""

    drill: Drill
    rehearsal: Rehearsal
    say: Say
    since: float
    """Monotonic time."""
    before: Drift
    """What was found first."""
    after: Drift
    """As it was read last."""
    losses: LossLedger
    contradictions: list[str]
    """What a ledger of losses said and the sandbox's log does not; each that was made is held against it."""
    told: JsonObject = field(default_factory=dict)
    """What the scenario itself has to tell; `held` is whether its promise was kept."""
    restored: JsonObject | None = None
    """What a restore has made again, and what it left; None where there was none."""
    incident: SyncLog | None = None
    """What the sync did since the drill was opened; None where it did all before."""

    @classmethod
    def first_look(cls, drill: Drill, rehearsal: Rehearsal, *, say: Say, since: float) -> Self:
        """Assess what is there, with what was lost."""
        say("reading both sides")
        drift, losses, contradictions = look(drill, rehearsal)
        say(headline(drift).text)
        say(f"losses: {words(losses)}")
        return cls(drill, rehearsal, say, since, drift, drift, losses, contradictions)

    def look_again(self) -> Drift:
        """Read both sides anew, and tell the losses again, whatever was rebuilt."""
        self.say("reading both sides anew")
        self.after, self.losses, found = look(self.drill, self.rehearsal)
        self.contradictions += found
        return self.after


def look(drill: Drill, rehearsal: Rehearsal) -> tuple[Drift, LossLedger, list[str]]:
    """Both sides, the losses by them, and what the sandbox's own log has against that."""
    begun = tuple(drill.control.destroyed())
    drift = rehearsal.assess()
    assert rehearsal.desired is not None and rehearsal.actual is not None
    told = assess_deletions(rehearsal.reader.deletions(rehearsal.actual.scope))
    if drill.eve is None:
        with rehearsal.ledger() as ledger:
            made = made_ids(ledger.each(kinds=[EntryKind.OUTCOME]))
        losses = losses_without_capture(rehearsal.desired, rehearsal.actual, told, made=made)
    else:
        ended = [one.target_id for one in told.of(Stage.ENDED) if one.kind is Kind.DOMAIN]
        losses = loss_ledger(drill.eve.actual, rehearsal.actual, deleted=ended)
    log = Destroyed(begun, tuple(drill.control.destroyed()))
    return drift, losses, list(contradictions(losses, log))


def rehearse(drill: Drill, *, say: Say = silent, started: float | None = None) -> JsonObject:
    """Assess, rebuild and verify after an incident that has happened; the summary.

    `started` is the monotonic time from which its seconds count, now when left out. Raises AbreastError.
    """
    since = time.monotonic() if started is None else started
    act = Act.first_look(drill, Rehearsal(drill.environment, say=say), say=say, since=since)
    rebuild(act)
    return summary(act)


def recovered(drill: Drill, say: Say, since: float) -> Act:
    """Assess, rebuild, verify, and wait until no deletion runs any more. `since` is monotonic time."""
    act = Act.first_look(drill, Rehearsal(drill.environment, say=say), say=say, since=since)
    rebuild(act)
    wait_out(act)
    return act


def rebuild(act: Act) -> None:
    """Rebuild what is repairable and look again, as often as anything repairable is left."""
    for _ in range(ROUNDS):
        if not repairable(act.after, act.rehearsal.rules):
            break
        act.rehearsal.rebuild(act.after)
        act.look_again()


def wait_out(act: Act) -> None:
    """Let the sandbox's time pass until no deletion runs any more, and look again."""
    for _ in range(HOURS_WAITED):
        assert act.rehearsal.actual is not None
        if not any(job.deletes_domain for job in act.rehearsal.actual.jobs or ()):
            return
        act.say("an hour passes in the practice cloud: a deletion is still running")
        act.drill.control.advance(3600.0)
        act.look_again()


def summary(act: Act) -> JsonObject:
    """What happened, as one JSON object."""
    drill, rehearsal, before, after = act.drill, act.rehearsal, act.before, act.after
    proof = verify(before, after, rules=rehearsal.rules)
    incident = drill.incident if act.incident is None else act.incident
    return {
        "scenario": drill.scenario.name,
        "release": drill.release,
        "projects": sum(row.project is not None for row in before.rows),
        "incident": {
            "limited_to": list(incident.bound),
            "deleted": len(incident.deleted),
            "cleanup_failed": sorted(incident.failed),
            "in_deletion": incident.unfinished,
        },
        "drift": {"before": _counts(before), "after": _counts(after)},
        "repairable": {
            "before": len(repairable(before, rehearsal.rules)),
            "after": len(proof.repairable),
            "left": [row.name for row in proof.repairable],
        },
        "actions": _outcomes(rehearsal.reports),
        "not_done": _not_done(rehearsal.reports),
        "restored": act.restored,
        "losses": {
            "machines": len(proof.losses),
            "projects": len({one.key for one in proof.losses}),
            "list": [{"project": one.project, "agent": one.agent, "vm": one.vm} for one in proof.losses],
            **losses_json(act.losses),
        },
        "ledger_exact": not act.contradictions,
        "contradictions": act.contradictions,
        "promise": {"words": drill.scenario.promise, "held": True} | act.told,
        "agents": _agents(drill, after),
        "to_relink": len(proof.stale_ids),
        "unexpected": _unexpected(before, after),
        "is_complete": _is_read(before) and _is_read(after),
        "runs": len(rehearsal.reports),
        "api_calls": rehearsal.calls,
        "seconds": round(time.monotonic() - act.since, 2),
    }


def _agents(drill: Drill, after: Drift) -> JsonObject:
    """What Jenkins reaches after the rebuild, and where it looks in vain."""
    assert drill.environment.jenkins is not None
    with Jenkins(drill.environment.jenkins) as jenkins:
        said = jenkins.read(row.project for row in after.rows if row.project is not None)
    found = reach(finding for row in after.rows for finding in judge(row, said.get(row.key)))
    changed = changed_addresses(after.rows)
    return {
        "online": found.online,
        "total": found.total,
        "unread": [one.problem for one in said.values() if one.problem],
        "addresses_changed": len(changed),
        "addresses_of_others": sum(bool(one.taken_by) for one in changed),
    }


def exit_code(result: JsonObject) -> int:
    """0 when nothing repairable is left, what was planned to be restored is in place, the unexpected is
    untouched, the losses are told exactly and the scenario's own promise held; 3 when a side could not be
    read."""
    if not result["is_complete"]:
        return EXIT_UNKNOWN
    untouched = all(one["untouched"] for one in result["unexpected"])
    is_restored = result["restored"] is None or not result["restored"]["failed"]
    is_good = untouched and is_restored and result["ledger_exact"] and result["promise"]["held"]
    return EXIT_DONE if is_good and not result["repairable"]["after"] else EXIT_DRIFT


def _is_read(drift: Drift) -> bool:
    """Whether both sides are proven, and every row with them."""
    is_proven = drift.desired.is_complete and drift.actual.is_complete
    return is_proven and not any(row.kind is DriftKind.UNKNOWN for row in drift.rows)


def _counts(drift: Drift) -> JsonObject:
    return {kind.value: count for kind, count in drift.counts().items()}


def _outcomes(reports: Sequence[RunReport]) -> JsonObject:
    totals = dict.fromkeys(Outcome, 0)
    for report in reports:
        for outcome, count in report.counts.items():
            totals[outcome] += count
    return {outcome.value: count for outcome, count in totals.items()}


def _not_done(reports: Sequence[RunReport]) -> list[JsonObject]:
    return [
        {"action": one.action_id, "outcome": one.outcome.value, "detail": one.detail}
        for report in reports
        for one in report.results
        if one.outcome is not Outcome.SUCCEEDED
    ]


def _unexpected(before: Drift, after: Drift) -> list[JsonObject]:
    """The domains that were unexpected before, and whether everything in them is as it was."""
    found = []
    for row in before.rows:
        if row.kind is DriftKind.UNEXPECTED:
            again = after.row(row.key)
            found.append({"domain": row.name, "untouched": again is not None and again.view == row.view})
    return found
