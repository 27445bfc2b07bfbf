"""Whether a domain that is there with its accounts was emptied: what captures remember is gone. Pure.

What an account had that was made anew since is a loss, told as such: nothing of the new one is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sync.machine_states import RECOVERABLE
from sync.model import Account, Contents, DomainView, DriftKind, DriftRow, Project
from sync.parts import alive, is_made_since, own_account

BASELINE = timedelta(days=1)
"""How far back a domain that is empty now is compared with what it had."""


@dataclass(frozen=True, slots=True)
class Emptied:
    """A domain with nothing in it, in which captures remember VMs or templates."""

    words: str
    """One sentence: what was in it, and when."""
    is_made_anew: bool
    """Whether its account is not the one that had them: then it is not hollow."""


def emptied(view: DomainView, project: Project, before: Mapping[str, Contents]) -> Emptied | None:
    """What captures remember of a domain that has no VM and no template; None where it has, or they do not.

    `before` is by the domain's own id: one that was made anew has not lost what its namesake had.
    """
    if alive(view.vms) or view.templates or view.domain is None:
        return None
    ids = [view.domain_id, *(domain.id for domain in view.subdomains)]
    had = [before[id] for id in ids if id in before]
    if not had:
        return None
    own = own_account(view, project)
    judged = view.accounts if own is None else (own,)
    is_made_anew = bool(judged) and not any(_was_there(account, had) for account in judged)
    return Emptied(_words(view, had, is_made_anew=is_made_anew), is_made_anew)


def _was_there(account: Account, had: Sequence[Contents]) -> bool:
    known = frozenset[str]().union(*(one.accounts for one in had))
    if known:
        return account.id in known
    # Captures that saw the domain only while it was being deleted have none.
    return not is_made_since(account, max(one.at for one in had))


def _words(view: DomainView, had: Sequence[Contents], *, is_made_anew: bool) -> str:
    vms, templates = sum(one.vms for one in had), sum(one.templates for one in had)
    words = " and ".join(
        f"{number} {noun}{'' if number == 1 else 's'}"
        for number, noun in ((vms, "VM"), (templates, "template"))
        if number
    )
    capture = f"the capture of {max(one.at for one in had):%Y-%m-%d %H:%M} UTC"
    if is_made_anew:
        return f"The account was made anew; {words} that {capture} had in {view.path} are lost."
    back = sum(vm.state.casefold() in RECOVERABLE for vm in view.vms)
    ones = "one is" if back == 1 else "ones are"
    rest = f" {back} destroyed {ones} still listed and may be recoverable." if back else ""
    return f"The domain {view.path} is empty; {capture} had {words} in it.{rest}"


def is_emptied(row: DriftRow) -> bool:
    """Whether the row is hollow by what captures remember alone: no rebuild brings that back."""
    return row.kind is DriftKind.HOLLOW and row.view is not None and bool(row.view.accounts)
