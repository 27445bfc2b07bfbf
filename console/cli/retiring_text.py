"""Retirements as lines for people, and as JSON for other programs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from console.cli.output import plain, result, result_lines, table
from console.retirement_words import next_words, undone_lines
from sync.model import JsonObject
from sync.retirement import Campaign, Retirement, Stage
from sync.retirement_history import History
from sync.retirement_limits import WINDOW, RetirementLimits
from sync.retirement_rules import destroyed_lately, latest_begin
from sync.retirement_text import campaign_text, loss_lines, loss_text
from widgets.cells import counted

if TYPE_CHECKING:
    from sync.retirement_approval import Standing


def show_retirement(
    retirement: Retirement, standing: Standing, now: datetime, *, in_full: bool = False
) -> None:
    """How far it has come, what is next and when; with `in_full` every object of the loss list."""
    proposal = retirement.proposal
    paths = ", ".join(target.path for target in proposal.targets)
    result(f"{proposal.name}: {retirement.stage.value} ({retirement.id})")
    if retirement.stage is not Stage.UNDONE:
        lost = counted(proposal.lost, "object")
        result(f"{paths}: {lost} lost, {len(proposal.losses) - proposal.lost} kept")
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
    for line in undone_lines(retirement):
        result(line)
    if retirement.stage is Stage.PROPOSED:
        _show_standing(standing)
    result(next_words(retirement, now))


def _show_standing(standing: Standing) -> None:
    state = f"{standing.missing} missing" if standing.missing else "approved"
    names = f": {', '.join(standing.people)}" if standing.people else ""
    result(f"approvals: {len(standing.people)} of {standing.needed}{names} ({state})")
    if standing.problem:
        result(f"{standing.problem}.")
    elif standing.missing:
        result(f"could sign: {', '.join(standing.may_sign) or 'nobody'}")


def show_list(history: History, limits: RetirementLimits, now: datetime) -> None:
    """Every retirement, the newest last; what the ceiling leaves; campaigns."""
    rows = [
        (one.proposal.name, one.stage.value, next_words(one, now).removeprefix("next: "), one.stopped or "–")
        for one in history.retirements
    ]
    if rows:
        result_lines(table(rows, header=("project", "stage", "next", "stopped because")))
    else:
        result("Nothing is being retired.")
    lately = destroyed_lately(history, now)
    names = f": {', '.join(lately)}" if lately else ""
    result(f"ceiling: {len(lately)} of {limits.ceiling} projects in {WINDOW.days} days{names}")
    for campaign in history.campaigns:
        state = "ended" if now >= campaign.ends_at else f"until {campaign.ends_at:%Y-%m-%d %H:%M} UTC"
        signed = counted(len(campaign.signatures), "signature")
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
