"""The calls of containment: an allow-list of its own, each with exactly the parameters it may carry.

Nothing here creates or deletes. Listing goes with the same key, because listApis answers for the role that
asks, and a fence is only worth what the writing key can do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from sync.cloudstack import access
from sync.cloudstack import capabilities as asking
from sync.cloudstack.access import SOURCE_LIST
from sync.cloudstack.capabilities import Capabilities
from sync.cloudstack.paging import Habits, Pager, Query
from sync.cloudstack.values import Clock, Credentials, JobState, Submission
from sync.errors import GuardError
from sync.model import JsonObject

_JOB_STATUS = {0: "pending", 1: "succeeded", 2: "failed"}


class Fence:
    """Sends the calls of containment with the writing key. Usable from several threads."""

    ALLOWED: frozenset[str] = frozenset(
        {"updateUser", "lockUser", "enableUser", "disableUser", "updateConfiguration", "updateVirtualMachine"}
    )
    """Everything that containment can ask CloudStack to change."""

    PARAMETERS: Mapping[str, frozenset[str]] = MappingProxyType(
        {
            "updateUser": frozenset({"id", "apikeyaccess"}),
            "lockUser": frozenset({"id"}),
            "enableUser": frozenset({"id"}),
            "disableUser": frozenset({"id"}),
            "updateConfiguration": frozenset({"name", "accountid", "value"}),
            "updateVirtualMachine": frozenset({"id", "deleteprotection"}),
        }
    )
    """Command → its parameters: all of them and no other."""

    def __init__(self, credentials: Credentials, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        # Imported here: the first frame does not wait for `cs` and `requests`.
        from sync.cloudstack.client import Connection

        self._connection = Connection(credentials, clock=clock, keep_alive=False)
        self._pager = Pager(self._connection.read, habits=Habits())
        self._capabilities: Capabilities | None = None

    def __repr__(self) -> str:
        return f"<Fence at {self._connection.endpoint}>"

    @property
    def calls(self) -> int:
        """API calls sent so far, by all threads."""
        return self._connection.calls

    def capabilities(self) -> Capabilities:
        """What this server offers to the writing key. Asked once. Raises SourceError."""
        if self._capabilities is None:
            self._capabilities = asking.ask(
                self._connection.read, key=self._connection.key, endpoint=self._connection.endpoint
            )
        return self._capabilities

    def submit(self, command: str, parameters: Mapping[str, str]) -> Submission:
        """Sends one call of containment, once.

        Raises GuardError when it may not be sent, OutcomeUnknownError when it was sent and no answer came,
        and SourceError when it is known not to have been carried out.
        """
        if command not in self.ALLOWED:
            raise GuardError(f"{command} is not among the calls of containment.")
        if frozenset(parameters) != self.PARAMETERS[command]:
            raise GuardError(f"{command} was not sent: its parameters are not those of containment.")
        if command == "updateConfiguration" and parameters["name"] != SOURCE_LIST:
            raise GuardError(f"{command} was not sent: containment changes {SOURCE_LIST} and nothing else.")
        if not all(parameters[name] for name in parameters if name != "value"):
            raise GuardError(f"{command} was not sent: one of its values is empty.")
        body = self._connection.change(command, parameters)
        job_id = body.get("jobid")
        return Submission(job_id=str(job_id) if job_id else None, body=body)

    # --- reading back ---------------------------------------------------------------------------------------

    def user(self, user_id: str) -> JsonObject:
        """The user's state, its keys' access where the release shows it, and its account's state.

        Never its key. Raises DataError when it is not listed, and SourceError.
        """
        found = self.user_access(user_id)
        id = str(found.get("accountid", ""))
        account = access.row_of(
            Query("listAccounts", "account", {"id": id, "listall": "true"}), id, self._pager
        )
        return found | {"account_state": account.get("state", "")}

    def user_access(self, user_id: str) -> JsonObject:
        """The same without its account's state."""
        return access.user_access(user_id, self._pager)

    def source_list(self, account_id: str) -> str:
        """The source list that holds for an account. Raises DataError, SourceError."""
        return access.source_list(account_id, self._pager)

    def machine(self, id: str) -> JsonObject:
        """A VM's row. Raises DataError when it is not listed any more, and SourceError."""
        query = Query("listVirtualMachines", "virtualmachine", {"id": id, "listall": "true"})
        return access.row_of(query, id, self._pager)

    def job(self, job_id: str) -> JobState:
        """The state of an asynchronous job. Raises SourceError."""
        body = self._connection.read("queryAsyncJobResult", {"jobid": job_id})
        result = body.get("jobresult")
        result = result if isinstance(result, dict) else {}
        status = _JOB_STATUS.get(body.get("jobstatus", -1), "pending")
        text = self._connection.clean(str(result.get("errortext", ""))) if status == "failed" else ""
        code = result.get("errorcode", 0) if status == "failed" else 0
        return JobState(job_id, status, code=code if isinstance(code, int) else 0, text=text)
