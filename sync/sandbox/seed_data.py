"""Static data of a fresh installation: settings, and the catalogues taken from the recordings."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

DEFAULTS = {
    "account.cleanup.interval": "86400",
    "api.allowed.source.cidr.list": "0.0.0.0/0,::/0",
    "api.throttling.enabled": "false",
    "api.throttling.interval": "1",
    "api.throttling.max": "25",
    "default.page.size": "500",
    "expunge.delay": "86400",
    "expunge.interval": "86400",
    "secstorage.allowed.internal.sites": "",
    "storage.cleanup.interval": "86400",
    "user.api.key.access": "true",
}
"""Settings of a fresh server, as far as the sandbox heeds them."""


@cache
def catalog(name: str, release: str) -> Any:
    """The static data of a kind (`identity`, `machines` …) that a fresh zone has. Not to be changed."""
    file = resources.files("sync.sandbox") / "catalog" / f"{name}-{release}.json"
    return json.loads(file.read_text(encoding="utf-8"))
