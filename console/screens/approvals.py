"""Approvals: who signed the staged plan, what does not count and why, who is missing, what to send them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.approvals import Submitted
from console.screens.ask import AskScreen
from console.screens.base import ConsoleScreen
from sync.approval import command_for
from sync.model import Plan
from widgets.approval_lines import standing_lines
from widgets.lines import Line, wrap
from widgets.pager import Pager


class ApprovalsScreen(ConsoleScreen):
    """A page on the plan of what is staged; nothing on it runs anything."""

    SCOPE = "approvals"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("approvals")]

    def body(self) -> ComposeResult:
        yield Pager(self.page, id="page")

    def on_mount(self) -> None:
        for name in ("plan", "staged", "submitted"):
            self.follow(name, lambda _: self.show_page())
        self.follow("now", lambda now: self.console.approval_desk.look(now=now))

    def show_page(self) -> None:
        """Lay it out anew; what can be done depends on it."""
        self.query_one(Pager).refill()
        self.refresh_bindings()

    @property
    def plan(self) -> Plan | None:
        """The plan of exactly what is staged."""
        app = self.console
        return app.plan if app.plan is not None and app.plan.actions == app.staged else None

    @property
    def submitted(self) -> Submitted | None:
        """What was written of it for others to sign."""
        return self.console.approval_desk.of(self.plan)

    # --- showing ------------------------------------------------------------------------------------------

    def page(self, width: int) -> list[Line]:
        """The whole page, laid out."""
        plan, found, app = self.plan, self.submitted, self.console
        if plan is None:
            return [[(" There is no plan: stage something, and Review makes one of it.", "tone--muted")]]
        needed = app.approval_desk.needed(plan)
        lines: list[Line] = [
            [(f" Plan {plan.digest[:12]} for {plan.environment}, by {plan.author}", "tone--strong")],
            [
                (
                    f"   expires at {plan.expires_at:%Y-%m-%d %H:%M} UTC, and its approvals with it",
                    "tone--muted",
                )
            ],
            [],
        ]
        if not needed:
            rules = f"[environments.{plan.environment}.approvals]"
            why = f"It needs no approval: {rules} asks for none for what is in it."
            lines += [[(f" {line}", "")] for line in wrap(why, width - 2)]
        if found is None:
            lines += self._not_written(needed, width)
            return lines
        if self._has_expired(plan):
            lines += [
                [(" It has expired: going back makes a new plan, which has to be signed anew.", "tone--bad")],
                [],
            ]
        lines += standing_lines(found.standing, width)
        if found.fault:
            lines += [[], *[[(f" {line}", "tone--bad")] for line in wrap(found.fault, width - 2)]]
        return lines

    def _has_expired(self, plan: Plan) -> bool:
        return self.console.utc_clock() >= plan.expires_at

    def _not_written(self, needed: int, width: int) -> list[Line]:
        texts = []
        if needed:
            texts.append(f"It needs the approval of {needed}, and does not run without.")
        texts.append(
            f"{self.key_of('write-plan')} writes it, with the text that others read and sign, and shows what "
            "to send."
        )
        other = self.console.submitted
        if other is not None:
            texts.append(
                f"What was written before ({other.file.name}) is another plan: any change voids approvals."
            )
        return [[(f" {line}", "")] for text in texts for line in wrap(text, width - 2)]

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        if not self.is_mounted:
            return False
        if command.id == "write-plan":
            return self.plan is not None and self.submitted is None and not self._has_expired(self.plan)
        if command.id in ("take-in", "copy-line"):
            return self.submitted is not None
        return super().offers(command)

    def action_write_plan(self) -> None:
        """Write the plan for others to sign."""
        if self.plan is not None:
            self.console.approval_desk.submit(self.plan)

    def action_take_in(self) -> None:
        """Ask for a signature file, or a folder of them, and judge what is there."""
        found = self.submitted
        if found is None:
            return
        question = AskScreen(
            "Take in signatures?",
            (
                "The path of a signature file, or of a folder with files that end in .sig.",
                "Each is copied beside the plan and judged; what does not count says why.",
            ),
            "Take in",
            placeholder="path; esc cancels",
        )
        self.app.push_screen(question, lambda path: self._take_in(found, path))

    def _take_in(self, found: Submitted, path: str | None) -> None:
        if path:
            self.console.approval_desk.take_in(found, Path(path).expanduser())

    def action_copy_line(self) -> None:
        """Put the line that others sign with into the terminal's clipboard."""
        found = self.submitted
        if found is not None:
            self.app.copy_to_clipboard(command_for(found.file))
            self.notify("Copied, if this terminal has a clipboard for programs.")
