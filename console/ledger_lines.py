"""From the ledger's entries to what History shows of them: lines, groups, an entry in whole. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sync.model import CONTAINMENT, Outcome
from widgets.cells import counted
from widgets.entry_list import EntryLine
from widgets.kinds import OUTCOME_GLYPHS
from widgets.lines import Line, wrap

if TYPE_CHECKING:
    from sync.ledger import Entry

_RETIREMENT = "retirement "
"""How the kinds of entries on retirements begin."""
_RUN_WORDS = ("run started", "run resumed", "run ended")
_GLYPHS = {outcome.value: OUTCOME_GLYPHS[outcome] for outcome in Outcome}


def merged(known: Sequence[Entry], fresh: Sequence[Entry]) -> list[Entry] | None:
    """Both together, oldest first; None where entries between them are missing."""
    if not known or not fresh:
        return list(fresh or known)
    if fresh[0].seq > known[-1].seq + 1:
        return None
    return [*known, *(entry for entry in fresh if entry.seq > known[-1].seq)]


def lines_of(entries: Iterable[Entry], words: str = "") -> list[EntryLine]:
    """The newest first, by runs; with `words`, only entries in which all of them occur."""
    wanted = words.casefold().split()
    runs: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda one: -one.seq):
        runs.setdefault(entry.run_id or "", []).append(entry)
    lines: list[EntryLine] = []
    for run_id, group in runs.items():
        shown = [entry for entry in group if all(word in haystack(entry) for word in wanted)]
        if shown:
            lines.append(_run_line(run_id, group))
            lines += [_entry_line(entry) for entry in shown]
    return lines


def haystack(entry: Entry) -> str:
    """What the filter searches."""
    parts = (entry.kind.value, entry.summary, entry.operator, entry.run_id or "")
    return "\n".join(parts).casefold()


def _run_line(run_id: str, group: Sequence[Entry]) -> EntryLine:
    """`group` is the newest first."""
    if not run_id:
        return EntryLine("run ", group[-1].at, "run", "outside of any run", is_run=True)
    if run_id.startswith(CONTAINMENT):
        return _containment_line(run_id, group)
    by_kind = {entry.kind.value: entry for entry in group}
    if any(word.startswith(_RETIREMENT) for word in by_kind):
        return _retirement_line(run_id, group)
    ended = group[0] if group[0].kind.value == "run ended" else None
    state = ended.payload["state"] if ended is not None else "not ended"
    said = f": {ended.summary}" if ended is not None else ""
    started = by_kind.get("run started")
    number = f", {counted(len(started.payload['plan']['actions']), 'action')}" if started is not None else ""
    text = f"run {run_id} by {group[-1].operator}{number}, {state}{said}"
    return EntryLine(f"run {run_id}", group[-1].at, "run", text, is_run=True)


def _containment_line(run_id: str, group: Sequence[Entry]) -> EntryLine:
    """What became of its steps: the ledger has no start and no end of a containment."""
    outcomes: dict[str, str] = {}
    for entry in reversed(group):
        outcomes[entry.payload["action"]] = entry.payload.get("outcome", "without an outcome")
    said = ", ".join(f"{number} {outcome}" for outcome, number in Counter(outcomes.values()).items())
    text = f"containment {run_id} by {group[-1].operator}: {said}"
    return EntryLine(f"run {run_id}", group[-1].at, "run", text, is_run=True)


def _retirement_line(run_id: str, group: Sequence[Entry]) -> EntryLine:
    """A retirement or a campaign as a whole, by the newest of its own entries."""
    newest = next(entry for entry in group if entry.kind.value.startswith(_RETIREMENT))
    proposed = next((entry for entry in group if entry.kind.value == f"{_RETIREMENT}proposed"), None)
    if proposed is None:
        text = f"campaign {run_id} by {group[-1].operator}"
    else:
        names = ", ".join(target["path"] for target in proposed.payload["proposal"]["targets"])
        text = f"retirement of {names} ({run_id}): {_retirement_words(newest)}"
    return EntryLine(f"run {run_id}", group[-1].at, "run", text, is_run=True)


def _retirement_words(entry: Entry) -> str:
    """What an entry on a retirement says; the line of the retirement above it has its id."""
    payload, word = entry.payload, entry.kind.value.removeprefix(_RETIREMENT)
    if word == "step begun":
        return f"{payload['step']} begun"
    if word == "step ended":
        until = payload.get("facts", {}).get("until", "")
        return f"{payload['step']} ended" + (
            f", waits until {until[:16].replace('T', ' ')} UTC" if until else ""
        )
    if word == "stopped":
        return f"{payload['step']} stopped: {payload['reason']}"
    if word == "proposed":
        lost = sum(not loss["kept_as"] for one in payload["proposal"]["targets"] for loss in one["losses"])
        return f"proposed, {counted(lost, 'object')} lost"
    if word == "signed":
        return f"signed by {', '.join(payload['people'])}"
    return entry.summary


def _entry_line(entry: Entry) -> EntryLine:
    payload, word = entry.payload, entry.kind.value
    outcome = payload.get("outcome", "") if word == "outcome" else ""
    if word.startswith(_RETIREMENT):
        word, text = "retirement", _retirement_words(entry)
    elif word in _RUN_WORDS or "action" not in payload:
        text = entry.summary
    elif outcome:
        word, text = (
            f"{_GLYPHS.get(outcome, '')} {outcome}",
            f"{payload['action']}  {payload['detail']}".strip(),
        )
    else:
        said = entry.summary.removeprefix(f"{payload['action']}: ")
        text = f"{payload['action']}  {said}"
    return EntryLine(
        str(entry.seq),
        entry.at,
        word.removeprefix("run ") if word in _RUN_WORDS else word,
        text,
        number=entry.seq,
        operator=entry.operator,
        outcome=outcome,
    )


def entry_page(entry: Entry, width: int) -> list[Line]:
    """All that the ledger has of an entry."""
    facts = (
        ("entry", f"{entry.seq} in {entry.environment}"),
        ("kind", entry.kind.value),
        ("at", f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S %Z}"),
        ("operator", entry.operator),
        ("run", entry.run_id or "–"),
        ("hash", entry.hash),
        ("follows", entry.previous_hash),
    )
    lines: list[Line] = []
    for name, value in facts:
        for index, text in enumerate(wrap(value, max(10, width - 12))):
            lines.append([(f" {name if index == 0 else '':<10}", "tone--muted"), (text, "")])
    lines.append([])
    room = max(10, width - 2)
    for raw in json.dumps(entry.payload, indent=2, ensure_ascii=False).splitlines():
        indent = " " * (len(raw) - len(raw.lstrip()))
        lines += [[(f" {indent}{text}", "")] for text in wrap(raw.lstrip(), max(10, room - len(indent)))]
    return lines
