"""Waits for what CloudStack does by itself: a job to its end, an effect that has to show. It asks ever more
rarely, and knows nothing of what is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sync.errors import ThrottledError, UnreachableError
from sync.lookup import JobLike

FIRST = 0.25
"""Seconds before it is asked a second time."""
SILENCE = 60.0
"""Seconds that a server may be busy or not answer before a job is taken to be lost."""

Found = TypeVar("Found")


def follow(
    job: Callable[[str], JobLike],
    job_id: str,
    *,
    seconds: float,
    longest: float,
    sleep: Callable[[float], None],
    silence: float = SILENCE,
) -> str:
    """Follow a job to its end; the failure's text, "" on success. `longest` is between two questions.

    Raises UnreachableError when it has not ended after `seconds`, and SourceError when it is lost: also when
    the server throttled or did not answer for longer than `silence`.
    """
    wait, waited, silent = FIRST, 0.0, 0.0
    while waited < seconds:
        try:
            found = job(job_id)
        except (ThrottledError, UnreachableError):
            silent += wait
            if silent > silence:
                raise
        else:
            silent = 0.0
            if found.status == "succeeded":
                return ""
            if found.status == "failed":
                return f"{found.text} (job {job_id}, code {found.code})"
        sleep(wait)
        waited += wait
        wait = min(wait * 2, longest)
    raise UnreachableError(f"The job {job_id} has not ended after {seconds:.0f} s.")


def until(
    look: Callable[[], Found | None], seconds: float, *, longest: float, sleep: Callable[[float], None]
) -> Found | None:
    """Look until something is found, once at least; None when `seconds` have passed without it."""
    wait = FIRST
    while True:
        found = look()
        if found is not None or seconds <= 0:
            return found
        sleep(min(wait, seconds))
        seconds -= wait
        wait = min(wait * 2, longest)
