"""The blast radius in Review: of each action and of all, by owner; without it nothing is confirmed or run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from console.screens.confirm import QuestionScreen
from sync.blast import LISTS
from sync.errors import GuardError
from sync.model import (
    Account,
    Action,
    ActionKind,
    ActualInventory,
    Coverage,
    CoverageState,
    Domain,
    ListProof,
    Reversibility,
    User,
)
from sync.radius import Affected, Effect, ObjectKind, Owner, Person, Radius
from tests.screens.driving import read_again, said, screen_text, settle
from tests.screens.runs import INCIDENT, JMARTIN, RunSession, confirm, console_of, open_review, until
from tests.screens.world import COMPLETE

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
WIDE = {"size": (120, 40), "notifications": True}
PROVEN = replace(COMPLETE, lists=tuple(ListProof(name, 4, 1, 4, 4, 4) for name in LISTS))
RITA = Action(
    ActionKind.DISABLE_USER,
    "dune",
    "ROOT/ci/dune:dune:rita",
    "u-rita",
    {},
    {"state": "enabled"},
    "The CI database has rita disabled.",
    Reversibility.UNDOABLE,
    undo="Enable the user.",
)
DOMAIN = Domain("d-dune", "dune", "ROOT/ci/dune", "d-ci", 2)


def user(name: str, state: str = "enabled") -> User:
    return User(f"u-{name}", name, f"{name}@example.org", name, "Doe", state, "a-dune", "dune", "d-dune")


class Affecting(RunSession):
    """Proposes to disable rita, who is the account's only enabled user."""

    def __init__(self) -> None:
        super().__init__(INCIDENT)
        self.extra = (RITA,)
        self.actual_coverage = PROVEN
        self.users = (user("rita"), user("otto", "disabled"))
        self.hold = threading.Event()
        self.hold.set()

    def read_actual(self, **named: Any) -> ActualInventory:
        found = super().read_actual(**named)
        account = Account("a-dune", "dune", "d-dune", "enabled", "User", self.users)
        return replace(found, domains=(DOMAIN,), accounts=(account,))

    def radii(self, *arguments: Any) -> Any:
        assert self.hold.wait(20), "the test never let it be computed"
        return super().radii(*arguments)


class Destroying(RunSession):
    """What it proposes first would destroy a domain's things: no action does yet, the screens are ready."""

    def radii(self, actions: Any, desired: Any, actual: Any) -> dict[str, Radius | GuardError]:
        found = super().radii(actions, desired, actual)
        people = (Person("jmartin", "jmartin@lab.example.org", "owner"), Person("alund"))
        owner = Owner("ROOT/ci/dune", "dune", people=people)
        web = Owner("ROOT/ci/dune", "web", is_project=True)
        rows = (
            Affected(ObjectKind.VM, Effect.DESTROYED, "vm-1", "d-[/x]", "ROOT/ci/dune", owner, "Running"),
            Affected(
                ObjectKind.VOLUME, Effect.DESTROYED, "v-1", "ROOT-1", "ROOT/ci/dune", owner, "Ready",
                created="2017-03-01", size=40 << 30,
            ),
            Affected(
                ObjectKind.TEMPLATE, Effect.DESTROYED, "t-1", "golden", "ROOT/ci/dune", owner, copies=2
            ),
            Affected(
                ObjectKind.USER, Effect.DESTROYED, "u-1", "jmartin", "ROOT/ci/dune", owner,
                elsewhere="CI database",
            ),
            Affected(ObjectKind.VM, Effect.STOPPED, "vm-2", "web-1", "ROOT/ci/dune", web, "Running"),
        )  # fmt: skip
        return found | {
            JMARTIN: Radius(
                JMARTIN, "destroyed: 1 VM, 3 more; stopped: 1 VM", rows, self.clock(), ("a note",)
            )
        }


@SIZES
async def test_the_action_under_the_cursor_and_all_together(size: tuple[int, int]) -> None:
    app = console_of(Affecting())
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot)
        text = screen_text(app)
        assert "blast radius, as read at 03:12:44: loses access: 1 user" in text
        assert "stops nothing, destroys nothing" in text, "the first one creates a domain"
        app.clear_notifications()
        app.screen.list.move_to(RITA.id)
        await pilot.pause()
        text = " ".join(screen_text(app).split())
        assert "ROOT/ci/dune:dune:rita loses access, by login and by key" in text


async def test_the_question_says_it_too_and_the_page_has_every_object() -> None:
    app = console_of(Affecting())
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        app.screen.list.move_to(RITA.id)
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, QuestionScreen)
        assert "Blast radius: loses access: 1 user." in screen_text(app)
        assert "rita is the last enabled user of ROOT/ci/dune:dune" in screen_text(app)
        await pilot.press("escape", "b")
        await pilot.pause()
        text = screen_text(app)
        for words in ("disable user ROOT/ci/dune:dune:rita", "from CloudStack as read at 03:12:44", "u-rita"):
            assert words in text
        assert "rita is the last enabled user" in text
        assert "6 more actions in the plan: stops nothing" in text


@pytest.mark.parametrize(
    ("coverage", "words"),
    [
        (Coverage(CoverageState.PARTIAL, "the role sees one domain", PROVEN.lists), "the role sees one"),
        (Coverage(CoverageState.FAILED, "connection refused"), "connection refused"),
        (replace(PROVEN, lists=PROVEN.lists[:5]), "no proof that it has all rows of listSnapshots"),
    ],
)
async def test_what_cannot_be_computed_is_not_confirmed_nor_run(coverage: Coverage, words: str) -> None:
    session = Affecting()
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, RITA.id)
        assert set(app.confirmed) == {RITA.id}
        session.actual_coverage = coverage
        await read_again(pilot)
        await until(pilot, lambda: not app.confirmed)
        assert "blast radius: could not be computed for 1 action" in screen_text(app)
        assert "cannot be computed any more: no longer confirmed: disable user" in said(app)
        app.clear_notifications()
        app.screen.list.move_to(RITA.id)
        await pilot.pause()
        assert words in " ".join(screen_text(app).split())
        await pilot.press("enter")
        await pilot.pause()
        assert not isinstance(app.screen, QuestionScreen)
        assert words in app.announced[-1].text
        assert session.scripted.runs == []


async def test_while_it_is_computed_the_screen_goes_on_and_nothing_can_be_confirmed() -> None:
    session = Affecting()
    session.hold.clear()
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await settle(pilot)
        app.staged = (RITA,)
        app.open("review")
        await until(pilot, lambda: app.plan is not None)
        assert "blast radius: being computed" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert "is being computed: a moment" in said(app)
        assert not isinstance(app.screen, QuestionScreen)
        session.hold.set()
        await until(pilot, lambda: RITA.id in app.radii)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, QuestionScreen)


async def test_a_confirmation_ends_when_somebody_else_would_be_locked_out() -> None:
    session = Affecting()
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, RITA.id)
        session.users = (user("otto", "disabled"),)
        await read_again(pilot)
        await until(pilot, lambda: not app.confirmed)
        app.clear_notifications()
        app.screen.list.move_to(RITA.id)
        await pilot.pause()
        text = " ".join(screen_text(app).split())
        assert "CloudStack does not list the user ROOT/ci/dune:dune:rita" in text


async def test_a_reading_that_takes_users_over_does_not_make_it_older_than_it_says() -> None:
    """Users are read less often than the rest: then the last reading that had all of them counts."""
    session = Affecting()
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        first = app.whole
        assert first is not None
        read = session.read_actual

        def without_users(**named: Any) -> ActualInventory:
            found = read(**named)
            lists = tuple(proof for proof in PROVEN.lists if proof.name != "listUsers")
            return replace(
                found, users_taken_at=first.taken_at, coverage=replace(found.coverage, lists=lists)
            )

        session.read_actual = without_users  # type: ignore[method-assign]
        await read_again(pilot)
        assert app.actual is not first
        assert app.whole is first
        assert "blast radius, as read at 03:12:44: loses access: 1 user" in screen_text(app)


@SIZES
def test_picture_of_the_page(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """By owner: members, then each object with what becomes of it, its size, and whether it comes back."""

    async def look(pilot: Pilot[Any]) -> None:
        await open_review(pilot)
        pilot.app.screen.list.move_to(JMARTIN)  # type: ignore[attr-defined]
        await pilot.pause()
        await pilot.press("b")
        await pilot.pause()

    assert snap_compare(console_of(Destroying(INCIDENT)), terminal_size=size, run_before=look)


@SIZES
def test_picture_of_the_question(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """What it would destroy, owner by owner, above the buttons; Cancel has the focus."""

    async def look(pilot: Pilot[Any]) -> None:
        await open_review(pilot)
        pilot.app.screen.list.move_to(JMARTIN)  # type: ignore[attr-defined]
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()

    assert snap_compare(console_of(Destroying(INCIDENT)), terminal_size=size, run_before=look)
