"""Old ids to new ones after a rebuild, for whoever keeps ids of CloudStack: made, and written safely."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sync import atomic_file
from sync.credentials import Credential, CredentialFile
from sync.errors import unwritable
from sync.identities import MADE_BY, Identity, living, objects_by_name
from sync.model import Action, ActionKind, ActualInventory, DesiredInventory, Drift, Outcome, Plan, id_key
from sync.operations import target_of
from sync.recovery import stale_ids
from sync.schedule import is_in_place

if TYPE_CHECKING:
    from sync.executor import RunReport


def identity_map(
    plan: Plan,
    report: RunReport,
    desired: DesiredInventory,
    *,
    before: ActualInventory | None = None,
    now: ActualInventory | None = None,
) -> tuple[Identity, ...]:
    """What a run made or found there that has another id than before, and no other run's.

    The id of before is that of the capture `before`, and of a domain also that in the CI database or the
    plan: where they differ, each has a row. `now`, read after the run, has the id of the user that came with
    an account.
    """
    known = {} if before is None else objects_by_name(before)
    there = {} if now is None else objects_by_name(now)
    alive = frozenset() if now is None else frozenset(map(id_key, living(now)))
    results = {one.action_id: one for one in report.results if is_in_place(one)}
    rows: list[Identity] = []
    for action in plan.actions:
        result = results.get(action.id)
        if action.kind not in MADE_BY or result is None or result.object_id is None:
            continue
        for what, name, new_id in _made(action, result.object_id, there):
            captured = known.get((what, name.casefold()), ("", "", ""))[1]
            told = _told_ids(action, plan, desired) if what == "domain" else ()
            old_ids = _different((*told, captured), beside=alive | {id_key(new_id)})
            is_new = result.outcome is Outcome.SUCCEEDED or captured != new_id
            if is_new:
                rows += [Identity(what, action.project, name, old_id, new_id) for old_id in old_ids or ("",)]
    return tuple(rows)


def merged(
    earlier: Iterable[Identity], newest: Sequence[Identity], *, now: ActualInventory | None
) -> tuple[Identity, ...]:
    """The maps of earlier runs, oldest first, and of the newest as one: each object with the id of the last
    run that made it, and of what only earlier ones made nothing that is gone again by `now`."""
    alive = None if now is None else frozenset(map(id_key, living(now)))
    remade = {_named(row) for row in newest}
    rows = [*earlier, *newest]
    current = {_named(row): row.new_id for row in rows}
    found: dict[tuple[str, str, str], Identity] = {}
    for row in rows:
        name, new_id = _named(row), current[_named(row)]
        is_there = name in remade or alive is None or id_key(new_id) in alive
        if is_there and id_key(row.old_id) != id_key(new_id):
            found[*name, id_key(row.old_id)] = replace(row, new_id=new_id)
    known = {_named(row) for row in found.values() if row.old_id}
    return tuple(row for row in found.values() if row.old_id or _named(row) not in known)


def _named(row: Identity) -> tuple[str, str]:
    return row.what, row.name.casefold()


def _different(ids: Iterable[str], *, beside: Set[str]) -> tuple[str, ...]:
    """Each id once, as it is spelled first, but for the empty one and those whose keys are `beside`."""
    first: dict[str, str] = {}
    for id in filter(None, ids):
        first.setdefault(id_key(id), id)
    return tuple(id for key, id in first.items() if key not in beside)


def _made(
    action: Action, new_id: str, there: Mapping[tuple[str, str], tuple[str, str, str]]
) -> Iterator[tuple[str, str, str]]:
    """What, natural key, id: of the object, and of the user that came with it."""
    yield MADE_BY[action.kind], action.target, new_id
    if action.kind is ActionKind.CREATE_ACCOUNT:
        name = f"{action.target}:{action.parameters['username']}"
        if found := there.get(("user", name.casefold())):
            yield "user", name, found[1]


def changed_earlier(after: Drift) -> tuple[Identity, ...]:
    """The domains whose stored id is another than they have, whichever run made them."""
    paths = {row.key: row.view.path for row in after.rows if row.view is not None}
    return tuple(
        Identity("domain", one.key, paths.get(one.key, one.project), one.stored, one.current)
        for one in stale_ids(after)
    )


def _told_ids(action: Action, plan: Plan, desired: DesiredInventory) -> Iterator[str]:
    """Of a domain that is made, its ids by the CI database and by the plan that renames the old one."""
    project = desired.projects.get(action.project)
    if project is not None and project.domain_id:
        yield project.domain_id
    for one in plan.actions:
        if one.kind is ActionKind.RENAME_DOMAIN and one.target == action.target and one.target_id:
            yield one.target_id


def new_credentials(plan: Plan, report: RunReport, vault: CredentialFile) -> list[Credential]:
    """The passwords of the users that a run made, and of no others; ConfigurationError from the file."""
    made = {result.action_id for result in report.results if result.outcome is Outcome.SUCCEEDED}
    users = {
        (target_of(action).path, target_of(action).account, action.parameters["username"])
        for action in plan.actions
        if action.kind in (ActionKind.CREATE_ACCOUNT, ActionKind.CREATE_USER) and action.id in made
    }
    return [item for item in vault.credentials() if (item.domain_path, item.account, item.username) in users]


def write(rows: Sequence[Identity], folder: Path, *, name: str = "identity-map") -> tuple[Path, Path]:
    """Write the map as CSV and JSON, each whole or not at all. Raises UsageError, StorageError."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [field.name for field in fields(Identity)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    as_json = json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False) + "\n"
    paths = folder / f"{name}.csv", folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in zip(paths, (text.getvalue(), as_json), strict=True):
            atomic_file.replace(path, content)
    except OSError as error:
        raise unwritable(
            f"The identity map cannot be written to {folder}",
            error,
            next_step="Name another folder; the ledger has all that is in it.",
        ) from None
    return paths


def summary(rows: Iterable[Identity]) -> dict[str, int]:
    """How many new ids of each kind of object; one that has two old ones counts once."""
    return dict(Counter(what for what, _ in dict.fromkeys((row.what, row.new_id) for row in rows)))
