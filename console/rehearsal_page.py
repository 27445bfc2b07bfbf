"""What was predicted against what was, as lines of the recovery's last pages. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from widgets.lines import Line, wrap

if TYPE_CHECKING:
    from console.ledger_run import LedgerRun


def comparison_lines(found: LedgerRun | None, width: int) -> list[Line]:
    """Of the newest run, where it is over and was rehearsed; nothing otherwise."""
    if found is None or found.compared is None:
        return []
    compared = found.compared
    tone = "tone--good" if compared.is_as_predicted else "tone--warning"
    first, *rest = compared.lines()
    lines: list[Line] = [[(f" Run {found.run_id} was rehearsed", "tone--strong")]]
    lines += [[(f" {text}", tone)] for text in wrap(first, max(10, width - 2))]
    for one in rest:
        lines += [[(f"   {text}", "")] for text in wrap(one.strip(), max(10, width - 4))]
    return [*lines, []]
