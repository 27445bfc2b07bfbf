"""What is known of shields as such: who heeds them, what can hold one, and how they stand. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

HONOURED_SINCE = (4, 23)
"""The release from which on a protected VM keeps its domain (measured)."""

_RELEASE = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class ShieldCheck:
    """How the shields stand. The empty value says that there are none and that none is asked for."""

    standing: int = 0
    """That the ledger says are up, in domains that are listed."""
    lost: tuple[str, ...] = ()
    """Paths of domains whose shield is gone."""
    lacking: tuple[str, ...] = ()
    """Paths of domains without any, although the configuration asks for one."""
    note: str = ""
    """Why nothing is counted; empty where it is."""

    @property
    def words(self) -> str:
        """One line for people; empty where there is nothing to say."""
        if self.note:
            return self.note
        said = [f"{self.standing} put up"] if self.standing else []
        said += [f"{len(self.lost)} gone"] if self.lost else []
        said += [f"{len(self.lacking)} domains without one"] if self.lacking else []
        return ", ".join(said)


NO_SHIELDS = ShieldCheck()


def honours(release: str) -> bool:
    """Whether a release is known to heed delete protection when a domain is deleted."""
    found = _RELEASE.match(release)
    return found is not None and (int(found[1]), int(found[2])) >= HONOURED_SINCE
