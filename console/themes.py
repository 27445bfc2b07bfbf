"""The four themes. Every colour that means something is a theme variable: `$drift-missing`, `$env-drill`, …

The colour-blind-safe one takes its colours from the palette of Okabe and Ito.
"""

from __future__ import annotations

from textual.theme import Theme

from sync.errors import ConfigurationError

_DARK = {
    "drift-deleting": "#ff5c7c",
    "drift-hollow": "#ff8f6b",
    "drift-missing": "#ffb454",
    "drift-orphaned": "#f78fb3",
    "drift-unexpected": "#c792ea",
    "drift-differs": "#f4d35e",
    "drift-unknown": "#8a93a6",
    "drift-in-sync": "#6fbf8b",
    "tone-muted": "#7f8aa0",
    "tone-stale": "#6b7487",
    "tone-good": "#6fbf8b",
    "tone-warning": "#ffb454",
    "tone-bad": "#ff5c7c",
    "tone-key": "#7cc4ff",
    "cursor": "#24344d",
    "cursor-blurred": "#1d2636",
    "bar": "#161d2a",
    "env-production": "#b3173a",
    "env-qualification": "#8a5a00",
    "env-drill": "#13665c",
    "env-other": "#34456b",
    "env-text": "#ffffff",
    "armed": "#ffb454",
    "armed-text": "#1b1200",
}

_LIGHT = {
    "drift-deleting": "#b00030",
    "drift-hollow": "#b23c00",
    "drift-missing": "#8f5200",
    "drift-orphaned": "#a8205f",
    "drift-unexpected": "#6c2fa0",
    "drift-differs": "#6f5f00",
    "drift-unknown": "#5c6470",
    "drift-in-sync": "#1d6b3a",
    "tone-muted": "#5c6675",
    "tone-stale": "#737b88",
    "tone-good": "#1d6b3a",
    "tone-warning": "#8f5200",
    "tone-bad": "#b00030",
    "tone-key": "#0a58a6",
    "cursor": "#cfe0f5",
    "cursor-blurred": "#e3e9f0",
    "bar": "#e6eaf0",
    "env-production": "#b3173a",
    "env-qualification": "#8a5a00",
    "env-drill": "#13665c",
    "env-other": "#34456b",
    "env-text": "#ffffff",
    "armed": "#b35c00",
    "armed-text": "#ffffff",
}

_CONTRAST = {
    "drift-deleting": "#ff6666",
    "drift-hollow": "#ff9955",
    "drift-missing": "#ffcc00",
    "drift-orphaned": "#ff88cc",
    "drift-unexpected": "#dd99ff",
    "drift-differs": "#ffff55",
    "drift-unknown": "#ffffff",
    "drift-in-sync": "#55ff88",
    "tone-muted": "#dddddd",
    "tone-stale": "#bbbbbb",
    "tone-good": "#55ff88",
    "tone-warning": "#ffcc00",
    "tone-bad": "#ff6666",
    "tone-key": "#66ddff",
    "cursor": "#003c78",
    "cursor-blurred": "#2b2b2b",
    "bar": "#1a1a1a",
    "env-production": "#cc0022",
    "env-qualification": "#8a5200",
    "env-drill": "#006655",
    "env-other": "#003c88",
    "env-text": "#ffffff",
    "armed": "#ffcc00",
    "armed-text": "#000000",
}

_COLOUR_BLIND = _DARK | {
    "drift-deleting": "#ff7a33",
    "drift-hollow": "#e69f00",
    "drift-missing": "#f0e442",
    "drift-orphaned": "#cc79a7",
    "drift-unexpected": "#d9a3c4",
    "drift-differs": "#56b4e9",
    "drift-unknown": "#9aa3b2",
    "drift-in-sync": "#33c19a",
    "tone-good": "#56b4e9",
    "tone-warning": "#f0e442",
    "tone-bad": "#ff7a33",
    "tone-key": "#56b4e9",
    "env-production": "#a34700",
    "env-qualification": "#6b5a00",
    "env-drill": "#005f8a",
}

DEFAULT_THEME = "abreast-dark"

THEMES: tuple[Theme, ...] = (
    Theme(
        DEFAULT_THEME,
        primary="#7cc4ff",
        secondary="#4a6fa5",
        warning="#ffb454",
        error="#ff5c7c",
        success="#6fbf8b",
        accent="#7cc4ff",
        foreground="#d8dee9",
        background="#0f141d",
        surface="#161d2a",
        panel="#1d2636",
        variables=_DARK,
    ),
    Theme(
        "abreast-light",
        primary="#0a58a6",
        secondary="#4a6fa5",
        warning="#8f5200",
        error="#b00030",
        success="#1d6b3a",
        accent="#0a58a6",
        foreground="#1c2430",
        background="#f7f8fa",
        surface="#eceff4",
        panel="#e2e7ee",
        dark=False,
        variables=_LIGHT,
    ),
    Theme(
        "abreast-high-contrast",
        primary="#66ddff",
        secondary="#ffffff",
        warning="#ffcc00",
        error="#ff6666",
        success="#55ff88",
        accent="#66ddff",
        foreground="#ffffff",
        background="#000000",
        surface="#0a0a0a",
        panel="#1a1a1a",
        variables=_CONTRAST,
    ),
    Theme(
        "abreast-colour-blind",
        primary="#56b4e9",
        secondary="#0072b2",
        warning="#f0e442",
        error="#ff7a33",
        success="#56b4e9",
        accent="#56b4e9",
        foreground="#e2e6ec",
        background="#0f141d",
        surface="#161d2a",
        panel="#1d2636",
        variables=_COLOUR_BLIND,
    ),
)


def named(name: str | None) -> str:
    """The theme of that name, with or without `abreast-`. Raises ConfigurationError when there is none."""
    if not name:
        return DEFAULT_THEME
    names = [theme.name for theme in THEMES]
    for candidate in (name, f"abreast-{name}"):
        if candidate in names:
            return candidate
    short = ", ".join(known.removeprefix("abreast-") for known in names)
    raise ConfigurationError(f"theme: there is no theme {name!r}.", next_step=f"Choose one of {short}.")


def following(name: str) -> str:
    """The name of the theme after this one."""
    names = [theme.name for theme in THEMES]
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]
