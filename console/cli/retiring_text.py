"""Retirements as lines for people, and as JSON for other programs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from console.cli.output import plain, result, table
from sync.model import JsonObject
from sync.retirement import Campaign, Retirement, Stage, Step
from sync.retirement_history import History
from sync.retirement_limits import WINDOW, RetirementLimits
from sync.retirement_rules import destroyed_lately, latest_begin
from sync.retirement_text import campaign_text, loss_lines, loss_text

if TYPE_CHECKING:
    from sync.retirement_approval import Standing

_WORDS = {
    Step.QUARANTINE: "quarantine: accounts are disabled, their VMs stop, Projects are suspended. "
    "Nothing is destroyed; --undo takes it back.",
    Step.ARCHIVE: "archive: templates are made of the root volumes that are on the list, and read back.",
    Step.DESTROY: "destroy: the VMs are destroyed recoverably; --undo recovers them until they are expunged.",
    Step.DELETE_ACCOUNTS: "delete accounts: with all they own. This cannot be undone.",
    Step.DELETE_DOMAIN: "delete domain: the empty domain is deleted, without clean-up. "
    "This cannot be undone.",
}


def step_words(step: Step) -> str:
    """What a step does, and whether it can be taken back."""
    return _WORDS[step]


def show_retirement(
    retirement: Retirement, standing: Standing, now: datetime, *, in_full: bool = False
) -> None:
    """How far it has come, what is next and when; with `in_full` every object of the loss list."""
    proposal = retirement.proposal
    paths = ", ".join(target.path for target in proposal.targets)
    result(f"{proposal.name}: {retirement.stage.value} ({retirement.id})")
    result(f"{paths}: {proposal.lost} objects lost, {len(proposal.losses) - proposal.lost} kept")
    if in_full:
        for target in proposal.targets:
            evidence = target.evidence
            where = "by hand" if evidence.is_by_hand else "CI database"
            result(
                f"evidence ({where}): {evidence.by or '–'}, {evidence.at or '–'}: {evidence.reason or '–'}"
            )
            for line in loss_lines(target.losses):
                result(f"  {line}")
            for note in target.notes:
                result(f"  note: {note}")
    for done in retirement.steps:
        until = f"{done.ended_at:%Y-%m-%d %H:%M}" if done.ended_at else "not ended"
        result(f"{done.step.value}: {done.begun_at:%Y-%m-%d %H:%M} by {done.by}, {until}")
    if retirement.stopped:
        result(f"STOPPED: {retirement.stopped}")
    for line in _undone_lines(retirement):
        result(line)
    if retirement.stage is Stage.PROPOSED:
        _show_standing(standing)
    result(next_words(retirement, now))


def _undone_lines(retirement: Retirement) -> list[str]:
    undone = retirement.done(Step.UNDO)
    if undone is None or undone.ended_at is None:
        return []
    lines = []
    for name, words in (("stopped", "VMs that ran before and are stopped"), ("lost", "VMs beyond recovery")):
        names = undone.facts.get(name)
        if isinstance(names, list) and names:
            lines.append(f"{words}: {', '.join(map(str, names))}")
    return lines


def _show_standing(standing: Standing) -> None:
    state = f"{standing.missing} missing" if standing.missing else "approved"
    names = f": {', '.join(standing.people)}" if standing.people else ""
    result(f"approvals: {len(standing.people)} of {standing.needed}{names} ({state})")
    if standing.problem:
        result(f"{standing.problem}.")
    elif standing.missing:
        result(f"could sign: {', '.join(standing.may_sign) or 'nobody'}")


def next_words(retirement: Retirement, now: datetime) -> str:
    """What is next, and from when or until when."""
    step = retirement.next_step
    if retirement.stage is Stage.UNDOING:
        return "next: --undo goes on"
    if step is None:
        return "next: nothing"
    words = f"next: {step.value}"
    due, until = retirement.due_at, latest_begin(retirement)
    if due is not None and now < due:
        words += f", from {due:%Y-%m-%d %H:%M} UTC on ({_left(due, now)})"
    if until is not None and retirement.done(step) is None:
        words += f", until {until:%Y-%m-%d %H:%M} UTC"
    return words


def _left(until: datetime, now: datetime) -> str:
    left = until - now
    return f"in {left.days} days" if left.days else f"in {left.seconds // 60} min"


def show_list(history: History, limits: RetirementLimits, now: datetime) -> None:
    """Every retirement, the newest last; what the ceiling leaves; campaigns."""
    rows = [
        (one.proposal.name, one.stage.value, next_words(one, now).removeprefix("next: "), one.stopped or "–")
        for one in history.retirements
    ]
    if rows:
        result(table(rows, header=("project", "stage", "next", "stopped because")))
    else:
        result("Nothing is being retired.")
    lately = destroyed_lately(history, now)
    names = f": {', '.join(lately)}" if lately else ""
    result(f"ceiling: {len(lately)} of {limits.ceiling} projects in {WINDOW.days} days{names}")
    for campaign in history.campaigns:
        state = "ended" if now >= campaign.ends_at else f"until {campaign.ends_at:%Y-%m-%d %H:%M} UTC"
        signed = f"{len(campaign.signatures)} signatures"
        result(f"campaign {campaign.id}: {', '.join(campaign.projects)}, {state}, {signed}")


def show_campaign(campaign: Campaign) -> None:
    for line in campaign_text(campaign).splitlines():
        result(line)


# --- as JSON ------------------------------------------------------------------------------------------------


def retirement_json(retirement: Retirement, standing: Standing | None, now: datetime) -> JsonObject:
    proposal, step = retirement.proposal, retirement.next_step
    return {
        "id": retirement.id,
        "name": proposal.name,
        "projects": list(proposal.projects),
        "class": "empty domains" if proposal.is_empty else "project",
        "stage": retirement.stage.value,
        "open": retirement.is_open(now),
        "stopped": retirement.stopped,
        "next": step.value if step else None,
        "due_at": plain(retirement.due_at),
        "begin_before": plain(latest_begin(retirement)),
        "can_be_undone": retirement.can_be_undone,
        "lost": proposal.lost,
        "kept": len(proposal.losses) - proposal.lost,
        "confirm": f"{proposal.name} {proposal.lost}",
        "proposed": {"by": proposal.author, "at": plain(proposal.created_at)},
        "expires_at": plain(proposal.expires_at),
        "targets": plain(proposal.targets),
        "archives": plain(proposal.archives),
        "steps": plain(retirement.steps),
        "approvals": None if standing is None else plain(standing) | {"missing": standing.missing},
        "text": loss_text(proposal),
    }


def campaign_json(campaign: Campaign) -> JsonObject:
    return {**plain(campaign), "text": campaign_text(campaign)}


def list_json(history: History, limits: RetirementLimits, now: datetime) -> JsonObject:
    return {
        "retirements": [retirement_json(one, None, now) for one in history.retirements],
        "campaigns": [campaign_json(one) for one in history.campaigns],
        "ceiling": {
            "projects": limits.ceiling,
            "days": WINDOW.days,
            "destroyed": list(destroyed_lately(history, now)),
        },
    }
