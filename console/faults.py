"""Turns what was not expected into an error for people, without its text: that could hold a secret."""

from __future__ import annotations

import traceback

from sync.errors import AbreastError


def as_error(error: BaseException, *, doing: str, changes: bool = False) -> AbreastError:
    """`error` itself where it is one of ours; else one that names its type and place. `changes` where what
    broke changes something: then nobody may be told that nothing was changed."""
    if isinstance(error, AbreastError):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    what = "This is a fault of abreast, nothing was changed by it: please report it with this text."
    if changes:
        what = (
            "This is a fault of abreast, and something may have been changed: what was sent stands in the "
            "ledger. Read that first, then report this text."
        )
    return AbreastError(f"abreast failed while {doing}: {type(error).__name__}{place}.", next_step=what)
