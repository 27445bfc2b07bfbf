"""What the incident report says of deletions: each with time, caller, event; what nobody knows any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sync import report as reports
from sync.deletions import Kind
from sync.drift import compare
from sync.ledger_entries import NO_HASH, Entry, EntryKind, stamp
from sync.loss_ledger import Fate, Loss, LossLedger, ProjectLosses
from sync.report import Report
from sync.report_back import Returned
from sync.report_deletions import Deletions, Recording, deletions
from sync.report_text import markdown, page
from sync.unrecorded import Record, Recorded
from tests.examples import NOON, PARENT, actual, desired
from tests.test_deletions import AURORA, BOREAL, CIRRUS, OTHER, Event, events

ALL = ("Scheduled", "Started", "Completed")
MADE_AT = NOON + timedelta(hours=2)
SAVED = "the evidence that ben@desk saved at 2017-07-28 13:30:00"
PATHS = {one.id: one.path for one in (AURORA, BOREAL, CIRRUS)}


def lost(*losses: tuple[str, str]) -> LossLedger:
    """Id and path of domains that are gone."""
    objects = tuple(Loss("domain", id, path.rpartition("/")[2], path, "", Fate.LOST) for id, path in losses)
    return LossLedger(NOON, MADE_AT, (ProjectLosses("x", "x", objects),))


def told(
    *of: list[Event],
    record: Record | None = None,
    entries: Iterable[Entry] = (),
    losses: LossLedger | None = None,
    seen: dict[str, datetime] | None = None,
    problem: str = "",
    recordings: Iterable[Recording] = (),
) -> Deletions:
    return deletions(
        [event for one in of for event in one],
        record or Record(),
        entries,
        losses or lost(),
        since=NOON,
        made_at=MADE_AT,
        parent=PARENT,
        paths=PATHS,
        last_captured=seen or {},
        recordings=recordings,
        problem=problem,
    )


def entry(seq: int, kind: EntryKind, /, *, operator: str = "anna@desk", **payload: object) -> Entry:
    at = NOON + timedelta(seconds=seq)
    return Entry(seq, "lab", None, kind, at, operator, payload, NO_HASH, "f" * 64)


def report(found: Deletions, *entries: Entry) -> Report:
    return reports.build(
        entries,
        environment="lab",
        since=NOON,
        made_at=MADE_AT,
        made_by="anna@desk",
        losses=lost(),
        drift=compare(desired(), actual()),
        headline="3 projects have no domain.",
        back=Returned(),
        deletions=found,
    )


def test_each_deletion_is_in_table_and_timeline_with_time_caller_and_event() -> None:
    found = told(events(AURORA, *ALL), events(BOREAL, "Scheduled", "Started", at=60))
    pinned = entry(30, EntryKind.PINNED, endpoint="https://cloud", root_id="r", reason="")
    made = report(found, pinned)
    assert [(one.at, one.by, one.what) for one in made.timeline] == [
        (
            NOON,
            "ci-sync/ci-sync",
            "deletion of domain ROOT/ci/aurora, ended at 12:00:00, not in the ledger",
        ),
        (pinned.at, "anna@desk", "environment pinned: https://cloud with ROOT domain r, at first use"),
        (
            NOON + timedelta(seconds=60),
            "ci-sync/ci-sync",
            "deletion of domain ROOT/ci/boreal, not ended, not in the ledger",
        ),
    ]
    text = markdown(made)
    assert (
        "2 deletions by ci-sync/ci-sync, submitted from 2017-07-28 12:00:00 to 2017-07-28 12:01:00 UTC; "
        "1 of them had not ended when this was made." in text
    )
    assert "None of it is in the ledger: nobody approved it here" in text
    row = ("2017-07-28 12:00:00", "domain ROOT/ci/aurora", "ci-sync/ci-sync", "2017-07-28 12:00:00")
    assert f"| {' | '.join(row)} | e-aurora-0 | no |" in text
    assert "e-boreal-60" in page(made)
    assert text.index("## What was lost") < text.index("## What was deleted") < text.index("## Timeline")


def test_what_people_here_approved_and_what_was_refused_and_what_is_elsewhere_is_told_apart() -> None:
    ours = Record((Recorded(Kind.DOMAIN, AURORA.id, NOON, NOON),))
    elsewhere = replace(CIRRUS, id="id:far")
    found = deletions(
        [
            *events(AURORA, *ALL),
            *events(BOREAL, *ALL, at=5, user=OTHER),
            *events(CIRRUS, *ALL, at=9, failed=True),
            *events(elsewhere, *ALL, at=11),
            *events(BOREAL, *ALL, at=-9),
        ],
        ours,
        (),
        lost(),
        since=NOON,
        made_at=MADE_AT,
        parent=PARENT,
        paths={**PATHS, "id:far": "ROOT/other/cirrus"},
        last_captured={},
    )
    assert [(one.label, one.is_recorded) for one in found.found] == [
        ("domain ROOT/ci/aurora", True),
        ("domain ROOT/ci/boreal", False),
    ]
    said = " ".join(found.words())
    assert "2 deletions by " in said and "ci-sync/ci-sync (1)" in said and "other/other (1)" in said
    assert "1 of the 2 not in the ledger: nobody approved that here." in said
    assert "1 further attempt deleted nothing" in said
    assert "1 deletion outside of this environment" in said


def test_a_deletion_that_failed_half_way_is_one_and_a_failed_try_before_a_whole_one_is_not() -> None:
    losses = lost(("id:v", f"{BOREAL.path}/below"), ("id:w", AURORA.path))
    found = told(
        events(BOREAL, *ALL, failed=True),
        events(AURORA, *ALL, at=3, failed=True),
        events(AURORA, *ALL, at=9),
        events(CIRRUS, *ALL, at=9, failed=True),
        losses=losses,
    )
    assert [(one.label, one.has_failed) for one in found.found] == [
        ("domain ROOT/ci/boreal", True),
        ("domain ROOT/ci/aurora", False),
    ]
    said = " ".join(found.words())
    assert "; 1 failed half-way." in said and "2 further attempts deleted nothing" in said
    text = markdown(report(found))
    assert "| 2017-07-28 12:00:00, failed half-way |" in text
    assert "deletion of domain ROOT/ci/boreal, failed half-way at 12:00:00" in text


def recording(*of: list[Event], at: int = 90, by: str = "ben@desk") -> Recording:
    """Saved so many minutes after noon."""
    found = tuple(event for one in of for event in one)
    paths = {BOREAL.id: BOREAL.path}
    return Recording(f"/saved/{at}.json", NOON + timedelta(minutes=at), by, found, paths)


def test_saved_evidence_tells_what_cloudstack_has_forgotten_and_nothing_twice() -> None:
    begun, whole = events(BOREAL, "Scheduled", "Started", at=60), events(AURORA, *ALL)
    gone = events(CIRRUS, *ALL, at=120)
    found = told(whole, recordings=[recording(whole, begun, gone), recording(gone, at=30, by="cleo@desk")])
    assert [(one.label, one.is_open, one.ended_at is None, one.known_from) for one in found.found] == [
        ("domain ROOT/ci/aurora", False, False, ""),
        ("domain ROOT/ci/boreal", False, True, SAVED),
        ("domain ROOT/ci/cirrus", False, False, SAVED),
    ]
    assert "2 of the 3 only saved evidence still tells of." in list(found.words())
    made = report(found)
    assert [(one.by, one.what) for one in made.timeline] == [
        ("ci-sync/ci-sync", "deletion of domain ROOT/ci/aurora, ended at 12:00:00, not in the ledger"),
        ("ci-sync/ci-sync", f"deletion of domain ROOT/ci/boreal, not in the ledger, by {SAVED}"),
        (
            "ci-sync/ci-sync",
            f"deletion of domain ROOT/ci/cirrus, ended at 12:02:00, not in the ledger, by {SAVED}",
        ),
        ("cleo@desk", "evidence saved, of 1 deletion: /saved/30.json"),
        ("ben@desk", "evidence saved, of 3 deletions: /saved/90.json"),
    ]
    text = markdown(made)
    assert "from the ledger, the captures, saved evidence and a reading of both sides." in text
    assert "| not known | e-boreal-60 | no; known from the evidence that ben@desk saved" in text


def test_a_call_that_cloudstack_still_tells_of_is_as_it_tells() -> None:
    """What was begun in the evidence has ended since."""
    found = told(events(BOREAL, *ALL), recordings=[recording(events(BOREAL, "Scheduled", "Started"))])
    assert [(one.is_open, one.known_from) for one in found.found] == [(False, "")]
    assert found.found[0].ended_at is not None
    late = recording(events(BOREAL, *ALL, at=-60), events(AURORA, *ALL, at=-60))
    assert told(recordings=[late]).found == (), "of before that time"


def test_what_cloudstack_has_forgotten_comes_from_ledger_and_captures_or_is_said_to_be_unknown() -> None:
    looked = entry(
        90,
        EntryKind.DELETION_ACKNOWLEDGED,
        id="e-7",
        kind="domain",
        target_id=BOREAL.id,
        target="boreal",
        at=stamp(NOON + timedelta(seconds=7)),
        by="admin/sync",
        words="",
        reason="known",
    )
    losses = lost(
        (AURORA.id, AURORA.path), (BOREAL.id, BOREAL.path), (CIRRUS.id, CIRRUS.path), ("", "ROOT/ci/dune"),
        ("id:attic", f"{AURORA.path}/attic"),
    )  # fmt: skip
    found = told(events(AURORA, *ALL), entries=[looked], losses=losses, seen={CIRRUS.id: NOON})
    assert [(one.label, one.by, one.looked_at_by) for one in found.found] == [
        ("domain ROOT/ci/aurora", "ci-sync/ci-sync", ""),
        ("domain boreal", "admin/sync", "anna@desk"),
    ]
    assert [(one.label, one.last_captured) for one in found.untold] == [
        ("domain ROOT/ci/cirrus", NOON),
        ("domain ROOT/ci/dune", None),
    ], "attic went with aurora"
    text = markdown(report(found))
    assert "- domain ROOT/ci/cirrus: captured last at 2017-07-28 12:00:00" in text
    assert "- domain ROOT/ci/dune: in no capture" in text
    assert "no; known from anna@desk, who looked at it" in text
    assert "Nothing tells any more when these went, or by whom: domain ROOT/ci/cirrus, domain" in text


def test_that_nothing_could_be_read_is_no_proof_that_nothing_was_deleted() -> None:
    assert "tell of no deletion" in markdown(report(told()))
    unread = markdown(report(told(problem="CloudStack does not answer.")))
    assert "Who deleted, and when, is known in part only: CloudStack does not answer." in unread
    assert "tell of no deletion" not in unread


def test_many_deletions_are_one_moment_and_times_of_a_clock_that_is_ahead_stand_first() -> None:
    many = [events(replace(AURORA, id=f"id:{n}", name=f"p{n}"), *ALL, at=n) for n in range(60)]
    started = entry(
        1,
        EntryKind.RUN_STARTED,
        plan={"actions": [{"kind": "deploy VM"}, {"kind": "take address"}]},
        policy="rebuild",
        confirmed={"by": "anna"},
    )
    made = report(told(*many), started)
    first, second = made.timeline
    assert first.what == "the first of 60 deletions, the last one at 2017-07-28 12:00:59"
    assert second.what.startswith("run started: 2 actions, restore, confirmed by anna"), "not a rebuild"
    assert markdown(made).count("| domain p") == 60
    ahead = report(told(events(AURORA, *ALL, at=9000)), started)
    assert [one.at for one in ahead.timeline] == [NOON + timedelta(seconds=9000), started.at]
    assert "CloudStack's clock is ahead" in markdown(ahead)
    assert "CloudStack's clock is ahead" not in markdown(made)
