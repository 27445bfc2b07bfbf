"""How a job is followed and an effect waited for: to the end, and not through a lasting silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat

import pytest

from sync.cloudstack.values import JobState
from sync.errors import RefusedError, SourceError, ThrottledError, UnreachableError
from sync.polling import follow, until

PENDING = JobState("j-1", "pending")
SILENT = UnreachableError("no answer")


def answers(*given: JobState | SourceError) -> Callable[[str], JobState]:
    """One after another, the last of them for ever."""
    left: Iterable[JobState | SourceError] = iter([*given[:-1], *repeat(given[-1], 2000)])

    def job(_id: str) -> JobState:
        found = next(iter(left))
        if isinstance(found, SourceError):
            raise found
        return found

    return job


def test_a_job_is_followed_to_its_end_ever_more_rarely() -> None:
    waits: list[float] = []
    done = JobState("j-1", "succeeded")
    job = answers(PENDING, SILENT, ThrottledError("429"), PENDING, done)
    assert follow(job, "j-1", seconds=60, longest=1.0, sleep=waits.append) == ""
    assert waits == [0.25, 0.5, 1.0, 1.0]


def test_the_text_of_its_failure_comes_back() -> None:
    job = answers(PENDING, JobState("j-1", "failed", code=530, text="Failed to delete domain"))
    said = follow(job, "j-1", seconds=60, longest=1.0, sleep=lambda _: None)
    assert said == "Failed to delete domain (job j-1, code 530)"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([PENDING], "has not ended after 60 s"),
        ([SILENT], "no answer"),
        ([PENDING, RefusedError("unknown job", code=431)], "unknown job"),
    ],
)
def test_what_does_not_end_or_is_lost_is_unknown(given: list[JobState | SourceError], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        follow(answers(*given), "j-1", seconds=60, longest=1.0, silence=20, sleep=lambda _: None)


@pytest.mark.parametrize(("seconds", "looks"), [(0.0, 1), (-5.0, 1), (1.0, 4)])
def test_an_effect_is_looked_for_once_at_least_and_until_its_time_is_over(seconds: float, looks: int) -> None:
    seen: list[None] = []
    assert until(lambda: seen.append(None), seconds, longest=0.5, sleep=lambda _: None) is None
    assert len(seen) == looks


def test_what_is_found_ends_the_looking() -> None:
    found = iter([None, None, "there", None])
    assert until(lambda: next(found), 60, longest=1.0, sleep=lambda _: None) == "there"
    assert next(found) is None
