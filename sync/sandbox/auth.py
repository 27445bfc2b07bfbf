"""The door: API keys, signatures (HMAC-SHA1, version 3 with an expiry), source addresses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from sync.sandbox.errors import unauthorized
from sync.sandbox.records import User, World


class SignedRequest(Protocol):
    """What is needed of a request to check its signature."""

    @property
    def params(self) -> Mapping[str, str]:
        """Every parameter as sent."""


def sign(params: Mapping[str, str], secret: str) -> str:
    """The signature of parameters (all but `signature`), in the order of their lower-cased names."""
    return _signature(sorted(params, key=str.lower), params, secret)


def authenticate(world: World, request: SignedRequest) -> User:
    """The user a request is signed by. Raises ApiError (401), always with the same text."""
    params = {key.lower(): value for key, value in request.params.items()}
    user = world.user_with_key(params.get("apikey", ""))
    if user is None or user.secret_key is None or "signature" not in params or not params.get("command"):
        raise unauthorized()
    if not _signed_by(user.secret_key, request.params) or _expired(params, world.clock.callers_now()):
        raise unauthorized()
    account = world.account_of(user)
    states = (user.state, account.state)
    if states != ("enabled", "enabled") or account.removed or not _keys_work(world, user):
        raise unauthorized()
    return user


def check_source(world: World, user: User, remote: str) -> None:
    """Refuse a caller whose account only allows other addresses. Raises ApiError (401)."""
    setting = "api.allowed.source.cidr.list"
    allowed = world.account_settings.get(user.account_id, {}).get(setting) or world.settings.get(setting)
    if not allowed:
        return
    address = ipaddress.ip_address(remote)
    networks = [ipaddress.ip_network(one.strip(), strict=False) for one in allowed.split(",")]
    if not any(address in network for network in networks if network.version == address.version):
        raise unauthorized()


def _keys_work(world: World, user: User) -> bool:
    account_access = world.account_of(user).api_key_access
    for access in (user.api_key_access, account_access):
        if access.upper() != "INHERIT":
            return access.upper() == "ENABLED"
    return world.settings.get("user.api.key.access", "true") == "true"


def _signed_by(secret: str, params: Mapping[str, str]) -> bool:
    given = next(value for key, value in params.items() if key.lower() == "signature")
    signed = {key: value for key, value in params.items() if key.lower() != "signature"}
    orders: list[list[str]] = [sorted(signed, key=str.lower), sorted(signed)]
    return any(hmac.compare_digest(_signature(order, signed, secret), given) for order in orders)


def _signature(order: Iterable[str], params: Mapping[str, str], secret: str) -> str:
    text = "&".join(f"{key}={quote(params[key], safe='*')}" for key in order).lower()
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _expired(params: Mapping[str, str], now: datetime) -> bool:
    if params.get("signatureversion") != "3":
        return False
    try:
        expires = datetime.strptime(params.get("expires", ""), "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return True
    return expires < now
