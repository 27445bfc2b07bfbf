"""Commands that only read: check, inventory."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from console.cli.output import clipped, plain, result, result_json, result_lines, say, table, while_read
from console.cli.sessions import options_of, session_of
from console.cli.situation import situation_json
from console.session import Session
from sync.errors import (
    EXIT_CRITICAL,
    EXIT_DONE,
    EXIT_DRIFT,
    EXIT_UNKNOWN,
    ConfigurationError,
    IncompleteError,
    LedgerError,
)
from sync.model import (
    ActualInventory,
    Coverage,
    DesiredInventory,
    Drift,
    DriftKind,
    JsonObject,
)

if TYPE_CHECKING:
    from console.session_protocol import ConsoleSession
    from sync.deletions import Situation
    from sync.freezes import Freeze
    from sync.ledger_check import Watch
    from sync.settings import Environment

_AS_SAID = "as said above."


def read_both(
    session: ConsoleSession, *, previous: ActualInventory | None = None, is_told: bool = False
) -> tuple[DesiredInventory, ActualInventory]:
    """Both sides at the same time, everything in them; `is_told` as `Session.read_actual` takes it."""
    from sync.reading_pool import ReadingPool

    with ReadingPool(2, name="side") as pool:
        desired = pool.submit(session.read_desired)
        actual = pool.submit(session.read_actual, previous=previous, is_told=is_told)
        return desired.result(), actual.result()


def read_all(
    session: Session, *, previous: ActualInventory | None = None
) -> tuple[DesiredInventory, ActualInventory, Situation | None]:
    """Both sides, and what is being deleted; None where CloudStack could not be read, or is another's."""
    from sync.deletions import can_tell
    from sync.reading_pool import ReadingPool

    with ReadingPool(1, name="deletions") as pool:
        telling = pool.submit(session.read_told)
        desired, actual = read_both(session, previous=previous, is_told=True)
        told = telling.result()
    return desired, actual, session.situation(actual, told) if can_tell(actual.coverage) else None


def is_read(drift: Drift) -> bool:
    """Whether both sides were read completely."""
    return drift.desired.is_complete and drift.actual.is_complete


def refuse_unread(drift: Drift, consequence: str) -> None:
    """Raise IncompleteError when a side was not read completely: what was not seen is not absent."""
    for name, coverage in (("The CI database", drift.desired), ("CloudStack", drift.actual)):
        if not coverage.is_complete:
            raise IncompleteError(f"{name} is {coverage_words(coverage)} {consequence}")


def verdict(drift: Drift, situation: Situation | None = None, *, tampering: str = "") -> tuple[int, str]:
    """Exit code and word of one comparison. What is critical is certain, whatever else is unknown: that
    something was deleted past the ledger, or is being deleted, is proven by its events alone. With a ledger
    that was altered, nothing is in order; who was fenced and has access again may delete at any time."""
    kinds = {row.kind for row in drift.rows}
    is_told = bool(drift.deletions.found) or (situation is not None and situation.is_happening)
    is_dying_unseen = drift.deletion_jobs > 0 and not drift.actual.is_complete
    is_deleting = is_told or is_dying_unseen
    if is_deleting or drift.fences.lost or drift.actual.shrunk or any(kind.is_critical for kind in kinds):
        return EXIT_CRITICAL, "critical"
    if not is_read(drift) or DriftKind.UNKNOWN in kinds or drift.deletions.problem:
        return EXIT_UNKNOWN, "unknown"
    if tampering or kinds - {DriftKind.IN_SYNC}:
        return EXIT_DRIFT, "drift"
    return EXIT_DONE, "in sync"


def summary(
    session: Session,
    drift: Drift,
    situation: Situation | None = None,
    *,
    tampering: str = "",
    zones: Sequence[Freeze] | None = None,
) -> JsonObject:
    """One comparison as JSON: verdict, counts by kind, what can be repaired, what is being deleted, the
    coverage of each side. `deletions` and `frozen_zones` are null where they could not be told."""
    from sync.deletion_rows import with_deletions
    from sync.plan import repairable

    code, word = verdict(drift, situation, tampering=tampering)
    return {
        "environment": session.environment.name,
        "status": word,
        "exit_code": code,
        "headline": session.headline(drift, situation).text,
        "counts": {kind.value: count for kind, count in with_deletions(drift, situation).counts().items()},
        "repairable": len(repairable(drift, session.rules)),
        "deletions": None if situation is None else situation_json(situation),
        "losses": sum(len(row.losses) for row in drift.rows),
        "misplaced": drift.misplaced,
        "unrecorded_deletions": plain(drift.deletions),
        "shields": plain(drift.shields),
        "fences": plain(drift.fences),
        "hidden": plain(drift.hidden),
        "rule_problems": list(drift.rule_problems),
        "ledger_problem": tampering,
        "frozen_zones": None if zones is None else plain(tuple(zones)),
        "journal_problem": session.journal_problem,
        "keys_problem": console_problem(session.environment),
        "coverage": {"desired": plain(drift.desired), "actual": plain(drift.actual)},
        "server": plain(session.recogniser.last),
        "taken_at": {
            "desired": plain(drift.desired_taken_at),
            "actual": plain(drift.actual_taken_at),
            "users": plain(drift.users_taken_at),
            "limits": plain(drift.limits_taken_at),
        },
    }


def check(arguments: argparse.Namespace) -> int:
    """`abreast check`: one comparison, as Nagios wants it."""
    from sync.ledger_check import Watch

    with session_of(arguments) as session:
        desired, actual, situation = read_all(session)
        drift = session.compare(desired, actual)
        watch = Watch(lambda: session.ledger)
        tampering = tampering_words(watch)
        code, word = verdict(drift, situation, tampering=tampering)
        zones = frozen_zones(session, watch)
        with while_read():
            if arguments.format == "json":
                result_json(summary(session, drift, situation, tampering=tampering, zones=zones))
            else:
                _print_check(
                    session, drift, situation, word, options=options_of(arguments, session.environment.name)
                )
                if tampering:
                    result(tampering)
                for one in zones or ():
                    result(one.words(session.environment.name))
        return code


def frozen_zones(session: Session, watch: Watch) -> tuple[Freeze, ...] | None:
    """Zones that a restore has closed and nobody has opened, by what was looked at last; None where the
    ledger cannot be read, which the drift tells."""
    from console.restores import frozen_now

    try:
        return None if watch.frozen is None else frozen_now(session, watch.frozen)
    except LedgerError:
        return None


def tampering_words(watch: Watch) -> str:
    """That the ledger was altered; empty where it was not, or cannot be read, which the drift tells."""
    try:
        found = watch.look()
    except LedgerError:
        return ""
    return f"{found} Nothing is executed on it: `abreast ledger verify` lists all." if found else ""


def _print_check(
    session: Session, drift: Drift, situation: Situation | None, word: str, *, options: Sequence[str]
) -> None:
    from sync.deletion_rows import with_deletions

    told = with_deletions(drift, situation)
    shortened = _saying_once(drift)
    counts = [f"{count} {kind.value}" for kind, count in told.counts().items() if count]
    counts += [f"{len(drift.hidden)} hidden"] if drift.hidden else []
    result(f"{word.upper()} {session.environment.name}: {', '.join(counts) or 'nothing on either side'}")
    result(shortened(session.headline(drift, situation).text))
    for name, coverage in (("CI database", drift.desired), ("CloudStack", drift.actual)):
        result(f"{name}: {shortened(coverage_words(coverage))}")
    if session.recogniser.last is not None:
        result(f"server: {session.recogniser.last.words}")
    rows = [
        (f"{row.kind.glyph} {row.kind.value}", clipped(row.name), shortened(row.reason))
        for row in told.rows
        if row.kind is not DriftKind.IN_SYNC
    ]
    if rows:
        result_lines(table(rows, header=("drift", "project", "why")))
    if drift.shields.words:
        result(f"shields: {drift.shields.words}")
    if drift.fences.words:
        result(f"fences: {drift.fences.words}")
    for line in deletion_lines(drift, options):
        result(shortened(line))
    for one in drift.hidden:
        result(f"hidden: {one.project}, {one.what} ({one.rule})")
    for problem in (*drift.rule_problems, session.journal_problem, console_problem(session.environment)):
        if problem:
            result(problem)


def _saying_once(drift: Drift) -> Callable[[str], str]:
    """What leaves out of a line why a side could not be read, once an earlier one has said it in full."""
    sides = (drift.desired, drift.actual)
    reasons = {coverage.why for coverage in sides if len(coverage.why) > len(_AS_SAID)}
    said: set[str] = set()

    def shortened(text: str) -> str:
        for why in reasons:
            if why in said:
                text = text.replace(why, _AS_SAID)
            elif why in text:
                said.add(why)
        return text

    return shortened


def console_problem(environment: Environment) -> str:
    """What of the configuration's `keys` and `theme` keeps the console closed; empty when nothing."""
    try:
        if environment.keys:
            from console.keymap import checked_keymap

            checked_keymap(environment.keys)
        if environment.theme:
            from console.themes import named

            named(environment.theme)
    except ConfigurationError as error:
        return f"The console will not open: {error}"
    return ""


def deletion_lines(drift: Drift, options: Sequence[str]) -> Iterator[str]:
    """What was deleted past the ledger, one a line, and what to do about it, with the options to be given."""
    told = drift.deletions
    for one in told.found:
        yield f"NOT IN THE LEDGER: {one.words} (event {one.id})"
    if told.found:
        yield (
            "Look who did it: `abreast contain`. Once somebody has: "
            f"`abreast ledger acknowledge {shlex.join(options)} EVENT… --reason …`"
        )
    if told.elsewhere:
        yield f"{told.elsewhere} more deletions that are not in the ledger, outside of {drift.scope.parent}"
    if told.problem:
        yield f"Whether something was deleted past the ledger is not known: {told.problem}"


def coverage_words(coverage: Coverage) -> str:
    return coverage.state.value + (f", {coverage.why}" if coverage.why else "")


def inventory(arguments: argparse.Namespace) -> int:
    """`abreast inventory`: first a line with scope and coverage, then one line a resource."""
    with session_of(arguments) as session:
        reading: DesiredInventory | ActualInventory
        reading = session.read_desired() if arguments.side == "desired" else session.read_actual()
        with while_read():
            for line in _lines(arguments.side, reading):
                result_json(line, indent=None)
        if not reading.coverage.is_complete:
            say(f"abreast: this side is {coverage_words(reading.coverage)}")
            return EXIT_UNKNOWN
        return EXIT_DONE


def _lines(side: str, reading: DesiredInventory | ActualInventory) -> Iterator[JsonObject]:
    yield {
        "kind": "inventory",
        "side": side,
        "taken_at": plain(reading.taken_at),
        "scope": plain(reading.scope),
        "coverage": plain(reading.coverage),
    }
    if isinstance(reading, DesiredInventory):
        for project in reading.projects.values():
            yield {"kind": "project", **plain(project)}
        return
    lists = {
        "domain": reading.domains,
        "account": reading.accounts,
        "vm": reading.vms,
        "volume": reading.volumes,
        "snapshot": reading.snapshots,
        "template": reading.templates,
        "iso": reading.isos,
        "network": reading.networks,
        "public address": reading.public_addresses,
        "cloudstack project": reading.projects,
        "job": reading.jobs or (),
    }
    for kind, resources in lists.items():
        for resource in resources:
            yield {"kind": kind, **plain(resource)}
