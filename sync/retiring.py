"""Retires projects: proposes, collects signatures, and goes on in steps. All state is in the ledger.

Whoever has the ledger can go on, after a crash and on another machine too; screens and commands call this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sync.approval_court import Signature
from sync.cloudstack.retirer import offered
from sync.errors import GuardError
from sync.model import project_key
from sync.radius import ObjectKind
from sync.retirement import Campaign, Evidence, Retirement, Stage
from sync.retirement_approval import judge, matter_of, matter_of_campaign
from sync.retirement_calls import EXTRACTS
from sync.retirement_desk import Desk
from sync.retirement_proposal import Wish, propose, sightings_of
from sync.retirement_rules import refuse_campaign
from sync.retirement_steps import Steps


class Retiring(Desk):
    """The retirements of one environment. `steps` does what changes something."""

    @property
    def steps(self) -> Steps:
        return Steps(self)

    # --- proposing and signing ------------------------------------------------------------------------------

    def propose(
        self,
        projects: Sequence[str],
        *,
        is_empty: bool = False,
        with_archive: bool = True,
        with_files: bool = True,
        by_hand: Mapping[str, Evidence] | None = None,
    ) -> Retirement:
        """Propose a project, or empty domains, from two readings: the first call records the first.

        Raises GuardError for whatever speaks against it, SourceError, LedgerError.
        """
        self.recognise()
        keys = tuple(dict.fromkeys(map(project_key, projects)))
        view, history = self.view(), self.history()
        self.journal.seen(sightings_of(view, keys))
        server = self.server()
        kinds, why_not = self._extractable(is_wanted=with_files)
        wish = Wish(
            id=self.new_id("retire"),
            environment=self.environment.name,
            endpoint=server.endpoint,
            root_id=server.root_id,
            author=self.ledger.operator,
            keys=keys,
            is_empty=is_empty,
            with_archive=with_archive,
            extractable=kinds,
            why_not_extracted=why_not,
            by_hand=by_hand,
        )
        self.refuse_bad_records(by_hand or {})
        proposal = propose(wish, view, history, self.environment.retirement)
        self.journal.proposed(proposal)
        return self.of(keys[0])

    def _extractable(self, *, is_wanted: bool) -> tuple[frozenset[ObjectKind], str]:
        """Kinds of which a file can be kept, and why the others are lost; asked with the writing key."""
        what = "no file is kept of data volumes, templates and ISOs"
        environment = self.environment
        if not is_wanted:
            return frozenset(), f"{what}, as was asked for"
        if environment.archive is None:
            return frozenset(), f"{what}: the environment names no archive"
        if environment.cloudstack.write is None:
            return frozenset(), f"{what}: there is no key for writing"
        known = offered(environment.cloudstack.write, clock=self.clock)
        kinds = frozenset(
            kind
            for kind, command in EXTRACTS.items()
            if known.has(command) and known.has(command, "mode") and known.has(command, "zoneid")
        )
        missing = [kind.value for kind in EXTRACTS if kind not in kinds]
        why = f"no file is kept of {', '.join(missing)}: the writing key is not offered their extraction"
        return kinds, why if missing else ""

    def propose_campaign(self, projects: Sequence[str], *, until: datetime, reason: str) -> Campaign:
        """Ask for more than the ceiling for a named list; it counts when one more person has signed it."""
        now = self.clock()
        keys = tuple(dict.fromkeys(map(project_key, projects)))
        made = Campaign(
            self.new_id("campaign"), self.environment.name, self.ledger.operator, now, now, until, keys,
            reason, shows_unseen=True,
        )  # fmt: skip
        refuse_campaign(made)
        self.journal.campaign(made)
        return made

    def sign(self, retirement: Retirement, content: bytes) -> Signature:
        """Keep a signature over the loss list. Raises GuardError for one that would not count."""
        if retirement.stage is not Stage.PROPOSED:
            raise GuardError(
                f"{retirement.proposal.name} is {retirement.stage.value}: nothing is to be signed."
            )
        matter = matter_of(retirement, self.history())
        judged = judge(matter, content, self.environment.approvals, now=self.clock())
        self.journal.signed(retirement.id, content.decode("ascii"), judged)
        return judged

    def sign_campaign(self, campaign: Campaign, content: bytes) -> Signature:
        """Keep a signature over a campaign. Raises GuardError for one that would not count."""
        matter = matter_of_campaign(campaign)
        judged = judge(matter, content, self.environment.approvals, now=self.clock())
        self.journal.signed(campaign.id, content.decode("ascii"), judged)
        return judged
