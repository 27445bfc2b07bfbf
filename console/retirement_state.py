"""Retirements as the console knows them: what the ledger has, who may be proposed, what is done. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sync.errors import AbreastError
from sync.model import project_key
from sync.retirement import DESTRUCTIVE, Campaign, Evidence, Proposal, Retirement, Sighting
from sync.retirement_approval import Standing, refuse_unapproved
from sync.retirement_history import History
from sync.retirement_limits import RetirementLimits
from sync.retirement_proposal import APART, View, Wish, not_empty, propose, sightings_of
from sync.retirement_rules import refuse_above_ceiling, refuse_early


@dataclass(frozen=True, slots=True)
class Candidate:
    """A project that a record of the CI database says is to go, and that CloudStack still has."""

    key: str
    path: str
    evidence: Evidence
    why_not: str = ""
    """Why it may not be proposed; empty where it may."""
    note: str = ""
    """What is to know before: that a second reading is needed first."""
    proposal: Proposal | None = None
    """What would be proposed by the last readings; None where it may not be."""
    is_empty: bool = False
    """Whether it is of the class of empty domains."""


Found = Retirement | Candidate | Campaign
"""What a line of the list is about."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the ledger and the last readings say, as of one look."""

    at: datetime
    history: History
    limits: RetirementLimits
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """By id of the retirement, of those that are open."""
    campaigns: Mapping[str, tuple[Campaign, ...]] = field(default_factory=dict)
    """Those that count now, by id of the retirement."""
    signers: Mapping[str, Standing] = field(default_factory=dict)
    """Who has signed a campaign, by its id, of those that have not ended."""
    candidates: tuple[Candidate, ...] = ()
    held: tuple[str, ...] = ()
    """What is held of containment, in words, where a step is next that destroys: it waits for that."""
    apart: str = ""
    """Why no wait can be judged, as clocks differ or are not known; empty where it can."""
    problem: str = ""
    """Why nobody can be told who may be proposed; empty where it is known."""
    without_record: int = 0
    """Domains that only CloudStack has and no record names: none of them is a candidate."""
    gone: tuple[str, ...] = ()
    """Projects that a record names and neither side has any more, nor a retirement of the ledger."""

    def find(self, key: str) -> Found | None:
        """The retirement or campaign of that id, or the candidate of that key."""
        found: Found | None = self.history.find(key)
        found = found or next((one for one in self.history.campaigns if one.id == key), None)
        return found or next((one for one in self.candidates if one.key == key), None)

    @property
    def empty_candidates(self) -> tuple[Candidate, ...]:
        return tuple(one for one in self.candidates if one.is_empty)


@dataclass(frozen=True, slots=True)
class RetireState:
    """What the App holds of retirements."""

    listing: Listing | None = None
    """None before the first look."""
    fault: str = ""
    """Why the last look failed; empty where it did not."""
    doing: str = ""
    """What is being done; empty when nothing is."""
    calls: tuple[str, ...] = ()
    """What became of each call of it, or of the last that ended."""
    result: str = ""
    """How the last one ended; it stays until something else is done."""
    is_bad: bool = False
    """Whether that is no success."""


# --- what may be done ---------------------------------------------------------------------------------------


def why_no_step(listing: Listing, retirement: Retirement, now: datetime) -> str:
    """Why the next step cannot be done now, as far as ledger and signatures tell; empty where it can.

    The step itself asks all of it again, and both sides besides.
    """
    standing = listing.standings.get(retirement.id)
    try:
        refuse_early(retirement, now)
        if listing.apart:
            return f"No wait can be judged: {listing.apart.rstrip('.')}."
        if standing is None:
            return "Its signatures have not been judged yet."
        refuse_unapproved(retirement, standing)
        step = retirement.next_step
        if step in DESTRUCTIVE and listing.held:
            return f"It waits for the containment: {'. '.join(listing.held)}."
        if step is not None and retirement.done(step) is None:
            refuse_above_ceiling(
                retirement,
                listing.history,
                listing.limits,
                now=now,
                campaigns=listing.campaigns.get(retirement.id, ()),
            )
    except AbreastError as error:
        return str(error)
    return ""


def can_be_signed(found: Retirement | Campaign, now: datetime) -> bool:
    """Whether a signature over its text would be taken."""
    if isinstance(found, Campaign):
        return now < found.ends_at
    return not found.steps and found.is_open(now)


# --- candidates ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded:
    """Whom the records of the CI database name, and whom they do not; the fields are those of a `Listing`."""

    candidates: tuple[Candidate, ...]
    without_record: int
    gone: tuple[str, ...]


def candidates_of(view: View, history: History, wish: Wish, limits: RetirementLimits) -> Recorded:
    """Everybody whom a record names and who is still there, but for open retirements; how many domains only
    CloudStack has without a record; and who is named and gone, where both sides were read whole. `wish` says
    where and by whom; its keys do not matter.
    """
    drift = view.drift
    is_whole = drift.desired.is_complete and drift.actual.is_complete
    found, named, gone = [], set(), {}
    for record in view.desired.retired:
        key = project_key(record.project)
        row, current = drift.row(key), history.current(key)
        is_there = row is not None and (row.view is not None or row.project is not None)
        named.add(key)
        if row is None and current is None and is_whole:
            gone[key] = record.project
        if row is None or not is_there or (current is not None and current.is_open(view.now)):
            continue
        path = row.view.path if row.view is not None else ""
        evidence = Evidence(record.project, record.by, record.at, record.reason)
        found.append(_judged(Candidate(key, path, evidence), view, history, wish, limits))
    unexpected = {row.key for row in drift.rows if row.project is None and row.view is not None}
    return Recorded(tuple(found), len(unexpected - named), tuple(gone.values()))


def _judged(one: Candidate, view: View, history: History, wish: Wish, limits: RetirementLimits) -> Candidate:
    """Proposed for the sake of argument, by the very rules of a proposal."""
    wish = replace(wish, keys=(one.key,), is_empty=False)
    try:
        (now,) = sightings_of(view, [one.key])
        earlier = now.since - APART if now.since is not None else None
        apart = replace(
            now, desired_at=now.desired_at - APART, actual_at=now.actual_at - APART, until=earlier
        )
        made = propose(wish, view, replace(history, sightings=(apart,)), limits)
    except AbreastError as error:
        return replace(one, why_not=str(error))
    return replace(
        one,
        proposal=made,
        is_empty=not not_empty(made.targets[0], view.network),
        note=_second_reading(one.key, now, wish, view, history, limits),
    )


def _second_reading(
    key: str, now: Sighting, wish: Wish, view: View, history: History, limits: RetirementLimits
) -> str:
    """What proposing it waits for; empty where two readings are there."""
    if not any(one.project == now.project for one in history.sightings):
        minutes = int(APART.total_seconds() // 60)
        return (
            f"Proposing {key} records the first of two readings; "
            f"the second, {minutes} minutes later, makes the proposal."
        )
    try:
        propose(wish, view, history, limits)
    except AbreastError as error:
        return str(error)
    return ""


def is_last_of(retirement: Retirement, history: History) -> bool:
    """Whether no later retirement is of the same project: an earlier one is history."""
    return all(history.current(key) == retirement for key in retirement.proposal.projects)
