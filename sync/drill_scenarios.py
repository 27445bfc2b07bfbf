"""The drill's scenarios as data: what happened before the drill opens, what happens later, what is promised.

Pure, and quick to import: the command line lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sync.errors import UsageError


class Night(Enum):
    """What the naive synchronization did before the drill opens."""

    QUIET = "nothing"
    JULY_28 = "most domains gone, one dying, one hollow"
    ABORTED_EARLY = "two domains gone, one dying"
    EVERYTHING_FAILS = "every clean-up failed at its end"


class Later(Enum):
    """What waits for the drill to be open."""

    NOTHING = "nothing"
    SYNC_BEGINS = "the naive synchronization begins when both sides were read"
    SYNC_AGAIN = "somebody switches the naive synchronization on again"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One practice incident."""

    name: str
    sentence: str
    """What it is, in one sentence."""
    night: Night
    promise: str
    """What has to hold at its end, besides that nothing repairable is left and the losses are exact."""
    later: Later = Later.NOTHING
    has_capture: bool = True
    """Whether both sides were captured on the eve."""
    is_fenced: bool = False
    """Whether somebody has fenced the synchronization's user before the drill opens."""
    is_interrupted: bool = False
    """Whether somebody has begun to rebuild, whose terminal died."""
    notes: tuple[str, ...] = ()
    """What the screen says when the drill opens: what is the drill's doing, and what to try."""


PACE = (
    "The practice cloud works ten times as fast as a real one; it tells of what it does in the time of your "
    "own clock."
)
"""True of all of them."""
SCENARIOS: Mapping[str, Scenario] = {
    one.name: one
    for one in (
        Scenario(
            "july28",
            "The night of 28 July 2017: a sync limited to one project, aborted eight hours too late.",
            Night.JULY_28,
            "the domain that nobody expected is untouched",
        ),
        Scenario(
            "aborted-early",
            "The same sync, aborted in its third domain: few are lost, and the rest must not be touched.",
            Night.ABORTED_EARLY,
            "nothing is lost outside of the domains that the sync had reached",
            notes=("The sync was aborted in its third domain, which goes on dying.",),
        ),
        Scenario(
            "hollow",
            "Every deletion failed half-way: the domains are there with their old ids, and empty.",
            Night.EVERYTHING_FAILS,
            "every domain that was there is there, with the id it had",
            notes=(
                "Every deletion failed at its end: the domains came back, without what was in them.",
                "A rebuild brings accounts and users back into them; what was in them is a loss, "
                "which `abreast restore` makes again as far as captures and archives have it.",
            ),
        ),
        Scenario(
            "while-you-watch",
            "All is well when the console opens; then the sync begins to delete.",
            Night.QUIET,
            "the deletion is seen by the next refresh, and nothing is lost but what was submitted before "
            "the fence",
            later=Later.SYNC_BEGINS,
            notes=(
                "Nothing has happened yet. The naive sync begins one minute of the practice cloud "
                "(six seconds) after the first refresh, and deletes one domain after the other.",
                "! contains it. What is submitted goes on; what follows does not have to.",
            ),
        ),
        Scenario(
            "second-operator",
            "Somebody's terminal died in a rebuild on another machine: break its lease and finish the run.",
            Night.JULY_28,
            "the interrupted run is finished by another operator, and nothing is done twice",
            is_interrupted=True,
            notes=(
                "After the night of 28 July a first operator, anna@ops, began to rebuild. The drill has "
                "killed that process in mid-run, with SIGKILL. It plays that it ran on another machine, five "
                "minutes ago: from here nobody can see whether it still runs.",
                "R opens the recovery: while armed, b there breaks the lease of anna@ops, by name and with a "
                "reason; then the run can be finished under your name.",
            ),
        ),
        Scenario(
            "no-capture",
            "The night of 28 July without any capture: what is lost is known by name at best.",
            Night.JULY_28,
            "the losses are told from the CI database alone, and it is said what that cannot know",
            has_capture=False,
            notes=(
                "Nothing was captured before the night: only the CI database tells what there was.",
                "Captures are taken from now on, of what is left.",
            ),
        ),
        Scenario(
            "second-wave",
            "After the rebuild the sync, which knows domains by their stored ids, is switched on again.",
            Night.JULY_28,
            "the fence is kept until the CI database has the new ids; with them the sync deletes nothing",
            later=Later.SYNC_AGAIN,
            is_fenced=True,
            notes=(
                "After the night of 28 July anna@ops fenced the sync's user ci-sync, through abreast.",
                "D plays the others: the owner of the CI database, who runs the SQL that a rebuild has "
                "written, and whoever switches the sync on again. It finds domains by their stored ids (by "
                "name where none is stored), and leaves zephyr alone, which is on a list of its own.",
                "Rebuild first. ! then F lifts the fence: alone only when every stored id is alive.",
            ),
        ),
    )
}
DEFAULT = "july28"


def scenario(name: str) -> Scenario:
    """The scenario of that name. Raises UsageError, which lists them all, where there is none."""
    found = SCENARIOS.get(name)
    if found is None:
        raise UsageError(f"There is no scenario {name}.", next_step=f"There are: {', '.join(SCENARIOS)}.")
    return found


def listing() -> str:
    """Every scenario with its sentence, a line each."""
    width = max(len(name) for name in SCENARIOS)
    return "\n".join(f"  {one.name:{width}}  {one.sentence}" for one in SCENARIOS.values())
