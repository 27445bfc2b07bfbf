"""Approvals in the console, with real ssh-keygen: written, signed, taken in, judged, asked for by a run."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.screens.approvals import ApprovalsScreen
from console.screens.ask import AskScreen
from sync.approval import Standing, assess, command_for, objects_file
from sync.approval_intake import take_in, write_plan
from sync.approval_rules import ApprovalRules
from sync.model import Plan
from sync.settings import load
from tests.cli import ROOT
from tests.screens.driving import clock_of, read_again, said, screen_text
from tests.screens.runs import (
    INCIDENT,
    JMARTIN,
    LIMIT,
    RunSession,
    confirm,
    console_of,
    open_review,
    run_to_end,
    until,
)
from tests.screens.world import Facts
from tests.signing import Signers

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
WIDE = {"size": (120, 40), "notifications": True}


class Approving(RunSession):
    """Its plans need approvals, and lie in a folder of the test."""

    def __init__(self, folder: Path, rules: ApprovalRules) -> None:
        super().__init__(INCIDENT, facts=Facts(name="production", title="PRODUCTION", approvals=rules))
        self.folder = folder

    def write_plan(self, plan: Plan) -> Path:
        return write_plan(plan, self.folder)

    def standing(self, plan: Plan, file: Path) -> Standing:
        return assess(plan, file, self.environment.approvals, now=self.clock())

    def take_signatures(self, file: Path, source: Path) -> None:
        take_in(file, source)


@pytest.fixture
def signers(tmp_path: Path) -> Iterator[Signers]:
    """The plan's author is night@console."""
    (tmp_path / "keys").mkdir()
    made = Signers(tmp_path / "keys")
    for name in ("night", "anna", "bob", "carol"):
        made.allow(f"{name}@example.org", name)
    yield made
    shutil.rmtree(tmp_path / "keys")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Of a short name that is the same in every picture."""
    (tmp_path / "plans").mkdir()
    monkeypatch.chdir(tmp_path)
    return Path("plans")


def signed(signers: Signers, app: ConsoleApp, key: str, *, text: bytes | None = None) -> Path:
    """What comes back from a person who got the text and the line."""
    assert app.submitted is not None
    post = signers.folder / f"from-{key}"
    post.mkdir(exist_ok=True)
    file = post / "signed.txt"
    file.write_bytes(text if text is not None else objects_file(app.submitted.file).read_bytes())
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(signers.key(key)), "-n", "abreast-plan", str(file)]
    subprocess.run(command, check=True)
    return file.with_name("signed.txt.sig").rename(post / f"{key}.sig")


async def submit(pilot: Pilot[Any]) -> None:
    """Confirm the two actions on dune as the only ones staged, and write their plan."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await open_review(pilot)
    app.staged = tuple(action for action in app.staged if action.project == "dune")
    await until(pilot, lambda: app.plan is not None and app.plan.actions == app.staged)
    await until(pilot, lambda: {action.id for action in app.staged} <= set(app.radii))
    await confirm(pilot, JMARTIN, LIMIT)
    await pilot.press("p")
    await pilot.pause()
    assert isinstance(app.screen, ApprovalsScreen)
    await pilot.press("W")
    await until(pilot, lambda: app.submitted is not None)


async def take(pilot: Pilot[Any], path: Path) -> None:
    """Take in what came back, as a person does."""
    app = pilot.app
    assert isinstance(app, ConsoleApp) and app.submitted is not None
    before = len(app.submitted.standing.signatures)
    await pilot.press("I")
    await pilot.pause()
    assert isinstance(app.screen, AskScreen)
    app.screen.query_one("#ask-answer").value = str(path)  # type: ignore[attr-defined]
    await pilot.press("enter")
    await until(pilot, lambda: app.submitted is not None and len(app.submitted.standing.signatures) > before)


@SIZES
async def test_it_says_what_is_needed_and_what_to_send(
    signers: Signers, folder: Path, size: tuple[int, int]
) -> None:
    app = console_of(Approving(folder, signers.rules(2)))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot)
        assert "approval: 0 of 2, not written for signing yet; p shows what to do" in screen_text(app)
        await pilot.press("p")
        await pilot.pause()
        assert "It needs the approval of 2, and does not run without." in screen_text(app)
        await pilot.press("W")
        await until(pilot, lambda: app.submitted is not None)
        assert app.submitted is not None
        text = "".join(screen_text(app).split())
        assert "0of2(2forwhatisundoable,2forwhatisrecreatable):2missing" in text
        assert "missing:2ofanna@example.org,bob@example.org,carol@example.org" in text
        if size == (120, 40):
            assert "".join(command_for(app.submitted.file).split()) in text
            assert str(objects_file(app.submitted.file)) in text


async def test_without_enough_signatures_it_is_refused_and_with_them_that_very_plan_runs(
    signers: Signers, folder: Path
) -> None:
    session = Approving(folder, signers.rules(2))
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await submit(pilot)
        await take(pilot, signed(signers, app, "anna"))
        assert "1 of 2" in screen_text(app)
        assert "✓ valid  anna@example.org" in screen_text(app)
        assert "missing: 1 of bob@example.org, carol@example.org" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "approval: 1 of 2 (anna@example.org); p shows who is missing" in screen_text(app)
        await pilot.press("x")
        await until(pilot, lambda: bool(app.plan_fault))
        assert "needs the approval of 2 in production and has 1: anna@example.org" in app.plan_fault
        assert session.scripted.runs == []

        await pilot.press("p")
        await pilot.pause()
        await take(pilot, signed(signers, app, "bob"))
        assert "2 of 2 (2 for what is undoable): approved" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        digest = app.submitted.plan.digest  # type: ignore[union-attr]
        await run_to_end(pilot)
        ((plan, confirmation),) = session.scripted.runs
        (approved,) = session.scripted.approved
        assert plan.digest == confirmation.digest == digest, "a plan made anew is not what was signed"
        assert approved is not None
        assert (approved.digest, approved.people) == (digest, ("anna@example.org", "bob@example.org"))


async def test_each_that_does_not_count_says_why(signers: Signers, folder: Path) -> None:
    app = console_of(Approving(folder, signers.rules(2)))
    async with app.run_test(size=(120, 60)) as pilot:
        await submit(pilot)
        assert app.submitted is not None
        await take(pilot, signed(signers, app, "night"))
        await take(pilot, signed(signers, app, "mallory"))
        cut = signed(signers, app, "carol")
        cut.write_bytes(cut.read_bytes()[:120])
        await take(pilot, cut)
        await take(pilot, signed(signers, app, "bob", text=b"something else"))
        text = screen_text(app)
        for words in (
            "✗ self-signed  night@example.org",
            "night@example.org made the plan (night@console): nobody approves a plan of their own",
            "✗ key not allowed",
            "is not among the allowed signers",
            "✗ damaged",
            "it is cut off or damaged",
            "✗ forged",
            "it fits neither this plan nor the text beside it",
            "2 missing",
        ):
            assert words in text
        await pilot.press("escape")
        await pilot.pause()
        assert "approval: 0 of 2, 4 refused; p shows who is missing" in screen_text(app)


async def test_a_signature_that_is_put_beside_the_plan_is_seen_without_asking(
    signers: Signers, folder: Path
) -> None:
    app = console_of(Approving(folder, signers.rules(1)))
    async with app.run_test(**WIDE) as pilot:
        await submit(pilot)
        assert app.submitted is not None
        arrived = signed(signers, app, "anna")
        shutil.copy(arrived, app.submitted.file.with_name(f"{app.submitted.file.name}.anna.sig"))
        clock_of(app).advance(6)
        app.now = app.utc_clock()
        await until(pilot, lambda: app.submitted is not None and app.submitted.standing.is_approved)
        assert "signed by anna@example.org" in screen_text(app)


async def test_any_change_of_the_plan_voids_what_was_signed(signers: Signers, folder: Path) -> None:
    session = Approving(folder, signers.rules(1))
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await submit(pilot)
        await take(pilot, signed(signers, app, "anna"))
        await pilot.press("escape")
        await pilot.pause()
        app.screen.list.move_to(LIMIT)
        await pilot.pause()
        await pilot.press("delete")
        await until(pilot, lambda: app.plan is not None and app.plan.actions == app.staged)
        assert "approval: 0 of 1, not written for signing yet" in screen_text(app)
        await pilot.press("x")
        await until(pilot, lambda: bool(app.plan_fault))
        assert "What was written for approval is another plan than what is confirmed." in app.plan_fault
        assert session.scripted.runs == []
        await pilot.press("p")
        await pilot.pause()
        assert "is another plan: any change voids approvals" in screen_text(app)


async def test_with_the_plan_its_approvals_expire(signers: Signers, folder: Path) -> None:
    session = Approving(folder, signers.rules(1))
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await submit(pilot)
        await take(pilot, signed(signers, app, "anna"))
        assert app.submitted is not None and app.submitted.standing.is_approved
        digest = app.submitted.plan.digest
        await read_again(pilot, seconds=timedelta(minutes=61).total_seconds())
        await until(pilot, lambda: app.submitted is not None and not app.submitted.standing.is_approved)
        text = screen_text(app)
        assert "✗ expired  anna@example.org" in text
        assert "It has expired: going back makes a new plan, which has to be signed anew." in text
        await pilot.press("escape")
        await until(pilot, lambda: app.plan is not None and app.plan.digest != digest)
        assert "approval: 0 of 1, not written for signing yet" in screen_text(app)


async def test_what_cannot_be_taken_in_says_so(signers: Signers, folder: Path) -> None:
    app = console_of(Approving(folder, signers.rules(1)))
    async with app.run_test(**WIDE) as pilot:
        await submit(pilot)
        await pilot.press("I")
        await pilot.pause()
        await pilot.press(*"none.sig", "enter")
        await until(pilot, lambda: "none.sig cannot be read: No such file" in said(app))
        assert "none.sig cannot be read: No such file or directory." in screen_text(app)
        await pilot.press("I", "escape")
        await pilot.pause()
        assert isinstance(app.screen, ApprovalsScreen)


async def test_what_needs_no_approval_runs_without(folder: Path) -> None:
    session = Approving(folder, Facts().approvals)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        assert "approval:" not in screen_text(app)
        await pilot.press("p")
        await pilot.pause()
        assert "It needs no approval: [environments.production.approvals] asks for none" in screen_text(app)


def test_the_rules_that_the_readme_shows_hold(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- approvals-example -->\n```toml\n(.*?)```", readme, re.DOTALL)
    assert found
    assert tomllib.loads(found[1])
    file = tmp_path / "abreast.toml"
    file.touch(mode=0o600)
    more = '[environments.production.cloudstack]\nfile = "c.ini"\nread = "p"\n'
    more += '[environments.production.ci_database]\nurl = "sqlite:///ci.sqlite"\n'
    file.write_text(found[1] + more)
    rules = load(file).approvals["production"]
    assert rules.allowed_signers == tmp_path / "allowed_signers"
    assert sorted(rules.required.values()) == [1, 1, 2, 2]


@SIZES
def test_picture(
    snap_compare: Callable[..., bool], signers: Signers, folder: Path, size: tuple[int, int]
) -> None:
    """One valid signature, one damaged with its reason, who is missing, and the line to send."""

    async def look(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        await submit(pilot)
        await take(pilot, signed(signers, app, "anna"))
        broken = signers.folder / "broken.sig"
        broken.write_bytes(b"-----BEGIN SSH SIGNATURE-----")
        await take(pilot, broken)

    assert snap_compare(console_of(Approving(folder, signers.rules(2))), terminal_size=size, run_before=look)
