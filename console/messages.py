"""Messages that worker threads post to the App: past facts, with the generation they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from console.approvals import Submitted
    from console.confirmations import Radii
    from console.ledger_run import LedgerRun
    from console.recovering import Aftermath
    from console.report_state import Reporting
    from console.restore_state import Restoring
    from console.retirement_state import Listing
    from console.session_protocol import HeadlineText
    from console.state import Rehearsing, RunState
    from sync.agents import JenkinsReading
    from sync.approval_rules import Approved
    from sync.brake import BrakeState
    from sync.capture_store import CaptureEntry
    from sync.contain import Step
    from sync.containment import Look
    from sync.deletions import Situation
    from sync.errors import AbreastError
    from sync.executor import ExecutionEvent, RunReport
    from sync.freezes import Freeze
    from sync.model import (
        Action,
        ActualInventory,
        DesiredInventory,
        Drift,
        Plan,
        Side,
    )


class SourceProgressed(Message):
    """A reading got further."""

    def __init__(self, generation: int, side: Side, text: str) -> None:
        super().__init__()
        self.generation = generation
        self.side = side
        self.text = text


class DesiredRead(Message):
    """A reading of the CI database ended, with whatever coverage."""

    def __init__(self, generation: int, inventory: DesiredInventory) -> None:
        super().__init__()
        self.generation = generation
        self.inventory = inventory


class ActualRead(Message):
    """A reading of CloudStack ended, with whatever coverage."""

    def __init__(self, generation: int, inventory: ActualInventory) -> None:
        super().__init__()
        self.generation = generation
        self.inventory = inventory


class AgentsRead(Message):
    """Every project's Jenkins was asked for its agents."""

    def __init__(self, generation: int, readings: Mapping[str, JenkinsReading]) -> None:
        super().__init__()
        self.generation = generation
        self.readings = readings


class LedgerWatched(Message):
    """The ledger's chain was verified: how it was altered, empty where it was not; None where it could not be
    read, or by a fault of ours, which is the `error`. With it go the zones that a restore left closed."""

    def __init__(
        self,
        generation: int,
        words: str | None,
        frozen: tuple[Freeze, ...] = (),
        *,
        error: AbreastError | None = None,
    ) -> None:
        super().__init__()
        self.generation = generation
        self.words = words
        self.frozen = frozen
        self.error = error


class AgentsBroke(Message):
    """Asking Jenkins failed as a whole: a fault of ours."""

    def __init__(self, generation: int, error: AbreastError) -> None:
        super().__init__()
        self.generation = generation
        self.error = error


class DeletionsRead(Message):
    """A reading told what is being deleted; None where it could not. `has_news` where the two sides have to
    be compared again, because of what was deleted past the ledger."""

    def __init__(self, generation: int, situation: Situation | None, *, has_news: bool = False) -> None:
        super().__init__()
        self.generation = generation
        self.situation = situation
        self.has_news = has_news


class ReadingBroke(Message):
    """A reading ended without an inventory: a wrong configuration, or a fault of ours."""

    def __init__(self, generation: int, side: Side, error: AbreastError) -> None:
        super().__init__()
        self.generation = generation
        self.side = side
        self.error = error


class DriftCompared(Message):
    """The two sides were compared; `kept` is what of the staged actions is still proposed, `dropped` the ids
    of the others."""

    def __init__(
        self,
        generation: int,
        drift: Drift,
        headline: HeadlineText,
        kept: tuple[Action, ...],
        dropped: tuple[str, ...],
        situation: Situation | None = None,
    ) -> None:
        """`situation` is what the headline knows of deletions."""
        super().__init__()
        self.generation = generation
        self.drift = drift
        self.headline = headline
        self.kept = kept
        self.dropped = dropped
        self.situation = situation


class ComparisonBroke(Message):
    """The comparison failed: a fault of ours."""

    def __init__(self, generation: int, error: AbreastError) -> None:
        super().__init__()
        self.generation = generation
        self.error = error


class CaptureEnded(Message):
    """Both sides were captured; or with `error` were not, or with neither did not have to be."""

    def __init__(self, entry: CaptureEntry | None, error: AbreastError | None) -> None:
        super().__init__()
        self.entry = entry
        self.error = error


class RunProgressed(Message):
    """The executor reported an event."""

    def __init__(self, event: ExecutionEvent) -> None:
        super().__init__()
        self.event = event


class RunFinished(Message):
    """A run ended by itself."""

    def __init__(self, report: RunReport) -> None:
        super().__init__()
        self.report = report


class RunBroke(Message):
    """A run ended by an error; the ledger has what was done."""

    def __init__(self, error: AbreastError) -> None:
        super().__init__()
        self.error = error


class PlanMade(Message):
    """Actions were bound to this server and sealed by a digest."""

    def __init__(self, generation: int, plan: Plan) -> None:
        super().__init__()
        self.generation = generation
        self.plan = plan


class PlanBroke(Message):
    """The plan could not be made."""

    def __init__(self, generation: int, error: AbreastError) -> None:
        super().__init__()
        self.generation = generation
        self.error = error


class RadiiComputed(Message):
    """What the staged actions would stop or destroy was computed, or why it cannot be, by action id."""

    def __init__(self, generation: int, radii: Radii) -> None:
        super().__init__()
        self.generation = generation
        self.radii = radii


class ApprovalJudged(Message):
    """A plan was written for approval, or its signatures were judged again."""

    def __init__(self, generation: int, submitted: Submitted) -> None:
        super().__init__()
        self.generation = generation
        self.submitted = submitted


class ApprovalBroke(Message):
    """A plan could not be written for approval, or its signatures not be judged."""

    def __init__(self, generation: int, error: AbreastError) -> None:
        super().__init__()
        self.generation = generation
        self.error = error


class RunPlanned(Message):
    """The plan of what the operator confirmed and wants to run was made, and approved where it has to be."""

    def __init__(self, plan: Plan, approved: Approved | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.approved = approved


class RunNotPlanned(Message):
    """The plan of what the operator confirmed and wants to run could not be made."""

    def __init__(self, error: AbreastError) -> None:
        super().__init__()
        self.error = error


class LedgerAsked(Message):
    """The ledger said how its newest run stands; None where it has none."""

    def __init__(self, generation: int, found: LedgerRun | None) -> None:
        super().__init__()
        self.generation = generation
        self.found = found


class LedgerUnread(Message):
    """The ledger could not be asked how its newest run stands."""

    def __init__(self, generation: int, error: AbreastError) -> None:
        super().__init__()
        self.generation = generation
        self.error = error


class RebuildProven(Message):
    """Both sides, read anew after a rebuild, were compared with before; its map was saved."""

    def __init__(self, aftermath: Aftermath) -> None:
        super().__init__()
        self.aftermath = aftermath


class RehearsalMoved(Message):
    """A rehearsal got on, ended or broke."""

    def __init__(self, state: Rehearsing) -> None:
        super().__init__()
        self.state = state


class RebuildRecalled(Message):
    """The ledger told of the newest rebuild that is over; None where it has none of this incident."""

    def __init__(self, run: RunState | None) -> None:
        super().__init__()
        self.run = run


class RebuildNotRecalled(Message):
    """The ledger could not be asked for the newest rebuild that is over."""

    def __init__(self, error: AbreastError) -> None:
        super().__init__()
        self.error = error


class RestoreMoved(Message):
    """The plan of a restore got on, was made or broke; or it was seen what came of it."""

    def __init__(self, state: Restoring) -> None:
        super().__init__()
        self.state = state


class ReportMoved(Message):
    """The incident report and the letters got on, were written, or could not be."""

    def __init__(self, state: Reporting) -> None:
        super().__init__()
        self.state = state


class ArmingEnded(Message):
    """The write client was made, or was refused with `error`; then containing alone may still be armed."""

    def __init__(self, error: AbreastError | None, *, may_contain: bool = False) -> None:
        super().__init__()
        self.error = error
        self.may_contain = may_contain


# --- containment --------------------------------------------------------------------------------------------


class LookTaken(Message):
    """A look at the deletions ended, with whatever could be read."""

    def __init__(self, generation: int, look: Look) -> None:
        super().__init__()
        self.generation = generation
        self.look = look


class ContainBroke(Message):
    """A rung failed as a whole; or the look of that generation did."""

    def __init__(self, error: AbreastError, look: int = 0) -> None:
        super().__init__()
        self.error = error
        self.look = look


class RungProgressed(Message):
    """So many changes of a rung are over."""

    def __init__(self, done: int) -> None:
        super().__init__()
        self.done = done


class RungEnded(Message):
    """A rung was taken, with all of its changes."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        super().__init__()
        self.steps = steps


class BrakeChanged(Message):
    """A brake has another state, in a sentence."""

    def __init__(self, lock: str, state: BrakeState, text: str) -> None:
        super().__init__()
        self.lock = lock
        self.state = state
        self.text = text


class EvidenceSaved(Message):
    """What expires was written to a file: list → rows, or its problem."""

    def __init__(self, path: Path, lists: Mapping[str, str]) -> None:
        super().__init__()
        self.path = path
        self.lists = lists


class FenceGateRead(Message):
    """Both sides were read anew: why a fence may not be lifted by one person alone; empty when it may."""

    def __init__(self, why_keep: str) -> None:
        super().__init__()
        self.why_keep = why_keep


# --- retirements --------------------------------------------------------------------------------------------


class RetirementsRead(Message):
    """The ledger said how retirements stand, and who may be proposed was judged."""

    def __init__(self, generation: int, listing: Listing) -> None:
        super().__init__()
        self.generation = generation
        self.listing = listing


class RetirementsBroke(Message):
    """How retirements stand could not be read."""

    def __init__(self, generation: int, error: AbreastError) -> None:
        super().__init__()
        self.generation = generation
        self.error = error


class RetirementProgressed(Message):
    """A call of a step of a retirement has its outcome, in words."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line


class RetirementEnded(Message):
    """What was done about a retirement has ended, in words; or stopped with `error`."""

    def __init__(self, result: str, error: AbreastError | None) -> None:
        super().__init__()
        self.result = result
        self.error = error


# --- a drill ------------------------------------------------------------------------------------------------


class DrillTold(Message):
    """Something happened in a drill, in a sentence; `is_turn`: because somebody in it was told to do it."""

    def __init__(self, text: str, *, is_turn: bool = False) -> None:
        super().__init__()
        self.text = text
        self.is_turn = is_turn


class DrillBroke(Message):
    """What another person of the drill was told to do could not be done."""

    def __init__(self, error: AbreastError) -> None:
        super().__init__()
        self.error = error
