"""Writes the incident report, the letters and the first message from the console, in the background, beside
the environment's other files. Owned by the App; the recovery shows how it stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from console.faults import as_error
from console.messages import ReportMoved
from console.report_state import Reporting

if TYPE_CHECKING:
    from console.running import RunningApp


class ReportWriter:
    """One report at a time; each has a folder of its own, and an earlier one stays."""

    def __init__(self, app: RunningApp) -> None:
        self._app = app
        self._generation = 0

    def begin(self, *, chosen: int | None = None) -> bool:
        """Make and write it in a thread, its losses told against the capture of that number, else against the
        newest from before the deletion; ReportMoved tells of it. False while one is being written."""
        app = self._app
        if app.reporting is not None and app.reporting.is_going_on:
            return False
        self._generation += 1
        state = Reporting(self._generation, app.utc_clock(), step="Reading both sides …")
        app.reporting = state

        def work() -> None:
            try:
                ended = self._written(state, chosen)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                problem = str(as_error(error, doing="writing the incident report"))
                ended = replace(state, step="", problem=problem)
            app.post_message(ReportMoved(ended))

        app.run_in_background(work, name="write the report")
        return True

    def _written(self, state: Reporting, chosen: int | None) -> Reporting:
        """In a thread: exactly what `abreast report -o FOLDER` writes. Raises AbreastError."""
        from console.cli.record import moment
        from console.reports import DEFAULT_SINCE, make, write
        from sync.letters import template_from

        session = self._app.session
        folder = self._folder(state)

        def tell(step: str) -> None:
            self._app.post_message(ReportMoved(replace(state, step=step)))

        since = moment(DEFAULT_SINCE, session.clock())
        made = make(session, since=since, on_step=tell, chosen=chosen)
        tell("Writing the report and the letters …")
        paths = write(made, folder, template_from(None))
        return replace(
            state,
            step="",
            folder=str(folder),
            files=tuple(map(str, paths)),
            without_owner=tuple(one.name for one in made.projects if one.is_hit and not one.owners),
            unsure=made.unsure,
        )

    def _folder(self, state: Reporting) -> Path:
        beside = self._app.session.environment.credential_file
        return beside.with_name(f"report-{state.at:%Y%m%d-%H%M%S}")

    def take(self, state: Reporting) -> None:
        """Show how the newest one stands."""
        if state.generation == self._generation:
            self._app.reporting = state
