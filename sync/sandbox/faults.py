"""Faults that are injected on purpose, by command and by count or probability."""

from __future__ import annotations

import copy
import fnmatch
import json
import random
from dataclasses import asdict, dataclass
from typing import Any

from sync.sandbox.engine import Answer, Engine

BEFORE = ("timeout_before", "reset_before", "401", "429", "503", "html", "slow")
"""Kinds that come before the engine hears of the request (`slow` only delays it)."""
LISTS = (
    *("truncated_page", "duplicated_row", "shifted_page", "wrong_count", "empty_page", "page_without_list"),
)
"""Kinds that only concern a list with rows; other answers do not use them up."""
AFTER = ("timeout_after_effect", "reset_after", "truncated_body", "lost_job", "time_passes", *LISTS)
KINDS = (*BEFORE, *AFTER, "cleanup_fails")
HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
UNAVAILABLE = "<html><head><title>503 Service Unavailable</title></head><body>starting</body></html>\n"


class FaultError(ValueError):
    """A fault that cannot be armed as asked."""


@dataclass
class Fault:
    """One kind of fault for the commands that match."""

    kind: str
    command: str = "*"
    """Name or pattern of API commands, whatever the case."""
    count: int | None = None
    """How often it happens still; None: always."""
    probability: float = 1.0
    seconds: float = 60.0
    """Real seconds: how long `slow` delays, and a time-out keeps the connection open. For `time_passes` those
    of the sandbox: what runs goes on by so much after each answer, so that lists change between pages."""
    domain: str = ""
    """Path of the domain whose clean-up fails (`cleanup_fails`)."""

    def fits(self, command: str) -> bool:
        """Whether it concerns a command."""
        return self.count != 0 and fnmatch.fnmatchcase(command.lower(), self.command.lower())


class Faults:
    """The faults armed on one sandbox."""

    def __init__(self, engine: Engine, *, seed: int = 0) -> None:
        self._engine = engine
        self._random = random.Random(seed)
        self.armed: list[Fault] = []

    def add(self, described: dict[str, Any]) -> Fault:
        """Arm a fault. Raises FaultError with what is wrong."""
        known = Fault.__dataclass_fields__
        unknown = sorted(described.keys() - known.keys())
        if unknown:
            raise FaultError(f"A fault has no {', '.join(unknown)}; it has {', '.join(known)}.")
        kind = str(described.get("kind"))
        if kind not in KINDS:
            raise FaultError(f"There is no fault {kind!r}; there are {', '.join(KINDS)}.")
        fault = Fault(**described | {"kind": kind})
        if kind == "cleanup_fails":
            if not fault.domain:
                raise FaultError("cleanup_fails needs the path of a domain, for example ROOT/ci/alpha.")
            self._engine.world.armed.setdefault(kind, []).append(fault.domain)
        else:
            self.armed.append(fault)
        return fault

    def clear(self) -> None:
        """Disarm all."""
        self.armed.clear()
        self._engine.world.armed.clear()

    def shown(self) -> list[dict[str, Any]]:
        """What is armed."""
        return [asdict(fault) for fault in self.armed]

    def before(self, command: str) -> Fault | None:
        """The fault that strikes before a command is heard."""
        return self._strike(command, BEFORE)

    def after(self, command: str, answer: Answer) -> Fault | None:
        """The fault that strikes a command's answer, which is changed where the fault is one of content."""
        if answer.status != 200:
            return None
        rows = _list_of(answer.body)
        kinds = tuple(kind for kind in AFTER if kind not in LISTS or rows)
        if _job_of(answer.body) is None or command.lower().startswith(("list", "query")):
            kinds = tuple(kind for kind in kinds if kind != "lost_job")
        fault = self._strike(command, kinds)
        if fault is None:
            return None
        if fault.kind in LISTS:
            answer.body = _spoiled(answer.body, fault.kind)
        elif fault.kind == "time_passes":
            self._engine.world.clock.advance(fault.seconds)
            self._engine.tick()
        elif fault.kind == "truncated_body":
            text = json.dumps(answer.body)
            answer.body = text[: len(text) // 2]
        elif fault.kind == "lost_job":
            self._engine.world.jobs.pop(_job_of(answer.body) or "", None)
        return fault

    def _strike(self, command: str, kinds: tuple[str, ...]) -> Fault | None:
        for fault in self.armed:
            if fault.kind in kinds and fault.fits(command) and self._random.random() < fault.probability:
                if fault.count is not None:
                    fault.count -= 1
                return fault
        return None


def refusal(fault: Fault, wrapper: str) -> Answer | None:
    """The answer that a fault gives instead of the engine's; None for kinds that do not answer."""
    if fault.kind == "html":
        return Answer(200, HTML)
    if fault.kind == "503":
        return Answer(503, UNAVAILABLE)
    if fault.kind == "401":
        text = "unable to verify user credentials and/or request signature"
        return Answer(401, {wrapper: {"uuidList": [], "errorcode": 401, "errortext": text}})
    if fault.kind == "429":
        text = "The given user has reached his/her account api limit, please retry after [121] ms."
        inner = {"uuidList": [], "errorcode": 429, "cserrorcode": 9999, "errortext": text}
        return Answer(429, {wrapper: inner})
    return None


def _inner(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or len(body) != 1:
        return {}
    inner = next(iter(body.values()))
    return inner if isinstance(inner, dict) else {}


def _job_of(body: Any) -> str | None:
    job = _inner(body).get("jobid")
    return job if isinstance(job, str) else None


def _list_of(body: Any) -> str | None:
    """The key of the rows of a list's answer, if it has any."""
    inner = _inner(body)
    if "count" not in inner:
        return None
    return next((key for key, value in inner.items() if isinstance(value, list) and value), None)


def _spoiled(body: Any, kind: str) -> Any:
    made = copy.deepcopy(body)
    inner, key = _inner(made), _list_of(made)
    assert key is not None
    rows = inner[key]
    if kind == "truncated_page":
        inner[key] = rows[: len(rows) // 2]
    elif kind == "duplicated_row":
        inner[key] = [*rows[:-1], rows[0]] if len(rows) > 1 else rows * 2
    elif kind == "shifted_page":
        inner[key] = rows[1:]
    elif kind == "wrong_count":
        inner["count"] += 1
    elif kind == "page_without_list":
        del inner[key]
    else:
        inner.clear()
    return made
