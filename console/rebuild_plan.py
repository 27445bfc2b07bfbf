"""The plan of a rebuild, bound to the server, as the command and the console make it. Blocks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from console.losses import rules_with_ranges

if TYPE_CHECKING:
    from console.session_protocol import ConsoleSession
    from sync.deletions import Situation
    from sync.model import Drift, Plan


def plan_for(
    session: ConsoleSession,
    drift: Drift,
    keys: Collection[str],
    *,
    now: datetime,
    situation: Situation | None = None,
) -> Plan:
    """The plan that rebuilds these rows, bound to the server, with the ranges that networks had before the
    deletion as far as captures know them, and of names that the server has. Blocks; raises AbreastError."""
    from sync.named import refuse_unnamed
    from sync.recovery import plan_rebuild

    server = session.capabilities()
    plan = plan_rebuild(
        drift,
        keys,
        rules=rules_with_ranges(session, situation),
        environment=session.environment.name,
        root_id=server.root_id,
        endpoint=server.endpoint,
        author=session.operator,
        now=now,
    )
    refuse_unnamed(plan.actions, session.reader)
    return plan
