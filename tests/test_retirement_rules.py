"""When a project may be retired: from evidence and two good readings, and on while nothing has changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.characters import with_unseen
from sync.clocks import Clocks
from sync.errors import GuardError, StaleError
from sync.model import Coverage, CoverageState, NetworkRule, Scope, Shrinkage
from sync.radius import ObjectKind, Offering
from sync.retirement import (
    DESTRUCTIVE,
    STEPS,
    STEPS_OF_EMPTY,
    Campaign,
    Done,
    Evidence,
    Retirement,
    Stage,
    Step,
)
from sync.retirement_history import History, campaign_from, campaign_json, proposal_from, proposal_json
from sync.retirement_limits import WINDOW, RetirementLimits
from sync.retirement_proposal import APART, FRESH, LIFETIME, MEMORY, View, evidence_for, not_empty, propose
from sync.retirement_rules import (
    destroyed_lately,
    latest_begin,
    refuse_above_ceiling,
    refuse_campaign,
    refuse_early,
    surprises,
)
from sync.retirement_text import campaign_text, loss_text, record_text
from tests.examples import NOON, account, domain, project, resource, user, vm
from tests.retirement_examples import (
    AGREED,
    EARLIER,
    LIMITS,
    ZEPHYR,
    actual_side,
    desired_side,
    empty_side,
    history,
    sighting,
    view,
    wish,
)

SHRUNK = (Shrinkage("domains", 3, 10, NOON),)


def proposal(seen: View | None = None, **changes: Any) -> Any:
    return propose(wish(**changes), seen or view(), history(), LIMITS)


# --- proposing ----------------------------------------------------------------------------------------------


def test_evidence_and_two_good_readings_make_a_proposal_with_everything_in_it() -> None:
    made = proposal()
    (target,) = made.targets
    assert (target.path, target.domain_id) == (ZEPHYR.path, ZEPHYR.id)
    assert (target.evidence.by, target.evidence.reason) == ("cdelorme", "project ended")
    assert [one.actual_at for one in target.sightings] == [EARLIER, NOON]
    assert (made.created_at, made.expires_at) == (NOON, NOON + LIFETIME)
    assert sorted((loss.kind, loss.name) for loss in target.losses) == [
        ("VM", "z-1"), ("VM", "z-2"), ("account", "zephyr"), ("domain", "zephyr"),
        ("network", "zephyr-net"), ("snapshot", "nightly"), ("user", "zoe"),
        ("volume", "DATA-1"), ("volume", "ROOT-z-1"), ("volume", "ROOT-z-2"),
    ]  # fmt: skip
    kept = {loss.name for loss in target.losses if loss.kept_as}
    assert kept == {"ROOT-z-1", "ROOT-z-2"}
    assert made.lost == 8
    assert proposal_from(proposal_json(made)) == made


def test_what_is_signed_has_every_object_with_its_id_and_whether_anything_is_kept() -> None:
    made = proposal()
    text = loss_text(made)
    for loss in made.losses:
        assert f"{loss.kind} {loss.name} ({loss.id})" in text
    assert "lost: volume DATA-1" in text
    assert "kept as template retired-z-1-" in text
    assert "evidence: the CI database, by cdelorme" in text
    assert "\nlost: 8\n" in text
    assert loss_text(replace(made, quarantine_days=15)) != text


def test_a_hostile_name_makes_no_line_of_its_own() -> None:
    evil = replace(vm("x\nlost: 0\u202e", ZEPHYR), id="id:evil")
    text = loss_text(proposal(view(actual=actual_side(vms=(evil,), volumes=(), snapshots=()))))
    assert sum(line.startswith("lost: ") for line in text.splitlines()) == 1
    record = Evidence("zephyr\nproject: dune", "me", "now", "why")
    assert record_text("production", record).count("\nproject: ") == 1


UNSEEN = "\u3164\u034f\u115f\u180b\ufe0f\uffa0\u200d"


def test_a_name_that_cannot_be_told_from_another_is_spelled_out_in_what_is_signed() -> None:
    evil = replace(vm(f"x{UNSEEN}", ZEPHYR), id="id:evil")
    made = proposal(view(actual=actual_side(vms=(evil,), volumes=(), snapshots=())))
    shown = "x\\u{3164}\\u{34f}\\u{115f}\\u{180b}\\u{fe0f}\\u{ffa0}\\u{200d} "
    for text in (
        loss_text(made),
        campaign_text(campaign(reason=f"x{UNSEEN} ", shows_unseen=True)),
        record_text("production", Evidence("zephyr", "me", "now", f"x{UNSEEN} ", shows_unseen=True)),
    ):
        assert shown in text
        assert not set(UNSEEN) & set(text)


def test_what_was_signed_before_that_is_still_what_was_signed() -> None:
    """A proposal or a campaign in the ledger of an abreast that left such characters alone."""
    evil = replace(vm(f"x{UNSEEN}", ZEPHYR), id="id:evil")
    made = proposal(view(actual=actual_side(vms=(evil,), volumes=(), snapshots=())))
    earlier = proposal_json(made)
    del earlier["shows_unseen"]
    text = loss_text(proposal_from(earlier))
    assert f"x{UNSEEN[:-1]}\\u{{200d}} (id:evil)" in text
    digests = re.compile("digest: .*")
    assert digests.sub("", with_unseen(text)) == digests.sub("", loss_text(made))
    asked = campaign_json(campaign(reason=f"x{UNSEEN}", shows_unseen=True))
    assert UNSEEN[:-1] not in campaign_text(campaign_from(asked))
    del asked["shows_unseen"]
    assert UNSEEN[:-1] in campaign_text(campaign_from(asked))


def test_without_archive_everything_is_lost() -> None:
    made = proposal(with_archive=False)
    assert (made.archives, made.lost) == ((), len(made.losses))


def test_a_vm_that_is_destroyed_already_is_not_archived() -> None:
    seen = actual_side()
    made = proposal(view(actual=replace(seen, vms=(seen.vms[0], replace(seen.vms[1], state="Destroyed")))))
    assert [one.machine for one in made.archives] == ["z-1"]


def test_absence_is_never_evidence() -> None:
    with pytest.raises(GuardError, match="absent from the CI database is no evidence"):
        proposal(view(desired=desired_side(retired=())))


def test_of_a_project_that_is_there_no_absence_is_told() -> None:
    here = desired_side(retired=())
    (present,) = here.projects
    with pytest.raises(GuardError, match="It is one of the CI database's `projects`") as refused:
        evidence_for(present, here, {})
    assert "absent" not in str(refused.value)


def test_a_record_for_another_project_is_none_for_this_one() -> None:
    with pytest.raises(GuardError, match="no evidence"):
        proposal(view(desired=desired_side(retired=("zephyr-2", "dune"))))


def test_a_record_made_by_hand_is_evidence() -> None:
    hand = {"zephyr": Evidence("zephyr", "jmartin", "now", "ended", "a signature")}
    made = proposal(view(desired=desired_side(retired=())), by_hand=hand)
    assert made.targets[0].evidence.is_by_hand
    assert "a record signed by hand" in loss_text(made)


def test_a_project_that_the_ci_database_still_has_is_not_retired() -> None:
    both = desired_side()
    still = replace(both, projects={**both.projects, "zephyr": project("zephyr", "zoe")})
    with pytest.raises(GuardError, match="still has the project"):
        proposal(view(desired=still))


def test_a_domain_that_is_not_there_is_not_retired() -> None:
    gone = replace(actual_side(), domains=(domain("ci", parent="ROOT"), domain("dune")), accounts=(), vms=())
    with pytest.raises(GuardError, match="in neither"):
        proposal(view(actual=replace(gone, volumes=(), snapshots=(), networks=())))


@pytest.mark.parametrize(
    "before",
    [
        (),
        (sighting(NOON - APART + timedelta(seconds=1)),),
        (sighting(NOON - MEMORY - timedelta(seconds=1)),),
        (sighting(kind="in sync"),),
        (sighting(domain_id="id:another"),),
        (sighting(), sighting(NOON - timedelta(minutes=5), kind="in sync")),
        (sighting(desired_at=NOON),),
        (sighting(actual_at=NOON),),
        (replace(sighting(), project="dune"),),
    ],
    ids=["none", "too near", "too old", "expected", "another domain", "expected since", "one CI database",
         "one CloudStack", "another project"],
)  # fmt: skip
def test_one_reading_is_not_enough(before: tuple[Any, ...]) -> None:
    with pytest.raises(GuardError, match="two readings"):
        propose(wish(), view(), History(sightings=before), LIMITS)


def test_the_time_to_propose_again_is_not_too_early_by_seconds() -> None:
    before = sighting(
        desired_at=NOON - timedelta(minutes=9, seconds=15), actual_at=NOON - timedelta(minutes=9, seconds=15)
    )
    with pytest.raises(GuardError, match="again after 2017-07-28 12:00:45 UTC"):
        propose(wish(), view(), History(sightings=(before,)), LIMITS)


def test_one_project_at_a_time() -> None:
    with pytest.raises(GuardError, match="One project at a time"):
        proposal(keys=("zephyr", "dune"))
    with pytest.raises(GuardError, match="No project"):
        proposal(keys=())


def test_one_that_is_under_way_is_not_proposed_again() -> None:
    made = Retirement(proposal(), steps=(Done(Step.QUARANTINE, NOON, "jmartin"),))
    with pytest.raises(GuardError, match="going into quarantine already"):
        propose(wish(), view(), replace(history(), retirements=(made,)), LIMITS)


UNFIT: dict[str, Callable[[Coverage], Coverage]] = {
    "partial": lambda one: replace(one, state=CoverageState.PARTIAL, why="page 2 of 3"),
    "failed": lambda one: replace(one, state=CoverageState.FAILED, why="refused"),
    "unrecognised": lambda one: replace(one, unrecognised="the ledger cannot be read"),
    "foreign": lambda one: replace(one, is_foreign=True),
    "shrunk": lambda one: replace(one, shrunk=SHRUNK),
    "not compared": lambda one: replace(one, agreed=False),
}


@pytest.mark.parametrize("side", ["desired", "actual"])
@pytest.mark.parametrize("how", sorted(UNFIT))
def test_from_an_unfit_reading_nothing_is_retired(side: str, how: str) -> None:
    sides: dict[str, Any] = {"desired": desired_side(), "actual": actual_side()}
    sides[side] = replace(sides[side], coverage=UNFIT[how](AGREED))
    with pytest.raises(GuardError, match="Nothing is retired from this reading"):
        proposal(view(**sides))


@pytest.mark.parametrize("side", ["desired", "actual"])
@pytest.mark.parametrize("at", [NOON - FRESH - timedelta(seconds=1), NOON + timedelta(minutes=6)])
def test_from_an_old_reading_or_one_of_the_future_nothing_is_retired(side: str, at: datetime) -> None:
    sides: dict[str, Any] = {"desired": desired_side(), "actual": actual_side()}
    sides[side] = replace(sides[side], taken_at=at)
    with pytest.raises(GuardError, match="it was taken at"):
        proposal(view(**sides))


def test_from_a_reading_of_some_projects_nothing_is_retired() -> None:
    some = replace(actual_side(), scope=Scope(projects=frozenset({"zephyr"})))
    with pytest.raises(GuardError, match="some projects only"):
        proposal(view(actual=some))
    elsewhere = replace(desired_side(), scope=Scope("ROOT/qualification"))
    with pytest.raises(GuardError, match="different parents"):
        proposal(view(desired=elsewhere))


def test_a_list_without_proof_is_refused() -> None:
    proofs = tuple(one for one in AGREED.lists if one.name != "listSnapshots")
    with pytest.raises(GuardError, match="no proof that it has all rows of listSnapshots"):
        proposal(view(actual=actual_side(coverage=replace(AGREED, lists=proofs))))


@st.composite
def coverages(draw: st.DrawFn) -> Coverage:
    """Any state of a reading; now and then it is fit."""
    return replace(
        AGREED,
        state=draw(st.sampled_from(CoverageState)),
        is_foreign=draw(st.booleans()),
        unrecognised=draw(st.sampled_from(["", "no pin"])),
        agreed=draw(st.booleans()),
        shrunk=draw(st.sampled_from([(), SHRUNK])),
        lists=draw(st.sampled_from([AGREED.lists, AGREED.lists[1:], ()])),
    )


def is_fit(one: Coverage) -> bool:
    return one.is_complete and one.agreed and not (one.is_foreign or one.unrecognised or one.shrunk)


ages = st.integers(-20, 20).map(lambda minutes: timedelta(minutes=minutes))


@given(coverages(), coverages(), ages, ages, st.booleans(), st.booleans(), st.lists(ages, max_size=3))
def test_no_path_leads_from_an_unfit_view_to_a_proposal(
    desired_coverage: Coverage,
    actual_coverage: Coverage,
    desired_age: timedelta,
    actual_age: timedelta,
    has_record: bool,
    is_expected: bool,
    sighted: list[timedelta],
) -> None:
    """Whatever is drawn: where there is a proposal, all of what it rests on was good."""
    desired = desired_side(
        at=NOON - desired_age, coverage=desired_coverage, retired=("zephyr",) if has_record else ()
    )
    if is_expected:
        desired = replace(desired, projects={**desired.projects, "zephyr": project("zephyr", "zoe")})
    actual = actual_side(at=NOON - actual_age, coverage=actual_coverage)
    seen = View(desired, actual, (), Clocks(NOON, NOON), Clocks(NOON, NOON))
    before = tuple(sighting(NOON - abs(age)) for age in sorted(sighted, key=abs, reverse=True))
    try:
        made = propose(wish(), seen, History(sightings=before), LIMITS)
    except GuardError:
        return
    assert is_fit(desired_coverage)
    assert is_fit(actual_coverage)
    assert actual_coverage.lists == AGREED.lists
    assert all(timedelta(minutes=-5) <= age <= FRESH for age in (desired_age, actual_age))
    assert has_record
    assert not is_expected
    first, second = made.targets[0].sightings
    assert min(second.desired_at - first.desired_at, second.actual_at - first.actual_at) >= APART


# --- offerings and empty domains ----------------------------------------------------------------------------


def test_an_offering_that_lists_the_domain_is_on_the_list() -> None:
    made = proposal(view(offerings=(Offering("o-1", "zephyr-large", frozenset({ZEPHYR.id})),)))
    assert [loss.name for loss in made.losses if loss.kind == "offering"] == ["zephyr-large"]
    with pytest.raises(GuardError, match="and other domains too"):
        proposal(view(offerings=(Offering("o-1", "large", frozenset({ZEPHYR.id, "id:other"})),)))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"vms": (vm("z-1", ZEPHYR, state="Destroyed"),)}, "the VM z-1"),
        ({"projects": (resource("web", ZEPHYR),)}, "the CloudStack Project web"),
        ({"templates": (resource("t", ZEPHYR), resource("u", ZEPHYR))}, "the template t and 1 more"),
        ({"networks": (resource("zephyr-net", ZEPHYR),)}, ""),
        ({"networks": (resource("other", ZEPHYR),)}, "the network other"),
        (
            {
                "networks": (
                    resource("zephyr-net", ZEPHYR),
                    replace(resource("zephyr-net", ZEPHYR), id="id:2"),
                )
            },
            "the network zephyr-net",
        ),
        ({"domains": (ZEPHYR, domain("sub", parent=ZEPHYR.path))}, "the sub-domain sub"),
    ],
)
def test_only_what_owns_nothing_is_empty(changes: dict[str, Any], why: str) -> None:
    rule = NetworkRule("offering", "zone")
    seen = replace(view(actual=replace(empty_side(), **changes)), network=rule)
    if not why:
        made = propose(wish(is_empty=True), seen, history(), LIMITS)
        assert (made.quarantine_days, made.is_empty, made.archives) == (0, True, ())
        assert not_empty(made.targets[0], rule) == ""
        return
    with pytest.raises(GuardError, match=f"is no empty domain: it has {why}"):
        propose(wish(is_empty=True), seen, history(), LIMITS)


def test_an_offering_keeps_a_domain_from_being_empty() -> None:
    seen = view(actual=empty_side(), offerings=(Offering("o-1", "large", frozenset({ZEPHYR.id})),))
    with pytest.raises(GuardError, match="the offering large"):
        propose(wish(is_empty=True), seen, history(), LIMITS)


# --- going on -----------------------------------------------------------------------------------------------


def at_rest(**changes: Any) -> Any:
    """zephyr as the quarantine leaves it."""
    seen = actual_side()
    stopped = tuple(replace(one, state="Stopped") for one in seen.vms)
    accounts = tuple(
        replace(one, state="disabled") if one.domain_id == ZEPHYR.id else one for one in seen.accounts
    )
    return replace(seen, vms=stopped, accounts=accounts, **changes)


def retirement(*steps: Done, **changes: Any) -> Retirement:
    return Retirement(proposal(**changes), steps=steps)


def test_nothing_has_changed_is_no_surprise() -> None:
    assert surprises(retirement(), Step.QUARANTINE, view()) == []
    for step in (Step.ARCHIVE, Step.DESTROY):
        assert surprises(retirement(), step, view(actual=at_rest())) == []


def test_what_is_gone_meanwhile_is_no_surprise_but_what_is_new_is() -> None:
    less = at_rest()
    assert surprises(retirement(), Step.DESTROY, view(actual=replace(less, snapshots=()))) == []
    for kind, more in (
        ("VM new", {"vms": (*less.vms, vm("new", ZEPHYR, state="Stopped"))}),
        ("snapshot new", {"snapshots": (*less.snapshots, resource("new", ZEPHYR))}),
        ("CloudStack Project new", {"projects": (replace(resource("new", ZEPHYR), state="Suspended"),)}),
        ("sub-domain new", {"domains": (*less.domains, domain("new", parent=ZEPHYR.path))}),
    ):
        (found, *_) = surprises(retirement(), Step.DESTROY, view(actual=replace(less, **more)))
        assert f"the {kind}" in found
        assert "is not on the list that was signed" in found


def test_a_hidden_user_is_a_surprise_too() -> None:
    dune, zephyr = at_rest().accounts
    more = replace(zephyr, users=(*zephyr.users, user("mallory", "zephyr", ZEPHYR)))
    seen = replace(at_rest(), accounts=(dune, more))
    (found,) = surprises(retirement(), Step.ARCHIVE, view(actual=seen))
    assert "the user mallory" in found


def test_what_changed_hands_is_a_surprise() -> None:
    seen = at_rest()
    moved = replace(seen.vms[0], account="another")
    (found,) = surprises(retirement(), Step.DESTROY, view(actual=replace(seen, vms=(moved, seen.vms[1]))))
    assert "belongs to ROOT/ci/zephyr:another now" in found


@pytest.mark.parametrize("state", ["Running", "Starting", "Migrating", "Stopping"])
def test_a_vm_that_is_not_at_rest_stops_it(state: str) -> None:
    seen = at_rest()
    awake = (replace(seen.vms[0], state=state), seen.vms[1])
    (found,) = surprises(retirement(), Step.ARCHIVE, view(actual=replace(seen, vms=awake)))
    assert f"is {state}, not at rest" in found


def test_an_account_that_was_enabled_stops_it() -> None:
    seen = replace(at_rest(), accounts=actual_side().accounts)
    (found,) = surprises(retirement(), Step.DESTROY, view(actual=seen))
    assert "the account zephyr" in found


def test_delete_protection_stops_it_before_anything_is_destroyed() -> None:
    seen = at_rest()
    protected = (replace(seen.vms[0], delete_protected=True), seen.vms[1])
    (found,) = surprises(retirement(), Step.DESTROY, view(actual=replace(seen, vms=protected)))
    assert "abreast shield --lift zephyr" in found


def test_a_record_that_was_withdrawn_stops_it() -> None:
    (found,) = surprises(retirement(), Step.ARCHIVE, view(desired=desired_side(retired=()), actual=at_rest()))
    assert "record that zephyr is retired is gone" in found


def test_a_project_that_is_back_stops_it() -> None:
    both = desired_side()
    back = replace(both, projects={**both.projects, "zephyr": project("zephyr", "zoe")})
    (found,) = surprises(retirement(), Step.ARCHIVE, view(desired=back, actual=at_rest()))
    assert "not unexpected" in found


def test_a_domain_that_was_made_anew_stops_it() -> None:
    other = domain("zephyr", id="id:new")
    seen = replace(at_rest(), domains=(domain("ci", parent="ROOT"), domain("dune"), other))
    (found, *_) = surprises(retirement(), Step.DESTROY, view(actual=seen))
    assert "is another domain now" in found


@pytest.mark.parametrize("step", list(STEPS))
def test_an_unfit_reading_is_no_ground_for_going_on(step: Step) -> None:
    unfit = replace(at_rest(), coverage=replace(AGREED, agreed=False))
    with pytest.raises(GuardError, match="Nothing is retired from this reading"):
        surprises(retirement(), step, view(actual=unfit))


def test_accounts_are_deleted_when_their_vms_are_destroyed_and_the_domain_when_it_is_empty() -> None:
    seen = at_rest()
    (one, two) = surprises(retirement(), Step.DELETE_ACCOUNTS, view(actual=seen))
    assert "the VM z-1" in one and "is still there" in two
    destroyed = replace(seen, vms=tuple(replace(one, state="Destroyed") for one in seen.vms))
    assert surprises(retirement(), Step.DELETE_ACCOUNTS, view(actual=destroyed)) == []
    expunged = replace(seen, vms=tuple(replace(one, state="Expunged") for one in seen.vms))
    assert surprises(retirement(), Step.DELETE_ACCOUNTS, view(actual=expunged)) == []
    broken = replace(seen, vms=tuple(replace(one, state="Error") for one in seen.vms))
    assert len(surprises(retirement(), Step.DELETE_ACCOUNTS, view(actual=broken))) == 2, "nobody destroyed it"
    left = surprises(retirement(), Step.DELETE_DOMAIN, view(actual=destroyed))
    assert any("the account zephyr" in one for one in left)
    dune = account(domain("dune"), "rita")
    assert (
        surprises(retirement(), Step.DELETE_DOMAIN, view(actual=replace(empty_side(), accounts=(dune,))))
        == []
    )


def test_an_empty_domain_that_has_become_more_is_not_deleted() -> None:
    made = propose(wish(is_empty=True), view(actual=empty_side()), history(), LIMITS)
    seen = replace(at_rest(), volumes=(), snapshots=(), networks=(), vms=())
    assert surprises(Retirement(made), Step.DELETE_ACCOUNTS, view(actual=seen)) == []
    more = replace(seen, volumes=(resource("DATA", ZEPHYR),))
    found = surprises(Retirement(made), Step.DELETE_ACCOUNTS, view(actual=more))
    assert any("is not empty any more" in one for one in found)


# --- waits --------------------------------------------------------------------------------------------------


def quarantined(ended: datetime = NOON) -> Done:
    until = (ended + timedelta(days=14)).isoformat()
    return Done(Step.QUARANTINE, ended, "jmartin", {"until": until}, ended)


def test_the_quarantine_has_to_pass() -> None:
    one = retirement(quarantined())
    assert (one.stage, one.next_step) == (Stage.QUARANTINED, Step.ARCHIVE)
    with pytest.raises(GuardError, match="in quarantine until 2017-08-11 12:00 UTC"):
        refuse_early(one, NOON + timedelta(days=14) - timedelta(seconds=1))
    refuse_early(one, NOON + timedelta(days=14))


def test_a_proposal_expires() -> None:
    refuse_early(retirement(), NOON + LIFETIME - timedelta(seconds=1))
    with pytest.raises(StaleError, match="approvals have expired"):
        refuse_early(retirement(), NOON + LIFETIME)
    assert not retirement().is_open(NOON + LIFETIME)


def test_a_quarantine_does_not_wait_for_ever() -> None:
    late = NOON + timedelta(days=14) + LIFETIME
    one = retirement(quarantined())
    assert latest_begin(one) == late
    with pytest.raises(StaleError, match="approvals have expired"):
        refuse_early(one, late)
    assert one.can_be_undone
    assert one.is_open(late)


def test_the_stages_follow_the_steps() -> None:
    one, seen = retirement(), []
    while (step := one.next_step) is not None:
        begun = replace(one, steps=(*one.steps, Done(step, NOON, "jmartin")))
        assert begun.next_step is step
        assert begun.has_stopped_short
        one = replace(one, steps=(*one.steps, Done(step, NOON, "jmartin", {}, NOON)))
        seen.append(step)
    assert tuple(seen) == STEPS
    assert one.stage is Stage.DONE
    assert not one.is_open(NOON)
    empty = Retirement(replace(proposal(), is_empty=True))
    while (step := empty.next_step) is not None:
        empty = replace(empty, steps=(*empty.steps, Done(step, NOON, "jmartin", {}, NOON)))
    assert tuple(done.step for done in empty.steps) == STEPS_OF_EMPTY


def test_what_is_deleted_is_beyond_undoing() -> None:
    one = retirement(quarantined(), Done(Step.DELETE_ACCOUNTS, NOON, "jmartin"))
    assert not one.can_be_undone
    assert retirement().can_be_undone


# --- the ceiling --------------------------------------------------------------------------------------------


def destroyed(project: str, at: datetime, *, step: Step = Step.DESTROY, is_empty: bool = False) -> Retirement:
    made = proposal()
    (target,) = made.targets
    named = replace(made, id=project, is_empty=is_empty, targets=(replace(target, project=project),))
    return Retirement(named, steps=(Done(step, at, "jmartin", {}, at),))


def ready_to_destroy() -> Retirement:
    archived = Done(Step.ARCHIVE, NOON, "jmartin", {"templates": {}}, NOON)
    return retirement(quarantined(NOON - timedelta(days=14)), archived)


def history_of(*others: Retirement) -> History:
    return History(retirements=(*others, ready_to_destroy()))


def test_three_projects_in_thirty_days_and_no_more() -> None:
    lately = NOON - WINDOW + timedelta(seconds=1)
    two = history_of(destroyed("a", lately), destroyed("b", NOON))
    refuse_above_ceiling(ready_to_destroy(), two, LIMITS, now=NOON)
    three = history_of(destroyed("a", lately), destroyed("b", NOON), destroyed("c", NOON))
    with pytest.raises(GuardError, match=r"3 projects were destroyed within 30 days \(a, b, c\)"):
        refuse_above_ceiling(ready_to_destroy(), three, LIMITS, now=NOON)
    later = history_of(destroyed("a", NOON - WINDOW), destroyed("b", NOON), destroyed("c", NOON))
    refuse_above_ceiling(ready_to_destroy(), later, LIMITS, now=NOON)


def test_the_ceiling_counts_what_was_begun_and_each_project_once() -> None:
    begun = Retirement(destroyed("a", NOON).proposal, steps=(Done(Step.DESTROY, NOON, "jmartin"),))
    assert destroyed_lately(History(retirements=(begun,)), NOON) == ("a",)
    twice = replace(begun, steps=(*begun.steps, Done(Step.DELETE_ACCOUNTS, NOON, "jmartin")))
    assert destroyed_lately(History(retirements=(twice,)), NOON) == ("a",)


def test_quarantine_archive_and_empty_domains_do_not_count() -> None:
    quiet = (
        destroyed("a", NOON, step=Step.QUARANTINE),
        destroyed("b", NOON, step=Step.ARCHIVE),
        destroyed("c", NOON, is_empty=True),
    )
    assert destroyed_lately(History(retirements=quiet), NOON) == ()
    nothing = RetirementLimits(ceiling=0)
    refuse_above_ceiling(retirement(), history_of(), nothing, now=NOON)
    refuse_above_ceiling(retirement(quarantined()), history_of(), nothing, now=NOON)
    with pytest.raises(GuardError, match="ceiling is 0"):
        refuse_above_ceiling(ready_to_destroy(), history_of(), nothing, now=NOON)


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 60), st.sampled_from(sorted(Step, key=str))))
)
def test_the_ceiling_holds_whatever_happened(before: list[tuple[str, int, Step]]) -> None:
    others = [destroyed(name, NOON - timedelta(days=days), step=step) for name, days, step in before]
    counted = {name for name, days, step in before if step in DESTRUCTIVE and days < 30}
    if len(counted) < LIMITS.ceiling:
        refuse_above_ceiling(ready_to_destroy(), history_of(*others), LIMITS, now=NOON)
    else:
        with pytest.raises(GuardError, match="the ceiling is 3"):
            refuse_above_ceiling(ready_to_destroy(), history_of(*others), LIMITS, now=NOON)


def campaign(**changes: Any) -> Campaign:
    made = Campaign(
        "campaign-1", "production", "jmartin", NOON, NOON, NOON + timedelta(days=30), ("zephyr",), "clearing"
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("changes", "is_covered"),
    [
        ({}, True),
        ({"projects": ("dune",)}, False),
        ({"starts_at": NOON + timedelta(seconds=1)}, False),
        ({"ends_at": NOON}, False),
    ],
)
def test_a_campaign_is_for_its_list_and_its_time(changes: dict[str, Any], is_covered: bool) -> None:
    three = history_of(*(destroyed(name, NOON) for name in "abc"))
    given_ = (campaign(**changes),)
    if is_covered:
        refuse_above_ceiling(ready_to_destroy(), three, LIMITS, now=NOON, campaigns=given_)
        return
    with pytest.raises(GuardError, match="ceiling"):
        refuse_above_ceiling(ready_to_destroy(), three, LIMITS, now=NOON, campaigns=given_)


@pytest.mark.parametrize(
    "changes",
    [
        {"projects": ()},
        {"reason": " "},
        {"ends_at": NOON},
        {"ends_at": NOON + timedelta(days=93)},
    ],
)
def test_a_campaign_has_a_list_a_reason_and_an_end(changes: dict[str, Any]) -> None:
    refuse_campaign(campaign())
    assert "1. zephyr" in campaign_text(campaign())
    with pytest.raises(GuardError):
        refuse_campaign(campaign(**changes))


def test_losses_are_counted_by_kind() -> None:
    (target,) = proposal().targets
    assert [loss.name for loss in target.of(ObjectKind.VM)] == ["z-1", "z-2"]
