"""A wrong `parent` is not taken for a loss, and a loss is not taken for a wrong `parent`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from console.refresh import still_proposed
from sync.drift import compare, headline
from sync.errors import GuardError
from sync.model import ActualInventory, Domain, Drift, DriftKind, Project, Shrinkage
from sync.plan import PlanRules, repairs
from sync.recovery import assess, plan_rebuild
from tests import examples as ex

NAMES = [f"project-{number:02}" for number in range(40)]
TYPO = "ROOT/cii"
RULES = PlanRules(parent=TYPO)
NOW = datetime(2026, 7, 28, tzinfo=UTC)


def lab(names: list[str], *, parent: str = ex.PARENT) -> list[Domain]:
    return [ex.domain(name, parent=parent) for name in names]


def cloud(*inside: Domain, elsewhere: list[Domain], has_parent: bool = False) -> ActualInventory:
    """A reading below the mistyped parent, with what is outside of it."""
    here = [ex.domain("cii", parent="ROOT", id=f"id:{TYPO}")] if has_parent else []
    inventory = ex.actual(*here, *inside, parent=TYPO, has_parent=has_parent)
    return replace(inventory, elsewhere=tuple(elsewhere))


def projects(*, with_ids: bool, gone: bool = False) -> list[Project]:
    ids = {name: f"id:{'old' if gone else ex.PARENT}/{name}" if with_ids else None for name in NAMES}
    return [ex.project(name, "anna", domain_id=ids[name]) for name in NAMES]


def drift_of(known: list[Project], actual: ActualInventory) -> Drift:
    return compare(ex.desired(*known, parent=TYPO), actual)


def proposed(drift: Drift) -> int:
    return sum(len(repairs(row, rules=RULES, now=NOW)) for row in drift.rows)


def rebuilt(drift: Drift) -> int:
    at = {"environment": "lab", "root_id": ex.ROOT_ID, "endpoint": ex.ENDPOINT, "author": "ops", "now": NOW}
    return len(plan_rebuild(drift, rules=RULES, **at).actions)


def assert_refused(drift: Drift, *words: str) -> None:
    """Nothing is concluded or proposed on any path, and the headline says where to look."""
    assert {row.kind for row in drift.rows} == {DriftKind.UNKNOWN}
    assert proposed(drift) == 0
    with pytest.raises(GuardError):
        rebuilt(drift)
    assert assess(drift, RULES, now=NOW).unproven == drift.misplaced
    for word in words:
        assert word in headline(drift).text
    assert "R" not in [key.key for key in headline(drift).next_keys]


def assert_rebuildable(drift: Drift) -> None:
    assert drift.misplaced == ""
    assert {row.kind for row in drift.rows} == {DriftKind.MISSING}
    assert proposed(drift) >= rebuilt(drift) >= 2 * len(drift.rows)


@pytest.mark.parametrize("has_parent", [False, True])
@pytest.mark.parametrize("with_ids", [False, True])
def test_domains_that_live_elsewhere_are_not_built_again(with_ids: bool, has_parent: bool) -> None:
    actual = cloud(elsewhere=[ex.domain("ci", parent="ROOT"), *lab(NAMES)], has_parent=has_parent)
    drift = drift_of(projects(with_ids=with_ids), actual)
    problem = "holds the domain of no project" if has_parent else "does not exist"
    proof = "by the ids that the CI database stores" if with_ids else "by their names"
    assert_refused(
        drift,
        f"The parent domain {TYPO} {problem}",
        f"40 of 40 projects have their domains below ROOT/ci, {proof}",
        "`parent` in the configuration should probably be ROOT/ci",
    )


def test_one_living_id_is_enough_while_the_parent_does_not_exist() -> None:
    """A typo and the incident together: one domain is left, in the right place."""
    drift = drift_of(projects(with_ids=True), cloud(elsewhere=lab(NAMES[:1])))
    assert_refused(drift, "1 of 40 projects has its domain below ROOT/ci")


def test_a_lost_parent_is_rebuilt() -> None:
    others = [ex.domain("ci", parent="ROOT", id="another"), ex.domain("finance", parent="ROOT")]
    for gone in (projects(with_ids=True, gone=True), projects(with_ids=False)):
        assert_rebuildable(drift_of(gone, cloud(elsewhere=others)))
        assert_rebuildable(drift_of(gone, cloud(elsewhere=others, has_parent=True)))


def test_a_few_names_alike_elsewhere_are_chance() -> None:
    drift = drift_of(projects(with_ids=False), cloud(elsewhere=lab(NAMES[:2], parent="ROOT/shop")))
    assert_rebuildable(drift)
    drift = drift_of(projects(with_ids=False), cloud(elsewhere=lab(NAMES[:3], parent="ROOT/shop")))
    assert_refused(drift, "ROOT/shop", f"If {TYPO} is right, create that domain in CloudStack first")


def test_a_twin_of_a_tree_that_is_known_to_be_lost_is_no_reason() -> None:
    actual = cloud(elsewhere=lab(NAMES, parent="ROOT/qualification"))
    lost = Shrinkage("domains", 40, 41, NOW)
    actual = replace(actual, coverage=replace(actual.coverage, shrunk=(lost,)))
    assert_rebuildable(drift_of(projects(with_ids=False), actual))
    moved = replace(actual, elsewhere=tuple(lab(NAMES)))
    assert drift_of(projects(with_ids=True), moved).misplaced, "living ids are no twin"


def test_stored_ids_that_are_gone_everywhere_are_a_loss_below_a_parent_that_exists() -> None:
    actual = cloud(elsewhere=lab(NAMES, parent="ROOT/qualification"), has_parent=True)
    assert_rebuildable(drift_of(projects(with_ids=True, gone=True), actual))


def test_a_parent_that_is_cut_short_or_too_long() -> None:
    known = ex.project("dune", "anna", domain_id="id:ROOT/ci/dune")
    tree = [ex.domain("ci", parent="ROOT"), ex.domain("dune")]
    short = compare(ex.desired(known, parent="ROOT"), ex.actual(*tree, parent="ROOT"))
    assert "should probably be ROOT/ci." in short.misplaced
    assert {row.kind for row in short.rows} == {DriftKind.UNKNOWN}, "ROOT/ci is not unexpected either"
    actual = replace(ex.actual(parent="ROOT/ci/lab", has_parent=False), elsewhere=tuple(tree))
    long = compare(ex.desired(known, parent="ROOT/ci/lab"), actual)
    assert "should probably be ROOT/ci." in long.misplaced


def test_what_the_parent_lies_in_is_nobodys_domain() -> None:
    known = ex.project("ci", "anna", domain_id="id:ROOT/ci")
    actual = ex.actual(parent="ROOT/ci/lab", has_parent=False)
    drift = compare(
        ex.desired(known, parent="ROOT/ci/lab"),
        replace(actual, elsewhere=(ex.domain("ci", parent="ROOT", id="id:ROOT/ci"),)),
    )
    assert (drift.misplaced, drift.rows[0].kind) == ("", DriftKind.MISSING)


def test_the_domain_of_a_single_project_that_was_moved_is_not_made_a_second_time() -> None:
    moved = ex.project("dune", "anna", domain_id="id:ROOT/archive/dune")
    there = [ex.domain("aurora", parent=TYPO)]
    drift = drift_of(
        [ex.project("aurora"), moved], cloud(*there, elsewhere=lab(["dune"], parent="ROOT/archive"))
    )
    row = drift.row("dune")
    assert row is not None
    assert drift.misplaced == ""
    assert row.kind is DriftKind.UNKNOWN
    assert "is ROOT/archive/dune, outside of ROOT/cii: no second one is made" in row.reason
    assert repairs(row, rules=RULES, now=NOW) == ()


def test_a_partial_reading_says_nothing_of_the_parent() -> None:
    actual = replace(cloud(elsewhere=lab(NAMES)), coverage=ex.partial())
    assert drift_of(projects(with_ids=True), actual).misplaced == ""


def test_what_was_staged_before_is_dropped() -> None:
    loss = drift_of(projects(with_ids=True, gone=True), cloud(elsewhere=[]))
    staged = repairs(loss.rows[0], rules=RULES, now=NOW)
    wrong = drift_of(projects(with_ids=True), cloud(elsewhere=lab(NAMES)))
    kept, dropped = still_proposed(staged, wrong, None)  # type: ignore[arg-type]
    assert (kept, dropped) == ((), tuple(action.id for action in staged))
