"""Under every partial, stale or wrong view: no deletion proposed, none sent, nothing concluded from what was
not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.partial_views import SCENARIOS, Scenario, play


@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.name.replace(" ", "-"))
def test_what_was_not_seen_is_not_absent(one: Scenario, tmp_path: Path) -> None:
    line = play(one, tmp_path / "lab")
    assert (line.proposed, line.sent) == (0, 0)
    assert line.invented == ()
    assert line.lost == ()
