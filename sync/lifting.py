"""Who may lift a fence: one person after a reading that shows every stored id alive, else two. Pure."""

from __future__ import annotations

from sync.approval_rules import login
from sync.errors import GuardError


def refuse_alone(why_keep: str, operator: str, second: str) -> None:
    """Raises GuardError where `why_keep` says that the fence has to stay, and nobody else has agreed to lift
    it: one person is known by the login, however the name is written and whatever host it is from."""
    if not why_keep:
        return
    if not login(second.strip()):
        raise GuardError(
            f"The fence stays: {why_keep}",
            next_step="The sync would delete what it does not find bound. Correct the ids first, or name the "
            "second person who agrees (--second NAME).",
        )
    if login(second.strip()) == login(operator.strip()):
        raise GuardError(
            f"The second name must be somebody else's: {second.strip()} is {operator}.",
            next_step="Two people have to agree, because the sync would delete what it does not find bound.",
        )
