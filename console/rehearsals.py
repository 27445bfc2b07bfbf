"""A plan rehearsed for a session: what the stand-in is given is gathered here, and nothing else gets in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.session import Session
    from sync.model import ActualInventory, DesiredInventory, Plan
    from sync.prediction import Prediction


def rehearse(
    session: Session,
    plan: Plan,
    desired: DesiredInventory,
    actual: ActualInventory,
    *,
    on_progress: Callable[[int, int], None],
    stop: threading.Event,
) -> Prediction:
    """Run it in a stand-in of what was read. Of the server only names are asked for. Blocks.

    Raises UnreachableError when there is no stand-in.
    """
    from sync.capture import captured
    from sync.drill import speed_of
    from sync.named import ask_for_named
    from sync.rehearsing import rehearse_plan

    environment = session.environment
    return rehearse_plan(
        plan,
        captured(environment.name, desired, actual, network=environment.network),
        named=ask_for_named(session.reader, plan.actions),
        limits=environment.execution,
        speed=speed_of(environment.name),
        on_progress=on_progress,
        stop=stop,
    )
