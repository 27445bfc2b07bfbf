"""The sandbox's door: signatures, expiry, states of user and account, API key access, source addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sync.sandbox.auth import sign
from tests.sandbox_api import NOON, Cloud, RefusedError


def signed(cloud: Cloud, **params: str) -> dict[str, str]:
    assert cloud.admin.api_key and cloud.admin.secret_key
    sent = {"command": "listZones", "apiKey": cloud.admin.api_key, "response": "json", **params}
    sent["signature"] = sign(sent, cloud.admin.secret_key)
    return sent


def test_a_signed_request_is_answered() -> None:
    cloud = Cloud()
    assert cloud.send(signed(cloud))[0] == 200


def test_the_names_of_parameters_have_no_case() -> None:
    cloud = Cloud()
    sent = signed(cloud)
    sent["APIKEY"] = sent.pop("apiKey")
    assert cloud.admin.secret_key
    sent["SIGNATURE"] = sign(
        {key: value for key, value in sent.items() if key != "signature"}, cloud.admin.secret_key
    )
    del sent["signature"]
    assert cloud.send(sent)[0] == 200


@pytest.mark.parametrize("text", ["é ü", "a+b&c=d", "*", "a/b", "(x) 'y'", "100%", "~tilde"])
def test_any_text_can_be_signed(text: str) -> None:
    cloud = Cloud()
    assert cloud.call("listDomains", name=text) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"signature": "AAAA"},
        {"apiKey": "unknown"},
        {"name": "added afterwards"},
        {"signature": ""},
    ],
)
def test_what_is_not_signed_by_the_key_is_401(change: dict[str, str]) -> None:
    cloud = Cloud()
    status, body = cloud.send(signed(cloud) | change)
    assert status == 401
    assert body == {
        "listzonesresponse": {
            "uuidList": [],
            "errorcode": 401,
            "errortext": "unable to verify user credentials and/or request signature",
        }
    }


@pytest.mark.parametrize(("minutes", "status"), [(10, 200), (-1, 401)], ids=["still valid", "expired"])
def test_version_3_signatures_expire(minutes: int, status: int) -> None:
    cloud = Cloud()
    expires = (NOON + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S+0000")
    assert cloud.send(signed(cloud, signatureVersion="3", expires=expires))[0] == status


@pytest.mark.parametrize("expires", ["", "tomorrow"])
def test_version_3_without_a_time_is_401(expires: str) -> None:
    cloud = Cloud()
    assert cloud.send(signed(cloud, signatureVersion="3", expires=expires))[0] == 401


def test_an_unknown_command_looks_like_a_bad_signature() -> None:
    cloud = Cloud()
    status, body = cloud.send(signed(cloud, command="frobnicate"))
    assert (status, list(body)) == (401, ["errorresponse"])


def test_another_path_is_an_html_page() -> None:
    status, body = Cloud().send({}, path="/client/apix")
    assert status == 404
    assert body.startswith("<html>") and "/client/apix" in body


@pytest.mark.parametrize("state", ["disabled", "locked"])
@pytest.mark.parametrize("of", ["user", "account"])
def test_a_fenced_caller_is_401_at_once(of: str, state: str) -> None:
    cloud = Cloud()
    user = cloud.account("bot", cloud.world.root_id, role="Root Admin")
    fenced: Any = user if of == "user" else cloud.world.account_of(user)
    cloud.call("listZones", caller=user)
    fenced.state = state
    with pytest.raises(RefusedError, match="401"):
        cloud.call("listZones", caller=user)


def test_api_key_access_can_be_taken_and_given_back() -> None:
    cloud = Cloud()
    user = cloud.account("bot", cloud.world.root_id, role="Root Admin")
    cloud.call("updateUser", id=user.id, apikeyaccess="disabled")
    with pytest.raises(RefusedError, match="401"):
        cloud.call("listZones", caller=user)
    cloud.call("updateUser", id=user.id, apikeyaccess="inherit")
    cloud.call("listZones", caller=user)


def test_on_4_18_api_key_access_is_ignored_without_a_word() -> None:
    cloud = Cloud("4.18")
    user = cloud.account("bot", cloud.world.root_id, role="Root Admin")
    cloud.call("updateUser", id=user.id, apikeyaccess="disabled")
    cloud.call("listZones", caller=user)


def test_an_account_can_be_bound_to_source_addresses() -> None:
    cloud = Cloud()
    user = cloud.account("bot", cloud.world.root_id, role="Root Admin")
    answer = cloud.call(
        "updateConfiguration",
        name="api.allowed.source.cidr.list",
        value="203.0.113.0/24, 10.0.0.0/8",
        accountid=user.account_id,
    )
    assert answer["configuration"]["value"] == "0.0.0.0/0,::/0", "the answer shows the global value"
    with pytest.raises(RefusedError, match="401"):
        cloud.call("listZones", caller=user)
    cloud.call("listZones")
    assert user.api_key and user.secret_key
    sent = {"command": "listZones", "apiKey": user.api_key}
    sent["signature"] = sign(sent, user.secret_key)
    assert cloud.send(sent, remote="203.0.113.9")[0] == 200


def test_the_access_log_names_key_and_client_and_no_secret() -> None:
    cloud = Cloud()
    cloud.account("bot", cloud.world.root_id)
    cloud.send(signed(cloud) | {"signature": "wrong"})
    entries = list(cloud.world.access_log)
    assert [(one.command, one.user, one.client, one.status) for one in entries] == [
        ("createAccount", "admin", "test", 200),
        ("listZones", "admin", "test", 401),
    ]
    assert cloud.admin.secret_key is not None
    assert all("secret" not in repr(one) and cloud.admin.secret_key not in repr(one) for one in entries)
