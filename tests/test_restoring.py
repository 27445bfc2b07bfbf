"""When the plan of a restore is made anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from console.restore_state import Restoring, Wish
from console.restoring import Restores
from console.state import RunPhase, RunState
from tests.restore_states import NOW, STATE
from tests.test_handing_over import PLAN

PLANNED = replace(STATE, step="", is_run=False, is_waiting=False, ended=None, read_at=NOW)
LATER = RunState(
    PLAN,
    RunPhase.FINISHED,
    NOW,
    ended_at=NOW + timedelta(minutes=1),
    is_rebuild=True,
    recalled_of="day@console",
)


@pytest.mark.parametrize(
    ("state", "rebuild", "begun"),
    [
        (None, LATER, [None]),
        (PLANNED, LATER, [PLANNED.wish]),
        (replace(PLANNED, wish=Wish(archive="/a")), LATER, [Wish(archive="/a")]),
        (replace(PLANNED, read_at=None, problem="It broke."), LATER, [PLANNED.wish]),
        (replace(PLANNED, read_at=LATER.ended_at), LATER, []),
        (PLANNED, replace(LATER, recalled_of=""), []),
        (replace(PLANNED, is_run=True), LATER, []),
        (replace(PLANNED, is_waiting=True), LATER, []),
    ],
)
def test_a_rebuild_of_elsewhere_has_the_restore_planned_anew_by_a_reading_from_after_it(
    state: Restoring | None,
    rebuild: RunState,
    begun: list[Wish | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restores, seen = Restores(cast(Any, SimpleNamespace(restoring=state))), []
    monkeypatch.setattr(restores, "begin", lambda wish=None: seen.append(wish))
    restores.follow_rebuild(rebuild)
    assert seen == begun
