"""What containment writes down before it acts, and reads again to undo exactly that.

It is the environment's ledger where that opens within seconds; otherwise a file of this machine alone, since
the team's database may be a VM in the very cloud that is dying. At the next start with the ledger within
reach, what the file has is merged into it.
"""

from __future__ import annotations

import queue
import socket
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

from sync.errors import AbreastError, LedgerError
from sync.ledger import Entry, EntryKind, Ledger, utc_now
from sync.ledger_check import altered
from sync.model import CONTAINMENT, JsonObject, Outcome

PATIENCE = 5.0
"""Seconds after which the team's ledger is taken to be gone."""

_KINDS = (EntryKind.INTENT, EntryKind.OUTCOME)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Standing:
    """Something that containment set, or may have set, and that nobody has undone."""

    action: str
    kind: str
    """`fence`, `shield` or `brake`."""
    at: datetime
    operator: str
    target_id: str
    target: str
    command: str
    before: JsonObject
    """What was so before, as far as undoing needs it."""
    outcome: str
    """`succeeded`, or `unknown` where the call was never answered."""

    @property
    def names(self) -> frozenset[str]:
        """By which a fenced caller may be named: by its id, its user name, or ACCOUNT/USER."""
        username, account = str(self.before.get("username", "")), str(self.before.get("account", ""))
        by_name = {username, f"{account}/{username}"} if username else set()
        return frozenset({self.target_id, self.target} | by_name)

    @property
    def is_answered(self) -> bool:
        return self.outcome != Outcome.UNKNOWN.value


@dataclass(frozen=True, slots=True)
class Own:
    """This machine's own file."""

    path: Path
    environment: str
    operator: str
    clock: Callable[[], datetime]

    def open(self) -> Ledger:
        """Raises LedgerError where it cannot be written."""
        url = f"sqlite:///{self.path}"
        return Ledger(url, environment=self.environment, operator=self.operator, clock=self.clock).open()

    def alone(self, why: str) -> str:
        """That it is used in the place of the environment's ledger."""
        return f"The environment's ledger cannot be used: {why} This is recorded in {self.path} alone."


class ContainmentJournal:
    """Intents and outcomes of containment. Where the environment's ledger stops answering, they go on in this
    machine's own file. Every method raises LedgerError when it cannot do its work. Threads may share it."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        is_local: bool,
        note: str = "",
        has_all: bool = True,
        earlier: Sequence[Entry] | None = None,
        own: Own | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """`earlier` is what containment wrote into the environment's ledger before somebody altered that;
        `own` is this machine's own file, unless the journal is that already."""
        self._ledger = ledger
        self._earlier = earlier
        self._own = own
        self._patience = patience
        self._known: list[Entry] = []
        """What containment wrote into the environment's ledger, as far as it was read, or written here."""
        self._changing = threading.Lock()
        self.is_local = is_local
        self.note = note
        """Why it is the local one, or why that one was not merged; else empty."""
        self.has_all = has_all
        """Whether nothing stands in this machine's own file that is not in here."""
        self.is_recognising = not is_local or earlier is not None
        """Whether the environment's ledger can be asked which server this has to be."""
        self.run_id = f"{CONTAINMENT}{uuid.uuid4().hex[:12]}"

    def close(self) -> None:
        self._ledger.close()

    def intent(
        self,
        action: str,
        *,
        kind: str,
        target: str,
        target_id: str,
        command: str,
        parameters: Mapping[str, str],
        before: Mapping[str, object] | None = None,
        undoes: str = "",
        reason: str = "",
    ) -> Entry:
        """Before anything is sent."""
        payload: JsonObject = {
            "action": action,
            "kind": kind,
            "target": target,
            "target_id": target_id,
            "command": command,
            "parameters": dict(parameters),
            "before": dict(before or {}),
            "attempt": 1,
        }
        payload |= {name: text for name, text in (("undoes", undoes), ("reason", reason)) if text}
        return self._append(EntryKind.INTENT, payload)

    def outcome(self, action: str, outcome: Outcome, detail: str = "", *, job_id: str | None = None) -> None:
        """When it is known what became of it, or that it is unknown."""
        payload: JsonObject = {
            "action": action,
            "outcome": outcome.value,
            "detail": detail,
            "object_id": None,
            "job_id": job_id,
            "seconds": 0.0,
        }
        self._append(EntryKind.OUTCOME, payload)

    def standing(self, kind: str) -> list[Standing]:
        """What of a kind is set and not undone, oldest first; also what nobody knows the outcome of."""
        found = self._ask(lambda ledger: ledger.entries(kinds=_KINDS))
        mine = [one for one in found if (one.run_id or "").startswith(CONTAINMENT)]
        with self._changing:
            if self._own is not None:
                # What another thread wrote meanwhile is not in the answer.
                last = found[-1].seq if found else 0
                self._known = mine + [one for one in self._known if one.seq > last]
        return standing(joined(self._earlier or (), found), kind)

    def _append(self, kind: EntryKind, payload: JsonObject) -> Entry:
        entry = self._ask(lambda ledger: ledger.append(kind, payload, run_id=self.run_id))
        with self._changing:
            if self._own is not None:
                self._known = [*self._known, entry]
        return entry

    def _ask(self, ask: Callable[[Ledger], Answer]) -> Answer:
        """The answer of the environment's ledger, or that of this machine's own file, which takes its place
        where the other gives none in time."""
        with self._changing:
            ledger, own = self._ledger, self._own
        if own is None:
            return ask(ledger)
        try:
            return in_time(lambda: ask(ledger), self._patience)
        except AbreastError as error:
            self._go_alone(ledger, own, error)
        return self._ask(ask)

    def _go_alone(self, ledger: Ledger, own: Own, error: AbreastError) -> None:
        with self._changing:
            if self._ledger is not ledger:
                return
            self._ledger, self._earlier, self._own = own.open(), self._known, None
            self.is_local, self.is_recognising, self.has_all = True, False, True
            self.note = own.alone(error.what)
        # Closing waits for whoever waits for an answer.
        threading.Thread(target=ledger.close, name="close ledger", daemon=True).start()


def joined(earlier: Sequence[Entry], own: Sequence[Entry]) -> list[Entry]:
    """Entries of two records in the order of their times; what was merged from one into the other once."""
    found = {(one.at, one.run_id, one.kind, str(one.payload["action"])): one for one in (*earlier, *own)}
    return sorted(found.values(), key=lambda one: one.at)


def standing(entries: list[Entry], kind: str) -> list[Standing]:
    """The same, decided from entries in their order."""
    found: dict[str, Standing] = {}
    before: dict[str, Standing] = {}
    undoing: dict[str, str] = {}
    for entry in entries:
        payload = entry.payload
        action = str(payload["action"])
        if entry.kind is EntryKind.INTENT:
            if payload.get("undoes"):
                undoing[action] = str(payload["undoes"])
            elif payload.get("kind") == kind:
                # Set once more, because it was read that somebody had taken it away: the newest one stands.
                if action in found:
                    before[action] = found[action]
                found[action] = _standing(entry, outcome=Outcome.UNKNOWN)
            continue
        outcome = Outcome(payload["outcome"])
        if action in undoing:
            if outcome is Outcome.SUCCEEDED:
                undone = undoing.pop(action)
                found.pop(undone, None)
                before.pop(undone, None)
        elif action in found:
            known = found[action]
            if outcome is Outcome.SUCCEEDED:
                found[action] = _with_outcome(known, outcome)
            elif outcome is not Outcome.UNKNOWN and known.outcome == Outcome.UNKNOWN.value:
                del found[action]
                if action in before:
                    found[action] = before.pop(action)
    return sorted(found.values(), key=lambda one: one.at)


def brakes_on(entries: Iterable[Entry]) -> list[Standing]:
    """Brakes that were asked for and not given back, oldest first: also one that was lost, for it is asked
    for again. One whose process was killed stays among them: only the database knows that it is gone."""
    found: dict[tuple[str | None, str], Standing] = {}
    for entry in entries:
        key = (entry.run_id, str(entry.payload["action"]))
        if entry.kind is EntryKind.INTENT:
            if entry.payload.get("kind") == "brake":
                found[key] = _standing(entry, outcome=Outcome.UNKNOWN)
        elif key in found and entry.payload["outcome"] == Outcome.NOT_RUN.value:
            del found[key]
    return sorted(found.values(), key=lambda one: one.at)


def _standing(entry: Entry, *, outcome: Outcome) -> Standing:
    payload = entry.payload
    return Standing(
        action=str(payload["action"]),
        kind=str(payload["kind"]),
        at=entry.at,
        operator=entry.operator,
        target_id=str(payload["target_id"]),
        target=str(payload["target"]),
        command=str(payload["command"]),
        before=payload["before"],
        outcome=outcome.value,
    )


def _with_outcome(one: Standing, outcome: Outcome) -> Standing:
    return Standing(
        one.action, one.kind, one.at, one.operator, one.target_id, one.target, one.command, one.before,
        outcome.value,
    )  # fmt: skip


# --- opening ----------------------------------------------------------------------------------------------


def open_journal(
    url: str,
    *,
    environment: str,
    operator: str,
    local: Path,
    clock: Callable[[], datetime] = utc_now,
    patience: float = PATIENCE,
) -> ContainmentJournal:
    """The environment's ledger, with what this machine's own file has; or that file alone, when the ledger
    does not open in time or was altered. What containment wrote into an altered one is heeded.

    Raises LedgerError only when neither can be written: then nothing may be done.
    """
    own = Own(local, environment, operator, clock)
    try:
        ledger = in_time(
            lambda: Ledger(url, environment=environment, operator=operator, clock=clock).open(), patience
        )
    except AbreastError as error:
        return ContainmentJournal(own.open(), is_local=True, note=own.alone(error.what))
    found, earlier = _altered_in_time(ledger, patience)
    if earlier is not None:
        ledger.close()
        return ContainmentJournal(own.open(), is_local=True, note=own.alone(found), earlier=earlier)
    try:
        merge_journal(ledger, local)
    except LedgerError as error:
        note = f"This machine's own journal is not merged: {error} {found}".strip()
        return ContainmentJournal(
            ledger, is_local=False, note=note, has_all=False, own=own, patience=patience
        )
    return ContainmentJournal(ledger, is_local=False, note=found, own=own, patience=patience)


@dataclass(frozen=True, slots=True)
class Merged:
    """What merging a journal came to."""

    path: Path
    entries: int
    """That are new in the ledger."""

    @property
    def words(self) -> str:
        return f"{self.entries} entries of {self.path} are now in the ledger"


def merge_journal(ledger: Ledger, path: Path) -> Merged | None:
    """Merge a journal's file into its environment's ledger; None where there is no such file. It stays as it
    is, for another process may be writing it. Raises LedgerError."""
    if not path.exists():
        return None
    with Ledger(f"sqlite:///{path}", environment=ledger.environment, operator=ledger.operator) as own:
        found = own.verify()
        if not found.is_sound:
            raise LedgerError(
                f"{path} does not verify: {found.problems[0]}",
                next_step="Nothing of it was merged. Keep the file, and find out who altered it.",
            )
        return Merged(path, ledger.merge(own.entries(), source=f"{socket.gethostname()}:{path}"))


def earlier_local(
    environment: str, *, operator: str, local: Path, clock: Callable[[], datetime] = utc_now
) -> ContainmentJournal | None:
    """This machine's own journal, if there is one: what stands in it must be undone from it."""
    if not local.exists():
        return None
    ledger = Own(local, environment, operator, clock).open()
    return ContainmentJournal(ledger, is_local=True, note=f"Recorded in {local}.")


def _altered_in_time(ledger: Ledger, patience: float) -> tuple[str, list[Entry] | None]:
    """That somebody altered the ledger, with what containment wrote into it; without that where it is sound,
    or where verifying it takes too long: then it is used, and the words say so."""

    def verify() -> tuple[str, list[Entry] | None]:
        found = altered(ledger)
        return found, _written_by_containment(ledger) if found else None

    try:
        return in_time(verify, patience)
    except AbreastError as error:
        return f"Whether the ledger was altered is not known: {error}", None


def _written_by_containment(ledger: Ledger) -> list[Entry]:
    try:
        return [one for one in ledger.each(kinds=_KINDS) if (one.run_id or "").startswith(CONTAINMENT)]
    except (LedgerError, ValueError):
        # Altered so that it is no entry any more.
        return []


def in_time(ask: Callable[[], Answer], patience: float = PATIENCE) -> Answer:
    """What was asked of the ledger. Raises what that raised, and LedgerError where no answer came within
    `patience` seconds. The thread that waits for a dead database ends with the process."""
    answers: queue.SimpleQueue[Callable[[], Answer]] = queue.SimpleQueue()

    def attempt() -> None:
        try:
            answer = ask()
        except AbreastError as error:
            answers.put(partial(_raise, error))
        else:
            answers.put(lambda: answer)

    threading.Thread(target=attempt, name="ask ledger", daemon=True).start()
    with suppress(queue.Empty):
        return answers.get(timeout=patience)()
    raise LedgerError(f"it did not answer within {patience:.0f} s.")


def _raise(error: AbreastError) -> NoReturn:
    raise error
