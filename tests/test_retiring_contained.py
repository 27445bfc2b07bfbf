"""While somebody else deletes, or a deletion is being contained, no retirement destroys anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from sync.containment_held import held
from sync.containment_journal import ContainmentJournal, brakes_on, merge_journal
from sync.deletions import Deletion, Kind, Situation
from sync.deletions import Stage as Deleting
from sync.errors import GuardError
from sync.ledger import EntryKind, Ledger
from sync.model import Outcome
from sync.retirement import DESTRUCTIVE, Retirement, Stage, Step
from sync.retirement_proposal import propose
from sync.retirement_rules import refuse_contained
from sync.secret import Secret
from sync.settings import journal_of
from tests.examples import NOON
from tests.retirement_examples import LIMITS, history, view, wish
from tests.retirements import PROJECT, Lab, lab

if TYPE_CHECKING:
    from tests.databases import Server

pytest_plugins = ["tests.databases"]

RETIREMENT = Retirement(propose(wish(), view(), history(), LIMITS))
QUIET = Situation(NOON, ())
DUNE = Deletion(Kind.DOMAIN, Deleting.RUNNING, "id:dune", "dune", "ROOT/ci/dune", "It runs.")


def refused(situation: Situation = QUIET, *, held: tuple[str, ...] = (), own: Any = frozenset()) -> str:
    """Why no destroying step may start, the same of each of them; empty where each may."""
    said = set()
    for step in DESTRUCTIVE:
        try:
            refuse_contained(RETIREMENT, step, situation, held=held, own=own)
        except GuardError as error:
            said.add(str(error).replace(f"“{step.value}”", "it"))
        else:
            said.add("")
    (why,) = said
    return why


# --- the decision -------------------------------------------------------------------------------------------


def test_when_nothing_is_deleted_and_nothing_held_it_may_go_on() -> None:
    assert refused() == ""
    ended = replace(DUNE, stage=Deleting.ENDED)
    assert refused(replace(QUIET, deletions=(ended, replace(DUNE, stage=Deleting.REFUSED)))) == ""


@pytest.mark.parametrize("stage", [Deleting.RUNNING, Deleting.QUEUED])
def test_somebody_elses_deletion_is_waited_for(stage: Deleting) -> None:
    why = refused(replace(QUIET, deletions=(replace(DUNE, stage=stage),)))
    assert f"waits for the containment: ROOT/ci/dune is {stage.value}." in why


def test_an_own_deletion_that_was_interrupted_is_gone_on_with() -> None:
    running = replace(QUIET, deletions=(DUNE,))
    assert refused(running, own={(Kind.DOMAIN, "id:dune")}) == ""
    assert refused(running, own={(Kind.ACCOUNT, "id:dune")}) != ""


def test_a_deletion_whose_target_no_event_names_is_somebody_elses() -> None:
    assert "whose target no event names" in refused(replace(QUIET, unnamed_jobs=1))
    assert refused(replace(QUIET, unnamed_jobs=1), own={(Kind.DOMAIN, "id:dune")}) == ""
    assert refused(replace(QUIET, unnamed_jobs=2), own={(Kind.DOMAIN, "id:dune")}) != ""


def test_what_cannot_be_read_may_be_a_deletion() -> None:
    why = refused(replace(QUIET, problems=("listEvents may not be called with this key.",)))
    assert "whether anything is being deleted is not known: listEvents may not be called" in why


def test_what_is_held_is_named() -> None:
    assert "the fence on ops stands. the brake is on." in refused(
        held=("the fence on ops stands", "the brake is on")
    )


def test_steps_that_destroy_nothing_do_not_wait() -> None:
    for step in set(Step) - DESTRUCTIVE:
        refuse_contained(RETIREMENT, step, replace(QUIET, deletions=(DUNE,)), held=("x",), own=())


# --- what is held -------------------------------------------------------------------------------------------


def fence(ledger: Ledger, action: str = "fence ops/sync by lockUser") -> ContainmentJournal:
    """The intent to fence somebody, whose outcome is not known yet."""
    journal = ContainmentJournal(ledger, is_local=False)
    journal.intent(action, kind="fence", target="ops/sync in ROOT", target_id="u-1", command="lockUser",
                   parameters={"id": "u-1"})  # fmt: skip
    return journal


def brake(ledger: Ledger) -> ContainmentJournal:
    journal = ContainmentJournal(ledger, is_local=False)
    journal.intent("brake DomainCleanup", kind="brake", target="mysql://db", target_id="DomainCleanup",
                   command="GET_LOCK", parameters={})  # fmt: skip
    return journal


def test_a_brake_is_on_until_it_is_given_back(tmp_path: Path) -> None:
    with Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}", environment="lab", operator="op@host") as ledger:

        def on() -> int:
            return len(brakes_on(ledger.entries(kinds=[EntryKind.INTENT, EntryKind.OUTCOME])))

        first, second = brake(ledger), brake(ledger)
        assert on() == 2
        for outcome in (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SUCCEEDED):
            first.outcome("brake DomainCleanup", outcome)
            assert on() == 2
        first.outcome("brake DomainCleanup", Outcome.NOT_RUN)
        assert on() == 1
        second.outcome("brake DomainCleanup", Outcome.NOT_RUN)
        assert on() == 0


# --- in a retirement ----------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as made:
        made.approved(with_archive=False)
        made.through(Step.ARCHIVE)
        yield made


def test_no_destroying_step_starts_while_a_rung_is_held(site: Lab) -> None:
    ledger = site.session("carol@console-9").ledger
    fencing = fence(ledger)
    with pytest.raises(GuardError, match=r"the fence on ops/sync in ROOT stands, .* perhaps"):
        site.step()
    fencing.outcome("fence ops/sync by lockUser", Outcome.SUCCEEDED)
    with pytest.raises(
        GuardError, match=r"the fence on ops/sync in ROOT stands, since .* by carol@console-9"
    ):
        site.step()
    fencing.intent("lift it", kind="unfence", target="ops/sync", target_id="u-1", command="enableUser",
                   parameters={}, undoes="fence ops/sync by lockUser")  # fmt: skip
    fencing.outcome("lift it", Outcome.SUCCEEDED)
    braking = brake(ledger)
    braking.outcome("brake DomainCleanup", Outcome.SUCCEEDED)
    with pytest.raises(GuardError, match="the brake DomainCleanup is on"):
        site.step()
    assert site.commands() == ["disableAccount"]
    assert site.retiring().of(PROJECT).stage is Stage.ARCHIVED
    braking.outcome("brake DomainCleanup", Outcome.NOT_RUN)
    assert site.step().stage is Stage.DESTROYED


def test_what_stands_in_this_machines_own_file_counts_as_well(site: Lab) -> None:
    session = site.session()
    ledger = session.ledger
    file = session.environment.journal_path
    assert file == journal_of("lab")
    file.parent.mkdir(parents=True, exist_ok=True)
    with Ledger(f"sqlite:///{file}", environment="lab", operator="carol@here") as own:
        fence(own)
        try:
            (said,) = held(session.environment, ledger, release="4.23")
        finally:
            file.unlink()
    assert "the fence on ops/sync in ROOT stands" in said


def test_what_was_merged_and_undone_in_the_ledger_is_held_no_longer(site: Lab, tmp_path: Path) -> None:
    """The file stays as it was when the ledger was away; what was undone since stands in the ledger alone."""
    session, file = site.session(), tmp_path / "own.sqlite"
    ledger, environment = session.ledger, replace(session.environment, own_journal=file)
    with Ledger(f"sqlite:///{file}", environment="lab", operator="carol@here", clock=site.clock) as own:
        fence(own).outcome("fence ops/sync by lockUser", Outcome.SUCCEEDED)
        brake(own).outcome("brake DomainCleanup", Outcome.SUCCEEDED)
    assert merge_journal(ledger, file) is not None
    assert len(held(environment, ledger, release="4.23")) == 2
    lifting = ContainmentJournal(ledger, is_local=False)
    lifting.intent("lift it", kind="unfence", target="ops/sync", target_id="u-1", command="enableUser",
                   parameters={}, undoes="fence ops/sync by lockUser")  # fmt: skip
    lifting.outcome("lift it", Outcome.SUCCEEDED)
    (said,) = held(environment, ledger, release="4.23")
    assert "the brake DomainCleanup is on" in said


def test_an_environment_with_a_journal_of_its_own_heeds_that_one_alone(site: Lab, tmp_path: Path) -> None:
    """As the drill's: the one of the user may hold what an earlier drill has left."""
    session = site.session()
    ledger = session.ledger
    environment = replace(session.environment, own_journal=tmp_path / "own.sqlite")
    users = journal_of("lab")
    users.parent.mkdir(parents=True, exist_ok=True)
    with Ledger(f"sqlite:///{users}", environment="lab", operator="carol@here") as left:
        fence(left)
    try:
        assert held(environment, ledger, release="4.23") == ()
        assert held(session.environment, ledger, release="4.23") != ()
    finally:
        users.unlink()


def test_each_destroying_step_waits_for_somebody_elses_deletion(site: Lab) -> None:
    ci = next(row["id"] for row in site.rows("listDomains") if row["path"] == "ROOT/ci")

    def refuse_next() -> None:
        due = site.retiring().of(PROJECT).due_at
        if due is not None and due > site.clock():
            site.wait((due - site.clock()).total_seconds() + 1)
        made = site.hand.call("createDomain", name="other", parentdomainid=ci)["domain"]["id"]
        job = site.hand.call("deleteDomain", id=made, cleanup="false")["jobid"]
        before = site.commands()
        with pytest.raises(GuardError, match=r"waits for the containment: other is .* by admin"):
            site.step()
        assert site.commands() == before
        while not site.hand.call("queryAsyncJobResult", jobid=job)["jobstatus"]:
            site.wait(1)

    for step in (Step.DESTROY, Step.DELETE_ACCOUNTS, Step.DELETE_DOMAIN):
        refuse_next()
        site.through(step)
    assert site.domain_id() is None


def test_the_database_itself_says_whether_a_brake_is_on(site: Lab, mariadb: Server) -> None:
    """Whatever the ledger says: a killed process leaves a brake in it, another machine has its own file."""
    session, url = site.session(), mariadb.admin
    environment = replace(
        session.environment, cloudstack_database=Secret(url.render_as_string(hide_password=False))
    )
    brake(session.ledger)
    assert held(environment, session.ledger, release="4.23") == ()
    connection: Any = pymysql.connect(
        host=url.host, port=url.port or 0, user=url.username, password=str(url.password)
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('DomainCleanup', 0)")
        (said,) = held(environment, session.ledger, release="4.23")
        assert (
            f"the lock DomainCleanup of CloudStack's database is held by its session {connection.thread_id()}"
            in said
        )
        assert held(environment, session.ledger, release="4.18") == ()
        assert held(environment, session.ledger, release="4.23", is_deleting=True) == ()
    connection.close()
    nowhere = replace(environment, cloudstack_database=Secret("mysql://u:geheim@127.0.0.1:1/cloud"))
    (said,) = held(nowhere, session.ledger, release="4.23")
    assert "whether the brake is on cannot be told" in said
    assert "geheim" not in said
