"""Accidents that began with a part taken for the whole, one scenario each, and what the product makes of it.

`python -m tests.scenarios` plays all scenarios and prints the table.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from sync.model import JsonObject, Outcome
from tests.scenarios.partial_lab import (
    LISTS,
    Lab,
    View,
    between,
    rows_of,
)
from tests.scenarios.scenario import mapping, part, scenario, whole

MANY = 510
"""Projects of a lab whose list of domains has more than one page of 500."""
SOME = 130
"""Projects of a lab whose list of domains has more than one page of 100."""
HALF = "name IN (SELECT name FROM projects ORDER BY rowid LIMIT 20)"


# --- pages ------------------------------------------------------------------------------------------------


@scenario(
    "page limit of 100", "a query limited to 100 rows: images in use deleted (Travis CI 2016)", projects=SOME
)
def page_limit_100(lab: Lab) -> None:
    lab.hand.call("updateConfiguration", name="default.page.size", value="100")
    whole(lab)


@scenario("page limit of 100 that is kept quiet", "100 rows come, whatever is asked for", projects=SOME)
def quiet_limit_100(lab: Lab) -> None:
    def cut(_command: str, _asked: Mapping[str, str], answer: JsonObject) -> JsonObject:
        key, rows = rows_of(answer)
        return answer | {key: rows[:100]} if rows else answer

    with between(cut):
        whole(lab)


@scenario("page limit of 100, count cut too", "`count` is the page's own (cloudstack#3890)", projects=SOME)
def count_per_page(lab: Lab) -> None:
    def cut(_command: str, _asked: Mapping[str, str], answer: JsonObject) -> JsonObject:
        key, rows = rows_of(answer)
        return answer | {key: rows[:100], "count": min(len(rows), 100)} if rows else answer

    with between(cut):
        whole(lab)


@scenario("page limit of 500", "only the first 500 domains (cloudstack#6945)", projects=MANY)
def page_limit_500(lab: Lab) -> None:
    view = whole(lab)
    assert view.drift is not None
    (proof,) = (one for one in view.drift.actual.lists if one.name == "listDomains")
    assert proof.pages == 2


@scenario("unpaged list cut at 500", "`listDomains listall=true` answers 500 of 2,258 rows", projects=MANY)
def unpaged(lab: Lab) -> None:
    with between(lambda _command, _asked, answer: answer, drop=("page", "pagesize")):
        part(lab)


@scenario("wrong count", "`count` says another number than there are rows")
def wrong_count(lab: Lab) -> None:
    for command in LISTS:
        lab.fault("wrong_count", command)
        part(lab)
        lab.calm()


@scenario("empty page", "a list that is lost on its way answers `{}`, like nothing")
def empty_page(lab: Lab) -> None:
    for command in LISTS:
        lab.fault("empty_page", command)
        part(lab)
        lab.calm()
    lab.fault("empty_page", count=1)
    lab.look()
    whole(lab)


@scenario("page without a list", "past its end a list answers `{count: N}`; `cs` stops there silently")
def page_without_list(lab: Lab) -> None:
    for command in LISTS:
        lab.fault("page_without_list", command)
        part(lab)
        lab.calm()


def _small_pages(lab: Lab) -> None:
    """So that every list has several: 500 is halved until it is accepted, which is at 15."""
    lab.hand.call("updateConfiguration", name="default.page.size", value="20")


@scenario("duplicated page", "rows come and go while pages are read")
def duplicated(lab: Lab) -> None:
    _small_pages(lab)
    lab.fault("duplicated_row")
    part(lab)
    lab.calm()

    def first_again(command: str, asked: Mapping[str, str], answer: JsonObject) -> JsonObject:
        return pages.setdefault(command, answer) if asked.get("pagesize") == "15" else answer

    pages: dict[str, JsonObject] = {}
    with between(first_again):
        part(lab)


@scenario("rows in another order", "the order of rows is not promised")
def shuffled(lab: Lab) -> None:
    _small_pages(lab)
    chance = random.Random(1)

    def shuffle(_command: str, _asked: Mapping[str, str], answer: JsonObject) -> JsonObject:
        key, rows = rows_of(answer)
        return answer | {key: chance.sample(rows, len(rows))} if rows else answer

    with between(shuffle):
        whole(lab)


@scenario("shifted page", "rows come and go while pages are read")
def shifted(lab: Lab) -> None:
    _small_pages(lab)
    lab.fault("shifted_page")
    part(lab)
    lab.calm()
    lab.fault("shifted_page", count=1)
    whole(lab)


@scenario("truncated page", "an answer that is cut off in the middle")
def truncated(lab: Lab) -> None:
    for kind in ("truncated_page", "truncated_body"):
        for command in LISTS:
            lab.fault(kind, command)
            part(lab)
            lab.calm()


@scenario("every answer spoilt by chance", "all of these at once")
def by_chance(lab: Lab) -> None:
    kinds = ("truncated_page", "duplicated_row", "shifted_page", "wrong_count", "empty_page", "503", "401")
    for kind in kinds:
        lab.fault(kind, probability=0.03)
    for _ in range(4):
        lab.look()


# --- who looks --------------------------------------------------------------------------------------------


@scenario("one-project scope", "the sync was limited to one project and deleted all others (Inria 2017)")
def one_project(lab: Lab) -> None:
    view = whole(lab, "dune")
    report = lab.execute(View("", actions=tuple(one for one in view.actions if one.project == "dune")))
    assert report is not None
    assert {one.outcome for one in report.results} == {Outcome.SUCCEEDED}
    lab.look_anew()
    lab.look("dune")


@scenario("domain admin's credential", "a scoped key sees a small world without any error")
def domain_admin(lab: Lab) -> None:
    (dune,) = lab.hand.call("listDomains", listall="true", name="dune")["domain"]
    for role in ("Domain Admin", "Resource Admin"):
        where = {"domainid": dune["id"]} if role == "Domain Admin" else {}
        keys = lab.cloud.caller(f"small-{role[0]}", _role(lab, role), **where)
        lab.configure(key=keys.key.reveal(), secret=keys.secret.reveal())
        part(lab)


@scenario("read-only credential", "it sees everything and may change nothing")
def read_only(lab: Lab) -> None:
    keys = lab.cloud.caller("watcher", _role(lab, "Read-Only Admin - Default"))
    lab.configure(key=keys.key.reveal(), secret=keys.secret.reveal())
    view = whole(lab)
    report = lab.execute(view)
    assert report is not None
    assert not {one.outcome for one in report.results} & {Outcome.SUCCEEDED, Outcome.UNKNOWN}


@scenario("read-only user of one project", "it sees next to nothing")
def read_only_user(lab: Lab) -> None:
    keys = lab.cloud.caller("onlooker", _role(lab, "Read-Only User - Default"))
    lab.configure(key=keys.key.reveal(), secret=keys.secret.reveal())
    part(lab)


def _role(lab: Lab, name: str) -> str:
    return next(str(one["id"]) for one in lab.hand.call("listRoles")["role"] if one["name"] == name)


@scenario("owned by a CloudStack Project", "`listall=true` leaves out what Projects own; counts agree")
def owned_by_projects(lab: Lab) -> None:
    owned = {vm["name"] for vm in _owned(lab)}
    assert owned, "the lab has no VM of a CloudStack Project"
    assert owned <= _machines(whole(lab))

    def apart(command: str, asked: Mapping[str, str], answer: JsonObject) -> JsonObject:
        """A server on which `projectid=-1` gives the Projects' rows only."""
        if command not in LISTS or asked.get("projectid") != "-1":
            return answer
        key, rows = rows_of(lab.hand.call(command, **{**asked, "page": "1", "pagesize": "500"}))
        kept = [row for row in rows if row.get("projectid")]
        start = (int(asked["page"]) - 1) * int(asked["pagesize"])
        page = kept[start : start + int(asked["pagesize"])]
        return ({"count": len(kept)} | ({key: page} if page else {})) if kept else {}

    with between(apart):
        assert owned <= _machines(whole(lab))


def _owned(lab: Lab) -> list[JsonObject]:
    rows = lab.hand.call("listVirtualMachines", listall="true", projectid="-1").get("virtualmachine", [])
    return [row for row in rows if row.get("projectid")]


def _machines(view: View) -> set[str]:
    assert view.drift is not None
    return {vm.name for row in view.drift.rows if row.view is not None for vm in row.view.vms}


# --- the CI database --------------------------------------------------------------------------------------


@scenario("CI database empty", "a generator says “0 applications”: all are deleted (argo-cd#14318)")
def empty_database(lab: Lab) -> None:
    lab.change_database(*(f"DELETE FROM {table}" for table in ("members", "agents", "quotas", "projects")))
    part(lab)


@scenario("CI database empty at the first reading", "nothing was ever seen that it could have shrunk from")
def empty_at_first(lab: Lab) -> None:
    _forget(lab)
    empty_database(lab)


@scenario("CI database restored from an old backup", "complete, and wrong for days")
def old_backup(lab: Lab) -> None:
    oldest = "(SELECT name FROM projects ORDER BY rowid LIMIT 30)"
    for table, name in (
        ("members", "project"), ("agents", "project"), ("quotas", "project"), ("projects", "name")
    ):  # fmt: skip
        lab.change_database(f"DELETE FROM {table} WHERE {name} NOT IN {oldest}")
    part(lab)


@scenario("CI database without most members", "a table of it restored from an old backup")
def members_lost(lab: Lab) -> None:
    lab.change_database("DELETE FROM members WHERE rowid % 3 = 0")
    part(lab)


@scenario("mapping that filters", "the code expected the full environment and got a part of it (Inria 2017)")
def filtering(lab: Lab) -> None:
    for projects in (
        "SELECT * FROM projects WHERE name = 'dune'",
        "SELECT * FROM projects WHERE network_domain LIKE 'a%'",
        "SELECT p.* FROM projects p JOIN agents a ON a.project = p.name GROUP BY p.name HAVING COUNT(*) > 2",
        f"SELECT * FROM projects WHERE {HALF}",
        "SELECT * FROM projects ORDER BY name LIMIT 30",
    ):
        lab.configure(more=mapping(projects))
        part(lab)


@scenario("mapping that filters at the first reading", "nothing was ever seen that it could have shrunk from")
def filtering_at_first(lab: Lab) -> None:
    for projects in (
        "SELECT * FROM projects WHERE name = 'dune'",
        "SELECT * FROM projects WHERE name < 'c'",
        "SELECT * FROM projects WHERE rowid < 12",
    ):
        _forget(lab)
        lab.configure(more=mapping(projects))
        part(lab)


@scenario(
    "query limited to 100",
    "the list of what is valid was a query of 100 rows (Travis CI 2016)",
    projects=SOME,
)
def query_limited(lab: Lab) -> None:
    _forget(lab)
    for limit in ("LIMIT 100", "LIMIT 100 OFFSET 0", "limit 500;"):
        lab.configure(more=mapping(f"SELECT * FROM projects {limit}"))
        part(lab)


def _forget(lab: Lab) -> None:
    """As on the day of installation: nothing was ever read."""
    for file in lab.configured.data.glob("lab.sqlite*"):
        file.unlink()
