"""The drill without a terminal: assess, rebuild, verify; one summary, and an exit code that can be believed.

What it says afterwards was read anew from both sides. Losses are listed, not repaired; what was unexpected
before must still be there, untouched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sync.agents import changed_addresses, judge, reach
from sync.ci_db import CiDatabase
from sync.cloudstack import Reader, Writer
from sync.credentials import CredentialFile
from sync.drift import compare
from sync.drill import Drill, practice
from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_UNKNOWN
from sync.executor import Confirmation, ExecutionEvent, ExecutionPolicy, Executor, RunReport
from sync.headline import headline
from sync.jenkins import Jenkins
from sync.ledger import Ledger
from sync.model import Drift, DriftKind, JsonObject, Outcome, Scope
from sync.plan import PlanRules, repairable
from sync.recovery import plan_rebuild, verify
from sync.settings import Environment

OPERATOR = "drill"
"""Who confirms in a drill that nobody watches; the ledger says so."""
ROUNDS = 3
"""How often it assesses and rebuilds again where something repairable was left."""

Say = Callable[[str], None]
"""Called with one line of progress; from any thread."""


def silent(_: str) -> None:
    """Progress for nobody."""


@dataclass
class Rehearsal:
    """Both sides of one environment, and what was done to bring them together."""

    environment: Environment
    say: Say = silent
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    reports: list[RunReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        cloudstack = self.environment.cloudstack
        assert cloudstack.write is not None, "a drill can always be written to"
        self.ci_database = CiDatabase(self.environment.ci_database, clock=self.clock)
        self.reader = Reader(cloudstack.read, clock=self.clock)
        self.writer = Writer(cloudstack.write, clock=self.clock)
        self.rules = PlanRules(
            parent=self.environment.parent, roles=self.environment.roles, network=self.environment.network
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
            return compare(desired.result(), actual.result(), network_rule=self.environment.network)

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
            author=OPERATOR,
            now=now,
        )
        ledger = Ledger(
            self.environment.ledger, environment=self.environment.name, operator=OPERATOR, clock=self.clock
        )
        ledger.open()
        try:
            executor = Executor(
                reader=self.reader,
                writer=self.writer,
                ledger=ledger,
                vault=CredentialFile(self.environment.credential_file),
                limits=self.environment.execution,
                policy=ExecutionPolicy.REBUILD,
                clock=self.clock,
            )
            report = executor.run(
                plan,
                confirmed=Confirmation(digest=plan.digest, by=OPERATOR, at=self.clock()),
                on_event=self._tell,
                stop=threading.Event(),
            )
        finally:
            ledger.close()
        self.reports.append(report)
        return report

    def _tell(self, event: ExecutionEvent) -> None:
        if event.result is not None:
            self.say(
                f"[{event.done}/{event.total}] {event.result.outcome.value} {event.result.action_id} "
                f"{event.result.detail}".rstrip()
            )


def play(
    *, scenario: str = "july28", release: str = "4.23", say: Say = silent, speed: float | None = None
) -> JsonObject:
    """Break, assess, rebuild, verify, in a sandbox of its own that is gone afterwards; the summary.

    Raises AbreastError when the sandbox cannot be started or a side cannot be worked on at all.
    """
    started = time.monotonic()
    with practice(scenario=scenario, release=release, speed=speed, on_step=say) as drill:
        return rehearse(drill, say=say, started=started)


def rehearse(drill: Drill, *, say: Say = silent, started: float | None = None) -> JsonObject:
    """Assess, rebuild and verify after an incident that has happened; the summary.

    `started` is the monotonic time from which its seconds count, now when left out. Raises AbreastError.
    """
    since = time.monotonic() if started is None else started
    rehearsal = Rehearsal(drill.environment, say=say)
    say("reading both sides")
    before = after = rehearsal.assess()
    say(headline(before).text)
    for _ in range(ROUNDS):
        if not repairable(after, rehearsal.rules):
            break
        rehearsal.rebuild(after)
        say("reading both sides anew")
        after = rehearsal.assess()
    return summary(drill, rehearsal, before, after, seconds=time.monotonic() - since)


def summary(drill: Drill, rehearsal: Rehearsal, before: Drift, after: Drift, *, seconds: float) -> JsonObject:
    """What happened, as one JSON object."""
    proof = verify(before, after, rules=rehearsal.rules)
    return {
        "scenario": drill.scenario,
        "release": drill.release,
        "projects": sum(row.project is not None for row in before.rows),
        "incident": {
            "limited_to": list(drill.incident.bound),
            "deleted": len(drill.incident.deleted),
            "cleanup_failed": sorted(drill.incident.failed),
            "in_deletion": drill.incident.unfinished,
        },
        "drift": {"before": _counts(before), "after": _counts(after)},
        "repairable": {
            "before": len(repairable(before, rehearsal.rules)),
            "after": len(proof.repairable),
            "left": [row.name for row in proof.repairable],
        },
        "actions": _outcomes(rehearsal.reports),
        "not_done": _not_done(rehearsal.reports),
        "losses": {
            "machines": len(proof.losses),
            "projects": len({one.key for one in proof.losses}),
            "list": [{"project": one.project, "agent": one.agent, "vm": one.vm} for one in proof.losses],
        },
        "agents": _agents(drill, after),
        "to_relink": len(proof.stale_ids),
        "unexpected": _unexpected(before, after),
        "is_complete": _is_read(before) and _is_read(after),
        "runs": len(rehearsal.reports),
        "api_calls": rehearsal.calls,
        "seconds": round(seconds, 2),
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
    """0 when nothing repairable is left and the unexpected is untouched; 3 when a side could not be read."""
    if not result["is_complete"]:
        return EXIT_UNKNOWN
    untouched = all(one["untouched"] for one in result["unexpected"])
    return EXIT_DRIFT if result["repairable"]["after"] or not untouched else EXIT_DONE


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
