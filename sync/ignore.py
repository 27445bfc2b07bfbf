"""Rules by which drift that is known and accepted is hidden: whose rule, why, and until when.

Pure. Noise is what makes people stop looking, and a rule that hides too much is what makes them miss it. So
only what is unexpected or differs can be hidden, never what is missing, hollow, orphaned, being deleted or
unknown; what is hidden is counted and said; a rule that has expired or is malformed hides nothing and says
so. Nothing is proposed for what is hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from sync.model import Drift, DriftKind, DriftRow, Hidden, Part
from sync.parts import kind_of

KINDS: Mapping[str, DriftKind] = {kind.value: kind for kind in (DriftKind.UNEXPECTED, DriftKind.DIFFERS)}
"""What a rule may name; as a row's kind `unexpected`, as a part's either."""
KEYS = ("project", "kind", "field", "owner", "reason", "expires")
REQUIRED = ("project", "kind", "owner", "reason", "expires")


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    project: str
    """Pattern (`*`, `?`, `[…]`) of the project's or domain's name; upper and lower case are one."""
    kind: DriftKind
    owner: str
    """Who answers for it."""
    reason: str
    expires: date
    """The last day on which it holds, UTC."""
    field: str = ""
    """Pattern of what differs, as the drift names it: `limit vm`, `user jmartin email`, `network domain`.
    Empty: the domain itself, where it is unexpected, else everything that differs."""

    def hides(self, project: str, what: str, kind: DriftKind) -> Hidden:
        return Hidden(project, what, kind, self.words, self.owner, self.reason, self.expires)

    @property
    def words(self) -> str:
        about = f"{self.kind.value} {self.project}" + (f" ({self.field})" if self.field else "")
        return f"{about}, by {self.owner} until {self.expires}: {self.reason}"


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    rules: tuple[IgnoreRule, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong with others, which hide nothing."""


def parse(tables: Iterable[Any]) -> IgnoreRules:
    """The rules of a configuration. A malformed one is no error: it becomes a problem that is always said."""
    rules: list[IgnoreRule] = []
    problems: list[str] = []
    for number, table in enumerate(tables, start=1):
        found = _rule(table)
        if isinstance(found, IgnoreRule):
            rules.append(found)
        else:
            problems.append(f"The ignore rule {number} hides nothing: {found}.")
    return IgnoreRules(tuple(rules), tuple(problems))


def _rule(table: Any) -> IgnoreRule | str:
    """One rule, or what is wrong with it."""
    if not isinstance(table, Mapping):
        return "it is no table"
    unknown = sorted(set(table) - set(KEYS))
    if unknown:
        return f"it has `{unknown[0]}`, which no rule has; there are {', '.join(KEYS)}"
    texts = {name: table.get(name, "") for name in KEYS if name != "expires"}
    for name, value in texts.items():
        if not isinstance(value, str):
            return f"its `{name}` is no text"
    missing = [name for name in REQUIRED if name != "expires" and not texts[name].strip()]
    missing += [] if "expires" in table else ["expires"]
    if missing:
        return f"it has no {' and no '.join(missing)}"
    kind = KINDS.get(texts["kind"].strip().casefold())
    if kind is None:
        return f"its kind is {texts['kind']!r}, and only {' and '.join(KINDS)} can be hidden"
    expires = _day(table["expires"])
    if expires is None:
        return f"its `expires` is {table['expires']!r} and no date such as 2027-01-31"
    plain = {name: texts[name].strip() for name in ("project", "field", "owner", "reason")}
    return IgnoreRule(kind=kind, expires=expires, **plain)


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


# --- hiding -------------------------------------------------------------------------------------------------


def hide(drift: Drift, rules: IgnoreRules, *, now: datetime) -> Drift:
    """The drift without what the rules hide, which it counts. `now` has a time zone."""
    today = now.date()
    valid = tuple(rule for rule in rules.rules if today <= rule.expires)
    problems = rules.problems + tuple(
        f"An ignore rule has expired and hides nothing any more: {rule.words}."
        for rule in rules.rules
        if rule not in valid
    )
    if not valid:
        return replace(drift, rule_problems=problems) if problems else drift
    rows: list[DriftRow] = []
    hidden: list[Hidden] = []
    for row in drift.rows:
        kept, found = _row(row, valid)
        hidden += found
        if kept is not None:
            rows.append(kept)
    if not hidden:
        return replace(drift, rule_problems=problems)
    rows.sort(key=lambda row: (row.kind.rank, row.key))
    return replace(drift, rows=tuple(rows), hidden=tuple(hidden), rule_problems=problems)


def _row(row: DriftRow, rules: tuple[IgnoreRule, ...]) -> tuple[DriftRow | None, list[Hidden]]:
    """What is left of a row, and what was hidden of it."""
    mine = [rule for rule in rules if fnmatchcase(row.name.casefold(), rule.project.casefold())]
    if not mine or row.kind not in (DriftKind.UNEXPECTED, DriftKind.DIFFERS):
        return row, []
    if row.kind is DriftKind.UNEXPECTED:
        for rule in mine:
            if rule.kind is DriftKind.UNEXPECTED and not rule.field:
                return None, [rule.hides(row.name, "the domain", row.kind)]
        return row, []
    hidden, parts = [], []
    for part in row.parts:
        by = next(_hiding(part, mine), None)
        if by is None:
            parts.append(part)
        else:
            hidden.append(by.hides(row.name, words_of(part), part.kind))
    if not hidden:
        return row, []
    kind = kind_of(parts)
    left = [part for part in parts if part.kind is not DriftKind.IN_SYNC and not part.is_loss]
    if left:
        reason = (
            f"{len(left)} more, besides {len(hidden)} hidden by rules: {', '.join(map(words_of, left[:3]))}."
        )
    else:
        reason = f"In sync but for what rules hide: {', '.join(one.what for one in hidden)}."
    return replace(row, kind=kind, parts=tuple(parts), reason=reason), hidden


def _hiding(part: Part, rules: list[IgnoreRule]) -> Iterator[IgnoreRule]:
    """The rules that hide a part of a row that differs."""
    if part.is_loss or part.kind not in KINDS.values():
        return
    for rule in rules:
        pattern = rule.field.casefold() or ("*" if rule.kind is DriftKind.DIFFERS else "")
        if rule.kind is part.kind and pattern and fnmatchcase(words_of(part).casefold(), pattern):
            yield rule


def words_of(part: Part) -> str:
    """A part as a rule's `field` names it: `limit vm`, `user jmartin email`, `network domain`."""
    field = part.field if part.subject.value in ("user", "account") else ""
    return " ".join(filter(None, (part.subject.value, part.name, field)))
