"""A retirement on a machine whose clock is wrong: from the start, between two steps, and right again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sync.cloudstack.reader import Reader
from sync.errors import GuardError
from sync.model import ActionResult
from sync.retirement import Stage, Step
from sync.retirement_calls import Call
from sync.retirement_steps import Confirmation, word_for
from tests.retirements import PROJECT, Lab, lab

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as made:
        yield made


def test_a_clock_that_is_ahead_makes_no_second_reading(site: Lab) -> None:
    """20 minutes ahead, and 20 minutes are over by it."""
    with pytest.raises(GuardError, match="two readings"):
        site.retiring().propose([PROJECT])
    site.clock.now += 20 * MINUTE
    for _ in range(2):
        with pytest.raises(GuardError, match="this machine's clock is 20 min ahead of CloudStack's"):
            site.retiring().propose([PROJECT])
    assert len(site.retiring().history().sightings) == 1, "nothing of it is recorded"
    site.clock.now -= 20 * MINUTE
    with pytest.raises(GuardError, match="two readings"):
        site.retiring().propose([PROJECT])
    site.wait(601)
    assert site.retiring().propose([PROJECT]).stage is Stage.PROPOSED


def test_a_clock_that_is_ahead_ends_no_wait_and_going_back_neither(site: Lab) -> None:
    site.approved(with_archive=False)
    site.clock.now += 2 * DAY
    with pytest.raises(GuardError, match="2 days ahead of CloudStack's"):
        site.step()
    assert site.commands() == []
    site.clock.now -= 2 * DAY
    site.step()

    def refuse_ahead(by: timedelta) -> None:
        """By a wrong year too; and when the clock is right again, it is early."""
        before = site.commands()
        for much in (by, 400 * DAY):
            site.clock.now += much
            with pytest.raises(GuardError, match=f"{much.days} days ahead of CloudStack's"):
                site.step()
            site.clock.now -= much
        with pytest.raises(GuardError, match="until"):
            site.step()
        assert site.commands() == before

    refuse_ahead(15 * DAY)
    site.through(Step.DESTROY)
    refuse_ahead(2 * DAY)
    assert set(site.machines().values()) == {"Destroyed"}
    site.clock.now += 400 * DAY
    assert site.retiring().steps.undo(PROJECT).stage is Stage.UNDONE, "what saves does not wait for a clock"
    assert set(site.machines().values()) == {"Stopped"}


def test_a_clock_that_jumps_within_a_step_ends_it_only_when_it_is_right_again(site: Lab) -> None:
    site.approved(with_archive=False)
    retiring = site.retiring()

    def jump(_: Call, __: ActionResult) -> None:
        site.clock.now += 15 * DAY

    word = Confirmation(Step.QUARANTINE, word_for(retiring.of(PROJECT)))
    with pytest.raises(GuardError, match="15 days ahead of CloudStack's"):
        retiring.steps.step(PROJECT, confirmed=word, report=jump)
    assert site.retiring().of(PROJECT).stage is Stage.QUARANTINING
    site.clock.now -= 15 * DAY
    quarantined = site.step()
    assert quarantined.stage is Stage.QUARANTINED
    assert quarantined.due_at == site.clock() + 14 * DAY
    with pytest.raises(GuardError, match="is in quarantine until"):
        site.step()


def test_without_the_servers_time_nothing_goes_on(site: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy may take the Date away."""
    site.approved(with_archive=False)
    site.through(Step.ARCHIVE)
    before = site.commands()
    with monkeypatch.context() as patch:
        patch.setattr(Reader, "server_time", lambda _: None)
        with pytest.raises(GuardError, match="names no time"):
            site.step()
        with pytest.raises(GuardError, match="names no time"):
            site.retiring().propose([PROJECT])
    assert site.commands() == before
    assert site.step().stage is Stage.DESTROYED


def test_a_step_that_destroyed_is_not_ended_while_the_clocks_differ(site: Lab) -> None:
    """Its wait would begin at a time that never was."""
    site.approved(with_archive=False)
    site.through(Step.ARCHIVE)
    retiring = site.retiring()

    def jump(_: Call, __: ActionResult) -> None:
        site.clock.now -= DAY

    word = Confirmation(Step.DESTROY, word_for(retiring.of(PROJECT)))
    with pytest.raises(GuardError, match=r"when it ended is not known.*days behind CloudStack's"):
        retiring.steps.step(PROJECT, confirmed=word, report=jump)
    stopped = site.retiring().of(PROJECT)
    assert stopped.stage is Stage.DESTROYING
    assert "no wait can begin" in stopped.stopped
    site.clock.now += 4 * DAY
    assert site.step().stage is Stage.DESTROYED
    assert site.commands().count("destroyVirtualMachine") == 4
