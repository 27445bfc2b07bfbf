"""A typo in `parent`, through the real commands: it is said, and no second tree of domains is built; while a
parent that is really lost is rebuilt.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.scenarios.partial_lab import Lab, lab

PARENT = 'parent = "ROOT/cii"'
FOUND = "have their domains below ROOT/ci, "


def mistype(made: Lab) -> None:
    config = made.configured.config
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[environments.lab]\n", f"[environments.lab]\n{PARENT}\n", 1))


def domains(made: Lab) -> dict[str, str]:
    """Path → id of all domains."""
    rows = made.hand.call("listDomains", listall="true", page="1", pagesize="500")["domain"]
    return {str(row["path"]): str(row["id"]) for row in rows}


def store_ids(made: Lab, ids: dict[str, str]) -> None:
    """Path → id in the CI database; an empty one is none."""
    made.change_database(
        *(
            f"UPDATE projects SET domain_id = NULLIF('{id}', '') WHERE name = '{path.rpartition('/')[2]}'"
            for path, id in ids.items()
        )
    )


@pytest.mark.parametrize("with_ids", [True, False])
def test_a_typo_in_the_parent_is_named_and_nothing_is_proposed(tmp_path: Path, with_ids: bool) -> None:
    with lab(tmp_path) as made:
        before = domains(made)
        store_ids(made, before if with_ids else dict.fromkeys(before, ""))
        mistype(made)
        code, out, _ = made.run("check", "--format", "json")
        found = json.loads(out)
        assert (code, found["status"], found["repairable"]) == (3, "unknown", 0)
        assert "The parent domain ROOT/cii does not exist, but 40 of 41 projects" in found["headline"]
        assert "`parent` in the configuration should probably be ROOT/ci." in found["headline"]
        assert found["misplaced"] in found["headline"]
        text = made.run("check")[2]
        assert FOUND + ("by the ids" if with_ids else "by their names") in text
        plan = tmp_path / "second-tree.json"
        code, _, said = made.run("plan", "-o", str(plan))
        assert (code, plan.exists()) == (1, False)
        assert "should probably be ROOT/ci" in said and "Set `parent` of the environment" in said
        code, _, said = made.run("rebuild", typed="lab\n")
        assert code == 1
        assert "should probably be ROOT/ci" in said
        assert domains(made) == before


def test_a_parent_that_is_really_lost_is_rebuilt(tmp_path: Path) -> None:
    with lab(tmp_path, projects=3) as made:
        store_ids(made, domains(made))
        made.configure()
        made.cloud.finish(made.hand.call("deleteDomain", id=domains(made)["ROOT/ci"], cleanup="true"))
        assert "ROOT/ci" not in domains(made)
        code, out, _ = made.run("check", "--format", "json")
        assert (code, json.loads(out)["misplaced"]) == (2, "")
        code, _, said = made.run("rebuild", typed="lab\n")
        assert "ROOT/ci/project-0002" in domains(made), said
