"""What the Contain screen says: the rungs as they stand, who deletes, all there is on one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from console.containing_state import BrakeView, ContainState, must_choose, sure_callers
from sync.brake import BrakeState
from sync.deletions import Deletion, Stage
from sync.fence_check import Hold
from widgets.cells import counted
from widgets.deletion_list import stage_word
from widgets.details import deletion_words
from widgets.header import clock_time
from widgets.ladder import RungView, Standing
from widgets.lines import Line, wrap

if TYPE_CHECKING:
    from sync.contain import Rung
    from sync.containment import CallerView, Look
    from sync.fence_check import Fenced

NAMES = ("stop the job itself", "fence the caller", "brake", "shield", "the running deletion")
"""The rungs in the order of `sync.contain.ladder`, in the screen's words."""
IDS = ("", "fence", "brake", "shield", "")
"""The command that takes each; the brake has another one while it is held."""


# --- the ladder ---------------------------------------------------------------------------------------------


def rung_views(
    state: ContainState, *, may_take: bool, read_only: str, key: Callable[[str], str]
) -> tuple[RungView, ...]:
    """The five rungs. `read_only` says why none is taken, where the console may not; `key` is that of a
    command."""
    look = state.look
    if look is None:
        return ()
    stands = (
        _source_rung(look.ladder[0]),
        _fence_rung(look, read_only, past=state.is_past),
        _brake_rung(look.ladder[2], state.brakes, read_only),
        _shield_rung(look, read_only),
        _running_rung(look, past=state.is_past),
    )
    ids = ["release-brake" if id == "brake" and state.is_braking else id for id in IDS]
    return tuple(
        RungView(name, key(id) if id and (may_take or id == "release-brake") else "", standing, words)
        for name, id, (standing, words) in zip(NAMES, ids, stands, strict=True)
    )


def _source_rung(rung: Rung) -> tuple[Standing, str]:
    if rung.why_not:
        return Standing.PERSON, f"a person does it now. {rung.why_not}"
    return Standing.PERSON, f"a person does it now: {rung.text[0][0]}"


def _fence_rung(look: Look, read_only: str, *, past: bool) -> tuple[Standing, str]:
    if look.fences.callers:
        return _fenced_rung(look)
    if not look.callers:
        if look.situation.is_unread:
            return Standing.IDLE, "who deletes is not known: CloudStack could not be read"
        return Standing.IDLE, f"nobody {'deleted' if past else 'deletes'}, by the events and the jobs"
    if read_only:
        return Standing.CLOSED, read_only
    if look.ladder[1].why_not:
        return Standing.CLOSED, look.ladder[1].why_not
    able = [view for view in look.callers if view.may_be_fenced]
    if must_choose(look.callers):
        return Standing.OPEN, f"possible; {counted(len(look.callers), 'caller')}: you say who"
    return Standing.OPEN, f"possible: {_name(able[0].caller.label)} by {able[0].methods[0].value}"


def _fenced_rung(look: Look) -> tuple[Standing, str]:
    """What was fenced, as it is read now: the worst of them speaks."""
    fenced = look.fences
    if fenced.lost:
        more = f"; {len(fenced.lost) - 1} more" if len(fenced.lost) > 1 else ""
        return Standing.LOST, f"{fence_words(fenced.lost[0])}: {_again(look)}{more}"
    known = {one.target_id for one in fenced.callers}
    rest = [view for view in look.callers if view.caller.user_id not in known]
    more = f"; {counted(len(rest), 'caller')} not" if any(_is_at_work(view) for view in rest) else ""
    names = ", ".join(sorted(_name(one.target) for one in fenced.callers))
    if fenced.unread:
        why = fenced.unread[0].why
        return Standing.OPEN, f"fenced: {names}; whether it holds is NOT KNOWN{more}: {why}"
    return Standing.TAKEN, f"fenced: {names}{more}"


def fence_words(one: Fenced) -> str:
    """A fence that holds no more, in few words."""
    if one.hold is Hold.GONE:
        return f"fence GONE, {_name(one.target)} has access again"
    return f"fence PASSED by {_name(one.target)}"


def _again(look: Look) -> str:
    """What to do about it."""
    if look.ladder[1].why_not:
        return look.ladder[1].why_not
    return "fence anew"


def _is_at_work(view: CallerView) -> bool:
    return view.caller.open_deletions > 0


def _name(target: str) -> str:
    return target.partition(" in ")[0]


def _brake_rung(rung: Rung, brakes: Sequence[BrakeView], read_only: str) -> tuple[Standing, str]:
    engaged = [brake for brake in brakes if brake.is_engaged]
    lost = [brake for brake in engaged if brake.state is BrakeState.LOST]
    if lost:
        return Standing.LOST, f"LOST since {_since(lost[0])}; asked for again"
    refused = [brake for brake in engaged if brake.state is BrakeState.REFUSED]
    if refused:
        return Standing.LOST, f"NOT HELD. {refused[0].text}"
    waiting = [brake for brake in engaged if brake.state is not BrakeState.HELD]
    if waiting:
        return Standing.OPEN, f"waiting since {_since(waiting[0])}: comes after the deletion that runs"
    if engaged:
        return Standing.TAKEN, f"HELD since {_since(engaged[0])}: {', '.join(one.lock for one in engaged)}"
    if rung.why_not:
        return Standing.CLOSED, rung.why_not
    return (Standing.CLOSED, read_only) if read_only else (Standing.OPEN, "possible: saves what is queued")


def _since(brake: BrakeView) -> str:
    return clock_time(brake.since) if brake.since is not None else "?"


def _shield_rung(look: Look, read_only: str) -> tuple[Standing, str]:
    choice = look.shields
    if look.shields_lost:
        lost = look.shields_lost[0]
        return Standing.LOST, f"{counted(len(look.shields_lost), 'shield')} LOST: {lost.path}, {lost.why}"
    if read_only:
        return Standing.CLOSED, read_only
    if look.shield_why_not:
        return Standing.CLOSED, look.shield_why_not
    cannot = f", {len(choice.unshielded)} cannot" if choice.unshielded else ""
    if choice.candidates:
        have = f", {len(choice.standing)} have one" if choice.standing else ""
        return Standing.OPEN, f"possible in {counted(len(choice.candidates), 'domain')}{have}{cannot}"
    if choice.standing:
        return Standing.TAKEN, f"{counted(len(choice.standing), 'domain')} shielded{cannot}"
    return Standing.CLOSED, f"no domain can have one{cannot}"


def _running_rung(look: Look, *, past: bool) -> tuple[Standing, str]:
    if look.situation.is_unread:
        return Standing.IDLE, "not known: CloudStack could not be read"
    if not look.situation.of(Stage.RUNNING):
        return Standing.IDLE, "nothing was being deleted" if past else "nothing is being deleted now"
    if past:
        return Standing.PERSON, "whether it goes on is not known: CloudStack could not be read"
    servers = sorted(
        {
            one.attempt.job.server
            for one in look.situation.of(Stage.RUNNING)
            if one.attempt and one.attempt.job
        }
        - {""}
    )
    where = f" ({', '.join(servers)})" if servers else ""
    return Standing.PERSON, f"only killing all management servers stops it{where}"


# --- who ----------------------------------------------------------------------------------------------------


def who_lines(look: Look, *, past: bool = False) -> list[tuple[str, str]]:
    """Who deletes, or did by an earlier look: text and tone of a line each."""
    ended = "had not ended" if past else "not ended"
    lines = [
        (f"{one.target}: FENCE {one.hold.value}: {one.why}", "tone--bad")
        for one in look.fences.lost
        if all(view.caller.user_id != one.target_id for view in look.callers)
    ]
    for view in look.callers:
        caller = view.caller
        admin = ", a root admin" if caller.is_root_admin else ""
        number = counted(len(caller.deletions), "deletion")
        counts = f"{number} in an hour, {caller.open_deletions} {ended}"
        text = f"{caller.label}{admin}: {counts}"
        fence = look.fences.of(caller.user_id)
        if fence is not None and fence.is_lost:
            # First what nobody may overlook in a narrow terminal.
            text, tone = (
                f"{caller.label}, FENCE {fence.hold.value}{admin}: {counts}; {fence.why}",
                "tone--bad",
            )
        elif fence is not None and fence.hold is Hold.UNKNOWN:
            text, tone = f"{caller.label}, FENCE NOT KNOWN{admin}: {counts}; {fence.why}", "tone--warning"
        elif fence is not None:
            text, tone = f"{caller.label}, FENCED{admin}: {counts}", "tone--good"
        elif caller.ask and caller.open_deletions:
            text, tone = f"{text}; NOT SURE: {caller.ask}", "tone--warning"
        else:
            tone = "tone--bad" if caller.open_deletions else ""
        lines.append((text, tone))
    return lines


# --- all there is on one of them ----------------------------------------------------------------------------


def rung_texts(state: ContainState, index: int) -> list[tuple[str, str]]:
    """Label and text of everything about a rung; what cannot be done first."""
    look = state.look
    assert look is not None
    rung = look.ladder[index]
    texts: list[tuple[str, str]] = []
    if rung.why_not and index not in (0, 4):
        texts.append(("NOT HERE", rung.why_not))
    texts += [(title, text.strip()) for title, text in rung.text]
    if index == 0 and rung.why_not:
        texts.append(("", rung.why_not))
    texts += [("does", rung.what), ("does NOT stop", rung.does_not_stop), ("undo", rung.undo)]
    if index == 1:
        texts += [
            (one.hold.value.upper(), f"{one.target}: {one.why}") for one in look.fences.callers if one.why
        ]
        texts += [(text, detail) for view in look.callers for text, detail in _caller_texts(view)]
        texts += [
            ("fenced", f"{one.action}, {one.at:%Y-%m-%d %H:%M} UTC by {one.operator}")
            for one in look.fences_standing
        ]
    if index == 2:
        texts += [(f"{brake.lock}", f"{brake.state.value}. {brake.text}") for brake in state.brakes]
    if index == 3:
        texts += [("LOST", f"{one.path}: {one.why}") for one in look.shields_lost]
        texts += _shield_texts(look)
    texts.append(("known from", rung.known))
    return texts


def _caller_texts(view: CallerView) -> list[tuple[str, str]]:
    caller = view.caller
    number = counted(len(caller.deletions), "deletion")
    texts = [("caller", f"{caller.label}, {caller.state or 'not listed'}; {number} in an hour")]
    if caller.ask:
        texts.append(("", f"You have to say that it is this one: {caller.ask}"))
    if view.refusal:
        texts.append(("", f"Must not be fenced: {view.refusal}"))
    if view.other_calls:
        calls = ", ".join(f"{type_} {times}" for type_, times, _ in view.other_calls)
        texts.append(("", f"Also called in the hour before: {calls}."))
    elif view.other_calls_problem:
        texts.append(("", f"What else it called could not be read: {view.other_calls_problem}"))
    return texts


def _shield_texts(look: Look) -> list[tuple[str, str]]:
    """Of each domain whether it has one or could; nothing where none counts."""
    choice = look.shields
    texts: list[tuple[str, str]] = []
    if look.shield_why_not:
        return texts
    if choice.standing:
        texts.append(("have one", ", ".join(choice.standing)))
    if choice.candidates:
        texts.append(("can have one", ", ".join(one.path for one in choice.candidates)))
    reasons: dict[str, list[str]] = {}
    for one in choice.unshielded:
        reasons.setdefault(one.why, []).append(one.path)
    texts += [("cannot", f"{', '.join(paths)}: {why}") for why, paths in reasons.items()]
    return texts


def deletion_texts(one: Deletion, *, past: bool = False) -> list[tuple[str, str]]:
    """Label and text of everything about a deletion, as it is or was."""
    job = one.attempt.job if one.attempt is not None else None
    texts = [(stage_word(one.stage, past=past), one.label)]
    is_busy = one.stage in (Stage.RUNNING, Stage.QUEUED)
    if is_busy:
        texts.append(("", deletion_words(one, past=past)))
    if not (past and is_busy):
        texts.append(("", one.why))
    if one.by:
        texts.append(("by", one.by + (f", on server {job.server}" if job is not None and job.server else "")))
    if one.attempts > 1:
        texts.append(("attempts", str(one.attempts)))
    if one.alive:
        label = "alive then" if past else "still alive"
        texts.append((label, ", ".join(f"{vm.name} ({vm.state})" for vm in one.alive)))
    for label, owned in (("snapshots", one.snapshots), ("templates", one.templates)):
        if owned:
            texts.append((label, ", ".join(row.name for row in owned)))
    if one.below:
        texts.append(("with it", ", ".join(one.below)))
    return texts


def laid_out(texts: Sequence[tuple[str, str]], width: int) -> list[Line]:
    """Labels in a column of their own, the texts beside it; lines of a text stay lines."""
    label_width = 14
    lines: list[Line] = []
    for label, text in texts:
        tone = "tone--warning" if label.isupper() or "NOT" in label else "tone--muted"
        parts = [part for row in text.split("\n") for part in wrap(row, max(10, width - label_width - 2))]
        for number, part in enumerate(parts):
            lines.append(
                [(f" {label if number == 0 else '':<{label_width}.{label_width}} ", tone), (part, "")]
            )
    return lines


# --- questions ----------------------------------------------------------------------------------------------


def fence_facts(look: Look, chosen: Sequence[CallerView]) -> list[str]:
    """What is asked before somebody is fenced."""
    rung = look.ladder[1]
    lines = [f"{view.caller.label}: by {view.methods[0].value}" for view in chosen]
    return [*lines, f"Does not stop: {rung.does_not_stop}.", f"Undo: {rung.undo}."]


def default_choice(look: Look) -> frozenset[str]:
    """Ids of the callers that are chosen before anybody says anything."""
    return frozenset(view.caller.user_id for view in sure_callers(look.callers))
