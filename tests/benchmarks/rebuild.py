"""A rebuild against the best loop of the same calls, and one that is killed again and again.

The sandbox takes as long as a real server took, scaled down; each run has one of its own. What executes is a
process of its own as well, so that its memory is nobody else's.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from sync.cloudstack import Reader
from sync.drift import compare
from sync.ledger import Ledger
from sync.sandbox.access_log import VARIABLE
from sync.sandbox.process import SandboxProcess
from tests.benchmarks.rebuild_child import MEMBERS, Figures, Task, credentials_of, desired_of, peak_mib

WORKERS = (1, 2, 4, 8, 16, 32)
ROUNDS = 3
DEATHS = 20


class BenchmarkError(Exception):
    """What was to be measured went wrong."""


@contextmanager
def lab(projects: int, speed: float) -> Iterator[tuple[SandboxProcess, Task]]:
    """An empty cloud that takes its time, and a folder for the ledger and the passwords."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = folder
        with SandboxProcess.start(world="empty", speed=speed, service_times=True) as sandbox:
            ready = sandbox.ready
            yield sandbox, Task(ready.url, ready.key, ready.secret, folder, projects)


def start(task: Task) -> subprocess.Popen[str]:
    """The child, with its task."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.rebuild_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    child.stdin.write(json.dumps(asdict(task)))
    child.stdin.close()
    child.stdin = None
    return child


def figures_of(child: subprocess.Popen[str]) -> Figures:
    """What it tells at its end."""
    said, complained = child.communicate()
    if child.returncode:
        raise BenchmarkError(f"The rebuild ended with {child.returncode}: {complained.strip()[-2000:]}")
    return Figures(**json.loads(said))


def once(projects: int, speed: float, *, loop: int = 0) -> Figures:
    """One rebuild from nothing, by the product or by a loop of so many workers."""
    with lab(projects, speed) as (_, task):
        figures = figures_of(start(Task(**asdict(task) | {"loop": loop})))
    if figures.failed:
        raise BenchmarkError(f"{figures.failed} of {figures.actions} actions did not succeed.")
    return figures


def against_loops(projects: int, speed: float) -> str:
    """The median of three against the best loop's median of three: each number of workers is tried once, the
    best two of them thrice. Product and loops take turns, so that a busy minute is nobody's alone."""
    first = {workers: once(projects, speed, loop=workers).seconds for workers in WORKERS}
    best_two = sorted(first, key=lambda workers: first[workers])[:2]
    loops = {workers: [first[workers]] for workers in best_two}
    ours: list[Figures] = []
    for number in range(ROUNDS):
        ours.append(once(projects, speed))
        if number:
            for workers in best_two:
                loops[workers].append(once(projects, speed, loop=workers).seconds)
    medians = {workers: statistics.median(seconds) for workers, seconds in loops.items()}
    best = min(medians, key=lambda workers: medians[workers])
    own = statistics.median(one.seconds for one in ours)
    tried = ", ".join(f"{workers}: {seconds:.1f} s" for workers, seconds in first.items())
    return (
        f"{projects} projects, {ours[0].actions} actions, speed {speed:g}: {own:.1f} s, the best loop "
        f"({best} at once) {medians[best]:.1f} s, ratio {own / medians[best]:.3f}; at most "
        f"{max(one.most_at_once for one in ours)} at once, {max(one.peak_mib for one in ours):.0f} MiB, "
        f"{ours[0].cpu_seconds:.1f} s of CPU; loops once each: {tried}"
    )


def killed(projects: int, speed: float, *, deaths: int = DEATHS, seed: int = 28) -> str:
    """Killed so many times at random moments, then to its end: nothing twice, nothing missing, the record
    whole, and the most memory that any of its processes had."""
    chance = random.Random(seed)
    with lab(projects, speed) as (sandbox, task):
        wanted = projects * (MEMBERS + 1) + 1
        moments = sorted(chance.uniform(0.01, 0.99) for _ in range(deaths))
        died, made, peak, began = 0, 0, 0.0, time.monotonic()
        for moment in moments:
            child = start(task)
            while child.poll() is None and made < moment * wanted:
                time.sleep(0.2)
                made, peak = _made(task), max(peak, peak_mib(child.pid))
            time.sleep(chance.uniform(0.0, 0.2))
            child.kill()
            child.communicate()
            died += child.returncode == -signal.SIGKILL
        figures = figures_of(start(task))
        peak = max(peak, figures.peak_mib)
        spent = time.monotonic() - began
        problems = [*_duplicates(sandbox, projects), *_left(task)]
    if problems or figures.failed:
        raise BenchmarkError(f"{figures.failed} failed; {'; '.join(problems)}")
    return (
        f"{projects} projects, {wanted} actions, speed {speed:g}: killed {died} times, made once each, none "
        f"missing, the ledger sound; {spent:.0f} s, at most {peak:.0f} MiB"
    )


def _made(task: Task) -> int:
    """How many actions were begun by now, roughly: of each project's, all but one draw a password."""
    try:
        drawn = (Path(task.folder) / "passwords.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
    return drawn * (MEMBERS + 1) // MEMBERS


def _duplicates(sandbox: SandboxProcess, projects: int) -> list[str]:
    """What was created more often, or more rarely, than once, by the sandbox's own log."""
    made: Counter[str] = Counter()
    with (Path(os.environ[VARIABLE]) / f"sandbox-{sandbox.pid}.jsonl").open(encoding="utf-8") as log:
        for line in log:
            entry = json.loads(line)
            if entry["status"] == 200 and entry["command"].startswith("create"):
                made[entry["command"]] += 1
    wanted = {"createDomain": projects + 1, "createAccount": projects, "createUser": (MEMBERS - 1) * projects}
    return [] if made == wanted else [f"{dict(made)} were done instead of {wanted}"]


def _left(task: Task) -> list[str]:
    """What is missing or too many, read anew, and whether the record is whole."""
    desired = desired_of(task.projects)
    with Reader(credentials_of(task)) as reader:
        actual = reader.inventory(desired.scope, limits=False)
    drift = compare(desired, actual)
    users = sum(len(account.users) for account in actual.accounts)
    problems = [f"{row.name} is {row.kind.value}" for row in drift.rows if row.kind.value != "in sync"][:5]
    if not actual.coverage.is_complete:
        problems.append(actual.coverage.why)
    if (len(actual.accounts), users) != (task.projects, MEMBERS * task.projects):
        problems.append(f"{len(actual.domains)} domains, {len(actual.accounts)} accounts, {users} users")
    with Ledger(f"sqlite:///{Path(task.folder) / 'ledger.sqlite'}", environment="drill") as ledger:
        if not ledger.verify().is_sound:
            problems.append("the ledger is not sound")
        if ledger.interrupted_run() is not None:
            problems.append("the last run is still interrupted")
    return problems
