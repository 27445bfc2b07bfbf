"""What an execution reads and sends with, and the ids that it looks up by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from sync.errors import DataError
from sync.model import (
    Account,
    ActualInventory,
    Domain,
    JsonObject,
    OwnedResource,
    Scope,
    User,
    VirtualMachine,
)
from sync.stock import Image, PublicAddress, Zone


class CapabilitiesLike(Protocol):
    @property
    def root_id(self) -> str: ...
    @property
    def endpoint(self) -> str: ...


class JobLike(Protocol):
    @property
    def status(self) -> str: ...
    @property
    def code(self) -> int: ...
    @property
    def text(self) -> str: ...


class SubmissionLike(Protocol):
    @property
    def job_id(self) -> str | None: ...
    @property
    def body(self) -> JsonObject: ...


class ReaderLike(Protocol):
    """What an execution reads with; each method raises SourceError, None means proven not there."""

    @property
    def calls(self) -> int: ...
    @property
    def throttled(self) -> int: ...
    def capabilities(self) -> CapabilitiesLike: ...
    def domain_by_id(self, id: str, /) -> Domain | None: ...
    def domain_by_path(self, path: str, /, *, limits: bool = False) -> Domain | None: ...
    def account(self, domain_id: str, name: str, /) -> Account | None: ...
    def user(self, domain_id: str, username: str, /) -> User | None: ...
    def network(self, domain_id: str, name: str, /) -> OwnedResource | None: ...
    def machine(self, id: str, /) -> VirtualMachine | None: ...
    def role_id(self, name: str, /) -> str: ...
    def zone_id(self, name: str, /) -> str: ...
    def network_offering_id(self, name: str, /) -> str: ...
    def job(self, job_id: str, /) -> JobLike: ...
    def inventory(
        self, scope: Scope, /, *, limits: bool, users: bool, everything: bool
    ) -> ActualInventory: ...

    def images(self, isos: bool, domain_id: str, account: str, name: str, /) -> tuple[Image, ...]: ...
    def machines(self, domain_id: str, account: str, name: str, /) -> tuple[VirtualMachine, ...]: ...
    def address_holder(self, network_id: str, address: str, /) -> str: ...
    def public_addresses(self, *, address: str = "", network_id: str = "") -> tuple[PublicAddress, ...]: ...
    def zone(self, name: str, /) -> Zone | None: ...


class ArchiveLike(Protocol):
    """An archive whose files are being served to CloudStack."""

    def url_of(self, file: str, /, *, sha256: str) -> str:
        """Where CloudStack finds the file. Raises DataError when it is not what the plan says it is."""


class WriterLike(Protocol):
    """What an execution sends with."""

    @property
    def calls(self) -> int: ...
    def submit(self, command: str, parameters: Mapping[str, str], /) -> SubmissionLike: ...


class Lookup:
    """Ids by name, each read once an execution. Threads may share it: reading one twice does no harm."""

    def __init__(self, reader: ReaderLike, archive: ArchiveLike | None = None) -> None:
        self.reader = reader
        self._archive = archive
        self._domains: dict[str, str] = {}
        self._named: dict[tuple[str, str], str] = {}

    def domain_id(self, path: str) -> str | None:
        """Id of the listed domain; None when there is none. Only what exists is remembered."""
        if path not in self._domains:
            domain = self.reader.domain_by_path(path)
            if domain is None:
                return None
            self._domains[path] = domain.id
        return self._domains[path]

    def required_domain_id(self, path: str) -> str:
        """The same; DataError when it is not there."""
        found = self.domain_id(path)
        if found is None:
            raise DataError(f"The domain {path} is not there.", next_step="Read both sides again.")
        return found

    def forget_domain(self, path: str) -> None:
        self._domains.pop(path, None)

    def role_id(self, name: str) -> str:
        return self._once("role", name, self.reader.role_id)

    def zone_id(self, name: str) -> str:
        return self._once("zone", name, self.reader.zone_id)

    def network_offering_id(self, name: str) -> str:
        return self._once("offering", name, self.reader.network_offering_id)

    def served(self, file: str, *, sha256: str) -> str:
        """Where CloudStack finds a file of the archive. Raises DataError where none is served."""
        if self._archive is None:
            raise DataError(
                f"The file {file} is not served.", next_step="`abreast restore` serves an archive."
            )
        return self._archive.url_of(file, sha256=sha256)

    def _once(self, what: str, name: str, read: Callable[[str], str]) -> str:
        if (what, name) not in self._named:
            self._named[what, name] = read(name)
        return self._named[what, name]
