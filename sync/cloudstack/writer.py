"""The changing calls: an allow-list, sent once, never a deletion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from sync.cloudstack.values import Clock, Credentials, Submission
from sync.errors import GuardError

_RESERVED = frozenset(
    {"apikey", "command", "expires", "fetch_list", "fetch_result", "headers", "json", "opcode_name", "page",
     "pagesize", "response", "signature", "signatureversion"}
)  # fmt: skip
"""Names that belong to the protocol, or that `cs` takes as instructions to itself."""
_NOT_A_LETTER = re.compile(r"[^a-z]")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9]*")
"""What the parameters of the allowed calls look like."""


class Writer:
    """Sends changing calls with the writing key. Exists only in an armed console."""

    ALLOWED: frozenset[str] = frozenset(
        {
            "createDomain",
            "updateDomain",
            "createAccount",
            "enableAccount",
            "createUser",
            "updateUser",
            "enableUser",
            "disableUser",
            "updateResourceLimit",
            "createNetwork",
            "associateIpAddress",
            "recoverVirtualMachine",
            "registerTemplate",
            "registerIso",
            "deployVirtualMachine",
            "updateZone",
        }
    )
    """Everything that this software can ask CloudStack to change. There is no deletion among it."""

    ONLY_WITH: Mapping[str, frozenset[str]] = {
        "updateZone": frozenset({"id", "allocationstate"}),
        "associateIpAddress": frozenset({"networkid", "ipaddress"}),
    }
    """Calls that could change much else, with the parameters that they are sent with."""

    def __init__(self, credentials: Credentials, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        # Imported here: the first frame does not wait for `cs` and `requests`.
        from sync.cloudstack.client import Connection

        self._connection = Connection(credentials, clock=clock, keep_alive=False)

    def __repr__(self) -> str:
        return f"<Writer to {self._connection.endpoint}>"

    @property
    def calls(self) -> int:
        """API calls sent so far, by all threads."""
        return self._connection.calls

    def submit(self, command: str, parameters: Mapping[str, str]) -> Submission:
        """Sends one changing call, once, as a POST on a connection of its own.

        Raises GuardError when it may not be sent, OutcomeUnknownError when it was sent and no answer came,
        and SourceError when it is known not to have been carried out: UnreachableError (never sent),
        ThrottledError, RefusedError, ForbiddenError, UnauthorizedError, NotCloudStackError.
        """
        if command not in self.ALLOWED:
            raise GuardError(f"{command} is not among the calls that this software sends.")
        for name in parameters:
            folded = name.casefold()
            if "cleanup" in _NOT_A_LETTER.sub("", folded):
                raise GuardError(f"{command} was not sent: this software never sends a parameter `{name}`.")
            if folded in _RESERVED or not _PARAMETER.fullmatch(name):
                raise GuardError(f"{command} was not sent: `{name}` is no parameter of it.")
            if name not in self.ONLY_WITH.get(command, {name}):
                raise GuardError(f"{command} was not sent: this software sends no `{name}` with it.")
        body = self._connection.change(command, parameters)
        job_id = body.get("jobid")
        return Submission(job_id=str(job_id) if job_id else None, body=body)
