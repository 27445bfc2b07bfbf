"""One scenario: how it is set up and played, and how a view in it is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.scenarios.partial_lab import (
    Lab,
    Line,
    View,
    lab,
)


@dataclass(frozen=True)
class Scenario:
    name: str
    like: str
    """The accident or trap that it repeats."""
    play: Callable[[Lab], None]
    setup: Mapping[str, Any] = field(default_factory=dict)


SCENARIOS: list[Scenario] = []


def scenario(name: str, like: str, **setup: Any) -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    def register(play: Callable[[Lab], None]) -> Callable[[Lab], None]:
        SCENARIOS.append(Scenario(name, like, play, setup))
        return play

    return register


def whole(lab: Lab, *projects: str) -> View:
    """A look that must see everything that the full view saw."""
    assert lab.truth.drift is not None
    view = lab.look(*projects)
    assert view.is_complete, view.said
    assert view.drift is not None
    assert view.status == view.checked
    assert view.drift.counts() == lab.truth.drift.counts(), view.said
    return view


def part(lab: Lab, **how: Any) -> View:
    """A look that must say that it did not see everything, and proposes nothing."""
    view = lab.look(**how)
    assert not view.is_complete, f"a partial view passes for a complete one: {view.said}"
    assert view.status in ("unknown", "refused (1)", "refused (3)", "refused (78)"), view.status
    assert view.status == view.checked
    assert view.actions == ()
    return view


def play(one: Scenario, folder: Path) -> Line:
    """One scenario from its start to what it came to."""
    with lab(folder, **one.setup) as made:
        one.play(made)
        return made.judge(one.name)


def mapping(projects: str) -> str:
    """The configuration of a mapping with this query of projects."""
    tables = "".join(f'{table} = "SELECT * FROM {table}"\n' for table in ("members", "agents", "quotas"))
    return f'[environments.lab.ci_database.mapping]\nprojects = "{projects}"\n{tables}'
