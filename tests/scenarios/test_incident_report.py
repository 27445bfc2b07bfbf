"""The report after the incident of 28 July, against the sandbox's own log of what it destroyed."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from console.cli.reading import read_both
from console.reports import make, write
from console.session import Session
from sync.drill import CI_DATABASE, environment_for
from sync.letters import template_from
from sync.loss_ledger import Fate
from sync.object_types import object_type
from sync.sandbox.incident import Access, july28
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database


def test_what_the_report_says_is_lost_is_what_the_sandbox_destroyed(tmp_path: Path) -> None:
    write_database(blueprint_for("drill"), tmp_path / CI_DATABASE)
    with SandboxProcess.start(world="drill", speed=20, service_times=False) as sandbox:
        ready = sandbox.ready
        environment = replace(environment_for(ready, tmp_path), captures=tmp_path / "captures.sqlite")
        session = Session(environment)
        desired, actual = read_both(session)
        assert session.captures.offer(desired, actual) is not None
        since = session.clock() + timedelta(microseconds=1)
        access = Access(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)
        july28(access, sandbox.control, tmp_path / CI_DATABASE, on_step=lambda _: None)
        before = {(one["kind"], one["id"]) for one in sandbox.control.destroyed()}
        report = make(session, since=since, on_step=lambda _: None)
        after = {(one["kind"], one["id"]) for one in sandbox.control.destroyed()}
        written = write(report, tmp_path / "report", template_from(None))
        session.close()

    said = {(object_type(one.type).counted_as, one.id): one.fate for one in report.losses.objects}
    lost = {key for key, fate in said.items() if fate is Fate.LOST}
    survives = {key for key, fate in said.items() if fate is Fate.SURVIVES}
    known = before & said.keys()
    # One domain goes on dying while the report is made: what went in between may be told either way.
    assert known - lost <= {key for key, fate in said.items() if fate is Fate.DYING}
    assert lost <= after
    assert not survives & before
    assert len(lost) > 300
    assert any(one.has_failed for one in report.deletions.found)
    counted = [text for text in (report.headline, *report.deletions.words()) if "in the ledger" in text]
    assert counted == ["None of it is in the ledger: nobody approved it here, and abreast did not send it."]

    hit = [one for one in report.projects if one.is_hit]
    assert len(hit) >= 36
    letters = [path for path in written if path.suffix == ".eml"]
    with_owners = [one for one in hit if one.owners]
    assert len(letters) == len(with_owners) > 30
    mail = email.message_from_bytes(letters[0].read_bytes(), policy=email.policy.default)
    lines = mail.get_content().splitlines()
    assert mail["To"] and "What was destroyed, or is being destroyed:" in lines
    assert lines[lines.index("What is back by now:") + 1] == "- nothing"
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    page = (tmp_path / "report" / "incident-report.html").read_text(encoding="utf-8")
    assert "<svg" in page and "zephyr" not in [one.name for one in hit]
