"""The restore of this console: planned in the background, executed stage by stage, looked at when both sides
were read anew. Owned by the App; the screen shows how it stands.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from console.faults import as_error
from console.messages import RestoreMoved
from console.recovering import is_read_after
from console.restore_state import Restoring, Wish
from console.restores import (
    Done,
    all_actions,
    archives_of,
    as_one,
    capture_of,
    conclude,
    execute_stages,
    keys_of,
    newest_before,
    plan_restore,
    refuse_other_server,
    server_of,
    write_map,
    zone_to_freeze,
)
from sync.approval import refuse_unsigned
from sync.errors import IncompleteError
from sync.loss_basis import basis_words, given

if TYPE_CHECKING:
    from console.running import RunningApp
    from console.state import RunState
    from sync.archive_folder import ArchiveServer
    from sync.archives import Archives
    from sync.capture import Capture
    from sync.execution import OnEvent
    from sync.executor import RunReport
    from sync.loss_basis import Basis
    from sync.model import ActualInventory, Drift


class Restores:
    """One restore at a time; the newest counts."""

    def __init__(self, app: RunningApp) -> None:
        self._app = app
        self._generation = 0
        self._done: list[Done] = []
        """The stages of the restore that was begun last."""
        self._after: object | None = None
        """The run after which was planned, or looked at what came of it."""

    # --- planning -----------------------------------------------------------------------------------------

    def begin(self, wish: Wish | None = None) -> None:
        """Plan a restore by the newest reading, in a thread; without a wish by what is chosen by itself.
        RestoreMoved tells of it."""
        app, wish = self._app, wish or Wish()
        self._generation += 1
        state = Restoring(self._generation, wish, step="Both sides are being read …")
        drift, actual, run = app.drift, app.whole, app.run_state
        is_early = drift is None or (actual is None and drift.actual.is_complete)
        if drift is None or is_early or (run is not None and not is_read_after(run, drift)):
            app.restoring = replace(state, is_waiting=True)  # `go_on` begins
            return
        self._after, app.restoring = run, state

        def work() -> None:
            try:
                ended = self._planned(state, drift, actual)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                problem = str(as_error(error, doing="planning the restore"))
                ended = replace(state, step="", problem=problem)
            app.post_message(RestoreMoved(ended))

        app.run_in_background(work, name="plan the restore")

    def follow_rebuild(self, rebuild: RunState) -> None:
        """A rebuild was proven: plan by a reading from after it, the first time or anew; not behind a restore
        that was run. Behind a rebuild of this console `go_on` plans anew."""
        state = self._app.restoring
        if state is None:
            self.begin()
        elif rebuild.recalled_of and state.is_overtaken_by(rebuild.ended_at):
            self.begin(state.wish)

    def _planned(self, state: Restoring, drift: Drift, actual: ActualInventory | None) -> Restoring:
        """In a thread. Raises AbreastError."""
        session, wish = self._app.session, state.wish
        for name, coverage in (("The CI database", drift.desired), ("CloudStack", drift.actual)):
            if not coverage.is_complete:
                raise IncompleteError(
                    f"{name} was not read completely. Nothing is restored: what was not seen would be made "
                    "twice."
                )
        assert actual is not None, "a complete reading is kept"
        notes: list[str] = []

        def tell(step: str) -> None:
            self._app.post_message(RestoreMoved(replace(state, step=step)))

        basis, before = self._before(wish)
        refuse_other_server(before, actual)
        archives = archives_of(session, wish.folder, on_step=notes.append)
        # Tried out now: that it cannot be served there is said before anything is confirmed.
        with server_of(session, archives, wish.serve) or nullcontext() as server:
            where = "" if server is None else wish.serve or session.environment.archive_address
        keys = keys_of(drift, wish.names)
        made = plan_restore(
            session,
            before.actual,
            actual,
            archives=archives,
            is_served=bool(where),
            keys=keys,
            on_step=tell,
        )
        zone = zone_to_freeze(session, wish.zone, on_step=notes.append)
        zone = zone if made.actions else None
        actions = all_actions(session, made.actions, zone)
        plan = session.plan(actions) if actions else None
        if plan is not None:
            refuse_unsigned(plan, session.environment.approvals, now=session.clock())
        return replace(
            state,
            step="",
            notes=tuple(notes),
            basis=basis_words(basis, session.clock()),
            read_at=actual.taken_at,
            before=before,
            made=made,
            plan=plan,
            zone=zone,
            keys=keys,
            archive=_archive_words(archives, where),
        )

    def _before(self, wish: Wish) -> tuple[Basis, Capture]:
        session, situation = self._app.session, self._app.situation
        if not wish.capture:
            return newest_before(session, situation)
        found = capture_of(session, wish.capture)
        return given(found.taken_at, situation), found

    @contextmanager
    def serving(self) -> Iterator[ArchiveServer | None]:
        """Gives the files of the archive that is wanted to CloudStack meanwhile, where there is one and an
        address. Raises UsageError."""
        state, session = self._app.restoring, self._app.session
        wish = state.wish if state is not None else Wish()
        archives = archives_of(session, wish.folder, on_step=lambda _: None)
        with server_of(session, archives, wish.serve) or nullcontext() as server:
            yield server

    def take(self, state: Restoring) -> None:
        """Show how the newest restore stands."""
        if state.generation == self._generation:
            self._app.restoring = state

    # --- executing ----------------------------------------------------------------------------------------

    def execute(self, state: Restoring) -> bool:
        """Run what was just confirmed; False when an execution is going on, or something else is wanted by
        now."""
        plan, made, session = state.plan, state.made, self._app.session
        if plan is None or made is None or state.generation != self._generation:
            return False
        started_at = self._app.utc_clock()
        done = self._done = []

        def run(on_event: OnEvent, stop: threading.Event, pause: threading.Event) -> RunReport:
            with self.serving() as server:
                execute_stages(
                    session,
                    made.actions,
                    state.zone,
                    archive=server,
                    on_event=on_event,
                    stop=stop,
                    pause=pause,
                    on_done=done.append,
                )
            return as_one(plan, done, started_at=started_at)

        if not self._app.operations.restore(plan, run):
            return False
        self._app.restoring = replace(state, is_run=True)
        return True

    # --- afterwards ---------------------------------------------------------------------------------------

    def go_on(self, drift: Drift) -> None:
        """Both sides were read: plan what waits for that; look at what came of a restore, once."""
        app, state = self._app, self._app.restoring
        run = app.run_state
        if state is None or (run is not None and not is_read_after(run, drift)):
            return
        if state.is_run and state.ended is None and app.whole is not None:
            if run is not self._after:
                self._after = run
                self._conclude(state, drift, app.whole)
        elif state.is_waiting or (run is not self._after and (state.ended is None or _is_restore(run))):
            self.begin(state.wish)

    def _conclude(self, state: Restoring, drift: Drift, now: ActualInventory) -> None:
        before, made, done = state.before, state.made, tuple(self._done)
        assert before is not None and made is not None, "what was run was planned"
        session = self._app.session

        def work() -> None:
            try:
                ended = conclude(session, before.actual, made, done, after=drift, now=now, keys=state.keys)
                files = tuple(str(path) for path in write_map(session, ended))
                told = replace(state, ended=ended, files=files)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                told = replace(state, problem=str(as_error(error, doing="looking at what was restored")))
            self._app.post_message(RestoreMoved(told))

        self._app.run_in_background(work, name="look at what was restored")


def _is_restore(run: RunState | None) -> bool:
    return run is not None and run.is_restore


def _archive_words(archives: Archives, where: str) -> str:
    if not archives.folder:
        return "No archive: only VMs come back whose templates are there."
    how = f"given to CloudStack from {where}" if where else "not given to CloudStack: no address is named"
    return f"{archives.folder}, {how}."
