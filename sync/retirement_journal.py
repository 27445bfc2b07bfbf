"""Retirements in the ledger: the entries they are made of, written and read, in one chain with all others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sync.approval_court import Signature
from sync.journal import Intent, unresolved_among
from sync.ledger import EntryKind, Ledger
from sync.retirement import Campaign, Proposal, Sighting, Step
from sync.retirement_history import History, Record, Saying, campaign_json, proposal_json, sighting_json

_SAYINGS: Mapping[EntryKind, Saying] = {
    EntryKind.RETIREMENT_SEEN: Saying.SEEN,
    EntryKind.RETIREMENT_PROPOSED: Saying.PROPOSED,
    EntryKind.RETIREMENT_SIGNED: Saying.SIGNED,
    EntryKind.RETIREMENT_BEGUN: Saying.BEGUN,
    EntryKind.RETIREMENT_ENDED: Saying.ENDED,
    EntryKind.RETIREMENT_STOPPED: Saying.STOPPED,
    EntryKind.RETIREMENT_CAMPAIGN: Saying.CAMPAIGN,
}
_CALLS = (EntryKind.INTENT, EntryKind.SUBMITTED, EntryKind.OUTCOME)


def history_of(ledger: Ledger) -> History:
    """Every retirement of the environment. Raises LedgerError."""
    entries = ledger.entries(kinds=tuple(_SAYINGS))
    return History.of(
        Record(_SAYINGS[entry.kind], entry.at, entry.operator, entry.payload) for entry in entries
    )


def open_projects(ledger: Ledger, now: datetime) -> frozenset[str]:
    """Keys of the projects whose retirement is open: nothing of them is enabled by a repair. Raises
    LedgerError."""
    return history_of(ledger).open_projects(now)


class RetirementJournal:
    """Writes about retirements. Every method raises LedgerError when it cannot: then nothing may be done."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def history(self) -> History:
        return history_of(self._ledger)

    def intents(self, id: str) -> dict[str, Intent]:
        """Calls of a retirement of which nobody knows what became, by their action."""
        return unresolved_among(self._ledger.entries(run_id=id, kinds=_CALLS))

    def intended(self, id: str) -> frozenset[str]:
        """Every call of a retirement that was ever intended, by its action."""
        entries = self._ledger.entries(run_id=id, kinds=[EntryKind.INTENT])
        return frozenset(str(entry.payload["action"]) for entry in entries)

    def seen(self, sightings: tuple[Sighting, ...]) -> None:
        payload = {"sightings": [sighting_json(one) for one in sightings]}
        self._ledger.append(EntryKind.RETIREMENT_SEEN, payload, run_id=None)

    def proposed(self, proposal: Proposal) -> None:
        payload = {"proposal": proposal_json(proposal)}
        self._ledger.append(EntryKind.RETIREMENT_PROPOSED, payload, run_id=proposal.id)

    def campaign(self, campaign: Campaign) -> None:
        payload = {"campaign": campaign_json(campaign)}
        self._ledger.append(EntryKind.RETIREMENT_CAMPAIGN, payload, run_id=campaign.id)

    def signed(self, id: str, content: str, judged: Signature) -> None:
        """`id` is a proposal's or a campaign's. Names and key are for people: it is judged anew each time."""
        payload = {
            "of": id,
            "signature": content,
            "people": list(judged.principals),
            "key": judged.fingerprint,
        }
        self._ledger.append(EntryKind.RETIREMENT_SIGNED, payload, run_id=id)

    def begun(self, id: str, step: Step, facts: Mapping[str, object]) -> None:
        self._step(EntryKind.RETIREMENT_BEGUN, id, step, facts=dict(facts))

    def ended(self, id: str, step: Step, facts: Mapping[str, object]) -> None:
        self._step(EntryKind.RETIREMENT_ENDED, id, step, facts=dict(facts))

    def stopped(self, id: str, step: Step, reason: str) -> None:
        self._step(EntryKind.RETIREMENT_STOPPED, id, step, reason=reason)

    def _step(self, kind: EntryKind, id: str, step: Step, **content: object) -> None:
        self._ledger.append(kind, {"of": id, "step": step.value, **content}, run_id=id)
