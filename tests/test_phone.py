"""What is read aloud on the phone, and what happens if one waits: words alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.losses import Losses
from console.phone import aloud, number, spoken
from console.recovery_steps import Situation, Step, steps
from console.state import RunPhase, RunState
from console.waiting import if_one_waits
from sync.deletions import Situation as Deletions
from sync.deletions import Stage
from sync.loss_basis import Basis
from sync.loss_ledger import Fate, Loss, LossLedger, ProjectLosses
from sync.plan import PlanRules, build
from sync.recoverable import Recoverable
from sync.recovery import assess
from tests.screens.world import NOW, deletion, drift_of, machine
from widgets.lines import wrap

ASSESSED = assess(drift_of(), PlanRules(parent="ROOT/ci"), now=NOW)


def situation(**changed: object) -> Situation:
    known: dict[str, object] = {
        "key": lambda id: {"contain": "!"}.get(id, "x"),
        "is_armed": True,
        "can_arm": True,
        "is_drill": True,
        "deletions": Deletions(NOW, ()),
        "assessment": ASSESSED,
        "now": NOW,
    }
    return Situation(**(known | changed))  # type: ignore[arg-type]


def returnable(*minutes: float | None) -> Losses:
    found = tuple(
        Recoverable(
            machine(f"vm-{place}", "dune", place, state="Destroyed"),
            "dune",
            "dune",
            None if left is None else NOW + timedelta(minutes=left),
        )
        for place, left in enumerate(minutes)
    )
    return Losses(LossLedger(None, NOW, ()), Basis(None, "nothing was captured"), found)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "no"),
        (1, "one"),
        (13, "thirteen"),
        (21, "twenty-one"),
        (80, "eighty"),
        (100, "one hundred"),
        (185, "one hundred and eighty-five"),
        (2_400, "two thousand four hundred"),
        (5_003, "five thousand and three"),
        (20_017, "twenty thousand and seventeen"),
        (1_000_000, "1,000,000"),
    ],
)
def test_numbers_are_words(value: int, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("36 to do: 1 dying; 89 VMs", "thirty-six to do: one dying, eighty-nine virtual machines."),
        ("since 03:07:12", "since three oh seven."),
        ("Run 20261126-070641-c2372b by root@vm was stopped.", "The run by root@vm was stopped."),
        ("nothing of run 20261126-070641-c2372b", "nothing of the run."),
        ("at 0:00, at 14:00, at 23:59", "at midnight, at fourteen o'clock, at twenty-three fifty-nine."),
        ("1,038 lost, 1 h 02 min left", "one thousand and thirty-eight lost, one hour two minutes left."),
        ("2 h 00 min left. 1 dies. c stops it", "two hours left. One dies. c stops it."),
        ("! opens it", "the exclamation mark opens it."),
        ("dune/dune-deb12-1 is back", "dune/dune-deb12-1 is back."),
        ("Job c03b12b1-7ecd-49e9-bed3-d6d0a59fcec8 runs.", "Job its id runs."),
        ("Comes after step 4.", "Comes after step four."),
        ("release 4.23 of 40 s", "release 4.23 of forty seconds."),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_said_otherwise(written: str, said: str) -> None:
    assert aloud(written) == said


@pytest.mark.parametrize("step", list(Step))
def test_every_step_is_one_page_without_columns_and_ids(step: Step) -> None:
    busy = Deletions(NOW, (deletion("aurora", machines=3), deletion("boreal", Stage.QUEUED)))
    said = spoken(situation(deletions=busy, losses=returnable(61, None)), step)
    for opening, text in zip(
        ("We are in the recovery", "Found: ", "Next: ", "Why: ", "If we wait: "), said, strict=False
    ):
        assert text.startswith(opening)
    assert step.value in said[0]
    lines = [line for text in said for line in (*wrap(text, 76), "")]
    assert len(lines) <= 21, "a screenful at 80x24"
    assert not any("  " in text or "\n" in text for text in said)


def test_one_survives_and_several_survive() -> None:
    def lost(number: int) -> str:
        objects = tuple(
            Loss("VM", str(place), "vm", "ROOT/ci/aurora", "aurora", Fate.SURVIVES) for place in range(number)
        )
        ledger = LossLedger(NOW, NOW, (ProjectLosses("aurora", "aurora", objects),))
        found = Losses(ledger, Basis(NOW, "captured"), ())
        return " ".join(spoken(situation(losses=found), Step.ASSESS))

    assert "Objects in all: one survives." in lost(1)
    assert "Objects in all: two survive." in lost(2)


# --- if one waits -------------------------------------------------------------------------------------------


def test_a_deletion_that_goes_on_says_what_is_next_and_until_when_there_is_evidence() -> None:
    found = deletion("aurora", machines=3, minutes_ago=90, snapshots=2)
    said = if_one_waits(Step.CONTAIN, situation(deletions=Deletions(NOW, (found,))))
    assert "next is 2 snapshots, before any VM" in said and "3 VMs still alive" in said
    assert "CloudStack forgets the first jobs, the evidence, 22 h 30 min from now." in said
    old = deletion("aurora", Stage.HALF_DONE, minutes_ago=2 * 24 * 60)
    late = if_one_waits(Step.CONTAIN, situation(deletions=Deletions(NOW, (old,))))
    assert "has forgotten the first jobs" in late and "taken up again by the next clean-up" in late


def test_the_first_destroyed_vm_sets_the_deadline() -> None:
    said = if_one_waits(Step.ASSESS, situation(losses=returnable(61, 200)))
    assert said.startswith("1 h 01 min left for dune/vm-0, the first of 2 VMs that can still come back.")
    unknown = if_one_waits(Step.ASSESS, situation(losses=returnable(None)))
    assert unknown.startswith(
        "Time left not known for dune/vm-0, the first of 1 VM that can still come back."
    )


def test_destroyed_vms_come_before_everything_else() -> None:
    view = steps(situation(losses=returnable(61, 200)), viewed=Step.ASSESS)[1]
    assert view.do == "First x brings all 2 destroyed VMs back. Then x rebuilds."
    unarmed = steps(situation(losses=returnable(61), is_armed=False), viewed=Step.ASSESS)[1]
    assert unarmed.do.startswith("x arms the console; x then brings the destroyed VM back.")
    kept = replace(returnable(61).recoverable[0], kept_back="the project is being retired")
    none = replace(returnable(), recoverable=(kept,))
    assert "back" not in steps(situation(losses=none), viewed=Step.ASSESS)[1].do


def test_a_paused_rebuild_does_not_go_on_by_itself_and_one_that_waits_says_for_what() -> None:
    plan = build([], environment="drill", root_id="1", endpoint="http://x", author="a", now=NOW)
    run = RunState(plan, RunPhase.RUNNING, NOW, is_rebuild=True)
    assert if_one_waits(Step.REBUILD, situation(run=run)).startswith("It goes on by itself.")
    for phase in (RunPhase.PAUSING, RunPhase.PAUSED):
        said = if_one_waits(Step.REBUILD, situation(run=replace(run, phase=phase)))
        assert said.startswith("Nothing goes on before you say so")
    waits = situation(run=replace(run, is_waiting=True))
    assert if_one_waits(Step.REBUILD, waits).startswith("It waits for CloudStack, which does not answer")
    view = steps(waits, viewed=Step.REBUILD)[2]
    assert view.found.endswith("; waiting for CloudStack")
    assert view.do.startswith("Get CloudStack to answer. x stops after the running calls;")


def test_before_anything_was_read_nobody_knows() -> None:
    assert if_one_waits(Step.ASSESS, situation(assessment=None)).startswith("Nobody knows yet")
    assert if_one_waits(Step.CONTAIN, situation(deletions=None)).startswith("Nobody knows")


def test_what_is_quiet_says_that_nothing_gets_worse() -> None:
    quiet = replace(ASSESSED, dying=(), missing=(), hollow=(), orphaned=())
    assert if_one_waits(Step.ASSESS, situation(assessment=quiet)) == "Nothing gets worse that is known of."
    assert if_one_waits(Step.CONTAIN, situation(assessment=quiet)) == "Nothing: nothing is being deleted."
    dying = situation(assessment=quiet, deletions=Deletions(NOW, (deletion("aurora", machines=1),)))
    assert "what is being deleted now goes on" in if_one_waits(Step.ASSESS, dying)
    assert if_one_waits(Step.REBUILD, situation(assessment=quiet)).startswith("Nothing:")
