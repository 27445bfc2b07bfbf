"""The deletions by name, the worst first: one line each, with what is still alive and what goes next."""

from __future__ import annotations

from collections.abc import Sequence

from sync.deletions import Deletion, Stage
from widgets.cells import fit
from widgets.header import clock_time
from widgets.virtual_list import Piece, VirtualList

STAGE_GLYPHS = {
    Stage.RUNNING: "!",
    Stage.QUEUED: "»",
    Stage.HALF_DONE: "○",
    Stage.ORPHANED: "%",
    Stage.ENDED: "✗",
    Stage.REFUSED: "✓",
}
STAGE_TONES = {
    Stage.RUNNING: "drift--deleting",
    Stage.QUEUED: "tone--warning",
    Stage.HALF_DONE: "drift--hollow",
    Stage.ORPHANED: "drift--orphaned",
    Stage.ENDED: "tone--muted",
    Stage.REFUSED: "tone--good",
}
_BUSY = (Stage.RUNNING, Stage.QUEUED)
_WERE = {Stage.RUNNING: "was under way", Stage.QUEUED: "was submitted"}
_WIDE = 100


def stage_word(stage: Stage, *, past: bool) -> str:
    """The stage's word; in the `past` that of what only an earlier reading saw going on."""
    return _WERE.get(stage, stage.value) if past else stage.value


class DeletionList(VirtualList):
    """Given the deletions; holds none itself."""

    def __init__(self, *, id: str = "deletions") -> None:
        super().__init__(id=id, empty_text="CloudStack is being looked at…")
        self._deletions: Sequence[Deletion] = ()
        self._past = False

    def show(self, deletions: Sequence[Deletion], *, past: bool = False) -> None:
        """Show these, in this order; in the `past`, as an earlier reading saw them."""
        self._deletions, self._past = deletions, past
        self.set_keys([f"{one.kind.value} {one.target_id}" for one in deletions])

    @property
    def current(self) -> Deletion | None:
        """What is under the cursor."""
        return self._deletions[self.cursor] if 0 <= self.cursor < len(self._deletions) else None

    def line(self, index: int, width: int) -> list[Piece]:
        one = self._deletions[index]
        is_busy = one.stage in _BUSY
        tone = STAGE_TONES[one.stage]
        label = 34 if width >= _WIDE else 22
        since = clock_time(one.since) if one.since is not None else ""
        alive = f"{len(one.alive)} alive" if is_busy or one.alive else ""
        pieces: list[Piece] = [
            (f" {STAGE_GLYPHS[one.stage]} {fit(stage_word(one.stage, past=self._past), 15)}", tone),
            (fit(one.label, label, keep_end=True) + " ", "" if is_busy else "tone--muted"),
            (fit(since, 10), "tone--muted"),
            (fit(alive, 10), "tone--strong" if alive else ""),
        ]
        rest = width - sum(len(text) for text, _ in pieces)
        if one.stage is Stage.RUNNING:
            said = f"{'was next' if self._past else 'next'}: {one.next_to_die}"
        elif one.stage is Stage.QUEUED:
            said = "was untouched" if self._past else "untouched yet"
        else:
            said = one.why
        return [*pieces, (fit(said, rest), "" if is_busy else "tone--muted")]
