"""The pages of the steps Contain, Restore and Verify: deletions, restoring, the proof. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from shlex import quote
from typing import TYPE_CHECKING

from console.page_lines import heading, pair, wrapped
from console.recovering import Aftermath, still_repairable
from console.state import RunState
from sync.deletions import Situation
from sync.drift import Loss
from sync.model import DriftRow, Subject
from widgets.cells import counted, fit
from widgets.deletion_list import STAGE_GLYPHS, STAGE_TONES, stage_word
from widgets.details import deletion_words
from widgets.header import clock_time
from widgets.kinds import KIND_CLASSES, LOSS_GLYPH, kind_text
from widgets.lines import Line

if TYPE_CHECKING:
    from console.losses import Losses


NOTHING_YET: list[Line] = [
    [(" Nothing yet: it comes by itself when both sides were read after a run.", "tone--muted")]
]


def proof_page(run: RunState, after: Aftermath, width: int) -> list[Line]:
    """What both sides said when they were read anew."""
    proof = after.proof
    if proof is None:
        return wrapped(after.problem, width, tone="tone--bad")
    mine, others = still_repairable(run, proof)
    if proof.unproven:
        return wrapped(f"Not proven. {proof.unproven}", width, tone="tone--bad")
    lines = heading(f"Read anew at {clock_time(after.at)}, both sides completely")
    if mine:
        lines += _rows("can still be repaired", mine, width, tone="tone--bad")
    else:
        lines += wrapped("✓ Nothing repairable is left of what was chosen.", width, tone="tone--good")
    if others:
        lines += _rows("left out, can still be repaired", others, width)
    only_ids = [row for row in proof.for_people if _is_only_id(row)]
    if only_ids:
        text = (
            f"{counted(len(only_ids), 'project')} in sync but for the stored id: step 6 lists the new ones."
        )
        lines += wrapped(f"✓ {text}", width, tone="tone--good")
    rest = [row for row in proof.for_people if not _is_only_id(row)]
    if rest:
        lines += _rows("for people: nothing here changes them", rest, width)
    if proof.untouched:
        lines += wrapped(f"✓ Unexpected before and untouched: {', '.join(proof.untouched)}.", width)
    if proof.disappeared:
        text = f"! Gone meanwhile, not by abreast: {', '.join(proof.disappeared)}."
        lines += wrapped(text, width, tone="tone--warning")
    return lines + _agents(after, width) + _losses(proof.losses, width)


def _agents(after: Aftermath, width: int) -> list[Line]:
    """Whether Jenkins reaches its agents, and which of them it must not try to reach."""
    lines: list[Line] = []
    if after.agents is not None:
        sign, tone = ("✓", "tone--good") if after.agents.is_whole else ("!", "tone--warning")
        lines += wrapped(f"{sign} Jenkins: {after.agents.words}.", width, tone=tone)
    strangers = [one for one in after.addresses if one.taken_by]
    if strangers:
        lines += [[], *heading(f"{counted(len(strangers), 'agent')} whose address somebody else has now")]
        for one in strangers:
            lines += wrapped(one.words, width, tone="tone--bad")
    return lines


def _is_only_id(row: DriftRow) -> bool:
    """Whether the row is as it should be, but for the id that the CI database stores."""
    return bool(row.differences) and all(part.subject is Subject.STORED_ID for part in row.differences)


def _losses(losses: Sequence[Loss], width: int) -> list[Line]:
    """The machines by project: they do not come back, their owners have to be told."""
    if not losses:
        return []
    by_project: dict[str, list[str]] = {}
    for loss in losses:
        by_project.setdefault(loss.project, []).append(loss.vm or loss.agent)
    number, projects = counted(len(losses), "machine"), counted(len(by_project), "project")
    title = f"{number} of {projects} without a VM, by the CI database"
    lines: list[Line] = [[], *heading(title)]
    for project, machines in by_project.items():
        lines += pair(f"{LOSS_GLYPH} {project}", ", ".join(machines), width, tone="tone--muted")
    return lines


def restore_page(
    losses: Losses | None, environment: str, width: int, *, key: Callable[[str], str], is_drill: bool
) -> list[Line]:
    """How what is lost is made again, as far as it can be, and what cannot."""
    lines = heading("Networks and VMs from a capture, templates and ISOs from an archive")
    for text in (
        f"{key('restore')} opens it: what would be made again, what cannot be and why, new addresses. "
        "Nothing is sent before its number was typed. If it is interrupted, it goes on from there.",
        "What was on disks and snapshots is lost, unless an archive or the storage has it. Addresses that "
        "changed, or are somebody else's now, are listed for Jenkins.",
    ):
        lines += [*wrapped(text, width), []]
    if is_drill or losses is None or losses.basis.taken_at is None:
        return lines
    # The newest of that moment or before, and a capture's own moment has parts of a second.
    taken = losses.basis.taken_at + timedelta(seconds=1)
    command = f"abreast restore --environment {quote(environment)} --capture {taken:%Y-%m-%dT%H:%M:%S}"
    lines += heading("The same in a terminal, as on the machine that has the archive")
    return lines + wrapped(f"{command} --archive FOLDER --serve HOST", width, tone="tone--key")


def _rows(title: str, rows: Sequence[DriftRow], width: int, *, tone: str = "") -> list[Line]:
    lines: list[Line] = [[(f" {len(rows)} {title}", tone or "tone--strong")]]
    for row in rows:
        kind = (f"   {fit(kind_text(row.kind), 13)}", KIND_CLASSES[row.kind])
        reason = fit(f" {row.reason}", max(0, width - 16 - 20))
        lines.append([kind, (fit(row.name, 19) + " ", ""), (reason, "tone--muted")])
    return lines


def deletions_page(situation: Situation | None, width: int, *, past: bool = False) -> list[Line]:
    """Every deletion by name, the worst first; in the `past`, as an earlier reading saw them."""
    if situation is None:
        return [[(" Events and jobs are being read.", "tone--muted")]]
    lines: list[Line] = []
    for one in situation.deletions:
        stage = fit(stage_word(one.stage, past=past), 15)
        head: Line = [
            (f" {STAGE_GLYPHS[one.stage]} {stage}", STAGE_TONES[one.stage]),
            (fit(one.label, 30, keep_end=True) + " ", "tone--strong"),
        ]
        words = deletion_words(one, past=past) if one in situation.busy else one.why
        lines.append([*head, (fit(words, width - 49), "")])
    if past:
        when = (
            f"As CloudStack was last read, at {situation.taken_at:%H:%M:%S} UTC; what holds now is not known."
        )
        lines = [*wrapped(when, width, tone="tone--warning"), *lines]
    return lines or [[(" Nothing is being deleted, and nothing was in the last two days.", "tone--muted")]]
