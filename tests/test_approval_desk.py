"""The desk of approvals: a look at signatures never supersedes what somebody asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from console.approvals import LOOK_AGAIN, ApprovalDesk, Submitted
from console.messages import ApprovalBroke, ApprovalJudged
from console.running import RunningApp
from sync.approval import Standing
from sync.errors import UsageError
from tests.fake_cloudstack import plan
from tests.screens.world import Clock

EARLIER = Submitted(plan(), Path("earlier.json"), cast(Standing, None))
WANTED = Submitted(plan(), Path("wanted.json"), cast(Standing, None))


class App:
    """Begins what is asked for and keeps it open until the test ends it."""

    def __init__(self) -> None:
        self.utc_clock = Clock()
        self.session = SimpleNamespace()
        self.submitted: Submitted | None = EARLIER
        self.began: list[str] = []
        self.errors: list[Any] = []

    def run_in_background(self, _work: Callable[[], None], *, name: str) -> None:
        self.began.append(name)

    def show_error(self, error: Any) -> None:
        self.errors.append(error)


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def desk(app: App) -> ApprovalDesk:
    return ApprovalDesk(cast(RunningApp, app))


def test_no_look_supersedes_a_plan_that_is_being_written(app: App, desk: ApprovalDesk) -> None:
    desk.submit(WANTED.plan)
    app.utc_clock.advance(10 * LOOK_AGAIN.total_seconds())
    desk.look(now=app.utc_clock())
    desk.look()
    assert app.began == ["writing the plan 1"]
    desk.take(ApprovalJudged(1, WANTED))
    assert app.submitted is WANTED
    desk.look(now=app.utc_clock())
    assert app.began[1:] == ["judging the signatures 2"]


def test_what_is_asked_for_supersedes_a_look(app: App, desk: ApprovalDesk) -> None:
    desk.look()
    desk.submit(WANTED.plan)
    desk.take(ApprovalJudged(1, EARLIER))
    desk.look()
    assert app.began == ["judging the signatures 1", "writing the plan 2"], "that is still under way"
    desk.take(ApprovalJudged(2, WANTED))
    assert app.submitted is WANTED


def test_what_broke_is_over(app: App, desk: ApprovalDesk) -> None:
    desk.take_in(EARLIER, Path("signatures"))
    desk.take_breakage(ApprovalBroke(1, UsageError("There is no signature.")))
    assert app.submitted is not None
    assert "There is no signature." in app.submitted.fault
    desk.look()
    assert app.began[1:] == ["judging the signatures 2"]
