"""Every command there is, in one table: it feeds key bindings, footer, palette, help and the README.

The id of a command is the id of its binding, by which the configuration's `keys` remap it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.binding import Binding

from console.command import Command as Command  # the table and its rows go together
from console.command import Mode as Mode
from console.contain_commands import CONTAIN
from console.recovery_commands import RECOVERY
from console.retire_commands import RETIRE

SCOPES: dict[str, str] = {
    "app": "everywhere",
    "overview": "Overview",
    "project": "Project",
    "watch": "Watch",
    "sources": "Sources",
    "review": "Review",
    "approvals": "Approvals",
    "execution": "Execution",
    "recovery": "Recovery",
    "restore": "Restore",
    "losses": "Losses",
    "choose-capture": "Choose a capture",
    "phone": "Read aloud",
    "retire": "Retire",
    "retirement": "Retirement",
    "history": "History",
    "captures": "Captures",
    "instant": "Instant",
    "changes": "Changes",
    "contain": "Contain",
    "help": "Help",
}
"""Scope → its name for people."""


COMMANDS: tuple[Command, ...] = (
    # Overview, Project, Watch
    Command(
        "stage",
        "space",
        "stage",
        "Stage every repair of the row under the cursor, or take it out again.",
        "stage",
        ("overview", "project"),
    ),
    Command(
        "open",
        "enter",
        "open",
        "Open what is under the cursor: a project field by field, or the whole of what came of an action.",
        "open",
        ("overview", "watch", "recovery", "restore", "execution"),
        watch=True,
    ),
    Command(
        "filter",
        "slash",
        "filter",
        "Filter by words in names, members and VMs; :missing, :hollow … filter by kind.",
        "filter",
        ("overview", "watch", "history", "instant", "changes", "losses"),
        watch=True,
    ),
    Command(
        "show-all",
        "d",
        "all/drift",
        "Show all rows, or only those that drift.",
        "show_all",
        ("overview", "watch"),
        watch=True,
    ),
    Command(
        "kind",
        "f",
        "kind",
        "Show only one kind of drift, the next one at every press.",
        "next_kind",
        ("overview", "watch"),
        watch=True,
        footer=False,
    ),
    Command(
        "sort",
        "o",
        "order",
        "Order by severity, name, members or VMs.",
        "sort",
        ("overview", "watch"),
        watch=True,
        footer=False,
    ),
    Command(
        "switch",
        "tab",
        "other list",
        "Go to the other list of the screen.",
        "app.focus_next",
        ("project", "contain"),
        watch=True,
    ),
    Command(
        "staged",
        "s",
        "staged",
        "Review the staged actions, confirm them one by one or by kind.",
        "review",
        ("overview", "project"),
    ),
    Command(
        "contain",
        "exclamation_mark",
        "contain",
        "A deletion in progress: who, what is next, what is still alive, and what can be done against it.",
        "contain",
        ("overview", "project", "watch", "execution", "recovery", "restore"),
        watch=True,
    ),
    Command(
        "recover",
        "R",
        "recover",
        "Recovery mode: assess what is missing, hollow or dying, and rebuild it.",
        "recover",
        ("overview", "project", "execution", "contain"),
    ),
    Command(
        "sources",
        "e",
        "sources",
        "How completely both sides were read: lists, pages, counts, errors.",
        "sources",
        ("overview", "project", "watch"),
        watch=True,
        footer=False,
    ),
    Command(
        "accept",
        "a",
        "accept",
        "Accept, with a reason, that a side rightly has less in it than before. Changes nothing else.",
        "accept",
        ("sources",),
    ),
    Command(
        "hidden",
        "i",
        "hidden",
        "What the ignore rules hide: whose rule, why, until when; and the rules that hide nothing.",
        "hidden",
        ("overview", "watch"),
        watch=True,
        footer=False,
    ),
    Command(
        "history",
        "H",
        "history",
        "The ledger: every intent, call and outcome.",
        "history",
        ("overview", "execution", "recovery", "restore", "contain", "retire"),
        footer=False,
    ),
    *CONTAIN,
    # Review, Execution
    Command(
        "confirm-one",
        "enter",
        "confirm",
        "Ask about the action under the cursor: what it does, Cancel or Confirm; again takes it back.",
        "confirm_one",
        ("review",),
        dangerous=True,
    ),
    Command(
        "confirm-kind",
        "K",
        "confirm kind",
        "Confirm all staged actions of this kind by typing their number.",
        "confirm_kind",
        ("review",),
        dangerous=True,
    ),
    Command(
        "run",
        "x",
        "run confirmed",
        "Run the confirmed actions: one first, then up to four at once.",
        "run",
        ("review",),
        dangerous=True,
    ),
    Command(
        "blast-radius",
        "b",
        "blast radius",
        "Every object that the action would stop or destroy: whose it is, how big, whether it comes back.",
        "blast_radius",
        ("review",),
    ),
    Command(
        "approvals",
        "p",
        "approvals",
        "Who has approved the plan, who is missing, what to send them.",
        "approvals",
        ("review",),
    ),
    Command(
        "write-plan",
        "W",
        "write plan",
        "Write the plan and the text that others sign into a folder of this environment.",
        "write_plan",
        ("approvals",),
    ),
    Command(
        "take-in",
        "I",
        "take in",
        "Take in signature files that came back, and judge them.",
        "take_in",
        ("approvals",),
    ),
    Command(
        "copy-line",
        "y",
        "copy line",
        "Copy the one line with which others sign, where the terminal lets it.",
        "copy_line",
        ("approvals",),
    ),
    Command(
        "take-out",
        "delete,backspace",
        "take out",
        "Take the action under the cursor out of the plan, and what needs it.",
        "take_out",
        ("review",),
    ),
    Command(
        "move-up",
        "left_square_bracket",
        "up",
        "Move the action earlier, where the order permits.",
        "move(-1)",
        ("review",),
        footer=False,
    ),
    Command(
        "move-down",
        "right_square_bracket",
        "down",
        "Move the action later, where the order permits.",
        "move(1)",
        ("review",),
        footer=False,
    ),
    Command(
        "stop",
        "S",
        "stop",
        "Send nothing more; what is running in CloudStack is followed to its end.",
        "stop",
        ("execution", "recovery", "restore", "contain", "retire", "retirement"),
    ),
    Command(
        "pause",
        "P",
        "pause",
        "Send nothing more for now, or go on; what is running in CloudStack is followed to its end.",
        "pause",
        ("execution", "recovery", "restore"),
    ),
    Command(
        "next-failure",
        "n",
        "next failure",
        "Go to the next action that did not succeed.",
        "next_failure",
        ("execution", "recovery"),
    ),
    *RECOVERY,
    *RETIRE,
    # History
    Command(
        "entry",
        "enter",
        "open entry",
        "Show all that the ledger has of the entry under the cursor.",
        "open_entry",
        ("history",),
    ),
    Command(
        "verify",
        "v",
        "verify chain",
        "Recompute the chain of hashes: finds entries that were changed, removed or inserted.",
        "verify",
        ("history",),
    ),
    Command(
        "captures",
        "c",
        "captures",
        "The captures on a time line: what was there when, and what changed since.",
        "captures",
        ("history",),
    ),
    # Captures
    Command(
        "instant",
        "enter",
        "show",
        "Show both sides as they were in the capture under the cursor.",
        "open_instant",
        ("captures",),
    ),
    Command(
        "mark",
        "space",
        "mark",
        "Mark the capture under the cursor as one end of a comparison, or unmark it.",
        "mark",
        ("captures",),
    ),
    Command(
        "compare",
        "d",
        "differences",
        "What changed between the marked capture, or the one before, and the one under the cursor.",
        "compare",
        ("captures",),
    ),
    Command(
        "other-side",
        "tab",
        "other side",
        "Go between the CI database and CloudStack as they were.",
        "other_side",
        ("instant",),
    ),
    # everywhere
    Command(
        "follow-run",
        "w",
        "run",
        "Follow the run that goes on, or see how the last one ended.",
        "follow_run",
        ("app",),
    ),
    Command(
        "refresh",
        "r",
        "refresh",
        "Read both sides now.",
        "refresh_now",
        ("app",),
        watch=True,
        footer=False,
    ),
    Command(
        "messages",
        "M",
        "messages",
        "What was announced lately, each in full and with its time.",
        "messages",
        ("app",),
        watch=True,
        footer=False,
    ),
    Command(
        "arm",
        "A",
        "arm",
        "Arm the console so that confirmed actions can run, or make it read-only again.",
        "arm",
        ("app",),
        footer=False,
    ),
    Command(
        "theme",
        "t",
        "theme",
        "Next theme: dark, light, high contrast, colour-blind safe.",
        "next_theme",
        ("app",),
        watch=True,
        footer=False,
    ),
    Command(
        "palette",
        "ctrl+p",
        "palette",
        "Find any command by typing a part of its name.",
        "palette",
        ("app",),
        watch=True,
        footer=False,
    ),
    Command(
        "back",
        "escape",
        "back",
        "One step back. Never changes anything.",
        "go_back",
        ("app",),
        watch=True,
        footer=False,
    ),
    Command(
        "quit",
        "q",
        "quit",
        "Quit; asks while something runs.",
        "leave",
        ("app",),
        watch=True,
        footer=False,
    ),
    Command(
        "drill",
        "D",
        "drill",
        "In a drill: what its scenario is about, and what the other people in it can be told to do.",
        "drill",
        ("app",),
        footer=False,
    ),
    Command(
        "help",
        "question_mark",
        "help",
        "The keys that work here, and what the signs mean.",
        "help",
        ("app",),
        watch=True,
    ),
)

BY_ID: Mapping[str, Command] = {command.id: command for command in COMMANDS}


def command(id: str) -> Command | None:
    """The command of that id."""
    return BY_ID.get(id)


def in_scope(scope: str) -> Iterable[Command]:
    """The commands of one scope, in the order of the table."""
    return (command for command in COMMANDS if scope in command.scopes)


def bindings(scope: str) -> list[Binding]:
    """The bindings of one scope, for a class's BINDINGS."""
    return [
        Binding(
            command.keys,
            command.action,
            command.label,
            show=command.footer,
            id=command.id,
            tooltip=command.help,
        )
        for command in in_scope(scope)
    ]


def by_action(scope: str, action: str) -> Command | None:
    """The command of that scope which runs this action; None for actions that are no command."""
    return next((command for command in in_scope(scope) if command.action_name == action), None)


def is_command(action: str) -> bool:
    """Whether some command runs this action."""
    return any(command.action_name == action for command in COMMANDS)
