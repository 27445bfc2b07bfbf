"""Under every partial, stale, wrong or hostile view: no deletion proposed, none sent, nothing concluded from
what was not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.__main__ import PLAYED, table
from tests.scenarios.partial_lab import Line
from tests.scenarios.scenario import SCENARIOS, Scenario, play

ACCIDENTS = {
    "Inria CI 2017: a sync of one project": ("one-project scope", "mapping that filters"),
    "Travis CI 2016: a query of 100 rows": ("query limited to 100", "page limit of 100"),
    "Argo CD: 0 applications generated": ("CI database empty", "CI database empty at the first reading"),
    "Argo CD: clusters that cannot be listed": ("CloudStack down half-way", "CI database down half-way"),
    "Flying Circus 2014: a massive deletion list": ("massive deletion list",),
    "Atlassian 2022: ids of something else": ("id of something else",),
    "UniSuper 2024: a blank parameter": ("blank parameter",),
    "GitLab 2017: the wrong host": ("wrong environment", "cloned qualification system"),
}
"""Each accident of a part taken for the whole, and of its family, that others had."""
TRAPS = (
    "page limit of 100", "page limit of 500", "unpaged list cut at 500", "wrong count", "empty page",
    "page without a list", "duplicated page", "shifted page", "one-project scope",
    "domain admin's credential", "read-only credential", "owned by a CloudStack Project", "CI database empty",
    "CI database restored from an old backup", "mapping that filters", "wrong environment",
    "cloned qualification system", "clock wrong", "CloudStack down half-way", "CI database down half-way",
)  # fmt: skip
"""Each way in which CloudStack, the CI database or the configuration shows less than there is."""


@pytest.mark.parametrize("one", SCENARIOS, ids=lambda one: one.name.replace(" ", "-"))
def test_what_was_not_seen_is_not_absent(one: Scenario, tmp_path: Path) -> None:
    line = play(one, tmp_path / "lab")
    assert (line.proposed, line.sent) == (0, 0)
    assert line.invented == ()
    assert line.lost == ()


def test_every_accident_and_every_trap_has_its_scenario() -> None:
    assert {one.play.__module__ for one in SCENARIOS} == {module.__name__ for module in PLAYED}
    assert table([Line(one.name, "unknown", 0, 0) for one in SCENARIOS]).count("\n") == len(SCENARIOS)
    names = [one.name for one in SCENARIOS]
    assert len(names) == len(set(names))
    wanted = {name for scenarios in ACCIDENTS.values() for name in scenarios} | set(TRAPS)
    assert wanted <= set(names)
