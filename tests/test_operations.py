"""The table of operations: every kind has one, targets come apart rightly, readings are compared fairly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.cloudstack import Writer
from sync.errors import GuardError, IncompleteError
from sync.lookup import Lookup
from sync.model import Action, ActionKind, Coverage, CoverageState
from sync.operations import (
    OPERATIONS,
    Observation,
    Target,
    goal_of,
    is_reached,
    missing_parameters,
    shortfall,
    surprise,
    target_of,
    unknown_fields,
)
from tests.fake_cloudstack import PARENT, FakeCloudStack, action, create_account, create_domain, create_user


def test_every_kind_of_action_has_an_operation_that_the_writer_may_send() -> None:
    assert OPERATIONS.keys() == set(ActionKind)
    assert {operation.command for operation in OPERATIONS.values()} <= Writer.ALLOWED


def test_what_cannot_be_sent_without_a_parameter_is_told_before() -> None:
    whole = create_user("dune", "jmartin")
    assert missing_parameters(whole) == []
    assert missing_parameters(replace(whole, parameters={"email": "e"})) == [
        "firstname", "lastname", "username"
    ]  # fmt: skip
    assert missing_parameters(action(ActionKind.UPDATE_LIMIT, "ROOT/ci/dune#vm")) == ["max"]
    assert missing_parameters(action(ActionKind.ENABLE_USER, "ROOT/ci/dune:dune:jm")) == []


def test_creations_draw_passwords_exactly_where_users_are_made() -> None:
    drawing = {kind for kind, operation in OPERATIONS.items() if operation.has_password}
    assert drawing == {ActionKind.CREATE_ACCOUNT, ActionKind.CREATE_USER}


def test_only_what_could_be_made_twice_is_never_sent_twice() -> None:
    careful = {kind for kind, operation in OPERATIONS.items() if not operation.is_repeatable}
    assert careful == {
        ActionKind.CREATE_NETWORK,
        ActionKind.REGISTER_TEMPLATE,
        ActionKind.REGISTER_ISO,
        ActionKind.DEPLOY_VM,
    }


@pytest.mark.parametrize(
    ("kind", "target", "expected"),
    [
        (ActionKind.CREATE_DOMAIN, "ROOT/ci/dune", Target("ROOT/ci/dune")),
        (ActionKind.CREATE_ACCOUNT, "ROOT/ci/dune:dune", Target("ROOT/ci/dune", "dune")),
        (ActionKind.CREATE_ACCOUNT, "ROOT/ci/a:b:a:b", Target("ROOT/ci/a:b", "a:b")),
        (ActionKind.ENABLE_ACCOUNT, "ROOT/ci/Dune:dune", Target("ROOT/ci/Dune", "dune")),
        (ActionKind.CREATE_USER, "ROOT/ci/dune:dune:jmartin", Target("ROOT/ci/dune", "dune", "jmartin")),
        (ActionKind.CREATE_USER, "ROOT/ci/dune:dune:j:m", Target("ROOT/ci/dune", "dune", "j:m")),
        (ActionKind.UPDATE_USER, "ROOT/ci/a:b:a:b:u", Target("ROOT/ci/a:b", "a:b", "u")),
        (ActionKind.DISABLE_USER, "ROOT/ci/dune:other:u", Target("ROOT/ci/dune", "other", "u")),
        (ActionKind.UPDATE_LIMIT, "ROOT/ci/du#ne#vm", Target("ROOT/ci/du#ne", name="vm")),
        (ActionKind.CREATE_NETWORK, "ROOT/ci/dune/dune-net", Target("ROOT/ci/dune", name="dune-net")),
    ],
)
def test_targets_come_apart(kind: ActionKind, target: str, expected: Target) -> None:
    assert target_of(action(kind, target)) == expected


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (ActionKind.CREATE_ACCOUNT, "ROOT/ci/dune"),
        (ActionKind.CREATE_USER, "ROOT/ci/dune:dune"),
        (ActionKind.UPDATE_LIMIT, "vm"),
        (ActionKind.CREATE_DOMAIN, "dune"),
    ],
)
def test_a_target_of_another_kind_is_refused(kind: ActionKind, target: str) -> None:
    with pytest.raises(GuardError, match="no target"):
        target_of(action(kind, target))


def test_the_path_in_the_parameters_decides() -> None:
    one = action(ActionKind.CREATE_NETWORK, "ROOT/ci/dune/a/b", parameters={"domain": "ROOT/ci/dune"})
    assert target_of(one) == Target("ROOT/ci/dune", name="a/b")


def test_a_path_in_the_parameters_that_is_not_the_targets_is_refused() -> None:
    one = action(ActionKind.CREATE_NETWORK, "ROOT/ci/dune/net", parameters={"domain": "ROOT/ci/other"})
    with pytest.raises(GuardError, match="no target"):
        target_of(one)


def test_goals_are_what_reading_can_show() -> None:
    assert goal_of(create_domain("dune", networkdomain="d.example.org")) == {"networkdomain": "d.example.org"}
    assert goal_of(create_account("dune")) == {"role": "User", "state": "enabled"}
    assert goal_of(create_user("dune", "anna")) == {
        "email": "anna@example.org",
        "firstname": "F",
        "lastname": "L",
    }


def test_names_of_people_are_compared_as_written_and_words_of_the_server_are_not() -> None:
    renamed = action(ActionKind.UPDATE_USER, f"{PARENT}/d:d:a", parameters={"firstname": "Anna"})
    assert (
        shortfall(renamed, Observation("id", {"firstname": "anna"}))
        == "firstname is “anna” instead of “Anna”"
    )
    assert is_reached(renamed, Observation("id", {"firstname": " Anna "}))
    made = create_domain("dune", networkdomain="Dune.example.org")
    assert is_reached(made, Observation("id", {"exists": "yes", "networkdomain": "dune.example.org"}))


def test_what_nothing_shows_is_neither_reached_nor_a_surprise() -> None:
    away = action(
        ActionKind.RENAME_DOMAIN,
        f"{PARENT}/aurora",
        target_id="corpse",
        parameters={"name": "aurora-deleted"},
        precondition={"listed": "no", "name": "aurora"},
    )
    unseen = Observation("corpse", {"listed": "no"}, unseen=frozenset({"name"}))
    assert not is_reached(away, unseen)
    assert surprise(away, unseen) == ""
    assert "listed is “yes”" in surprise(away, Observation("corpse", {"listed": "yes", "name": "aurora"}))


def test_an_object_that_is_gone_is_a_surprise() -> None:
    one = action(
        ActionKind.DISABLE_USER, f"{PARENT}/d:d:a", target_id="id", precondition={"state": "enabled"}
    )
    assert surprise(one, Observation(None, {"exists": "no"})) == "it is not there any more"


def test_fields_that_cannot_be_checked_are_named() -> None:
    one = action(
        ActionKind.UPDATE_LIMIT, f"{PARENT}/d#vm", precondition={"max": "1", "colour": "red", "exists": "yes"}
    )
    assert unknown_fields(one) == ["colour"]


def test_a_dying_domain_is_not_judged_by_a_partial_list_of_vms() -> None:
    cloud = FakeCloudStack()
    plain = cloud.inventory

    def partial(scope, /, **options):  # type: ignore[no-untyped-def]
        return replace(plain(scope, **options), coverage=Coverage(CoverageState.PARTIAL, "one page of two"))

    cloud.inventory = partial  # type: ignore[method-assign]
    away: Action = action(
        ActionKind.RENAME_DOMAIN, f"{PARENT}/aurora", target_id="corpse", parameters={"name": "x"}
    )
    with pytest.raises(IncompleteError, match="one page of two"):
        OPERATIONS[ActionKind.RENAME_DOMAIN].observe(Lookup(cloud), away)
