"""A containment under test: looks are values; rungs and brakes do as the test says, and are recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from console.app import ConsoleApp
from console.screens.contain import ContainScreen
from sync.brake import BrakeState
from sync.callers import Caller
from sync.contain import Means, Method, Step, ladder
from sync.containment import CallerView, Look, why_nobody
from sync.containment_journal import Standing
from sync.deletions import Deletion, Situation, Stage
from sync.errors import AbreastError
from sync.fence_check import FenceCheck, Fenced, Hold
from sync.model import Outcome
from sync.shield import Candidate, Choice, Unshielded
from tests.screens.runs import until
from tests.screens.world import NOW, Clock, FakeSession, deletion, machine

NO_DATABASE = "No connection to CloudStack's database is configured: write cloudstack_database = …"
RUNBOOK = {"Stop the sync": "systemctl stop ci-sync on ci1.example.org\nthen call +49 30 1234"}
DELETIONS = (
    deletion("aurora", machines=3, snapshots=2),
    deletion("boreal", Stage.QUEUED, machines=2),
    deletion("cirrus", Stage.QUEUED, machines=4),
    deletion("dune", Stage.HALF_DONE, why="Its deletion failed and it came back hollow."),
    deletion(
        "harbor", Stage.REFUSED, why="An attempt to delete it failed, and its accounts are still there."
    ),
)
CALLER = Caller(
    "u-sync", "ci-sync", "ci-sync", "a-sync", "1", "ROOT", "enabled", "enabled",
    ("aurora", "boreal", "cirrus", "dune", "harbor"), 3, NOW, is_root_admin=True,
)  # fmt: skip
SURE = CallerView(CALLER, "", (Method.API_KEYS, Method.LOCK), (("VM.STOP", 12, NOW),))
UNSURE = CallerView(
    replace(
        CALLER,
        user_id="u-anna",
        username="anna",
        account="ops",
        open_deletions=1,
        ask="Only a job names this user: the events name none, or somebody else.",
    ),
    "",
    (Method.LOCK,),
)
LAST_ADMIN = CallerView(
    replace(CALLER, user_id="u-admin", username="admin", account="admin"),
    "It is the last enabled root admin.",
    (),
)
CANDIDATES = tuple(
    Candidate(f"ROOT/ci/{name}", f"d-{name}", machine(f"{name}-vm-1", name, 1), 2)
    for name in ("ember", "fjord", "galaxy")
)
FENCE = Standing(
    "fence ci-sync/ci-sync in ROOT by apikeyaccess", "fence", NOW, "night@console", "u-sync",
    "ci-sync/ci-sync in ROOT", "updateUser", {"apikeyaccess": "INHERIT"}, "succeeded",
)  # fmt: skip
HELD = FenceCheck((Fenced("u-sync", FENCE.target, NOW, Hold.HOLDS, holding=("updateUser",)),))
"""How that fence is read where nobody took it away."""
SHIELD = replace(
    FENCE, action="shield ROOT/ci/ember by ember-vm-1 vm-1", kind="shield", target="ROOT/ci/ember"
)
SHIELDS = Choice(CANDIDATES, (), (Unshielded("ROOT/ci/nimbus", "it has no VM to hold a shield"),))


def look(
    *deletions: Deletion,
    callers: tuple[CallerView, ...] = (SURE,),
    brake_why_not: str = NO_DATABASE,
    shield_why_not: str = "",
    offered: bool = True,
    **named: Any,
) -> Look:
    """What a reading of this moment says; `offered` is whether the writing key was asked."""
    found = Situation(NOW, deletions)
    if named.get("fences_standing"):
        named.setdefault("fences", HELD)
    server: Any = Offered() if offered else None
    means = Means(
        RUNBOOK,
        server,
        "" if offered else "The console is read-only.",
        brake_why_not,
        ("DomainCleanup",),
        shield_why_not,
        why_nobody(callers),
    )
    return Look(found, "4.23.0", callers, ladder(means, found), SHIELDS, shield_why_not, **named)


class Offered:
    """A server that offers everything."""

    release = "4.23.0"

    def has(self, _command: str, _parameter: str | None = None) -> bool:
        return True


class FakeBrake:
    """Held as soon as it is started, or when the test says so."""

    def __init__(self, owner: FakeContainment, on_change: Callable[[str, BrakeState, str], None]) -> None:
        self.owner = owner
        self.tell = lambda state, text: on_change("DomainCleanup", state, text)

    def start(self) -> FakeBrake:
        self.tell(BrakeState.WAITING, "The lock DomainCleanup is taken by the deletion that runs now.")
        return self

    def release(self) -> None:
        self.owner.calls.append(("release", ()))
        self.tell(BrakeState.RELEASED, "The lock DomainCleanup is given back.")


class FakeContainment:
    """What `sync.containment.Containment` is to the console."""

    def __init__(self) -> None:
        self.now = look(*DELETIONS)
        self.looks = 0
        self.is_armed = False
        self.was_armed: list[bool] = []
        self.calls: list[tuple[str, Any]] = []
        self.refusal: AbreastError | None = None
        """Raised instead of taking a rung."""
        self.breakage: Exception | None = None
        """Raised in the middle of a rung, after its first step."""
        self.outcome = Outcome.SUCCEEDED
        self.gate = threading.Event()
        """Holds shields back while it is cleared."""
        self.gate.set()
        self.look_gate = threading.Event()
        """Holds looks back while it is cleared."""
        self.look_gate.set()
        self.brakes_made: list[FakeBrake] = []
        self.is_closed = False

    def arm(self) -> None:
        self.was_armed.append(True)
        self.is_armed = True

    def disarm(self) -> None:
        self.was_armed.append(False)
        self.is_armed = False

    def close(self) -> None:
        self.is_closed = True

    def refuse_strangers(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def look(self) -> Look:
        self.looks += 1
        assert self.look_gate.wait(10)
        return self.now

    def _steps(self, name: str, actions: list[str], on_step: Any = lambda _: None) -> tuple[Step, ...]:
        assert self.is_armed, "a read-only console takes no rung"
        self.calls.append((name, tuple(actions)))
        steps = []
        for action in actions:
            assert self.gate.wait(10)
            steps.append(Step(action, self.outcome, "" if self.outcome is Outcome.SUCCEEDED else "No."))
            on_step(steps[-1])
            if self.breakage is not None:
                raise self.breakage
        return tuple(steps)

    def fence_callers(self, views: Any, *, on_step: Any) -> tuple[Step, ...]:
        return self._steps(
            "fence", [f"fence {view.caller.label} by {view.methods[0].value}" for view in views], on_step
        )

    def shield(self, candidates: Any, *, stop: threading.Event, on_step: Any) -> tuple[Step, ...]:
        return self._steps("shield", [f"shield {one.path} by {one.vm.name}" for one in candidates], on_step)

    def lift_shields(self, is_meant: Any, *, stop: threading.Event, on_step: Any) -> tuple[Step, ...]:
        meant = [f"lift {one.action}" for one in self.now.shields_standing if is_meant(one)]
        return self._steps("lift shields", meant, on_step)

    def lift_fences(self, is_meant: Any, *, reason: str, why_keep: str, second: str) -> tuple[Step, ...]:
        meant = [f"lift {one.action}" for one in self.now.fences_standing if is_meant(one)]
        self.calls.append(("reason", (reason, why_keep, second)))
        return self._steps("lift fences", meant)

    def brakes(self, release: str, *, on_change: Any) -> tuple[FakeBrake, ...]:
        self.calls.append(("brake", release))
        if self.breakage is not None:
            raise self.breakage
        self.brakes_made.append(FakeBrake(self, on_change))
        return (self.brakes_made[-1],)

    def save_evidence(self, path: Path) -> dict[str, str]:
        path.write_text("{}")
        return {"listEvents": "12 rows", "listAsyncJobs": "3 rows"}


class ContainSession(FakeSession):
    """A session whose containment the test holds."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.fake = FakeContainment()
        self.why_keep = ""
        self.found = DELETIONS

    def containment(self, *, is_armed: bool) -> FakeContainment:
        self.fake.is_armed = is_armed
        return self.fake

    def why_keep_fence(self) -> str:
        return self.why_keep


async def open_contain(pilot: Pilot[Any]) -> ContainScreen:
    """Open Contain by its key and wait for the first look."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await until(pilot, lambda: app.drift is not None)
    await pilot.press("exclamation_mark")
    await until(pilot, lambda: app.containing is not None and app.containing.look is not None)
    await rest(pilot)
    assert isinstance(app.screen, ContainScreen)
    return app.screen


async def rest(pilot: Pilot[Any]) -> None:
    """Wait until no thread is at work and what they posted is shown."""
    await until(pilot, lambda: not list(pilot.app.workers))
    await pilot.pause()


async def confirm(pilot: Pilot[Any], word: str = "drill") -> None:
    """Type the word into the question, and wait for what comes of it."""
    await until(pilot, lambda: bool(pilot.app.screen.query("#confirm-word")))
    await pilot.press(*word, "enter")
    await rest(pilot)


def contain_console(session: ContainSession | None = None, **named: Any) -> ConsoleApp:
    """A console on this session."""
    session = session or ContainSession()
    assert isinstance(session.clock, Clock)
    return ConsoleApp(session, clock=session.clock, **named)
