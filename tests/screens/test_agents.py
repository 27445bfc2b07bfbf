"""What Jenkins says of the agents: beside the drift, with its reason, and never older than it looks."""

from __future__ import annotations

import pytest

from sync.agents import JenkinsReading, Node
from sync.jenkins_settings import JenkinsSettings
from tests.screens.driving import clock_of, console, said, screen_text, settle
from tests.screens.world import HOSTILE, NOW, Facts, FakeSession

ASKED = Facts(jenkins=JenkinsSettings("https://ci.example.org/{project}", refresh_seconds=30))


def session() -> FakeSession:
    made = FakeSession(facts=ASKED)
    made.agents = {
        "dune": JenkinsReading(
            "dune",
            NOW,
            {
                "dune-agent-0": Node("dune-agent-0", is_online=True),
                "dune-agent-1": Node("dune-agent-1", is_online=False, reason=f"Connection to {HOSTILE} lost"),
            },
        )
    }
    return made


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if f" {name} " in line and "──" not in line)


@pytest.mark.parametrize(("width", "shown"), [(120, "1/2 online"), (80, "1/2")])
async def test_the_overview_counts_the_agents_that_jenkins_reaches(width: int, shown: str) -> None:
    app = console(session())
    async with app.run_test(size=(width, 40), notifications=True) as pilot:
        await settle(pilot)
        assert shown in line_of(screen_text(app), "dune")


async def test_a_jenkins_that_does_not_answer_is_not_read_and_never_offline() -> None:
    given = session()
    given.agents = {"dune": JenkinsReading("dune", NOW, problem="https://ci/dune answered HTTP 503.")}
    app = console(given)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        line = line_of(screen_text(app), "dune")
        assert "not read" in line
        assert "offline" not in line


async def test_sources_say_how_many_jenkins_answer_and_why_the_others_do_not() -> None:
    given = session()
    given.agents = {
        name: JenkinsReading(name, NOW, problem="" if name == "aurora" else f"https://ci/{name} is away.")
        for name in ("aurora", "boreal", "cirrus", "dune", "ember")
    }
    app = console(given)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        app.open("sources")
        await settle(pilot)
        text = screen_text(app)
        assert "Jenkins: 1 of 5 projects answered" in text
        assert "asked at 03:12:44, 0 s ago" in text
        assert "boreal: https://ci/boreal is away." in text
        assert "and 1 more, each on its project's screen" in text


async def test_the_project_says_why_an_agent_is_offline() -> None:
    app = console(session())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        app.open("project", "dune")
        await settle(pilot)
        comparison = app.screen.query_one("#comparison")
        comparison.focus()
        comparison.move_to("agent dune-agent-1")  # type: ignore[attr-defined]
        await pilot.pause()
        text = screen_text(app)
        assert "agent dune-agent-0 online" in text
        assert "agent dune-agent-1 offline" in text
        assert f"VM dune-vm-1 is gone ← Connection to {HOSTILE} lost" in text


async def test_jenkins_is_asked_at_its_own_pace_and_a_fault_of_ours_takes_its_word_back() -> None:
    given = session()
    app = console(given)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        given.agents = {"dune": JenkinsReading("dune", NOW, {})}
        clock_of(app).advance(29)
        app.agent_watch.tick(app.desired)
        await settle(pilot)
        assert "1/2 online" in line_of(screen_text(app), "dune")
        clock_of(app).advance(1)
        app.agent_watch.tick(app.desired)
        await settle(pilot)
        assert "0/2 online" in line_of(screen_text(app), "dune")
        given.agents_fault = RuntimeError
        clock_of(app).advance(30)
        app.agent_watch.tick(app.desired)
        await settle(pilot)
        assert "online" not in line_of(screen_text(app), "dune")
        assert "asking Jenkins for its agents" in said(app)
