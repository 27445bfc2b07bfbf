"""The calls of retirements: the only client that can send a deletion, one object at a time, never a clean-up.

It is made for one step of one approved retirement, with a permit that names every call and object of that
step, and is dropped with it: nothing in the product can delete what nobody signed for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from sync.cloudstack import capabilities as asking
from sync.cloudstack.capabilities import Capabilities
from sync.cloudstack.values import Clock, Credentials, Submission
from sync.errors import GuardError

if TYPE_CHECKING:
    from sync.cloudstack.client import Connection


@dataclass(frozen=True, slots=True)
class Permit:
    """What one step of one retirement may send."""

    retirement: str
    step: str
    calls: frozenset[tuple[str, str]]
    """Pairs of a command and the id of the object that it is about."""


def offered(credentials: Credentials, *, clock: Clock = lambda: datetime.now(UTC)) -> Capabilities:
    """What this server offers to a key, asked now. Raises SourceError."""
    from sync.cloudstack.client import Connection

    return _asked(Connection(credentials, clock=clock, keep_alive=False))


def _asked(connection: Connection) -> Capabilities:
    return asking.ask(connection.read, key=connection.key, endpoint=connection.endpoint)


class Retirer:
    """Sends the calls of one step with the writing key."""

    ALLOWED: frozenset[str] = frozenset(
        {
            "disableAccount",
            "enableAccount",
            "suspendProject",
            "activateProject",
            "createTemplate",
            "extractVolume",
            "extractTemplate",
            "extractIso",
            "destroyVirtualMachine",
            "recoverVirtualMachine",
            "startVirtualMachine",
            "deleteSnapshot",
            "deleteTemplate",
            "deleteIso",
            "deleteVolume",
            "deleteNetwork",
            "deleteProject",
            "deleteAccount",
            "deleteDomain",
        }
    )
    """Everything that a retirement can ask CloudStack to do."""

    FIXED: Mapping[str, Mapping[str, str]] = MappingProxyType(
        {
            "disableAccount": {"lock": "false"},
            "extractVolume": {"mode": "HTTP_DOWNLOAD"},
            "extractTemplate": {"mode": "HTTP_DOWNLOAD"},
            "extractIso": {"mode": "HTTP_DOWNLOAD"},
            "destroyVirtualMachine": {"expunge": "false"},
            "deleteProject": {"cleanup": "false"},
            "deleteDomain": {"cleanup": "false"},
        }
    )
    """Command → parameters that have this value and no other, whoever asks."""

    PARAMETERS: Mapping[str, frozenset[str]] = MappingProxyType(
        dict.fromkeys(ALLOWED, frozenset({"id"}))
        | {
            "disableAccount": frozenset({"id", "lock"}),
            "createTemplate": frozenset({"volumeid", "name", "displaytext", "ostypeid"}),
            "extractVolume": frozenset({"id", "mode", "zoneid"}),
            "extractTemplate": frozenset({"id", "mode", "zoneid"}),
            "extractIso": frozenset({"id", "mode", "zoneid"}),
            "destroyVirtualMachine": frozenset({"id", "expunge"}),
            "deleteProject": frozenset({"id", "cleanup"}),
            "deleteDomain": frozenset({"id", "cleanup"}),
        }
    )
    """Command → its parameters: all of them and no other. An archive names no owner: it is the caller's."""

    def __init__(
        self, credentials: Credentials, permit: Permit, *, clock: Clock = lambda: datetime.now(UTC)
    ) -> None:
        """Raises GuardError for a permit that names nothing or what no retirement sends."""
        # Imported here: the first frame does not wait for `cs` and `requests`.
        from sync.cloudstack.client import Connection

        if not (permit.retirement and permit.step and permit.calls):
            raise GuardError("Without a permit for a step of a retirement there is no client that deletes.")
        if not all(command in self.ALLOWED and id for command, id in permit.calls):
            raise GuardError("The permit names a call that no retirement sends, or no object.")
        self._permit = permit
        self._connection = Connection(credentials, clock=clock, keep_alive=False)

    def __repr__(self) -> str:
        return f"<Retirer at {self._connection.endpoint}, {self._permit.retirement} {self._permit.step}>"

    @property
    def calls(self) -> int:
        """API calls sent so far."""
        return self._connection.calls

    def capabilities(self) -> Capabilities:
        """What this server offers to the writing key, asked now. Raises SourceError."""
        return _asked(self._connection)

    def submit(self, command: str, parameters: Mapping[str, str]) -> Submission:
        """Sends one call that the permit names, once.

        Raises GuardError when it may not be sent, OutcomeUnknownError when it was sent and no answer came,
        and SourceError when it is known not to have been carried out.
        """
        if command not in self.ALLOWED:
            raise GuardError(f"{command} is not among the calls of retirements.")
        if frozenset(parameters) != self.PARAMETERS[command] or not all(parameters.values()):
            raise GuardError(f"{command} was not sent: its parameters are not those of retirements.")
        for name, value in self.FIXED.get(command, {}).items():
            if parameters[name] != value:
                raise GuardError(f"{command} was not sent: {name} is {value}, whoever asks.")
        target = parameters["volumeid" if command == "createTemplate" else "id"]
        if (command, target) not in self._permit.calls:
            raise GuardError(
                f"{command} was not sent: “{self._permit.step}” of {self._permit.retirement} does not "
                f"have {target} on its list."
            )
        body = self._connection.change(command, parameters)
        job_id = body.get("jobid")
        return Submission(job_id=str(job_id) if job_id else None, body=body)
