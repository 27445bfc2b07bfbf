"""The header of every screen: the environment in its colour and in words, the mode, both sources, the clock.

It grows by a line for each source that could not be read or has shrunk, and by more where a source is another
server than the pinned one.
"""

from __future__ import annotations

from datetime import datetime

from sync.model import CoverageState
from widgets.cells import age, clean, fit
from widgets.identity import Identity
from widgets.lines import Line, Lines, spread, wrap
from widgets.values import SourceStatus

_COVERAGE_TONES = {
    CoverageState.COMPLETE: "tone--good",
    CoverageState.PARTIAL: "tone--warning",
    CoverageState.FAILED: "tone--bad",
}


def clock_time(moment: datetime) -> str:
    """`03:12:44` in the terminal's time zone."""
    return moment.astimezone().strftime("%H:%M:%S")


def source_line(status: SourceStatus, now: datetime, *, width: int) -> Line:
    """One source in `width` cells: label, count, coverage, age, and whether it is being read."""
    label = (f" {status.label} ", "tone--strong")
    if status.coverage is None:
        return [label, (fit(f" being read  {clean(status.reading)}", width - len(label[0])), "tone--muted")]
    count = "" if status.count is None else f" {status.count:,}"
    noun = f" {status.noun}" if count and width >= 48 else ""
    word = status.coverage.value if status.is_sound else status.coverage.value.upper()
    pieces: Line = [label, (f"{count}{noun}", ""), (f"  {word}", _COVERAGE_TONES[status.coverage])]
    seconds = status.age_seconds(now)
    if seconds is not None:
        stale = status.is_stale(now) or not status.is_sound
        text = f"  {age(seconds)}" + (" old" if stale and width >= 48 else "")
        pieces.append((text, "tone--warning" if stale else "tone--muted"))
    pieces.append((" ↻" if status.reading else "  ", "tone--muted"))
    return pieces


_FOREIGN_LINES = 5
"""Lines that say what is pinned and what is seen; where that is not room enough, Sources has the rest."""


def warnings(status: SourceStatus, width: int, *, is_low: bool = False) -> list[Line]:
    """What is to be known of a source besides its coverage: that it is the wrong server, or may be, or that
    it has shrunk. One line each where the screen `is_low`."""
    if status.is_foreign:
        text = f"WRONG SERVER, nothing can be armed or run: {status.why}"
        wrapped = wrap(text, width - 2, at_hyphens=False)
        most = 1 if is_low else _FOREIGN_LINES
        if len(wrapped) > most:
            rest = " ".join(wrapped[most - 1 :])
            wrapped = [*wrapped[: most - 1], fit(rest, width - 2)]
        return [[(fit(f" {line}", width), "banner--text")] for line in wrapped]
    found: list[Line] = []
    if status.unrecognised:
        text = f" Nothing can be armed: not compared with the pinned server. {status.unrecognised}"
        found.append([(fit(text, width), "tone--bad")])
    if status.shrunk:
        text = f" {status.label} has SHRUNK: {status.shrunk}"
        found.append([(fit(text, width), "tone--bad")])
    return found


def problem_line(status: SourceStatus, width: int) -> Line | None:
    """Since when a source is silent or incomplete, and why; None while it is sound, and where a line of its
    own says why."""
    if status.coverage is None or status.is_sound or status.is_foreign or status.shrunk:
        return None
    if status.coverage is CoverageState.PARTIAL:
        text = f" {status.label} read in part: {status.why}"
    elif status.taken_at is None:
        text = f" {status.label} never read: {status.why}"
    else:
        text = f" {status.label} not read since {clock_time(status.taken_at)}: {status.why}"
    tone = "tone--warning" if status.coverage is CoverageState.PARTIAL else "tone--bad"
    return [(fit(text, width), tone)]


class ConsoleHeader(Lines):
    """Given the identity, the mode, the sources and the time; draws itself anew every second."""

    DEFAULT_CSS = "ConsoleHeader { dock: top; height: auto; }"

    def __init__(self, identity: Identity, *, mode: str = "READ-ONLY", now: datetime) -> None:
        super().__init__(id="header")
        self._identity = identity
        self._mode = mode
        self._run_word = ""
        self._capture_problem = self._tampering = ""
        self._is_cramped = self._is_low = False
        self._frozen: tuple[str, ...] = ()
        self._brake = ("", False)
        self._sources: tuple[SourceStatus, ...] = ()
        self._now = now

    def show(
        self,
        *,
        mode: str | None = None,
        sources: tuple[SourceStatus, ...] | None = None,
        now: datetime | None = None,
        running: str | None = None,
        capture_problem: str | None = None,
        is_cramped: bool | None = None,
        is_low: bool | None = None,
        tampering: str | None = None,
        frozen: tuple[str, ...] | None = None,
        brake: tuple[str, bool] | None = None,
    ) -> None:
        """Show these values; what is not given stays. `running` is a word on the run going on, `brake` one on
        the brake that this console holds and whether it is an alarm, `frozen` a line on a closed zone and
        others on what opens it. Who `is_cramped` has less than the 80x24 that every screen is made for, and
        is told; who `is_low` has room for one line of each thing."""
        self._mode = self._mode if mode is None else mode
        self._sources = self._sources if sources is None else sources
        self._now = self._now if now is None else now
        self._run_word = self._run_word if running is None else running
        self._capture_problem = self._capture_problem if capture_problem is None else capture_problem
        self._is_cramped = self._is_cramped if is_cramped is None else is_cramped
        self._is_low = self._is_low if is_low is None else is_low
        self._tampering = self._tampering if tampering is None else tampering
        self._frozen = self._frozen if frozen is None else frozen
        self._brake = self._brake if brake is None else brake
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        mode_class = "mode--" + self._mode.lower()
        left: Line = [
            (
                f" {fit(self._identity.title, min(len(self._identity.title), max(10, width - 40)))} ",
                f"env--{self._identity.tone}",
            ),
            (" ", ""),
            (f" {self._mode} ", mode_class),
        ]
        if self._run_word:
            left += [(" ", ""), (f" {clean(self._run_word)} ", "mode--running")]
        word, is_alarm = self._brake
        if word:
            left += [(" ", ""), (f" {word} ", "banner--text" if is_alarm else "mode--braking")]
        right: Line = [(clock_time(self._now) + " ", "tone--muted")]
        if self._is_cramped:
            right = [("needs 80x24 ", "tone--warning")]
        result = [spread(left, right, width)]
        if width < 76:
            result += [source_line(status, self._now, width=width) for status in self._sources]
        else:
            result.append(self._source_pieces(width))
        if self._tampering:
            text = f"{self._tampering} Nothing can be armed but containing."
            result += [[(fit(f" {line}", width), "banner--text")] for line in self._cut(text, width)]
        for text in self._frozen[:1] if self._is_low else self._frozen:
            result.append([(fit(f" {text}", width), "tone--bad")])
        for status in self._sources:
            result += warnings(status, width, is_low=self._is_low)
            line = problem_line(status, width)
            result += [line] if line is not None else []
        if self._capture_problem:
            result.append([(fit(f" {self._capture_problem}", width), "tone--warning")])
        return result

    def _cut(self, text: str, width: int) -> list[str]:
        """In two lines at most, and in one where the screen is low."""
        lines = wrap(text, width - 2)
        most = 1 if self._is_low else 2
        return (
            lines if len(lines) <= most else [*lines[: most - 1], fit(" ".join(lines[most - 1 :]), width - 2)]
        )

    def _source_pieces(self, width: int) -> Line:
        half = width // 2
        pieces: Line = []
        for index, status in enumerate(self._sources):
            line = source_line(status, self._now, width=half)
            used = sum(len(text) for text, _ in line)
            pieces += line
            if index + 1 < len(self._sources):
                pieces.append((" " * max(1, half - used), ""))
        return pieces
