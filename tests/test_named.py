"""Names of roles, zones and network offerings that a plan needs: asked before it is confirmed."""

from __future__ import annotations

import pytest

from sync.errors import DataError, GuardError, UnreachableError
from sync.model import ActionKind
from sync.named import ask_for_named, refuse_unnamed
from tests.fake_cloudstack import PARENT, FakeCloudStack, action

ACCOUNT = action(ActionKind.CREATE_ACCOUNT, f"{PARENT}/dune:dune", parameters={"role": "User"})
NETWORK = action(
    ActionKind.CREATE_NETWORK, f"{PARENT}/dune/net", parameters={"zone": "zone-1", "offering": "Isolated"}
)
OTHER = action(
    ActionKind.CREATE_NETWORK, f"{PARENT}/fjord/net", parameters={"zone": "zone-1", "offering": "Isolated"}
)
MACHINE = action(ActionKind.DEPLOY_VM, f"{PARENT}/dune/vm", parameters={"zone": "Z", "offering": "Small"})


class Named(FakeCloudStack):
    """Has the role User and the offering Isolated, and no zone."""

    def role_id(self, name: str, /) -> str:
        return self._id("role", name, "User")

    def zone_id(self, name: str, /) -> str:
        return self._id("zone", name, "")

    def network_offering_id(self, name: str, /) -> str:
        return self._id("offering", name, "Isolated")

    def _id(self, what: str, name: str, known: str) -> str:
        if name != known:
            raise DataError(f"CloudStack has no {what} named {name!r}.")
        return "id"


def test_what_the_server_does_not_have_is_refused_once_with_how_many_need_it() -> None:
    with pytest.raises(GuardError, match="no zone named 'zone-1'") as refused:
        refuse_unnamed([ACCOUNT, NETWORK, OTHER], Named())
    assert refused.value.what.count("no zone") == 1
    assert "Actions of the plan that need it: 2." in str(refused.value)
    assert "role" not in refused.value.what


def test_the_offering_of_a_vm_is_no_network_offering() -> None:
    refuse_unnamed([ACCOUNT, MACHINE], Named())
    assert ask_for_named(Named(), [MACHINE]).network_offerings == {}


def test_what_cannot_be_asked_is_not_taken_for_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: object, __: str) -> str:
        raise UnreachableError("No answer.")

    monkeypatch.setattr(Named, "zone_id", silent)
    with pytest.raises(UnreachableError):
        refuse_unnamed([NETWORK], Named())
