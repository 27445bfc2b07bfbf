"""`abreast contain` and `abreast shield`: what is being deleted and by whom, and what is done against it."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.containing_text import show_look, show_steps
from console.cli.idle_options import refuse_idle
from console.cli.output import ask, plain, result_json, say, told_last
from console.cli.sessions import session_of
from console.cli.situation import situation_json
from console.cli.stopping import until_told
from console.session import Session
from sync.errors import (
    EXIT_CRITICAL,
    EXIT_DONE,
    EXIT_DRIFT,
    EXIT_UNKNOWN,
    AbreastError,
    GuardError,
    IncompleteError,
    UsageError,
)
from sync.model import JsonObject, Outcome, project_key

if TYPE_CHECKING:
    from sync.brake import Brake, BrakeState
    from sync.contain import Step
    from sync.containment import CallerView, Containment, Look

RUNGS = ("fence", "brake", "shield")
LOOK_SECONDS = 5.0
"""Between two readings while the brake is held."""


@contextmanager
def containment_of(session: Session) -> Iterator[Containment]:
    found = session.containment(is_armed=True)
    try:
        yield found
    finally:
        found.close()


def contain(arguments: argparse.Namespace) -> int:
    """`abreast contain`: looks; with rungs named, confirms and takes them, in the order of the ladder."""
    as_json = arguments.format == "json"
    _refuse_idle(arguments)
    with session_of(arguments) as session, containment_of(session) as containment:
        look = containment.look()
        if not as_json:
            show_look(session.environment, look, brief=arguments.lift_fence is not None)
        if arguments.lift_fence is not None:
            return _lift_fence(session, containment, arguments, look)
        rungs = _rungs(arguments, as_json=as_json, look=look)
        evidence: JsonObject = {}
        unwritten: list[AbreastError] = []
        with told_last(unwritten):
            evidence = _save_evidence(containment, arguments.evidence)
        for error in unwritten:
            say(f"abreast: {error}")  # before anything is confirmed, which it does not keep back
        if rungs:
            code = _take(session, containment, look, rungs, arguments, evidence)
        else:
            code = _verdict(look)
            if as_json:
                result_json(look_json(session, look) | evidence)
        return max(code, *(error.exit_code for error in unwritten), EXIT_DONE)


def _refuse_idle(arguments: argparse.Namespace) -> None:
    """Raises UsageError for options that no rung among those asked for, or to be asked for, takes."""
    options = ("all", *RUNGS, "caller", "hold", "evidence", "reason", "second")
    if arguments.lift_fence is not None:
        refuse_idle(arguments, options, used=("reason", "second"), here="with --lift-fence")
        return
    used = {"all", *RUNGS, "evidence"}
    is_named = arguments.all or arguments.fence or arguments.brake or arguments.shield
    may_be_asked = not is_named and arguments.format == "text" and sys.stdin.isatty()
    if arguments.all or arguments.fence or may_be_asked:
        used.add("caller")
    if arguments.all or arguments.brake or may_be_asked:
        used.add("hold")
    refuse_idle(arguments, options, used=used, here="without the rung that it is for")


def _rungs(arguments: argparse.Namespace, *, as_json: bool, look: Look) -> tuple[str, ...]:
    named = tuple(rung for rung in RUNGS if arguments.all or getattr(arguments, rung))
    if named or as_json or not look.situation.is_happening or not sys.stdin.isatty():
        return named
    typed = ask("Which rungs to take now (fence brake shield, or all; nothing leaves everything as it is):")
    words = typed.casefold().replace(",", " ").split()
    return RUNGS if "all" in words else tuple(rung for rung in RUNGS if rung in words)


def _verdict(look: Look) -> int:
    from sync.deletions import Stage

    if look.situation.is_happening or look.fences.lost:
        return EXIT_CRITICAL
    if look.situation.problems:
        return EXIT_UNKNOWN
    return EXIT_DRIFT if look.situation.of(Stage.HALF_DONE, Stage.ORPHANED) else EXIT_DONE


# --- taking the rungs ---------------------------------------------------------------------------------------


def _take(
    session: Session,
    containment: Containment,
    look: Look,
    rungs: Sequence[str],
    arguments: argparse.Namespace,
    evidence: JsonObject,
) -> int:
    chosen = _chosen_callers(look, arguments.caller) if "fence" in rungs else ()
    possible, refused = _possible(look, rungs, chosen)
    for why in refused:
        say(f"abreast: {why}")
    if not possible:
        raise GuardError("None of the rungs that were asked for can be taken here: nothing was done.")
    containment.refuse_strangers()
    confirm_word(session, _announced(look, possible, chosen), arguments.confirm)
    steps: list[Step] = []
    with until_told() as stop, ExitStack() as held:
        try:
            if "fence" in possible:
                containment.fence_callers(chosen, on_step=steps.append)
            brakes = _start_brakes(containment, look, held) if "brake" in possible else ()
            if "shield" in possible:
                containment.shield(look.shields.candidates, stop=stop, on_step=steps.append)
        finally:
            # Also of a rung that broke in the middle: what was done is done.
            show_steps(steps)
        after = _hold(containment, brakes, stop, seconds=arguments.hold) if brakes else containment.look()
    if arguments.format == "json":
        document = look_json(session, after) | evidence | {"steps": plain(steps), "refused": list(refused)}
        document["brakes"] = [_brake_json(brake) for brake in brakes]
        result_json(document)
    else:
        show_look(session.environment, after, brief=True)
    lost = any(brake.losses for brake in brakes)
    is_less = bool(refused) or any(not brake.was_held for brake in brakes)
    return max(exit_code(steps), EXIT_UNKNOWN if lost else EXIT_DONE, EXIT_DRIFT if is_less else EXIT_DONE)


def _possible(
    look: Look, rungs: Sequence[str], chosen: Sequence[CallerView]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The rungs that can be taken, and why the others cannot."""
    names = {"fence": "fence the caller", "brake": "brake", "shield": "shield"}
    by_name = {rung.name: rung for rung in look.ladder}
    possible: list[str] = []
    refused: list[str] = []
    for rung in rungs:
        why_not = by_name[names[rung]].why_not
        if not why_not and rung == "fence" and not chosen:
            why_not = "nobody can be fenced without being named: see `who` and use --caller"
        if why_not:
            refused.append(f"{rung}: {why_not}")
        else:
            possible.append(rung)
    return tuple(possible), tuple(refused)


def _chosen_callers(look: Look, named: Sequence[str]) -> tuple[CallerView, ...]:
    """The callers that were named; without names those on whom events and jobs agree.

    Raises UsageError for a name that is none of them, GuardError for one that must not be fenced.
    """
    if not named:
        return tuple(view for view in look.callers if not view.caller.ask and view.may_be_fenced)
    chosen = []
    for name in named:
        matching = [view for view in look.callers if name in _names_of(view)]
        if len(matching) != 1:
            known = ", ".join(view.caller.label for view in look.callers) or "nobody"
            how = "Several callers go" if matching else "No caller goes"
            raise UsageError(
                f"{how} by {name!r}: {known}.", next_step="Name it as ACCOUNT/USER, or by its id."
            )
        if matching[0].refusal:
            raise GuardError(f"{matching[0].caller.label} is not fenced: {matching[0].refusal}")
        chosen.append(matching[0])
    return tuple(chosen)


def _names_of(view: CallerView) -> set[str]:
    caller = view.caller
    return {caller.username, f"{caller.account}/{caller.username}", caller.user_id} - {""}


def _announced(look: Look, possible: Sequence[str], chosen: Sequence[CallerView]) -> list[str]:
    said = []
    if "fence" in possible:
        for view in chosen:
            said.append(
                f"fence {view.caller.label} by {view.methods[0].value if view.methods else 'nothing'}"
            )
    if "brake" in possible:
        said.append("hold the database lock of deleteDomain until told otherwise (ctrl+c)")
    if "shield" in possible:
        said.append(f"put delete protection on one VM in each of {len(look.shields.candidates)} domains")
    return said


def confirm_word(session: Session, said: Sequence[str], given: str | None) -> None:
    """The environment's name, typed or given with --confirm. Raises GuardError without it."""
    word = session.environment.name
    say(f"In {session.environment.title or word.upper()}:")
    for line in said:
        say(f"  {line}")
    if given is None:
        given = ask(f"Type {word} to do this, anything else to leave:")
    if given != word:
        raise GuardError("Not confirmed: nothing was done.")


def exit_code(steps: Sequence[Step]) -> int:
    """0 when everything is done; 1 when something failed, 3 when something is unknown."""
    from sync.contain import last_of

    outcomes = {step.outcome for step in last_of(steps)}
    if Outcome.UNKNOWN in outcomes:
        return EXIT_UNKNOWN
    return EXIT_DRIFT if outcomes & {Outcome.FAILED, Outcome.NOT_RUN} else EXIT_DONE


# --- the brake ----------------------------------------------------------------------------------------------


def _start_brakes(containment: Containment, look: Look, held: ExitStack) -> tuple[Brake, ...]:
    """Ask for the locks; `held` gives them back, whatever becomes of the rungs after this one."""
    from sync.brake import BrakeState

    def tell(_lock: str, state: BrakeState, text: str) -> None:
        bell = "\a" if state in (BrakeState.LOST, BrakeState.REFUSED) else ""
        sys.stderr.write(bell)
        say(f"brake: {state.value}. {text}")

    brakes = containment.brakes(look.release, on_change=tell)
    for brake in brakes:
        held.callback(brake.release)
        brake.start()
    return brakes


def _hold(
    containment: Containment, brakes: Sequence[Brake], stop: threading.Event, *, seconds: float | None
) -> Look:
    """Hold until told, or for so long; says when what is submitted changes. Then give the lock back."""
    from sync.deletion_text import situation_text

    waited, said = 0.0, ""
    try:
        while not stop.is_set() and (seconds is None or waited < seconds):
            look = containment.look()
            found = situation_text(look.situation)
            if found != said:
                said = found
                say(f"{_clock(look.situation.taken_at)} {said}")
            step = LOOK_SECONDS if seconds is None else min(LOOK_SECONDS, seconds - waited)
            stop.wait(step)
            waited += step
    finally:
        for brake in brakes:
            brake.release()
    return containment.look()


def _clock(at: datetime) -> str:
    return at.astimezone().strftime("%H:%M:%S")


def _brake_json(brake: Brake) -> JsonObject:
    return {
        "lock": brake.lock,
        "state": brake.state.value,
        "text": brake.text,
        "losses": brake.losses,
        "refusal": brake.refusal,
    }


# --- lifting a fence, evidence ------------------------------------------------------------------------------


def _lift_fence(session: Session, containment: Containment, arguments: argparse.Namespace, look: Look) -> int:
    """Undo what was fenced: after a reading that shows every stored id alive, or by two names."""
    from sync.lifting import refuse_alone

    name = arguments.lift_fence
    meant = [one for one in look.fences_standing if name in one.names]
    if len({one.target_id for one in meant}) != 1:
        known = ", ".join(sorted({one.target for one in look.fences_standing})) or "none"
        how = "fences on several that go by" if meant else "no fence on"
        raise UsageError(
            f"The journal has {how} {name!r}; it has: {known}.",
            next_step="Name it as USER, as ACCOUNT/USER, or by its id.",
        )
    if not arguments.reason:
        raise UsageError("Lifting a fence needs a reason.", next_step="Say it with --reason TEXT.")
    containment.refuse_strangers()
    why_keep = session.why_keep_fence()
    second = arguments.second or ""
    refuse_alone(why_keep, session.operator, second)
    said = [f"{one.action}: lifted, because {arguments.reason}" for one in meant]
    confirm_word(session, ([why_keep] if why_keep else []) + said, arguments.confirm)
    actions = {one.action for one in meant}
    steps = containment.lift_fences(
        lambda one: one.action in actions, reason=arguments.reason, why_keep=why_keep, second=second
    )
    show_steps(steps)
    if arguments.format == "json":
        result_json({"environment": session.environment.name, "steps": plain(steps)})
    return exit_code(steps)


def _save_evidence(containment: Containment, file: Path | None) -> JsonObject:
    if file is None:
        return {}
    saved = containment.save_evidence(file)
    for name, words in saved.items():
        say(f"evidence: {name} {words}")
    say(f"evidence: written to {file}, readable by you only.")
    return {"evidence": {"file": str(file), "lists": saved}}


# --- shield -------------------------------------------------------------------------------------------------


def shield(arguments: argparse.Namespace) -> int:
    """`abreast shield`: a tripwire in every domain that can have one; --lift takes exactly those down."""
    keys = frozenset(project_key(name) for name in arguments.projects)
    with session_of(arguments) as session, containment_of(session) as containment:
        look = containment.look(projects=keys)
        for note in look.notes:
            say(f"abreast: {note}")
        if arguments.lift:
            return _lift_shields(session, containment, arguments, look)
        if look.shield_why_not:
            _report_shield(session, look, (), arguments)
            if look.situation.is_unread:
                raise IncompleteError(look.shield_why_not)
            raise GuardError(look.shield_why_not)
        if keys:
            _refuse_unknown(look, keys)
        steps: tuple[Step, ...] = ()
        if look.shields.candidates:
            count = len(look.shields.candidates)
            said = [f"put delete protection on one VM in each of {count} domains"]
            containment.refuse_strangers()
            confirm_word(session, said, arguments.confirm)
            with until_told() as stop:
                steps = containment.shield(look.shields.candidates, stop=stop)
        _report_shield(session, look, steps, arguments)
        return max(exit_code(steps), EXIT_DRIFT if look.shields.unshielded else EXIT_DONE)


def _refuse_unknown(look: Look, keys: frozenset[str]) -> None:
    choice = look.shields
    paths = [*choice.standing, *(one.path for one in choice.candidates)]
    paths += [one.path for one in choice.unshielded]
    seen = {project_key(part) for path in paths for part in path.split("/")}
    unknown = sorted(keys - seen)
    if unknown:
        raise UsageError(f"CloudStack has no domain of {', '.join(unknown)}.")


def _lift_shields(
    session: Session, containment: Containment, arguments: argparse.Namespace, look: Look
) -> int:
    keys = {project_key(name) for name in arguments.projects}
    parent = f"{session.environment.parent.casefold()}/"
    meant = {
        one.action
        for one in look.shields_standing
        if not keys or project_key(one.target.casefold().removeprefix(parent).partition("/")[0]) in keys
    }
    steps: tuple[Step, ...] = ()
    if meant:
        containment.refuse_strangers()
        confirm_word(session, [f"lift {len(meant)} shields that abreast has set"], arguments.confirm)
        with until_told() as stop:
            steps = containment.lift_shields(lambda one: one.action in meant, stop=stop)
    if arguments.format == "json":
        result_json({"environment": session.environment.name, "lifted": plain(steps)})
    else:
        say("" if steps else "abreast has set no shield that still stands.")
        show_steps(steps)
    return exit_code(steps)


def _report_shield(
    session: Session, look: Look, steps: Sequence[Step], arguments: argparse.Namespace
) -> None:
    from console.cli.containing_text import show_shields

    if arguments.format == "json":
        result_json(
            {
                "environment": session.environment.name,
                "claimed": not look.shield_why_not,
                "why_not": look.shield_why_not,
                "shielded": plain(steps),
                "had_one": list(look.shields.standing),
                "lost": plain(look.shields_lost),
                "unshielded": plain(look.shields.unshielded),
            }
        )
        return
    show_shields(look, steps)


# --- as JSON ------------------------------------------------------------------------------------------------


def look_json(session: Session, look: Look) -> JsonObject:
    """Everything that was seen, for other programs."""
    return {
        "environment": session.environment.name,
        "release": look.release,
        **situation_json(look.situation),
        "callers": [
            plain(view.caller)
            | {
                "refusal": view.refusal,
                "methods": [method.value for method in view.methods],
                "other_calls": [
                    {"type": type_, "times": times, "last": plain(last)}
                    for type_, times, last in view.other_calls
                ],
            }
            for view in look.callers
        ],
        "ladder": plain(look.ladder),
        "shields": {
            "why_not": look.shield_why_not,
            "possible": [{"path": one.path, "vm": one.vm.name} for one in look.shields.candidates],
            "standing": list(look.shields.standing),
            "unshielded": plain(look.shields.unshielded),
            "lost": plain(look.shields_lost),
        },
        "fences": plain(look.fences_standing),
        "fenced": plain(look.fences.callers),
        "notes": list(look.notes),
    }
