"""SSH key pairs: register, list, delete."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from sync.sandbox.commands.common_machines import chosen, equal, has_text
from sync.sandbox.commands.views_machines import owner_fields
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import invalid
from sync.sandbox.paging import Listing
from sync.sandbox.records import World
from sync.sandbox.records_machines import SshKey

OWNER = {"domainid": "domains", "projectid": "projects"}


def _fingerprint(public_key: str) -> str:
    """The MD5 fingerprint of an OpenSSH public key. Raises ApiError (431) for anything else."""
    parts = public_key.split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (IndexError, binascii.Error):
        raise invalid("Public key is invalid") from None
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _row(world: World, key: SshKey) -> dict[str, Any]:
    row = {"id": key.id, "name": key.name} | owner_fields(world, key.account_id, path=False)
    return row | {"fingerprint": key.fingerprint, "hasannotations": False}


@command("registerSSHKeyPair", required=("name", "publickey"), entities=OWNER, answer="keypair")
def register_key(call: Call) -> dict[str, Any]:
    """Store a public key under a name that the account does not use yet."""
    world = call.world
    owner = call.owner()
    name = call.required("name")
    fingerprint = _fingerprint(call.required("publickey"))
    if any(key.name == name for key in world.owned(owner.id, "ssh_keys")):
        raise invalid(f"A key pair with name '{name}' already exists for this account.")
    key = SshKey(
        id=world.new_id(),
        number=world.next_number("ssh_keys"),
        name=name,
        account_id=owner.id,
        public_key=call.params["publickey"],
        fingerprint=fingerprint,
    )
    world.put("ssh_keys", key)
    call.done("REGISTER.SSH.KEYPAIR", "registering ssh keypair", resource=key, resource_type="SSHKeyPair")
    return _row(world, key)


@command("listSSHKeyPairs", answer="sshkeypair", entities=OWNER)
def list_keys(call: Call) -> Listing:
    """The key pairs of the owners asked for."""
    found = [
        key
        for key in chosen(call, call.world.ssh_keys.values())
        if equal(call, "name", key.name)
        and equal(call, "fingerprint", key.fingerprint)
        and has_text(call.params.get("keyword"), key.name)
    ]
    return Listing(found, lambda key: _row(call.world, key))


@command("deleteSSHKeyPair", required=("name",), entities=OWNER)
def delete_key(call: Call) -> dict[str, Any]:
    """Forget a key pair."""
    owner = call.owner()
    name = call.required("name")
    for key in call.world.owned(owner.id, "ssh_keys"):
        if key.name == name:
            call.world.bury("ssh_keys", key.id)
            return {"success": True}
    raise invalid(
        f"A key pair with name '{name}' does not exist for account {owner.name} in specified domain id"
    )
