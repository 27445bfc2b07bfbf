"""Fences: who must never be fenced, by which way, what reading back has to show, and how each is undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.callers import Caller
from sync.cloudstack import Capabilities, JobState, Submission
from sync.contain import (
    Fencing,
    Means,
    Method,
    ladder,
    may_use,
    methods,
    refusal,
)
from sync.containment_journal import ContainmentJournal, earlier_local, open_journal
from sync.deletions import Situation
from sync.errors import ForbiddenError, LedgerError, OutcomeUnknownError, RefusedError
from sync.fence_check import NOWHERE, Hold
from sync.fence_reading import seen
from sync.ledger import Ledger
from sync.model import JsonObject, Outcome
from tests.examples import NOON, ROOT_ID

CALLER = Caller(
    "u-1", "ci-sync", "ci-sync", "a-1", ROOT_ID, "ROOT", "enabled", "enabled", ("aurora",), 1, NOON,
    is_root_admin=True,
)  # fmt: skip
ME = Capabilities("https://c.example.org/client/api", user="console", account="ops", domain_id=ROOT_ID)
ADMINS = frozenset({"u-1", "u-2"})
APIS = {
    "updateUser": frozenset({"id", "apikeyaccess"}),
    "lockUser": frozenset({"id"}),
    "updateConfiguration": frozenset({"name", "value", "accountid"}),
    "listConfigurations": frozenset({"name", "accountid"}),
    "disableUser": frozenset({"id"}),
}


def offering(*without: str, **changed: frozenset[str]) -> Capabilities:
    apis = {name: names for name, names in (APIS | changed).items() if name not in without}
    return replace(ME, apis=apis)


# --- who ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "own", "admins", "words"),
    [
        (CALLER, [ME], ADMINS, ""),
        (replace(CALLER, username="Console"), [ME], ADMINS, "abreast itself"),
        (replace(CALLER, username="System"), [ME], ADMINS, "own user"),
        (replace(CALLER, user_id=""), [ME], ADMINS, "nobody to fence"),
        (CALLER, [ME], frozenset({"u-1"}), "last enabled root admin"),
        (CALLER, [ME], frozenset(), "could not be listed"),
        (CALLER, [ME, replace(ME, user="")], ADMINS, "might be this user"),
        (replace(CALLER, username="console", domain_id="d-9"), [ME], ADMINS, ""),
    ],
)
def test_who_must_not_be_fenced(
    caller: Caller, own: list[Capabilities], admins: frozenset[str], words: str
) -> None:
    said = refusal(caller, own, admins)
    assert words in said
    assert bool(words) == bool(said)


def test_ways_follow_what_the_writing_key_is_offered() -> None:
    assert methods(offering()) == (Method.API_KEYS, Method.LOCK, Method.SOURCE, Method.DISABLE)
    assert methods(offering(updateUser=frozenset({"id"})))[0] is Method.LOCK
    assert methods(offering("updateUser", "lockUser"))[0] is Method.SOURCE
    assert methods(offering("updateUser", "lockUser", "listConfigurations")) == (Method.DISABLE,)
    assert methods(replace(ME, apis={})) == ()


def test_a_source_list_is_not_put_on_the_account_that_abreast_itself_is_in() -> None:
    assert not may_use(Method.SOURCE, replace(CALLER, account="ops"), [ME])
    assert may_use(Method.SOURCE, CALLER, [ME])
    assert may_use(Method.LOCK, replace(CALLER, account="ops"), [ME])


# --- putting up and taking down -----------------------------------------------------------------------------


class Cloud:
    """What a fence changes, and what goes wrong with it."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {
            "state": "enabled", "apikeyaccess": "INHERIT", "account_state": "enabled"
        }  # fmt: skip
        self.source = "0.0.0.0/0,::/0"
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.before: Callable[[str], None] = lambda _command: None
        self.is_heeding = True

    def submit(self, command: str, parameters: Mapping[str, str], /) -> Submission:
        self.sent.append((command, dict(parameters)))
        self.before(command)
        if self.is_heeding:
            if command == "updateUser":
                self.state["apikeyaccess"] = parameters["apikeyaccess"].upper()
            elif command == "updateConfiguration":
                self.source = parameters["value"]
            else:
                self.state["state"] = {"lockUser": "locked", "disableUser": "disabled"}.get(
                    command, "enabled"
                )
        return Submission("j-1" if command == "disableUser" else None, {})

    def user(self, _id: str, /) -> JsonObject:
        return dict(self.state)

    def user_access(self, _id: str, /) -> JsonObject:
        return dict(self.state)

    def source_list(self, _account_id: str, /) -> str:
        return self.source

    def job(self, job_id: str, /) -> JobState:
        return JobState(job_id, "succeeded")


@pytest.fixture
def journal(tmp_path: Path) -> ContainmentJournal:
    team, own = f"sqlite:///{tmp_path / 'team.sqlite'}", tmp_path / "own.sqlite"
    return open_journal(team, environment="lab", operator="op@host", local=own)


@pytest.mark.parametrize("method", list(Method))
def test_every_way_is_confirmed_by_reading_back_and_undone_to_what_was_before(
    method: Method, journal: ContainmentJournal
) -> None:
    cloud = Cloud()
    fencing = Fencing(cloud, journal, sleep=lambda _: None)
    before = (dict(cloud.state), cloud.source)
    (step,) = fencing.put_up(CALLER, [method])
    assert (step.outcome, step.detail) == (Outcome.SUCCEEDED, "")
    assert (cloud.state, cloud.source) != before
    (standing,) = journal.standing("fence")
    lifted = fencing.take_down(standing, reason="over")
    assert lifted.outcome is Outcome.SUCCEEDED
    assert (cloud.state, cloud.source) == before
    assert journal.standing("fence") == []


def test_the_next_way_is_taken_when_one_does_not_hold(journal: ContainmentJournal) -> None:
    cloud = Cloud()

    def refuse(command: str) -> None:
        cloud.is_heeding = command != "updateUser"
        if command == "lockUser":
            raise RefusedError("CloudStack refused lockUser.", code=431)

    cloud.before = refuse
    steps = Fencing(cloud, journal, sleep=lambda _: None).put_up(CALLER, list(Method))
    assert [step.outcome for step in steps] == [Outcome.UNKNOWN, Outcome.FAILED, Outcome.SUCCEEDED]
    assert cloud.source == NOWHERE
    assert [one.command for one in journal.standing("fence")] == ["updateUser", "updateConfiguration"]


def test_a_call_without_an_answer_is_decided_by_reading_not_by_sending_again(
    journal: ContainmentJournal,
) -> None:
    cloud = Cloud()

    def vanish(_command: str) -> None:
        cloud.state["state"] = "locked"
        raise OutcomeUnknownError("lockUser was sent and no answer came.")

    cloud.before = vanish
    (step,) = Fencing(cloud, journal).put_up(CALLER, [Method.LOCK])
    assert step.outcome is Outcome.SUCCEEDED
    assert len(cloud.sent) == 1


def test_nothing_is_sent_when_it_cannot_be_recorded(journal: ContainmentJournal, tmp_path: Path) -> None:
    cloud = Cloud()
    fencing = Fencing(cloud, journal)
    with journal._ledger._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE entries")
    (tmp_path / "own.sqlite").mkdir()
    with pytest.raises(LedgerError):
        fencing.put_up(CALLER, list(Method))
    assert cloud.sent == []


def test_enable_user_is_not_sent_while_the_account_is_disabled(journal: ContainmentJournal) -> None:
    cloud = Cloud()
    fencing = Fencing(cloud, journal)
    fencing.put_up(CALLER, [Method.LOCK])
    cloud.state["account_state"] = "disabled"
    (standing,) = journal.standing("fence")
    step = fencing.take_down(standing, reason="over")
    assert step.outcome is Outcome.NOT_RUN
    assert "also enable the account" in step.detail
    assert [command for command, _ in cloud.sent] == ["lockUser"]


def test_a_standing_fence_is_named_by_its_fields_and_not_by_its_account(journal: ContainmentJournal) -> None:
    caller = replace(CALLER, account="ops", username="in by/x")
    for method in (Method.LOCK, Method.SOURCE):
        Fencing(Cloud(), journal).put_up(caller, [method])
    for standing in journal.standing("fence"):
        assert standing.names == {"u-1", "ops/in by/x in ROOT", "in by/x", "ops/in by/x"}


def test_what_a_killed_process_left_without_an_outcome_still_stands_and_is_undone(
    journal: ContainmentJournal,
) -> None:
    cloud = Cloud()

    def kill(_command: str) -> None:
        cloud.state["state"] = "locked"
        raise KeyboardInterrupt

    cloud.before = kill
    fencing = Fencing(cloud, journal)
    with pytest.raises(KeyboardInterrupt):
        fencing.put_up(CALLER, [Method.LOCK])
    cloud.before = lambda _command: None
    (standing,) = journal.standing("fence")
    assert standing.outcome == Outcome.UNKNOWN.value
    assert fencing.take_down(standing, reason="over").outcome is Outcome.SUCCEEDED
    assert (cloud.state["state"], journal.standing("fence")) == ("enabled", [])


def test_somebody_who_is_fenced_already_is_left_as_it_is(journal: ContainmentJournal) -> None:
    cloud = Cloud()
    cloud.state["state"] = "disabled"
    (step,) = Fencing(cloud, journal).put_up(CALLER, [Method.LOCK])
    assert step.outcome is Outcome.SKIPPED
    assert (cloud.sent, journal.standing("fence")) == ([], [])


@pytest.mark.parametrize("method", list(Method))
def test_a_fence_that_somebody_took_away_is_read_as_gone_and_put_up_anew(
    method: Method, journal: ContainmentJournal
) -> None:
    cloud = Cloud()
    fencing = Fencing(cloud, journal, sleep=lambda _: None)
    before = (dict(cloud.state), cloud.source)
    fencing.put_up(CALLER, [method])
    (first,) = journal.standing("fence")
    (held,) = seen([first], cloud, accepted={}).callers
    assert (held.hold, held.why) == (Hold.HOLDS, "")

    cloud.state, cloud.source = dict(before[0]), before[1]
    (held,) = seen([first], cloud, accepted={}).callers
    assert (held.hold, held.is_lost) == (Hold.GONE, True)
    assert "somebody took it away, the caller has access" in held.why

    (step,) = fencing.put_up(CALLER, [method])
    assert step.outcome is Outcome.SUCCEEDED
    (again,) = journal.standing("fence")
    assert (again.outcome, again.at > first.at) == ("succeeded", True), "the newest one stands"
    (held,) = seen([again], cloud, accepted={}).callers
    assert held.hold is Hold.HOLDS
    assert fencing.take_down(again, reason="over").outcome is Outcome.SUCCEEDED
    assert (cloud.state, cloud.source, journal.standing("fence")) == (*before, [])


def test_a_fence_that_could_not_be_put_up_anew_is_not_forgotten(journal: ContainmentJournal) -> None:
    cloud = Cloud()
    fencing = Fencing(cloud, journal)
    fencing.put_up(CALLER, [Method.LOCK])
    (first,) = journal.standing("fence")
    cloud.state["state"] = "enabled"

    def refuse(_command: str) -> None:
        raise RefusedError("CloudStack refused lockUser.", code=431)

    cloud.before = refuse
    (step,) = fencing.put_up(CALLER, [Method.LOCK])
    assert (step.outcome, journal.standing("fence")) == (Outcome.FAILED, [first])


def test_a_fence_whose_state_is_not_shown_is_not_known(journal: ContainmentJournal) -> None:
    cloud = Cloud()
    Fencing(cloud, journal).put_up(CALLER, [Method.API_KEYS])
    del cloud.state["apikeyaccess"]
    (held,) = seen(journal.standing("fence"), cloud, accepted={}).callers
    assert (held.hold, "does not show this key" in held.why) == (Hold.UNKNOWN, True)

    def unreadable(_id: str, /) -> JsonObject:
        raise ForbiddenError("listUsers may not be called.")

    cloud.user_access = unreadable  # type: ignore[method-assign]
    (held,) = seen(journal.standing("fence"), cloud, accepted={}).callers
    assert (held.hold, held.why) == (Hold.UNKNOWN, "listUsers may not be called.")
    (held,) = seen(journal.standing("fence"), None, accepted={}).callers
    assert (held.hold, held.why) == (Hold.UNKNOWN, "CloudStack could not be read.")


# --- the journal --------------------------------------------------------------------------------------------


def test_without_the_teams_ledger_this_machines_own_takes_over_and_undoes(tmp_path: Path) -> None:
    dead = f"sqlite:///{tmp_path / 'nowhere' / 'x' / 'y.sqlite'}"
    (tmp_path / "nowhere").write_text("a file where a folder should be")
    own = tmp_path / "own.sqlite"
    journal = open_journal(dead, environment="lab", operator="op@host", local=own)
    assert journal.is_local
    assert str(own) in journal.note
    Fencing(Cloud(), journal).put_up(CALLER, [Method.LOCK])
    journal.close()
    again = earlier_local("lab", operator="op@host", local=own)
    assert again is not None
    assert [one.command for one in again.standing("fence")] == ["lockUser"]
    again.close()
    with Ledger(f"sqlite:///{own}", environment="lab") as ledger:
        assert ledger.verify().is_sound


def test_a_ledger_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    never = threading.Event()
    opened = Ledger.open

    def stuck(self: Ledger) -> Ledger:
        if "team" in self._name:
            never.wait(30)
        return opened(self)

    monkeypatch.setattr(Ledger, "open", stuck)
    journal = open_journal(
        f"sqlite:///{tmp_path / 'team.sqlite'}",
        environment="lab",
        operator="op@host",
        local=tmp_path / "own.sqlite",
        patience=0.05,
    )
    never.set()
    assert journal.is_local
    assert "did not answer" in journal.note


def test_neither_ledger_nor_own_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    bad = tmp_path / "file" / "x.sqlite"
    with pytest.raises(LedgerError):
        open_journal(f"sqlite:///{bad}", environment="lab", operator="op@host", local=bad)


# --- the ladder ---------------------------------------------------------------------------------------------


def test_every_rung_says_what_it_does_not_stop_and_how_it_is_undone() -> None:
    means = Means(
        runbook={"stop": "systemctl stop ci-sync"}, offered=offering(), brake_locks=("DomainCleanup",)
    )
    rungs = ladder(means, Situation(NOON, ()))
    assert [rung.name for rung in rungs] == [
        "stop the job at its source", "fence the caller", "brake", "shield",
        "the domain that is being deleted now",
    ]  # fmt: skip
    assert all(rung.what and rung.does_not_stop and rung.undo and rung.known for rung in rungs)
    assert rungs[0].text == (("stop", "systemctl stop ci-sync"),)
    assert [bool(rung.why_not) for rung in rungs] == [False, False, False, False, True]
    unsure = ladder(means, Situation(NOON, (), problems=("listAsyncJobs was refused.",)))
    assert unsure[4].why_not == "No running deletion was seen; not everything could be read."
    bare = ladder(Means({}, None, "no key", "no database", (), "unknown"), Situation(NOON, ()))
    assert [rung.why_not for rung in bare][1:4] == ["no key", "no database", "unknown"]
    assert "runbook" in bare[0].why_not
