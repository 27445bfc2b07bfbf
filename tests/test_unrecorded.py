"""Deletions that CloudStack tells of and the ledger does not: what rings, what does not, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from console.cli.reading import verdict
from sync.deletion_record import DeletionRecord, acknowledge
from sync.deletions import Kind
from sync.drift import compare
from sync.errors import UsageError
from sync.headline import headline
from sync.ledger import EntryKind, Ledger
from sync.model import Drift
from sync.unrecorded import SKEW, DeletionCheck, Record, Recorded, Unrecorded, unrecorded
from tests.examples import NOON, PARENT, actual, desired, domain, partial
from tests.test_deletions import AURORA, BOREAL, Event, events

if TYPE_CHECKING:
    from tests.stores import Store

pytest_plugins = ["tests.stores"]

ALL = ("Scheduled", "Started", "Completed")
PATHS = {AURORA.id: AURORA.path, BOREAL.id: BOREAL.path}


def told(
    *of: list[Event], record: Record | None = None, paths: dict[str, str] | None = None
) -> list[Unrecorded]:
    found, _ = unrecorded(
        [event for one in of for event in one],
        record or Record(),
        parent=PARENT,
        paths=PATHS if paths is None else paths,
    )
    return list(found)


def ours(of: str = AURORA.id, *, at: int = 0, until: int | None = None, failed: bool = False) -> Record:
    end = None if until is None else NOON + timedelta(seconds=until)
    return Record((Recorded(Kind.DOMAIN, of, NOON + timedelta(seconds=at), end, failed),))


# --- what rings ---------------------------------------------------------------------------------------------


def test_a_deletion_that_nobody_recorded_is_told_with_who_and_when() -> None:
    (one,) = told(events(AURORA, *ALL))
    assert (one.id, one.kind, one.path) == ("e-aurora-0", Kind.DOMAIN, AURORA.path)
    assert one.words == "domain ROOT/ci/aurora by ci-sync/ci-sync at 2017-07-28 12:00 UTC"


@pytest.mark.parametrize("states", [("Scheduled",), ("Scheduled", "Started"), ("Started",)])
def test_one_that_is_under_way_rings_at_once(states: tuple[str, ...]) -> None:
    (one,) = told(events(AURORA, *states))
    assert one.is_open
    assert one.words.endswith("not ended")


def test_a_refused_attempt_is_no_alarm() -> None:
    assert told(events(AURORA, *ALL, failed=True)) == []


def test_a_refusal_hides_no_deletion_of_the_same_domain() -> None:
    assert len(told(events(AURORA, *ALL, failed=True), events(AURORA, *ALL, at=60))) == 1


def test_deletions_of_accounts_ring_too() -> None:
    (one,) = told(events(AURORA, *ALL, type="ACCOUNT.DELETE"))
    assert one.label == "account aurora in ROOT/ci/aurora"


def test_outside_of_the_parent_they_are_counted_only() -> None:
    paths = {AURORA.id: "ROOT/others/aurora", BOREAL.id: BOREAL.path}
    found, elsewhere = unrecorded(
        [*events(AURORA, *ALL), *events(BOREAL, *ALL)], Record(), parent=PARENT, paths=paths
    )
    assert ([one.name for one in found], elsewhere) == (["boreal"], 1)


def test_the_parent_itself_and_what_nothing_tells_the_path_of_are_not_left_out() -> None:
    assert len(told(events(AURORA, *ALL), paths={AURORA.id: "ROOT"})) == 1
    assert len(told(events(AURORA, *ALL), paths={AURORA.id: "root/CI/Aurora"})) == 1
    (one,) = told(events(AURORA, *ALL), paths={})
    assert one.label == "domain aurora"


# --- what explains one --------------------------------------------------------------------------------------


def test_an_intent_of_the_ledger_explains_it_whether_or_not_its_outcome_is_known() -> None:
    for record in (ours(), ours(until=3), ours(at=-2, until=400)):
        assert told(events(AURORA, *ALL), record=record) == []


@pytest.mark.parametrize(
    "record",
    [
        ours(BOREAL.id),
        ours(failed=True, until=3),
        ours(at=int(SKEW.total_seconds()) + 1),
        ours(at=-9000, until=-int(SKEW.total_seconds()) - 1),
        Record((Recorded(Kind.ACCOUNT, AURORA.id, NOON),)),
    ],
    ids=["of another domain", "that failed", "of later", "that was over by then", "of the account"],
)
def test_no_other_intent_does(record: Record) -> None:
    assert len(told(events(AURORA, *ALL), record=record)) == 1


def test_an_intent_explains_no_event_that_tells_no_time() -> None:
    timeless = [replace(event, created=None) for event in events(AURORA, *ALL)]
    assert len(told(timeless, record=ours())) == 1


def test_what_was_acknowledged_is_silent_and_nothing_else_is() -> None:
    both = (events(AURORA, *ALL), events(BOREAL, *ALL))
    record = Record(acknowledged=frozenset({"e-aurora-0"}))
    assert [one.name for one in told(*both, record=record)] == ["boreal"]


# --- the ledger's side --------------------------------------------------------------------------------------


def intent(ledger: Ledger, command: str, target: str, *, action: str = "retire aurora") -> datetime:
    content = {"action": action, "command": command, "parameters": {"id": target}, "attempt": 1}
    return ledger.append(EntryKind.INTENT, content, run_id="r").at


def outcome(ledger: Ledger, word: str, *, action: str = "retire aurora") -> None:
    ledger.append(EntryKind.OUTCOME, {"action": action, "outcome": word, "detail": ""}, run_id="r")


def test_intents_of_deletions_are_followed_through_the_ledger(store: Store) -> None:
    record = DeletionRecord()
    with store.open() as ledger:
        assert record.current(ledger) == Record()
        intent(ledger, "createDomain", "d-0", action="create")
        outcome(ledger, "succeeded", action="create")
        at = intent(ledger, "deleteDomain", "d-1")
        assert record.current(ledger).deletions == (Recorded(Kind.DOMAIN, "d-1", at),)
        outcome(ledger, "unknown")
        assert record.current(ledger).deletions == (Recorded(Kind.DOMAIN, "d-1", at),)
        store.clock.sleep(60)
        outcome(ledger, "succeeded")
        (one,) = record.current(ledger).deletions
        assert (one.at, one.failed) == (at, False)
        assert one.until == at + timedelta(seconds=60)
        store.clock.sleep(60)
        again = intent(ledger, "deleteAccount", "a-1")
        outcome(ledger, "failed")
        assert record.current(ledger).deletions[1] == Recorded(Kind.ACCOUNT, "a-1", again, again, failed=True)
        assert DeletionRecord().current(ledger) == record.current(ledger)


def test_an_intent_that_was_sent_again_stays_beside_the_later_one(store: Store) -> None:
    with store.open() as ledger:
        first = intent(ledger, "deleteDomain", "d-1")
        store.clock.sleep(600)
        second = intent(ledger, "deleteDomain", "d-1")
        found = DeletionRecord().current(ledger).deletions
    assert [one.at for one in found] == [first, second]


def test_acknowledging_is_an_entry_with_name_and_reason(store: Store) -> None:
    record = DeletionRecord()
    found = told(events(AURORA, *ALL))
    with store.open(operator="anna@desk") as ledger:
        with pytest.raises(UsageError, match="needs a reason"):
            acknowledge(ledger, found, reason=" ")
        assert ledger.entries() == []
        (entry,) = acknowledge(ledger, found, reason="the old cluster, ticket 7")
        assert (entry.operator, entry.payload["target_id"]) == ("anna@desk", AURORA.id)
        assert entry.summary.endswith("12:00 UTC: the old cluster, ticket 7")
        assert told(events(AURORA, *ALL), record=record.current(ledger)) == []
        assert ledger.verify().is_sound


def test_the_ledger_began_with_its_first_entry(store: Store) -> None:
    with store.open() as ledger:
        assert ledger.began_at() is None
        at = intent(ledger, "deleteDomain", "d-1")
        store.clock.sleep(600)
        intent(ledger, "deleteDomain", "d-2")
        assert ledger.began_at() == at


# --- what follows -------------------------------------------------------------------------------------------


def drift(*, check: DeletionCheck, is_complete: bool = True) -> Drift:
    one = actual(domain("boreal"))
    found = compare(desired(), one if is_complete else replace(one, coverage=partial()))
    return replace(found, deletions=check)


def test_one_is_critical_whatever_else_was_read() -> None:
    check = DeletionCheck(tuple(told(events(AURORA, *ALL))))
    for is_complete in (True, False):
        found = drift(check=check, is_complete=is_complete)
        assert verdict(found) == (2, "critical")
        assert "One deletion is not in the ledger: domain ROOT/ci/aurora by ci-sync" in headline(found).text


def test_events_that_cannot_be_read_prove_no_peace() -> None:
    assert verdict(drift(check=DeletionCheck())) == (1, "drift")
    assert verdict(drift(check=DeletionCheck(elsewhere=4))) == (1, "drift")
    assert verdict(drift(check=DeletionCheck(problem="listEvents may not be called"))) == (3, "unknown")


def test_a_time_to_come_is_said_to_be_of_another_clock() -> None:
    for seconds, said in ((0, False), (50, False), (44 * 60 + 10, True)):
        check = DeletionCheck(tuple(told(events(AURORA, *ALL, at=seconds))))
        text = headline(drift(check=check)).text
        assert ("CloudStack's clock is at least 44 min ahead of this one" in text) is said, text


def test_the_headline_names_the_latest_and_counts_the_rest() -> None:
    check = DeletionCheck(tuple(told(*(events(AURORA, *ALL, at=60 * number) for number in range(5)))))
    text = headline(drift(check=check)).text
    assert text.startswith("Five deletions are not in the ledger: ")
    assert "12:04 UTC and 3 more." in text
