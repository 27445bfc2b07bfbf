"""listEvents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sync.sandbox.engine import Call, command
from sync.sandbox.errors import refused_parameter
from sync.sandbox.paging import Listing
from sync.sandbox.records import Event
from sync.sandbox.releases import NEW


@command("listEvents", entities={"id": "events", "domainid": "domains"}, answer="event")
def list_events(call: Call) -> Listing:
    """The events of the accounts in sight, newest page first; 4.23 sorts each page by account."""
    found = [event for event in call.scope().select(call.world.events.values()) if _matches(call, event)]
    since, until = _moment(call, "startdate"), _moment(call, "enddate", end=True)
    shown_events = [
        event
        for event in found
        if (since is None or call.world.clock.told(event.created) >= since)
        and (until is None or call.world.clock.told(event.created) < until)
    ]
    return Listing(
        shown_events[::-1],
        lambda one: _row(call, one),
        arranged=(lambda one: _place(call, one)) if call.release == NEW else None,
    )


def _matches(call: Call, event: Event) -> bool:
    type, level, keyword = call.get("type"), call.get("level"), call.get("keyword")
    resource, resource_type, state = call.get("resourceid"), call.get("resourcetype"), call.get("state")
    texts = (event.type, event.description, event.level)
    return (
        ("id" not in call.params or event.id == call.params["id"])
        and (type is None or event.type == type)
        and (level is None or event.level == level)
        and (state is None or event.state == state)
        and (keyword is None or any(keyword.casefold() in text.casefold() for text in texts))
        and (resource is None or event.resource_id == resource)
        and (resource_type is None or event.resource_type == resource_type)
    )


def _moment(call: Call, name: str, *, end: bool = False) -> datetime | None:
    """A date (a whole day) or a time, in UTC. Raises ApiError (431)."""
    value = call.get(name)
    if value is None:
        return None
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"):
        try:
            moment = datetime.strptime(value, form)
        except ValueError:
            continue
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment + timedelta(days=1) if end and form == "%Y-%m-%d" else moment
    text = f"invalid value. Unable to parse date {value} for command {call.command.name}"
    raise refused_parameter(call.command.name, text)


def _place(call: Call, event: Event) -> tuple[int, int]:
    account = call.world.find("accounts", event.account_id)
    return (account.number if account else 0), event.number


def _row(call: Call, event: Event) -> dict[str, Any]:
    world = call.world
    account, domain = world.find("accounts", event.account_id), world.find("domains", event.domain_id)
    assert account is not None and domain is not None
    row: dict[str, Any] = {
        "id": event.id,
        "username": event.username,
        "type": event.type,
        "level": event.level,
        "description": event.description,
        "account": account.name,
        "domainid": domain.id,
        "domain": domain.name,
        "created": world.shown(event.created),
        "state": event.state,
    }
    if call.release == NEW:
        row["domainpath"] = domain.path
    if event.resource_id is not None:
        row |= {"resourceid": event.resource_id, "resourcetype": event.resource_type}
        row["resourcename"] = event.resource_name
    if event.parent_id is not None:
        row["parentid"] = event.parent_id
    return row
