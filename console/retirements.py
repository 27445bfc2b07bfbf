"""Retirements in the console: looked at, proposed, signed and gone on with in threads, one thing at a time.

Owned by the App. Threads post the messages that `console.retiring` takes. What can delete is made by
`sync.retirement_steps` alone, while a step runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from console.faults import as_error
from console.messages import RetirementEnded, RetirementProgressed, RetirementsBroke, RetirementsRead
from console.refresh import Cadence
from console.retirement_state import Listing, RetireState, can_be_signed, candidates_of
from console.retirement_words import undone_lines
from sync.clocks import why_apart
from sync.errors import GuardError, SourceError, UsageError, unwritable
from sync.retirement import DESTRUCTIVE, Campaign, Retirement
from sync.retirement_approval import Standing, campaign_standing, campaigns_for, needed_for, standing_of
from sync.retirement_proposal import View, Wish
from sync.retirement_text import campaign_text, loss_text

if TYPE_CHECKING:
    from console.retiring import RetiringApp
    from sync.clocks import Clocks
    from sync.model import ActionResult, ActualInventory, DesiredInventory
    from sync.retirement_calls import Call
    from sync.retiring import Retiring

LOOK_AGAIN = timedelta(seconds=15)
"""Between two looks, while somebody watches: others go on with it from elsewhere."""


class Retirements:
    """The retirements of the App's environment."""

    def __init__(self, app: RetiringApp) -> None:
        self._app = app
        self._looks = Cadence(LOOK_AGAIN.total_seconds())
        self._is_wanted_again = False
        self._is_outdated = False
        """Whether something was done since the look under way began."""
        self._is_behind = False
        """Whether the last look was without a reading, or from one that something was done after."""
        self._stop = threading.Event()

    @property
    def state(self) -> RetireState:
        return self._app.retire_state or RetireState()

    # --- looking ------------------------------------------------------------------------------------------

    def tick(self, now: datetime) -> None:
        """Look again when the last look is a while ago: never faster than a look takes."""
        if self._looks.is_due(now):
            self.look()

    def tell_drift(self) -> None:
        """Both sides were compared anew: look again where the last look did without that."""
        if self._is_behind:
            self._is_behind = False
            self.look()

    def end(self) -> None:
        """Something was done: look now, and when both sides were read after it. A look under way saw what
        was before, and is dropped."""
        self._is_outdated = self._is_looking
        self.look()
        self._is_behind = True

    def look(self) -> None:
        """Read what the ledger has, judge signatures and candidates. One look at a time: what is under way is
        left to end, and then done once more."""
        if self._is_looking:
            self._is_wanted_again = True
            return
        app = self._app
        generation, desired, actual = self._looks.begin(app.utc_clock()), app.desired, app.whole or app.actual
        self._is_behind = self._is_behind or desired is None or actual is None

        def work() -> None:
            try:
                found = listing_of(app.session.retiring, desired, actual)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                problem = as_error(error, doing="reading the retirements")
                app.post_message(RetirementsBroke(generation, problem))
            else:
                app.post_message(RetirementsRead(generation, found))

        app.run_in_background(work, name=f"retirements {generation}")

    @property
    def _is_looking(self) -> bool:
        return self._looks.started_at is not None

    def look_ended(self, generation: int) -> bool:
        """A look came back; False when it must be dropped. What was asked for meanwhile is looked at now."""
        if not self._looks.accept(generation, self._app.utc_clock()):
            return False
        counts, is_wanted = not self._is_outdated, self._is_wanted_again
        self._is_outdated = self._is_wanted_again = False
        if is_wanted:
            self.look()
        return counts

    # --- doing --------------------------------------------------------------------------------------------

    def propose(self, projects: Sequence[str], *, is_empty: bool = False) -> bool:
        """Propose from both sides, read anew; False when something else is being done."""

        def work(retiring: Retiring) -> str:
            made = retiring.propose(projects, is_empty=is_empty)
            return f"{made.proposal.name} is proposed: {made.proposal.lost} objects would be lost."

        return self._do(f"proposing {', '.join(projects)}", work)

    def propose_campaign(self, project: str, *, ends_at: datetime, reason: str) -> bool:
        """Ask for more than the ceiling for a project; it counts when one more person has signed it."""

        def work(retiring: Retiring) -> str:
            made = retiring.propose_campaign([project], until=ends_at, reason=reason)
            return f"{made.id} is written down. It counts when one more person has signed it."

        return self._do(f"proposing a campaign for {project}", work)

    def take_in(self, id: str, source: Path) -> bool:
        """Take in a signature file, or every one of a folder."""

        def work(retiring: Retiring) -> str:
            return _take_in(retiring, id, source)

        return self._do("taking in signatures", work)

    def write(self, found: Retirement | Campaign) -> bool:
        """Write the loss list, or the campaign, for others to sign."""
        folder = self._app.session.environment.credential_file.parent

        def work(retiring: Retiring) -> str:
            return _write(found, folder / "retirements" / retiring.environment.name)

        return self._do("writing what others sign", work)

    def step(self, retirement: Retirement, word: str) -> bool:
        """Do its next step, for which `word` was asked."""
        from sync.retirement_steps import Confirmation

        step, project = retirement.next_step, retirement.proposal.projects[0]
        assert step is not None
        confirmed = Confirmation(step, word)

        def work(retiring: Retiring) -> str:
            after = retiring.steps.step(project, confirmed=confirmed, stop=self._stop, report=self._report)
            return f"✓ {step.value} of {after.proposal.name} was seen to its end: it is {after.stage.value}."

        return self._do(f"{step.value} of {retirement.proposal.name}", work)

    def undo(self, retirement: Retirement) -> bool:
        """Take back what was done of it."""
        project = retirement.proposal.projects[0]

        def work(retiring: Retiring) -> str:
            after = retiring.steps.undo(project, stop=self._stop, report=self._report)
            left = " ".join(f"{line}." for line in undone_lines(after))
            return f"✓ {after.proposal.name} is undone. {left}".rstrip()

        return self._do(f"undoing {retirement.proposal.name}", work)

    def stop(self) -> None:
        """Send nothing more of the step; what was sent is followed to its end."""
        self._stop.set()

    def _report(self, call: Call, ended: ActionResult) -> None:
        detail = f": {ended.detail}" if ended.detail else ""
        line = f"{ended.outcome.value} {call.command} {call.name} ({call.id}){detail}"
        self._app.post_message(RetirementProgressed(line))

    def _do(self, doing: str, work: Callable[[Retiring], str]) -> bool:
        """In a thread that quitting waits for: it ends its current call and records it."""
        app = self._app
        if app.operations.is_going_on:
            return False
        self._stop = threading.Event()
        app.retire_state = RetireState(self.state.listing, self.state.fault, doing)

        def guarded() -> None:
            try:
                message = RetirementEnded(work(app.session.retiring), None)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = RetirementEnded("", as_error(error, doing=doing, changes=True))
            app.post_message(message)

        app.run_worker(
            guarded, name=doing, group="retirement", thread=True, exclusive=False, exit_on_error=False
        )
        return True


# --- in threads ---------------------------------------------------------------------------------------------


def listing_of(
    retiring: Retiring, desired: DesiredInventory | None, actual: ActualInventory | None
) -> Listing:
    """What ledger, signatures and the last readings say. Reads offerings, changes nothing. Raises
    LedgerError, SourceError."""
    from sync.containment_held import held

    now, history = retiring.clock(), retiring.history()
    rules, limits = retiring.environment.approvals, retiring.environment.retirement
    standings, campaigns, signers = {}, {}, {}
    for one in history.retirements:
        if not one.is_open(now):
            continue
        try:
            standings[one.id] = standing_of(one, history, rules, now=now)
            campaigns[one.id] = campaigns_for(one, history, rules, now=now)
        except GuardError as error:
            standings[one.id] = Standing(needed_for(rules), (), (), (), str(error).rstrip("."))
    for campaign in history.campaigns:
        if can_be_signed(campaign, now):
            try:
                signers[campaign.id] = campaign_standing(campaign, rules, now=now)
            except GuardError as error:
                signers[campaign.id] = Standing(1, (), (), (), str(error).rstrip("."))
    held_: tuple[str, ...] = ()
    if any(one.next_step in DESTRUCTIVE for one in history.retirements if one.is_open(now)):
        release = actual.release if actual is not None else ""
        held_ = held(retiring.environment, retiring.ledger, release=release)
    made = Listing(now, history, limits, standings, campaigns, signers, held=held_)
    try:
        clocks = retiring.clocks()
    except SourceError as error:
        return replace(made, problem=str(error), apart=f"CloudStack's clock cannot be asked: {error}")
    return _with_candidates(replace(made, apart=why_apart(clocks)), retiring, desired, actual, clocks)


def _with_candidates(
    made: Listing,
    retiring: Retiring,
    desired: DesiredInventory | None,
    actual: ActualInventory | None,
    clocks: Clocks,
) -> Listing:
    from sync.cloudstack.retirement_reading import offerings_of_domains

    if desired is None or actual is None:
        return replace(made, problem="Both sides have to be read first.")
    try:
        server = retiring.server()
        offerings = offerings_of_domains(retiring.reader)
    except SourceError as error:
        return replace(made, problem=f"What would go with a domain cannot be read: {error}")
    view = View(desired, actual, offerings, clocks, clocks, retiring.environment.network)
    wish = Wish(
        id="",
        environment=retiring.environment.name,
        endpoint=server.endpoint,
        root_id=server.root_id,
        author=retiring.ledger.operator,
        keys=(),
    )
    found = candidates_of(view, made.history, wish, made.limits)
    return replace(made, candidates=found.candidates, without_record=found.without_record, gone=found.gone)


def _take_in(retiring: Retiring, id: str, source: Path) -> str:
    """Every signature of the file or folder, each with what became of it. Raises UsageError, GuardError when
    none of them counts."""
    from sync.approval_intake import signatures_in

    history = retiring.history()
    retirement = history.find(id)
    campaign = next((one for one in history.campaigns if one.id == id), None)
    if retirement is None and campaign is None:
        raise UsageError(f"There is no retirement or campaign {id}.")
    taken, refused = [], []
    for file, content in signatures_in(source).items():
        try:
            if retirement is not None:
                taken.append(retiring.sign(retirement, content).name)
            elif campaign is not None:
                taken.append(retiring.sign_campaign(campaign, content).name)
        except GuardError as error:
            refused.append(f"{file.name}: {error}")
    if not taken:
        raise GuardError(" ".join(refused), next_step="Nothing was kept.")
    return " ".join([f"Signed by {', '.join(taken)}; it is in the ledger.", *refused])


def _write(found: Retirement | Campaign, folder: Path) -> str:
    """The text that others sign, and the line with which they do. Raises UsageError, StorageError."""
    import shlex

    from sync import atomic_file
    from sync.ssh_signature import NAMESPACE

    file = folder / f"{found.id}.txt"
    text = campaign_text(found) if isinstance(found, Campaign) else loss_text(found.proposal)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(f"{folder} cannot be made", error) from None
    atomic_file.share(file, text)
    sign = f"ssh-keygen -Y sign -f ~/.ssh/id_ed25519 -n {NAMESPACE} {shlex.quote(file.name)}"
    return f"Written to {file}. They read it and sign it in its folder: {sign}"
