"""Approvals and blast radius on the command line: approve, and what review and apply show of them."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.idle_options import refuse_idle
from console.cli.output import plain, result, result_json, result_lines, say, say_lines, table
from console.cli.planning import read_plan
from console.session import Session, utc_now
from sync.approval_rules import ApprovalRules
from sync.errors import EXIT_DONE, ConfigurationError, GuardError
from sync.model import JsonObject, Plan
from sync.settings import configuration_path, load

if TYPE_CHECKING:
    from sync.approval import Standing
    from sync.approval_court import Signature
    from sync.radius import Radius


def rules_of(arguments: argparse.Namespace, plan: Plan) -> ApprovalRules | None:
    """The rules of the plan's environment; None where nothing is configured for it on this machine.

    Needs no credentials. Raises GuardError when another environment was named, ConfigurationError.
    """
    refuse_other(plan, arguments.environment)
    if arguments.config is None and not configuration_path().exists():
        return None
    return load(arguments.config).approvals.get(plan.environment)


def refuse_other(plan: Plan, environment: str | None) -> None:
    """Raises GuardError when the plan is for another environment than this one."""
    if environment not in (None, plan.environment):
        raise GuardError(
            f"The plan is for {plan.environment}, this is {environment}.",
            next_step="Name its environment with --environment.",
        )


# --- approve ------------------------------------------------------------------------------------------------


def approve(arguments: argparse.Namespace) -> int:
    """`abreast approve FILE --key KEY`: show a plan's objects, ask, sign. `--print` only writes the text."""
    from console.cli.changing import word_or_digest
    from sync.approval import approve as sign
    from sync.approval import assess
    from sync.plan import refuse_expired

    plan, file = read_plan(arguments.file), arguments.file
    now = utc_now()
    refuse_expired(plan, now)
    rules = rules_of(arguments, plan)
    if arguments.print:
        refuse_idle(arguments, ("confirm",), used=(), here="with --print")
        return _print_command(arguments, plan)
    if arguments.format == "text" or arguments.confirm is None:
        _show_text(plan)
    word_or_digest(plan, word=plan.environment, digest=arguments.confirm, to="sign all of it")
    path, signature = sign(plan, file, arguments.key.expanduser(), rules=rules, now=now)
    standing = assess(plan, file, rules, now=utc_now()) if rules is not None else None
    if arguments.format == "json":
        content = {"signature": str(path), "signed_by": signature.name, "fingerprint": signature.fingerprint}
        result_json({**content, "approvals": standing_json(standing)})
        return EXIT_DONE
    result(f"signed by {signature.name} ({signature.fingerprint}): {path}")
    if standing is None:
        result(f"Nothing is configured here for {plan.environment}: whether it counts shows where it runs.")
    else:
        show_standing(standing)
    return EXIT_DONE


def _show_text(plan: Plan) -> None:
    """What is about to be signed, before it is asked for and ssh-keygen wants a passphrase or a touch."""
    from sync.approval_text import objects_text

    say_lines(objects_text(plan).rstrip("\n"))
    say("")


def _print_command(arguments: argparse.Namespace, plan: Plan) -> int:
    from sync.approval import command_for, write_objects

    text, command = write_objects(plan, arguments.file), command_for(arguments.file)
    if arguments.format == "json":
        result_json({"text": str(text), "command": command})
        return EXIT_DONE
    say(f"Written: {text}. Whoever approves reads it, and signs it in its folder with their own key:")
    result(command)
    return EXIT_DONE


# --- how the approval stands --------------------------------------------------------------------------------


def standing_of(arguments: argparse.Namespace, plan: Plan) -> Standing | str:
    """How the approval stands, or why it cannot be told here: a review needs no configuration."""
    from sync.approval import assess

    try:
        rules = rules_of(arguments, plan)
    except ConfigurationError as error:
        return str(error)
    if rules is None:
        return f"no environment {plan.environment} is configured here, so signatures are not verified"
    return assess(plan, arguments.file, rules, now=utc_now())


def show_standing(standing: Standing | str) -> None:
    """Who signed, what does not count and why, who is missing and what to send them."""
    from sync.approval import what_to_do

    if isinstance(standing, str):
        result(f"approvals: {standing}")
        return
    if not standing.needed:
        result("approvals: none needed")
        return
    grades = ", ".join(f"{count} for {grade.value}" for grade, count in standing.required)
    state = "approved" if standing.is_approved else f"{standing.missing} missing"
    result(f"approvals: {len(standing.people)} of {standing.needed} ({grades or 'no actions'}): {state}")
    if standing.signatures:
        result_lines(
            table(
                [_signature_row(one) for one in standing.signatures],
                header=("signature", "by", "key", "verdict"),
            )
        )
    if standing.missing and standing.problem:
        result(f"{standing.problem}.")
    todo = what_to_do(standing)
    if todo:
        result(todo)


def _signature_row(one: Signature) -> tuple[str, str, str, str]:
    verdict = f"{one.verdict.value}: {one.reason}" if one.reason else one.verdict.value
    return (one.file, ", ".join(one.principals) or "–", one.fingerprint or "–", verdict)


def standing_json(standing: Standing | str | None) -> JsonObject | None:
    from sync.approval import what_to_do

    if standing is None:
        return None
    if isinstance(standing, str):
        return {"unknown": standing}
    return {
        "approved": standing.is_approved,
        "needed": standing.needed,
        "required": {grade.value: count for grade, count in standing.required},
        "people": list(standing.people),
        "missing": standing.missing,
        "may_sign": list(standing.may_sign),
        "problem": standing.problem,
        "signatures": plain(standing.signatures),
        "next": what_to_do(standing),
    }


# --- the blast radius ---------------------------------------------------------------------------------------


def radii_stated(plan: Plan) -> tuple[Radius, ...]:
    """What the plan alone tells of each action's effects. Raises GuardError where it tells nothing."""
    from sync.blast import stated

    return tuple(stated(action) for action in plan.actions)


def radii_fresh(arguments: argparse.Namespace, plan: Plan) -> tuple[Radius, ...]:
    """The radius of each action from both sides, read now, on the server that the plan was made for.

    Raises GuardError when it is another server or a radius cannot be computed, and ConfigurationError.
    """
    from console.cli.reading import read_both
    from sync.blast import of_plan
    from sync.cloudstack.retirement_reading import offerings_about

    refuse_other(plan, arguments.environment)
    session = Session(load(arguments.config).environment(plan.environment))
    try:
        found = session.capabilities()
        if (plan.endpoint, plan.root_id) != (found.endpoint, found.root_id):
            raise GuardError(
                f"The plan was made for {plan.endpoint} with ROOT domain {plan.root_id}; "
                f"this is {found.endpoint} with {found.root_id}: its blast radius there is not known here."
            )
        say("Reading both sides …")
        desired, actual = read_both(session)
        radii = of_plan(
            plan, actual, desired=desired, offerings=offerings_about(session.reader, plan.actions)
        )
        return tuple(map(session.captures.described, radii))
    finally:
        session.close()


def show_radii(plan: Plan, radii: tuple[Radius, ...], file: Path, *, affecting_only: bool = False) -> None:
    """Each action with what it stops or destroys, then every object by name and owner."""
    from sync.blast import loss_lines, merged

    whole = merged(radii, of=plan.digest)
    taken = whole.taken_at
    source = f"from CloudStack as read at {plain(taken)}" if taken else "told from the plan alone"
    if plan.actions:
        result(f"blast radius, {source}: {whole.statement}")
    rows = [(radius.of, radius.statement) for radius in radii if radius.objects or not affecting_only]
    if rows:
        result_lines(table(rows, header=("action", "what it stops or destroys")))
    for line in loss_lines(whole):
        result(f"  {line}")
    for note in whole.notes:
        result(f"  note: {note}")
    if whole.objects and taken is None and not affecting_only:
        result(f"`abreast review {shlex.quote(str(file))} --fresh` computes it from CloudStack.")


def radii_json(plan: Plan, radii: tuple[Radius, ...]) -> JsonObject:
    from sync.blast import merged

    whole = merged(radii, of=plan.digest)
    return {
        "source": "plan" if whole.taken_at is None else "CloudStack",
        "taken_at": plain(whole.taken_at),
        "summary": whole.statement,
        "totals": plain(whole.totals()),
        "notes": list(whole.notes),
        "actions": [_radius_json(radius) for radius in radii],
    }


def _radius_json(radius: Radius) -> JsonObject:
    objects = [{**plain(row), "reversibility": row.reversibility.value} for row in radius.objects]
    return {**plain(radius), "objects": objects}
