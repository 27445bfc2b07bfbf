"""How fast it is, in this very run against what it is measured by: `python -m tests.benchmarks [NAME…]`.

Prints one line a benchmark. Nothing here is asserted: on a busy machine a time proves little. `rebuild` and
`rebuild-killed` take minutes, and run only when they are named.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sync.cloudstack import Reader
from sync.drift import compare
from sync.model import ActualInventory, DesiredInventory, Scope
from sync.sandbox.process import SandboxProcess
from sync.secret import Secret
from sync.settings import Credentials
from tests import examples

ROUNDS = 9
PROJECTS = 5_000


def median(run: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds, the median of so many runs."""
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def first_frame() -> str:
    """`abreast` against a Textual app with a single Static: to the first words on a terminal of 120x40."""
    from tests.benchmarks.first_frame import measure

    with tempfile.TemporaryDirectory() as folder:
        single, own = measure(Path(folder))
    return f"one Static {single * 1000:.0f} ms, abreast {own * 1000:.0f} ms, ratio {own / single:.2f}"


def first_paint() -> str:
    """The table of 5,000 and 10,000 rows against Textual's DataTable."""
    from tests.benchmarks.table import measure

    said = []
    for count in (5_000, 10_000):
        own, other = measure(count)
        said.append(f"{count} rows: {own * 1000:.0f} ms, DataTable {other * 1000:.0f} ms")
    return "; ".join(said)


def large_lab() -> tuple[DesiredInventory, ActualInventory]:
    """5,000 projects with four members and three machines each; one in a hundred is not there."""
    names = [f"project-{number:05d}" for number in range(PROJECTS)]
    people = {name: [f"{name}-{place}" for place in range(4)] for name in names}
    desired = examples.desired(*(examples.project(name, *people[name], quotas={"vm": 10}) for name in names))
    domains = [examples.domain(name, limits={"vm": 10}) for name in names if not name.endswith("00")]
    actual = examples.actual(
        *domains,
        accounts=[examples.account(domain, *people[domain.name]) for domain in domains],
        vms=[examples.vm(f"{domain.name}-{number}", domain) for domain in domains for number in range(3)],
    )
    return desired, actual


def loop(desired: DesiredInventory, actual: ActualInventory) -> int:
    """The least that a comparison must do: look at every domain, account, user and VM once, by its key."""
    by_name = {domain.name.casefold(): domain for domain in actual.domains}
    accounts = {account.domain_id: account for account in actual.accounts}
    machines: dict[str, int] = {}
    for vm in actual.vms:
        machines[vm.domain_id] = machines.get(vm.domain_id, 0) + 1
    differing = 0
    for key, project in desired.projects.items():
        domain = by_name.get(key)
        account = accounts.get(domain.id) if domain is not None else None
        if domain is None or account is None:
            differing += 1
            continue
        users = {user.username: user for user in account.users}
        for member in project.members:
            user = users.get(member.username)
            wrong = user is None or user.email != member.email or user.firstname != member.firstname
            differing += wrong or user is None or (user.state == "enabled") != member.enabled
        differing += any((domain.limits or {}).get(name) != value for name, value in project.quotas.items())
    return differing


def comparing() -> str:
    """`compare` of 5,000 projects against the shortest loop that looks at everything once."""
    desired, actual = large_lab()
    own, least = (
        median(lambda: compare(desired, actual)),
        median(lambda: loop(desired, actual)),
    )
    return f"{PROJECTS} projects: {own * 1000:.0f} ms, a bare loop {least * 1000:.0f} ms"


def ci_database() -> str:
    """5,000 projects with their members, agents and quotas from a CI database in SQLite."""
    from sync.ci_db import CiDatabase
    from sync.settings import CiDatabaseSettings
    from tests.reference_schema import create_sqlite
    from tests.test_ci_db import large

    with tempfile.TemporaryDirectory() as name:
        url = create_sqlite(Path(name) / "ci.sqlite", large(PROJECTS))
        database = CiDatabase(CiDatabaseSettings(Secret(url)))
        spent = median(lambda: database.read(Scope("ROOT/ci")))
    return f"{PROJECTS} projects: {spent * 1000:.0f} ms"


def reading() -> str:
    """The Reader's inventory of the sandbox's large world, limits included and left out."""
    scope = Scope("ROOT/ci")
    with SandboxProcess.start(world="large", service_times=False) as sandbox:
        ready = sandbox.ready
        credentials = Credentials(ready.url, Secret(ready.key), Secret(ready.secret))
        with Reader(credentials, clock=lambda: datetime.now(UTC)) as reader:
            reader.capabilities()
            whole = reader.inventory(scope, limits=True)
            assert whole.coverage.is_complete, whole.coverage.why
            before = reader.calls
            ours = time.process_time()
            full = median(lambda: reader.inventory(scope, limits=True), 3)
            ours = (time.process_time() - ours) / 3
            calls = (reader.calls - before) // 3
            quick = median(lambda: reader.inventory(scope, limits=False, users=False, previous=whole), 3)
    rows = len(whole.domains) + len(whole.accounts) + len(whole.vms)
    return (
        f"{rows} domains, accounts and VMs: {full:.1f} s with limits ({calls} calls, {ours:.1f} s in the "
        f"Reader, the rest is the sandbox's), {quick:.1f} s without"
    )


def reading_memory() -> str:
    """What the Reader takes of memory for the sandbox's large world, in a process of its own."""
    from tests.benchmarks.reader_memory import measure

    found = measure()
    return (
        f"{found.objects} objects: at most {found.peak_mib:.0f} MiB while the first inventory is read, "
        f"{found.resting_mib:.0f} MiB with it, {found.again_mib:.0f} MiB at most while a second is read "
        f"beside it; {found.start_mib:.0f} MiB before; {found.cpu_seconds:.1f} s of CPU for one"
    )


def capturing() -> str:
    """Captures of 5,000 domains and 15,000 VMs, 1 % of which change a day, nothing thinned."""
    from tests.benchmarks.captures import Cost, report

    def words(cost: Cost, what: str) -> str:
        return (
            f"{cost.captures} captures ({what}): {cost.size / 2**20:.0f} MiB, "
            f"the first {cost.first / 2**20:.0f} MiB, {cost.seconds * 1000:.0f} ms each, "
            f"the oldest read in {cost.read_seconds:.1f} s"
        )

    return report(words)


def rebuilding(projects: int, speed: float) -> str:
    """A rebuild against the best loop of the same calls; by default 500 projects at a tenfold."""
    from tests.benchmarks.rebuild import against_loops

    return against_loops(projects or 500, speed or 10.0)


def rebuilding_killed(projects: int, speed: float) -> str:
    """A rebuild that is killed 20 times; by default 5,000 projects with 20,000 users at a hundredfold."""
    from tests.benchmarks.rebuild import killed

    return killed(projects or PROJECTS, speed or 100.0)


LONG: dict[str, Callable[[int, float], str]] = {"rebuild": rebuilding, "rebuild-killed": rebuilding_killed}
"""What takes long, and of what size and at which speed of the sandbox: 0 for its own."""

BENCHMARKS: dict[str, Callable[[], str]] = {
    "first-frame": first_frame,
    "table": first_paint,
    "compare": comparing,
    "ci-database": ci_database,
    "inventory": reading,
    "reader-memory": reading_memory,
    "captures": capturing,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    every = [*BENCHMARKS, *LONG]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(every)}")
    parser.add_argument("--projects", type=int, default=0, help="of a rebuild")
    parser.add_argument("--speed", type=float, default=0.0, help="of a rebuild's sandbox")
    given = parser.parse_args(arguments)
    chosen = given.names or list(BENCHMARKS)
    unknown = set(chosen) - set(every)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there is {', '.join(every)}")
    for name in chosen:
        said = LONG[name](given.projects, given.speed) if name in LONG else BENCHMARKS[name]()
        print(f"{name}: {said}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
