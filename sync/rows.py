"""Rows of the mapping's queries → projects, with what is wrong in them said in words. No I/O.

What is wrong stays with the smallest thing it is about, so that one bad row never blocks the others:

- a project without a name cannot be aligned with anything: the reading is not complete (`unkeyed`);
- a name or network domain that CloudStack would refuse, two projects of one name, a quota or `enabled` that
  says nothing: the project's `problem`; it is listed and compared with nothing;
- a member that createAccount or createUser would refuse: kept apart in `unusable`, the rest of the project is
  usable; only where nobody else is left to come with the account does the project itself have the problem;
- a member, agent or quota of no known project: a note. That is a fault in the CI database and not in the
  reading, which stays complete.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

from sync.characters import escaped, obeyed_words
from sync.errors import MappingError
from sync.mapping import nearest
from sync.model import RESOURCE_TYPES, UNLIMITED, Agent, Member, Project, Retirement, project_key

LONGEST = 255
"""Characters of a domain's name (measured on 4.18 and 4.23) and of a user's fields."""
LONGEST_NETWORK_DOMAIN = 190
"""CloudStack leaves 63 of a full name's 253 characters for the machine (measured on 4.18 and 4.23)."""
LARGEST_LIMIT = 2**63 - 1
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NAMED_AT_MOST = 3
_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE = frozenset({"0", "f", "false", "n", "no", "off"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QueryRows:
    """What one query gave."""

    query: str
    positions: Mapping[str, int]
    """Field → position in each row."""
    rows: Sequence[Sequence[Any]]

    def column(self, name: str, convert: Callable[[Any], T], *, missing: T) -> list[T]:
        """One field of every row. Raises MappingError where a value is no text."""
        position = self.positions.get(name)
        if position is None:
            return [missing] * len(self.rows)
        try:
            return [convert(row[position]) for row in self.rows]
        except UnicodeDecodeError:
            raise MappingError(
                f"The mapping's query `{self.query}` gives binary data in its column `{name}`.",
                next_step="Cast it to text in the query.",
            ) from None

    def texts(self, name: str) -> list[str]:
        return self.column(name, text_of, missing="")

    def truths(self, name: str) -> list[bool | None]:
        """True where there is no such column, None where it says neither."""
        unsaid: bool | None = True
        return self.column(name, truth_of, missing=unsaid)


@dataclass(frozen=True, slots=True)
class Assembled:
    projects: Mapping[str, Project]
    retired: tuple[Retirement, ...] = ()
    notes: tuple[str, ...] = ()
    """Faults of rows that belong to no project, or that left something out of one."""
    unkeyed: str = ""
    """Why rows of `projects` could not be aligned; empty when all could."""


def text_of(value: Any) -> str:
    """A column's value as text without the blanks that CHAR columns pad it with; NULL is empty."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8").strip()
    return str(value).strip()


def truth_of(value: Any) -> bool | None:
    """A column's value as a boolean; None when it says neither. Never guessed: it enables people."""
    if isinstance(value, (bytes, bytearray)) and len(value) == 1 and value[0] < 2:
        return bool(value[0])  # MySQL's BIT(1)
    if isinstance(value, (float, Decimal)) and value in (0, 1):
        return bool(value)
    word = text_of(value).casefold()
    if word in _TRUE:
        return True
    return False if word in _FALSE else None


def whole_number_of(value: Any) -> int | None:
    """A column's value as a limit; None when it is none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = int(value)
        is_whole = number == value if not isinstance(value, (str, bytes)) else True
    except (TypeError, ValueError, OverflowError):
        return None
    return number if is_whole and UNLIMITED <= number <= LARGEST_LIMIT else None


def shown(text: str) -> str:
    """A name of the CI database within a message: quoted, on one line, cut."""
    plain = escaped(text)
    return f"“{plain if len(plain) <= 60 else plain[:59] + '…'}”"


def _some(items: Iterable[str]) -> str:
    listed = list(dict.fromkeys(items))
    more = len(listed) - _NAMED_AT_MOST
    return ", ".join(listed[:_NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


# --- one project --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Draft:
    """A project while its rows come together."""

    name: str
    network_domain: str | None
    domain_id: str | None
    enabled: bool | None
    members: list[Member] = field(default_factory=list)
    agents: dict[Agent, None] = field(default_factory=dict)
    quotas: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def finish(self) -> Project:
        usable, unusable = _split_members(self.members)
        problems = [
            *name_problems(self.name),
            *network_domain_problems(self.network_domain or ""),
            *self.problems,
        ]
        if self.enabled is None:
            problems.append("`enabled` is neither true nor false (in the mapping: COALESCE(enabled, …))")
        if unusable and not usable:
            problems.append(f"no member can come with the account: {_some(m.problem for m in unusable)}")
        return Project(
            name=self.name,
            network_domain=self.network_domain,
            enabled=self.enabled is not False,
            domain_id=self.domain_id,
            members=usable,
            unusable=unusable,
            agents=tuple(sorted(self.agents, key=lambda agent: agent.name)),
            quotas=MappingProxyType(self.quotas),
            problem="; ".join(problems),
        )


def name_problems(name: str) -> list[str]:
    """Why CloudStack would refuse this name of a domain (measured on 4.18 and 4.23); empty when not."""
    problems = []
    if len(name) > LONGEST:
        problems.append(f"the name has {len(name)} characters, CloudStack takes {LONGEST}")
    if "/" in name:
        problems.append("the name contains `/`, which separates domains")
    if obeyed := obeyed_words(name):
        problems.append(f"the name contains {obeyed}")
    return problems


def network_domain_problems(network_domain: str) -> list[str]:
    """Why CloudStack would refuse this network domain; empty when it would not, or when there is none."""
    if not network_domain:
        return []
    named = f"`network_domain` is {shown(network_domain)}"
    if len(network_domain) > LONGEST_NETWORK_DOMAIN:
        return [f"{named} of {len(network_domain)} characters, CloudStack takes {LONGEST_NETWORK_DOMAIN}"]
    if all(_LABEL.fullmatch(label) for label in network_domain.split(".")):
        return []
    return [
        f"{named}: CloudStack takes labels with dots between, each of 1 to 63 of a-z, 0-9 and `-`, "
        "with no `-` at its ends"
    ]


def member_problem(username: str, fields: Mapping[str, str], enabled: bool | None) -> str:
    """Why createAccount or createUser would refuse this member, naming member and field; empty when not."""
    values = {"username": username, **fields}
    missing = [f"`{name}`" for name, value in values.items() if not value]
    fault = ""
    if missing:
        fault = f"has no {', '.join(missing)}, which CloudStack requires"
    elif enabled is None:
        fault = "has an `enabled` that is neither true nor false"
    for name, value in values.items():
        if len(value) > LONGEST:
            fault = f"has a `{name}` of {len(value)} characters, CloudStack takes {LONGEST}"
        elif obeyed := obeyed_words(value):
            fault = f"has {obeyed} in `{name}`"
    if not fault:
        return ""
    who = shown(username) if username else f"a member without a username ({shown(fields['email'])})"
    return f"{who} {fault}"


def _split_members(members: list[Member]) -> tuple[tuple[Member, ...], tuple[Member, ...]]:
    """Usable ones, owner first, and those with a problem. Rows that say the same twice count once."""
    by_name: dict[str, list[Member]] = defaultdict(list)
    for member in dict.fromkeys(members):
        by_name[member.username.casefold()].append(member)
    usable: list[Member] = []
    unusable: list[Member] = []
    for username, same in by_name.items():
        if username and len(same) > 1:
            problem = f"{shown(same[0].username)} is a member {len(same)} times with different values"
            unusable.append(replace(same[0], problem=problem))
            continue
        for member in same:
            (unusable if member.problem else usable).append(member)
    return tuple(sorted(usable, key=_owner_first)), tuple(sorted(unusable, key=_owner_first))


def _owner_first(member: Member) -> tuple[bool, str]:
    return member.role.casefold() != "owner", member.username


# --- all of them --------------------------------------------------------------------------------------------


class _Drafts:
    """The projects by name, and the rows that named none of them."""

    def __init__(self, table: QueryRows) -> None:
        self.by_key: dict[str, list[_Draft]] = defaultdict(list)
        self._by_name: dict[str, _Draft] = {}
        self.nameless = 0
        columns = zip(
            table.texts("name"),
            table.texts("network_domain"),
            table.texts("domain_id"),
            table.truths("enabled"),
            strict=True,
        )
        for name, network_domain, domain_id, enabled in columns:
            if not name:
                self.nameless += 1
                continue
            draft = _Draft(name, network_domain or None, domain_id or None, enabled)
            self.by_key[project_key(name)].append(draft)
            self._by_name.setdefault(name, draft)

    def of(self, name: str) -> _Draft | None:
        """The project of a row of another query: of that very name, else of the same key."""
        draft = self._by_name.get(name)
        if draft is None:
            same = self.by_key.get(project_key(name), ())
            draft = same[0] if same else None
        return draft

    def flag_duplicates(self) -> None:
        for same in self.by_key.values():
            if len(same) < 2:
                continue
            names = _some(shown(draft.name) for draft in same)
            why = f"the CI database has {len(same)} projects of this name ({names})"
            if len({draft.name for draft in same}) > 1:
                why += ", and CloudStack does not tell upper from lower case"
            for draft in same:
                draft.problems.append(why)

    def finish(self) -> Mapping[str, Project]:
        self.flag_duplicates()
        finished: dict[str, Project] = {}
        further: list[_Draft] = []
        for key, same in self.by_key.items():
            # Several of the very same name are one row: nothing tells them apart, members go to the first.
            distinct = {draft.name: draft for draft in reversed(same)}
            first, *others = (distinct[name] for name in sorted(distinct))
            finished[key] = first.finish()
            further += others
        for draft in further:
            number = 2
            while (numbered := f"{project_key(draft.name)} ({number})") in finished:
                number += 1
            finished[numbered] = draft.finish()
        return MappingProxyType(finished)


def assemble(tables: Mapping[str, QueryRows]) -> Assembled:
    """Everything that was read as projects. `tables` has `projects` and whichever others were read.

    Raises MappingError for a column that holds binary data.
    """
    drafts = _Drafts(tables["projects"])
    notes: list[str] = []
    for name, add in (("members", _add_member), ("agents", _add_agent), ("quotas", _add_quota)):
        if name in tables:
            notes += _attach(tables[name], drafts, add)
    retired, retired_notes = _retirements(tables.get("retired"))
    projects = drafts.finish()
    unusable = [member.problem for project in projects.values() for member in project.unusable]
    if unusable:
        people = "member" if len(unusable) == 1 else "members"
        notes.append(f"{len(unusable)} {people} left alone: {_some(unusable)}")
    return Assembled(projects, retired, (*notes, *retired_notes), _unkeyed(drafts.nameless))


def _unkeyed(count: int) -> str:
    if not count:
        return ""
    rows = "1 row has" if count == 1 else f"{count} rows have"
    return (
        f"{rows} no name in the query `projects`, so the list of projects is not complete. "
        "Name them in the CI database, or leave them out in the mapping (WHERE name IS NOT NULL)."
    )


_Add = Callable[[_Draft, Mapping[str, Any]], None]


def _attach(table: QueryRows, drafts: _Drafts, add: _Add) -> list[str]:
    """Give every row to its project; a note on those whose project is not there."""
    owners = table.texts("project")
    names = [name for name in table.positions if name not in ("project", "enabled", "maximum")]
    columns: dict[str, Sequence[Any]] = {name: table.texts(name) for name in names}
    for name, convert in (("enabled", truth_of), ("maximum", lambda value: value)):
        if name in table.positions:
            columns[name] = table.column(name, convert, missing=None)
    fields, values = tuple(columns), zip(*columns.values(), strict=True)
    orphans = []
    for owner, row in zip(owners, values, strict=True):
        draft = drafts.of(owner)
        if draft is None:
            orphans.append(shown(owner) if owner else "no project at all")
        else:
            add(draft, dict(zip(fields, row, strict=True)))
    return _orphan_note(table.query, orphans)


def _orphan_note(query: str, orphans: list[str]) -> list[str]:
    if not orphans:
        return []
    rows = "1 row" if len(orphans) == 1 else f"{len(orphans)} rows"
    return [f"{rows} of `{query}` left out: of projects that `projects` does not have ({_some(orphans)})"]


def _add_member(draft: _Draft, row: Mapping[str, Any]) -> None:
    person = {name: row[name] for name in ("email", "firstname", "lastname")}
    enabled = row.get("enabled", True)
    draft.members.append(
        Member(
            username=row["username"],
            **person,
            role=row.get("role", ""),
            enabled=enabled is not False,
            problem=member_problem(row["username"], person, enabled),
        )
    )


def _add_agent(draft: _Draft, row: Mapping[str, Any]) -> None:
    name, machine = row["name"], row.get("vm") or None
    if name or machine:
        draft.agents[Agent(name or machine or "", machine, row.get("address") or None)] = None


def _add_quota(draft: _Draft, row: Mapping[str, Any]) -> None:
    """A quota; a NULL maximum means that the CI database has no opinion on it."""
    resource = "".join(letter for letter in row["resource"].casefold() if letter not in "_- ")
    if resource not in RESOURCE_TYPES:
        named = shown(row["resource"])
        near = nearest(resource, RESOURCE_TYPES, label="The resources are")
        draft.problems.append(
            f"a quota is for {named}, which CloudStack has no limit for. {near.rstrip('.')}"
        )
        return
    if row["maximum"] is None:
        return
    maximum = whole_number_of(row["maximum"])
    if maximum is None:
        draft.problems.append(
            f"the quota of `{resource}` is {shown(text_of(row['maximum']))}: a whole number is needed, "
            f"{UNLIMITED} for no limit"
        )
    elif draft.quotas.setdefault(resource, maximum) != maximum:
        draft.problems.append(f"the quota of `{resource}` is both {draft.quotas[resource]} and {maximum}")


def _retirements(table: QueryRows | None) -> tuple[tuple[Retirement, ...], list[str]]:
    """Retirements, also of projects that are gone from `projects`: that is what becomes of retired ones."""
    if table is None:
        return (), []
    columns = zip(*(table.texts(name) for name in ("project", "by", "at", "reason")), strict=True)
    records = [Retirement(*row) for row in columns]
    nameless = sum(1 for record in records if not record.project)
    notes = [f"{nameless} of `retired` left out: no project"] if nameless else []
    return tuple(record for record in records if record.project), notes
