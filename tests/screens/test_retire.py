"""Retire on screen: candidates, waits, signatures, every step behind its question, undoing; on a real ledger
and a sandbox."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from console.app import ConsoleApp
from console.commands import Mode
from console.retirements import LOOK_AGAIN
from console.screens.ask import AskScreen
from console.screens.confirm import ConfirmScreen
from console.screens.history import HistoryScreen
from console.screens.retire import RetirementScreen, RetireScreen
from console.session import Session
from sync.cloudstack import Retirer
from sync.containment_journal import ContainmentJournal
from sync.retirement import Stage, Step
from sync.retirement_approval import FLOOR
from sync.retirement_steps import word_for
from sync.retirement_text import campaign_text, loss_text
from sync.retiring import Retiring
from sync.ssh_signature import NAMESPACE, sign
from tests.retirements import PROJECT, PROPOSER, Lab, lab
from tests.screens.driving import said, screen_text
from tests.screens.runs import until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path / "lab") as made:
        yield made


class LabSession(Session):
    """A session whose steps wait by stepping the lab's clock."""

    site: Lab

    @property
    def retiring(self) -> Retiring:
        made = super().retiring
        made.sleep = self.site.wait
        return made


def console_on(site: Lab, *, armed: bool = True) -> ConsoleApp:
    session = LabSession(site.environment(), operator=PROPOSER, clock=site.clock)
    session.site = site
    site.sessions.append(session)
    if armed:
        session.arm()
    return ConsoleApp(session, clock=site.clock)


async def opened(pilot: Pilot[Any]) -> RetireScreen:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await until(pilot, lambda: app.drift is not None)
    await pilot.press("T")
    await until(pilot, lambda: isinstance(app.screen, RetireScreen))
    screen = app.screen
    assert isinstance(screen, RetireScreen)
    await until(pilot, lambda: is_known(app))
    return screen


def is_known(app: ConsoleApp) -> bool:
    """Whether the ledger was read, with candidates, and nothing is being done."""
    state = app.retire_state
    return state is not None and state.listing is not None and not state.doing and not state.listing.problem


async def answered(pilot: Pilot[Any], word: str) -> None:
    """Type the word into the question, and wait for what comes of it."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
    assert isinstance(app.focused, Button) and app.focused.id == "confirm-cancel", "Cancel has the focus"
    await pilot.press(*word, "enter")
    await until(pilot, lambda: not isinstance(app.screen, ConfirmScreen))
    await until(pilot, lambda: app.retire_state is not None and not app.retire_state.doing)
    await pilot.pause()


def result(app: ConsoleApp) -> str:
    assert app.retire_state is not None
    return app.retire_state.result


# --- looking ------------------------------------------------------------------------------------------------


async def test_read_only_it_shows_everything_and_makes_no_client(
    site: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.proposed()

    def none(*_: object, **__: object) -> None:
        raise AssertionError("no client that deletes is made by looking")

    monkeypatch.setattr(Retirer, "__init__", none)
    app = console_on(site, armed=False)
    entries = len(site.session().ledger.entries())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot)
        shown = screen_text(app)
        assert "0 of 3 projects destroyed in 30 days" in shown
        assert "read-only: A arms" in shown
        assert f"{FLOOR} signatures missing" in shown and "0/2" in shown
        assert "missing: 2 of alice@example.org, bob@example.org, carol@example.org" in shown
        for key in ("p", "x", "u", "I", "E"):
            await pilot.press(key)
            await pilot.pause()
            assert app.screen is screen, f"{key} exists only while armed"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RetirementScreen))
        assert "· quarantine" in screen_text(app) and "✓" not in screen_text(app)
    assert len(site.session().ledger.entries()) == entries
    assert site.commands() == [] and not app.session.is_armed


async def test_a_candidate_says_why_it_may_or_may_not_be_proposed(site: Lab) -> None:
    kept = site.session().read_desired()
    galaxy = next(iter(kept.projects))
    site.sql(f"INSERT INTO retired VALUES ('{galaxy}', 'cdelorme', '2026-06-30', 'merged into zephyr')")
    app = console_on(site)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot)
        assert app.retire_state is not None and app.retire_state.listing is not None
        found = {one.key: one for one in app.retire_state.listing.candidates}
        assert set(found) == {PROJECT, galaxy}
        assert found[PROJECT].why_not == "" and "first of two readings" in found[PROJECT].note
        assert f"still has the project {galaxy}" in found[galaxy].why_not
        screen.list.move_to(galaxy)
        await pilot.press("p")
        await pilot.pause()
        assert f"Not proposed: The CI database still has the project {galaxy}" in said(app)
        screen.list.move_to(PROJECT)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RetirementScreen))
        losses = found[PROJECT].proposal
        assert losses is not None and losses.lost > 4
        assert losses.losses[0].id in screen_text(app), "what would be lost is listed with ids"


# --- from the proposal to the end ---------------------------------------------------------------------------


async def test_a_project_is_retired_from_the_screen(site: Lab) -> None:
    app = console_on(site)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot)
        screen.list.move_to(PROJECT)
        await pilot.press("p")
        await answered(pilot, "lab")
        assert "one of them is recorded" in result(app)
        site.wait(601)
        await pilot.press("p")
        await answered(pilot, "lab")
        assert "is proposed" in result(app)
        await until(pilot, lambda: bool(app.retire_state.listing.standings))  # type: ignore[union-attr]
        proposed = site.retiring().of(PROJECT)
        screen.list.move_to(proposed.id)

        await pilot.press("x")
        await pilot.pause()
        assert "needs the approval of 2 and has 0" in said(app) and app.screen is screen
        folder = site.folder / "signatures"
        folder.mkdir()
        for name in ("alice", "bob", "jmartin"):
            made = sign(loss_text(proposed.proposal).encode(), site.signers.key(name))
            (folder / f"{name}.sig").write_bytes(made)
        await pilot.press("I")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        app.screen.query_one(Input).value = str(folder)
        await pilot.press("enter")
        await answered(pilot, "lab")
        assert "Signed by alice@example.org, bob@example.org" in result(app)
        assert "jmartin.sig: The signature would not count" in result(app)
        await until(pilot, lambda: "2/2" in screen_text(app))

        await pilot.press("x")
        await answered(pilot, "lab")
        assert "✓ quarantine of zephyr was seen to its end" in result(app)
        assert set(site.machines().values()) == {"Stopped"}
        await until(
            pilot, lambda: "(14 days left)" in screen_text(app) or "(13 days left)" in screen_text(app)
        )
        await pilot.press("x")
        await pilot.pause()
        assert "is in quarantine until" in said(app)
        await pilot.press("u")
        await answered(pilot, "lab")
        assert "is undone. VMs that ran before and are stopped" in result(app)
        assert site.accounts() == {PROJECT: "enabled"}
        assert site.retiring().of(PROJECT).stage is Stage.UNDONE

        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await until(pilot, lambda: "retirement of ROOT/ci/zephyr" in screen_text(app))
        shown = screen_text(app)
        assert "quarantine ended, waits until" in shown and "undo ended" in shown
        assert "signed by alice@example.org" in shown


async def test_what_destroys_asks_for_the_name_and_the_number(site: Lab) -> None:
    site.approved()
    site.through(Step.ARCHIVE)
    app = console_on(site)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        retirement = site.retiring().of(PROJECT)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press(*"lab", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen), "the environment's name is not enough"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RetireScreen))
        assert set(site.machines().values()) == {"Stopped"}

        await pilot.press("x")
        await answered(pilot, word_for(retirement))
        assert "✓ destroy of zephyr was seen to its end" in result(app)
        assert set(site.machines().values()) == {"Destroyed"}
        await until(pilot, lambda: "1 of 3 projects destroyed in 30 days (zephyr)" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RetirementScreen))
        await until(pilot, lambda: "✓ destroy" in screen_text(app))
        assert "· delete accounts" in screen_text(app)
        await pilot.press("u")
        await answered(pilot, "lab")
        assert set(site.machines().values()) == {"Stopped"}


async def test_a_surprise_stops_the_step_and_stays_on_the_screen(site: Lab) -> None:
    site.approved()
    site.sql("DELETE FROM retired WHERE project = 'zephyr'")
    app = console_on(site)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("x")
        await answered(pilot, "lab")
        assert "record that zephyr is retired is gone" in result(app)
        await until(pilot, lambda: "stopped: the CI database's record" in screen_text(app))
        assert site.commands() == []


@pytest.mark.parametrize("how", ["the key", "by itself"])
async def test_what_somebody_else_did_reaches_the_open_screens(site: Lab, how: str) -> None:
    site.approved()
    site.through(Step.QUARANTINE)
    app = console_on(site, armed=False)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RetirementScreen))
        assert "zephyr: in quarantine" in screen_text(app)
        site.retiring().steps.undo(PROJECT)
        if how == "the key":
            await pilot.press("r")
        else:
            site.wait(LOOK_AGAIN.total_seconds())
        await until(pilot, lambda: "zephyr: undone" in screen_text(app))


async def test_both_screens_say_how_old_they_are(site: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    site.proposed()
    app = console_on(site, armed=False)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await opened(pilot)
        assert "ledger read 0 s ago" in screen_text(app)
        monkeypatch.setattr(app.retirements, "look", lambda: None)
        site.wait(7)
        await until(pilot, lambda: "ledger read 7 s ago" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RetirementScreen))
        assert "ledger read 7 s ago" in screen_text(app)


# --- one thing at a time ------------------------------------------------------------------------------------


async def test_nothing_begins_while_a_step_runs_and_the_header_says_so(
    site: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.approved()
    gate, reached = threading.Event(), threading.Event()
    from sync.retirement_steps import Steps

    real = Steps.step

    def held(self: Steps, *arguments: Any, **named: Any) -> Any:
        reached.set()
        assert gate.wait(20)
        return real(self, *arguments, **named)

    monkeypatch.setattr(Steps, "step", held)
    app = console_on(site)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press(*"lab", "enter")
        await until(pilot, reached.is_set)
        try:
            assert app.operations.is_going_on and app.operations.word == "quarantine of zephyr"
            await until(pilot, lambda: "⟳ quarantine of zephyr" in screen_text(app))
            await pilot.press("u")
            await pilot.pause()
            assert "Something else is being done (quarantine of zephyr)" in said(app)
            assert not app.retirements.propose([PROJECT])
            await pilot.press("q")
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            await until(pilot, lambda: "Something is being done: quarantine of zephyr." in screen_text(app))
            await pilot.press("escape")
        finally:
            gate.set()
        await until(pilot, lambda: app.retire_state is not None and not app.retire_state.doing)
        assert "✓ quarantine of zephyr" in result(app) and not app.operations.is_going_on


async def test_what_is_held_of_containment_is_waited_for(site: Lab) -> None:
    site.approved(with_archive=False)
    site.through(Step.ARCHIVE)
    journal = ContainmentJournal(site.session().ledger, is_local=False)
    journal.intent("fence ops/sync by lockUser", kind="fence", target="ops/sync in ROOT", target_id="u-1",
                   command="lockUser", parameters={"id": "u-1"})  # fmt: skip
    app = console_on(site)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "It waits for the containment: the fence on ops/sync" in screen_text(app))
        await pilot.press("x")
        await pilot.pause()
        assert isinstance(app.screen, RetireScreen), "nothing is asked that would be refused"
        assert "It waits for the containment" in said(app)
    assert "destroyVirtualMachine" not in site.commands()


async def test_disarming_behind_the_question_ends_it(site: Lab) -> None:
    site.approved()
    app = console_on(site)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        app.session.disarm()
        app.console_mode = Mode(False)
        await pilot.press(*"lab", "enter")
        await pilot.pause()
        assert "read-only again: nothing was done" in said(app)
    assert site.commands() == []


# --- empty domains ------------------------------------------------------------------------------------------


async def test_empty_domains_are_proposed_in_one_batch(site: Lab) -> None:
    parent = next(row["id"] for row in site.rows("listDomains") if row["path"] == "ROOT/ci")
    for name in ("hull", "keel"):
        site.run("createDomain", name=name, parentdomainid=parent)
        site.sql(f"INSERT INTO retired VALUES ('{name}', 'cdelorme', '2026-06-30', 'never used')")
    site.read_once()
    app = console_on(site)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot)
        assert app.retire_state is not None and app.retire_state.listing is not None
        assert {one.key for one in app.retire_state.listing.empty_candidates} == {"hull", "keel"}
        await pilot.press("E")
        await answered(pilot, "lab")
        site.wait(601)
        await pilot.press("E")
        await answered(pilot, "lab")
        assert "2 empty domains is proposed" in result(app)
        (made,) = [one for one in site.retiring().history().retirements]
        assert made.proposal.is_empty and set(made.proposal.projects) == {"hull", "keel"}


# --- the loss list ------------------------------------------------------------------------------------------


async def test_the_loss_list_is_written_as_it_is_signed(site: Lab) -> None:
    made = site.proposed()
    app = console_on(site, armed=False)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("W")
        await until(pilot, lambda: "Written to" in result(app))
        file = next(site.folder.parent.rglob(f"{made.id}.txt"))
        assert file.read_text() == loss_text(made.proposal)
        assert f"ssh-keygen -Y sign -f ~/.ssh/id_ed25519 -n {NAMESPACE} {file.name}" in result(app)


# --- campaigns ----------------------------------------------------------------------------------------------


async def asked(pilot: Pilot[Any], text: str) -> None:
    """Answer the question in words."""
    await until(pilot, lambda: isinstance(pilot.app.screen, AskScreen))
    pilot.app.screen.query_one("#ask-answer", Input).value = text
    await pilot.press("enter")


async def test_a_campaign_is_asked_for_signed_and_counted_on_the_screen(site: Lab) -> None:
    site.limits = "ceiling = 0"
    site.configure()
    site.approved(with_archive=False)
    site.through(Step.ARCHIVE)
    app = console_on(site)
    ends = f"{site.clock() + timedelta(days=30):%Y-%m-%d}"
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "the ceiling is 0" in screen_text(app))
        await pilot.press("C")
        await asked(pilot, "someday because")
        await until(pilot, lambda: "someday is no day" in said(app))
        await pilot.press("C")
        await asked(pilot, f"{ends} the data centre closes")
        await answered(pilot, "lab")
        await until(pilot, lambda: is_known(app) and "Campaigns, beyond the ceiling: 1" in screen_text(app))
        assert "campaign, unsigned" in screen_text(app)
        assert f"until {ends} 00:00 UTC: the data centre closes" in screen_text(app)

        (campaign,) = site.retiring().history().campaigns
        assert (campaign.projects, campaign.author) == ((PROJECT,), PROPOSER)
        while screen.list.current is None or screen.list.current.key != campaign.id:
            await pilot.press("j")
            await pilot.pause()
        await until(
            pilot, lambda: "nobody has signed it; alice@example.org, bob@example.org" in screen_text(app)
        )
        await pilot.press("W")
        await until(pilot, lambda: "Written to" in result(app))
        file = next(site.folder.parent.rglob(f"{campaign.id}.txt"))
        assert file.read_text() == campaign_text(campaign)

        # Who proposed it, and who signed the retirement, are not one more person.
        for name, counts in (("jmartin", False), ("alice", False), ("carol", True)):
            signature = site.folder / f"{name}.sig"
            signature.write_bytes(sign(campaign_text(campaign).encode(), site.signers.key(name)))
            await pilot.press("I")
            await asked(pilot, str(signature))
            await answered(pilot, "lab")
            if name == "jmartin":
                assert "nobody approves a campaign of their own" in result(app)
            else:
                assert f"Signed by {name}@example.org" in result(app)
            await until(pilot, lambda: is_known(app))
            await app.workers.wait_for_complete()
            await pilot.pause()
            listing = app.retire_state.listing if app.retire_state is not None else None
            assert listing is not None
            (retirement,) = listing.history.retirements
            assert bool(listing.campaigns[retirement.id]) is counts
        assert "campaign, signed" in screen_text(app)
        assert "signed by alice@example.org, carol@example.org" in screen_text(app)
        await pilot.press("home", "j")
        await until(pilot, lambda: screen.found == retirement)
        await pilot.press("x")
        await answered(pilot, word_for(retirement))
        assert "✓ destroy of zephyr was seen to its end" in result(app)


async def test_no_campaign_without_a_reason_or_an_end(site: Lab) -> None:
    site.proposed()
    app = console_on(site)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot)
        for text, words in (
            (f"{site.clock() + timedelta(days=30):%Y-%m-%d}", "names its projects and its reason"),
            (f"{site.clock() + timedelta(days=400):%Y-%m-%d} for ever", "A campaign ends after it begins"),
        ):
            await pilot.press("C")
            await asked(pilot, text)
            await answered(pilot, "lab")
            assert words in result(app)
    assert site.retiring().history().campaigns == ()


async def test_read_only_nobody_asks_for_a_campaign(site: Lab) -> None:
    site.proposed()
    app = console_on(site, armed=False)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot)
        await pilot.press("C")
        await pilot.pause()
        assert isinstance(app.screen, RetireScreen)
