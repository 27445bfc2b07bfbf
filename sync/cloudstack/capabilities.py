"""What this server can do for this key, asked and not guessed: listApis, getUser, listCapabilities.

listApis answers for the asking role, so the answers hold for the key that asked and for no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sync.errors import ForbiddenError
from sync.model import JsonObject

READING_CALLS = (
    "listDomains",
    "listAccounts",
    "listUsers",
    "listVirtualMachines",
    "listVolumes",
    "listSnapshots",
    "listTemplates",
    "listIsos",
    "listNetworks",
    "listPublicIpAddresses",
    "listProjects",
)
"""What an inventory calls; listAsyncJobs may be missing."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    endpoint: str
    release: str = ""
    """As the server writes it (`4.23.0.0-SNAPSHOT`); empty when it does not say."""
    user: str = ""
    account: str = ""
    role_name: str = ""
    role_type: str = ""
    """`Admin`, `ResourceAdmin`, `DomainAdmin`, `User`; empty when the caller could not be asked for."""
    domain_id: str = ""
    domain_path: str = ""
    """Path of the caller's own domain where it is ROOT or known; its name otherwise."""
    root_id: str = ""
    """Id of the ROOT domain; empty when this key does not see it."""
    apis: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    """Command → names of its parameters, in lower case."""

    def has(self, command: str, parameter: str | None = None) -> bool:
        """Whether this key may call `command` here and, if named, whether the server knows the parameter."""
        parameters = self.apis.get(command)
        if parameters is None:
            return False
        return parameter is None or parameter.lower() in parameters

    @property
    def caller(self) -> str:
        """`account/user (role)`."""
        if not self.user:
            return ""
        return f"{self.account}/{self.user} ({self.role_name or self.role_type or 'role unknown'})"

    @property
    def is_root_admin(self) -> bool:
        """An admin of ROOT sees everything; anyone else sees a small world without any error."""
        return bool(self.root_id) and self.domain_id == self.root_id and self.role_type == "Admin"

    def blind_spots(self, calls: tuple[str, ...] = READING_CALLS) -> str:
        """Why this caller's lists prove nothing about what is not in them; empty when they do."""
        problems = []
        if self.role_type == "Admin" and not self.root_id:
            problems.append(
                f"{self.caller} was not shown the ROOT domain, so nothing proves that its lists are "
                "everything: use a key of an account in ROOT, and read again."
            )
        elif not self.is_root_admin:
            who = self.caller or "The caller, who could not be asked for (getUser),"
            role = f"role type {self.role_type}" if self.role_type else "an unknown role type"
            problems.append(
                f"{who} has {role} in {self.domain_path or 'an unknown domain'} and may see a small world "
                "without any error: use a key of an account in ROOT whose role has type Admin."
            )
        missing = [call for call in ("getUser", *calls) if not self.has(call)]
        if missing:
            role_name = self.role_name or "of this key"
            problems.append(f"The role {role_name} may not call {', '.join(missing)}: allow it there.")
        return " ".join(problems)


def ask(read: Callable[..., JsonObject], *, key: str, endpoint: str) -> Capabilities:
    """Asks the server. `read(command, parameters)` makes a call. Raises SourceError.

    A role that may not call one of the three is no error here: what is not known stays empty, and
    `blind_spots` says what follows from it.
    """
    apis = _apis(_allowed(read, "listApis", {}))
    caller = _caller(read, key, apis)
    root = _root(_allowed(read, "listDomains", {"level": "0", "listall": "true"}))
    capability = _allowed(read, "listCapabilities", {}).get("capability", {})
    domain_id = str(caller.get("domainid", ""))
    root_id = str(root.get("id", ""))
    return Capabilities(
        endpoint=endpoint,
        release=str(capability.get("cloudstackversion", "")),
        user=str(caller.get("username", "")),
        account=str(caller.get("account", "")),
        role_name=str(caller.get("rolename", "")),
        role_type=str(caller.get("roletype", "")),
        domain_id=domain_id,
        domain_path="ROOT" if domain_id and domain_id == root_id else str(caller.get("domain", "")),
        root_id=root_id,
        apis=apis,
    )


def _caller(read: Callable[..., JsonObject], key: str, apis: Mapping[str, frozenset[str]]) -> JsonObject:
    """The caller's own row.

    Roles below Admin may not call getUser: then it is looked for among the users that they see, so that the
    role can at least be named.
    """
    if "getUser" in apis:
        user = _allowed(read, "getUser", {"userapikey": key}).get("user", {})
        return user if isinstance(user, dict) else {}
    users = _allowed(read, "listUsers", {"page": "1", "pagesize": "100"}).get("user", ())
    return next((user for user in users if user.get("apikey") == key), {})


def _allowed(read: Callable[..., JsonObject], command: str, parameters: Mapping[str, str]) -> JsonObject:
    try:
        return read(command, parameters)
    except ForbiddenError:
        return {}


def _apis(body: JsonObject) -> dict[str, frozenset[str]]:
    return {
        str(api["name"]): frozenset(
            str(parameter.get("name", "")).lower() for parameter in api.get("params", ())
        )
        for api in body.get("api", ())
        if "name" in api
    }


def _root(body: JsonObject) -> JsonObject:
    """The ROOT domain, told by its level: a domain further down may be called ROOT as well, and a server that
    ignored the parameter would answer with any."""
    for row in body.get("domain", ()):
        if isinstance(row, dict) and row.get("level") == 0:
            return row
    return {}
