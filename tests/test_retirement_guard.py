"""While a retirement is open, nothing of its project is enabled: not proposed, and not executed if it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from console.session import Session
from sync.drift import compare
from sync.errors import GuardError, LedgerError
from sync.ledger import Ledger
from sync.model import ActionKind, DriftRow
from sync.plan import PlanRules, repairs
from sync.retirement_journal import RetirementJournal, open_projects
from sync.retirement_proposal import LIFETIME, propose
from tests import examples as ex
from tests.examples import NOON
from tests.fake_cloudstack import Clock, action
from tests.retirement_examples import LIMITS, history, view, wish
from tests.test_executor import Bench

ENABLING = {ActionKind.ENABLE_ACCOUNT, ActionKind.ENABLE_USER}


def row(*, account: str, user: str) -> DriftRow:
    """zephyr is a project again, and CloudStack has something of it disabled."""
    zephyr = ex.domain("zephyr")
    there = ex.account(zephyr, ex.user("zoe", "zephyr", zephyr, state=user), state=account)
    drift = compare(ex.desired(ex.project("zephyr", "zoe", "omar")), ex.actual(zephyr, accounts=[there]))
    found = drift.row("zephyr")
    assert found is not None
    return found


def kinds(found: DriftRow, rules: PlanRules) -> set[ActionKind]:
    return {action.kind for action in repairs(found, rules=rules, now=NOON)}


@pytest.mark.parametrize(
    ("account", "user", "kind"),
    [
        ("disabled", "enabled", ActionKind.ENABLE_ACCOUNT),
        ("enabled", "disabled", ActionKind.ENABLE_USER),
    ],
)
def test_nothing_is_enabled_while_a_retirement_is_open_or_that_is_not_known(
    account: str, user: str, kind: ActionKind
) -> None:
    found, rules = row(account=account, user=user), PlanRules(parent=ex.PARENT)
    assert kind in kinds(found, rules)
    assert kind in kinds(found, replace(rules, retiring=frozenset({"dune"})))
    for retiring in (frozenset({"zephyr"}), None):
        assert not kinds(found, replace(rules, retiring=retiring)) & ENABLING
    assert ActionKind.CREATE_USER in kinds(found, replace(rules, retiring=frozenset({"zephyr"})))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", environment="production", clock=Clock(NOON))
    return made.open()


def test_the_ledger_tells_what_is_open(ledger: Ledger) -> None:
    assert open_projects(ledger, NOON) == frozenset()
    journal = RetirementJournal(ledger)
    journal.proposed(propose(wish(), view(), history(), LIMITS))
    assert open_projects(ledger, NOON + timedelta(days=59)) == {"zephyr"}
    assert open_projects(ledger, NOON + LIFETIME) == frozenset()


def test_a_session_that_cannot_read_its_ledger_enables_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreadable(_: Session) -> Ledger:
        raise LedgerError("The disk burns.")

    monkeypatch.setattr(Session, "ledger", property(unreadable))
    assert Session._open_retirements(object.__new__(Session)) is None


def test_the_executor_refuses_to_lift_a_quarantine(tmp_path: Path) -> None:
    """A plan that was made before the retirement was, or by hand."""
    bench = Bench(tmp_path)
    domain = bench.cloud.add_project("zephyr", "anna")
    account = bench.cloud.account(domain.id, "zephyr")
    assert account is not None
    bench.cloud.accounts[account.id] = replace(account, state="disabled")
    enable = replace(
        action(
            ActionKind.ENABLE_ACCOUNT,
            f"{domain.path}:zephyr",
            target_id=account.id,
            precondition={"state": "disabled"},
        ),
        project="zephyr",
    )
    made = propose(wish(), view(), history(), LIMITS)
    until = bench.clock() + LIFETIME
    RetirementJournal(bench.ledger).proposed(replace(made, environment="drill", expires_at=until))
    with pytest.raises(GuardError, match="the retirement of zephyr is open"):
        bench.run(enable)
    assert bench.cloud.log == []
    bench.clock.sleep(LIFETIME.total_seconds())
    bench.run(enable)
    assert [command for command, _ in bench.cloud.log] == ["enableAccount"]
    bench.ledger.close()
