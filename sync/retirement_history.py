"""What the ledger's entries say about retirements, put together in their order; and proposals as JSON.

Pure. Retirements are kept nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from sync.model import JsonObject
from sync.retirement import (
    Archive,
    Campaign,
    Done,
    Evidence,
    Extract,
    Loss,
    Proposal,
    Retirement,
    Sighting,
    Signed,
    Step,
    Target,
)


class Saying(Enum):
    """What an entry of the ledger says about retirements."""

    SEEN = "seen"
    PROPOSED = "proposed"
    SIGNED = "signed"
    BEGUN = "begun"
    ENDED = "ended"
    STOPPED = "stopped"
    CAMPAIGN = "campaign"


@dataclass(frozen=True, slots=True)
class Record:
    """One such entry."""

    saying: Saying
    at: datetime
    by: str
    payload: JsonObject


@dataclass(frozen=True, slots=True)
class History:
    """Everything that the ledger says about retirements, in its order."""

    retirements: tuple[Retirement, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    campaigns: tuple[Campaign, ...] = ()

    @classmethod
    def of(cls, records: Iterable[Record]) -> History:
        """Put together what the records say, oldest first."""
        made = _Making()
        for record in records:
            made.take(record)
        return cls(tuple(made.retirements.values()), tuple(made.sightings), tuple(made.campaigns.values()))

    def current(self, project: str) -> Retirement | None:
        """The newest retirement of a project, open or not."""
        mine = (one for one in reversed(self.retirements) if project in one.proposal.projects)
        return next(mine, None)

    def find(self, id: str) -> Retirement | None:
        return next((one for one in self.retirements if one.id == id), None)

    def open_projects(self, now: datetime) -> frozenset[str]:
        """Keys of the projects of which nothing may be enabled behind a retirement's back."""
        return frozenset(
            project for one in self.retirements if one.is_open(now) for project in one.proposal.projects
        )


class _Making:
    """The history as far as it has been read."""

    def __init__(self) -> None:
        self.retirements: dict[str, Retirement] = {}
        self.sightings: list[Sighting] = []
        self.campaigns: dict[str, Campaign] = {}

    def take(self, record: Record) -> None:
        payload = record.payload
        if record.saying is Saying.SEEN:
            self.sightings += [sighting_from(one) for one in payload["sightings"]]
        elif record.saying is Saying.PROPOSED:
            self._propose(proposal_from(payload["proposal"]))
        elif record.saying is Saying.CAMPAIGN:
            made = campaign_from(payload["campaign"])
            self.campaigns[made.id] = made
        elif record.saying is Saying.SIGNED:
            self._sign(str(payload["of"]), Signed(str(payload["signature"]), record.at, record.by))
        else:
            self._step(record, self.retirements[payload["of"]])

    def _propose(self, proposal: Proposal) -> None:
        for id, earlier in self.retirements.items():
            is_same = set(earlier.proposal.projects) & set(proposal.projects)
            if is_same and not earlier.steps:
                self.retirements[id] = replace(earlier, is_replaced=True)
        self.retirements[proposal.id] = Retirement(proposal)

    def _sign(self, id: str, signed: Signed) -> None:
        if id in self.campaigns:
            campaign = self.campaigns[id]
            self.campaigns[id] = replace(campaign, signatures=(*campaign.signatures, signed))
        else:
            one = self.retirements[id]
            self.retirements[id] = replace(one, signatures=(*one.signatures, signed))

    def _step(self, record: Record, one: Retirement) -> None:
        step, facts = Step(record.payload["step"]), dict(record.payload.get("facts") or {})
        if record.saying is Saying.STOPPED:
            made = replace(one, stopped=str(record.payload["reason"]))
        elif record.saying is Saying.BEGUN:
            made = replace(one, steps=(*one.steps, Done(step, record.at, record.by, facts)), stopped="")
        else:
            ended = replace(one.steps[-1], ended_at=record.at, facts={**one.steps[-1].facts, **facts})
            made = replace(one, steps=(*one.steps[:-1], ended), stopped="")
        self.retirements[one.id] = made


# --- as JSON ------------------------------------------------------------------------------------------------


def sighting_json(one: Sighting) -> JsonObject:
    times = {name: at for name in _SIGHTED if (at := getattr(one, name)) is not None}
    return {
        "project": one.project,
        "kind": one.kind,
        "domain_id": one.domain_id,
        **{name: at.isoformat() for name, at in times.items()},
    }


_SIGHTED = ("desired_at", "actual_at", "since", "until")


def sighting_from(content: JsonObject) -> Sighting:
    times = {name: datetime.fromisoformat(content[name]) for name in _SIGHTED if name in content}
    return Sighting(content["project"], content["kind"], content["domain_id"], **times)


def proposal_json(one: Proposal) -> JsonObject:
    """The whole of it: `proposal_from` reads it back as the same."""
    return {
        "id": one.id,
        "environment": one.environment,
        "endpoint": one.endpoint,
        "root_id": one.root_id,
        "author": one.author,
        "created_at": one.created_at.isoformat(),
        "expires_at": one.expires_at.isoformat(),
        "quarantine_days": one.quarantine_days,
        "is_empty": one.is_empty,
        "targets": [_target_json(target) for target in one.targets],
        "archives": [_fields(archive) for archive in one.archives],
        "extracts": [_fields(extract) for extract in one.extracts],
        "shows_unseen": one.shows_unseen,
    }


def _target_json(one: Target) -> JsonObject:
    return {
        "project": one.project,
        "domain_id": one.domain_id,
        "path": one.path,
        "evidence": _fields(one.evidence),
        "sightings": [sighting_json(sighting) for sighting in one.sightings],
        "losses": [_fields(loss) for loss in one.losses],
        "notes": list(one.notes),
    }


def _fields(one: Evidence | Loss | Archive | Extract) -> JsonObject:
    return {name: getattr(one, name) for name in one.__slots__}


def proposal_from(content: JsonObject) -> Proposal:
    times = {name: datetime.fromisoformat(content[name]) for name in ("created_at", "expires_at")}
    made = {
        "targets": tuple(_target_from(one) for one in content["targets"]),
        "archives": tuple(Archive(**one) for one in content["archives"]),
        "extracts": tuple(Extract(**one) for one in content.get("extracts", ())),
    }
    return Proposal(**{**content, **times, **made})


def _target_from(content: JsonObject) -> Target:
    made = {
        "evidence": Evidence(**content["evidence"]),
        "sightings": tuple(sighting_from(one) for one in content["sightings"]),
        "losses": tuple(Loss(**one) for one in content["losses"]),
        "notes": tuple(content["notes"]),
    }
    return Target(**{**content, **made})


def campaign_json(one: Campaign) -> JsonObject:
    return {
        "id": one.id,
        "environment": one.environment,
        "author": one.author,
        "created_at": one.created_at.isoformat(),
        "starts_at": one.starts_at.isoformat(),
        "ends_at": one.ends_at.isoformat(),
        "projects": list(one.projects),
        "reason": one.reason,
        "shows_unseen": one.shows_unseen,
    }


def campaign_from(content: JsonObject) -> Campaign:
    names = ("created_at", "starts_at", "ends_at")
    times = {name: datetime.fromisoformat(content[name]) for name in names}
    return Campaign(**{**content, **times, "projects": tuple(content["projects"])})
