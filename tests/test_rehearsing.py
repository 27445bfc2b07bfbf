"""A plan rehearsed in the stand-in, then run on the server that it is for: predicted against actual.

The "server" is the practice incident's sandbox; the stand-in is another one, seeded from what was read there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sync.capture import Capture, captured
from sync.credentials import CredentialFile
from sync.drift import compare
from sync.drill import Drill, practice
from sync.drill_script import Rehearsal as Script
from sync.errors import GuardError
from sync.executor import Confirmation, ExecutionPolicy, Executor, RunReport
from sync.ledger import Ledger
from sync.model import ActionKind, ActualInventory, DesiredInventory, DriftKind, Outcome, Plan, Scope
from sync.named import Named, ask_for_named
from sync.plan import repairable
from sync.prediction import Prediction, compared_in
from sync.recovery import plan_rebuild
from sync.rehearsal_gaps import gaps
from sync.rehearsing import rehearse_plan, translated
from sync.settings import ExecutionLimits
from tests import examples as ex
from tests.test_capture import lab
from tests.test_prediction import create, plan_of

S, F, N = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.NOT_RUN
SPEED = 50.0


@dataclass
class Bench:
    """A practice incident, what was read of it, and a plan that repairs some of it."""

    drill: Drill
    script: Script
    desired: DesiredInventory
    actual: ActualInventory
    plan: Plan

    @property
    def capture(self) -> Capture:
        return captured("drill", self.desired, self.actual, network=self.drill.environment.network)

    def rehearse(self, **changed: Any) -> Prediction:
        named = ask_for_named(self.script.reader, self.plan.actions)
        given: dict[str, Any] = {"limits": self.drill.environment.execution, "speed": SPEED}
        return rehearse_plan(self.plan, self.capture, named=named, **(given | changed))

    def run(self, predicted: Prediction) -> tuple[RunReport, Ledger]:
        environment = self.drill.environment
        ledger = Ledger(environment.ledger.reveal(), environment="drill", operator="anna").open()
        executor = Executor(
            reader=self.script.reader,
            writer=self.script.writer,
            ledger=ledger,
            vault=CredentialFile(environment.credential_file),
            limits=environment.execution,
            policy=ExecutionPolicy.REBUILD,
        )
        return executor.run(
            self.plan,
            confirmed=Confirmation(self.plan.digest, "anna", datetime.now(UTC)),
            on_event=lambda _: None,
            stop=threading.Event(),
            predicted=predicted,
        ), ledger


@contextmanager
def bench(release: str, *, whole: bool) -> Iterator[Bench]:
    """`whole` repairs everything; else one project of each kind of damage, and one that differs."""
    with practice(release=release, speed=SPEED) as drill:
        script = Script(drill.environment)
        desired = script.ci_database.read(Scope(drill.environment.parent))
        actual = script.reader.inventory(Scope(drill.environment.parent), limits=True)
        drift = compare(desired, actual, network_rule=drill.environment.network)
        rows = repairable(drift, script.rules)
        kinds = {row.kind: row.key for row in reversed(rows)}
        assert {DriftKind.DELETING, DriftKind.MISSING, DriftKind.HOLLOW} <= kinds.keys()
        found = script.reader.capabilities()
        plan = plan_rebuild(
            drift,
            {row.key for row in rows} if whole else set(kinds.values()),
            rules=script.rules,
            environment="drill",
            root_id=found.root_id,
            endpoint=found.endpoint,
            author="anna",
            now=datetime.now(UTC),
        )
        yield Bench(drill, script, desired, actual, plan)


# --- predicted against actual -------------------------------------------------------------------------------


def check_it_comes_as_rehearsed(release: str, *, whole: bool) -> None:
    with bench(release, whole=whole) as work:
        kinds = {action.kind for action in work.plan.actions}
        assert {ActionKind.RENAME_DOMAIN, ActionKind.CREATE_ACCOUNT, ActionKind.CREATE_NETWORK} <= kinds
        asked = len(work.drill.control.log())
        named = ask_for_named(work.script.reader, work.plan.actions)
        asked_by_name = len(work.drill.control.log()) - asked
        assert named.problem == ""
        progress: list[tuple[int, int]] = []
        predicted = work.rehearse(on_progress=lambda *done: progress.append(done))
        assert len(work.drill.control.log()) == asked + 2 * asked_by_name, "it never reaches the server"
        assert not CredentialFile(work.drill.environment.credential_file).path.exists()

        assert predicted.is_good, predicted.doubtful or predicted.why
        assert predicted.release == release
        total = len(work.plan.actions)
        assert progress == [(done, total) for done in range(1, total + 1)]
        assert all(one.calls >= 3 and one.seconds > 0 for one in predicted.actions)
        accounts = [one.seconds for one in predicted.actions if one.action_id.startswith("create-account")]
        assert all(2.0 < seconds < 2.5 for seconds in accounts), "as measured on a real server"

        report, ledger = work.run(predicted)
        with ledger:
            (recorded,) = compared_in(ledger.entries())
            found = recorded.comparison
            assert found.is_as_predicted, [one.words for one in found.surprises]
            # What runs at once asks for jobs, and looks up what others do too, a little more or less often.
            assert abs(report.calls - predicted.calls) <= 0.1 * predicted.calls
            assert recorded.run_id == report.run_id
            assert found.calls == report.calls


@pytest.mark.parametrize("release", ["4.23", "4.18"])
def test_a_rebuild_comes_as_it_was_rehearsed(release: str) -> None:
    check_it_comes_as_rehearsed(release, whole=False)


@pytest.mark.exhaustive
@pytest.mark.parametrize("release", ["4.23", "4.18"])
def test_the_whole_rebuild_comes_as_it_was_rehearsed(release: str) -> None:
    check_it_comes_as_rehearsed(release, whole=True)


def test_a_limit_that_only_the_server_has_shows_as_the_difference() -> None:
    with bench("4.23", whole=False) as work:
        predicted = work.rehearse()
        assert predicted.is_good
        assert any(text.startswith("Limits: those of accounts") for text in predicted.differs)
        parent = work.actual.parent_id
        assert parent is not None
        no_network = {"domainid": parent, "resourcetype": "6", "max": "0"}
        work.script.writer.submit("updateResourceLimit", no_network)
        report, ledger = work.run(predicted)
        with ledger:
            (recorded,) = compared_in(ledger.entries())
            found = recorded.comparison
            assert not found.is_as_predicted
            networks = {one.id for one in work.plan.actions if one.kind is ActionKind.CREATE_NETWORK}
            assert {one.action_id for one in found.surprises} <= networks
            failed = [one for one in found.surprises if one.actual is F]
            assert failed
            assert all("predicted succeeded" in one.words and "exceed" in one.words for one in failed)
            ended = {one.action_id: one.outcome for one in report.results}
            assert all(ended[one.action_id] is one.actual for one in found.surprises)


# --- what is rehearsed wrong on purpose ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def dune() -> Capture:
    """A small lab without limits of its own, and no server behind it."""
    return lab("dune")


def test_a_rehearsal_that_is_stopped_says_so_and_foretells_nothing_of_the_rest(dune: Capture) -> None:
    stop = threading.Event()
    plan = plan_of(create("aurora"), create("boreal"), create("cirrus"))
    told = rehearse_plan(
        plan, dune, named=Named(), limits=ExecutionLimits(), on_progress=lambda *_: stop.set(), stop=stop
    )
    assert [one.outcome for one in told.actions] == [S, N, N]
    assert not told.is_good
    assert told.why == "the operator stopped the execution"
    assert "not rehearsed to its end" in told.summary


def test_what_would_fail_is_predicted_to_fail(dune: Capture) -> None:
    """The domain is there by the reading already; the plan believes that it is not."""
    told = rehearse_plan(plan_of(create("dune")), dune, named=Named(), limits=ExecutionLimits())
    (one,) = told.actions
    assert (one.outcome, one.detail) == (Outcome.SKIPPED, "ROOT/ci/dune exists already.")


def test_a_plan_that_the_executor_refuses_is_rehearsed_to_that_end(dune: Capture) -> None:
    told = rehearse_plan(
        plan_of(create("aurora", precondition={})), dune, named=Named(), limits=ExecutionLimits()
    )
    assert "has no precondition" in told.why
    assert [one.outcome for one in told.actions] == [N]
    assert told.seconds == 0.0


@pytest.mark.parametrize(
    "same", [{"endpoint": ex.ENDPOINT, "root_id": "other"}, {"endpoint": "https://x", "root_id": ex.ROOT_ID}]
)
def test_the_server_that_the_plan_is_for_is_refused_as_its_stand_in(same: dict[str, str]) -> None:
    with pytest.raises(GuardError, match="A rehearsal is not run on"):
        translated(plan_of(create("dune")), environment="drill", now=ex.NOON, **same)


def test_the_stand_in_gets_the_actions_and_nothing_else_of_the_plan() -> None:
    plan = plan_of(create("aurora"), create("boreal"))
    bound = translated(plan, environment="drill", root_id="r", endpoint="https://x", now=ex.NOON)
    assert bound.actions == plan.actions
    assert (bound.environment, bound.author) == ("drill", "rehearsal")
    assert bound.notes == (f"rehearsal of the plan {plan.digest}",)


# --- what is asked for by name, and what cannot be foretold ------------------------------------------------


def network_plan(**changed: str) -> Plan:
    wanted = {"name": "n", "account": "dune", "domain": "ROOT/ci/dune"}
    wanted |= {"zone": "Zürich", "offering": "Isolated"}
    made = create(
        "n",
        kind=ActionKind.CREATE_NETWORK,
        project="dune",
        target="ROOT/ci/dune/n",
        parameters=wanted | changed,
    )
    return plan_of(made)


@pytest.mark.parametrize(
    ("named", "outcome", "said"),
    [
        (Named(zones={"Zürich": "z-1"}, network_offerings={"Isolated": "o-1"}), S, ""),
        (Named(zones={"Zürich": ""}, network_offerings={"Isolated": "o-1"}), F, "no zone named 'Zürich'"),
        (Named(zones={"Zürich": "z-1"}, network_offerings={"Isolated": ""}), F, "no network offering named"),
    ],
)
def test_a_name_is_found_where_the_server_has_it(
    dune: Capture, named: Named, outcome: Outcome, said: str
) -> None:
    told = rehearse_plan(network_plan(), dune, named=named, limits=ExecutionLimits())
    (one,) = told.actions
    assert one.outcome is outcome, one.detail
    assert said in one.detail


def test_the_gaps_are_said_each_with_its_reason(dune: Capture) -> None:
    domain = ex.domain("dune", limits=None)
    person = ex.user("anna", "dune", domain, source="ldap")
    actual = replace(
        ex.actual(domain, accounts=[ex.account(domain, person)], jobs=[ex.delete_job()]),
        release="4.20.1.0",
    )
    plan = plan_of(*network_plan().actions, create("x", kind=ActionKind.CREATE_ACCOUNT, target="ROOT/ci/x:x"))
    told = list(gaps(plan, actual, release="4.23", named=Named(problem="432: not allowed"), at_once=4))
    starts = ["Release: the server is 4.20.1.0", "What changed after the reading of 12:00:00 UTC"]
    starts += ["Deletions: a deletion ran", "Limits: those of one domain were not read", "Limits: those of"]
    starts += [
        "Networks: zone",
        "Users from ldap",
        "Not every role",
        "Concurrency: rehearsed one",
        "Settings",
    ]
    assert [text.startswith(start) for text, start in zip(told, starts, strict=True)] == [True] * len(starts)


def test_nothing_is_said_that_does_not_apply() -> None:
    actual = replace(ex.actual(ex.domain("dune", limits={"vm": 1})), release="4.23.0.0-SNAPSHOT")
    told = list(gaps(plan_of(create("x")), actual, release="4.23", named=Named(), at_once=1))
    assert [text.split(" ")[0] for text in told] == ["What", "Settings"]
