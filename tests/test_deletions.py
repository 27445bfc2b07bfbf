"""What is said of deletions: by events, jobs and lists, each alone and where they contradict each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from sync.callers import find_callers
from sync.deletion_text import situation_text
from sync.deletions import Deletion, Event, Job, Kind, Reading, Stage, assess
from sync.model import Account, Coverage, CoverageState, Domain, OwnedResource, Scope, User, VirtualMachine
from tests.examples import NOON, PARENT, account, actual, domain, partial, resource, vm

AURORA, BOREAL, CIRRUS = domain("aurora"), domain("boreal"), domain("cirrus")
ROOT = Domain("id:ROOT", "ROOT", "ROOT", None, 0)
CI = Domain("id:ROOT/ci", "ci", PARENT, "id:ROOT", 1)
SYNC = User("u-sync", "ci-sync", "e", "C", "I", "enabled", "a-sync", "ci-sync", "id:ROOT")
OTHER = User("u-other", "other", "e", "O", "T", "enabled", "a-other", "other", "id:ROOT")
SYNC_ACCOUNT = Account("a-sync", "ci-sync", "id:ROOT", "enabled", "Root Admin", (SYNC,))
OTHER_ACCOUNT = Account("a-other", "other", "id:ROOT", "enabled", "Root Admin", (OTHER,))


def events(
    of: Domain,
    *states: str,
    at: int = 0,
    failed: bool = False,
    user: User = SYNC,
    type: str = "DOMAIN.DELETE",
) -> list[Event]:
    """Those of one attempt; in the Scheduled one the account is the target's owner, as measured."""
    first = f"e-{of.name}-{at}"
    return [
        Event(
            id=first if state == "Scheduled" else f"{first}-{state}",
            type=type,
            state=state,
            level="ERROR" if failed and state == "Completed" else "INFO",
            username=user.username,
            account="admin" if state == "Scheduled" else user.account,
            domain_id="id:ROOT",
            target_id=of.id,
            target=of.name,
            created=NOON + timedelta(seconds=at),
            parent_id="" if state == "Scheduled" else first,
        )
        for state in states
    ]


def job(at: int = 0, *, user: User = SYNC, id: str = "j-1", kind: Kind = Kind.DOMAIN) -> Job:
    return Job(id, kind, NOON + timedelta(seconds=at), user.id, user.account, "server-1")


def reading(
    *domains: Domain,
    events: Iterable[Event] | None = (),
    jobs: Iterable[Job] | None = (),
    vms: Iterable[VirtualMachine] = (),
    accounts: Iterable[Account] = (),
    snapshots: Iterable[OwnedResource] = (),
    templates: Iterable[OwnedResource] = (),
    is_complete: bool = True,
) -> Reading:
    everyone = [SYNC_ACCOUNT, OTHER_ACCOUNT, *(account(one, "alice") for one in domains), *accounts]
    world = actual(ROOT, CI, *domains, accounts=everyone, vms=vms, parent="ROOT")
    if not is_complete:
        world = actual(ROOT, CI, *domains, accounts=everyone, vms=vms, coverage=partial(), parent="ROOT")
    return Reading(
        Scope(PARENT),
        world,
        events=None if events is None else tuple(events),
        jobs=None if jobs is None else tuple(jobs),
        snapshots=tuple(snapshots),
        templates=tuple(templates),
        root_admins=frozenset({SYNC.id, OTHER.id}),
    )


def test_where_nothing_could_be_read_nothing_is_said_to_be_deleted() -> None:
    """Its end is not an empty situation: events that came tell something, whatever else failed."""
    silent = reading(events=None, jobs=None)
    failed = Coverage(CoverageState.FAILED, "No route to host.")
    silent = replace(silent, world=replace(silent.world, coverage=failed))
    found = assess(silent)
    assert found.is_unread and not found.is_happening
    assert situation_text(found).startswith("CloudStack could not be read:")
    assert not assess(replace(silent, events=())).is_unread
    assert not assess(reading(events=None, jobs=None)).is_unread


def only(found: Reading) -> Deletion:
    (one,) = assess(found).deletions
    return one


def test_a_domain_that_is_gone_while_its_deletion_has_not_ended_is_being_deleted() -> None:
    found = reading(
        events=events(AURORA, "Scheduled", "Started"), jobs=[job()], vms=[vm("a", AURORA), vm("b", AURORA)]
    )
    one = only(found)
    assert (one.stage, one.path, len(one.alive)) == (Stage.RUNNING, "ROOT/ci/aurora", 2)
    assert one.attempt is not None and one.attempt.job is not None
    assert one.attempt.job.server == "server-1"
    assert situation_text(assess(found)) == "Being deleted now: ROOT/ci/aurora (2 VMs still alive)."


def test_a_domain_that_is_still_listed_is_submitted_and_untouched() -> None:
    found = reading(AURORA, events=events(AURORA, "Scheduled", "Started"), jobs=[job()])
    assert only(found).stage is Stage.QUEUED
    assert assess(found).is_happening


def test_an_attempt_that_failed_is_refused_and_no_alarm() -> None:
    found = reading(AURORA, events=events(AURORA, "Scheduled", "Started", "Completed", failed=True))
    assert only(found).stage is Stage.REFUSED
    assert not assess(found).is_happening
    assert situation_text(assess(found)) == "Nothing is being deleted. 1 refused."


def test_a_domain_that_came_back_hollow_is_half_deleted() -> None:
    tree = actual(ROOT, CI, AURORA, accounts=[SYNC_ACCOUNT], parent="ROOT")
    failed = tuple(events(AURORA, "Scheduled", "Started", "Completed", failed=True))
    assert only(Reading(Scope(PARENT), tree, events=failed, jobs=())).stage is Stage.HALF_DONE


@pytest.mark.parametrize(
    ("made", "stage"),
    [(-60, Stage.REFUSED), (60, Stage.HALF_DONE), (None, Stage.REFUSED)],
    ids=["before the attempt", "since", "not told"],
)
def test_accounts_that_were_made_since_do_not_turn_half_deleted_into_refused(
    made: int | None, stage: Stage
) -> None:
    at = "" if made is None else f"{NOON + timedelta(seconds=made):%Y-%m-%dT%H:%M:%S+0000}"
    owners = [SYNC_ACCOUNT, replace(account(AURORA, "alice"), created=at)]
    tree = actual(ROOT, CI, AURORA, accounts=owners, parent="ROOT")
    failed = tuple(events(AURORA, "Scheduled", "Started", "Completed", failed=True))
    one = only(Reading(Scope(PARENT), tree, events=failed, jobs=()))
    assert one.stage is stage
    assert ("made since" in one.why) is (stage is Stage.HALF_DONE)


def test_a_deletion_without_end_and_without_a_job_was_interrupted() -> None:
    one = only(reading(events=events(AURORA, "Scheduled", "Started"), vms=[vm("a", AURORA)]))
    assert one.stage is Stage.HALF_DONE
    assert "server was stopped" in one.why


def test_jobs_that_cannot_be_read_leave_the_alarm() -> None:
    one = only(reading(events=events(AURORA, "Scheduled", "Started"), jobs=None, vms=[vm("a", AURORA)]))
    assert one.stage is Stage.RUNNING
    assert "could not be read" in one.why


def test_vms_after_the_end_are_left_over() -> None:
    ended = events(AURORA, "Scheduled", "Started", "Completed")
    assert only(reading(events=ended)).stage is Stage.ENDED
    assert only(reading(events=ended, vms=[vm("a", AURORA)])).stage is Stage.ORPHANED


@pytest.mark.parametrize(("jobs", "stage"), [((), Stage.ORPHANED), ((job(),), Stage.RUNNING)])
def test_vms_that_no_event_explains(jobs: tuple[Job, ...], stage: Stage) -> None:
    one = only(reading(jobs=jobs, vms=[vm("a", AURORA)]))
    assert (one.stage, one.label) == (stage, "ROOT/ci/aurora")


def test_from_a_partial_reading_nothing_is_concluded_from_absence() -> None:
    assert assess(reading(vms=[vm("a", AURORA)], is_complete=False)).deletions == ()
    failed = events(AURORA, "Scheduled", "Started", "Completed", failed=True)
    assert only(reading(events=failed, is_complete=False)).stage is Stage.REFUSED
    found = assess(reading(is_complete=False))
    assert found.problems
    assert situation_text(found).startswith("No deletion was seen. Not everything could be read:")


def test_of_several_attempts_the_open_one_counts_then_the_one_that_succeeded() -> None:
    refused = events(AURORA, "Scheduled", "Started", "Completed", failed=True)
    again = events(AURORA, "Scheduled", "Started", at=60)
    one = only(reading(AURORA, events=refused + again, jobs=[job(60)]))
    assert (one.stage, one.attempts) == (Stage.QUEUED, 2)
    late = events(AURORA, "Scheduled", "Started", "Completed", at=90, failed=True)
    done = events(AURORA, "Scheduled", "Started", "Completed", at=30)
    assert only(reading(events=done + late)).stage is Stage.ENDED


def test_forty_submitted_within_a_second_are_forty_names() -> None:
    domains = [domain(f"p{number:02d}") for number in range(40)]
    told = [event for one in domains for event in events(one, "Scheduled", "Started")]
    jobs = [job(id=f"j-{number}") for number in range(40)]
    found = assess(reading(*domains[1:], events=reversed(told), jobs=jobs))
    assert [one.name for one in found.of(Stage.RUNNING)] == ["p00"]
    assert sorted(one.name for one in found.of(Stage.QUEUED)) == [one.name for one in domains[1:]]
    assert found.unnamed_jobs == 0


def test_what_dies_next_is_snapshots_then_templates_then_vms_one_by_one() -> None:
    told = events(AURORA, "Scheduled", "Started")
    vms = [vm("young", AURORA, created="2017-07-02"), vm("old", AURORA), vm("x", AURORA, state="Destroyed")]
    snapshot, template = resource("s-1", AURORA), resource("t-1", AURORA)
    all_there = reading(events=told, jobs=[job()], vms=vms, snapshots=[snapshot], templates=[template])
    assert only(all_there).next_to_die == "1 snapshot, before any VM: s-1"
    assert only(reading(events=told, jobs=[job()], vms=vms, templates=[template])).next_to_die.startswith(
        "1 template, before any VM"
    )
    assert only(reading(events=told, jobs=[job()], vms=vms)).next_to_die == "VM old (Running), then 1 more VM"
    assert only(reading(events=told, jobs=[job()])).next_to_die == "its networks, then the domain itself"


def test_deleting_the_parent_takes_everything_below() -> None:
    told = events(CI, "Scheduled", "Started")
    one = only(reading(AURORA, BOREAL, events=told, jobs=[job()], vms=[vm("a", AURORA)]))
    assert one.stage is Stage.QUEUED
    assert one.below == ("ROOT/ci/aurora", "ROOT/ci/boreal")
    assert len(one.alive) == 1


def test_a_domain_made_anew_under_the_name_of_a_dying_one_is_not_taken_with_it() -> None:
    corpse = domain("aurora", id="id:old")
    fresh, below = domain("aurora", id="id:new"), domain("sub", parent="ROOT/ci/aurora")
    one = only(
        reading(
            fresh,
            below,
            events=events(corpse, "Scheduled", "Started"),
            jobs=[job()],
            vms=[vm("old", corpse), vm("new", fresh), vm("newer", below)],
        )
    )
    assert (one.stage, one.below) == (Stage.RUNNING, ())
    assert len(one.vms) == 1, "only the dying domain's own"
    assert one.label == "ROOT/ci/aurora (earlier)", "the one that has the name now lives"
    last = assess(reading(fresh, below, events=events(corpse, "Scheduled", "Started"), jobs=[job()]))
    assert situation_text(last) == "Being deleted now: aurora (earlier) (0 VMs still alive)."
    assert only(reading(fresh, events=events(fresh, "Scheduled"), jobs=[job()])).label == "ROOT/ci/aurora"


def test_what_happens_elsewhere_is_counted_and_not_listed() -> None:
    away = domain("web", parent="ROOT/other")
    found = assess(reading(away, events=events(away, "Scheduled", "Started"), jobs=[job()]))
    assert (found.deletions, found.elsewhere) == ((), 1)


def test_an_account_is_its_own_kind() -> None:
    told = events(AURORA, "Scheduled", "Started", type="ACCOUNT.DELETE")
    one = only(reading(events=told, jobs=[job(kind=Kind.ACCOUNT)]))
    assert (one.kind, one.stage, one.label) == (Kind.ACCOUNT, Stage.RUNNING, "account aurora")


# --- who ----------------------------------------------------------------------------------------------------


def test_events_and_jobs_that_agree_name_the_caller_without_asking() -> None:
    (caller,) = find_callers(reading(events=events(AURORA, "Scheduled", "Started"), jobs=[job()]))
    assert (caller.user_id, caller.account, caller.ask) == ("u-sync", "ci-sync", "")
    assert caller.is_root_admin
    assert (caller.deletions, caller.open_deletions) == (("aurora",), 1)


def test_where_event_and_job_disagree_both_are_asked_about() -> None:
    found = find_callers(
        reading(events=events(AURORA, "Scheduled", "Started", user=OTHER), jobs=[job(user=SYNC)])
    )
    assert {caller.username for caller in found} == {"other", "ci-sync"}
    assert all(caller.ask for caller in found)


@pytest.mark.parametrize(
    ("told", "jobs", "words"),
    [
        (("Scheduled", "Started"), None, "jobs could not be read"),
        (("Scheduled", "Started", "Completed"), (), "no job of it runs now"),
        (("Scheduled",), (job(),), "events name none"),
        (None, (job(),), "events could not be read"),
    ],
)
def test_where_one_of_them_is_missing_a_person_is_asked(
    told: tuple[str, ...] | None, jobs: tuple[Job, ...] | None, words: str
) -> None:
    known = None if told is None else events(AURORA, *told)
    (caller,) = find_callers(reading(events=known, jobs=jobs))
    assert caller.username == "ci-sync"
    assert words in caller.ask


def test_the_owner_in_a_scheduled_event_is_never_the_caller() -> None:
    admin = User("u-admin", "ci-sync", "e", "A", "D", "enabled", "a-admin", "admin", "id:ROOT")
    owner = Account("a-admin", "admin", "id:ROOT", "enabled", "Root Admin", (admin,))
    (caller,) = find_callers(
        reading(events=events(AURORA, "Scheduled", "Started"), jobs=[job()], accounts=[owner])
    )
    assert caller.user_id == "u-sync"


def test_several_callers_the_busiest_first() -> None:
    told = events(AURORA, "Scheduled", "Started", user=OTHER) + events(BOREAL, "Scheduled", "Started")
    told += events(CIRRUS, "Scheduled", "Started")
    jobs = [job(user=OTHER, id="j-0"), job(id="j-1"), job(id="j-2")]
    found = find_callers(reading(events=told, jobs=jobs))
    assert [(one.username, one.ask) for one in found] == [("ci-sync", ""), ("other", "")]


def test_who_deleted_days_before_the_newest_is_no_caller() -> None:
    old = events(AURORA, "Scheduled", "Started", "Completed", at=-7200, user=OTHER)
    found = find_callers(reading(events=old + events(BOREAL, "Scheduled", "Started"), jobs=[job()]))
    assert [one.username for one in found] == ["ci-sync"]


def test_one_whose_fence_is_gone_is_listed_although_it_deletes_nothing_and_has_to_be_named() -> None:
    told = reading(events=events(AURORA, "Scheduled", "Started"), jobs=[job()])
    (busy, idle) = find_callers(told, also={SYNC.id, OTHER.id, "u-nobody"})
    assert (busy.user_id, busy.ask) == (SYNC.id, "")
    assert (idle.user_id, idle.deletions, idle.accepted) == (OTHER.id, (), ())
    assert "it was fenced before, and that fence is gone" in idle.ask


def test_when_each_deletion_of_a_caller_was_accepted_is_told_by_its_first_event_or_its_job() -> None:
    (caller,) = find_callers(reading(events=events(AURORA, "Scheduled", "Started"), jobs=[job()]))
    assert len(caller.accepted) == 1
    (caller,) = find_callers(reading(events=None, jobs=[job()]))
    assert caller.accepted == (job().created,)


def test_a_caller_that_is_not_listed_any_more_cannot_be_resolved() -> None:
    ghost = User("u-ghost", "ghost", "e", "G", "H", "enabled", "a-ghost", "ghost", "id:ROOT")
    (caller,) = find_callers(
        reading(events=events(AURORA, "Scheduled", "Started", user=ghost), jobs=[job(user=ghost)])
    )
    assert (caller.user_id, caller.state) == ("u-ghost", "")
    assert "lists no user" in caller.ask
