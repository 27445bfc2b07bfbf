"""The blast radius of what is staged: computed in a thread from the latest complete lists, newest first.

Owned by the App. A radius that cannot be computed is an error in its place, and refuses the confirmation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.confirmations import Radii, with_radii
from console.faults import as_error
from console.messages import RadiiComputed
from widgets.action_details import describe

if TYPE_CHECKING:
    from console.running import RunningApp
    from sync.model import Action


class RadiusKeeper:
    """Keeps the App's `radii` true to what is staged and to what was read last."""

    def __init__(self, app: RunningApp) -> None:
        self._app = app
        self._generation = 0

    def compute(self) -> None:
        """Have the radius of every staged action computed; RadiiComputed comes back."""
        app = self._app
        self._generation += 1
        generation, actions, desired = self._generation, app.staged, app.desired
        actual = app.whole or app.actual
        if not actions or actual is None:
            app.radii = {}
            return

        def work() -> None:
            found: Radii
            try:
                found = app.session.radii(actions, desired, actual)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                fault = as_error(error, doing="computing the blast radius")
                found = {action.id: fault for action in actions}
            app.post_message(RadiiComputed(generation, found))

        app.run_in_background(work, name=f"blast radius {generation}")

    def take(self, message: RadiiComputed) -> None:
        """Show what was computed last; what was confirmed with another radius is confirmed no longer."""
        if message.generation != self._generation:
            return
        app = self._app
        app.radii = message.radii
        kept = with_radii(app.confirmed, message.radii)
        changed = [id for id in app.confirmed if id not in kept]
        if changed:
            app.confirmed = kept
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            app.notify(
                "What it would stop or destroy changed since, or cannot be computed any more: no longer "
                f"confirmed: {describe(changed[0])}{more}.",
                severity="warning",
            )

    def refusal(self, action: Action) -> str:
        """Why the action cannot be confirmed; empty when its radius is known."""
        found = self._app.radii.get(action.id)
        if found is None:
            return "Its blast radius is being computed: a moment."
        return str(found) if isinstance(found, Exception) else ""

    def refusals(self, actions: tuple[Action, ...]) -> list[tuple[Action, str]]:
        """Those of the actions that cannot be confirmed, each with why."""
        return [(action, why) for action in actions if (why := self.refusal(action))]
