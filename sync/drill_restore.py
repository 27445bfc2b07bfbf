"""The step Restore of a drill that plays itself: templates from its archive, networks and VMs from the eve's
capture, made again after the rebuild; what is left, with the reasons counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from sync import archive_folder
from sync.archive_folder import ArchiveServer
from sync.drill_script import Act
from sync.executor import RunReport
from sync.model import JsonObject
from sync.restoration import Restoration, in_stages
from sync.restore import plan_restoration, wanted_files
from sync.restore_scene import Means
from sync.schedule import is_in_place


def restore(act: Act) -> None:
    """Make again what the capture and the archive of the eve have, and look again.

    Both sides have to have been read since the rebuild. Raises AbreastError.
    """
    environment, eve, now = act.drill.environment, act.drill.eve, act.rehearsal.actual
    assert environment.archive is not None and eve is not None and now is not None
    archives = archive_folder.read(environment.archive)
    means = Means(act.rehearsal.reader.stock(), archives, is_served=True)
    wanted = wanted_files(eve.actual, now, means)
    means = replace(means, archives=archive_folder.checked(archives, wanted))
    made = plan_restoration(eve.actual, now, means)
    act.say(f"restoring {len(made.actions)} objects of the eve; {len(made.left)} are left")
    with ArchiveServer(archives, environment.archive_address) as server:
        reports = [act.rehearsal.execute(stage, archive=server) for stage in in_stages(made.actions)]
    act.restored = _told(made, reports)
    act.look_again()


def _told(made: Restoration, reports: Sequence[RunReport]) -> JsonObject:
    """In numbers, with each that failed by name and each reason with how many it keeps."""
    kinds = {action.id: action.kind.value for action in made.actions}
    results = [one for report in reports for one in report.results]
    left = Counter((one.type, one.why) for one in made.left)
    return {
        "planned": dict(Counter(kinds.values())),
        "in_place": dict(Counter(kinds[one.action_id] for one in results if is_in_place(one))),
        "failed": {one.action_id: one.detail or one.outcome.value for one in results if not is_in_place(one)},
        "there_before": dict(made.there),
        "left": len(made.left),
        "why_left": [
            {"type": type_name, "why": why, "objects": count}
            for (type_name, why), count in left.most_common()
        ],
        "addresses_changed": len(made.addresses),
    }
