"""A capture put into the stand-in CloudStack and a CI database of the sample schema: to rehearse on.

Ids are kept, of whatever the capture has; passwords are new and nobody knows them. What the stand-in's zone
does not have is made under the captured name and id. A domain that is not listed any more, and of which VMs
are left, is hidden and holds its name while it is being deleted, as in CloudStack. ROOT keeps an id of its
own: the stand-in must never pass for the captured server.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sync.capture import Capture
from sync.captured_catalog import Catalog
from sync.captured_networks import Networks
from sync.machine_states import GONE, RECOVERABLE
from sync.model import Account as CapturedAccount
from sync.model import Domain as CapturedDomain
from sync.model import OwnedResource
from sync.model import VirtualMachine as CapturedVm
from sync.named import Named
from sync.sandbox import persistence
from sync.sandbox.clock import ManualClock
from sync.sandbox.downloads import SETTING as FETCHING
from sync.sandbox.lifecycle import ANY_PUBLIC_ADDRESS
from sync.sandbox.passwords import hashed
from sync.sandbox.records import Account, Domain, User, World
from sync.sandbox.records_machines import (
    Nic,
    Project,
    Snapshot,
    Template,
    VirtualMachine,
    Volume,
)
from sync.sandbox.seed import fresh_cloud
from sync.sandbox.worlds.ci_rows import SCHEMA

_TYPES = {"User": 0, "Admin": 1, "DomainAdmin": 2, "ResourceAdmin": 4}
"""Role type → account type."""
_PROJECT = 5


def release_for(capture: Capture) -> str:
    """Which of the stand-in's two releases is nearest to the captured server's."""
    numbers = capture.actual.release.split(".")
    with suppress(ValueError, IndexError):
        if (int(numbers[0]), int(numbers[1])) <= (4, 18):
            return "4.18"
    return "4.23"


def write_world(
    capture: Capture,
    path: Path,
    *,
    now: datetime,
    release: str | None = None,
    named: Named | None = None,
) -> tuple[str, ...]:
    """Write a state file with which a sandbox starts as the capture was; what could not be put in, in words.

    `named` is what the server was asked for by name. Raises OSError.
    """
    world = World(release=release or release_for(capture), clock=ManualClock(now))
    fresh_cloud(world)
    world.settings[FETCHING] = "true"
    world.settings[ANY_PUBLIC_ADDRESS] = "true"
    builder = _Builder(world, capture)
    builder.build()
    if named is not None:
        builder.catalog.agree_with(named)
    persistence.save(world, path)
    return builder.notes()


def write_ci_database(capture: Capture, path: Path) -> None:
    """Write the captured projects as a CI database of the sample schema.

    Raises FileExistsError: a database that is there is never written over.
    """
    path.open("xb").close()
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, columns in SCHEMA.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
        for table, row in _ci_rows(capture):
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608 - own names


def _ci_rows(capture: Capture) -> Iterator[tuple[str, tuple[str | int | None, ...]]]:
    for project in capture.desired.projects.values():
        name = project.name
        yield "projects", (name, project.network_domain, int(project.enabled), project.domain_id)
        for one in (*project.members, *project.unusable):
            person = (one.email, one.firstname, one.lastname, one.role, int(one.enabled))
            yield "members", (name, one.username, *person)
        for agent in project.agents:
            yield "agents", (name, agent.name, agent.vm, agent.address)
        for resource, maximum in project.quotas.items():
            yield "quotas", (name, resource, maximum)
    for retired in capture.desired.retired:
        yield "retired", (retired.project, retired.by, retired.at, retired.reason)


class _Builder:
    """Adds what was captured to a fresh cloud, from above to below."""

    def __init__(self, world: World, capture: Capture) -> None:
        self.world = world
        self.actual = capture.actual
        self.catalog = Catalog(world)
        self.networks = Networks(world, self.catalog, self._time)
        self.now = world.now()
        self.admin = next(one for one in world.accounts.values() if one.name == "admin" and one.is_default)
        self.roles = {role.name: role for role in world.roles.values()}
        self.accounts: dict[tuple[str, str], Account] = {}
        """By domain and name, in lower case."""
        self.projects: dict[tuple[str, str], Account] = {}
        self.unlisted: set[str] = set()
        """Ids of domains that are not listed any more, of which something is left."""
        self.left_out: dict[str, int] = {}

    def build(self) -> None:
        """Everything, in an order in which each finds what it belongs to."""
        actual = self.actual
        for domain in sorted((*actual.domains, *actual.elsewhere), key=lambda one: (one.level, one.path)):
            self._domain(domain)
        self._unlisted_domains()
        for account in actual.accounts:
            self._account(account)
        for row in actual.projects:
            self._owned("CloudStack Projects", row, self._project)
        for row in actual.networks:
            self._owned("networks", row, self.networks.network)
        for table, rows in (("templates", actual.templates), ("isos", actual.isos)):
            for row in rows:
                self._owned(table, row, lambda one, owner, table=table: self._image(one, owner, table))
        for vm in actual.vms:
            self._owned("VMs", vm, self._machine)
        for row in actual.public_addresses:
            self._owned("public addresses", row, self.networks.address)
        for row in actual.volumes:
            self._owned("volumes", row, self._volume)
        for row in actual.snapshots:
            self._owned("snapshots", row, self._snapshot)

    def notes(self) -> tuple[str, ...]:
        """What could not be put in."""
        return tuple(
            f"{count} {what} left out: their domain or account is not in the capture"
            for what, count in self.left_out.items()
        )

    # --- domains and people -------------------------------------------------------------------------------

    def _domain(self, one: CapturedDomain) -> None:
        if one.path == "ROOT" or one.id in self.world.domains:
            return
        above = self.world.domains.get(one.parent_id or "") or self._chain(one.path.rpartition("/")[0])
        made = self._made_domain(one.id, one.name, above)
        made.state, made.network_domain = one.state, one.network_domain
        self.world.put("domains", made)
        if one.limits:
            self.world.limits[made.id] = dict(one.limits)

    def _chain(self, path: str) -> Domain:
        """The domain of a path above the captured ones, made where it is not there."""
        found = self.world.domains[self.world.root_id]
        for name in path.split("/")[1:]:
            below = self.world.child_named(found.id, name)
            if below is None:
                below = self._made_domain(self.world.new_id(), name, found)
                self.world.put("domains", below)
            found = below
        return found

    def _made_domain(self, id: str, name: str, above: Domain) -> Domain:
        return Domain(
            id=id,
            number=self.world.next_number("domains"),
            name=name,
            parent_id=above.id,
            path=f"{above.path}/{name}",
            level=above.level + 1,
            owner_id=self.admin.id,
            created=self.now - timedelta(days=1),
        )

    def _account(self, one: CapturedAccount) -> None:
        if one.domain_id not in self.world.domains:
            self._leave_out("accounts")
            return
        role = self.roles.get(one.role) or self.roles["User"]
        made = Account(
            id=one.id,
            number=self.world.next_number("accounts"),
            name=one.name,
            domain_id=one.domain_id,
            role_id=role.id,
            type=_TYPES.get(role.type, 0),
            state=one.state,
            created=self._time(one.created),
        )
        self.world.put("accounts", made)
        self.accounts[one.domain_id, one.name.casefold()] = made
        for person in one.users:
            user = User(
                id=person.id,
                number=self.world.next_number("users"),
                account_id=made.id,
                username=person.username,
                firstname=person.firstname,
                lastname=person.lastname,
                email=person.email,
                password=hashed(secrets.token_urlsafe(24)),
                state=person.state,
                source=person.source,
                created=made.created,
            )
            self.world.put("users", user)

    # --- what is owned ------------------------------------------------------------------------------------

    def _owned(self, what: str, one: Any, put: Any) -> None:
        """Give a thing to its account or CloudStack Project; count it where neither was captured."""
        key = (one.domain_id, (one.project or one.account or "").casefold())
        owner = (self.projects if one.project else self.accounts).get(key)
        if owner is None and one.account and one.domain_id in self.unlisted:
            owner = self.accounts[key] = self._removed_account(one)
        if owner is None:
            self._leave_out(what)
        else:
            put(one, owner)

    def _removed_account(self, one: Any) -> Account:
        """The owner of what is left of a domain that is not listed any more: gone, as everybody of it."""
        made = Account(
            id=self.world.new_id(),
            number=self.world.next_number("accounts"),
            name=one.account,
            domain_id=one.domain_id,
            role_id=self.roles["User"].id,
            type=_TYPES["User"],
            created=self.now - timedelta(days=1),
        )
        self.world.put("accounts", made)
        self.world.bury("accounts", made.id)
        return made

    def _unlisted_domains(self) -> None:
        """Hidden, and holding their names, while they are being deleted; known as removed otherwise."""
        actual = self.actual
        owned: tuple[CapturedVm | OwnedResource, ...] = (
            *actual.vms,
            *actual.volumes,
            *actual.snapshots,
            *actual.templates,
            *actual.networks,
            *actual.public_addresses,
        )
        listed = {one.id for one in (*actual.domains, *actual.elsewhere)}
        paths = {one.domain_id: one.domain_path for one in owned if one.domain_id not in listed}
        self.unlisted.update(paths)
        is_dying = any(job.deletes_domain for job in actual.jobs or ())
        for id, path in sorted(paths.items(), key=lambda one: (one[1].count("/"), one[1])):
            whole = path if "/" in path else f"{actual.scope.parent}/{path}"
            parent, _, name = whole.rpartition("/")
            above = self._chain(parent)
            made = self._made_domain(id, name, above)
            made.state, made.inactive_since = "Inactive", self.now
            if is_dying and self.world.child_named(above.id, name) is None:
                self.world.put("domains", made)
            else:
                made.removed = self.now
                self.world.graveyard["domains"][id] = made

    def _leave_out(self, what: str) -> None:
        self.left_out[what] = self.left_out.get(what, 0) + 1

    def _project(self, one: OwnedResource, owner: Account) -> None:
        account = Account(
            id=self.world.new_id(),
            number=self.world.next_number("accounts"),
            name=one.details.get("projectaccountname", f"PrjAcct-{one.name}"),
            domain_id=one.domain_id,
            role_id=None,
            type=_PROJECT,
            project_id=one.id,
            created=self._time(one.created),
        )
        made = Project(
            id=one.id,
            number=self.world.next_number("projects"),
            name=one.name,
            display_text=one.details.get("displaytext", one.name),
            account_id=account.id,
            domain_id=one.domain_id,
            owner_ids=[owner.id],
            state=one.state or "Active",
            created=account.created,
        )
        self.world.put("accounts", account)
        self.world.put("projects", made)
        self.world.usage.add(owner.id, "project", 1)
        self.projects[one.domain_id, one.name.casefold()] = account

    def _image(self, one: OwnedResource, owner: Account, table: str) -> None:
        made = self._template(one.id, one.name, one.details, owner, size=one.size or 0)
        made.status = one.state or made.status
        made.ready = made.status == "Download Complete"
        made.created = self._time(one.created)
        self.world.put(table, made)
        self.world.usage.add(owner.id, "template", 1)
        self.world.usage.add(owner.id, "secondarystorage", one.size or 0)

    def _template(
        self, id: str, name: str, details: Mapping[str, str], owner: Account, *, size: int = 0
    ) -> Template:
        public = details.get("ispublic") == "True"
        return Template(
            id=id,
            number=self.world.next_number("templates"),
            name=name,
            display_text=details.get("displaytext", name),
            account_id=owner.id,
            zone_id=self.catalog.zone(details),
            os_type_id=self.catalog.os_type(details.get("ostypename", "")) or next(iter(self.world.os_types)),
            format=details.get("format", "VHD"),
            type=details.get("templatetype", "USER"),
            size=size,
            physical_size=size,
            counted_size=size,
            public=public,
            extractable=details.get("isextractable") == "True",
            featured=details.get("isfeatured") == "True",
            url=details.get("url"),
            checksum=details.get("checksum"),
            created=self.now - timedelta(days=1),
        )

    def _machine(self, one: CapturedVm, owner: Account) -> None:
        details = one.details
        users = self.world.users_of(owner.id)
        is_running = one.state == "Running"
        host = next(iter(self.world.hosts))
        number = self.world.next_number("vms")
        template = self._template_of(details)
        offering = self.world.offerings[self.catalog.entry("offerings", details, "serviceoffering")]
        made = VirtualMachine(
            id=one.id,
            number=number,
            name=one.name,
            display_name=details.get("displayname", one.name),
            instance_name=details.get("instancename", f"i-{owner.number}-{number}-VM"),
            account_id=owner.id,
            user_id=users[0].id if users else next(iter(self.world.users)),
            zone_id=self.catalog.zone(details),
            template_id=template.id,
            offering_id=offering.id,
            os_type_id=self.catalog.os_type(details.get("osdisplayname", "")) or template.os_type_id or "",
            state=one.state,
            host_id=host if is_running else None,
            last_host_id=host,
            delete_protection=one.delete_protected is True,
            counted=one.state.casefold() not in GONE,
            created=self._time(one.created),
            updated=self._time(one.created),
            destroyed_at=self.now if one.state.casefold() in RECOVERABLE else None,
        )
        self.world.put("vms", made)
        self._nics(one, made)
        if made.counted:
            self.world.usage.add(owner.id, "vm", 1)
            self.world.usage.add(owner.id, "cpu", int(offering.row["cpunumber"]))
            self.world.usage.add(owner.id, "memory", int(offering.row["memory"]))

    def _nics(self, one: CapturedVm, vm: VirtualMachine) -> None:
        for device, nic in enumerate(one.nics):
            if nic.network_id not in self.world.networks:
                self._leave_out("NICs")
                continue
            made = Nic(
                id=self.world.new_id(),
                number=self.world.next_number("nics"),
                vm_id=vm.id,
                network_id=nic.network_id,
                address=nic.address,
                mac=nic.mac,
                device=device,
                is_default=nic.is_default,
                created=vm.created,
            )
            self.world.put("nics", made)
            vm.nic_ids.append(made.id)

    def _volume(self, one: OwnedResource, owner: Account) -> None:
        details = one.details
        vm = self.world.vms.get(details.get("virtualmachineid", ""))
        is_root = details.get("type") == "ROOT"
        has_disk = "diskofferingid" in details
        made = Volume(
            id=one.id,
            number=self.world.next_number("volumes"),
            name=one.name,
            type=details.get("type", "DATADISK"),
            account_id=owner.id,
            zone_id=self.catalog.zone(details),
            size=one.size or 0,
            state=one.state,
            vm_id=vm.id if vm is not None else None,
            device=int(details["deviceid"])
            if details.get("deviceid", "").isdecimal()
            else 0
            if is_root
            else 1,
            template_id=vm.template_id if vm is not None and is_root else None,
            offering_id=vm.offering_id if vm is not None and is_root else None,
            disk_offering_id=self.catalog.entry("disk_offerings", details, "diskoffering")
            if has_disk
            else None,
            pool_id=self.catalog.entry("pools", details, "storage") if "storageid" in details else None,
            path=details.get("path"),
            created=self._time(one.created),
            attached=None if vm is None or is_root else self._time(one.created),
        )
        self.world.put("volumes", made)
        self.world.usage.add(owner.id, "volume", 1)
        self.world.usage.add(owner.id, "primarystorage", made.size)

    def _snapshot(self, one: OwnedResource, owner: Account) -> None:
        volume_id = one.details.get("volumeid", "")
        if self.world.find("volumes", volume_id) is None:
            # Its volume is gone, as volumes of snapshots may be: known as removed.
            self.world.graveyard["volumes"][volume_id] = Volume(
                id=volume_id,
                number=self.world.next_number("volumes"),
                name=one.details.get("volumename", "gone"),
                type=one.details.get("volumetype", "ROOT"),
                account_id=owner.id,
                zone_id=self.catalog.zone(one.details),
                size=one.size or 0,
                created=self._time(one.created),
                removed=self.now,
            )
        made = Snapshot(
            id=one.id,
            number=self.world.next_number("snapshots"),
            name=one.name,
            account_id=owner.id,
            volume_id=volume_id,
            size=one.size or 0,
            state=one.state,
            interval=one.details.get("intervaltype", "MANUAL"),
            created=self._time(one.created),
        )
        self.world.put("snapshots", made)
        self.world.usage.add(owner.id, "snapshot", 1)
        self.world.usage.add(owner.id, "secondarystorage", made.size)

    # --- what the zone has --------------------------------------------------------------------------------

    def _template_of(self, details: Mapping[str, str]) -> Template:
        """The template of a VM; of one that was not captured (a public one) a stand-in of its name and id."""
        id, name = details.get("templateid", ""), details.get("templatename", "")
        found = self.world.templates.get(id) or self.world.isos.get(id)
        if found is None and not id:
            found = next(one for one in self.world.templates.values() if one.type == "BUILTIN")
        if found is None:
            place = {key: details[key] for key in ("zonename", "zoneid") if key in details}
            public = place | {"ispublic": "True", "ostypename": details.get("osdisplayname", "")}
            found = self._template(id, name or "unknown template", public, self.admin)
            self.world.put("templates", found)
        assert isinstance(found, Template)
        return found

    def _time(self, text: str) -> datetime:
        with suppress(ValueError):
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")
        return self.now - timedelta(days=1)
