"""Old ids to new ones after a rebuild, for whoever keeps ids of CloudStack: made, and written safely."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from sync import atomic_file
from sync.credentials import Credential, CredentialFile
from sync.errors import UsageError
from sync.identities import MADE_BY, Identity
from sync.model import Action, ActionKind, DesiredInventory, Drift, Outcome, Plan
from sync.operations import target_of
from sync.recovery import stale_ids
from sync.schedule import is_in_place

if TYPE_CHECKING:
    from sync.executor import RunReport


def identity_map(
    plan: Plan, report: RunReport, desired: DesiredInventory, *, after: Drift | None = None
) -> tuple[Identity, ...]:
    """What a run made or found there, with its id of before where the CI database or the plan has it.

    With `after`, the drift read anew, ids that earlier runs changed and nobody has re-linked are in it too.
    """
    new_ids = {
        result.action_id: result.object_id
        for result in report.results
        if result.object_id is not None and is_in_place(result)
    }
    rows = [
        Identity(
            MADE_BY[action.kind],
            action.project,
            action.target,
            _old_id(action, plan, desired),
            new_ids[action.id] or "",
        )
        for action in plan.actions
        if action.kind in MADE_BY and action.id in new_ids
    ]
    if after is not None:
        known = {row.project for row in rows if row.what == "domain"}
        rows += [row for row in changed_earlier(after) if row.project not in known]
    return tuple(rows)


def changed_earlier(after: Drift) -> tuple[Identity, ...]:
    """The domains whose stored id is another than they have, whichever run made them."""
    paths = {row.key: row.view.path for row in after.rows if row.view is not None}
    return tuple(
        Identity("domain", one.key, paths.get(one.key, one.project), one.stored, one.current)
        for one in stale_ids(after)
    )


def _old_id(action: Action, plan: Plan, desired: DesiredInventory) -> str:
    if action.kind is not ActionKind.CREATE_DOMAIN:
        return ""
    project = desired.projects.get(action.project)
    if project is not None and project.domain_id:
        return project.domain_id
    renamed = (
        one.target_id
        for one in plan.actions
        if one.kind is ActionKind.RENAME_DOMAIN and one.target == action.target
    )
    return next(renamed, None) or ""


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
    """Write the map as CSV and JSON, each whole or not at all; UsageError when the folder cannot take it."""
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
        raise UsageError(
            f"The identity map cannot be written to {folder}: {error.strerror}.",
            next_step="Name another folder; the ledger has all that is in it.",
        ) from None
    return paths


def summary(rows: Iterable[Identity]) -> dict[str, int]:
    """How many new ids of each kind of object."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.what] = counts.get(row.what, 0) + 1
    return counts
