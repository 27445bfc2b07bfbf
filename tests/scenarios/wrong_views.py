"""Accidents of the wrong place, the wrong time and the wrong order, one scenario each.

Among them those whose cause was no partial view: a list that a bug wrote, an id of something else, a
parameter that was left blank.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_USAGE
from sync.model import JsonObject, Outcome
from sync.sandbox.process import SandboxProcess
from tests.scenarios.partial_lab import (
    LISTS,
    Lab,
    View,
    at,
    between,
    client_of,
    database_that_goes_away,
    start_of,
    utc_now,
)
from tests.scenarios.scenario import mapping, part, scenario, whole

# --- where, when, how long --------------------------------------------------------------------------------


@scenario("wrong environment", "the right command on the wrong host (GitLab 2017)")
def wrong_environment(lab: Lab) -> None:
    """The same environment's credentials name another CloudStack: nothing of production is there."""
    with SandboxProcess.start(world="empty", manual_clock=True, service_times=False) as other:
        start_of(other)
        hand = client_of(other.ready)
        ci = hand.call("createDomain", name="ci")["domain"]["id"]
        for name in ("dune", "essai-1", "essai-2", "essai-3"):
            hand.call("createDomain", name=name, parentdomainid=ci)
        ready = other.ready
        lab.configure(url=ready.url, key=ready.key, secret=ready.secret)
        view = part(lab)
        assert view.drift is None or not view.is_complete
        sent = [one["command"] for one in other.control.log() if str(one["client"]).startswith("abreast/")]
        assert not [command for command in sent if not command.startswith(("list", "get", "query"))]
        hand.close()


@scenario("cloned qualification system", "a restored dump has production's ids, at another address")
def clone(lab: Lab) -> None:
    url = lab.box.ready.url
    assert "127.0.0.1" in url
    lab.configure(url=url.replace("127.0.0.1", "localhost"))
    view = part(lab)
    assert view.drift is not None
    assert view.drift.actual.is_foreign
    lab.configure()
    whole(lab)


@scenario("clock wrong", "a signature that has expired, a plan of the future, a reading of tomorrow")
def clock_wrong(lab: Lab) -> None:
    for days in (-400, -1, 1, 400):
        view = lab.look(clock=at(utc_now() + timedelta(days=days)))
        assert view.drift is not None
    lab.box.control.advance(24 * 3600)
    part(lab)


@scenario("CloudStack down half-way", "failure to list deletes all (argo-cd#18480)")
def cloud_down(lab: Lab) -> None:
    for command in LISTS:
        for kind in ("503", "reset_before", "html", "401"):
            lab.fault(kind, command)
        part(lab)
        lab.calm()
    answered: list[str] = []

    def down(command: str, _asked: Mapping[str, str], answer: JsonObject) -> JsonObject:
        if not answered and command == "listDomains":
            answered.append(command)
            lab.fault("503")
        return answer

    for _ in range(2):
        answered.clear()
        with between(down):
            part(lab)
        lab.calm()


@scenario("CI database down half-way", "one side is there only in part", projects=0)
def database_down(lab: Lab) -> None:
    for query in ("projects", "members", "agents"):
        with database_that_goes_away(after=query):
            part(lab)
    lab.database.rename(lab.folder / "away.sqlite")
    part(lab)
    (lab.folder / "away.sqlite").rename(lab.database)
    whole(lab)


@scenario("CloudStack down in the middle of a run", "whatever runs is repairs, and stops")
def down_while_running(lab: Lab) -> None:
    view = whole(lab)
    lab.fault("reset_after", "create*", count=1)
    lab.fault("503", "update*", count=1)
    report = lab.execute(view)
    assert report is not None
    assert {one.outcome for one in report.results} & {Outcome.SUCCEEDED}
    lab.calm()
    lab.look_anew()
    lab.look()


@scenario("massive deletion list", "a bug wrote a list of deletions: half of all disks (Flying Circus 2014)")
def deletion_list(lab: Lab) -> None:
    """Plans that delete, made by hand: as they are, and sealed again."""
    file = lab.folder / "list.json"
    assert lab.run("plan", "-o", str(file))[0] == EXIT_DONE
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["actions"]
    for changed in (
        {"kind": "delete domain"},
        {"kind": "delete domain", "parameters": {"cleanup": "true"}},
        {"parameters": {"id": "1", "cleanup": "true"}},
        {"parameters": {"command": "deleteDomain"}},
    ):
        listed = content | {"actions": [one | changed for one in content["actions"]]}
        for digest in (content["digest"], _digest(listed)):
            file.write_text(json.dumps(listed | {"digest": digest}), encoding="utf-8")
            code, _, said = lab.run("apply", str(file), "--confirm", digest)
            assert code in (EXIT_DRIFT, EXIT_USAGE), said
    lab.look()


def _digest(content: JsonObject) -> str:
    kept = {name: value for name, value in content.items() if name != "digest"}
    text = json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@scenario("id of something else", "a call took the ids of sites for those of apps (Atlassian 2022)")
def other_ids(lab: Lab) -> None:
    view = whole(lab)
    named = [one for one in view.actions if one.target_id is not None]
    assert named, "the lab has no repair of an object that is there"
    ids = [row["id"] for row in lab.hand.call("listDomains", listall="true")["domain"]]
    wrong = [replace(one, target_id=next(id for id in ids if id != one.target_id)) for one in named]
    report = lab.execute(View("", actions=tuple(wrong)))
    assert report is not None
    assert not {one.outcome for one in report.results} & {Outcome.SUCCEEDED, Outcome.UNKNOWN}
    whole(lab)


@scenario("blank parameter", "a parameter left blank meant a term of one year (UniSuper 2024)")
def blank(lab: Lab) -> None:
    """What is empty is refused, never taken for everything."""
    file = lab.folder / "blank.json"
    for arguments in (("plan", "", "-o", str(file)), ("rebuild", ""), ("shield", ""), ("plan", " ")):
        code, _, said = lab.run(*arguments, typed="lab\n")
        assert code in (EXIT_DRIFT, EXIT_USAGE), said
    assert not file.exists()
    lab.configure(more=mapping(""))
    part(lab)
    lab.configure()
    text = lab.configured.config.read_text(encoding="utf-8")
    for setting in ('parent = ""', 'parent = "ROOT/"', 'ledger = ""'):
        changed = text.replace("[environments.lab]\n", f"[environments.lab]\n{setting}\n", 1)
        lab.configured.config.write_text(changed, encoding="utf-8")
        whole(lab) if "ledger" in setting else part(lab)


@scenario("all proposed repairs executed", "the full view, for comparison")
def everything_executed(lab: Lab) -> None:
    report = lab.execute(whole(lab))
    assert report is not None
    assert {one.outcome for one in report.results} == {Outcome.SUCCEEDED}
    lab.look_anew()
    assert lab.look().actions == ()
