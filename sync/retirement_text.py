"""What people sign about retirements: loss lists, campaigns, records made by hand; plain words with ids.

Pure. A text follows from its value alone, to the letter, so whoever has the ledger can check what was signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from sync.characters import spelled_out, with_unseen
from sync.radius import size_words
from sync.retirement import Campaign, Evidence, Loss, Proposal, Target


def loss_text(proposal: Proposal) -> str:
    """The loss list that approvers sign, ending in a newline."""
    kept = len(proposal.losses) - proposal.lost
    targets = _shown(_target_text(proposal.targets), shows_unseen=proposal.shows_unseen)
    facts = {
        "environment": proposal.environment,
        "server": proposal.endpoint,
        "ROOT domain": proposal.root_id,
        "retirement": proposal.id,
        "author": proposal.author,
        "made": proposal.created_at.isoformat(),
        "expires": proposal.expires_at.isoformat(),
        "class": "empty domains, without waiting" if proposal.is_empty else "a project",
        "quarantine": "none" if proposal.is_empty else f"{proposal.quarantine_days} days",
        "domains": str(len(proposal.targets)),
        "lost": str(proposal.lost),
        "kept": str(kept),
        "digest": _digest(targets),
    }
    title = "abreast: retirement of these domains, loss of these objects, and of nothing else"
    text = "\n".join([title, "", *_facts(facts), targets]) + "\n"
    return _shown(text, shows_unseen=proposal.shows_unseen)


def campaign_text(campaign: Campaign) -> str:
    """What is signed to go beyond the ceiling for a named list of projects, ending in a newline."""
    facts = {
        "environment": campaign.environment,
        "campaign": campaign.id,
        "author": campaign.author,
        "made": campaign.created_at.isoformat(),
        "from": campaign.starts_at.isoformat(),
        "until": campaign.ends_at.isoformat(),
        "reason": campaign.reason,
        "projects": str(len(campaign.projects)),
        "digest": _digest("\n".join(campaign.projects)),
    }
    title = "abreast: campaign, these projects may be destroyed beyond the ceiling"
    named = (f"{number}. {spelled_out(name)}" for number, name in enumerate(campaign.projects, 1))
    text = "\n".join([title, "", *_facts(facts), "", *named]) + "\n"
    return _shown(text, shows_unseen=campaign.shows_unseen)


def record_text(environment: str, evidence: Evidence) -> str:
    """What is signed where the CI database has no record that a project is to go, ending in a newline."""
    facts = {
        "environment": environment,
        "project": evidence.project,
        "by": evidence.by,
        "at": evidence.at,
        "reason": evidence.reason,
    }
    text = "\n".join(["abreast: record that this project is to be retired", "", *_facts(facts)]) + "\n"
    return _shown(text, shows_unseen=evidence.shows_unseen)


def _shown(text: str, *, shows_unseen: bool) -> str:
    """What was signed before abreast showed what cannot be seen is told as it was signed."""
    return with_unseen(text) if shows_unseen else text


def _facts(facts: Mapping[str, str]) -> Iterable[str]:
    return (f"{name}: {spelled_out(value)}" for name, value in facts.items())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _target_text(targets: Iterable[Target]) -> str:
    lines: list[str] = []
    for number, target in enumerate(targets, 1):
        lines += ["", *_target_lines(number, target)]
    return "\n".join(lines)


def _target_lines(number: int, target: Target) -> Iterable[str]:
    evidence = target.evidence
    where = "a record signed by hand" if evidence.is_by_hand else "the CI database"
    said = f"by {evidence.by or 'nobody named'} at {evidence.at or 'no time named'}: {evidence.reason or '–'}"
    yield f"{number}. {spelled_out(target.path)} ({spelled_out(target.domain_id)})"
    yield f"   evidence: {where}, {spelled_out(said)}"
    for sighting in target.sightings:
        yield (
            f"   only CloudStack had it: CI database read {sighting.desired_at.isoformat()}, "
            f"CloudStack {sighting.actual_at.isoformat()}"
        )
    yield from (f"   {line}" for line in loss_lines(target.losses))
    yield from (f"   note: {spelled_out(note)}" for note in target.notes)


def loss_lines(losses: Iterable[Loss]) -> Iterable[str]:
    """One line an object: whether anything is kept of it, what it is, its id and whose it is."""
    for loss in losses:
        how = "file" if loss.is_file else "template"
        fate = f"kept as {how} {spelled_out(loss.kept_as)}" if loss.kept_as else "lost"
        facts = [loss.state, f"created {loss.created}" if loss.created else ""]
        facts += ["" if loss.size is None else size_words(loss.size), f"of {loss.owner}"]
        known = ", ".join(spelled_out(fact) for fact in facts if fact)
        yield f"{fate}: {loss.kind} {spelled_out(loss.name)} ({spelled_out(loss.id)}): {known}"
