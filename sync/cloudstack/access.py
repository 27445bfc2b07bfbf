"""How a user and its account may call, as CloudStack shows it to a key. Never the key of theirs."""

from __future__ import annotations

from sync.cloudstack.paging import Pager, Query
from sync.errors import DataError
from sync.model import JsonObject

SOURCE_LIST = "api.allowed.source.cidr.list"
"""The only setting that containment changes, and only for one account."""

_KEPT = ("id", "username", "account", "accountid", "state", "apikeyaccess")


def row_of(query: Query, id: str, pager: Pager) -> JsonObject:
    """The row of that id. Raises DataError when it is not listed, and SourceError."""
    for row in pager.read(query).require():
        if row.get("id") == id:
            return row
    raise DataError(f"{query.command} does not show {id}: it is gone, or hidden from this key.")


def user_access(user_id: str, pager: Pager) -> JsonObject:
    """The user's state, and its keys' access where the release shows it to this key. Raises SourceError."""
    row = row_of(Query("listUsers", "user", {"id": user_id, "listall": "true"}), user_id, pager)
    return {name: row[name] for name in _KEPT if name in row}


def source_list(account_id: str, pager: Pager) -> str:
    """The source list that holds for an account. Raises DataError, SourceError."""
    query = Query(
        "listConfigurations",
        "configuration",
        {"name": SOURCE_LIST, "accountid": account_id},
        identity=("name",),
    )
    for row in pager.read(query).require():
        if row.get("name") == SOURCE_LIST:
            return str(row.get("value", ""))
    raise DataError(f"CloudStack does not show the setting {SOURCE_LIST} to this key.")
