"""A modal question answered by typing a word; dismissed with True only when it was typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from widgets.confirm import TypedConfirm


class ConfirmScreen(ModalScreen[bool]):
    """`title`, the facts, and the word to type. Cancel has the focus, esc cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]
    AUTO_FOCUS = "#confirm-cancel"

    def __init__(
        self,
        title: str,
        texts: Sequence[str],
        expected: str,
        verb: str = "Confirm",
        *,
        is_destructive: bool = False,
    ) -> None:
        super().__init__()
        self._question = TypedConfirm(title, texts, expected, verb=verb, is_destructive=is_destructive)

    def compose(self) -> ComposeResult:
        yield self._question

    @on(TypedConfirm.Decided)
    def _decide(self, event: TypedConfirm.Decided) -> None:
        self.dismiss(event.confirmed)

    def action_cancel(self) -> None:
        self.dismiss(False)
