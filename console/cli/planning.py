"""Commands that write and show plans: plan, review."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from console.choosing import choose_rows
from console.cli.output import clipped, plain, result, result_json, result_lines, say, table
from console.cli.reading import read_both, refuse_unread
from console.cli.sessions import options_of, session_of
from sync.errors import EXIT_DONE, AbreastError, UsageError
from sync.model import Action, DriftRow, JsonObject, Plan
from widgets.cells import counted

if TYPE_CHECKING:
    from sync.radius import Radius

_NAMED = 3
"""Projects of which an empty plan says why it is empty."""


def plan(arguments: argparse.Namespace) -> int:
    """`abreast plan`: the repairs of the named projects, or of all, as a file to review and apply.

    Writes nothing, and raises IncompleteError where a side was not read completely, GuardError where the
    projects' domains are somewhere else than below the parent.
    """
    from sync import atomic_file
    from sync.plan import to_json
    from sync.recovery import refuse_misplaced

    with session_of(arguments) as session:
        drift = session.compare(*read_both(session))
        rows = choose_rows(drift, arguments.projects)
        refuse_unread(drift, "Nothing is proposed, and no plan is written.")
        refuse_misplaced(drift)
        actions = [action for row in rows for action in session.repairs(row)]
        notes = [f"{row.name}: {part.note}" for row in rows for part in row.parts if part.note]
        notes += [f"{one.project}: {one.what} is hidden by a rule ({one.rule})" for one in drift.hidden]
        made = session.plan(actions, notes=notes)
        if arguments.output is None:
            result_json(to_json(made))
        else:
            text = json.dumps(to_json(made), ensure_ascii=False, indent=2)
            atomic_file.share(arguments.output, f"{text}\n")
            say(f"{counted(len(actions), 'action')} written to {arguments.output}. Digest {made.digest}")
            say(f"Next: {_next(arguments)}")
        if not actions:
            say(_nothing(rows))
        return EXIT_DONE


def _nothing(rows: Sequence[DriftRow]) -> str:
    """Why the plan is empty, project by project where there are few."""
    of = [f"{clipped(row.name)} is {row.kind.value}" for row in rows[:_NAMED]]
    more = f", and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return f"Nothing of it can be repaired: {', '.join(of)}{more}." if rows else "There is nothing to repair."


def _next(arguments: argparse.Namespace) -> str:
    """The command that shows the plan that was written, with the options that this one was given."""
    return shlex.join(["abreast", "review", str(arguments.output), *options_of(arguments)])


def read_plan(path: Path) -> Plan:
    """A plan from its file. Raises UsageError when there is none, GuardError when it was changed."""
    from sync.plan import from_json

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The plan {path} cannot be read: {error.strerror}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UsageError(
            f"{path} is not a plan: it is not JSON.", next_step="`abreast plan -o FILE` writes one."
        ) from None
    return from_json(content)


def review(arguments: argparse.Namespace) -> int:
    """`abreast review`: every action with its reason, its blast radius, and who signed the plan.

    Offline, unless `--fresh` reads both sides for the radius. Raises GuardError, after the plan was shown,
    when the radius cannot be computed.
    """
    from console.cli import approving

    made = read_plan(arguments.file)
    standing = approving.standing_of(arguments, made)
    as_json = arguments.format == "json"
    if not as_json:
        show(made)
        approving.show_standing(standing)
    radii, refusal = _radii(arguments, made)
    if as_json:
        radius = {"refused": str(refusal)} if refusal else approving.radii_json(made, radii)
        approvals = approving.standing_json(standing)
        result_json({**_review_json(made), "approvals": approvals, "blast_radius": radius})
    elif refusal is None:
        approving.show_radii(made, radii, arguments.file)
    if refusal is not None:
        raise refusal
    return EXIT_DONE


def _radii(arguments: argparse.Namespace, made: Plan) -> tuple[tuple[Radius, ...], AbreastError | None]:
    """What each action stops or destroys, or why that cannot be told."""
    from console.cli import approving

    try:
        if arguments.fresh:
            return approving.radii_fresh(arguments, made), None
        return approving.radii_stated(made), None
    except AbreastError as error:
        return (), error


def _review_json(made: Plan) -> JsonObject:
    from sync.plan import to_json, totals

    return {**to_json(made), "totals": plain(totals(made.actions))}


def show(made: Plan) -> None:
    """A plan as text, on stdout."""
    from sync.plan import totals

    result(f"Plan for {made.environment} ({made.endpoint}), by {made.author}")
    result(f"made {plain(made.created_at)}, expires {plain(made.expires_at)}")
    result(f"digest {made.digest}")
    counts = ", ".join(f"{count} × {kind.value}" for kind, count in totals(made.actions).items())
    result(f"{counted(len(made.actions), 'action')}: {counts or 'none'}. None of them deletes anything.")
    if made.actions:
        result("")
        result_lines(
            table(
                map(_action_row, made.actions), header=("action", "target", "change", "reversible", "reason")
            )
        )
    for note in made.notes:
        result(f"left alone: {note}")


def _action_row(action: Action) -> tuple[str, str, str, str, str]:
    from widgets.action_details import change_texts, is_creation

    change = "; ".join(change_texts(action))
    if is_creation(action):
        change = ", ".join(f"{name}={value}" for name, value in action.parameters.items())
    reversible = action.reversibility.value
    if is_creation(action):
        # No undoing deletes what was made.
        reversible += ", by hand"
    return (action.kind.value, action.target, change, reversible, action.reason)
