"""The product in a real terminal (tmux), at the smallest size and at the design size, driven by keys."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from tests.terminal import Terminal, terminal

SIZES = pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])


def assert_fits(screen: str, columns: int, rows: int) -> None:
    lines = screen.rstrip("\n").split("\n")
    assert len(lines) <= rows
    assert all(len(line) <= columns for line in lines)


def arm(shown: Terminal) -> None:
    shown.press("A")
    shown.wait_for("Type drill")
    shown.press(*"drill", "Enter")
    shown.wait_for("ARMED")


@SIZES
def test_from_the_overview_to_a_repaired_project(columns: int, rows: int) -> None:
    with terminal(["console", "drill"], columns=columns, rows=rows) as shown:
        overview = shown.wait_for("space stage")
        assert_fits(overview, columns, rows)
        words = " ".join(overview.split())
        assert "34 of 40 projects have no domain." in words
        assert "READ-ONLY" in overview
        assert re.search(r"aurora .* ! deleting .*\(gone\)", overview)

        # All of it at once, as a slow line delivers it: what follows the slash is text, not commands.
        shown.press("/", *"dune", "Enter")
        shown.wait_for("▸  dune")
        shown.press("Enter")
        project = shown.wait_for("2 actions proposed")
        assert_fits(project, columns, rows)
        assert re.search(r"user jmartin state\s+enabled\s+~ disabled", project)

        shown.press("Escape")
        shown.wait_for("filter:")
        shown.press("Space")
        shown.wait_for("staged (2)")
        shown.press("s")
        review = shown.wait_for("digest")
        assert_fits(review, columns, rows)
        assert "Read-only: A arms the console" in review
        assert "enter confirm" not in review

        arm(shown)
        # Until it is known what an action destroys, its key says to wait.
        shown.wait_for("blast radius, as read at")
        for confirmed in (1, 2):
            shown.press("Enter")
            shown.wait_for("Cancel")
            shown.press("Tab", "Enter")
            shown.wait_for(f"{confirmed} confirmed")
        shown.press("x")
        execution = shown.wait_for("2 ✓ succeeded")
        assert_fits(execution, columns, rows)
        shown.wait_for("finished")

        shown.press("Escape")
        shown.wait_for("filter:")
        shown.wait_for("= 4 in sync")
        shown.press("q")
        shown.wait_for("exit 0")


@SIZES
def test_the_recovery_to_its_end(columns: int, rows: int) -> None:
    with terminal(["console", "drill"], columns=columns, rows=rows) as shown:
        shown.wait_for("space stage")
        arm(shown)
        shown.press("R")
        assessed = shown.wait_for("to rebuild: 1 dying, 1 hollow, 34 missing")
        assert_fits(assessed, columns, rows)
        shown.press("x")
        question = shown.wait_for("to confirm.")
        wanted = re.search(r"Type (\d+) to confirm", question)
        assert wanted
        shown.press(*wanted[1], "Enter")
        assert_fits(shown.wait_for("actions done"), columns, rows)
        done = shown.wait_for("7 Hand over saved:")
        assert_fits(done, columns, rows)
        assert "✓ 3 Rebuild" in done
        assert "✓ 5 Verify" in done
        shown.press("H")
        shown.wait_for("chain intact")
        assert_fits(shown.wait_for(" succeeded"), columns, rows)


@SIZES
def test_the_wall_shows_a_silent_source(columns: int, rows: int, tmp_path: Path) -> None:
    with SandboxProcess.start(world="drill") as sandbox:
        write_database(blueprint_for("drill"), tmp_path / "ci.sqlite")
        ini = tmp_path / "cloudstack.ini"
        ready = sandbox.ready
        ini.write_text(f"[wall]\nendpoint = {ready.url}\nkey = {ready.key}\nsecret = {ready.secret}\n")
        ini.chmod(0o600)
        configuration = tmp_path / "abreast.toml"
        configuration.write_text(
            f"""
            [environments.wall]
            ledger = "sqlite:///{tmp_path / "ledger.sqlite"}"
            [environments.wall.ci_database]
            url = "sqlite:///{tmp_path / "ci.sqlite"}"
            [environments.wall.cloudstack]
            file = "{ini}"
            read = "wall"
            [environments.wall.refresh]
            inventory_seconds = 2
            """
        )
        command = ["console", "watch", "--config", str(configuration)]
        with terminal(command, columns=columns, rows=rows) as shown:
            wall = shown.wait_for("= in sync")
            assert_fits(wall, columns, rows)
            assert "WATCH" in wall
            assert "stage" not in wall
            sandbox.kill()
            silent = shown.wait_for("STALE")
            assert_fits(silent, columns, rows)
            assert "FAILED" in silent
            shown.press("q")
            shown.wait_for("exit 0")


def test_ctrl_c_ends_a_headless_watch_with_its_exit_code(tmp_path: Path) -> None:
    with SandboxProcess.start(world="empty") as sandbox:
        write_database(blueprint_for("empty"), tmp_path / "ci.sqlite")
        ini = tmp_path / "cloudstack.ini"
        ready = sandbox.ready
        ini.write_text(f"[wall]\nendpoint = {ready.url}\nkey = {ready.key}\nsecret = {ready.secret}\n")
        ini.chmod(0o600)
        configuration = tmp_path / "abreast.toml"
        configuration.write_text(
            f"""
            [environments.wall.ci_database]
            url = "sqlite:///{tmp_path / "ci.sqlite"}"
            [environments.wall.cloudstack]
            file = "{ini}"
            read = "wall"
            """
        )
        command = [sys.executable, "-m", "console", "watch", "--headless", "--config", str(configuration)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stdout is not None
            first = watch.stdout.readline()
            assert '"status":' in first
            watch.send_signal(signal.SIGINT)
            assert watch.wait(30) == 130
