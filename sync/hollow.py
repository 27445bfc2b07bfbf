"""Whether a domain that is there with its accounts was emptied: what captures remember is gone. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sync.model import Contents, DomainView

_GONE = frozenset({"destroyed", "expunging", "error"})
"""States of VMs that are listed and are nobody's any more."""


def hollowed(view: DomainView, before: Mapping[str, Contents]) -> str:
    """Why the domain counts as hollow, in a sentence; empty when it does not.

    `before` is by the domain's own id: one that was made anew has not lost what its namesake had.
    """
    left = [vm for vm in view.vms if vm.state.casefold() not in _GONE]
    if left or view.templates or view.domain is None:
        return ""
    ids = [view.domain_id, *(domain.id for domain in view.subdomains)]
    had = [before[id] for id in ids if id in before]
    if not had:
        return ""
    vms, templates = sum(one.vms for one in had), sum(one.templates for one in had)
    words = " and ".join(
        f"{number} {noun}{'' if number == 1 else 's'}"
        for number, noun in ((vms, "VM"), (templates, "template"))
        if number
    )
    when = max(one.at for one in had)
    rest = "" if not view.vms else f" {len(view.vms)} destroyed ones are still listed and may be recoverable."
    return (
        f"The domain {view.path} is empty; the capture of {when:%Y-%m-%d %H:%M} UTC had {words} in it.{rest}"
    )
