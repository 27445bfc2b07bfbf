"""Pages of a list, with CloudStack's own rules for `page` and `pagesize`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sync.sandbox.errors import ApiError, invalid, refused_parameter


@dataclass(frozen=True)
class Listing:
    """What a list command found: all records, and how one is shown. Only the page asked for is rendered."""

    found: Sequence[Any]
    show: Callable[[Any], dict[str, Any]]
    paged: bool = True
    """Some commands know no pages and show all they found."""
    counted: bool = True
    """False: the answer has no `count`."""
    arranged: Callable[[Any], Any] | None = None
    """Sort key of the rows within a page; which rows are on it is decided by the order found."""


def check_page(command: str, params: dict[str, str], maximum: int) -> None:
    """Refuse a page that cannot be; measured on 4.23. Raises ApiError (431)."""
    for name in ("page", "pagesize"):
        if not re.fullmatch(r"-?\d+", params.get(name, "0")):
            text = f"invalid value. Invalid parameter value={params[name]} for {name}"
            raise refused_parameter(command, text)
    if "page" in params and "pagesize" not in params:
        raise ApiError(431, '"pagesize" parameter is required when "page" is specified', 9999)
    if "pagesize" in params and "page" not in params:
        raise ApiError(431, '"page" parameter is required when "pagesize" is specified', 9999)
    if "pagesize" in params and int(params["pagesize"]) > maximum:
        raise invalid(f"Page size can't exceed max allowed page size value: {maximum}")


def page_of(listing: Listing, answer: str, params: dict[str, str], maximum: int) -> dict[str, Any]:
    """The inner object of a list's answer: `{}`, `{"count": N}` past the end, or count and rows."""
    total = len(listing.found)
    if not total:
        return {}
    rows = listing.found
    if listing.paged:
        size = int(params.get("pagesize", maximum))
        start = (max(1, int(params.get("page", 1))) - 1) * max(0, size)
        rows = rows if size < 0 else rows[start : start + size]
    made: dict[str, Any] = {"count": total} if listing.counted else {}
    if rows:
        shown = sorted(rows, key=listing.arranged) if listing.arranged else rows
        made[answer] = [listing.show(one) for one in shown]
    return made
