"""The drill's scenarios: what they are, that each plays itself to its end, and what judges its losses."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sync.containment import Containment
from sync.drill import NIGHTS, environment_for
from sync.drill_losses import Destroyed, contradictions, losses_json
from sync.drill_plays import PLAYS, play
from sync.drill_scenarios import DEFAULT, SCENARIOS, listing, scenario
from sync.drill_script import exit_code
from sync.errors import EXIT_DONE, EXIT_USAGE, UsageError
from sync.loss_ledger import Fate, Loss, LossLedger, ProjectLosses
from sync.sandbox.naive_sync import synchronize
from sync.sandbox.process import Ready
from sync.secret import Secret
from tests.cli import ROOT

SPEED = 50.0
NIGHT = datetime(2026, 7, 28, 2, 0, tzinfo=UTC)


# --- what there is ------------------------------------------------------------------------------------------


def test_every_scenario_has_a_night_a_play_and_one_sentence() -> None:
    assert set(PLAYS) == set(SCENARIOS)
    assert DEFAULT in SCENARIOS
    for one in SCENARIOS.values():
        assert one.night in NIGHTS
        assert re.fullmatch(r"[A-Z].*\.", one.sentence)
        assert len(one.sentence) < 100


def test_the_readme_names_them() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- scenarios -->\n(.*?)\n<!-- /scenarios -->", readme, re.DOTALL)
    assert found
    rows = [f"| `{one.name}` | {one.sentence} |" for one in SCENARIOS.values()]
    assert found[1].splitlines()[2:] == rows


def test_an_unknown_one_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(UsageError) as refused:
        scenario("june1")
    assert str(refused.value).endswith(f" There are: {', '.join(SCENARIOS)}.")


@pytest.mark.parametrize(("name", "code"), [("help", 0), ("june1", EXIT_USAGE)])
def test_the_command_line_lists_them(name: str, code: int) -> None:
    command = [sys.executable, "-m", "console", "drill", "--scenario", name]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == code
    if code == 0:
        assert listing() in ran.stdout
    else:
        assert f"There are: {', '.join(SCENARIOS)}." in ran.stderr, "an error is one line"


# --- each to its end ----------------------------------------------------------------------------------------


def played(name: str, **named: Any) -> dict[str, Any]:
    """Its summary, when nothing repairable is left, the losses are exact and its promise held."""
    found = play(scenario=name, speed=SPEED, **named)
    assert found["scenario"] == name
    assert found["repairable"]["after"] == 0, found["repairable"]
    assert found["contradictions"] == [] and found["ledger_exact"]
    assert found["promise"]["held"], found["promise"]
    assert exit_code(found) == EXIT_DONE
    return found


def test_aborted_early_loses_three_domains_and_no_more() -> None:
    found = played("aborted-early")
    assert found["promise"]["lost"] == ["abaque", "alidade", "argile"]
    assert found["losses"]["by_type"]["domain"][Fate.LOST.value] == 3
    assert found["losses"]["by_fate"][Fate.DYING.value] == 0, "what was dying is waited for"
    assert found["drift"]["before"]["deleting"] == 1
    restored = found["restored"]
    assert restored["in_place"] == {"take address": 3, "register template": 2, "deploy VM": 7}
    lost = found["losses"]["by_type"]["VM"][Fate.LOST.value]
    left = {one["why"]: one["objects"] for one in restored["why_left"] if one["type"] == "VM"}
    assert left == {"its template argile-oneapi-2025 is not there and is not made again": lost - 7}


def test_while_you_watch_loses_only_what_was_submitted_before_the_fence() -> None:
    said: list[str] = []
    found = played("while-you-watch", say=said.append)
    promise = found["promise"]
    assert promise["seen_by_refresh"] == 1
    submitted = promise["submitted_before_the_fence"]
    assert submitted[0] == "abaque"
    assert promise["lost_before_the_fence"]["account"] == len(submitted)
    assert promise["deletions_after_the_fence"] == 0
    assert "401" in promise["sync"]
    assert found["losses"]["by_type"]["domain"][Fate.LOST.value] == len(submitted)
    assert any(line.startswith("lost before the fence: ") for line in said)


def test_second_wave_deletes_what_is_not_relinked_and_nothing_of_what_is() -> None:
    promise = played("second-wave")["promise"]
    assert "401" in promise["behind_the_fence"]
    assert "does not have any more" in promise["gate_before"]
    assert promise["without_relink"]["deleted"] == promise["relinked"] == 33
    assert promise["without_relink"]["objects_lost"] > 200
    assert promise["with_relink"] == {
        "bound": 40, "deleted": 0, "objects_lost": 0, "destroyed_by_the_log": 0
    }  # fmt: skip


@pytest.mark.exhaustive
@pytest.mark.parametrize("release", ["4.23", "4.18"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_each_to_its_end_on_both_releases(name: str, release: str) -> None:
    found = played(name, release=release)
    if name == "no-capture":
        assert found["losses"]["before"] is None
        assert found["drift"]["before"]["deleting"] == 1
        fates = found["losses"]["by_fate"]
        assert fates[Fate.DYING.value] == 0, "what was dying is waited for, and told anew"
        assert found["losses"]["by_type"]["domain"] == {Fate.LOST.value: 35, Fate.SURVIVES.value: 5}
        assert found["losses"]["blind"]
        assert found["restored"] is None, "nobody knows what there was"
    elif name == "second-operator":
        assert found["promise"]["operators"] == ["anna@ops", "ben@ops"]
        (broken,) = found["promise"]["leases_broken"]
        assert (broken["of"], broken["on"], broken["by"]) == ("anna@ops", "ops", "ben@ops")
        assert "nothing of it runs" in broken["reason"]
        assert "no sign of life for 5 min" in found["promise"]["refused_before"]
        assert "--owner anna@ops" in found["promise"]["refused_before"]
        assert found["promise"]["leases_taken_over"] == []
        assert found["promise"]["runs"] == 1
    elif name == "hollow":
        assert found["promise"]["failed_half_way"] == 39
        assert found["drift"]["before"]["hollow"] == 38
        assert found["drift"]["after"]["hollow"] == 0
        assert found["to_relink"] == 0
    if name in ("july28", "hollow", "second-operator"):
        restored = found["restored"]
        assert restored["planned"] == restored["in_place"]
        assert restored["in_place"]["deploy VM"] > 0.9 * found["losses"]["by_type"]["VM"][Fate.LOST.value]


# --- one drill and the next ---------------------------------------------------------------------------------


def test_the_journal_of_one_drill_is_not_that_of_the_next(tmp_path: Path) -> None:
    """Where the ledger cannot be reached, a fence is in this machine's own journal: the drill's own."""
    broken = tmp_path / "broken"
    broken.write_text("a file where a folder should be")
    ready = Ready("http://127.0.0.1:9/client/api", 9, "k", "s", "t", "4.23", "drill", 1)
    unusable = Secret(f"sqlite:///{broken / 'ledger.sqlite'}")
    environment = replace(environment_for(ready, tmp_path), ledger=unusable)
    reader: Any = None
    containment = Containment(environment, reader=reader, operator="op@host")
    assert containment.journal.is_local
    assert (tmp_path / "own-journal.sqlite").exists()
    containment.close()


# --- the losses against the log -----------------------------------------------------------------------------


def ledger_of(*losses: Loss, before: datetime | None = NIGHT) -> LossLedger:
    return LossLedger(before, NIGHT, (ProjectLosses("aurora", "aurora", losses),))


def loss(fate: Fate, *, type: str = "VM", id: str = "v-1", name: str = "m0") -> Loss:
    return Loss(type, id, name, "ROOT/ci/aurora", "aurora", fate)


def entry(kind: str = "vm", id: str = "v-1", name: str = "m0") -> dict[str, str]:
    return {"kind": kind, "id": id, "name": name, "domain": "ROOT/ci/aurora"}


def judged(ledger: LossLedger, *log: dict[str, str], later: tuple[dict[str, str], ...] = ()) -> list[str]:
    return list(contradictions(ledger, Destroyed(log, (*log, *later))))


def test_a_loss_that_the_log_has_is_exact_and_one_that_it_has_not_is_not() -> None:
    told = ledger_of(loss(Fate.LOST))
    assert judged(told, entry()) == []
    assert judged(told, later=(entry(),)) == [], "it went while both sides were read"
    assert judged(told) == ["VM m0 of ROOT/ci/aurora is told lost, and was not destroyed"]
    assert judged(told, entry("volume"))[0].endswith("was not destroyed"), "of another type"


@pytest.mark.parametrize("fate", [Fate.SURVIVES, Fate.RECOVERABLE])
def test_what_survives_is_not_in_the_log(fate: Fate) -> None:
    told = ledger_of(loss(fate))
    assert judged(told) == []
    assert judged(told, later=(entry(),)) == [], "it went after it had been read"
    assert judged(told, entry()) == ["VM m0 of ROOT/ci/aurora is told to survive, and was destroyed"]


def test_what_is_being_destroyed_may_be_in_the_log_or_not_and_the_unknown_is_never_exact() -> None:
    dying = ledger_of(loss(Fate.DYING))
    assert judged(dying) == judged(dying, entry()) == []
    assert judged(ledger_of(loss(Fate.UNKNOWN))) == ["VM m0 of ROOT/ci/aurora is told to be unknown"]


def test_what_was_destroyed_and_is_not_told_is_a_contradiction() -> None:
    told = ledger_of(loss(Fate.SURVIVES))
    assert judged(told, entry("snapshot", "s-9", "daily")) == [
        "snapshot daily of ROOT/ci/aurora was destroyed, and is not told"
    ]
    assert judged(told, entry("ssh_key", "k-1", "key")) == [], "no capture has these one by one"


def test_without_a_capture_names_have_to_do() -> None:
    told = replace(ledger_of(loss(Fate.LOST, id="")), before=None)
    assert judged(told, entry(id="v-77", name="M0")) == []
    assert judged(told, entry(name="other"))[0].endswith("was not destroyed")
    renamed = entry() | {"domain": "ROOT/ci/aurora-deleted-0728-ab12"}
    assert judged(told, renamed) == [], "its domain had made room for the next one"
    assert losses_json(told)["before"] is None
    assert losses_json(told)["by_fate"][Fate.LOST.value] == 1


# --- the sync of every day ----------------------------------------------------------------------------------


class Cloud:
    """The few calls of the sync, answered at once."""

    def __init__(self, **domains: str) -> None:
        self.domains = [
            {"id": id, "name": name, "path": f"ROOT/ci/{name}", "created": name}
            for name, id in domains.items()
        ]
        self.deleted: list[str] = []
        self.calls = 0

    def call(self, command: str, **parameters: str) -> dict[str, Any]:
        if command == "listDomains":
            return {"domain": self.domains}
        if command == "deleteDomain":
            self.deleted.append(parameters["id"])
            return {"jobid": "j"}
        return {"jobstatus": 1, "jobresult": {"success": True}}


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    import sqlite3

    path = tmp_path / "ci.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE projects (name TEXT, domain_id TEXT)")
        rows = [("aurora", "a-old"), ("boreal", "b-1"), ("cirrus", None)]
        connection.executemany("INSERT INTO projects VALUES (?, ?)", rows)
    connection.close()
    return path


def run_sync(cloud: Cloud, stored: Path, **named: Any) -> list[str]:
    synchronize(cloud, stored, parent="ROOT/ci", pause=lambda *_: None, **named)  # type: ignore[arg-type]
    return cloud.deleted


def test_it_finds_domains_by_their_stored_ids_and_by_name_where_none_is_stored(stored: Path) -> None:
    cloud = Cloud(aurora="a-new", boreal="b-1", cirrus="c-9", zephyr="z-1")
    assert run_sync(cloud, stored) == ["a-new", "z-1"]


def test_it_leaves_alone_what_is_on_its_own_list(stored: Path) -> None:
    cloud = Cloud(aurora="a-old", boreal="b-1", cirrus="c-9", zephyr="z-1")
    assert run_sync(cloud, stored, spared=("zephyr",)) == []


def test_limited_to_one_project_it_goes_by_the_name_and_deletes_all_others(stored: Path) -> None:
    cloud = Cloud(aurora="a-new", boreal="b-1")
    assert run_sync(cloud, stored, only="aurora") == ["b-1"]
