"""The small values of this package: what a credential has, what a submission and a job answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sync.model import JsonObject

Clock = Callable[[], datetime]
Progress = Callable[[str, int], None]
"""Called with a list's name and the rows read of it so far, from several threads."""


class Secret(Protocol):
    """A text that does not show itself in a repr."""

    def reveal(self) -> str: ...


class Credentials(Protocol):
    """What a connection needs; `sync.settings.Credentials` has it."""

    @property
    def endpoint(self) -> str: ...
    @property
    def key(self) -> Secret: ...
    @property
    def secret(self) -> Secret: ...
    @property
    def verify(self) -> bool | str: ...
    @property
    def timeout_seconds(self) -> float: ...
    @property
    def source(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Submission:
    """The answer to a changing call that CloudStack accepted."""

    job_id: str | None
    """The job that does it; None when the call was synchronous and is done."""
    body: JsonObject = field(repr=False)
    """The answer inside its wrapper. Not for logs: answers about users carry their API keys."""


@dataclass(frozen=True, slots=True)
class JobState:
    id: str
    status: str
    """`pending`, `succeeded` or `failed`."""
    code: int = 0
    """CloudStack's error code of a failed job; 0 otherwise."""
    text: str = ""
    """CloudStack's words about a failed job: for people, never to decide by."""
    result: JsonObject = field(default_factory=dict, repr=False)
    """The result of a job that succeeded."""
