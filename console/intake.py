"""What becomes of the App's values when a reading or a comparison has ended; superseded ones are dropped.

Apart from the App, because it needs the whole vocabulary of the domain: imported after the first frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from console.messages import (
    ActualRead,
    AgentsBroke,
    AgentsRead,
    CaptureEnded,
    ComparisonBroke,
    DeletionsRead,
    DesiredRead,
    DriftCompared,
    ReadingBroke,
    SourceProgressed,
)
from console.state import actual_status, after_reading, desired_status, first_status, judged, row_views
from sync.model import Action, Coverage, CoverageState, Side

if TYPE_CHECKING:
    from console.readings import ReadingApp
    from console.session_protocol import RefreshRates
    from sync.model import ActualInventory
    from widgets.values import SourceStatus


def first_sources(rates: RefreshRates) -> tuple[SourceStatus, SourceStatus]:
    """Both sides before their first reading."""
    return (
        first_status(Side.DESIRED, period_seconds=rates.ci_database_seconds),
        first_status(Side.ACTUAL, period_seconds=rates.inventory_seconds),
    )


def _status(app: ReadingApp, side: Side) -> SourceStatus:
    return app.sources[0] if side is Side.DESIRED else app.sources[1]


def _set_status(app: ReadingApp, status: SourceStatus) -> None:
    first, second = app.sources
    app.sources = (status, second) if status.side is Side.DESIRED else (first, status)


def take_progress(app: ReadingApp, message: SourceProgressed) -> None:
    """A reading got further."""
    if app.refresher.is_current(message.side, message.generation):
        _set_status(app, replace(_status(app, message.side), reading=message.text))


def take_desired(app: ReadingApp, message: DesiredRead) -> None:
    """The CI database was read."""
    if not app.refresher.ended(Side.DESIRED, message.generation):
        return
    _set_status(app, desired_status(_status(app, Side.DESIRED), message.inventory))
    app.refresher.keep_desired(message.inventory)
    app.desired = message.inventory
    app.agent_watch.tick(message.inventory)
    app.refresher.compare(app.staged, app.situation)


def take_actual(app: ReadingApp, message: ActualRead) -> None:
    """CloudStack was read."""
    if not app.refresher.ended(Side.ACTUAL, message.generation):
        return
    _set_status(app, actual_status(_status(app, Side.ACTUAL), message.inventory))
    app.refresher.keep_actual(message.inventory)
    app.whole = whole_after(app.whole, message.inventory)
    app.actual = message.inventory
    app.refresher.compare(app.staged, app.situation)


def take_agents(app: ReadingApp, message: AgentsRead | AgentsBroke) -> None:
    """Jenkins was asked: the rows say what it answered. After a breakage nothing is known of any agent."""
    if not app.agent_watch.ended(message.generation):
        return
    if isinstance(message, AgentsBroke):
        app.agents = {}
        app.show_error(message.error)
    else:
        app.agents = message.readings
    app.views = row_views(app.drift, app.last_known, app.agents, app.situation)


def whole_after(before: ActualInventory | None, found: ActualInventory) -> ActualInventory | None:
    """The latest reading from which nothing is missing, after this one: users are not read every time."""
    if not found.coverage.is_complete:
        return None
    return found if found.users_taken_at in (None, found.taken_at) else before


def take_breakage(app: ReadingApp, message: ReadingBroke) -> None:
    """A reading ended without an inventory: the side is as unread as after a failed one."""
    if not app.refresher.ended(message.side, message.generation):
        return
    if message.side is Side.ACTUAL:
        app.whole = None
    coverage = Coverage(CoverageState.FAILED, why=str(message.error))
    status = _status(app, message.side)
    _set_status(app, after_reading(status, coverage, taken_at=app.utc_clock(), count=0))
    app.show_error(message.error)


def take_drift(app: ReadingApp, message: DriftCompared) -> None:
    """Both sides were compared. `drift` and `headline` are set last: who follows them finds the rows."""
    if not app.refresher.is_latest_comparison(message.generation):
        return
    drift = message.drift
    if drift.desired.is_complete and drift.actual.is_complete:
        app.last_known = drift
    for status, coverage, taken_at in zip(
        app.sources,
        (drift.desired, drift.actual),
        (drift.desired_taken_at, drift.actual_taken_at),
        strict=True,
    ):
        # Beside the other side, a first reading may be hard to believe.
        if status.is_sound and not coverage.is_complete and status.taken_at == taken_at:
            _set_status(app, judged(status, coverage))
    app.views = row_views(drift, app.last_known, app.agents, app.situation)
    _keep_staged(app, message.kept, message.dropped)
    app.drift = drift
    app.fault = ""
    app.headline = message.headline
    if message.situation is not app.situation:
        # More was told of deletions while the two sides were compared.
        app.headline = app.session.headline(drift, app.situation)
    if drift.desired.is_complete and drift.actual.is_complete and app.desired and app.actual:
        app.capture_watch.offer(app.desired, app.actual)


def take_deletions(app: ReadingApp, message: DeletionsRead) -> None:
    """What is being deleted was read: the rows and the headline say so at once."""
    is_latest = app.refresher.deletions_ended(message.generation)
    if message.has_news:
        app.refresher.compare(app.staged, message.situation or app.situation)
    if not is_latest or message.situation is None:
        return
    before, app.situation = app.situation, message.situation
    if app.drift is None or (before is not None and before.says_as(message.situation)):
        return
    app.views = row_views(app.drift, app.last_known, app.agents, app.situation)
    app.headline = app.session.headline(app.drift, app.situation)


def take_capture(app: ReadingApp, message: CaptureEnded) -> None:
    """A capture was written, or failed: announced once, and in the header until one succeeds."""
    app.capture_watch.ended()
    if message.error is not None:
        if not app.capture_problem:
            app.show_error(message.error)
        app.capture_problem = str(message.error)
    elif message.entry is not None:
        app.capture_problem = app.session.captures.baseline_problem
        app.last_capture = message.entry


def _keep_staged(app: ReadingApp, kept: Sequence[Action], dropped: Sequence[str]) -> None:
    """What was staged or taken out since the comparison began stays as the operator left it."""
    fresh = {action.id: action for action in kept}
    gone = set(dropped)
    staged = tuple(fresh.get(action.id, action) for action in app.staged if action.id not in gone)
    if len(staged) < len(app.staged):
        app.notify(f"No longer needed, taken out of the staged actions: {', '.join(sorted(gone))}")
    if staged != app.staged:
        app.staged = staged


def take_broken_comparison(app: ReadingApp, message: ComparisonBroke) -> None:
    """The comparison failed."""
    if app.refresher.is_latest_comparison(message.generation):
        app.fault = str(message.error)
        app.show_error(message.error)
