"""How a kind of drift and an outcome look: always a glyph, a word, and a paint."""

from __future__ import annotations

from sync.model import DriftKind, Outcome

KIND_CLASSES: dict[DriftKind, str] = {kind: f"drift--{kind.value.replace(' ', '-')}" for kind in DriftKind}
"""Name of each kind's paint (`widgets.paint`)."""

LOSS_GLYPH = "✝"
"""A machine of the CI database whose VM is gone: no drift, a loss."""

OUTCOME_CLASSES: dict[Outcome, str] = {
    outcome: f"outcome--{outcome.value.replace(' ', '-')}" for outcome in Outcome
}

OUTCOME_GLYPHS: dict[Outcome, str] = {
    Outcome.SUCCEEDED: "✓",
    Outcome.FAILED: "✗",
    Outcome.SKIPPED: "↷",
    Outcome.UNKNOWN: "?",
    Outcome.NOT_RUN: "·",
}


def kind_text(kind: DriftKind) -> str:
    """Glyph and word: `+ missing`."""
    return f"{kind.glyph} {kind.value}"


def outcome_text(outcome: Outcome) -> str:
    """Glyph and word: `✓ succeeded`."""
    return f"{OUTCOME_GLYPHS[outcome]} {outcome.value}"
