"""Rules hide what is known, count it, and stop by themselves; what is critical no rule hides."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sync.drift import compare, headline
from sync.ignore import IgnoreRules, hide, parse
from sync.model import Drift, DriftKind
from sync.repairs import PlanRules, repairs
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from tests import examples as ex
from tests import strategies as worlds
from tests.cli import NETWORK, ROOT, Access, configure

NOW = datetime(2026, 7, 28, 3, 12, tzinfo=UTC)
RULE = {
    "project": "dune",
    "kind": "differs",
    "field": "limit vm",
    "owner": "anna",
    "reason": "a trial until autumn",
    "expires": date(2026, 9, 30),
}


def rules(*changed: dict[str, Any]) -> IgnoreRules:
    return parse(
        {name: value for name, value in (RULE | one).items() if value is not None} for one in changed
    )


def drift() -> Drift:
    dune = ex.domain("Dune", limits={"vm": 5, "cpu": 5}, network_domain="old.example.org")
    owner = ex.user("anna", "Dune", dune, state="disabled")
    return compare(
        ex.desired(
            ex.project("Dune", "anna", quotas={"vm": 10, "cpu": 10}, network_domain="ci.example.org"),
            ex.project("cirrus", "anna"),
        ),
        ex.actual(
            dune, ex.domain("zephyr"), accounts=[ex.account(dune, owner, name="Dune", state="disabled")]
        ),
    )


def kinds(found: Drift) -> dict[str, DriftKind]:
    return {row.key: row.kind for row in found.rows}


def test_one_difference_is_hidden_and_nothing_proposed_for_it() -> None:
    found = hide(drift(), rules({}), now=NOW)
    assert [(one.project, one.what) for one in found.hidden] == [("Dune", "limit vm")]
    assert "by anna until 2026-09-30: a trial until autumn" in found.hidden[0].rule
    row = found.row("dune")
    assert row is not None and row.kind is DriftKind.DIFFERS
    assert "limit vm" not in row.reason
    proposed = [action.id for action in repairs(row, rules=PlanRules(), now=NOW)]
    assert "update-limit ROOT/ci/Dune#vm" not in proposed
    assert "update-limit ROOT/ci/Dune#cpu" in proposed
    assert "1 difference is hidden by 1 rule." in headline(found).text


@pytest.mark.parametrize(
    ("field", "hidden"),
    [
        ("limit *", 2),
        ("LIMIT vm", 1),
        ("network domain", 1),
        ("account dune state", 1),
        ("user * state", 1),
        ("*", 5),
        (None, 5),
        ("limit", 0),
        ("machine *", 0),
    ],
)
def test_patterns(field: str | None, hidden: int) -> None:
    assert len(hide(drift(), rules({"field": field}), now=NOW).hidden) == hidden


def test_a_row_of_which_all_is_hidden_is_in_sync_says_so_and_has_no_repair() -> None:
    found = hide(drift(), rules({"field": None, "project": "D?NE"}), now=NOW)
    row = found.row("dune")
    assert row is not None and row.kind is DriftKind.IN_SYNC
    assert row.reason.startswith("In sync but for what rules hide: ")
    assert repairs(row, rules=PlanRules(), now=NOW) == ()
    assert [one.kind for one in found.rows] == sorted((one.kind for one in found.rows), key=lambda k: k.rank)


def test_an_unexpected_domain_is_hidden_and_counted() -> None:
    found = hide(drift(), rules({"project": "zeph*", "kind": "unexpected", "field": None}), now=NOW)
    assert "zephyr" not in kinds(found)
    assert [(one.project, one.what, one.kind) for one in found.hidden] == [
        ("zephyr", "the domain", DriftKind.UNEXPECTED)
    ]
    for other in ({"kind": "differs"}, {"kind": "unexpected", "field": "user *"}):
        assert "zephyr" in kinds(hide(drift(), rules({"project": "*", **other}), now=NOW))


def test_what_is_missing_is_never_hidden() -> None:
    everything = rules(
        {"project": "*", "kind": "differs", "field": None},
        {"project": "*", "kind": "unexpected", "field": None},
    )
    assert kinds(hide(drift(), everything, now=NOW)) == {
        "cirrus": DriftKind.MISSING,
        "dune": DriftKind.IN_SYNC,
    }


def test_a_rule_holds_to_the_end_of_its_last_day() -> None:
    last, after = datetime(2026, 9, 30, 23, 59, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
    assert len(hide(drift(), rules({}), now=last).hidden) == 1
    expired = hide(drift(), rules({}), now=after)
    assert kinds(expired) == kinds(drift())
    assert expired.hidden == ()
    (problem,) = expired.rule_problems
    assert problem.startswith(
        "An ignore rule has expired and hides nothing any more: differs dune (limit vm)"
    )
    assert "1 ignore rule hides nothing" in headline(expired).text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"owner": None}, "it has no owner"),
        ({"reason": "  "}, "it has no reason"),
        ({"expires": None}, "it has no expires"),
        ({"project": "", "owner": ""}, "it has no project and no owner"),
        ({"kind": "missing"}, "its kind is 'missing', and only unexpected and differs can be hidden"),
        ({"kind": "deleting"}, "only unexpected and differs can be hidden"),
        ({"expires": "soon"}, "its `expires` is 'soon' and no date such as 2027-01-31"),
        ({"expires": 20270131}, "no date"),
        ({"owner": 7}, "its `owner` is no text"),
        ({"projects": "x"}, "it has `projects`, which no rule has"),
    ],
)
def test_a_malformed_rule_hides_nothing_and_says_so(wrong: dict[str, Any], words: str) -> None:
    found = hide(drift(), rules({}, wrong), now=NOW)
    assert len(found.hidden) == 1
    (problem,) = found.rule_problems
    assert problem.startswith("The ignore rule 2 hides nothing: ")
    assert words in problem


@pytest.mark.parametrize("value", ["2026-09-30", datetime(2026, 9, 30, 12, 0), date(2026, 9, 30)])
def test_dates_as_toml_has_them(value: object) -> None:
    (rule,) = rules({"expires": value}).rules
    assert rule.expires == date(2026, 9, 30)


def test_no_table_at_all() -> None:
    assert parse(["dune"]).problems == ("The ignore rule 1 hides nothing: it is no table.",)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds.worlds())
def test_no_rule_hides_what_is_critical_or_unknown_and_all_is_counted(world: Any) -> None:
    wanted, found = world
    whole = compare(wanted, found)
    everything = rules(
        {"project": "*", "kind": "differs", "field": None},
        {"project": "*", "kind": "unexpected", "field": None},
        {"project": "*", "kind": "unexpected", "field": "*"},
    )
    left = hide(whole, everything, now=NOW)
    for row in whole.rows:
        if row.kind.is_critical or row.kind is DriftKind.UNKNOWN:
            assert row in left.rows
    gone = [row for row in whole.rows if left.row(row.key) is None]
    parts = sum(len(row.parts) for row in whole.rows if row not in gone) - sum(
        len(row.parts) for row in left.rows
    )
    assert len(left.hidden) == len(gone) + parts
    before = {action.id for row in whole.rows for action in repairs(row, rules=PlanRules(), now=NOW)}
    after = {action.id for row in left.rows for action in repairs(row, rules=PlanRules(), now=NOW)}
    assert after <= before


def test_the_rules_that_the_readme_shows_hold() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- ignore-example -->\n```toml\n(.*?)```", readme, re.DOTALL)
    assert found
    shown = parse(tomllib.loads(found[1])["environments"]["production"]["ignore"])
    assert len(shown.rules) == 2
    assert shown.problems == ()


CONFIGURED = """
[[environments.lab.ignore]]
project = "zephyr"
kind = "unexpected"
owner = "anna"
reason = "until it has a parent of its own"
expires = 2099-12-31

[[environments.lab.ignore]]
project = "dune"
kind = "differs"
field = "limit *"
owner = "bob"
reason = "a trial"
expires = 2020-01-01

[[environments.lab.ignore]]
project = "dune"
kind = "missing"
owner = "bob"
reason = "noise"
expires = 2099-12-31
"""


def test_from_the_configuration_to_what_is_printed_and_proposed(tmp_path: Path) -> None:
    """`check` as text and JSON, `watch --headless`, `plan`: counted, named, nothing proposed for it."""
    write_database(blueprint_for("drill"), tmp_path / "ci.sqlite")
    with SandboxProcess.start(world="drill", speed=50, service_times=False) as sandbox:
        access = Access(sandbox.ready.url, sandbox.ready.key, sandbox.ready.secret)
        lab = configure(tmp_path, access, f"sqlite:///{tmp_path / 'ci.sqlite'}", more=NETWORK + CONFIGURED)
        text = lab.run("check").stdout
        assert text.startswith("DRIFT lab: 1 differs, 39 in sync, 1 hidden\n")
        assert (
            "hidden: zephyr, the domain (unexpected zephyr, by anna until 2099-12-31: until it has a parent "
            "of its own)" in text
        )
        found = json.loads(lab.run("check", "--format", "json").stdout)
        assert found["counts"]["unexpected"] == 0
        (one,) = found["hidden"]
        assert (one["project"], one["owner"], one["expires"]) == ("zephyr", "anna", "2099-12-31")
        malformed, expired = found["rule_problems"]
        assert malformed.startswith("The ignore rule 3 hides nothing: its kind is 'missing'")
        assert expired.startswith("An ignore rule has expired and hides nothing any more: differs dune")
        for problem in (malformed, expired):
            assert problem in text

        watching = lab.start("watch", "--headless")
        assert watching.stdout is not None
        line = json.loads(watching.stdout.readline())
        watching.terminate()
        watching.communicate(timeout=60)
        assert (line["hidden"], line["rule_problems"]) == (found["hidden"], found["rule_problems"])

        plan = json.loads(lab.run("plan").stdout)
        assert "zephyr: the domain is hidden by a rule" in " ".join(plan["notes"])
        assert plan["actions"], "the expired rule hides nothing: dune is repaired"
