"""What the Contain screen asks before its typed confirmations: who is meant, and why a fence is lifted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from widgets.cells import counted, fit
from widgets.confirm import SCROLLING, Facts, Paragraphs
from widgets.virtual_list import Piece, VirtualList

if TYPE_CHECKING:
    from sync.containment import CallerView


class CallerList(VirtualList):
    """Callers with a mark; those who must not be fenced have none."""

    def __init__(self, views: Sequence[CallerView], chosen: frozenset[str]) -> None:
        super().__init__(id="callers")
        self.views = views
        self.chosen = chosen

    def on_mount(self) -> None:
        self.set_keys([view.caller.label for view in self.views])

    @property
    def current(self) -> CallerView | None:
        """Who is under the cursor."""
        return self.views[self.cursor] if 0 <= self.cursor < len(self.views) else None

    def toggle(self) -> None:
        """Choose who is under the cursor, or leave them out."""
        view = self.current
        if view is not None and view.may_be_fenced:
            self.chosen = self.chosen ^ {view.caller.user_id}
            self.redraw()

    def line(self, index: int, width: int) -> list[Piece]:
        view = self.views[index]
        is_chosen = view.caller.user_id in self.chosen
        mark = ("[x]" if is_chosen else "[ ]") if view.may_be_fenced else "   "
        number = counted(len(view.caller.deletions), "deletion")
        text = f"{view.caller.label}: {number} in an hour, {view.caller.open_deletions} not ended"
        return [(f" {mark} ", "tone--key"), (fit(text, width - 5), "tone--strong" if is_chosen else "")]


class CallersScreen(ModalScreen[frozenset[str]]):
    """Who is meant; dismissed with the ids of those chosen, none when it was left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel"),
        Binding("space", "toggle_caller", "choose"),
        Binding("enter", "go_on", "go on"),
    ]
    AUTO_FOCUS = "#callers"

    def __init__(self, views: Sequence[CallerView], chosen: frozenset[str]) -> None:
        super().__init__()
        self._list = CallerList(views, chosen)

    def compose(self) -> ComposeResult:
        with Vertical(classes="confirm"):
            yield Paragraphs(["Who is to be fenced?"], tone="tone--strong", id="question-title")
            yield self._list
            yield Paragraphs([], tone="tone--warning", id="caller-note")
            yield Paragraphs(["space chooses, enter goes on, esc leaves."], tone="tone--muted")
            with Horizontal(id="confirm-buttons"):
                yield Button("Cancel", id="question-cancel")
                yield Button("Go on", id="question-go", variant="warning")

    @on(VirtualList.CursorMoved)
    def _show_note(self) -> None:
        view = self._list.current
        texts = [] if view is None else [text for text in (view.refusal, view.caller.ask) if text]
        self.query_one("#caller-note", Paragraphs).show(texts or ["Events and jobs agree on it."])

    def action_toggle_caller(self) -> None:
        self._list.toggle()

    def action_go_on(self) -> None:
        """With who is chosen; while nobody is, the question stays and says so: it would look as if something
        had been done."""
        if self._list.chosen:
            self.dismiss(self._list.chosen)
            return
        text = "Nobody is chosen: nothing is done. Nobody here may be fenced."
        if any(view.may_be_fenced for view in self._list.views):
            text = "Nobody is chosen, so nobody would be fenced: space chooses who is under the cursor."
        self.query_one("#caller-note", Paragraphs).show([text])

    def action_cancel(self) -> None:
        self.dismiss(frozenset())

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "question-go":
            self.action_go_on()
        else:
            self.action_cancel()


class FormScreen(ModalScreen[Mapping[str, str]]):
    """A few lines to fill in; dismissed with them, or with none when it was left. None may stay empty, unless
    the form comes with `values`: then what stands in each is named above it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel"), *SCROLLING]
    AUTO_FOCUS = "Input"

    def __init__(
        self,
        title: str,
        texts: Sequence[str],
        fields: Mapping[str, str],
        verb: str,
        *,
        refuse: Callable[[str, str], str] | None = None,
        values: Mapping[str, str] | None = None,
    ) -> None:
        """`fields` maps an id to what stands in the empty line; `refuse` says of a line's id and value why
        it will not do, empty where it does; `values` are what stands in the lines at first."""
        super().__init__()
        self._title, self._texts, self._fields, self._verb = title, tuple(texts), dict(fields), verb
        self._refuse = refuse
        self._given = values

    def compose(self) -> ComposeResult:
        with Vertical(classes="confirm"):
            yield Paragraphs([self._title], tone="tone--strong", id="question-title")
            if self._texts:
                yield Facts(self._texts)
            for id, hint in self._fields.items():
                if self._given is None:
                    yield Input(id=id, placeholder=hint, classes="form-field", select_on_focus=False)
                else:
                    yield Paragraphs([hint], tone="tone--muted")
                    yield Input(
                        self._given.get(id, ""),
                        id=id,
                        classes="form-field named-field",
                        select_on_focus=False,
                    )
            yield Paragraphs([], tone="tone--warning", id="form-refusal")
            with Horizontal(id="confirm-buttons"):
                yield Button("Cancel", id="question-cancel")
                yield Button(self._verb, id="question-go", variant="warning")

    def _values(self) -> dict[str, str]:
        return {id: self.query_one(f"#{id}", Input).value.strip() for id in self._fields}

    def before_typing(self, event: events.Key | events.Paste) -> bool:
        """An enter in a line takes what stands there now, and nothing that is typed behind it."""
        is_enter = isinstance(event, events.Key) and event.key == "enter" and isinstance(self.focused, Input)
        if is_enter:
            self._go_on()
        return is_enter

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        self._go_on()

    def _go_on(self) -> None:
        """Go to the first line that is still empty or will not do, and say why; else on."""
        values = self._values()
        refuse = self._refuse
        refusals = {id: refuse(id, value) if refuse else "" for id, value in values.items()}
        may_be_empty = self._given is not None
        wrong = next(
            (id for id, value in values.items() if refusals[id] or not (value or may_be_empty)), None
        )
        if wrong is None:
            self.dismiss(values)
            return
        self.query_one("#form-refusal", Paragraphs).show([refusals[wrong]] if refusals[wrong] else [])
        self.query_one(f"#{wrong}", Input).focus()

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "question-go":
            self._go_on()
        else:
            self.dismiss({})

    def action_cancel(self) -> None:
        self.dismiss({})

    def action_scroll_facts(self, lines: int) -> None:
        self.query_one(Facts).scroll_relative(y=lines, animate=False)
