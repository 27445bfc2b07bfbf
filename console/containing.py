"""The App's handlers for containment: they take what the threads of `rungs` and the brakes posted.

A brake that is held is on every screen, and its loss rings wherever the operator is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from textual import on
from textual.reactive import var

from console.commands import Mode
from console.messages import (
    BrakeChanged,
    ContainBroke,
    EvidenceSaved,
    FenceGateRead,
    LookTaken,
    RungEnded,
    RungProgressed,
)
from console.running import RunningApp

if TYPE_CHECKING:
    from console.containing_state import ContainState
    from console.rungs import Rungs
    from sync.errors import AbreastError


class ContainingApp(RunningApp):
    """Owns what is known of containment, and whatever holds on to something: the brakes."""

    containing: var[ContainState | None] = var(None, always_update=True)
    """None until the Contain screen was opened for the first time."""

    @cached_property
    def rungs(self) -> Rungs:
        """What looks and takes rungs; made when it is first needed."""
        from console.containing_state import ContainState
        from console.rungs import Rungs

        self.containing = ContainState()
        return Rungs(self, is_armed=self.console_mode.may_contain)

    @property
    def _has_rungs(self) -> bool:
        return self.containing is not None

    def change_containing(self, **values: object) -> None:
        """The state with these values changed."""
        from dataclasses import replace

        assert self.containing is not None
        self.containing = replace(self.containing, **values)  # type: ignore[arg-type]

    def on_unmount(self) -> None:
        """Nothing is held longer than the console runs."""
        if self._has_rungs:
            self.rungs.close()

    def watch_console_mode(self, mode: Mode) -> None:
        """A read-only console has no client that could take a rung; what CloudStack offers to the writing key
        is asked anew."""
        super().watch_console_mode(mode)
        if self._has_rungs:
            self.rungs.arm(mode.may_contain)
            self.rungs.look()

    def may_contain_without(self, error: AbreastError) -> bool:
        """In a thread: whether containing alone may be armed, because nothing but the ledger is missing: it
        works with this machine's own journal, on whatever server is not known to be another one."""
        from sync.errors import AbreastError, LedgerError

        if not isinstance(error, LedgerError):
            return False
        try:
            self.rungs.refuse_strangers()
        except AbreastError:
            return False
        return True

    def what_quitting_ends(self) -> Sequence[str]:
        lines = [*super().what_quitting_ends()]
        state = self.containing
        locks = ", ".join(state.locks_held_or_next) if state is not None else ""
        if locks:
            lines += [
                f"The brake is held: {locks}.",
                "Quitting gives it back: deletions that are submitted and still wait for it then begin.",
            ]
        if state is not None and state.doing:
            lines.append(f"A rung is being taken: {state.doing}. What was sent stands in the journal.")
        return lines

    # --- what came back -----------------------------------------------------------------------------------

    @on(LookTaken)
    def _take_look(self, message: LookTaken) -> None:
        self.rungs.look_ended(message.generation, self.utc_clock())
        from console.containing_state import with_look

        assert self.containing is not None
        before = self.containing.look
        self.containing = with_look(self.containing, message.look, self.situation)
        known = set() if before is None else {one.target_id for one in before.fences.lost}
        lost = [one for one in message.look.fences.lost if one.target_id not in known]
        if lost:
            self.bell()
            self.notify(f"{lost[0].words}.", severity="error", timeout=30)

    @on(ContainBroke)
    def _take_containment_breakage(self, message: ContainBroke) -> None:
        if message.look:
            self.rungs.look_ended(message.look, self.utc_clock())
            from console.containing_state import without_look

            assert self.containing is not None
            self.containing = without_look(self.containing, str(message.error))
            return
        self.rungs.ended()
        self.change_containing(problem=str(message.error), doing="")
        self.show_error(message.error)
        self.rungs.look()

    @on(RungProgressed)
    def _take_step(self, message: RungProgressed) -> None:
        state = self.containing
        if state is not None and state.doing:
            self.change_containing(done=message.done)

    @on(RungEnded)
    def _take_rung(self, message: RungEnded) -> None:
        """All of it is told at once; the next look reads what became of it."""
        self.rungs.ended()
        self.change_containing(doing="", steps=message.steps, problem="")
        self.rungs.look()

    @on(FenceGateRead)
    def _take_fence_gate(self, message: FenceGateRead) -> None:
        self.rungs.ended()
        self.change_containing(doing="")
        ask = getattr(self.screen, "ask_to_lift", None)
        if ask is not None:
            ask(message.why_keep)

    @on(EvidenceSaved)
    def _take_evidence(self, message: EvidenceSaved) -> None:
        self.rungs.ended()
        said = ", ".join(f"{name} {rows}" for name, rows in message.lists.items())
        saved = f"evidence saved, readable by you only: {message.path} ({said})"
        self.change_containing(doing="", evidence=saved)

    @on(BrakeChanged)
    def _take_brake(self, message: BrakeChanged) -> None:
        from console.containing_state import with_brake
        from sync.brake import BrakeState

        if self.containing is None:
            return
        self.containing = with_brake(
            self.containing, message.lock, message.state, text=message.text, at=self.utc_clock()
        )
        if message.state in (BrakeState.LOST, BrakeState.REFUSED):
            self.bell()
            self.notify(message.text, severity="error", timeout=30)
        elif getattr(self.screen, "SCOPE", "") != "contain":
            # The Contain screen says it in its place, and a toast would lie over it.
            self.notify(message.text)
