"""`abreast relink`: exit code and files, before and after the owner has stored the new ids."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from tests.cli import NETWORK, Access, configure


@pytest.mark.xdist_group("cli")
def test_stale_ids_are_written_out_and_the_owner_mends_them(tmp_path: Path) -> None:
    ci = tmp_path / "ci.sqlite"
    write_database(blueprint_for("drill"), ci)
    with closing(sqlite3.connect(ci)) as database, database:
        (right,) = database.execute("SELECT domain_id FROM projects WHERE name = 'dune'").fetchone()
        database.execute("UPDATE projects SET domain_id = 'of-the-old-dune' WHERE name = 'dune'")
    with SandboxProcess.start(world="drill", service_times=False) as sandbox:
        access = Access(sandbox.ready.url, sandbox.ready.key, sandbox.ready.secret)
        lab = configure(tmp_path / "lab", access, f"sqlite:///{ci}", more=NETWORK)
        found = lab.run("relink", "--format", "json", "-o", "mend")
        assert found.returncode == 1, found.stderr
        said = json.loads(found.stdout)
        assert said["dead"] == ["dune"]
        assert [(one["project"], one["stored"], one["current"]) for one in said["stale"]] == [
            ("dune", "of-the-old-dune", right)
        ]
        table = (lab.folder / "mend" / "relink-lab.csv").read_text()
        assert table.splitlines()[1] == f"dune,of-the-old-dune,{right}"
        with closing(sqlite3.connect(ci)) as database:
            database.executescript((lab.folder / "mend" / "relink-lab.sql").read_text())
        again = lab.run("relink", "-o", "mend2")
    assert (again.returncode, again.stderr) == (0, "")
    assert "0 are of no domain any more" in again.stdout
    assert not (lab.folder / "mend2").exists()
