"""What `abreast restore` says: what it found, what it made, what is left and why, addresses that changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.changing import report_json
from console.cli.output import clipped, plain, result, result_json, say, table
from console.cli.rebuilding import Rebuild
from sync.errors import SourceError
from sync.model import ActualInventory, Drift, JsonObject, Outcome

if TYPE_CHECKING:
    from sync.agents import ChangedAddress
    from sync.capture import Capture
    from sync.freezes import Freeze
    from sync.identities import Identity
    from sync.restoration import AddressChange, Restoration

SAMPLES = 3
"""Names that are given for each reason; JSON has all of them."""


@dataclass
class Ended:
    """A restore at its end, both sides read anew."""

    work: Rebuild
    before: Capture
    made: Restoration
    after: Drift
    now: ActualInventory
    keys: frozenset[str] | None
    frozen: tuple[Freeze, ...]
    map: Path | None
    """Where the identity map was asked for."""

    @property
    def failed(self) -> dict[str, str]:
        """Action → why, of what was planned and is not in place."""
        from sync.schedule import is_in_place

        results = [one for _, report in self.work.done for one in report.results]
        return {one.action_id: one.detail or one.outcome.value for one in results if not is_in_place(one)}

    @property
    def is_whole(self) -> bool:
        """Whether everything that was planned is in place and no zone is left frozen."""
        return not self.failed and not self.frozen

    @property
    def counts(self) -> dict[str, int]:
        """Kind of action → how many succeeded."""
        done: Counter[str] = Counter()
        for plan, report in self.work.done:
            kinds = {action.id: action.kind.value for action in plan.actions}
            done.update(kinds[one.action_id] for one in report.results if one.outcome is Outcome.SUCCEEDED)
        return dict(done)

    def addresses(self) -> tuple[AddressChange, ...]:
        from sync.restoration import moved

        try:
            elsewhere = self.work.session.reader.public_addresses()
        except SourceError:
            elsewhere = ()  # then only what both sides showed is told
        return moved(self.before.actual, self.now, self.keys, elsewhere=elsewhere)

    def agents(self) -> tuple[ChangedAddress, ...]:
        from sync.agents import changed_addresses

        return changed_addresses(row for row in self.after.rows if self.keys is None or row.key in self.keys)

    def identities(self) -> tuple[Identity, ...]:
        from sync.identities import by_capture

        rows = by_capture(self.before.actual, self.now)
        return tuple(row for row in rows if self.keys is None or row.project in self.keys)

    def write_map(self) -> tuple[Path, ...]:
        """The identity map as CSV and JSON; none where nothing has a new id."""
        from sync.identity_map import write

        rows = self.identities()
        if not rows:
            return ()
        if self.map is not None:
            return write(rows, self.map.parent, name=self.map.stem)
        run = self.work.done[-1][1].run_id if self.work.done else "of-capture"
        folder = self.work.session.environment.credential_file.parent
        return write(rows, folder, name=f"identity-map-{run}")


def say_found(made: Restoration, before: Capture) -> None:
    """What of the capture is there, is made again, and is left."""
    there = sum(made.there.values())
    when = f"{before.taken_at:%Y-%m-%d %H:%M} UTC"
    say(
        f"The capture of {when} has {made.total} objects: {there} are there, {len(made.actions)} can be made "
        f"again, {len(made.left)} cannot."
    )
    if made.left:
        say(table(_left_rows(made), header=("not restored", "why", "for example")))
    for change in made.addresses:
        say(f"  {change.words}")


def _left_rows(made: Restoration) -> list[tuple[str, str, str]]:
    """One row for each type and reason."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for one in made.left:
        grouped.setdefault((one.type, one.why), []).append(f"{one.project}/{one.name}")
    return [
        (f"{len(names)} × {type_name}", why, clipped(", ".join(names[:SAMPLES])))
        for (type_name, why), names in grouped.items()
    ]


def print_text(ended: Ended) -> None:
    """The result for people."""
    counts = ", ".join(f"{count} × {kind}" for kind, count in ended.counts.items())
    result(f"restored: {counts or 'nothing'}")
    for action, why in ended.failed.items():
        result(f"not done: {action}: {why}")
    if ended.made.left:
        result(f"left: {len(ended.made.left)} objects of the capture are not restored")
        result(table(_left_rows(ended.made), header=("not restored", "why", "for example")))
    for change in ended.addresses():
        result(f"address: {change.words}")
    for agent in ended.agents():
        result(f"Jenkins: {agent.words}")
    for path in ended.write_map():
        result(f"identity map: {path}")
    for one in ended.frozen:
        result(one.words(ended.work.session.environment.name))


def write_json(ended: Ended) -> None:
    """The same for programs, with everything that is left by name."""
    found: JsonObject = {
        "capture": {"environment": ended.before.environment, "taken_at": plain(ended.before.taken_at)},
        "runs": [report_json(report) for _, report in ended.work.done],
        "restored": ended.counts,
        "failed": ended.failed,
        "there": dict(ended.made.there),
        "left": plain(ended.made.left),
        "addresses": plain(ended.addresses()),
        "agents": plain(ended.agents()),
        "new_ids": len(ended.identities()),
        "identity_map": [str(path) for path in ended.write_map()],
        "frozen": plain(ended.frozen),
    }
    result_json(found)
