"""From actions to a plan: ordered in waves, bound to one server and one hour, sealed by a digest.

Pure. There is no deletion among the actions. What repairs a row is `repairs`, the file is `plan_file`; both
are offered from here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from sync.errors import GuardError, StaleError, UsageError
from sync.model import Action, ActionKind, Plan
from sync.plan_file import check, digest_of, early, from_json, refuse_changed, text_of, to_json
from sync.repairs import PlanRules, is_repairable, repairable, repairs

__all__ = [
    "LIFETIME",
    "PlanRules",
    "build",
    "digest_of",
    "early",
    "from_json",
    "is_repairable",
    "move",
    "refuse_changed",
    "refuse_expired",
    "repairable",
    "repairs",
    "take_out",
    "text_of",
    "to_json",
    "totals",
    "unique",
    "wave_title",
    "waves",
    "with_needs",
    "without_dependents",
]

LIFETIME = timedelta(minutes=60)
"""How long a plan may be applied after it was made."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead the clock of whoever made the plan may be."""

_WAVES: tuple[tuple[str, frozenset[ActionKind]], ...] = (
    ("zones", frozenset({ActionKind.FREEZE_ZONE, ActionKind.THAW_ZONE})),
    ("VMs", frozenset({ActionKind.RECOVER_VM})),
    ("renames", frozenset({ActionKind.RENAME_DOMAIN})),
    ("domains", frozenset({ActionKind.CREATE_DOMAIN, ActionKind.UPDATE_DOMAIN})),
    ("accounts", frozenset({ActionKind.CREATE_ACCOUNT, ActionKind.ENABLE_ACCOUNT})),
    (
        "users",
        frozenset(
            {
                ActionKind.CREATE_USER,
                ActionKind.UPDATE_USER,
                ActionKind.ENABLE_USER,
                ActionKind.DISABLE_USER,
            }
        ),
    ),
    ("limits", frozenset({ActionKind.UPDATE_LIMIT})),
    ("networks", frozenset({ActionKind.CREATE_NETWORK})),
    ("public addresses", frozenset({ActionKind.TAKE_ADDRESS})),
    ("templates", frozenset({ActionKind.REGISTER_TEMPLATE, ActionKind.REGISTER_ISO})),
    ("new VMs", frozenset({ActionKind.DEPLOY_VM})),
)
_STAGES = {kind: stage for stage, (_, kinds) in enumerate(_WAVES) for kind in kinds}

_Rank = tuple[int, int]
"""Stage of the wave, and how deep within it an action needs others of its own stage."""


def build(
    actions: Iterable[Action],
    *,
    environment: str,
    root_id: str,
    endpoint: str,
    author: str,
    now: datetime,
    notes: Iterable[str] = (),
) -> Plan:
    """Order the actions in waves and seal them. The same action given twice is one.

    Raises GuardError when an action needs one that is not there, when two differ under one id, and when it is
    not said which server the plan is for.
    """
    for name, value in (("environment", environment), ("ROOT domain id", root_id), ("endpoint", endpoint)):
        if not value:
            raise GuardError(
                f"A plan without its {name} could be applied anywhere: it is not made.",
                next_step="Read CloudStack first.",
            )
    created_at = now.astimezone(UTC)
    return _sealed(
        Plan(
            environment=environment,
            root_id=root_id,
            endpoint=endpoint,
            author=author,
            created_at=created_at,
            expires_at=created_at + LIFETIME,
            actions=_ordered(unique(actions)),
            digest="",
            notes=tuple(dict.fromkeys(notes)),
        )
    )


def _sealed(plan: Plan) -> Plan:
    check(plan.actions)
    return replace(plan, digest=digest_of(plan))


def unique(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Each action once, in the order given: several rows may ask for the same parent.

    Raises GuardError when two different actions have one id.
    """
    first: dict[str, Action] = {}
    for action in actions:
        if first.setdefault(action.id, action) != action:
            raise GuardError(
                f"Two different actions are called `{action.id}`.",
                next_step="Stage the project again from one reading.",
            )
    return tuple(first.values())


def with_needs(actions: Iterable[Action], chosen: Collection[str]) -> tuple[Action, ...]:
    """Of `actions` those whose id is chosen and everything that they need, in the order given."""
    given = unique(actions)
    by_id = {action.id: action for action in given}
    wanted: set[str] = set()
    waiting = [action_id for action_id in chosen if action_id in by_id]
    while waiting:
        action_id = waiting.pop()
        if action_id not in wanted:
            wanted.add(action_id)
            waiting.extend(need for need in by_id[action_id].needs if need in by_id)
    return tuple(action for action in given if action.id in wanted)


def without_dependents(actions: Sequence[Action], out: Collection[str]) -> tuple[Action, ...]:
    """The actions without those of these ids, and without all that needs them, in whatever order they are."""
    gone = set(out)
    while more := {action.id for action in actions if gone.intersection(action.needs)} - gone:
        gone |= more
    return tuple(action for action in actions if action.id not in gone)


def totals(actions: Iterable[Action]) -> dict[ActionKind, int]:
    """How many actions of each kind, in the order of the kinds; the same action given twice is one."""
    kinds = {action.id: action.kind for action in actions}.values()
    counts = dict.fromkeys(ActionKind, 0)
    for kind in kinds:
        counts[kind] += 1
    return {kind: count for kind, count in counts.items() if count}


# --- order ------------------------------------------------------------------------------------------------


def _ranks(actions: Sequence[Action]) -> dict[str, _Rank]:
    """The wave of each action. Raises GuardError when something needed is not there, or needs itself."""
    ranks: dict[str, _Rank] = {}
    waiting = list(actions)
    while waiting:
        left = []
        for action in waiting:
            if all(need in ranks for need in action.needs):
                after = [(stage, depth + 1) for stage, depth in (ranks[need] for need in action.needs)]
                ranks[action.id] = max([(_STAGES[action.kind], 0), *after])
            else:
                left.append(action)
        if len(left) == len(waiting):
            stuck = left[0]
            need = next(need for need in stuck.needs if need not in ranks)
            raise GuardError(
                f"The action `{stuck.id}` needs `{need}`, which is not staged or comes only after it.",
                next_step="Stage that one too, or leave both out.",
            )
        waiting = left
    return ranks


def _ordered(actions: Sequence[Action]) -> tuple[Action, ...]:
    ranks = _ranks(actions)
    return tuple(sorted(actions, key=lambda action: ranks[action.id]))


def waves(plan: Plan) -> tuple[tuple[Action, ...], ...]:
    """Zones, VMs to recover, renames, domains, accounts, users, limits, networks, addresses, templates, VMs;
    none needs another of its wave."""
    ranks = _ranks(plan.actions)
    ordered = sorted(plan.actions, key=lambda action: ranks[action.id])
    return tuple(tuple(wave) for _, wave in groupby(ordered, key=lambda action: ranks[action.id]))


def wave_title(wave: Sequence[Action]) -> str:
    """What a wave is about, in a word: `domains`, `accounts`, …; empty for an empty one."""
    return _WAVES[max(_STAGES[action.kind] for action in wave)][0] if wave else ""


# --- changing a plan --------------------------------------------------------------------------------------


def take_out(plan: Plan, ids: Collection[str]) -> Plan:
    """The plan without these actions and without all that needs them, under a new digest.

    Raises UsageError for an id that is not in the plan.
    """
    unknown = set(ids) - {action.id for action in plan.actions}
    if unknown:
        raise UsageError(f"The plan has no action `{min(unknown)}`.")
    actions = without_dependents(plan.actions, ids)
    out = {action.id for action in plan.actions} - {action.id for action in actions}
    notes = []
    for action in plan.actions:
        if action.id in ids:
            notes.append(f"taken out: {action.id}")
        elif action.id in out:
            need = next(need for need in action.needs if need in out)
            notes.append(f"taken out: {action.id}, which needs {need}")
    return _sealed(replace(plan, actions=actions, notes=(*plan.notes, *notes)))


def move(plan: Plan, action_id: str, by: int) -> Plan:
    """The plan with one action moved by so many places (negative: earlier), under a new digest.

    Order permits it within a wave: what is in one needs nothing else of it. Raises GuardError beyond that,
    UsageError for an id that is not in the plan.
    """
    ordered = [list(wave) for wave in waves(plan)]
    for wave in ordered:
        place = next((index for index, action in enumerate(wave) if action.id == action_id), None)
        if place is None:
            continue
        if not 0 <= place + by < len(wave):
            raise GuardError(
                f"The action `{action_id}` cannot be moved there: {wave_title(wave)} keep their place among "
                "the waves of the plan."
            )
        wave.insert(place + by, wave.pop(place))
        return _sealed(replace(plan, actions=tuple(action for wave in ordered for action in wave)))
    raise UsageError(f"The plan has no action `{action_id}`.")


def refuse_expired(plan: Plan, now: datetime) -> None:
    """Raises StaleError when the plan is too old to apply, or was made in what is still the future."""
    if now >= plan.expires_at:
        raise StaleError(
            f"The plan expired at {plan.expires_at:%Y-%m-%d %H:%M} UTC.",
            next_step="Make it anew with `abreast plan`: things may have changed since.",
        )
    if now < plan.created_at - CLOCK_TOLERANCE:
        raise StaleError(
            f"The plan was made at {plan.created_at:%Y-%m-%d %H:%M} UTC, which is still to come.",
            next_step="Set the clocks right, then make it anew with `abreast plan`.",
        )
