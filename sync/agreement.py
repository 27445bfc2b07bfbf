"""Whether a side agrees with the readings before it: what each list held, what has gone since, how much.

Pure. A side that has lost more than 5 % of a list, and at least 3 of it, has shrunk, until what went is back
or a person accepts it with a reason. What follows differs by side:

- the CI database shrank (restored from an old backup, filtered, emptied): its reading is PARTIAL. What it
  lost would be "unexpected" in CloudStack, and that is what deletions begin with;
- CloudStack shrank: that is the incident itself, and the reading stays COMPLETE, marked as shrunk. Creating
  what is missing is no more dangerous for it (names are unique, every precondition is read again), and were
  it "unknown", nothing could be rebuilt. It is critical, and no deletion may be based on it.

Losses are summed up over a day: a deletion takes one domain after another, so that no single reading shrinks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sync.model import (
    ActualInventory,
    Coverage,
    CoverageState,
    DesiredInventory,
    JsonObject,
    Shrinkage,
    Side,
    project_key,
)

SHARE = 0.05
"""More than this share of a list,"""
LEAST = 3
"""and at least so many of it, are not lost by chance."""
KEPT = timedelta(hours=24)
"""How long what went is remembered, while it is not enough to call the side shrunk."""
LATE = timedelta(minutes=10)
"""A reading that is this much older than the last one was slow; if it is older still, a clock was wrong."""
NAMED = 5

Lists = Mapping[str, frozenset[str]]
"""Name of a list, in the plural → keys of what is in it."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """One list as far as earlier readings know it."""

    present: frozenset[str] = frozenset()
    gone: Mapping[str, datetime] = field(default_factory=dict)
    """What went → when it was last seen."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a side there was."""

    seen_at: datetime
    """When it was last read completely."""
    lists: Mapping[str, Remembered] = field(default_factory=dict)


def lists_of(reading: DesiredInventory | ActualInventory) -> Lists:
    """What must not get less unnoticed."""
    if isinstance(reading, DesiredInventory):
        people = (
            f"{key}/{member.username.casefold()}"
            for key, project in reading.projects.items()
            for member in (*project.members, *project.unusable)
        )
        return {"projects": frozenset(reading.projects), "members": frozenset(people)}
    paths = {domain.id: domain.path.casefold() for domain in reading.domains}
    return {
        "domains": frozenset(paths.values()),
        "accounts": frozenset(
            f"{paths[account.domain_id]}:{account.name.casefold()}"
            for account in reading.accounts
            if account.domain_id in paths
        ),
    }


def first_extent(lists: Lists, at: datetime) -> Extent:
    return Extent(at, {name: Remembered(keys) for name, keys in lists.items()})


def compared(extent: Extent, lists: Lists, at: datetime) -> tuple[Extent, tuple[Shrinkage, ...]]:
    """What is to be remembered after a complete reading, and the lists that have shrunk by it.

    While a side is shrunk nothing new in it is remembered: it may be another database altogether.
    """
    judged = {
        name: _compare(extent.lists.get(name, Remembered()), lists.get(name, frozenset()), extent.seen_at)
        for name in {**extent.lists, **lists}
    }
    shrunk = tuple(found for name, one in judged.items() if (found := _shrinkage(name, one)) is not None)
    late = timedelta(0) < extent.seen_at - at < LATE
    if late:
        return extent, shrunk
    kept = {
        name: one if shrunk else _settled(one, lists.get(name, frozenset()), at)
        for name, one in judged.items()
    }
    return Extent(at, kept), shrunk


def _compare(before: Remembered, now: frozenset[str], seen_at: datetime) -> Remembered:
    gone = {key: at for key, at in before.gone.items() if key not in now}
    gone |= dict.fromkeys(before.present - now, seen_at)
    back = before.gone.keys() & now
    return Remembered((before.present & now) | back, gone)


def _settled(one: Remembered, now: frozenset[str], at: datetime) -> Remembered:
    return Remembered(now, {key: last for key, last in one.gone.items() if at - last <= KEPT})


def _shrinkage(name: str, one: Remembered) -> Shrinkage | None:
    lost, of = len(one.gone), len(one.gone) + len(one.present)
    if lost < LEAST or lost <= SHARE * of:
        return None
    return Shrinkage(name, lost, of, min(one.gone.values()), tuple(sorted(one.gone)[:NAMED]))


def let_go(extent: Extent, lists: Lists) -> Extent:
    """What is to be remembered when these went on purpose: a person confirmed each of them."""
    kept = {
        name: Remembered(
            one.present - lists.get(name, frozenset()),
            {key: at for key, at in one.gone.items() if key not in lists.get(name, frozenset())},
        )
        for name, one in extent.lists.items()
    }
    return Extent(extent.seen_at, kept)


# --- what is said of a side ---------------------------------------------------------------------------------


def marked(coverage: Coverage, side: Side, shrunk: tuple[Shrinkage, ...], *, environment: str) -> Coverage:
    """The coverage of a complete reading after the comparison with those before it."""
    if not shrunk:
        return replace(coverage, agreed=True)
    state = CoverageState.PARTIAL if side is Side.DESIRED else coverage.state
    words = " and ".join(f"{one.words} ({_names(one)})" for one in shrunk)
    why = f"It has shrunk: {words}. If that is right: {accept_command(side, environment)}."
    return replace(coverage, state=state, why=_joined(why, coverage.why), shrunk=shrunk, agreed=False)


def doubt_at_first(desired: DesiredInventory, actual: ActualInventory, *, environment: str) -> str:
    """Why the first reading of a CI database may be a part of it only; empty when nothing says so.

    There is nothing yet that it could have shrunk from but CloudStack itself, where half of all domains, and
    at least three of them, are too many to be unexpected. An empty CI database beside any domain is never
    believed.
    """
    depth = desired.scope.parent.count("/") + 1
    names = {project_key(domain.name) for domain in actual.domains if domain.path.count("/") == depth}
    unknown = names - desired.projects.keys()
    is_empty = bool(names) and not desired.projects
    if not is_empty and (len(unknown) < LEAST or 2 * len(unknown) <= len(names)):
        return ""
    has = "no project" if is_empty else f"{len(names) - len(unknown)} of them"
    return (
        f"CloudStack has {len(names)} domains below {desired.scope.parent}, the CI database knows {has}, and "
        "no earlier reading tells whether that is all: it may be empty, filtered or another one. If it is "
        f"right: {accept_command(Side.DESIRED, environment)}."
    )


def doubted(coverage: Coverage, why: str) -> Coverage:
    """The coverage of a first reading that is not believed."""
    return replace(coverage, state=CoverageState.PARTIAL, why=_joined(why, coverage.why), is_doubted=True)


def accept_command(side: Side, environment: str) -> str:
    return f"`abreast ledger accept {side.name.lower()} --environment {environment} --reason …`"


def _names(one: Shrinkage) -> str:
    more = one.lost - len(one.names)
    return ", ".join(one.names) + (f" and {more} more" if more else "")


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


# --- as it is kept ------------------------------------------------------------------------------------------


def to_json(extent: Extent) -> JsonObject:
    return {
        name: {
            "present": sorted(one.present),
            "gone": {key: at.isoformat() for key, at in sorted(one.gone.items())},
        }
        for name, one in extent.lists.items()
    }


def from_json(seen_at: datetime, content: JsonObject) -> Extent:
    return Extent(seen_at, dict(_lists(content)))


def _lists(content: JsonObject) -> Iterator[tuple[str, Remembered]]:
    for name, one in content.items():
        gone = {key: datetime.fromisoformat(at) for key, at in one["gone"].items()}
        yield name, Remembered(frozenset(one["present"]), gone)
