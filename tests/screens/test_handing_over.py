"""The report is written from the screen: in the background, again when asked; what fails stays in sight."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console import reports
from console.screens.recovery import RecoveryScreen
from sync.errors import UnreachableError
from sync.loss_ledger import loss_ledger
from sync.report import Report, build
from sync.report_back import Returned
from sync.report_deletions import Deletions
from tests.screens.driving import screen_text
from tests.screens.recoveries import DamagedSession, console_on, open_recovery, rest
from tests.screens.runs import until


class Making:
    """Stands for reading both sides: waits at its door, then answers with a report, or fails."""

    def __init__(self) -> None:
        self.door = threading.Event()
        self.chosen: list[int | None] = []
        self.error: Exception | None = None

    def __call__(self, session: Any, *, since: Any, on_step: Any, chosen: int | None) -> Report:
        self.chosen.append(chosen)
        on_step("Reading [b]both[/b] sides …")
        assert self.door.wait(20), "the test never opened the door"
        if self.error is not None:
            raise self.error
        return report_of(session)


def report_of(session: DamagedSession) -> Report:
    """As if galaxy had been there before, and were gone."""
    before, desired = session.read_actual(), session.read_desired()
    domains = tuple(one for one in before.domains if one.name != "galaxy")
    accounts = tuple(one for one in before.accounts if one.name != "galaxy")
    now = replace(before, domains=domains, accounts=accounts)
    return build(
        (),
        environment="drill",
        since=session.clock(),
        made_at=session.clock(),
        made_by=session.operator,
        losses=loss_ledger(before, now),
        drift=session.compare(desired, now),
        headline="1 project has no domain.",
        back=Returned(),
        deletions=Deletions(),
    )


@pytest.fixture
def making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Making:
    found = Making()
    monkeypatch.setattr(reports, "make", found)
    monkeypatch.chdir(tmp_path)
    return found


async def test_the_report_is_written_behind_the_screen_and_again(tmp_path: Path, making: Making) -> None:
    session = DamagedSession(tmp_path)
    app = console_on(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        await pilot.press("W")
        await until(pilot, lambda: "Reading [b]both[/b] sides …" in screen_text(app))
        assert "W report" not in screen_text(app), "one at a time"
        await pilot.press("W")
        making.door.set()
        await until(pilot, lambda: "✓ 7 Hand over" in screen_text(app))
        assert making.chosen == [None]
        first = app.reporting
        assert first is not None and len(first.letters) == 2
        assert sorted(path.name for path in Path(first.folder).iterdir()) == [
            "first-message.txt",
            "incident-report.html",
            "incident-report.md",
            "letters",
        ]
        text = "".join(screen_text(app).split())
        assert first.folder in text and Path(first.letters[0]).name in text
        session.clock.advance(60)
        assert isinstance(app.screen, RecoveryScreen)
        app.screen.chosen_capture = 7
        await pilot.press("W")
        await until(pilot, lambda: app.reporting is not None and len(making.chosen) == 2)
        await rest(pilot)
        assert app.reporting is not None and app.reporting.folder != first.folder
        assert Path(first.folder).exists() and Path(app.reporting.folder).exists()
        assert making.chosen == [None, 7], "as Assess tells them"


async def test_why_it_was_not_written_stays_in_sight(tmp_path: Path, making: Making) -> None:
    making.error = UnreachableError("CloudStack says [/x].", next_step="Try again.")
    making.door.set()
    app = console_on(DamagedSession(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_recovery(pilot)
        await pilot.press("W")
        await until(pilot, lambda: "✗ 7 Hand over" in screen_text(app))
        assert "Not written: CloudStack says [/x]. Try again." in screen_text(app)
        assert "W writes letters and report." in screen_text(app)
        making.error = None
        await pilot.press("W")
        await until(pilot, lambda: "✓ 7 Hand over" in screen_text(app))
        assert "Not written" not in screen_text(app)
