"""Names of paints → colours of the theme. The only place that knows which theme variable colours what.

Textual's component classes would do the same from the stylesheet, but are resolved anew for every widget at
every change of a class, which made the first frame a third slower; these are looked up when a line is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style
from textual.color import Color
from textual.widget import Widget


@dataclass(frozen=True, slots=True)
class Paint:
    """Theme variables by name; empty leaves what is below."""

    foreground: str = ""
    background: str = ""
    bold: bool = False


PAINTS: dict[str, Paint] = {
    "drift--deleting": Paint("drift-deleting", bold=True),
    "drift--hollow": Paint("drift-hollow", bold=True),
    "drift--missing": Paint("drift-missing"),
    "drift--orphaned": Paint("drift-orphaned"),
    "drift--unexpected": Paint("drift-unexpected"),
    "drift--differs": Paint("drift-differs"),
    "drift--unknown": Paint("drift-unknown"),
    "drift--in-sync": Paint("drift-in-sync"),
    "outcome--succeeded": Paint("drift-in-sync"),
    "outcome--failed": Paint("drift-deleting", bold=True),
    "outcome--skipped": Paint("drift-differs"),
    "outcome--unknown": Paint("drift-missing", bold=True),
    "outcome--not-run": Paint("drift-unknown"),
    "tone--muted": Paint("tone-muted"),
    "tone--stale": Paint("tone-stale"),
    "tone--strong": Paint(bold=True),
    "tone--good": Paint("tone-good"),
    "tone--warning": Paint("tone-warning", bold=True),
    "tone--bad": Paint("tone-bad", bold=True),
    "tone--key": Paint("tone-key", bold=True),
    "list--cursor": Paint("", "cursor", bold=True),
    "list--cursor-blurred": Paint("", "cursor-blurred"),
    "env--production": Paint("env-text", "env-production", bold=True),
    "env--qualification": Paint("env-text", "env-qualification", bold=True),
    "env--drill": Paint("env-text", "env-drill", bold=True),
    "env--other": Paint("env-text", "env-other", bold=True),
    "mode--armed": Paint("armed-text", "armed", bold=True),
    "mode--containing": Paint("armed-text", "armed", bold=True),
    "mode--read-only": Paint("tone-muted", bold=True),
    "mode--replay": Paint("tone-warning", bold=True),
    "mode--watch": Paint("tone-key", bold=True),
    "mode--braking": Paint("background", "tone-warning", bold=True),
    "mode--running": Paint("tone-warning", bold=True),
    "banner--text": Paint("background", "drift-deleting", bold=True),
    "recovery--title": Paint("armed-text", "armed", bold=True),
    "progress--bar": Paint("tone-key", "panel"),
}


def style_of(widget: Widget, name: str) -> Style:
    """The style of that paint in the theme that is on; nothing for an empty name.

    Outside of the console, where the theme lacks the variables, only boldness is left.
    """
    if not name:
        return Style.null()
    paint, variables = PAINTS[name], widget.app.theme_variables
    return _style(variables.get(paint.foreground, ""), variables.get(paint.background, ""), paint.bold)


@lru_cache(maxsize=512)
def _style(foreground: str, background: str, bold: bool) -> Style:
    return Style(
        color=Color.parse(foreground).rich_color if foreground else None,
        bgcolor=Color.parse(background).rich_color if background else None,
        bold=bold or None,
    )
