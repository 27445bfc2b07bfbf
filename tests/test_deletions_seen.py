"""What the console says of deletions: in headline, rows and alarms, and put beside an inventory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.alarms import row_alarms, situation_alarms
from console.messages import DeletionsRead
from console.recovery_pages import deletions_page
from console.recovery_steps import Situation as Recovering
from console.recovery_steps import Step, steps
from console.refresh import Refresher
from console.state import RunPhase, RunState, counts_of, row_views
from console.telling import Telling
from sync.deletion_attempts import Event
from sync.deletion_rows import deletions_by_row, with_deletions, with_holders
from sync.deletions import Deletion, Kind, Situation, Stage, Told, assess
from sync.drift import compare
from sync.headline import headline
from sync.model import ActionKind, Coverage, CoverageState, DriftKind, Plan
from sync.plan import PlanRules, repairs
from tests import examples as ex
from tests.screens.world import NOW, ROWS, Clock, FakeSession, deletion, drift_of, in_sync
from tests.test_deletions import AURORA, events, reading
from tests.test_refresh import SynchronousApp
from widgets.drift_table import drift_cell
from widgets.steps import StepState

RUNNING = deletion("aurora", machines=3, snapshots=2)
QUEUED = deletion("galaxy", Stage.QUEUED, machines=2)
REFUSED = deletion("harbor", Stage.REFUSED)
HALF = deletion("boreal", Stage.HALF_DONE)


def situation(*found: Deletion, unnamed: int = 0, problems: tuple[str, ...] = ()) -> Situation:
    return Situation(NOW, found, unnamed_jobs=unnamed, problems=problems)


# --- the headline -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "words", "key"),
    [
        (situation(RUNNING), "One domain is being deleted now (3 VMs still alive).", "! contains it"),
        (
            situation(RUNNING, QUEUED),
            "One domain is being deleted now (3 VMs still alive), 1 more is submitted.",
            "! contains it",
        ),
        (situation(QUEUED), "The deletion of 1 domain is submitted.", "! contains it"),
        (situation(unnamed=2), "2 deletion jobs run, and no event says of what.", "! contains it"),
        (situation(REFUSED), "1 deletion was refused.", "! shows it"),
        (
            situation(HALF),
            "One domain is half deleted: CloudStack's clean-up may go on with it.",
            "! shows it",
        ),
        (situation(deletion("x", Stage.ENDED)), "1 of 14 projects has no domain.", ""),
    ],
)
def test_the_headline_says_it_in_plain_words_with_the_next_key(
    found: Situation, words: str, key: str
) -> None:
    said = headline(drift_of(), found)
    keys = [str(one) for one in said.next_keys]
    assert words in said.text
    assert keys == ([key] if key else []) + ["R recovers", "enter opens"]


def test_what_goes_on_comes_first_and_is_not_said_twice() -> None:
    text = headline(drift_of(), situation(RUNNING)).text
    assert text.startswith("One domain is being deleted now")
    assert text.count("being deleted") == 1
    assert "being deleted now (3 VMs still run)" in headline(drift_of(), situation()).text


UNREAD = Coverage(CoverageState.FAILED, why="No route to host")
LAST = "When CloudStack was last read, at 03:12:44 UTC, "


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            situation(RUNNING, QUEUED, HALF),
            f"{LAST}one domain was being deleted (3 VMs still alive), 1 more was submitted. CloudStack could "
            "not be read: No route to host. One domain was half deleted:",
        ),
        (situation(QUEUED), f"{LAST}the deletion of 1 domain was submitted."),
        (situation(unnamed=2), f"{LAST}2 deletion jobs ran, and no event says of what."),
        (situation(HALF), f"{LAST}one domain was half deleted: CloudStack's clean-up may go on with it."),
        (situation(HALF, REFUSED), "may go on with it. 1 deletion was refused."),
        (situation(REFUSED), f"{LAST}1 deletion was refused."),
    ],
)
def test_what_an_earlier_reading_alone_told_is_told_in_the_past(found: Situation, words: str) -> None:
    text = headline(replace(drift_of(()), actual=UNREAD), found).text
    assert words in text
    assert text.count("was last read") == 1
    assert "being deleted now" not in text


def test_what_cannot_be_seen_of_deletions_is_said() -> None:
    said = headline(drift_of((in_sync("galaxy"),)), situation(problems=("listEvents may not be called.",)))
    assert said.text.endswith("Deletions are not seen in full: listEvents may not be called.")


# --- rows ---------------------------------------------------------------------------------------------------


def test_a_row_whose_deletion_is_submitted_is_deleting_and_comes_first() -> None:
    views = row_views(drift_of(), None, {}, situation(QUEUED))
    by_key = {view.key: view for view in views}
    assert by_key["galaxy"].kind is DriftKind.DELETING
    assert by_key["galaxy"].row.kind is DriftKind.IN_SYNC, "what is repaired follows the comparison alone"
    assert {view.key for view in views[:2]} == {"aurora", "galaxy"}
    assert len(views) == len(ROWS)


def test_a_row_whose_deletion_an_earlier_reading_alone_told_is_unknown_and_was_deleting() -> None:
    rows = tuple(replace(row, kind=DriftKind.UNKNOWN) for row in ROWS)
    unread = replace(drift_of(rows), actual=UNREAD)
    for last_known in (drift_of(), None):
        views = row_views(unread, last_known, {}, situation(RUNNING, QUEUED))
        assert [view.key for view in views[:2]] == ["aurora", "galaxy"]
        for view in views[:2]:
            assert (view.kind, view.deletion, view.was_at) == (DriftKind.UNKNOWN, None, NOW)
            assert view.was is not None and view.was.kind is DriftKind.DELETING
            assert drift_cell(view) == "· was deleting"
    assert counts_of(views)[DriftKind.DELETING] == 0


def test_the_commands_count_what_the_console_shows() -> None:
    """Design, section 2: what is queued is DELETING, in `check` as on the screen."""
    found = situation(RUNNING, QUEUED)
    told = with_deletions(drift_of(), found)
    assert told.counts() == counts_of(row_views(drift_of(), None, {}, found))
    assert told.counts()[DriftKind.DELETING] == 2
    assert {row.key for row in told.rows[:2]} == {"aurora", "galaxy"}
    assert with_deletions(drift_of(), None) == drift_of() == with_deletions(drift_of(), situation(REFUSED))


def held(told: list[Event], *, paths: dict[str, str], stored: str = "", key: str = "aurora") -> list[str]:
    """What is planned first for a missing project, with these events and no VM that is left."""
    project = replace(ex.project(key, "anna"), domain_id=stored or None)
    drift = with_holders(compare(ex.desired(project), ex.actual()), told, paths)
    (row,) = drift.rows
    assert row.kind is DriftKind.MISSING
    rename, *rest = repairs(row, rules=PlanRules(), now=ex.NOON)
    if rename.kind is not ActionKind.RENAME_DOMAIN:
        return []
    assert "may hold the name" in row.reason
    assert rename.id in rest[0].needs and rest[0].kind is ActionKind.CREATE_DOMAIN
    return [rename.target, str(rename.target_id)]


AURORA_PATHS = {AURORA.id: AURORA.path}
OPEN = events(AURORA, "Scheduled", "Started")
BEGUN = ("Scheduled", "Started", "Completed")


@pytest.mark.parametrize(
    "told", [OPEN, events(AURORA, "Scheduled"), events(AURORA, *BEGUN, failed=True)], ids=len
)
def test_a_deletion_that_has_not_ended_holds_the_name_though_no_vm_is_left(told: list[Event]) -> None:
    assert held(told, paths=AURORA_PATHS) == [AURORA.path, AURORA.id]
    assert held(told, paths={}, stored=AURORA.id.upper()) == [AURORA.path, AURORA.id]


def test_who_held_a_name_is_never_told_by_the_name_alone() -> None:
    assert held(OPEN, paths={}) == [], "a stranger's domain may have the same name"
    assert held(OPEN, paths={AURORA.id: "ROOT/others/aurora"}, stored=AURORA.id) == []
    assert held(OPEN, paths={AURORA.id: f"{AURORA.path}/sub"}) == []
    assert held(OPEN, paths=AURORA_PATHS, key="boreal") == []
    assert held(events(AURORA, "Scheduled", type="ACCOUNT.DELETE"), paths=AURORA_PATHS) == []


def test_what_is_deleted_to_its_end_holds_no_name() -> None:
    ended = events(AURORA, *BEGUN)
    assert held(ended, paths=AURORA_PATHS) == []
    again = [*ended, *events(AURORA, *BEGUN, at=60, failed=True)]
    assert held(again, paths=AURORA_PATHS) == [], "it was gone when somebody tried once more"
    newer = replace(AURORA, id="id:newer")
    paths = AURORA_PATHS | {newer.id: newer.path}
    assert held([*OPEN, *renamed(events(newer, *BEGUN, at=60))], paths=paths) == []
    assert held([*ended, *renamed(events(newer, "Scheduled", at=60))], paths=paths) == [newer.path, newer.id]


def renamed(told: list[Event]) -> list[Event]:
    """Events of another domain of the same name have ids of their own."""
    return [replace(one, id=f"n-{one.id}", parent_id=one.parent_id and f"n-{one.parent_id}") for one in told]


def test_a_domain_that_is_listed_or_told_by_its_vms_needs_no_event() -> None:
    desired = ex.desired(ex.project("aurora", "anna"))
    for actual in (ex.actual(AURORA), ex.actual(vms=[ex.vm("v", AURORA)])):
        drift = compare(desired, actual)
        assert with_holders(drift, OPEN, AURORA_PATHS) == drift


@pytest.mark.parametrize("stage", [Stage.ORPHANED, Stage.HALF_DONE])
def test_a_domain_whose_own_deletion_runs_no_longer_is_orphaned_though_another_one_runs(
    stage: Stage,
) -> None:
    [dying] = [row for row in ROWS if row.kind is DriftKind.DELETING]
    assert dying.dying is not None
    ended = replace(deletion("aurora", stage, machines=3), target_id=dying.dying.domain_id)
    found = situation(QUEUED, ended)
    told = with_deletions(drift_of(), found)
    assert told.counts() == counts_of(row_views(drift_of(), None, {}, found))
    assert {row.key for row in told.rows if row.kind is DriftKind.ORPHANED} == {"aurora", "ember"}
    text = headline(drift_of(), found).text
    assert "left of 2 deleted domains, whose own deletion runs no longer" in text
    assert "being deleted now" not in text


def test_refused_and_ended_attempts_mark_no_row() -> None:
    assert deletions_by_row(situation(REFUSED, HALF, deletion("x", Stage.ENDED)), drift_of()) == {}


def test_the_deletion_of_the_parent_is_that_of_every_project_below_it() -> None:
    below = ("ROOT/ci/aurora", "ROOT/ci/boreal/sub", "ROOT/elsewhere")
    parent = replace(QUEUED, target_id="d-ci", path="ROOT/ci", below=below)
    assert set(deletions_by_row(situation(parent), drift_of())) == {"aurora", "boreal"}
    elsewhere = replace(QUEUED, target_id="d-else", path="ROOT/elsewhere")
    assert deletions_by_row(situation(elsewhere), drift_of()) == {}


def test_a_path_is_found_whatever_its_case_and_an_account_marks_no_row() -> None:
    missing = replace(QUEUED, target_id="d-gone", path="ROOT/CI/Cirrus")
    assert set(deletions_by_row(situation(missing), drift_of())) == {"cirrus"}
    assert deletions_by_row(situation(replace(QUEUED, kind=Kind.ACCOUNT)), drift_of()) == {}


def test_the_domain_that_has_the_name_now_is_not_the_renamed_one_that_is_deleted() -> None:
    """The path under which the old one was listed is remembered, its new name is not told."""
    old = replace(RUNNING, target_id="d-old", path="ROOT/ci/galaxy")
    assert deletions_by_row(situation(old), drift_of()) == {}
    below = replace(old, path="ROOT/ci/galaxy/sub")
    assert set(deletions_by_row(situation(below), drift_of())) == {"galaxy"}, "it is a part of the project"
    renamed = replace(RUNNING, path="ROOT/ci/galaxy")
    assert set(deletions_by_row(situation(renamed), drift_of())) == {"aurora"}, "by its id it is aurora's"


# --- alarms -------------------------------------------------------------------------------------------------


def texts(before: Situation | None, after: Situation) -> list[tuple[str, bool]]:
    return [(one.text, one.rings) for one in situation_alarms(before, after, at=NOW)]


def test_a_new_deletion_rings_once_and_again_when_it_begins() -> None:
    submitted = situation(QUEUED)
    assert texts(situation(), submitted) == [
        ("ROOT/ci/galaxy: its deletion is submitted by ci-sync/ci-sync", True)
    ]
    assert texts(submitted, submitted) == []
    running = situation(replace(QUEUED, stage=Stage.RUNNING))
    assert texts(submitted, running) == [
        ("ROOT/ci/galaxy is being deleted by ci-sync/ci-sync, 2 VMs alive", True)
    ]


def test_a_refused_attempt_is_no_alarm_and_one_that_was_seen_is_good_news() -> None:
    assert texts(situation(), situation(REFUSED)) == []
    seen = situation(replace(REFUSED, stage=Stage.QUEUED))
    assert texts(seen, situation(REFUSED)) == [
        ("ROOT/ci/harbor: its deletion was refused, it is still there", False)
    ]


def test_the_first_reading_is_one_alarm() -> None:
    assert texts(None, situation(RUNNING, QUEUED, HALF)) == [
        ("3 deletions at the start: ROOT/ci/aurora, ROOT/ci/galaxy, ROOT/ci/boreal", True)
    ]
    assert texts(None, situation(deletion("x", Stage.ENDED))) == []


def test_jobs_without_a_name_ring_when_there_are_more_of_them() -> None:
    assert texts(situation(unnamed=1), situation(unnamed=3)) == [
        ("2 deletion jobs of which no event says the target", True)
    ]
    assert texts(situation(unnamed=3), situation(unnamed=1)) == []


def test_a_row_does_not_ring_besides_its_deletion() -> None:
    views = row_views(drift_of((in_sync("galaxy"),)), None, {}, situation(QUEUED))
    assert row_alarms({"galaxy": DriftKind.IN_SYNC}, views, at=NOW, is_first=False) == []


# --- putting together ---------------------------------------------------------------------------------------


def read(app: SynchronousApp) -> list[DeletionsRead]:
    return [message for message in app.posted if isinstance(message, DeletionsRead)]


@pytest.mark.parametrize("told_first", [True, False])
def test_it_comes_when_both_are_there_whichever_was_last(told_first: bool) -> None:
    app, session = SynchronousApp(), FakeSession()
    session.found = (RUNNING,)
    telling = Telling(app, session, 7)
    inventory = session.read_actual()
    steps = [telling.tell, lambda: telling.take(inventory)]
    for step in steps if told_first else reversed(steps):
        assert not read(app)
        step()
    (message,) = read(app)
    assert message.generation == 7
    assert message.situation == Situation(NOW, (RUNNING,))


def test_without_an_inventory_nothing_is_said_of_deletions() -> None:
    for coverage in (None, Coverage(CoverageState.FAILED, "refused")):
        app, session = SynchronousApp(), FakeSession()
        telling = Telling(app, session, 1)
        telling.tell()
        if coverage is None:
            telling.take(None)
        else:
            session.actual_coverage = coverage
            telling.take(session.read_actual())
        assert [message.situation for message in read(app)] == [None]


def test_a_fault_of_ours_is_told_and_is_not_taken_for_nothing_being_deleted() -> None:
    class Broken(FakeSession):
        def read_told(self) -> Told:
            raise ValueError("secret")

    app, session = SynchronousApp(), Broken()
    telling = Telling(app, session, 1)
    telling.tell()
    telling.take(session.read_actual())
    ((problem,),) = [message.situation.problems for message in read(app) if message.situation]
    assert "abreast failed while reading deletions: ValueError" in problem
    assert "secret" not in problem


def test_deletions_are_read_with_every_inventory_and_never_twice_at_once() -> None:
    clock = Clock()
    app, session = SynchronousApp(), FakeSession(clock=clock)
    refresher = Refresher(app, session, clock=clock)
    refresher.tick()
    assert len(read(app)) == 1
    # Its message has not been taken: for the refresher the reading is still under way.
    refresher.supersede()
    assert (session.told_readings, session.actual_readings) == (1, 2)
    assert not refresher.deletions_ended(read(app)[0].generation), "it began before something changed"
    refresher.supersede()
    assert (session.told_readings, session.actual_readings) == (2, 3)
    assert refresher.deletions_ended(read(app)[-1].generation)


def test_two_readings_say_the_same_whenever_they_were_taken() -> None:
    assert Situation(NOW, (RUNNING,)).says_as(Situation(NOW.replace(year=2027), (RUNNING,)))
    assert not Situation(NOW, (RUNNING,)).says_as(Situation(NOW, (QUEUED,)))


# --- the first step of the recovery -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (None, StepState.WAITING, "events and jobs are being read…"),
        (situation(), StepState.DONE, "Nothing is being deleted."),
        (
            situation(REFUSED),
            StepState.DONE,
            "Nothing is being deleted. 1 refused.",
        ),
        (
            situation(deletion("x", machines=2)),
            StepState.BAD,
            "Being deleted now: ROOT/ci/x (2 VMs still alive).",
        ),
        (
            situation(problems=("listEvents may not be called.",)),
            StepState.BAD,
            "not seen in full: listEvents may not be called.",
        ),
    ],
)
def test_the_first_step_says_what_is_being_deleted_and_leads_to_contain(
    found: Situation | None, state: StepState, words: str
) -> None:
    now = Recovering(lambda id: f"<{id}>", is_armed=True, can_arm=True, is_drill=False, deletions=found)
    view = steps(now, viewed=Step.CONTAIN)[0]
    assert (view.title, view.state, view.found) == ("Contain", state, words)
    if found is not None:
        assert view.do.startswith("<contain>")


def test_lists_that_grow_because_of_our_own_run_do_not_make_the_first_step_look_failed() -> None:
    grew = "listUsers: 111 rows with 111 ids, but a count of 110 before and 111 after."
    plan = Plan("drill", "", "", "", NOW, NOW, (), "")
    run = RunState(plan, RunPhase.RUNNING, NOW - timedelta(minutes=1))
    found = replace(situation(problems=(grew,)), only_grew=True)

    def state_with(run: RunState | None, found: Situation) -> StepState:
        now = Recovering(str, is_armed=True, can_arm=True, is_drill=False, deletions=found, run=run)
        return steps(now, viewed=Step.CONTAIN)[0].state

    now = Recovering(str, is_armed=True, can_arm=True, is_drill=False, deletions=found, run=run)
    view = steps(now, viewed=Step.CONTAIN)[0]
    assert (view.state, view.is_alarming) == (StepState.WAITING, False)
    assert view.found == f"being read while our own run changes it: {grew}"
    ended = replace(run, phase=RunPhase.FINISHED, ended_at=NOW)
    assert state_with(ended, found) is StepState.WAITING, "it was read before the run had ended"
    late = replace(found, taken_at=NOW + timedelta(seconds=1))
    for other, what in (
        (None, found),
        (ended, late),
        (replace(run, started_at=NOW + timedelta(seconds=1)), found),
        (run, replace(found, only_grew=False)),
    ):
        assert state_with(other, what) is StepState.BAD
    assert state_with(run, replace(found, deletions=(RUNNING,))) is StepState.BAD


def test_only_a_reading_with_nothing_else_wrong_is_one_that_only_grew() -> None:
    told = reading(is_complete=False)
    grew = replace(told.coverage, only_grew=True)
    assert assess(replace(told, world=replace(told.world, coverage=grew))).only_grew
    for coverage in (told.coverage, replace(grew, is_doubted=True), replace(grew, is_foreign=True)):
        assert not assess(replace(told, world=replace(told.world, coverage=coverage))).only_grew
    heard = replace(
        told, world=replace(told.world, coverage=grew), problems=("listEvents may not be called.",)
    )
    assert not assess(heard).only_grew


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (situation(), StepState.WAITING, f"{LAST}nothing was being deleted."),
        (
            situation(RUNNING, QUEUED, REFUSED),
            StepState.BAD,
            f"{LAST}this was being deleted: ROOT/ci/aurora (3 VMs still alive). "
            "1 more deletion was submitted. 1 refused.",
        ),
        (situation(unnamed=2), StepState.BAD, f"{LAST}2 deletion jobs ran whose target no event names."),
    ],
)
def test_the_first_step_tells_an_earlier_reading_in_the_past(
    found: Situation, state: StepState, words: str
) -> None:
    now = Recovering(
        str, is_armed=True, can_arm=True, is_drill=False, deletions=found, can_tell_deletions=False
    )
    view = steps(now, viewed=Step.CONTAIN)[0]
    assert (view.state, view.found) == (state, words)
    goes_on = "What was being deleted may go on meanwhile" if found.is_happening else "Nobody knows"
    assert view.wait.startswith(f"{goes_on}: CloudStack could not be read.")


def test_the_page_of_the_first_step_tells_an_earlier_reading_in_the_past() -> None:
    found = situation(RUNNING, QUEUED, HALF)
    page = "\n".join("".join(text for text, _ in line) for line in deletions_page(found, 150, past=True))
    assert "As CloudStack was last read, at 03:12:44 UTC; what holds now is not known." in page
    assert "! was under way  ROOT/ci/aurora" in page and "Was being deleted" in page
    assert "» was submitted" in page and "it was untouched, 2 VMs alive then" in page
    assert "○ half deleted" in page
    assert "being deleted  " not in page and "still alive" not in page
