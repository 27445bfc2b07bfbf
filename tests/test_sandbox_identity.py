"""Domains, accounts, users, limits and roles of the sandbox, beyond what the recordings show."""

from __future__ import annotations

import pytest

from tests.sandbox_api import Cloud, RefusedError


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def test_domain_names_are_unique_below_a_parent_whatever_the_case(cloud: Cloud) -> None:
    one, two = cloud.domain("One"), cloud.domain("two")
    cloud.domain("x", parentdomainid=one)
    cloud.domain("x", parentdomainid=two)
    with pytest.raises(RefusedError, match=r"Domain with name \[ONE\] already exists"):
        cloud.domain("ONE")


def test_renaming_a_domain_frees_its_name_and_moves_all_below_it(cloud: Cloud) -> None:
    top = cloud.domain("top")
    cloud.domain("leaf", parentdomainid=cloud.domain("middle", parentdomainid=top))
    cloud.call("updateDomain", id=top, name="corpse")
    assert cloud.call("listDomains", name="leaf")["domain"][0]["path"] == "ROOT/corpse/middle/leaf"
    assert cloud.domain("top") != top


def test_a_domain_may_change_the_case_of_its_own_name(cloud: Cloud) -> None:
    domain = cloud.domain("alpha")
    assert cloud.call("updateDomain", id=domain, name="Alpha")["domain"]["path"] == "ROOT/Alpha"


def test_nothing_is_made_in_a_domain_that_is_being_deleted(cloud: Cloud) -> None:
    domain = cloud.domain("dying")
    cloud.world.domains[domain].state = "Inactive"
    with pytest.raises(RefusedError) as caught:
        cloud.account("a", domain)
    assert caught.value.status == 530
    assert caught.value.inner["errortext"] == "The account cannot be created as domain dying is being deleted"
    assert cloud.call("listDomains", id=domain) == {}


def test_user_names_are_unique_in_a_domain_not_in_an_account(cloud: Cloud) -> None:
    one, two = cloud.domain("one"), cloud.domain("two")
    cloud.account("alice", one)
    cloud.account("alice", two)
    with pytest.raises(RefusedError, match="already exists in domain"):
        cloud.account("ALICE", one, account="other")


@pytest.mark.parametrize("missing", ["email", "firstname", "lastname", "password", "username"])
def test_every_person_has_names_mail_and_password(cloud: Cloud, missing: str) -> None:
    person = {
        name: "x" for name in ("email", "firstname", "lastname", "password", "username") if name != missing
    }
    with pytest.raises(RefusedError, match=f"createaccount due to missing parameter {missing}"):
        cloud.call("createAccount", accounttype="0", **person)


def test_an_account_needs_a_role_or_a_type(cloud: Cloud) -> None:
    person = {name: "x" for name in ("email", "firstname", "lastname", "password", "username")}
    with pytest.raises(RefusedError, match="Both account type and role ID are not provided"):
        cloud.call("createAccount", **person)
    made = cloud.call("createAccount", accounttype="2", **person)["account"]
    assert (made["name"], made["rolename"], made["accounttype"]) == ("x", "Domain Admin", 2)


def test_a_root_admin_lives_in_root_only(cloud: Cloud) -> None:
    with pytest.raises(RefusedError, match="non-ROOT domain"):
        cloud.account("boss", cloud.domain("a"), role="Root Admin")


def test_a_domain_admin_cannot_reach_beyond_its_domain(cloud: Cloud) -> None:
    stranger = cloud.account("stranger", cloud.domain("other"))
    admin = cloud.account("dadm", cloud.domain("own"), role="Domain Admin")
    for command in ("disableUser", "updateUser", "getUserKeys"):
        with pytest.raises(RefusedError, match="531"):
            cloud.call(command, caller=admin, id=stranger.id)


def test_passwords_are_kept_as_hashes(cloud: Cloud) -> None:
    user = cloud.account("u", cloud.domain("a"), password="correct horse")
    cloud.call("updateUser", id=user.id, password="battery staple")
    assert "horse" not in user.password and "battery" not in user.password


def test_new_keys_replace_the_old_ones(cloud: Cloud) -> None:
    user = cloud.account("u", cloud.domain("a"))
    old = (user.api_key, user.secret_key)
    made = cloud.finished(cloud.call("registerUserKeys", id=user.id))["userkeys"]
    assert (made["apikey"], made["secretkey"]) == (user.api_key, user.secret_key) != old
    assert old[0] is not None and cloud.world.user_with_key(old[0]) is None


def test_disabling_oneself_works_and_locks_out() -> None:
    cloud = Cloud("4.18")
    job = cloud.call("disableUser", id=cloud.admin.id)
    cloud.wait(1)
    with pytest.raises(RefusedError, match="401"):
        cloud.call("queryAsyncJobResult", jobid=job["jobid"])


def test_a_request_under_way_outlives_its_user(cloud: Cloud) -> None:
    job = cloud.call("disableUser", id=cloud.admin.id)
    cloud.clock.advance(1)
    assert cloud.call("queryAsyncJobResult", jobid=job["jobid"])["jobstatus"] == 1
    with pytest.raises(RefusedError, match="401"):
        cloud.call("listZones")


def test_enabling_a_user_also_enables_its_account(cloud: Cloud) -> None:
    user = cloud.account("u", cloud.domain("a"))
    cloud.finished(cloud.call("disableAccount", id=user.account_id, lock="false"))
    assert cloud.world.account_of(user).state == "disabled"
    cloud.call("enableUser", id=user.id)
    assert cloud.world.account_of(user).state == "enabled"


def test_a_built_in_account_cannot_be_disabled(cloud: Cloud) -> None:
    with pytest.raises(RefusedError, match="531"):
        cloud.call("disableAccount", id=cloud.admin.account_id, lock="false")


def test_limits_are_set_shown_and_bounded_by_the_parent(cloud: Cloud) -> None:
    parent = cloud.domain("parent")
    child = cloud.domain("child", parentdomainid=parent)
    cloud.call("updateResourceLimit", resourcetype="0", max="10", domainid=parent)
    cloud.call("updateResourceLimit", resourcetype="0", max="4", domainid=child)
    with pytest.raises(RefusedError, match="less than or equal to 10"):
        cloud.call("updateResourceLimit", resourcetype="0", max="11", domainid=child)
    row = cloud.call("listDomains", id=child)["domain"][0]
    assert (row["vmlimit"], row["vmtotal"], row["vmavailable"]) == ("4", 0, "4")
    assert "vmlimit" not in cloud.call("listDomains", id=child, details="min")["domain"][0]
    assert cloud.call("listDomains", id=child, details="resource")["domain"][0]["vmlimit"] == "4"


@pytest.mark.parametrize(("number", "maximum"), [("99", "1"), ("0", "-2"), ("zero", "1")])
def test_limits_that_cannot_be_are_refused(cloud: Cloud, number: str, maximum: str) -> None:
    domain = cloud.domain("a")
    with pytest.raises(RefusedError, match="431"):
        cloud.call("updateResourceLimit", resourcetype=number, max=maximum, domainid=domain)


def test_the_built_in_roles_cannot_be_changed(cloud: Cloud) -> None:
    with pytest.raises(RefusedError, match="531"):
        cloud.call("createRolePermission", roleid=cloud.role("User"), rule="*", permission="allow")


def test_a_role_in_use_cannot_be_deleted(cloud: Cloud) -> None:
    role = cloud.call("createRole", name="own", type="User")["role"]["id"]
    cloud.account("u", cloud.domain("a"), role="own")
    with pytest.raises(RefusedError, match="431"):
        cloud.call("deleteRole", id=role)


def test_events_tell_who_did_what(cloud: Cloud) -> None:
    domain = cloud.domain("a")
    job = cloud.call("disableUser", id=cloud.account("u", domain).id)
    cloud.finished(job)
    rows = cloud.call("listEvents", listall="true", type="USER.DISABLE")["event"]
    assert sorted((row["state"], row["account"]) for row in rows) == [
        ("Completed", "admin"),
        ("Scheduled", "u"),
        ("Started", "admin"),
    ]
    scheduled = next(row for row in rows if row["state"] == "Scheduled")
    assert {row.get("parentid") for row in rows} == {None, scheduled["id"]}


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        ("2026-07-28", "2026-07-28", 1),
        ("2026-07-29", "2026-07-30", 0),
        ("2026-07-28 13:00:00", "2026-07-29", 0),
    ],
)
def test_events_are_found_by_date(cloud: Cloud, since: str, until: str, found: int) -> None:
    cloud.domain("a")
    answer = cloud.call("listEvents", type="DOMAIN.CREATE", startdate=since, enddate=until)
    assert answer.get("count", 0) == found


def test_a_date_that_is_none_is_refused(cloud: Cloud) -> None:
    with pytest.raises(RefusedError, match="431"):
        cloud.call("listEvents", startdate="yesterday")
