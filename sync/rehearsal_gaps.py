"""Where a rehearsal and reality may go different ways, and why: said with every prediction. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sync.model import ActionKind, ActualInventory, Plan
from sync.named import Named

_CREATES_USERS = frozenset({ActionKind.CREATE_ACCOUNT, ActionKind.CREATE_USER})
_LIMITED = frozenset({ActionKind.UPDATE_LIMIT, ActionKind.CREATE_NETWORK, ActionKind.TAKE_ADDRESS})


def gaps(plan: Plan, actual: ActualInventory, *, release: str, named: Named, at_once: int) -> Iterator[str]:
    """In whole sentences, the most particular first. `release` is the one that the stand-in answers as."""
    kinds = {action.kind for action in plan.actions}
    yield from _release(actual.release, release)
    yield from _reading(actual)
    if kinds & _LIMITED:
        yield from _limits(actual)
    if ActionKind.CREATE_NETWORK in kinds:
        yield (
            "Networks: zone and offering stand in by their names only; free ranges, VLANs and capacity of "
            "the real zone are in no reading."
        )
    if ActionKind.TAKE_ADDRESS in kinds:
        yield (
            "Public addresses: the stand-in gives any that nobody had in the reading; the server gives none "
            "that lies outside of its zone's ranges, is dedicated to somebody else or in quarantine."
        )
    if kinds & _CREATES_USERS:
        yield from _people(actual)
    if named.problem:
        yield f"Not every role, zone and offering could be asked for on the server: {named.problem}"
    if at_once > 1:
        yield (
            f"Concurrency: rehearsed one action at a time, the time computed for {at_once} at once; what "
            "only happens when calls meet does not show."
        )
    yield (
        "Settings of the server (throttling, password rules, timeouts) are in no reading, and its service "
        "times may be others than those measured."
    )


def _release(captured: str, stand_in: str) -> Iterator[str]:
    if not captured:
        yield f"Release: the server does not say its own; the stand-in answers as {stand_in}."
    elif captured.split(".")[:2] != stand_in.split("."):
        yield (
            f"Release: the server is {captured}, the stand-in answers as {stand_in}; texts, codes and what "
            "is asynchronous differ between releases."
        )


def _reading(actual: ActualInventory) -> Iterator[str]:
    yield f"What changed after the reading of {actual.taken_at:%H:%M:%S} UTC is not in it."
    deletions = sum(job.deletes_domain for job in actual.jobs or ())
    if deletions:
        what = "a deletion" if deletions == 1 else f"{deletions} deletions"
        yield f"Deletions: {what} ran when it was read; in the stand-in nothing goes on being deleted."
    if actual.jobs is None:
        yield "Deletions: which jobs run could not be read; in the stand-in none does."


def _limits(actual: ActualInventory) -> Iterator[str]:
    unread = sum(domain.limits is None for domain in actual.domains)
    if unread:
        what = "one domain" if unread == 1 else f"{unread} domains"
        yield f"Limits: those of {what} were not read; the stand-in has none there."
    yield (
        "Limits: those of accounts, and of what lies above the projects, are in no reading; where the server "
        "refuses because of one, the stand-in does not."
    )


def _people(actual: ActualInventory) -> Iterator[str]:
    sources = sorted(
        {user.source for account in actual.accounts for user in account.users} - {"native", "unknown", ""}
    )
    if sources:
        yield (
            f"Users from {', '.join(sources)}: the stand-in has no directory; it makes local users, and "
            "nobody's login is rehearsed."
        )
