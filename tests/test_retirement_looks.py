"""When the retirements are looked at: one look at a time, and never an older one's answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

import sync.retirement_proposal
from console.retirement_state import candidates_of
from console.retirements import LOOK_AGAIN, Retirements
from console.retiring import RetiringApp
from sync.drift import compare
from tests.retirement_examples import LIMITS, empty_side, history, view, wish
from tests.screens.world import NOW, Clock


class App:
    """Begins looks and keeps them open until the test ends them."""

    def __init__(self) -> None:
        self.utc_clock = Clock()
        self.desired = self.actual = self.whole = SimpleNamespace()
        self.began: list[int] = []

    def run_in_background(self, _work: Callable[[], None], *, name: str) -> None:
        self.began.append(int(name.split()[-1]))


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def retirements(app: App) -> Retirements:
    return Retirements(cast(RetiringApp, app))


def test_a_look_that_hangs_gets_no_company(app: App, retirements: Retirements) -> None:
    for minutes in range(10):
        retirements.tick(NOW + timedelta(minutes=minutes))
    retirements.look()
    assert app.began == [1]


def test_what_is_asked_for_meanwhile_is_looked_at_once_the_look_ended(
    app: App, retirements: Retirements
) -> None:
    retirements.look()
    for _ in range(3):
        retirements.look()
    assert retirements.look_ended(1), "it is no less true for that"
    assert app.began == [1, 2]
    assert retirements.look_ended(2)
    assert app.began == [1, 2]


def test_a_slow_look_gets_as_long_a_rest_as_it_took(app: App, retirements: Retirements) -> None:
    retirements.look()
    took = LOOK_AGAIN * 1.5
    app.utc_clock.advance(took.total_seconds())
    assert retirements.look_ended(1)
    ended = app.utc_clock()
    retirements.tick(ended + took - timedelta(seconds=1))
    assert app.began == [1]
    retirements.tick(ended + took)
    assert app.began == [1, 2]


def test_what_was_seen_before_something_was_done_is_dropped(app: App, retirements: Retirements) -> None:
    retirements.look()
    retirements.end()
    assert not retirements.look_ended(1)
    assert app.began == [1, 2]
    assert retirements.look_ended(2)
    retirements.tell_drift()
    assert app.began == [1, 2, 3], "both sides were read after it"
    assert retirements.look_ended(3)
    retirements.tell_drift()
    assert app.began == [1, 2, 3]


def test_both_sides_are_compared_once_however_many_are_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Any] = []
    seen, before = view(actual=empty_side()), history()

    def counted(*sides: Any, **rules: Any) -> Any:
        compared.append(sides)
        return compare(*sides, **rules)

    monkeypatch.setattr(sync.retirement_proposal, "compare", counted)
    assert candidates_of(seen, before, wish(), LIMITS).candidates
    assert len(compared) == 1
