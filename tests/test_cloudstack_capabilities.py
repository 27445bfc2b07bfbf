"""What a caller's lists prove, decided from what the server says of the caller; no server is asked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sync.cloudstack.capabilities import READING_CALLS, Capabilities, ask

ROOT_ADMIN = Capabilities(
    endpoint="https://cloud.example.org/client/api",
    user="admin",
    account="admin",
    role_name="Root Admin",
    role_type="Admin",
    domain_id="root",
    domain_path="ROOT",
    root_id="root",
    apis={name: frozenset() for name in ("getUser", *READING_CALLS)},
)


def test_a_root_admin_who_may_call_everything_proves_something() -> None:
    assert ROOT_ADMIN.is_root_admin
    assert ROOT_ADMIN.blind_spots() == ""


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        (
            replace(ROOT_ADMIN, role_type="ResourceAdmin"),
            "role type ResourceAdmin in ROOT and may see a small",
        ),
        (replace(ROOT_ADMIN, role_type="User"), "role type User in ROOT"),
        (replace(ROOT_ADMIN, role_type=""), "an unknown role type"),
        (
            replace(ROOT_ADMIN, domain_id="d-1", domain_path="dune"),
            "role type Admin in dune and",
        ),
        (replace(ROOT_ADMIN, domain_id="", domain_path=""), "in an unknown domain"),
        (replace(ROOT_ADMIN, root_id=""), "was not shown the ROOT domain"),
        (replace(ROOT_ADMIN, user="", role_type=""), "The caller, who could not be asked for"),
    ],
)
def test_anybody_else_sees_a_small_world_and_it_is_said(caller: Capabilities, words: str) -> None:
    assert not caller.is_root_admin
    assert words in caller.blind_spots()


@pytest.mark.parametrize("call", ["getUser", *READING_CALLS])
def test_a_call_that_is_missing_is_a_blind_spot(call: str) -> None:
    less = {name: names for name, names in ROOT_ADMIN.apis.items() if name != call}
    assert f"may not call {call}: allow it there" in replace(ROOT_ADMIN, apis=less).blind_spots()


@pytest.mark.parametrize(
    ("rows", "root_id"),
    [
        ([{"id": "root", "name": "ROOT", "level": 0}], "root"),
        ([{"id": "d-1", "name": "ROOT", "level": 2}], ""),
        ([{"id": "d-1", "name": "dune", "level": 2}, {"id": "root", "name": "ROOT", "level": 0}], "root"),
        ([], ""),
    ],
    ids=["ROOT", "a domain called ROOT", "a server that ignores the level", "nothing"],
)
def test_root_is_told_by_its_level(rows: list[dict[str, Any]], root_id: str) -> None:
    def read(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        if command == "listApis":
            return {"api": [{"name": "getUser"}]}
        if command == "getUser":
            return {
                "user": {"username": "admin", "account": "admin", "roletype": "Admin", "domainid": "root"}
            }
        return {"domain": rows} if command == "listDomains" else {}

    found = ask(read, key="k", endpoint="https://cloud.example.org/client/api")
    assert found.root_id == root_id
    assert found.is_root_admin == (root_id == "root")
