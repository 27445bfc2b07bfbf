"""The page of what was lost: of one project or of all, by type and object by object. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from sync.loss_basis import basis_words
from sync.loss_ledger import Fate, Loss, ProjectLosses, counts_of
from sync.object_types import NOT_READ_TYPES, Comeback, comeback_words
from sync.recoverable import left_words
from widgets.cells import counted, fit, size
from widgets.lines import Line, wrap

if TYPE_CHECKING:
    from console.losses import Losses

_TONES = {
    Fate.LOST: "tone--bad",
    Fate.DYING: "tone--warning",
    Fate.RECOVERABLE: "tone--good",
    Fate.UNKNOWN: "tone--warning",
    Fate.SURVIVES: "",
}
_SHORT = {Fate.LOST: "lost", Fate.DYING: "dying", Fate.RECOVERABLE: "back", Fate.UNKNOWN: "?"}
_TYPE = 20
_CELLS = 7
_MOST = 400
"""Objects of one fate that are listed; more are counted."""


def loss_lines(
    found: Losses, projects: Sequence[ProjectLosses], words: str, *, now: datetime, width: int
) -> list[Line]:
    """What became of these projects; with `words`, of the objects in which all of them occur, and no totals
    of others."""
    wanted = words.casefold().split()
    if wanted:
        projects = [_matching(project, wanted) for project in projects]
    lines = _wrapped(basis_words(found.basis, now), width, "tone--muted")
    has_capture = found.ledger.before is not None
    lines += [[], *_table(projects, width, has_capture=has_capture, is_filtered=bool(wanted))]
    for fate in Fate:
        losses = [one for project in projects for one in project.of(fate)]
        if losses:
            lines += [[], *_fate_lines(fate, losses, found, now=now, width=width)]
    if not wanted:
        lines += [[], *_others(width), [], *_unknown(found, width)]
    return lines


def _matching(project: ProjectLosses, words: Sequence[str]) -> ProjectLosses:
    return replace(
        project, objects=tuple(one for one in project.objects if _matches(one, project.name, words))
    )


def _matches(loss: Loss, project: str, words: Iterable[str]) -> bool:
    text = f"{project} {loss.type} {loss.name} {loss.path} {loss.owner} {loss.fate.value}".casefold()
    return all(word in text for word in words)


def _table(
    projects: Sequence[ProjectLosses], width: int, *, has_capture: bool, is_filtered: bool
) -> list[Line]:
    """One line a type: how many of which fate, and where it comes back from."""
    heads = "".join(fit(_SHORT.get(fate, "alive"), _CELLS, align="right") for fate in Fate)
    of = fit("of what is listed" if is_filtered else "", _TYPE)
    lines: list[Line] = [[(f" {of}{heads}  comes back", "tone--strong")]]
    for name, counts in counts_of(projects).items():
        cells: Line = [
            (
                fit(str(counts.get(fate) or "–"), _CELLS, align="right"),
                _TONES[fate] if counts.get(fate) else "tone--muted",
            )
            for fate in Fate
        ]
        room = max(0, width - _TYPE - 5 * _CELLS - 3)
        words = comeback_words(name, has_capture=has_capture).replace("rebuilt ", "")
        back = fit(f"  {words}", room)
        lines.append([(f" {fit(name, _TYPE)}", ""), *cells, (back, "tone--muted")])
    if len(lines) == 1:
        of = "Nothing of what was there before has these words."
        return [[(f" {of if is_filtered else 'Nothing was there before.'}", "tone--muted")]]
    return lines


def _fate_lines(
    fate: Fate, losses: Sequence[Loss], found: Losses, *, now: datetime, width: int
) -> list[Line]:
    again = sum(one.id in found.again for one in losses)
    head = f" {fate.value}: {counted(len(losses), 'object')}" + (
        f", {again} made again since" if again else ""
    )
    lines: list[Line] = [[(head, _TONES[fate] or "tone--strong")]]
    for one in losses[:_MOST]:
        left = width - _TYPE - 4
        more = [one.path, one.owner if one.owner and one.owner not in one.path else ""]
        more.append(size(one.size) if one.size else "")
        if fate is Fate.RECOVERABLE:
            more.insert(0, left_words(one.until, now))
        elif one.why:
            more.append(one.why)
        more.insert(0, found.kept.get(one.id, ""))
        more.insert(0, "made again" if one.id in found.again else "")
        rest = ", ".join(text for text in more if text)
        name = fit(one.name, min(max(24, left // 3), left))
        lines.append(
            [
                (f"   {fit(one.type, _TYPE - 2)} ", "tone--muted"),
                (name, ""),
                (fit(f" {rest}", max(0, left - len(name))), "tone--muted"),
            ]
        )
    if len(losses) > _MOST:
        text = f"   and {len(losses) - _MOST:,} more: the filter finds them, `abreast losses` has them all"
        lines.append([(text, "tone--muted")])
    return lines


def _others(width: int) -> list[Line]:
    """Types that no reading has object by object."""
    lines: list[Line] = [[(" What else goes with a domain, and no list has one by one", "tone--strong")]]
    for comeback in Comeback:
        names = [one.name for one in NOT_READ_TYPES if one.comeback is comeback]
        if names:
            lines += _wrapped(f"{comeback.value}: {', '.join(names)}", width, "tone--muted")
    return lines


def _unknown(found: Losses, width: int) -> list[Line]:
    lines: list[Line] = [[(" What is known and what is not", "tone--strong")]]
    for text in (*found.blind, found.archive):
        lines += _wrapped(text, width, "tone--warning")
    return lines


def _wrapped(text: str, width: int, tone: str) -> list[Line]:
    return [[(f" {line}", tone)] for line in wrap(text, max(20, width - 2))]
