"""The rows of the table of commands that are about retirements."""

from __future__ import annotations

from console.command import Command

RETIRE: tuple[Command, ...] = (
    Command(
        "retire",
        "T",
        "retire",
        "Retirements: what waits for whom until when, and what may be proposed.",
        "retire",
        ("overview", "project"),
        footer=False,
    ),
    Command(
        "retirement",
        "enter",
        "open",
        "All there is on the retirement, candidate or campaign under the cursor: who signed, what is lost.",
        "open_retirement",
        ("retire",),
    ),
    Command(
        "propose",
        "p",
        "propose",
        "Propose the candidate for retirement: both sides are read, nothing is changed in CloudStack.",
        "propose",
        ("retire", "retirement"),
        dangerous=True,
    ),
    Command(
        "propose-empty",
        "E",
        "propose empty",
        "Propose in one batch every candidate that is an empty domain.",
        "propose_empty",
        ("retire",),
        dangerous=True,
    ),
    Command(
        "campaign",
        "C",
        "campaign",
        "Ask for more than the ceiling for this project until a day; it counts when one more person signs.",
        "propose_campaign",
        ("retire", "retirement"),
        dangerous=True,
    ),
    Command(
        "write-loss-list",
        "W",
        "write list",
        "Write the loss list, or the campaign, that others sign into a folder of this environment.",
        "write_loss_list",
        ("retire", "retirement"),
    ),
    Command(
        "take-in-loss",
        "I",
        "take in",
        "Take in signatures over it; what would not count is refused with its reason.",
        "take_in",
        ("retire", "retirement"),
        dangerous=True,
    ),
    Command(
        "retire-step",
        "x",
        "next step",
        "Do the next step, after asking; where it destroys, for the name and the number of what is lost.",
        "next_step",
        ("retire", "retirement"),
        dangerous=True,
    ),
    Command(
        "retire-undo",
        "u",
        "undo",
        "Take back what was done: VMs are recovered, accounts enabled, Projects activated.",
        "undo_retirement",
        ("retire", "retirement"),
        dangerous=True,
    ),
)
