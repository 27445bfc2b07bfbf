"""The incident report written out: Markdown for people, and the same as one HTML page with two plots.

Whatever comes from outside is text, never markup: escaped in the Markdown, and so in the page made of it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from markdown_it import MarkdownIt

from sync.loss_ledger import Fate
from sync.model import DriftKind, Outcome
from sync.object_types import NOT_READ_TYPES, Comeback, comeback_words
from sync.report import Problem, ProjectReport, Report
from sync.report_back import COLUMNS
from sync.report_deletions import Deleted

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!])")
_AT_START = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))")
"""What makes a list or a heading of a line that begins with it."""
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_MOST_LISTED = 200
"""Moments of the timeline that are written out; the ledger has all of them."""
_SAMPLES = 3
"""Names that are given of what is not back for one reason; each project's letter has its own."""
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#1d2430}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #c9d1da;padding:.25em .6em;"
    "text-align:left;vertical-align:top}td:first-child{white-space:nowrap}th{background:#eef2f6}svg{max-width:100%;height:auto}"
    "figcaption{color:#5b6675}"
)


def escaped(text: str) -> str:
    """Text from outside as Markdown that shows exactly it, in one line."""
    plain = _SPECIAL.sub(r"\\\1", _BREAKS.sub(" ", text)).strip()
    start = _AT_START.match(plain)
    if start is None:
        return plain
    at = start.end() if start[2].isdigit() else start.start(2)
    return f"{plain[:at]}\\{plain[at:]}"


def markdown(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(report)) + "\n"


def page(report: Report) -> str:
    """The whole report as one HTML page that needs nothing else."""
    title = f"Incident report: {report.environment}"
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown(report))
    figures = "".join(_figures(report))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}{figures}</body></html>\n"
    )


# --- Markdown -----------------------------------------------------------------------------------------------


def _lines(report: Report) -> Iterator[str]:
    yield f"# Incident report: {escaped(report.environment)}"
    yield ""
    saved = ", saved evidence" if report.deletions.recordings else ""
    yield (
        f"From {_at(report.since)} to {_at(report.made_at)}, made by {escaped(report.made_by)} from the "
        f"ledger, the captures{saved} and a reading of both sides."
    )
    yield ""
    yield escaped(report.headline)
    yield ""
    yield from (escaped(text) for text in report.deletions.words())
    yield from _losses(report)
    yield from _back(report)
    yield from _done(report)
    yield from _now(report)
    yield from _deletions(report)
    yield from _timeline(report)
    yield from _projects(report)
    yield from _types()
    yield from _section("What this report cannot know")
    yield from (f"- {escaped(text)}" for text in report.unsure)


def _section(title: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"| {' | '.join('---' for _ in header)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _deletions(report: Report) -> Iterator[str]:
    deletions = report.deletions
    if not (deletions.found or deletions.untold):
        return
    yield from _section("What was deleted, when and by whom")
    rows = [
        (
            _at(one.at),
            escaped(one.label),
            escaped(one.by) or "not named",
            _ended(one),
            escaped(one.event_id),
            escaped(_ledger_words(one)),
        )
        for one in deletions.found
    ]
    if rows:
        yield "By CloudStack's own events, in its own time."
        yield ""
        header = ("submitted (UTC)", "what", "who", "ended", "CloudStack's event", "in the ledger")
        yield from _table(header, rows)
    if deletions.untold:
        yield ""
        yield "Gone, and neither CloudStack's events nor the ledger tell when or by whom:"
        yield ""
    for lost in deletions.untold:
        seen = f"captured last at {_at(lost.last_captured)}" if lost.last_captured else "in no capture"
        yield f"- {escaped(lost.label)}: {seen}"


def _ended(one: Deleted) -> str:
    if one.is_open or one.ended_at is None:
        return "not ended" if one.is_open else "not known"
    return f"{_at(one.ended_at)}{', failed half-way' if one.has_failed else ''}"


def _ledger_words(one: Deleted) -> str:
    if one.looked_at_by:
        return f"no; known from {one.looked_at_by}, who looked at it"
    said = "yes" if one.is_recorded else "no"
    return f"{said}; known from {one.known_from}" if one.known_from else said


def _losses(report: Report) -> Iterator[str]:
    yield from _section("What was lost")
    ledger = report.losses
    basis = f"the capture of {_at(ledger.before)}" if ledger.before else "the CI database alone"
    if report.basis:
        basis = f"{basis} ({escaped(report.basis)})"
    start = f" The deletion began at {_at(report.began)}." if report.began is not None else ""
    yield f"Against {basis}, as CloudStack was at {_at(ledger.now)}.{start}"
    yield ""
    rows = [
        (
            escaped(name),
            *(str(fates.get(fate, 0)) for fate in Fate),
            comeback_words(name, has_capture=ledger.before is not None),
        )
        for name, fates in ledger.counts().items()
    ]
    yield from _table(("", *(fate.value for fate in Fate), "comes back"), rows)


def _back(report: Report) -> Iterator[str]:
    if not report.came_back:
        return
    yield from _section("What is back")
    yield "As the reading shows it; new ids are in the identity map. What was made again is new: passwords,"
    yield "keys and what was on a disk do not come back with it."
    yield ""
    rows = [
        (escaped(name), *(str(counts.get(column, 0)) for column in COLUMNS))
        for name, counts in report.came_back.items()
    ]
    yield from _table(("", *COLUMNS), rows)
    grouped: dict[tuple[str, str], list[str]] = {}
    for project in report.projects:
        for one in project.missing:
            grouped.setdefault((one.type, one.why), []).append(f"{project.name}/{one.name}")
    if grouped:
        yield ""
        yield "What is not back, and why:"
        yield ""
    types = list(report.came_back)
    for (type_name, why), some in sorted(
        grouped.items(), key=lambda group: (types.index(group[0][0]), -len(group[1]))
    ):
        names = ", ".join(some[:_SAMPLES])
        more = f" and {len(some) - _SAMPLES} more" if len(some) > _SAMPLES else ""
        yield f"- {len(some)} × {escaped(type_name)}: {escaped(why)} ({escaped(names)}{more})"


def _done(report: Report) -> Iterator[str]:
    yield from _section("What was done")
    if not report.done:
        yield "The ledger has no action of that time."
        return
    rows = [
        (escaped(one.kind), *(str(one.outcomes.get(outcome, 0)) for outcome in Outcome))
        for one in report.done
    ]
    yield from _table(("", *(outcome.value for outcome in Outcome)), rows)
    if report.problems:
        yield ""
        yield "What did not succeed:"
        yield ""
        yield from (_problem(one) for one in report.problems)
    for one in report.rehearsed:
        yield ""
        yield f"Run {escaped(one.run_id)} was rehearsed at {_at(one.comparison.prediction.at)}:"
        yield ""
        yield from (f"- {escaped(line.strip())}" for line in one.comparison.lines())


def _problem(problem: Problem) -> str:
    line = f"- {escaped(problem.action)}: {problem.outcome.value}. {escaped(problem.detail)}"
    if problem.later is not None:
        how = "Succeeded later" if problem.later.is_by_it else "Was found done later"
        return f"{line} {how}, at {_at(problem.later.at)} ({escaped(problem.later.run_id)})."
    return f"{line} It is there now all the same." if problem.is_there_now else line


def _now(report: Report) -> Iterator[str]:
    yield from _section("How it stands")
    rows = [(kind.value, str(report.now.get(kind, 0))) for kind in DriftKind]
    yield from _table(("drift", "projects"), rows)
    for text in report.frozen:
        yield ""
        yield escaped(text)


def _timeline(report: Report) -> Iterator[str]:
    yield from _section("Timeline")
    if not report.timeline:
        yield "Neither the ledger nor CloudStack's events have anything of that time."
        return
    shown = report.timeline[-_MOST_LISTED:]
    if len(shown) < len(report.timeline):
        yield f"The last {len(shown)} of {len(report.timeline)} moments; `abreast ledger show` has all others"
        yield "but the deletions, which are all in the table above."
        yield ""
    rows = [(_at(one.at), escaped(one.by), escaped(one.what)) for one in shown]
    yield from _table(("when (UTC)", "who", "what"), rows)


def _projects(report: Report) -> Iterator[str]:
    hit = [one for one in report.projects if one.is_hit]
    yield from _section(f"Projects that were hit: {len(hit)}")
    rows = [
        (escaped(one.name), *_counts(one), str(len(one.back)), str(len(one.missing)), escaped(one.state))
        for one in hit
    ]
    if rows:
        header = ("project", "lost", "being destroyed", "recoverable", "survives", "back", "not back", "now")
        yield from _table(header, rows)
    yield from _addresses(report)


def _addresses(report: Report) -> Iterator[str]:
    """Those that are somebody else's by now, and those that only changed: Jenkins and people know the old."""
    changes = [change for one in report.projects for change in one.addresses]
    risks = [one.words for one in changes if one.taken_by]
    others = [one.words for one in changes if not one.taken_by]
    if risks:
        yield from _section("Addresses that somebody else has now")
        yield "Jenkins and people still have keys and passwords for these: a credential risk. Take the agents"
        yield "offline before Jenkins connects, and change what was sent there."
        yield ""
        yield from (f"- {escaped(text)}" for text in risks)
    if others:
        yield from _section("Addresses that changed")
        yield "Jenkins and people look for them where they were."
        yield ""
        yield from (f"- {escaped(text)}" for text in others[:_MOST_LISTED])
        if len(others) > _MOST_LISTED:
            yield f"- and {len(others) - _MOST_LISTED} more"


def _counts(project: ProjectReport) -> tuple[str, ...]:
    fates = (Fate.LOST, Fate.DYING, Fate.RECOVERABLE, Fate.SURVIVES)
    return tuple(str(len(project.losses.of(fate))) if project.losses is not None else "" for fate in fates)


def _types() -> Iterator[str]:
    yield from _section("What else CloudStack destroys with a domain")
    yield "No reading has these one by one; each project has to look for its own."
    yield ""
    for comeback in Comeback:
        names = [one.name for one in NOT_READ_TYPES if one.comeback is comeback]
        if names:
            yield f"- {comeback.value}: {', '.join(names)}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


# --- plots --------------------------------------------------------------------------------------------------

_WIDTH, _HEIGHT, _EDGE = 720, 240, 46


def _figures(report: Report) -> Iterator[str]:
    if len(report.progress) > 1:
        yield _figure(_progress_plot(report), "Actions that had succeeded, over time")
    if report.losses.counts():
        yield _figure(_loss_plot(report), "Objects of before: lost (dark), everything else (light)")


def _figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}<figcaption>{html.escape(caption)}</figcaption></figure>\n"


def _svg(inner: str, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" font-family="system-ui,sans-serif" font-size="12">{inner}</svg>'
    )


def _progress_plot(report: Report) -> str:
    first, last = report.progress[0][0], report.progress[-1][0]
    span = max((last - first).total_seconds(), 1.0)
    most = report.progress[-1][1]
    points = " ".join(
        f"{_EDGE + (at - first).total_seconds() / span * (_WIDTH - 2 * _EDGE):.1f},"
        f"{_HEIGHT - _EDGE - count / most * (_HEIGHT - 2 * _EDGE):.1f}"
        for at, count in report.progress
    )
    floor = _HEIGHT - _EDGE
    return _svg(
        f'<line x1="{_EDGE}" y1="{floor}" x2="{_WIDTH - _EDGE}" y2="{floor}" stroke="#5b6675"/>'
        f'<polyline points="{points}" fill="none" stroke="#1f6f8b" stroke-width="2"/>'
        f'<text x="{_EDGE}" y="{floor + 18}">{first:%H:%M:%S}</text>'
        f'<text x="{_WIDTH - _EDGE}" y="{floor + 18}" text-anchor="end">{last:%H:%M:%S}</text>'
        f'<text x="{_WIDTH - _EDGE}" y="{_EDGE - 8}" text-anchor="end">{most}</text>',
        _HEIGHT,
    )


def _loss_plot(report: Report) -> str:
    counts = report.losses.counts()
    most = max(sum(fates.values()) for fates in counts.values())
    room, bars = _WIDTH - 230, []
    for place, (name, fates) in enumerate(counts.items()):
        lost, total, top = fates.get(Fate.LOST, 0), sum(fates.values()), 8 + place * 26
        bars.append(
            f'<text x="150" y="{top + 14}" text-anchor="end">{html.escape(name)}</text>'
            f'<rect x="160" y="{top}" width="{total / most * room:.1f}" height="18" fill="#c9d8e0"/>'
            f'<rect x="160" y="{top}" width="{lost / most * room:.1f}" height="18" fill="#8b1f2f"/>'
            f'<text x="{166 + total / most * room:.1f}" y="{top + 14}">{lost} of {total}</text>'
        )
    return _svg("".join(bars), 16 + 26 * len(counts))
