"""The incident report: every number from ledger, captures and readings; nothing from outside is markup."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sync import report as reports
from sync.drift import compare
from sync.errors import ConfigurationError
from sync.ledger_entries import NO_HASH, Entry, EntryKind
from sync.letters import first_message, letters, template_from
from sync.loss_ledger import Fate, LossLedger, loss_ledger, losses_without_capture
from sync.model import Drift, DriftKind, Outcome
from sync.report import Report
from sync.report_back import Returned, returned
from sync.report_deletions import Deletions
from sync.report_text import escaped, markdown, page
from sync.sandbox.worlds import Blueprint
from sync.sandbox.worlds.blueprint import Image, Machine, Person, Tenant
from tests.engine_cloud import EngineCloud, desired_of
from tests.test_prediction import record

SINCE = datetime(2026, 7, 28, 3, 0, tzinfo=UTC)
HOSTILE = 'au|rora <script>alert("x")</script> [/b] *_`'


def entry(seq: int, kind: EntryKind, /, *, run: str | None = "run-1", **payload: Any) -> Entry:
    at = SINCE + timedelta(seconds=seq)
    return Entry(seq, "lab", run, kind, at, "night@desk", payload, NO_HASH, "f" * 64)


DOMAIN, USER = "create-domain ROOT/ci/a", "create-user ROOT/ci/b:b:x"
ENTRIES = (
    entry(1, EntryKind.PINNED, run=None, endpoint="https://cloud", root_id="r", reason=""),
    entry(
        2,
        EntryKind.RUN_STARTED,
        plan={"actions": [{"kind": "create domain"}, {"kind": "create user"}]},
        policy="rebuild",
        confirmed={"by": "anna"},
    ),
    entry(3, EntryKind.INTENT, action=DOMAIN, kind="create domain", command="createDomain"),
    entry(4, EntryKind.OUTCOME, action=DOMAIN, outcome="failed", detail="busy"),
    entry(5, EntryKind.INTENT, action=DOMAIN, kind="create domain", command="createDomain"),
    entry(6, EntryKind.OUTCOME, action=DOMAIN, outcome="succeeded", detail=""),
    entry(7, EntryKind.INTENT, action=USER, kind="create user", command="createUser"),
    entry(8, EntryKind.OUTCOME, action=USER, outcome="failed", detail=f"No {HOSTILE}"),
    entry(9, EntryKind.RUN_ENDED, state="finished", why="", counts={"succeeded": 1, "failed": 1}),
    entry(10, EntryKind.INTENT, run="contain-8d14", action="fence sync", kind="fence", command="lockUser"),
    entry(
        11, EntryKind.OUTCOME, run="contain-8d14", action="fence sync", outcome="succeeded", detail="locked"
    ),
)


def lab() -> EngineCloud:
    def person(name: str, role: str = "member") -> Person:
        return Person(name, name.title(), 'D"oe', role=role, email=f"{name}@example.org")

    tenants = tuple(
        Tenant(
            name=name,
            members=(person("anna", "owner"), person("ben")),
            machines=(
                Machine("m0", "", "10.1.1.11", "agent-0", offering="Small Instance", snapshot_ages=(2,)),
            ),
            images=(Image(HOSTILE),),
        )
        for name in ("aurora", "boreal")
    )
    return EngineCloud(Blueprint(tenants=tenants))


def made(*, capture: bool = True, entries: tuple[Entry, ...] = ENTRIES) -> Report:
    cloud = lab()
    before = cloud.read()
    domain = next(one for one in cloud.world.domains.values() if one.name == "aurora")
    cloud.ask("deleteDomain", {"id": domain.id, "cleanup": "true"}, client="test")
    for _ in range(1200):
        cloud.sleep(0.1)
    desired, now = desired_of(cloud.blueprint), cloud.read()
    found = loss_ledger(before, now) if capture else losses_without_capture(desired, now)
    return reports.build(
        entries,
        environment="lab",
        since=SINCE,
        made_at=SINCE + timedelta(hours=2),
        made_by="night@desk",
        losses=found,
        drift=compare(desired, now),
        headline="1 of 2 projects has no domain.",
        back=returned(entries, found, before=before if capture else None, now=now),
        deletions=Deletions(),
    )


def built(losses: LossLedger, drift: Drift) -> Report:
    """A report of nothing but these."""
    return reports.build(
        (),
        environment="lab",
        since=SINCE,
        made_at=SINCE,
        made_by="x",
        losses=losses,
        drift=drift,
        headline="",
        back=Returned(),
        deletions=Deletions(),
    )


@pytest.fixture(scope="module")
def report() -> Report:
    return made()


def test_numbers_are_those_of_the_ledger_and_a_retried_action_counts_once(report: Report) -> None:
    assert {one.kind: dict(one.outcomes) for one in report.done} == {
        "create domain": {Outcome.SUCCEEDED: 1},
        "create user": {Outcome.FAILED: 1},
        "fence": {Outcome.SUCCEEDED: 1},
    }
    assert [problem.action for problem in report.problems] == ["create-user ROOT/ci/b:b:x"]
    assert report.progress[-1] == (SINCE + timedelta(seconds=11), 2)


def test_the_timeline_has_decisions_and_containment_and_no_single_repairs(report: Report) -> None:
    said = [one.what for one in report.timeline]
    assert said[0].startswith("environment pinned: https://cloud")
    started = "run started (run-1): 2 actions, rebuild, confirmed by anna; 1 × create domain; 1 × create user"
    assert started in said
    assert "containment (contain-8d14): fence sync: succeeded locked" in said
    assert not any("create-domain" in text for text in said)


def test_many_shields_are_one_moment_and_a_single_lift_is_its_own() -> None:
    shields = tuple(
        entry(seq, EntryKind.OUTCOME, run="contain-1", action=f"shield {seq}", outcome="succeeded", detail="")
        for seq in range(20, 25)
    )
    lift = entry(
        30, EntryKind.OUTCOME, run="contain-2", action="lift shield 20", outcome="succeeded", detail=""
    )
    said = [(one.at, one.what) for one in made(entries=(*ENTRIES, *shields, lift)).timeline]
    assert said[-2:] == [
        (shields[-1].at, "containment (contain-1): 5 × shield: succeeded"),
        (lift.at, "containment (contain-2): lift shield 20: succeeded"),
    ]


def test_what_succeeded_in_a_later_run_is_said_to_have(report: Report) -> None:
    again = entry(20, EntryKind.OUTCOME, run="run-2", action=USER, outcome="succeeded", detail="")
    later = made(entries=(*ENTRIES, again))
    assert "Succeeded later, at 2026-07-28 03:00:20 (run-2)." in markdown(later)
    assert "later" not in markdown(report)


def test_what_a_later_run_found_done_is_said_to_be(report: Report) -> None:
    found = entry(
        20, EntryKind.OUTCOME, run="run-2", action=USER, outcome="skipped", detail="there", object_id="u-1"
    )
    assert "Was found done later, at 2026-07-28 03:00:20 (run-2)." in markdown(
        made(entries=(*ENTRIES, found))
    )
    changed = replace(found, payload={**found.payload, "object_id": None})
    assert "later" not in markdown(made(entries=(*ENTRIES, changed)))


def test_what_was_rehearsed_stands_beside_what_was(report: Report) -> None:
    told = record(Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SUCCEEDED)
    entries = tuple(
        replace(
            entry(seq, EntryKind(one.kind.value)),
            at=one.at,
            payload={"policy": "rebuild", "confirmed": {"by": "anna"}, **one.payload},
        )
        for seq, one in enumerate(told, 1)
    )
    text = markdown(made(entries=entries))
    assert "Run run-1 was rehearsed at 2017-07-28 12:00:00" in text
    assert "2 of 3 actions ended as rehearsed" in text
    assert "predicted succeeded, was failed" in text
    assert "predicted 100.0 s, took 93.0 s" in text
    assert "was rehearsed" not in markdown(report)


def test_losses_are_told_by_project_with_what_survived(report: Report) -> None:
    hit = [one for one in report.projects if one.is_hit]
    assert [one.name for one in hit] == ["aurora"]
    assert hit[0].losses is not None
    assert {one.type for one in hit[0].losses.of(Fate.LOST)} >= {"VM", "snapshot", "template", "user"}
    assert (hit[0].state, report.now[DriftKind.MISSING]) == ("not there", 1)
    assert [owner.username for owner in hit[0].owners] == ["anna"]
    text = markdown(report)
    assert "| VM | 1 | 0 | 0 | 0 | 1 |" in text
    assert "| aurora | " in text and "| boreal | " not in text


def test_without_a_capture_the_report_says_how_much_less_it_knows() -> None:
    text = markdown(made(capture=False))
    assert "Against the CI database alone" in text
    assert "There is no capture" in text


def test_what_was_not_read_now_is_said(report: Report) -> None:
    cloud = lab()
    before = cloud.read()
    cut = replace(before.coverage, state=type(before.coverage.state).PARTIAL, why="the list was cut")
    desired, now = desired_of(cloud.blueprint), replace(before, coverage=cut)
    found = built(loss_ledger(before, now), compare(desired, now))
    assert any("the list was cut" in text for text in found.unsure)
    assert "Neither the ledger nor CloudStack's events have anything of that time." in markdown(found)
    assert not any(one.is_hit for one in found.projects)


def test_owners_are_told_what_differs_and_the_report_who_cannot_be_told(report: Report) -> None:
    cloud = lab()
    now, desired = cloud.read(), desired_of(cloud.blueprint)
    found = loss_ledger(replace(now, domains=(*now.domains, replace(now.domains[-1], id="old"))), now)

    def told(**changed: Any) -> Report:
        projects = {key: replace(one, **changed) for key, one in desired.projects.items()}
        return built(found, compare(replace(desired, projects=projects), now))

    relinked = told(domain_id="gone")
    assert {one.state for one in relinked.projects} == {
        "there, but the CI database does not have its new id yet"
    }
    assert not any("Whom to write to" in text for text in (*relinked.unsure, *report.unsure))
    empty = told(domain_id="gone", members=())
    (hit,) = [one for one in empty.projects if one.is_hit]
    assert hit.state == "there, with differences"
    assert f"Whom to write to: the CI database has nobody with an address for {hit.name}." in empty.unsure


# --- nothing from outside is markup -------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "name", [HOSTILE, "a](http://evil) ![x](y)", "# h\n- l", "<!-- -->", "&lt;", "\\", "1. x", "www.a.b"]
)
def test_a_name_stays_text_in_the_page(name: str) -> None:
    hostile = replace(made(entries=()), headline=name, made_by=name)
    found = Tags()
    found.feed(page(hostile))
    assert not found.seen & {"script", "img", "a", "em", "strong", "code"} - {"code"}
    assert "script" not in found.seen and "img" not in found.seen and "a" not in found.seen
    assert re.sub(r"\s+", " ", name).strip() in re.sub(r"\s+", " ", found.text)


def test_it_is_said_why_losses_are_told_against_that_capture(report: Report) -> None:
    text = markdown(replace(report, basis="the newest complete one"))
    (line,) = [one for one in text.splitlines() if one.startswith("Against the capture of ")]
    assert " (the newest complete one), as CloudStack was at " in line
    assert "(" not in next(one for one in markdown(report).splitlines() if one.startswith("Against"))


def test_the_page_has_both_plots_and_needs_nothing_else(report: Report) -> None:
    text = page(report)
    assert text.count("<svg") == 2
    assert "src=" not in text and "<link" not in text and "@import" not in text


def test_escaping_makes_one_line() -> None:
    assert escaped("a\nb|c") == "a b\\|c"


# --- letters ------------------------------------------------------------------------------------------------


def test_each_hit_project_gets_one_letter_to_its_owners(report: Report) -> None:
    ((name, mail),) = letters(report, template_from(None))
    again = email.message_from_string(mail.as_string(), policy=email.policy.default)
    assert name == "aurora"
    assert again["To"].addresses[0].addr_spec == "anna@example.org"
    assert again["To"].addresses[0].display_name == "Anna Doe"
    text = again.get_content()
    assert "- VM, 1: m0" in text
    assert "How your project stands now: not there." in text
    assert "- VM, 1: m0 (a restore makes it again where a capture knows it, and has not yet)" in text
    assert "Make the VMs that are not back anew" in text
    assert "Take the agents whose VM is not there any more (see above) out of Jenkins" in text
    assert "new addresses" not in text, "there are none"


def test_an_address_that_is_none_stops_no_letter(report: Report) -> None:
    (hit,) = [one for one in report.projects if one.is_hit]
    odd = replace(hit.owners[0], email="not <an> address;\r\nBcc: all@example.org", firstname='Zoë "\\')
    changed = replace(report, projects=(replace(hit, owners=(odd,)),))
    ((_, mail),) = letters(changed, template_from(None))
    again = email.message_from_string(mail.as_string(), policy=email.policy.default)
    assert again["Bcc"] is None
    assert "Dear owners of aurora" in again.get_content()


def test_a_template_of_ones_own_fills_its_fields(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("$project on $environment: $lost costs 3 $$")
    ((_, mail),) = letters(report, template_from(file))
    assert mail.get_content().startswith("aurora on lab: - ")
    assert "costs 3 $" in mail.get_content()


@pytest.mark.parametrize(("text", "said"), [("$proyect", "$proyect"), ("costs 3 $", "names nothing")])
def test_a_template_with_a_wrong_field_is_refused_before_anything_is_written(
    text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "letter.txt"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        template_from(file)
    assert said in str(caught.value)


def test_the_day_is_that_of_the_deletion_where_events_tell_it(report: Report) -> None:
    later = replace(report, began=SINCE + timedelta(days=1))
    ((_, mail),) = letters(later, template_from(None))
    assert mail["Subject"] == "aurora: what was lost on 2026-07-29"
    assert "on 2026-07-29 your project" in mail.get_content() and "on 2026-07-29." in first_message(later)
    assert "The deletion began at 2026-07-29 03:00:00." in markdown(later)
    assert "on 2026-07-28 your project" in next(letters(report, template_from(None)))[1].get_content()
    assert "The deletion began" not in markdown(report)


def test_the_first_message_names_the_projects(report: Report) -> None:
    assert "as far as we know: 1 (aurora)" in first_message(report)
