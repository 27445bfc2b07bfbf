"""Dispatch in the sandbox: parameters, pages, roles, rate limit, what listApis tells."""

from __future__ import annotations

import pytest

from tests.sandbox_api import Cloud, RefusedError


def refused(cloud: Cloud, command: str, **params: str) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        cloud.call(command, **params)
    return caught.value


def test_a_missing_parameter_is_named() -> None:
    error = refused(Cloud(), "updateResourceLimit")
    assert (error.status, error.inner["cserrorcode"]) == (431, 9999)
    text = "Unable to execute API command updateresourcelimit due to missing parameter resourcetype"
    assert error.inner["errortext"] == text


def test_an_id_that_nobody_has_is_named() -> None:
    error = refused(Cloud(), "listUsers", domainid="00000000-0000-0000-0000-000000000000")
    assert error.status == 431
    assert "Invalid parameter domainid value=00000000" in error.inner["errortext"]


def test_a_text_that_is_too_long_is_refused_by_field() -> None:
    cloud = Cloud()
    error = refused(cloud, "updateDomain", id=cloud.domain("a"), name="x" * 256)
    assert error.inner["errortext"].endswith(
        "Value greater than max allowed length 255 for param: domainName"
    )


def test_unknown_parameters_are_ignored() -> None:
    cloud = Cloud()
    assert cloud.call("listDomains", nonsense="1")["count"] == 1


def test_a_wrong_boolean_is_silently_false() -> None:
    cloud = Cloud()
    cloud.account("other", cloud.domain("a"))
    assert cloud.call("listAccounts", listall="maybe")["count"] == 1
    assert cloud.call("listAccounts", listall="TRUE")["count"] == 2


@pytest.fixture
def crowded() -> Cloud:
    cloud = Cloud()
    for number in range(6):
        cloud.domain(f"d{number}")
    return cloud


def test_pages_are_cut_and_counted(crowded: Cloud) -> None:
    names = []
    for page in (1, 2, 3):
        answer = crowded.call("listDomains", page=page, pagesize=3)
        assert answer["count"] == 7
        names += [row["name"] for row in answer["domain"]]
    assert names == ["ROOT", "d0", "d1", "d2", "d3", "d4", "d5"]


@pytest.mark.parametrize("page", ["0", "-3"])
def test_a_page_below_1_is_page_1(crowded: Cloud, page: str) -> None:
    answer = crowded.call("listDomains", page=page, pagesize=3)
    assert [row["name"] for row in answer["domain"]] == ["ROOT", "d0", "d1"]


@pytest.mark.parametrize(("page", "size"), [("9", "3"), ("1", "0")])
def test_past_the_end_there_is_a_count_and_no_list(crowded: Cloud, page: str, size: str) -> None:
    assert crowded.call("listDomains", page=page, pagesize=size) == {"count": 7}


def test_nothing_found_is_an_empty_object(crowded: Cloud) -> None:
    assert crowded.call("listDomains", name="nobody") == {}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"pagesize": "501", "page": "1"}, "Page size can't exceed max allowed page size value: 500"),
        ({"page": "1"}, '"pagesize" parameter is required when "page" is specified'),
        ({"pagesize": "5"}, '"page" parameter is required when "pagesize" is specified'),
    ],
)
def test_pages_that_cannot_be_are_refused(crowded: Cloud, given: dict[str, str], text: str) -> None:
    error = refused(crowded, "listDomains", **given)
    assert (error.status, error.inner["errortext"]) == (431, text)


def test_a_page_that_is_no_number_is_refused(crowded: Cloud) -> None:
    assert refused(crowded, "listDomains", page="two", pagesize="5").status == 431


def test_an_unpaged_list_is_cut_silently() -> None:
    cloud = Cloud(default_page_size="4")
    for number in range(6):
        cloud.domain(f"d{number}")
    answer = cloud.call("listDomains", listall="true")
    assert (answer["count"], len(answer["domain"])) == (7, 4)


def test_a_scoped_caller_sees_a_small_world_without_any_error() -> None:
    cloud = Cloud()
    own = cloud.domain("own")
    cloud.domain("sub", parentdomainid=own)
    cloud.account("stranger", cloud.domain("other"))
    admin = cloud.account("dadm", own, role="Domain Admin")
    assert [row["name"] for row in cloud.call("listDomains", caller=admin, listall="true")["domain"]] == [
        "own",
        "sub",
    ]
    assert [row["name"] for row in cloud.call("listAccounts", caller=admin, listall="true")["account"]] == [
        "dadm"
    ]


def test_a_role_that_only_reads_is_refused_the_rest() -> None:
    cloud = Cloud()
    watcher = cloud.account("watcher", cloud.world.root_id, role="Read-Only Admin - Default")
    cloud.call("listDomains", caller=watcher)
    with pytest.raises(RefusedError) as caught:
        cloud.call("createDomain", caller=watcher, name="x")
    assert caught.value.status == 432
    text = "The API [createDomain] does not exist or is not available for the account watcher."
    assert caught.value.inner["errortext"] == text


def test_the_first_rule_of_a_role_that_fits_decides() -> None:
    cloud = Cloud()
    role = cloud.call("createRole", name="watch", type="Admin")["role"]["id"]
    for rule, permission in (("getUserKeys", "deny"), ("list*", "allow"), ("*", "deny")):
        cloud.call("createRolePermission", roleid=role, rule=rule, permission=permission)
    user = cloud.account("w", cloud.world.root_id, role="watch")
    cloud.call("listUsers", caller=user)
    for command in ("getUserKeys", "getUser"):
        with pytest.raises(RefusedError, match="432"):
            cloud.call(command, caller=user, id=user.id)


def test_list_apis_tells_what_the_caller_may_call_with_which_parameters() -> None:
    cloud = Cloud()
    watcher = cloud.account("watcher", cloud.world.root_id, role="Read-Only Admin - Default")

    def known(caller: object) -> dict[str, set[str]]:
        rows = cloud.call("listApis", caller=caller)["api"]  # type: ignore[arg-type]
        return {row["name"]: {one["name"] for one in row["params"]} for row in rows}

    assert "deleteprotection" in known(cloud.admin)["updateVirtualMachine"]
    assert "createDomain" not in known(watcher)
    assert "listDomains" in known(watcher)


def test_list_apis_of_4_18_knows_neither_protection_nor_key_lists() -> None:
    rows = {row["name"]: row for row in Cloud("4.18").call("listApis")["api"]}
    assert "listUserKeys" not in rows
    assert {"name": "deleteprotection"} not in rows["updateVirtualMachine"]["params"]
    assert rows["registerUserKeys"]["isasync"] is False


def test_the_rate_limit_spares_root_admins_and_says_how_long_to_wait() -> None:
    cloud = Cloud(api_throttling_enabled="true", api_throttling_max="3", api_throttling_interval="1")
    user = cloud.account("u", cloud.domain("a"))
    for _ in range(5):
        cloud.call("listZones")
    for _ in range(3):
        cloud.call("listZones", caller=user)
    cloud.wait(0.5)
    with pytest.raises(RefusedError) as caught:
        cloud.call("listZones", caller=user)
    assert caught.value.status == 429
    assert caught.value.inner["errortext"].endswith("please retry after [500] ms.")
    cloud.wait(0.5)
    cloud.call("listZones", caller=user)


def test_what_is_not_simulated_is_an_empty_list() -> None:
    assert Cloud().call("listVpnGateways") == {}


def test_every_one_of_5000_domains_is_on_some_page() -> None:
    cloud = Cloud()
    parent = cloud.domain("ci")
    for number in range(5000):
        cloud.domain(f"p{number}", parentdomainid=parent)
    rows = []
    for page in range(1, 12):
        rows += cloud.call("listDomains", page=page, pagesize=500, listall="true").get("domain", [])
    assert len(rows) == 5002
