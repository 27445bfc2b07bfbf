"""Writing the event log that `listEvents` reads."""

from __future__ import annotations

from typing import Any

from sync.sandbox.jobs import JobEvent
from sync.sandbox.records import Account, Event, User, World


def log_event(
    world: World,
    type: str,
    description: str,
    *,
    user: User,
    account: Account,
    state: str = "Completed",
    level: str = "INFO",
    resource: Any = None,
    resource_type: str | None = None,
    parent_id: str | None = None,
) -> Event:
    """Add one event; `account` is the one shown, with its domain."""
    event = Event(
        id=world.new_id(),
        number=world.next_number("events"),
        type=type,
        level=level,
        description=description,
        state=state,
        user_id=user.id,
        username=user.username,
        account_id=account.id,
        domain_id=account.domain_id,
        resource_id=getattr(resource, "id", None),
        resource_type=resource_type,
        resource_name=getattr(resource, "name", None) or getattr(resource, "username", None),
        parent_id=parent_id,
        created=world.now(),
    )
    world.put("events", event)
    return event


def log_done(
    world: World,
    type: str,
    working: str,
    *,
    user: User,
    resource: Any = None,
    resource_type: str | None = None,
) -> Event:
    """Add the one event of a synchronous command that went well."""
    text = f"Successfully completed {working}"
    account = world.account_of(user)
    return log_event(
        world, type, text, user=user, account=account, resource=resource, resource_type=resource_type
    )


def log_job_step(
    world: World,
    event: JobEvent,
    *,
    user: User,
    state: str,
    parent_id: str | None = None,
    failed: bool = False,
) -> Event:
    """Add the Scheduled, Started or Completed event of a job."""
    account = world.account_of(user)
    text = event.working
    if state == "Scheduled":
        text = event.scheduled
        account = world.find("accounts", event.owner_id) or account
    elif state == "Completed":
        text = f"{'Error while' if failed else 'Successfully completed'} {event.working}"
    elif world.release != "4.18":
        text = text[:1].upper() + text[1:]
    return log_event(
        world,
        event.type,
        text,
        user=user,
        account=account,
        state=state,
        level="ERROR" if failed else "INFO",
        resource=event.resource,
        resource_type=event.resource_type,
        parent_id=parent_id,
    )
