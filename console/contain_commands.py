"""The rows of the table of commands that are about the Contain screen."""

from __future__ import annotations

from console.command import Command

CONTAIN: tuple[Command, ...] = (
    Command(
        "fence",
        "f",
        "fence",
        "Take the deleting user's access away, after asking who is meant and for the environment's name.",
        "fence",
        ("contain",),
        dangerous=True,
    ),
    Command(
        "brake",
        "b",
        "brake",
        "Hold CloudStack's own deletion lock, so that what is queued fails untouched.",
        "brake",
        ("contain",),
        dangerous=True,
    ),
    Command(
        "release-brake",
        "B",
        "release brake",
        "Give the deletion lock back.",
        "release_brake",
        ("contain",),
    ),
    Command(
        "shield",
        "s",
        "shield",
        "Put delete protection on one VM of every domain that is not submitted and can have it.",
        "shield",
        ("contain",),
        dangerous=True,
    ),
    Command(
        "evidence",
        "e",
        "evidence",
        "Save what expires to a file: events, jobs, servers, alerts, limits, VMs and volumes.",
        "evidence",
        ("contain",),
    ),
    Command(
        "read-closer",
        "enter",
        "read",
        "Read all there is on what is under the cursor: the runbook, a rung, a deletion.",
        "read_closer",
        ("contain",),
        watch=True,
    ),
    Command(
        "lift-fence",
        "F",
        "lift fence",
        "Give back access that abreast took: after a reading of both sides, with a reason.",
        "lift_fence",
        ("contain",),
        dangerous=True,
    ),
    Command(
        "lift-shields",
        "L",
        "lift shields",
        "Take down exactly the shields that abreast set.",
        "lift_shields",
        ("contain",),
        dangerous=True,
    ),
)
