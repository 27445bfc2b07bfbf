"""The exception tree. Each error knows its exit code and carries a text that says what happened, to what,
and what to do next. None of them ever carries a secret.

AbreastError
├── UsageError                    the command line asks for something that does not exist         64
├── ConfigurationError            a file, key or value of ours is wrong                           78
│   └── MappingError              a query of the mapping does not give the fields it must         78
├── SourceError                   a side could not be read                                         3
│   ├── UnreachableError          no route, refused, time-out, TLS, not yet started
│   ├── NotCloudStackError        something answered, but not CloudStack's API
│   ├── UnauthorizedError         401: key, signature, clock, disabled user or unknown command
│   ├── ForbiddenError            432: the role may not call this
│   ├── ThrottledError            429: wait is in `retry_after_seconds`
│   ├── RefusedError              CloudStack understood and refused; `code` is its error code
│   ├── IncompleteError           a list could not be proven complete
│   └── DataError                 what was read contradicts itself (two projects of one name, …)
├── OutcomeUnknownError           a changing call was sent and no answer came                      3
├── GuardError                    a guard refused                                                  1
│   ├── StaleError                a precondition no longer holds, or a plan expired
│   └── LeaseHeldError            another execution is running
├── CaptureError                  captures cannot be written or read, or do not verify             3
├── LedgerError                   the record cannot be written or does not verify                  3
├── StorageError                  a file cannot be written: the disk is full or fails              3
└── StoppedError                  the operator stopped it                                        130
"""

from __future__ import annotations

import errno
from typing import ClassVar

EXIT_DONE = 0
EXIT_DRIFT = 1
EXIT_CRITICAL = 2
EXIT_UNKNOWN = 3
EXIT_USAGE = 64
EXIT_CONFIGURATION = 78
EXIT_STOPPED = 130


class AbreastError(Exception):
    """Base of all errors that abreast raises on purpose."""

    exit_code: ClassVar[int] = EXIT_UNKNOWN

    def __init__(self, what: str, *, next_step: str = "") -> None:
        """`what` happened and to what, in one sentence; `next_step` is what the reader can do about it."""
        super().__init__(what)
        self.what = what
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what} {self.next_step}".strip()


class UsageError(AbreastError):
    exit_code = EXIT_USAGE


class ConfigurationError(AbreastError):
    exit_code = EXIT_CONFIGURATION


class MappingError(ConfigurationError):
    pass


class SourceError(AbreastError):
    exit_code = EXIT_UNKNOWN


class UnreachableError(SourceError):
    def __init__(self, what: str, *, next_step: str = "", retry_after_seconds: float = 0.0) -> None:
        """`retry_after_seconds` where whoever answered asked for a wait; else 0."""
        super().__init__(what, next_step=next_step)
        self.retry_after_seconds = retry_after_seconds


class NotCloudStackError(SourceError):
    pass


class UnauthorizedError(SourceError):
    pass


class ForbiddenError(SourceError):
    pass


class ThrottledError(SourceError):
    def __init__(self, what: str, *, next_step: str = "", retry_after_seconds: float = 1.0) -> None:
        super().__init__(what, next_step=next_step)
        self.retry_after_seconds = retry_after_seconds


class RefusedError(SourceError):
    """CloudStack's refusal. Its text is for people: never decide by it, hardly by the code."""

    def __init__(self, what: str, *, next_step: str = "", code: int = 0) -> None:
        super().__init__(what, next_step=next_step)
        self.code = code


class IncompleteError(SourceError):
    pass


class DataError(SourceError):
    pass


class OutcomeUnknownError(AbreastError):
    exit_code = EXIT_UNKNOWN


class GuardError(AbreastError):
    exit_code = EXIT_DRIFT


class StaleError(GuardError):
    pass


class LeaseHeldError(GuardError):
    pass


class CaptureError(AbreastError):
    exit_code = EXIT_UNKNOWN


class LedgerError(AbreastError):
    exit_code = EXIT_UNKNOWN


class StorageError(AbreastError):
    exit_code = EXIT_UNKNOWN


class StoppedError(AbreastError):
    exit_code = EXIT_STOPPED


_TAKES_NO_FILE = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EEXIST,
        errno.ELOOP,
        errno.ENAMETOOLONG,
    }
)


def unwritable(what: str, error: OSError, *, next_step: str = "Name another place.") -> AbreastError:
    """Why a file that was asked for is not written, `what` without a full stop: wrong usage where the place
    takes no such file (no folder, no permission), else the disk's fault, which no other words would mend."""
    said = f"{what}: {error.strerror or type(error).__name__}."
    if error.errno in _TAKES_NO_FILE:
        return UsageError(said, next_step=next_step)
    return StorageError(said, next_step=f"Make room on that disk. {next_step}".strip())
