"""What the proof says of agents: whom Jenkins reaches, and whose address is a stranger's now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from console.recovering import Aftermath
from console.recovery_pages import proof_page
from console.state import RunPhase, RunState
from sync.agents import ChangedAddress, Reach
from sync.plan import build
from sync.recovery import Verification

NOW = datetime(2026, 7, 28, 3, 12, tzinfo=UTC)
PROVEN = Verification((), (), (), (), (), (), "")
PLAN = build((), environment="lab", root_id="r", endpoint="https://cloud", author="x", now=NOW)


def said(**named: Any) -> str:
    run = RunState(PLAN, RunPhase.FINISHED, NOW, is_rebuild=True)
    lines = proof_page(run, Aftermath("run-1", NOW, PROVEN, **named), 100)
    return "\n".join("".join(text for text, _ in line) for line in lines)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Reach(3, 3, True), "✓ Jenkins: 3/3 online."),
        (Reach(1, 3, True), "! Jenkins: 1/3 online."),
        (Reach(0, 3, False), "! Jenkins: 3 not read."),
    ],
)
def test_jenkins_word_stands_beside_the_proof(found: Reach, words: str) -> None:
    assert words in said(agents=found)


def test_where_jenkins_is_not_asked_nothing_is_said_of_it() -> None:
    assert "Jenkins" not in said()


def test_only_addresses_that_are_somebody_elses_are_an_alarm() -> None:
    moved = ChangedAddress("aurora", "linux", "10.1.1.7", ("10.1.1.9",))
    taken = ChangedAddress("boreal", "mac", "10.1.1.8", (), "VM x of ROOT/ci/zephyr")
    text = said(addresses=(taken, moved))
    assert "1 agent whose address somebody else has now" in text
    assert "take the agent offline" in text
    assert "10.1.1.9" not in text
