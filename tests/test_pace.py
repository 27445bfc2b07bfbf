"""The pace of an execution and the time that is left."""

from __future__ import annotations

import pytest

from sync.model import ActionKind
from sync.pace import SECONDS_EACH, rate, seconds_left, work_of
from tests.fake_cloudstack import project


def test_every_kind_of_action_has_its_cost() -> None:
    assert SECONDS_EACH.keys() == set(ActionKind)


def test_accounts_weigh_more_than_domains() -> None:
    domain, account, user = project("dune", "anna")
    assert work_of([account]) > 5 * work_of([user]) > work_of([domain])
    assert work_of([domain, account, user]) == pytest.approx(2.75)


@pytest.mark.parametrize(
    ("samples", "left"),
    [
        ([], None),
        ([(0.0, 0.0)], None),
        ([(0.0, 0.0), (5.0, 0.0)], None),
        ([(0.0, 0.0), (10.0, 20.0)], 40.0),
        ([(0.0, 0.0), (10.0, 100.0)], 0.0),
        ([(0.0, 0.0), (0.0, 10.0)], None),
    ],
)
def test_the_time_left_follows_from_what_was_done(
    samples: list[tuple[float, float]], left: float | None
) -> None:
    assert seconds_left(samples, 100.0) == left


def test_only_the_pace_of_late_counts() -> None:
    fast_then_slow = [(0.0, 0.0), (10.0, 500.0), (100.0, 510.0), (150.0, 560.0)]
    assert rate(fast_then_slow, window_seconds=60.0) == 1.0
    assert seconds_left(fast_then_slow, 660.0, window_seconds=60.0) == 100.0


def test_standing_still_has_no_end() -> None:
    assert seconds_left([(0.0, 0.0), (10.0, 50.0), (90.0, 50.0), (130.0, 50.0)], 100.0) is None
