"""Who has signed a retirement, and whether that is enough: judged anew whenever it matters.

Whatever the configuration says, no retirement goes on with fewer than two people, none of whom proposed it,
and a campaign counts only when one more person has signed it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sync.approval_court import Court, Matter, Signature, Verdict
from sync.approval_rules import ApprovalRules, login
from sync.errors import GuardError
from sync.retirement import Campaign, Evidence, Proposal, Retirement, Signed
from sync.retirement_history import History
from sync.retirement_rules import covers
from sync.retirement_text import campaign_text, loss_text, record_text
from sync.reversibility import Reversibility
from sync.ssh_signature import sign

FLOOR = 2
"""People who have to sign, at least, whatever the configuration says."""
_NO_END = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the approval of one text stands."""

    needed: int
    people: tuple[str, ...]
    """One name a person whose signature counts."""
    signatures: tuple[Signature, ...]
    may_sign: tuple[str, ...]
    """People of allowed_signers who have not signed and did not make it."""
    problem: str = ""
    """Why no signature can count at all; empty where they can."""

    @property
    def missing(self) -> int:
        return max(0, self.needed - len(self.people))


def needed_for(rules: ApprovalRules) -> int:
    return max(FLOOR, rules.required[Reversibility.IRREVERSIBLE])


# --- proposals ----------------------------------------------------------------------------------------------


def matter_of(retirement: Retirement, history: History) -> Matter:
    """The loss list. Until it is begun its signatures end with it; afterwards the rules say until when."""
    proposal = retirement.proposal
    return Matter(
        loss_text(proposal).encode(),
        proposal.environment,
        proposal.author,
        _NO_END if retirement.steps else proposal.expires_at,
        what="retirement",
        earlier=_earlier(proposal, history),
    )


def _earlier(proposal: Proposal, history: History) -> tuple[bytes, ...]:
    """The texts of the proposals that this one has replaced."""
    mine = set(proposal.projects)
    return tuple(
        loss_text(one.proposal).encode()
        for one in history.retirements
        if one.is_replaced and one.id != proposal.id and mine & set(one.proposal.projects)
    )


def standing_of(retirement: Retirement, history: History, rules: ApprovalRules, *, now: datetime) -> Standing:
    """Every signature of a retirement, judged now. Raises GuardError when ssh-keygen cannot be used."""
    court = Court(matter_of(retirement, history), rules.allowed_signers, now)
    return _standing(court, retirement.signatures, needed_for(rules))


def _standing(court: Court, signatures: Iterable[Signed], needed: int) -> Standing:
    judged = tuple(court.judge(one.content.encode(), file="") for one in signatures)
    people = court.people(judged)
    return Standing(needed, people, judged, court.may_sign(people), court.problem)


def refuse_unapproved(retirement: Retirement, standing: Standing) -> None:
    """Raises GuardError when fewer people signed than have to."""
    if not standing.missing:
        return
    who = f": {', '.join(standing.people)}" if standing.people else ""
    what = (
        f"The retirement of {retirement.proposal.name} needs the approval of {standing.needed} "
        f"and has {len(standing.people)}{who}."
    )
    if standing.problem:
        raise GuardError(f"{what} {standing.problem}.", next_step="Nothing goes on before that is mended.")
    refused = {one.reason for one in standing.signatures if one.verdict is not Verdict.VALID}
    what += "".join(f" One does not count: {reason}." for reason in sorted(refused))
    names = ", ".join(standing.may_sign) or "nobody"
    raise GuardError(
        what,
        next_step=f"{names} could sign: `abreast retire {retirement.proposal.projects[0]} --approve`.",
    )


def judge(matter: Matter, content: bytes, rules: ApprovalRules, *, now: datetime) -> Signature:
    """One signature. Raises GuardError unless it counts: what does not is not kept."""
    judged = Court(matter, rules.allowed_signers, now).judge(content, file="")
    if judged.verdict is not Verdict.VALID:
        raise GuardError(f"The signature would not count: {judged.reason}.", next_step="It was not kept.")
    return judged


# --- campaigns ----------------------------------------------------------------------------------------------


def matter_of_campaign(campaign: Campaign) -> Matter:
    text = campaign_text(campaign).encode()
    return Matter(text, campaign.environment, campaign.author, campaign.ends_at, what="campaign")


def campaign_standing(campaign: Campaign, rules: ApprovalRules, *, now: datetime) -> Standing:
    """Who has signed a campaign, judged now: one person at least, besides whom it involves. Raises GuardError
    when ssh-keygen cannot be used."""
    court = Court(matter_of_campaign(campaign), rules.allowed_signers, now)
    return _standing(court, campaign.signatures, 1)


def campaigns_for(
    retirement: Retirement, history: History, rules: ApprovalRules, *, now: datetime
) -> tuple[Campaign, ...]:
    """The campaigns that count for a retirement now: signed by one person more than it has itself."""
    involved = {login(name) for name in standing_of(retirement, history, rules, now=now).people}
    involved.add(login(retirement.proposal.author))
    found = []
    for campaign in history.campaigns:
        if any(covers(campaign, project, now) for project in retirement.proposal.projects):
            court = Court(matter_of_campaign(campaign), rules.allowed_signers, now)
            people = _standing(court, campaign.signatures, 1).people
            others = [one for one in people if not involved.intersection(map(login, court.all_names([one])))]
            if others:
                found.append(campaign)
    return tuple(found)


# --- records by hand ----------------------------------------------------------------------------------------


def sign_record(
    environment: str, project: str, *, by: str, reason: str, key: Path, rules: ApprovalRules, now: datetime
) -> Evidence:
    """A record that a project is to go, where the CI database has none, signed by a person of
    allowed_signers. Raises GuardError, UsageError."""
    made = Evidence(project, by, now.isoformat(timespec="seconds"), reason, shows_unseen=True)
    content = sign(record_text(environment, made).encode(), key)
    signed = replace(made, signature=content.decode("ascii"))
    why = why_record_fails(environment, signed, rules, now=now)
    if why:
        raise GuardError(f"The record would not count: {why}.", next_step="Nothing was recorded.")
    return signed


def why_record_fails(environment: str, evidence: Evidence, rules: ApprovalRules, *, now: datetime) -> str:
    """Why a record made by hand does not count; empty where it does, and for the CI database's own."""
    if not evidence.is_by_hand:
        return ""
    text = record_text(environment, evidence).encode()
    court = Court(Matter(text, environment, None, _NO_END, what="record"), rules.allowed_signers, now)
    judged = court.judge(evidence.signature.encode(), file="")
    if judged.verdict is Verdict.VALID:
        return ""
    return f"{judged.reason}{f': {court.problem}' if court.problem else ''}"
