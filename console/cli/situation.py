"""What is being deleted, as JSON: the same in `contain`, `check` and `watch --headless`."""

from __future__ import annotations

from console.cli.output import plain
from sync.deletion_text import situation_text
from sync.deletions import Deletion, Situation, Stage
from sync.model import JsonObject


def situation_json(situation: Situation) -> JsonObject:
    """Every deletion by name, the worst first; `is_happening` is null where CloudStack told nothing."""
    return {
        "taken_at": plain(situation.taken_at),
        "headline": situation_text(situation),
        "is_happening": None if situation.is_unread else situation.is_happening,
        "problems": list(situation.problems),
        "deletions": [_deletion(one) for one in situation.deletions],
        "unnamed_jobs": situation.unnamed_jobs,
        "elsewhere": situation.elsewhere,
    }


def _deletion(one: Deletion) -> JsonObject:
    return {
        "kind": one.kind.value,
        "stage": one.stage.value,
        "name": one.name,
        "path": one.path,
        "id": one.target_id,
        "since": plain(one.since),
        "by": one.by,
        "why": one.why,
        "next": one.next_to_die if one.stage in (Stage.RUNNING, Stage.QUEUED) else "",
        "alive": [{"name": vm.name, "state": vm.state, "id": vm.id} for vm in one.alive],
        "snapshots": len(one.snapshots),
        "templates": len(one.templates),
        "subdomains": list(one.below),
        "attempts": one.attempts,
    }
