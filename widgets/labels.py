"""What a part of a row is called in one short phrase."""

from __future__ import annotations

from collections.abc import Callable

from sync.model import Part, Subject

_LABELS: dict[Subject, Callable[[Part], str]] = {
    Subject.DOMAIN: lambda part: "parent domain" if part.name else "domain",
    Subject.STORED_ID: lambda _: "stored id",
    Subject.NETWORK_DOMAIN: lambda _: "network domain",
    Subject.ACCOUNT: lambda part: f"account {part.name} {part.field}".rstrip(),
    Subject.USER: lambda part: f"user {part.name} {part.field}".rstrip(),
    Subject.LIMIT: lambda part: f"{part.name} limit",
    Subject.NETWORK: lambda part: f"network {part.name}",
    Subject.MACHINE: lambda part: f"VM {part.name}",
    Subject.SHIELD: lambda part: f"shield {part.name}".rstrip(),
}


def part_label(part: Part) -> str:
    """What the part is about: `user jmartin email`, `vm limit`."""
    return _LABELS[part.subject](part)
