"""When a retirement may go on: its waits, what must not have changed, and the ceiling over time.

Pure. What nobody signed, and what is not as it has to be, is a surprise, and stops it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sync.clocks import TOLERANCE
from sync.deletions import Kind, Situation
from sync.errors import GuardError, StaleError
from sync.machine_states import AWAKE, DESTROYED
from sync.model import DesiredInventory, DriftKind, project_key
from sync.radius import ObjectKind
from sync.retirement import DESTRUCTIVE, OFFERING, Campaign, Loss, Retirement, Step, Target
from sync.retirement_history import History
from sync.retirement_limits import WINDOW, RetirementLimits
from sync.retirement_proposal import (
    LIFETIME,
    View,
    losses_of,
    not_empty,
    refuse_unfit,
    sightings_of,
)

LONGEST_CAMPAIGN = timedelta(days=92)
_BACK = 2 * TOLERANCE
"""So far may two moments, of which each was dated by clocks that agree, seem to go back."""


def refuse_early(retirement: Retirement, now: datetime, *, latest: datetime | None = None) -> None:
    """Raises GuardError while the next step has to wait, StaleError when it is too late for it.

    `now` is what the earliest of all clocks says, by which a wait is over, and `latest`, where another one is
    later, decides whether it is too late.
    """
    step = retirement.next_step
    if step is None:
        raise GuardError(f"{retirement.proposal.name} is {retirement.stage.value}: there is no next step.")
    last = max((one.ended_by or one.begun_by for one in retirement.steps), default=now)
    if last - now > _BACK:
        raise GuardError(
            f"A step of {retirement.proposal.name} is recorded at {last:%Y-%m-%d %H:%M} UTC, which is still "
            "to come: the clock that dated it was ahead, and no wait since then is known to be over.",
            next_step="Wait until then, or undo it: there is no other way around it.",
        )
    due = max((one.waits_until for one in retirement.steps if one.waits_until), default=None)
    if due is not None and now < due:
        raise GuardError(
            f"{retirement.proposal.name} is {retirement.stage.value} until {due:%Y-%m-%d %H:%M} UTC.",
            next_step="Wait until then; there is no way around it.",
        )
    until = latest_begin(retirement)
    if until is not None and retirement.done(step) is None and (latest or now) >= until:
        raise StaleError(
            f"“{step.value}” had to begin before {until:%Y-%m-%d %H:%M} UTC: its approvals have expired.",
            next_step="Undo what was done, and propose it anew.",
        )


def latest_begin(retirement: Retirement) -> datetime | None:
    """Until when the next step may begin; None where it may at any time."""
    step = retirement.next_step
    if step is Step.QUARANTINE:
        return retirement.proposal.expires_at
    quarantined = retirement.done(Step.QUARANTINE)
    if step in (Step.ARCHIVE, Step.DESTROY) and quarantined is not None and quarantined.ended_at is not None:
        days = timedelta(days=retirement.proposal.quarantine_days)
        return quarantined.ended_at + days + LIFETIME
    return None


def surprises(retirement: Retirement, step: Step, view: View, *, gone: Collection[str] = ()) -> list[str]:
    """What is not as it was signed or has to be, in words; empty where the step may go on.

    `gone` are ids of domains that this very step has deleted already. Raises GuardError for unfit readings.
    """
    refuse_unfit(view)
    found: list[str] = []
    for target in retirement.proposal.targets:
        if target.domain_id not in gone:
            found += _surprises(retirement, target, step, view)
    return found


def _surprises(retirement: Retirement, target: Target, step: Step, view: View) -> list[str]:
    (now,) = sightings_of(view, [target.project])
    if now.kind != DriftKind.UNEXPECTED.value:
        return [f"{target.project} is {now.kind} now, not unexpected"]
    if now.domain_id != target.domain_id:
        return [f"{target.path} is another domain now ({now.domain_id})"]
    found = []
    if not target.evidence.is_by_hand and not _has_record(view.desired, target.project):
        found.append(f"the CI database's record that {target.project} is retired is gone")
    losses, _ = losses_of(target.path, view)
    found += _unsigned(target, losses)
    if step is not Step.QUARANTINE:
        found += _not_quiet(losses)
    if step is Step.DESTROY:
        found += [
            f"the VM {vm.name} ({vm.id}) has delete protection: `abreast shield --lift {target.project}`"
            for vm in view.actual.vms
            if vm.delete_protected and any(loss.id == vm.id for loss in losses)
        ]
    if step in (Step.DELETE_ACCOUNTS, Step.DELETE_DOMAIN):
        found += _not_destroyed(retirement, target, step, losses, view)
    return found


def _has_record(desired: DesiredInventory, key: str) -> bool:
    return any(project_key(record.project) == key for record in desired.retired)


def _unsigned(target: Target, losses: Iterable[Loss]) -> list[str]:
    signed = {loss.key: loss for loss in target.losses}
    found = []
    for loss in losses:
        earlier = signed.get(loss.key)
        what = f"the {loss.kind} {loss.name} ({loss.id})"
        if earlier is None:
            found.append(f"{what} is not on the list that was signed")
        elif earlier.owner.casefold() != loss.owner.casefold():
            found.append(f"{what} belongs to {loss.owner} now, not to {earlier.owner}")
    return found


def not_at_rest(retirement: Retirement, view: View) -> list[str]:
    """What the quarantine has not brought to rest, of every target. Raises GuardError for unfit readings."""
    refuse_unfit(view)
    return [
        awake
        for target in retirement.proposal.targets
        for awake in _not_quiet(losses_of(target.path, view)[0])
    ]


def is_coming_to_rest(retirement: Retirement, view: View) -> bool:
    """Whether a VM of a target is being stopped: a job that nobody follows any more may still do that."""
    return any(
        loss.kind == ObjectKind.VM.value and loss.state.casefold() == "stopping"
        for target in retirement.proposal.targets
        for loss in losses_of(target.path, view)[0]
    )


def _not_quiet(losses: Iterable[Loss]) -> list[str]:
    """What has left the quarantine: an account or Project that is enabled again, a VM that runs."""
    found = []
    for loss in losses:
        state = loss.state.casefold()
        is_awake = (
            (loss.kind == ObjectKind.ACCOUNT.value and state != "disabled")
            or (loss.kind == ObjectKind.PROJECT.value and state not in ("suspended", "disabled"))
            or (loss.kind == ObjectKind.VM.value and state in AWAKE)
        )
        if is_awake:
            found.append(f"the {loss.kind} {loss.name} ({loss.id}) is {loss.state}, not at rest")
    return found


def _not_destroyed(
    retirement: Retirement, target: Target, step: Step, losses: tuple[Loss, ...], view: View
) -> list[str]:
    if retirement.proposal.is_empty:
        now = Target(target.project, target.domain_id, target.path, target.evidence, target.sightings, losses)
        why = not_empty(now, view.network)
        if why:
            return [f"{target.path} is not empty any more: {why}"]
    left = {ObjectKind.DOMAIN.value, ObjectKind.SUBDOMAIN.value, OFFERING}
    found = []
    for loss in losses:
        if loss.kind == ObjectKind.VM.value and loss.is_of_project:
            # A Project is deleted empty or not at all, and CloudStack expunges only every `expunge.interval`.
            found.append(f"the VM {loss.name} ({loss.id}) of {loss.owner} has not been expunged yet")
            continue
        is_back = loss.kind == ObjectKind.VM.value and loss.state.casefold() not in DESTROYED
        if is_back or (step is Step.DELETE_DOMAIN and loss.kind not in left):
            found.append(f"the {loss.kind} {loss.name} ({loss.id}) is still there: {loss.state or 'listed'}")
    return found


# --- containment --------------------------------------------------------------------------------------------


def refuse_contained(
    retirement: Retirement,
    step: Step,
    situation: Situation,
    *,
    held: Collection[str],
    own: Collection[tuple[Kind, str]],
) -> None:
    """Raises GuardError while somebody else deletes, or a deletion is being contained: nothing is destroyed.

    `held` is what is held of containment, in words; `own` are deletions of abreast's that have not ended.
    """
    if step not in DESTRUCTIVE:
        return
    others = [one for one in situation.busy if (one.kind, one.target_id) not in own]
    found = [f"{one.label} is {one.stage.value}" + (f" by {one.by}" if one.by else "") for one in others]
    if situation.unnamed_jobs > len(own):
        found.append("a deletion runs whose target no event names")
    if situation.problems:
        found.append(f"whether anything is being deleted is not known: {situation.problems[0].rstrip('.')}")
    found += held
    if found:
        more = f" And {len(found) - 5} more." if len(found) > 5 else ""
        raise GuardError(
            f"“{step.value}” of {retirement.proposal.name} waits for the containment: "
            f"{'. '.join(found[:5])}.{more}",
            next_step="`abreast contain` shows what is held and how each is undone; go on when it is over.",
        )


# --- the ceiling --------------------------------------------------------------------------------------------


def destroyed_lately(history: History, now: datetime) -> tuple[str, ...]:
    """Keys of the projects of which something was destroyed or deleted within the window, the oldest first.

    Counted by when the step began: what was begun counts, whatever became of it.
    """
    found: dict[str, datetime] = {}
    for one in history.retirements:
        if one.proposal.is_empty:
            continue
        for done in one.steps:
            if done.step in DESTRUCTIVE and now - done.begun_by < WINDOW:
                for project in one.proposal.projects:
                    found.setdefault(project, done.begun_at)
    return tuple(sorted(found, key=lambda project: found[project]))


def refuse_above_ceiling(
    retirement: Retirement,
    history: History,
    limits: RetirementLimits,
    *,
    now: datetime,
    campaigns: Collection[Campaign] = (),
) -> None:
    """Raises GuardError when enough was destroyed lately and no campaign that is signed names the project.

    `campaigns` are those whose signatures count for this retirement.
    """
    if retirement.proposal.is_empty or retirement.next_step not in DESTRUCTIVE:
        return
    (project,) = retirement.proposal.projects
    others = [one for one in destroyed_lately(history, now) if one != project]
    if len(others) < limits.ceiling or any(covers(one, project, now) for one in campaigns):
        return
    raise GuardError(
        f"{len(others)} projects were destroyed within {WINDOW.days} days ({', '.join(others)}): "
        f"the ceiling is {limits.ceiling}.",
        next_step="Wait, or have one more person sign a campaign that names the project: "
        "`abreast retire --campaign`.",
    )


def covers(campaign: Campaign, project: str, now: datetime) -> bool:
    """Whether a campaign is for the project, and now."""
    return campaign.starts_at <= now < campaign.ends_at and project in campaign.projects


def refuse_campaign(campaign: Campaign) -> None:
    """Raises GuardError for a campaign without an end, without a list or without a reason."""
    if not campaign.projects or not campaign.reason.strip():
        raise GuardError("A campaign names its projects and its reason.")
    if not timedelta(0) < campaign.ends_at - campaign.starts_at <= LONGEST_CAMPAIGN:
        raise GuardError(
            f"A campaign ends after it begins, and within {LONGEST_CAMPAIGN.days} days.",
            next_step="Name its end with --until.",
        )
