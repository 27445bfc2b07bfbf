"""Plans what of a capture is made again beside what is there now: networks, addresses, templates, ISOs, VMs.

Pure. Nothing is skipped silently: an object of the capture is there, is planned, or stands among what is left
with its reason. Only creations are planned, each into the rebuilt domain and account of the same name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from sync.archives import Stored
from sync.corpses import below
from sync.machine_states import FAILED, GONE, RECOVERABLE
from sync.model import (
    Action,
    ActionKind,
    ActualInventory,
    Nic,
    OwnedResource,
    Reversibility,
    VirtualMachine,
)
from sync.restoration import REBUILT, AddressChange, Left, Restoration
from sync.restore_addresses import AddressRules, is_in, source_nats_first
from sync.restore_operations import NETWORK_ID
from sync.restore_scene import Home, Means, NotPossibleError, Scene, entry
from sync.stock import WAITING, Entry, GuestNetwork, Image

_BY_HAND = "No undoing deletes: a person takes it back with CloudStack's own "
_ORIGINAL = frozenset({"SYSTEM", "BUILTIN", "ROUTING"})


def wanted_files(before: ActualInventory, now: ActualInventory, means: Means) -> tuple[Stored, ...]:
    """The archives' files that a restore would need: only they have to be checked."""
    restorer = _Restorer(Scene(before, now, means))
    restorer.run()
    return tuple(restorer.used)


def plan_restoration(before: ActualInventory, now: ActualInventory, means: Means) -> Restoration:
    """Everything of `before` below its parent, with what is to become of it.

    `now` has to be complete: what was not seen would be made twice. Files that `means.archives` says to have
    problems are not used.
    """
    restorer = _Restorer(Scene(before, now, means))
    restorer.run()
    return Restoration(
        actions=tuple(restorer.actions),
        left=tuple(restorer.left),
        there=dict(restorer.there),
        addresses=tuple(restorer.addresses),
    )


_Plan = Callable[[str, OwnedResource, Home], None]
"""Plans one object of a type for its home. Raises NotPossibleError."""


class _Restorer:
    """Goes through a capture once: networks, templates, ISOs, VMs, which need them, then public addresses."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.before = scene.before
        self.means = scene.means
        self.actions: list[Action] = []
        self.left: list[Left] = []
        self.there: Counter[str] = Counter()
        self.addresses: list[AddressChange] = []
        self.used: list[Stored] = []
        self._made_networks: dict[tuple[str, str], tuple[str, GuestNetwork]] = {}
        """(domain id, name) → id of its action, and what it will be."""
        self._made_images: dict[str, tuple[str, Home, str]] = {}
        """Old id → id of its action, whose it will be, name."""
        self._first_vms: dict[tuple[str, str], str] = {}
        """(domain id, network) → id of the first action that starts a VM in it."""
        self._address_rules = AddressRules(scene, self._made_networks, self._first_vms)
        self._names: set[tuple[ActionKind, str]] = set()
        self._taken: set[tuple[str, str, str]] = set()
        """(domain id, network, address) that VMs of this plan will have."""

    def run(self) -> None:
        """The recipe."""
        for network in self.before.networks:
            self._take("network", network, self._network)
        for template in self.before.templates:
            self._take("template", template, self._image)
        for iso in self.before.isos:
            self._take("ISO", iso, self._image)
        for vm in self.before.vms:
            self._take_machine(vm)
        for address in source_nats_first(self.before.public_addresses):
            self._take("public address", address, self._public_address)
        self._list_the_rest()

    # --- one object -----------------------------------------------------------------------------------------

    def _take(self, type_name: str, one: OwnedResource, plan: _Plan) -> None:
        if not self.scene.project_of(one.domain_path):
            return
        if self.scene.lives(type_name, one):
            self.there[type_name] += 1
            return
        try:
            plan(type_name, one, self.scene.home(one.domain_path, one.account, one.project))
        except NotPossibleError as why:
            self._leave(type_name, one.name, one.domain_path, str(why))

    def _take_machine(self, vm: VirtualMachine) -> None:
        if not self.scene.project_of(vm.domain_path):
            return
        found = self.scene.machines.get(vm.id)
        try:
            if found is not None and self._lives_on(found):
                self.there["VM"] += 1
            else:
                self._machine(vm, self.scene.home(vm.domain_path, vm.account, vm.project))
        except NotPossibleError as why:
            self._leave("VM", vm.name, vm.domain_path, str(why))

    def _lives_on(self, vm: VirtualMachine) -> bool:
        """Whether the VM of before is where it belongs, and not on its way out. Raises NotPossibleError."""
        if vm.domain_id not in self.scene.listed:
            raise NotPossibleError(
                f"it is still {vm.state} in its old domain, which is being deleted or is gone already"
            )
        if vm.state.casefold() in RECOVERABLE:
            raise NotPossibleError(
                "it is Destroyed and its account lives: recover it, which gives it back whole"
            )
        return vm.state.casefold() not in GONE

    def _leave(self, type_name: str, name: str, path: str, why: str) -> None:
        self.left.append(Left(type_name, self.scene.project_of(path), name, path, why))

    def _add(
        self,
        kind: ActionKind,
        home: Home,
        target: str,
        *,
        parameters: Mapping[str, str],
        reason: str,
        undo: str,
        needs: Iterable[str] = (),
        precondition: Mapping[str, str | None] | None = None,
    ) -> str:
        """Add one creation; returns its id. An object of that kind and name is made once."""
        if (kind, target) in self._names:
            raise NotPossibleError(
                "the capture has two of that name in one account; the other one is made again"
            )
        self._names.add((kind, target))
        action = Action(
            kind=kind,
            project=home.project,
            target=target,
            target_id=None,
            parameters={"domain": home.domain.path, "account": home.account.name, **parameters},
            precondition={"exists": "no", **(precondition or {})},
            reason=reason,
            reversibility=Reversibility.UNDOABLE,
            needs=tuple(needs),
            undo=undo,
        )
        self.actions.append(action)
        return action.id

    # --- networks -------------------------------------------------------------------------------------------

    def _network(self, _: str, one: OwnedResource, home: Home) -> None:
        if self.scene.network(home.domain.id, one.name) is not None:
            self.there["network"] += 1
            return
        details = one.details
        if details.get("type", "Isolated") != "Isolated":
            raise NotPossibleError(f"it is {details['type']}: an admin makes it, with its VLAN and range")
        offering = details.get("networkofferingname", "")
        found = next((one for one in self.scene.stock.network_offerings if one.name == offering), None)
        if found is None:
            raise NotPossibleError(f"its offering {offering or '(unknown)'} is gone")
        shape = {name: details[name] for name in ("gateway", "netmask") if details.get(name)}
        vlan = {"vlan": details.get("vlan", "")} if found.wants_vlan else {}
        if vlan == {"vlan": ""}:
            raise NotPossibleError("its offering asks for a VLAN, and the capture has none")
        made = self._add(
            ActionKind.CREATE_NETWORK,
            home,
            f"{home.domain.path}/{one.name}",
            parameters={
                "name": one.name,
                "offering": offering,
                "zone": self.scene.zone(details.get("zonename", "")),
                **(shape if len(shape) == 2 else {}),
                **vlan,
            },
            reason=f"The capture has the network {one.name}, range {details.get('cidr') or '(unknown)'}.",
            undo=f"{_BY_HAND}deleteNetwork, while no VM is in it.",
        )
        network = GuestNetwork("", one.name, home.domain.id, home.account.name, details.get("cidr", ""))
        self._made_networks[home.domain.id, one.name.casefold()] = (made, network)

    # --- templates and ISOs ---------------------------------------------------------------------------------

    def _image(self, type_name: str, one: OwnedResource, home: Home) -> None:
        details = one.details
        if details.get("templatetype") in _ORIGINAL:
            raise NotPossibleError("it came with CloudStack")
        present = self.scene.image(type_name, home, one.name)
        if present is not None:
            self._judge_present(type_name, present)
            return
        is_iso = type_name == "ISO"
        source, extra = self._source(type_name, one)
        shape = {} if is_iso else {"hypervisor": details.get("hypervisor") or "Any", "format": extra}
        if not is_iso and not extra:
            raise NotPossibleError("nobody knows its format")
        made = self._add(
            ActionKind.REGISTER_ISO if is_iso else ActionKind.REGISTER_TEMPLATE,
            home,
            home.target(one.name),
            parameters={
                "name": one.name,
                "displaytext": details.get("displaytext") or one.name,
                "zone": self.scene.zone(details.get("zonename", "")),
                **self._os_type(details),
                **{name: details[name].casefold() for name in _FLAGS if details.get(name)},
                **shape,
                **source,
            },
            reason=f"The capture has the {type_name} {one.name}; it is fetched from "
            f"{'the archive' if 'file' in source else 'where it came from'}.",
            undo=f"{_BY_HAND}{'deleteIso' if is_iso else 'deleteTemplate'}.",
        )
        self._made_images[one.id] = (made, home, one.name)

    def _source(self, type_name: str, one: OwnedResource) -> tuple[dict[str, str], str]:
        """From where CloudStack is to fetch it, and its format."""
        owner = one.account or ""
        kind = "iso" if type_name == "ISO" else "template"
        archives = self.means.archives
        stored = archives.file_of(kind, one.id, name=one.name, path=one.domain_path, owner=owner)
        if stored is not None:
            self.used.append(stored)
            if stored.file in archives.problems:
                raise NotPossibleError(archives.problems[stored.file])
            if not self.means.is_served:
                raise NotPossibleError(
                    "the archive has its file, and nothing serves it (--serve, or archive_address)"
                )
            format_ = str(stored.entry.facts.get("format") or one.details.get("format", ""))
            return {"file": stored.file, "sha256": stored.entry.sha256}, format_
        url, checksum = one.details.get("url", ""), one.details.get("checksum", "")
        if not url.startswith(("http://", "https://")):
            raise NotPossibleError("no archive has it, and it did not come from an address")
        if not checksum:
            raise NotPossibleError(
                f"no archive has it, and without a checksum nobody knows whether {url} still has the same"
            )
        return {"url": url, "checksum": checksum}, one.details.get("format", "")

    def _judge_present(self, type_name: str, image: Image) -> None:
        """Count one that is there again; one that is not whole is in the way of another of its name."""
        if image.is_ready:
            self.there[type_name] += 1
        elif image.state == WAITING:
            raise NotPossibleError("CloudStack is fetching it already")
        else:
            raise NotPossibleError(
                f"a {type_name} of that name is there and CloudStack says “{image.state}”: delete it first"
            )

    def _os_type(self, details: Mapping[str, str]) -> dict[str, str]:
        found = entry(self.scene.stock.os_types, details.get("ostypeid", ""), details.get("ostypename", ""))
        return {} if found is None else {"ostypeid": found.id}

    # --- VMs ------------------------------------------------------------------------------------------------

    def _machine(self, vm: VirtualMachine, home: Home) -> None:
        if self._is_there_by_name(vm, home):
            self.there["VM"] += 1
            return
        state = vm.state.casefold()
        if state in GONE:
            raise NotPossibleError(f"it was {vm.state} in the capture")
        details = vm.details
        template, template_needs = self._template(vm, home)
        networks, network_needs, default = self._networks_of(vm, home)
        offering, zone = self._offering(details), self.scene.zone(details.get("zonename", ""))
        address = self._address(vm, home, default)
        shown = details.get("displayname", "")
        made = self._add(
            ActionKind.DEPLOY_VM,
            home,
            home.target(vm.name),
            parameters={
                "name": vm.name,
                "zone": zone,
                "offering": offering.name,
                "serviceofferingid": offering.id,
                **template,
                "networks": "\n".join(networks),
                "state": "stopped" if state == "stopped" else "running",
                **({"displayname": shown} if shown and shown != vm.name else {}),
                **({"ipaddress": address} if address else {}),
            },
            precondition={"holder": None} if address else {},
            reason=f"The capture has the VM {vm.name} ({vm.state}, {offering.name}, {template['template']}).",
            undo=f"{_BY_HAND}destroyVirtualMachine.",
            needs=(*network_needs, *template_needs),
        )
        if state != "stopped":
            self._first_vms.setdefault((default.domain_id, default.name.casefold()), made)

    def _is_there_by_name(self, vm: VirtualMachine, home: Home) -> bool:
        for one in self.scene.machines_named(home, vm.name):
            state = one.state.casefold()
            if state in FAILED:
                raise NotPossibleError(
                    f"a VM of that name is there in state Error ({one.id}), left by a failed try: expunge it"
                )
            if state in RECOVERABLE:
                raise NotPossibleError(f"a VM of that name is Destroyed ({one.id}): recover or expunge it")
            if state not in GONE:
                return True
        return False

    def _offering(self, details: Mapping[str, str]) -> Entry:
        name = details.get("serviceofferingname", "")
        found = entry(self.scene.stock.offerings, details.get("serviceofferingid", ""), name)
        if found is None:
            raise NotPossibleError(f"its offering {name or '(unknown)'} is gone")
        if found.is_custom:
            raise NotPossibleError(
                f"its offering {found.name} leaves CPUs and memory to its owner: make it by hand with "
                f"{details.get('cpunumber', '?')} CPUs and {details.get('memory', '?')} MiB"
            )
        return found

    def _template(self, vm: VirtualMachine, home: Home) -> tuple[dict[str, str], tuple[str, ...]]:
        """What the VM is made of: its archived root volume, its template of before, or that made again."""
        id, name = vm.details.get("templateid", ""), vm.details.get("templatename", "")
        archived = self.means.archives.template_of(vm.id)
        if archived is not None and self.scene.ready_template(archived.template_id) is not None:
            return {"template": archived.name, "templateid": archived.template_id}, ()
        survivor = self.scene.ready_template(id)
        if survivor is not None and not _is_of_the_old(survivor.domain_id, vm, home):
            return {"template": survivor.name, "templateid": survivor.id}, ()
        if id in self._made_images:
            need, owner, made = self._made_images[id]
            where = {"templatedomain": owner.domain.path, "templateaccount": owner.account.name}
            return {"template": made, **where}, (need,)
        old = self.scene.templates_before.get(id)
        again = None
        if old is not None:
            again = self.scene.image(
                "template", self.scene.home(old.domain_path, old.account, old.project), old.name
            )
        if again is None or not again.is_ready:
            raise NotPossibleError(f"its template {name or '(unknown)'} is not there and is not made again")
        return {"template": again.name, "templateid": again.id}, ()

    def _networks_of(self, vm: VirtualMachine, home: Home) -> tuple[list[str], list[str], GuestNetwork]:
        """Networks as the action names them, the default one first; what they need; and the default one."""
        nics = _default_first(vm)
        if not nics:
            raise NotPossibleError("the capture has no network of it")
        found = [self._network_of(nic, vm, home) for nic in nics]
        names, needs, networks = zip(*found, strict=True)
        return list(names), [need for need in needs if need], networks[0]

    def _network_of(self, nic: Nic, vm: VirtualMachine, home: Home) -> tuple[str, str, GuestNetwork]:
        survivor = self.scene.network_by_id(nic.network_id)
        if survivor is not None and _is_of_the_old(survivor.domain_id, vm, home):
            survivor = None
        if survivor is not None and survivor.domain_id != home.domain.id:
            return f"{NETWORK_ID}{survivor.id}", "", survivor
        old = self.scene.networks_before.get(nic.network_id)
        name = nic.network or (old.name if old is not None else "")
        present = survivor or self.scene.network(home.domain.id, name)
        if present is not None:
            return present.name, "", present
        made = self._made_networks.get((home.domain.id, name.casefold()))
        if made is None:
            raise NotPossibleError(f"its network {name or '(unknown)'} is not there and is not made again")
        return made[1].name, *made

    def _address(self, vm: VirtualMachine, home: Home, network: GuestNetwork) -> str:
        """The old address in the default network, where it can be had; what changes is noted."""
        first, *others = _default_first(vm)
        wanted, key = first.address, (network.domain_id, network.name, first.address)
        holder = network.addresses.get(wanted, "")
        why = ""
        if wanted and not is_in(wanted, network.cidr):
            why = f"its network has {network.cidr or 'an unknown range'} now"
        elif holder or key in self._taken:
            why = "it is taken"
        if why:
            self.addresses.append(AddressChange(home.project, vm.name, wanted, taken_by=holder, why=why))
        why_others = "only the first network's address can be asked for"
        self.addresses += [
            AddressChange(home.project, vm.name, one.address, why=why_others) for one in others if one.address
        ]
        if why or not wanted:
            return ""
        self._taken.add(key)
        return wanted

    # --- public addresses -----------------------------------------------------------------------------------

    def _public_address(self, type_name: str, one: OwnedResource, home: Home) -> None:
        rules = self._address_rules
        if rules.is_there(one, home):
            self.there[type_name] += 1
            return
        try:
            taking = rules.taking(one, home)
        except NotPossibleError as why:
            self.addresses.append(rules.risk(one, home, str(why)))
            raise
        made = self._add(
            ActionKind.TAKE_ADDRESS,
            home,
            home.target(one.name),
            parameters=taking.parameters,
            precondition={"holder": None},
            reason=taking.reason,
            undo=f"{_BY_HAND}disassociateIpAddress.",
            needs=taking.needs,
        )
        rules.note(taking, home, made)

    # --- what nothing here brings back ----------------------------------------------------------------------

    def _list_the_rest(self) -> None:
        """Every object of a type that is not restored, if it is gone."""
        domains = self.scene.domains
        for domain in self.before.domains:
            is_project = len(below(domain.path, self.before.scope.parent)) == 1
            self._rest(
                "domain",
                domain.name,
                domain.path,
                is_there=domain.path.casefold() in domains,
                why=REBUILT if is_project else "the CI database does not know it: make it by hand",
            )
        for account in self.before.accounts:
            path = self.scene.paths_before.get(account.domain_id, "")
            home = domains.get(path.casefold())
            found = self.scene.accounts.get((home.id, account.name.casefold())) if home is not None else None
            names = {user.username.casefold() for user in found.users} if found is not None else set()
            self._rest("account", account.name, path, is_there=found is not None)
            for user in account.users:
                self._rest("user", user.username, path, is_there=user.username.casefold() in names)
        for type_name, rows in (
            ("volume", self.before.volumes),
            ("snapshot", self.before.snapshots),
            ("CloudStack Project", self.before.projects),
        ):
            for one in rows:
                is_root = one.details.get("type") == "ROOT"
                why = _NOT_RESTORED["root volume" if is_root else type_name]
                is_there = self.scene.has(type_name, one.id)
                self._rest(type_name, one.name, one.domain_path, is_there=is_there, why=why)

    def _rest(self, type_name: str, name: str, path: str, *, is_there: bool, why: str = REBUILT) -> None:
        if not self.scene.project_of(path):
            return
        if is_there:
            self.there[type_name] += 1
        else:
            self._leave(type_name, name, path, why)


_FLAGS = ("ispublic", "isfeatured", "isextractable", "requireshvm", "bootable")
_NOT_RESTORED = {
    "root volume": "a VM that is made again has a new one, with what its template has",
    "volume": "what was on it is lost, unless an archive or the storage has it",
    "snapshot": "a snapshot goes with its volume, and has no copy",
    "CloudStack Project": "its owner makes it anew, with its members",
}


def _is_of_the_old(domain_id: str, vm: VirtualMachine, home: Home) -> bool:
    """Whether something is of the domain that the VM was in, where another one has its name now: it goes with
    the old one, and nobody in the new one may use it."""
    return domain_id == vm.domain_id and domain_id != home.domain.id


def _default_first(vm: VirtualMachine) -> list[Nic]:
    return sorted(vm.nics, key=lambda nic: not nic.is_default)
