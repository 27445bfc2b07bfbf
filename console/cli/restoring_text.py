"""What `abreast restore` says: what it found, what it made, what is left and why, addresses that changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.changing import report_json
from console.cli.output import clipped, plain, result, result_json, result_lines, say, say_lines, table
from sync.model import JsonObject

if TYPE_CHECKING:
    from console.restores import Restored
    from sync.capture import Capture
    from sync.restoration import Restoration

SAMPLES = 3
"""Names that are given for each reason; JSON has all of them."""


def say_found(made: Restoration, before: Capture) -> None:
    """What of the capture is there, is made again, and is left."""
    there = sum(made.there.values())
    when = f"{before.taken_at:%Y-%m-%d %H:%M} UTC"
    say(
        f"The capture of {when} has {made.total} objects: {there} are there, {len(made.actions)} can be made "
        f"again, {len(made.left)} cannot."
    )
    if made.left:
        say_lines(table(_left_rows(made), header=("not restored", "why", "for example")))
    for change in made.addresses:
        say(f"  {change.words}")


def _left_rows(made: Restoration) -> list[tuple[str, str, str]]:
    return [
        (f"{len(names)} × {type_name}", why, clipped(", ".join(names[:SAMPLES])))
        for type_name, why, names in made.reasons
    ]


def print_text(ended: Restored, environment: str, files: Sequence[Path]) -> None:
    """The result for people; `files` are the identity map."""
    counts = ", ".join(f"{count} × {kind}" for kind, count in ended.counts.items())
    result(f"restored: {counts or 'nothing'}")
    for action, why in ended.failed.items():
        result(f"not done: {action}: {why}")
    for action in ended.unreached:
        result(f"not done: {action}: not reached")
    if ended.made.left:
        result(f"left: {len(ended.made.left)} objects of the capture are not restored")
        result_lines(table(_left_rows(ended.made), header=("not restored", "why", "for example")))
    for change in ended.addresses:
        result(f"address: {change.words}")
    for agent in ended.agents:
        result(f"Jenkins: {agent.words}")
    for sentence in ended.unread:
        result(f"not known: {sentence}")
    if ended.unread:
        result("`abreast report` reads it again, and lists every address that changed.")
    for path in files:
        result(f"identity map: {path}")
    for one in ended.frozen:
        result(one.words(environment))


def write_json(ended: Restored, before: Capture, files: Sequence[Path]) -> None:
    """The same for programs, with everything that is left by name."""
    found: JsonObject = {
        "capture": {"environment": before.environment, "taken_at": plain(before.taken_at)},
        "runs": [report_json(report) for _, report in ended.done],
        "restored": ended.counts,
        "failed": {**ended.failed, **dict.fromkeys(ended.unreached, "not reached")},
        "there": dict(ended.made.there),
        "left": plain(ended.made.left),
        "addresses": plain(ended.addresses),
        "agents": plain(ended.agents),
        "not_known": list(ended.unread),
        "new_ids": len(ended.identities),
        "identity_map": [str(path) for path in files],
        "frozen": plain(ended.frozen),
    }
    result_json(found)
