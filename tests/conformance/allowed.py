"""The one list of what may differ between the recordings and the sandbox, each entry with its reason."""

from __future__ import annotations

import re

from tests.conformance.replay import Result

ALLOWED: dict[str, tuple[str, str]] = {
    "4.23/roles:1": (
        r"\.listdomainsresponse\.domain\[ROOT\]\.networktotal: recorded 3, sandbox 2$",
        "ROOT counts three networks where the recordings make two; the third is not recorded "
        "(presumably made outside, as the many domains before this exchange were). All other counts agree",
    ),
}
"""Exchange (`4.23/roles:1`) → (pattern of the places that may differ, reason)."""


def allowed(result: Result) -> bool:
    """Whether every difference of an exchange is on the list."""
    entry = ALLOWED.get(result.exchange.name)
    return entry is not None and all(re.match(entry[0], line) for line in result.differences)
