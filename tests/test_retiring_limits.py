"""The ceiling over time, campaigns that raise it, empty domains in batches, and a ledger on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync.errors import GuardError
from sync.retirement import Retirement, Stage, Step
from tests.retirements import PROJECT, Lab, lab

if TYPE_CHECKING:
    from tests.databases import Server

pytest_plugins = ["tests.databases"]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Lab]:
    """Where nothing may be destroyed without a campaign."""
    with lab(tmp_path, limits="ceiling = 0") as made:
        yield made


def add_empty(site: Lab, *names: str, users: bool = True) -> None:
    """Domains that own nothing, which the CI database says are retired."""
    parent = next(row["id"] for row in site.rows("listDomains") if row["path"] == "ROOT/ci")
    role = next(row["id"] for row in site.rows("listRoles") if row["name"] == "User")
    person = {"email": "a@example.org", "firstname": "A", "lastname": "B", "password": "a password"}
    for name in names:
        domain = site.hand.call("createDomain", name=name, parentdomainid=parent)["domain"]["id"]
        if users:
            site.hand.call(
                "createAccount", account=name, username=name, domainid=domain, roleid=role, **person
            )
        site.sql(f"INSERT INTO retired VALUES ('{name}', 'cdelorme', '2026-06-30', 'never used')")


def test_above_the_ceiling_only_a_campaign_signed_by_one_more_person_helps(site: Lab) -> None:
    site.approved()
    site.through(Step.ARCHIVE)
    with pytest.raises(GuardError, match="the ceiling is 0"):
        site.step()
    retiring = site.retiring()
    made = retiring.propose_campaign(
        [PROJECT], until=site.clock() + timedelta(days=30), reason="the data centre closes"
    )
    with pytest.raises(GuardError, match="the ceiling is 0"):
        site.step()
    with pytest.raises(GuardError, match="nobody approves a campaign of their own"):
        site.sign_campaign(made.id, "jmartin")
    site.sign_campaign(made.id, "alice")
    with pytest.raises(GuardError, match="the ceiling is 0"):
        site.step()
    assert "destroyVirtualMachine" not in site.commands()
    site.sign_campaign(made.id, "carol")
    assert site.step().stage is Stage.DESTROYED
    site.wait(31 * 86400)
    with pytest.raises(GuardError, match="the ceiling is 0"):
        site.step()
    assert "deleteAccount" not in site.commands()


def test_a_campaign_has_an_end(site: Lab) -> None:
    with pytest.raises(GuardError, match="A campaign ends"):
        site.retiring().propose_campaign([PROJECT], until=site.clock() + timedelta(days=100), reason="all")


def test_empty_domains_go_in_a_batch_without_waiting_and_outside_of_the_ceiling(site: Lab) -> None:
    names = [f"empty-{number}" for number in range(4)]
    add_empty(site, *names[:3])
    add_empty(site, names[3], users=False)
    made = site.proposed(*names, is_empty=True)
    with pytest.raises(GuardError, match="needs the approval of 2 and has 0"):
        site.step(names[0])
    site.approve(made)
    stages = []
    one: Retirement = site.retiring().of(names[3])
    while one.next_step is not None:
        one = site.step(names[3])
        stages.append(one.stage)
    assert stages == [Stage.QUARANTINED, Stage.ACCOUNTS_DELETED, Stage.DONE]
    assert [site.domain_id(name) for name in names] == [None] * 4
    assert site.commands() == ["disableAccount"] * 3 + ["deleteAccount"] * 3 + ["deleteDomain"] * 4
    # Four domains of forty are more than may shrink unnoticed: these went on purpose.
    assert site.session().read_actual(limits=False).coverage.agreed


def test_what_appears_in_an_empty_domain_meanwhile_saves_it(site: Lab) -> None:
    add_empty(site, "quiet")
    site.approve(site.proposed("quiet", is_empty=True))
    site.step("quiet")
    domain = str(site.domain_id("quiet"))
    offering = next(row for row in site.rows("listDiskOfferings") if row["disksize"])
    zone = site.rows("listZones")[0]["id"]
    site.run(
        "createVolume", name="late", account="quiet", domainid=domain, zoneid=zone,
        diskofferingid=offering["id"],
    )  # fmt: skip
    with pytest.raises(GuardError, match="late"):
        site.step("quiet")
    assert site.commands() == ["disableAccount"]
    assert site.retiring().steps.undo("quiet").stage is Stage.UNDONE
    assert site.accounts("quiet") == {"quiet": "enabled"}


def test_what_owns_something_is_no_empty_domain(site: Lab) -> None:
    with pytest.raises(GuardError, match="two readings"):
        site.retiring().propose([PROJECT], is_empty=True)
    site.wait(601)
    with pytest.raises(GuardError, match="is no empty domain: it has the VM"):
        site.retiring().propose([PROJECT], is_empty=True)


def test_on_postgresql_several_machines_share_one_retirement(
    tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.create_database().render_as_string(hide_password=False)
    with lab(tmp_path, ledger=url) as site:
        # The lab is 200 days in the past, the database is not.
        with pytest.raises(GuardError, match="days behind the ledger database's"):
            site.retiring().propose([PROJECT])
        monkeypatch.setattr("sync.ledger.database_now", lambda _, clock: clock())
        site.approved()
        assert site.step(operator="alice@console-2").stage is Stage.QUARANTINED
        assert site.retiring("bob@console-3").of(PROJECT).stage is Stage.QUARANTINED
        site.through(Step.DELETE_DOMAIN, operator="bob@console-3")
        assert site.domain_id() is None
        ledger = site.session().ledger
        assert ledger.verify().is_sound
        done = site.retiring().of(PROJECT)
        assert [one.by.partition("@")[0] for one in done.steps] == ["alice", "bob", "bob", "bob", "bob"]
