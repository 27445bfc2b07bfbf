"""The filter of the overview: words, kinds, and what is no kind."""

from __future__ import annotations

import pytest

from console.state import Filter
from sync.model import DriftKind


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("", None),
        ("dune", None),
        (":", None),
        (":missing", {DriftKind.MISSING}),
        (":mis", {DriftKind.MISSING}),
        (":+", {DriftKind.MISSING}),
        (":missing :hollow", {DriftKind.MISSING, DriftKind.HOLLOW}),
        (":nonsense", set()),
        (":nonsense :missing", {DriftKind.MISSING}),
    ],
)
def test_the_kinds_that_are_asked_for(text: str, kinds: set[DriftKind] | None) -> None:
    """What is no kind lets no row through: showing all of them would look as if they matched."""
    assert Filter(text).kinds() == kinds


def test_what_is_no_kind_is_said() -> None:
    assert Filter(":nonsense").describe() == "filter: drift, “:nonsense”, “:nonsense” is no kind"
    assert Filter(":missing").describe() == "filter: drift, “:missing”"
