"""What the recovery's screen knows of losses: told in a thread, against a capture; destroyed VMs come back.

The screen above it draws; here is what is asked, when, and what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual import on
from textual.message import Message

from console.faults import as_error
from console.losses import Losses, LossReader
from console.recovering import vm_questions
from console.screens.base import ConsoleScreen
from console.screens.confirm import ConfirmScreen
from console.screens.losses import BY_ITSELF, ChooseCaptureScreen, LossesScreen
from sync.errors import AbreastError
from sync.loss_ledger import Fate
from sync.model import ActionKind, ActualInventory, Plan
from sync.recoverable import Recoverable, left_words, recoverable, recoveries
from widgets.cells import counted


class LossScreen(ConsoleScreen):
    """Subclasses draw `losses` in `show`, and say which projects are under the cursor."""

    class Told(Message):
        """What was lost was told, or could not be."""

        def __init__(
            self, generation: int, found: Losses | None, error: AbreastError | None, *, is_whole: bool = False
        ) -> None:
            super().__init__()
            self.generation = generation
            self.is_whole = is_whole
            self.found = found
            self.error = error

    class VmsPlanned(Message):
        """The plan that brings VMs back was made, or could not be."""

        def __init__(self, generation: int, plan: Plan | None, error: AbreastError | None) -> None:
            super().__init__()
            self.generation = generation
            self.plan = plan
            self.error = error

    def __init__(self) -> None:
        super().__init__()
        self.losses: Losses | None = None
        self.chosen_capture: int | None = None
        """The capture that a person chose; None: by itself."""
        self._reader: LossReader | None = None
        self._telling = 0
        """Generation of what was asked last; an older answer is dropped."""
        self._is_telling = self._is_tell_due = False
        self._is_whole = False
        """Whether what was told last was told with fresh users."""
        self._vm_question: ConfirmScreen | None = None
        self._vm_plan: Plan | None = None
        self._vm_planning = 0

    # --- for subclasses -----------------------------------------------------------------------------------

    def show(self) -> None:
        """Draw everything anew."""
        raise NotImplementedError

    def keys_under_cursor(self) -> Sequence[str]:
        """Keys of the projects that the cursor is on."""
        raise NotImplementedError

    # --- telling ------------------------------------------------------------------------------------------

    def tell(self, *, anew: bool = False) -> None:
        """Tell the losses by the newest readings, in a thread; one at a time, and the newest counts.

        Users are read once a minute: told with them, losses wait for the next such reading, but for `anew`.
        What can be brought back is told of every reading.
        """
        app = self.console
        desired, actual, situation = app.desired, app.actual, app.situation
        if desired is None or actual is None:
            return
        if self._is_whole and not anew and not _has_users(actual):
            self._tell_returnable(actual)
            return
        self._telling += 1
        if self._is_telling:
            self._is_tell_due = True
            return
        self._is_telling, self._is_tell_due = True, False
        reader = self._reader = self._reader or LossReader(app.session)
        generation, chosen, is_whole = self._telling, self.chosen_capture, _has_users(actual)

        def work() -> None:
            try:
                found = reader.read(desired, actual, situation, chosen=chosen)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                self.post_message(self.Told(generation, None, as_error(error, doing="telling the losses")))
            else:
                self.post_message(self.Told(generation, found, None, is_whole=is_whole))

        app.run_in_background(work, name="losses")

    @on(Told)
    def _take_losses(self, message: Told) -> None:
        self._is_telling = False
        if message.error is not None:
            self.console.show_error(message.error)
        elif message.generation == self._telling or self.losses is None:
            self.losses, self._is_whole = message.found, message.is_whole
            self.show()
        if self._is_tell_due:
            self.tell(anew=True)

    def _tell_returnable(self, actual: ActualInventory) -> None:
        """The VMs that can be brought back, by this reading; the rest stays as it was told."""
        found = self.losses
        if found is not None:
            vms = recoverable(actual, self.console.session.rules, expunging=found.times)
            self.losses = replace(found, recoverable=vms)
            self.show()

    def fates(self) -> Mapping[str, Mapping[str, int]]:
        """Key of a project → word of a fate → how many objects."""
        if self.losses is None:
            return {}
        return {
            one.key: {fate.value: len(one.of(fate)) for fate in Fate} for one in self.losses.ledger.projects
        }

    # --- the page and the capture -------------------------------------------------------------------------

    async def action_losses(self) -> None:
        found, keys = self.losses, self.keys_under_cursor()
        if found is not None:
            await self.app.push_screen(LossesScreen(found, keys[0] if len(keys) == 1 else ""))

    async def action_other_capture(self) -> None:
        self.app.push_screen(ChooseCaptureScreen(), self._take_choice)

    def _take_choice(self, id: int | None) -> None:
        if id is not None:
            self.chosen_capture = None if id == BY_ITSELF else id
            self.tell(anew=True)

    # --- destroyed VMs ------------------------------------------------------------------------------------

    @property
    def returnable(self) -> tuple[Recoverable, ...]:
        """The VMs that can be brought back, the most urgent first."""
        return self.losses.returnable if self.losses is not None else ()

    def returnable_here(self) -> tuple[Recoverable, ...]:
        """Those of the projects under the cursor."""
        keys = set(self.keys_under_cursor())
        return tuple(one for one in self.returnable if one.key in keys)

    def recovery_words(self) -> str:
        """What can be brought back and how long the first one has; what came of the last time."""
        run = self.console.run_state
        if run is not None and {one.kind for one in run.plan.actions} == {ActionKind.RECOVER_VM}:
            done = sum(result.outcome.value == "succeeded" for result in run.results.values())
            if run.is_going_on:
                return f"Bringing VMs back: {done} of {run.total}."
            if not self.returnable or done < run.total:
                rest = "" if done == run.total else f"; {self.key_of('follow-run')} shows the rest"
                return f"Brought back: {done} of {counted(run.total, 'VM')}{rest}."
        found = self.returnable
        if not found:
            return ""
        first, now = found[0], self.console.utc_clock()
        how = f"{self.key_of('recover-all-vms')} brings all back, {self.key_of('recover-vms')} those here"
        if not self.console.console_mode.armed:
            how = f"{self.key_of('arm')} arms, then {how}"
        vms, which = counted(len(found), "destroyed VM"), "it" if len(found) == 1 else "the first"
        return f"{vms}, {which}: {left_words(first.until, now)}. {how}. {first.label}"

    async def action_recover_vms(self) -> None:
        await self._ask_for(self.returnable_here())

    async def action_recover_all_vms(self) -> None:
        await self._ask_for(self.returnable)

    async def _ask_for(self, wanted: Sequence[Recoverable]) -> None:
        """Ask at once, so that a number typed behind the key finds its box; the plan comes when made."""
        actions = recoveries(wanted)
        if not actions:
            return
        title = f"Bring back {counted(len(actions), 'VM')} in {self.console.identity.title}?"
        texts = vm_questions(wanted, self.console.utc_clock())
        self._vm_plan = None
        self._vm_question = ConfirmScreen(title, texts, None, "Bring back")
        await self.console.ask(self._vm_question, self._recover_if)
        self._vm_planning += 1
        generation, session = self._vm_planning, self.console.session

        def work() -> None:
            try:
                plan = session.plan(actions)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                problem = as_error(error, doing="planning to bring VMs back")
                self.post_message(self.VmsPlanned(generation, None, problem))
            else:
                self.post_message(self.VmsPlanned(generation, plan, None))

        self.console.run_in_background(work, name="plan to bring VMs back")

    @on(VmsPlanned)
    def _take_vm_plan(self, message: VmsPlanned) -> None:
        question = self._vm_question
        if message.generation != self._vm_planning or question is None or not question.is_current:
            return
        if message.plan is None:
            question.put("There is no plan.", [str(message.error)], None)
            return
        self._vm_plan = message.plan
        number = len(message.plan.actions)
        title = f"Bring back {counted(number, 'VM')} in {self.console.identity.title}?"
        mine = {one.vm.id: one for one in self.returnable}
        wanted = [mine[id] for one in message.plan.actions if (id := one.target_id or "") in mine]
        question.put(title, vm_questions(wanted, self.console.utc_clock()), str(number))

    def _recover_if(self, confirmed: bool | None) -> None:
        plan, self._vm_plan, self._vm_question = self._vm_plan, None, None
        if confirmed and plan is not None and not self.console.operations.execute(plan, sets_aside=True):
            self.notify("Another run is going on: nothing was sent.", severity="warning")


def _has_users(actual: ActualInventory) -> bool:
    """Whether this very reading has the users, too."""
    return actual.users_taken_at is not None and actual.users_taken_at >= actual.taken_at
