"""The child of the rebuild benchmarks: rebuilds a lab of so many projects, in one of two ways, and tells what
it took. Reads its task as JSON on standard input, prints the figures as JSON.

As the product does it, adapting to the server, every step recorded; or as a loop of the same calls with so
many workers, each of which takes one project after another, without plan, record or guard.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from sync.cloudstack import Reader, Writer
from sync.cloudstack_ini import Credentials
from sync.credentials import CredentialFile
from sync.drift import compare
from sync.execution import RunReport
from sync.executor import Confirmation, ExecutionPolicy, Executor
from sync.ledger import Ledger
from sync.lookup import Lookup
from sync.model import Action, DesiredInventory, Plan, Scope
from sync.operations import OPERATIONS, is_reached
from sync.plan import PlanRules
from sync.recovery import plan_rebuild
from sync.secret import Secret
from sync.settings import ExecutionLimits
from tests.examples import COMPLETE, member, project
from tests.scenarios.killed_rebuild import now

MEMBERS = 4


@dataclass(frozen=True)
class Task:
    endpoint: str
    key: str
    secret: str
    folder: str
    """Where the ledger and the passwords are."""
    projects: int
    loop: int = 0
    """How many workers the plain loop has; 0 for the product."""


@dataclass(frozen=True)
class Figures:
    seconds: float
    """From the confirmed plan to the last read-back."""
    actions: int
    calls: int
    """From the first reading on."""
    cpu_seconds: float
    peak_mib: float
    """The most memory that the process had, from its start on."""
    most_at_once: int
    failed: int
    """Actions that did not succeed."""


def desired_of(projects: int) -> DesiredInventory:
    """So many projects with four users each."""
    made = [
        project(name, member(f"{name}-0", role="owner"), *(f"{name}-{place}" for place in range(1, MEMBERS)))
        for name in (f"project-{number:05d}" for number in range(projects))
    ]
    return DesiredInventory(Scope("ROOT/ci"), now(), COMPLETE, {one.key: one for one in made})


def credentials_of(task: Task) -> Credentials:
    return Credentials(endpoint=task.endpoint, key=Secret(task.key), secret=Secret(task.secret))


def planned(reader: Reader, projects: int) -> Plan:
    """The plan of everything that is missing, from a fresh reading."""
    desired = desired_of(projects)
    capabilities = reader.capabilities()
    return plan_rebuild(
        compare(desired, reader.inventory(desired.scope, limits=False)),
        rules=PlanRules(),
        environment="drill",
        root_id=capabilities.root_id,
        endpoint=capabilities.endpoint,
        author="ops",
        now=now(),
    )


def by_product(task: Task, reader: Reader, writer: Writer) -> Figures:
    """What `abreast rebuild` does: finish what was interrupted, then what is still missing."""
    folder = Path(task.folder)
    with Ledger(f"sqlite:///{folder / 'ledger.sqlite'}", environment="drill", operator="ops") as ledger:
        executor = Executor(
            reader=reader,
            writer=writer,
            ledger=ledger,
            vault=CredentialFile(folder / "passwords.jsonl"),
            limits=ExecutionLimits(),
            policy=ExecutionPolicy.REBUILD,
        )
        stop = threading.Event()
        reports: list[RunReport] = []
        began = time.perf_counter()
        interrupted = ledger.interrupted_run()
        if interrupted is not None:
            word = Confirmation(interrupted.digest, "ops", now())
            reports.append(
                executor.resume(interrupted.run_id, confirmed=word, on_event=lambda _: None, stop=stop)
            )
        made = planned(reader, task.projects)
        if made.actions:
            word = Confirmation(made.digest, "ops", now())
            began = began if reports else time.perf_counter()
            reports.append(executor.run(made, confirmed=word, on_event=lambda _: None, stop=stop))
        spent = time.perf_counter() - began
    results = [result for report in reports for result in report.results]
    most = max((report.most_at_once for report in reports), default=0)
    failed = sum(result.outcome.value != "succeeded" for result in results)
    return _figures(spent, len(results), reader, writer, most_at_once=most, failed=failed)


def by_loop(task: Task, reader: Reader, writer: Writer) -> Figures:
    """The same calls for the same actions: read, send, read back."""
    made = planned(reader, task.projects)
    lookup = Lookup(reader)

    def rebuild(actions: Iterable[Action]) -> None:
        for action in actions:
            operation = OPERATIONS[action.kind]
            before = operation.observe(lookup, action)
            parameters = operation.parameters(lookup, action, before)
            if operation.has_password:
                parameters["password"] = "Practice-1"
            writer.submit(operation.command, parameters)
            if not is_reached(action, operation.observe(lookup, action)):
                raise RuntimeError(f"{action.id} was without effect.")

    began = time.perf_counter()
    rebuild(made.actions[:1])  # the parent of all
    ordered = sorted(made.actions[1:], key=lambda action: action.project)
    with ThreadPoolExecutor(task.loop) as pool:
        for _ in pool.map(rebuild, [list(group) for _, group in groupby(ordered, lambda one: one.project)]):
            pass
    spent = time.perf_counter() - began
    return _figures(spent, len(made.actions), reader, writer, most_at_once=task.loop, failed=0)


def _figures(
    seconds: float, actions: int, reader: Reader, writer: Writer, *, most_at_once: int, failed: int
) -> Figures:
    calls = reader.calls + writer.calls
    return Figures(seconds, actions, calls, time.process_time(), peak_mib(), most_at_once, failed)


def peak_mib(process: int | str = "self") -> float:
    """The most memory that a process had until now (`VmHWM`), in MiB; 0 for one that has ended."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    task = Task(**json.loads(sys.stdin.read()))
    with Reader(credentials_of(task)) as reader:
        work = by_loop if task.loop else by_product
        figures = work(task, reader, Writer(credentials_of(task)))
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")


if __name__ == "__main__":
    main()
