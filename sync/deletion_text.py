"""What is being deleted, in one or two sentences that name it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sync.deletions import Situation, Stage

_CLOCKS_APART = timedelta(minutes=1)
"""Less is no news: nobody reads a time that closely."""


def clock_words(times: Iterable[datetime | None], now: datetime) -> str:
    """That CloudStack's clock is ahead, where something it tells of is yet to come; empty where it is not."""
    ahead = max((at for at in times if at is not None), default=now) - now
    if ahead < _CLOCKS_APART:
        return ""
    minutes = int(ahead.total_seconds() // 60)
    return f"CloudStack's clock is at least {minutes} min ahead of this one: its times are as it tells them."


def situation_text(situation: Situation, *, past: bool = False) -> str:
    """The state by names and counts; in the `past`, where only an earlier reading of CloudStack told it."""
    if situation.is_unread:
        return "CloudStack could not be read: whether anything is being deleted is not known."
    said = list(_was(situation) if past else _is(situation))
    if past:
        said[0] = f"When CloudStack was last read, at {situation.taken_at:%H:%M:%S} UTC, {said[0]}"
    for stage, words in (
        (Stage.ENDED, "deleted"),
        (Stage.HALF_DONE, "half deleted"),
        (Stage.ORPHANED, "left with VMs and no domain"),
        (Stage.REFUSED, "refused"),
    ):
        found = situation.of(stage)
        if found:
            said.append(f"{len(found)} {words}.")
    if situation.problems and not past:
        said.append("Not everything could be read: what was not seen is not proven absent.")
    return " ".join(said)


def _is(situation: Situation) -> Iterator[str]:
    running, queued = situation.of(Stage.RUNNING), situation.of(Stage.QUEUED)
    if running:
        yield f"Being deleted now: {_named(situation)}."
    if queued:
        yield f"{_count(len(queued), 'more deletion' if running else 'deletion')} submitted."
    if situation.unnamed_jobs:
        yield f"{_count(situation.unnamed_jobs, 'deletion job')} whose target no event names."
    if not situation.is_happening:
        yield "No deletion was seen." if situation.problems else "Nothing is being deleted."


def _was(situation: Situation) -> Iterator[str]:
    running, queued = situation.of(Stage.RUNNING), situation.of(Stage.QUEUED)
    if running:
        yield f"this was being deleted: {_named(situation)}."
    if queued:
        was = "was" if len(queued) == 1 else "were"
        yield f"{_count(len(queued), 'more deletion' if running else 'deletion')} {was} submitted."
    if situation.unnamed_jobs:
        ran = _count(situation.unnamed_jobs, "deletion job")
        yield f"{ran} ran whose target no event names."
    if not situation.is_happening:
        yield "nothing was being deleted."


def _named(situation: Situation) -> str:
    """What goes, as far as there is room, and how much of it is alive."""
    running = situation.of(Stage.RUNNING)
    vms = sum(len(one.alive) for one in running)
    names = ", ".join(one.label for one in running[:3])
    more = f" and {len(running) - 3} more" if len(running) > 3 else ""
    return f"{names}{more} ({_count(vms, 'VM')} still alive)"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
