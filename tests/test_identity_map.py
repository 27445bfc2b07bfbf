"""The maps of several rebuilds as one."""

from __future__ import annotations

from sync.identities import Identity
from sync.identity_map import merged
from sync.model import ActualInventory, Coverage, CoverageState, Domain, Scope
from tests.restore_states import NOW


def made(name: str, old: str, new: str, what: str = "domain") -> Identity:
    return Identity(what, name, f"ROOT/ci/{name}", old, new)


def there(**ids: str) -> ActualInventory:
    domains = tuple(Domain(id, name, f"ROOT/ci/{name}", "d-ci", 2) for name, id in ids.items())
    return ActualInventory(Scope(), NOW, Coverage(CoverageState.COMPLETE), "d-ci", domains=domains)


def test_what_was_made_twice_has_its_newest_id_under_every_id_that_it_had() -> None:
    rows = merged([made("dune", "A", "B")], [made("dune", "b", "C")], now=there(dune="C"))
    assert rows == (made("dune", "A", "C"), made("dune", "b", "C"))


def test_what_an_earlier_rebuild_made_is_kept_as_long_as_it_is_there() -> None:
    earlier, newest = [made("dune", "A", "B"), made("ember", "E", "F")], [made("cirrus", "X", "Y")]
    assert merged(earlier, newest, now=there(dune="B", cirrus="Y")) == (earlier[0], *newest)
    assert merged(earlier, newest, now=None) == (*earlier, *newest), "not read is not gone"


def test_what_the_newest_made_is_told_as_it_was_and_no_old_id_is_told_beside_one() -> None:
    newest = [made("cirrus", "", "Y")]
    assert merged([], newest, now=there()) == tuple(newest)
    assert merged([made("cirrus", "X", "W")], newest, now=there()) == (made("cirrus", "X", "Y"),)
