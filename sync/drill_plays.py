"""How each scenario of the drill goes when nobody watches, and what has to hold at its end.

One function a scenario: it assesses, does what the scenario asks for with the product's own code, rebuilds,
restores where the scenario is about what was lost, and says whether the promise was kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from sync.deletions import assess as assess_deletions
from sync.drill import FIRST_OPERATOR, Drill, practice
from sync.drill_live import LiveSync, limited
from sync.drill_others import fence_the_sync
from sync.drill_restore import restore
from sync.drill_scenarios import DEFAULT
from sync.drill_script import Act, Rehearsal, Say, rebuild, recovered, silent, summary, wait_out
from sync.drill_wave import second_wave
from sync.errors import GuardError, LeaseHeldError, UnreachableError
from sync.ledger_entries import Entry, EntryKind, RunSummary
from sync.loss_ledger import Fate
from sync.model import ActualInventory, DriftKind, JsonObject, Scope, project_key
from sync.sandbox.naive_sync import SyncLog

SECOND_OPERATOR = "ben@ops"
"""Who finishes what the first operator's terminal died with."""
WHY_BROKEN = "Her machine is not heard of, and she says on the phone that nothing of it runs."
"""What the ledger is to say of the lease that is broken."""
PATIENCE_SECONDS = 120.0
"""Real time for what has to happen in another thread."""


def play(
    *, scenario: str = DEFAULT, release: str = "4.23", say: Say = silent, speed: float | None = None
) -> JsonObject:
    """Break, assess, rebuild, verify, in a sandbox of its own that is gone afterwards; the summary.

    Whatever is still being deleted then is waited out on the sandbox's clock: the last reading, and the last
    ledger of losses, are of when all has ended. Raises AbreastError when the sandbox cannot be started or a
    side cannot be worked on at all.
    """
    started = time.monotonic()
    with practice(scenario=scenario, release=release, speed=speed, on_step=say) as drill:
        return summary(PLAYS[drill.scenario.name](drill, say, started))


# --- what the night left ----------------------------------------------------------------------------------


def july28(drill: Drill, say: Say, since: float) -> Act:
    """The stranger is untouched."""
    act = recovered(drill, say, since)
    restore(act)
    strangers = [row for row in act.before.rows if row.kind is DriftKind.UNEXPECTED]
    kept = [again for row in strangers if (again := act.after.row(row.key)) and again.view == row.view]
    act.told = {"held": bool(strangers) and len(kept) == len(strangers), "strangers": len(strangers)}
    return act


def aborted_early(drill: Drill, say: Say, since: float) -> Act:
    """Nothing is lost outside of what the sync had reached."""
    act = recovered(drill, say, since)
    restore(act)
    log = drill.incident
    reached = {project_key(name) for name in (*log.deleted, log.unfinished)}
    lost = {one.key for one in act.losses.projects if one.of(Fate.LOST)}
    act.told = {"held": lost == reached, "reached": sorted(reached), "lost": sorted(lost)}
    return act


def hollow(drill: Drill, say: Say, since: float) -> Act:
    """Every domain is there, with the id it had."""
    act = recovered(drill, say, since)
    restore(act)
    parent, failed = drill.environment.parent, len(drill.incident.failed)
    domains = [one for one in act.losses.objects if one.type == "domain"]
    gone = [
        one.name for one in domains if one.path.rpartition("/")[0] == parent and one.fate is not Fate.SURVIVES
    ]
    act.told = {"held": failed > 0 and not gone, "failed_half_way": failed, "domains_gone": gone}
    return act


def no_capture(drill: Drill, say: Say, since: float) -> Act:
    """The losses are told by name, also when everything has its name again, and what that cannot know."""
    act = recovered(drill, say, since)
    has_none = act.losses.before is None and bool(act.losses.blind)
    lost, dying = len(act.losses.of(Fate.LOST)), len(act.losses.of(Fate.DYING))
    act.told = {"held": has_none and lost > 0 and not dying, "cannot_know": list(act.losses.blind)}
    return act


# --- while you watch --------------------------------------------------------------------------------------


def while_you_watch(drill: Drill, say: Say, since: float) -> Act:
    """Seen by the next refresh, contained; then nothing is lost but what was submitted before the fence."""
    watch = Rehearsal(drill.environment, say=say)
    say("reading both sides: nothing has happened yet")
    was_quiet = not _is_critical(watch.assess().rows)
    live = limited(drill)
    with ExitStack() as stack:
        stack.callback(live.stop)
        live.start()
        refreshes = _watch(watch, live)
        say(f"refresh {refreshes} after the first deletion shows it: {_names(live.log)}")
        steps = fence_the_sync(drill.environment, operator=watch.operator)
        fenced_at, lost = drill.control.now(), drill.control.destroyed()
        say(f"{steps[-1].action}: {steps[-1].outcome.value}")
        say(f"lost before the fence: {_counted(lost)}")
        if not live.wait(PATIENCE_SECONDS):
            raise UnreachableError("The naive sync goes on behind the fence.")
        say(live.ending)
    act = recovered(drill, say, since)
    submitted = [*live.log.deleted, live.log.unfinished]
    late = [one for one in drill.control.log() if one["cleanup"] and one["time"] > fenced_at]
    others = {one.key for one in act.losses.projects if one.of(Fate.LOST)}
    others -= {project_key(name) for name in submitted}
    act.incident = live.log
    act.told = {
        "held": was_quiet and refreshes <= 1 and not others and not any(one["status"] == 200 for one in late),
        "seen_by_refresh": refreshes,
        "submitted_before_the_fence": submitted,
        "lost_before_the_fence": dict(Counter(one["kind"] for one in lost)),
        "deletions_after_the_fence": sum(one["status"] == 200 for one in late),
        "lost_of_others": sorted(others),
        "sync": live.ending,
    }
    return act


def _watch(watch: Rehearsal, live: LiveSync) -> int:
    """Refresh until the deletion is seen; how many refreshes that took from the first deletion on."""
    until, after = time.monotonic() + PATIENCE_SECONDS, 0
    scope = Scope(parent=watch.environment.parent)
    while time.monotonic() < until:
        begun = live.submitted_at is not None
        drift = watch.assess()
        after += begun
        seen = assess_deletions(watch.reader.deletions(scope)).is_happening
        if seen and _is_critical(drift.rows):
            return max(after, 1)
    raise UnreachableError("The naive sync did not begin.")


def _is_critical(rows: Iterable[Any]) -> bool:
    return any(row.kind.is_critical for row in rows)


def _names(log: SyncLog) -> str:
    return ", ".join([*log.deleted, log.unfinished]) or "nothing"


def _counted(entries: Iterable[Mapping[str, Any]]) -> str:
    counts = Counter(str(one["kind"]) for one in entries)
    return ", ".join(f"{count} × {kind}" for kind, count in counts.items()) or "nothing"


# --- the second operator ----------------------------------------------------------------------------------


def second_operator(drill: Drill, say: Say, since: float) -> Act:
    """Another operator finishes the run that the ledger has, and nothing is done twice.

    Whether the first one's machine goes on nobody here can see: its lease is broken by name, with a reason.
    """
    mine = Rehearsal(drill.environment, say=say, operator=SECOND_OPERATOR)
    act = Act.first_look(drill, mine, say=say, since=since)
    with mine.ledger() as ledger:
        latest = ledger.latest_run()
    if latest is None or not latest.is_silent:
        raise GuardError("The ledger has no run of somebody who is not heard of: there is nothing to adopt.")
    found = latest.run
    refusal = _refused(mine, found)
    say(f"the run {found.run_id} is not gone on with: {refusal}")
    with mine.ledger() as ledger:
        holder = ledger.break_lease(owner=FIRST_OPERATOR, reason=WHY_BROKEN)
    say(f"{SECOND_OPERATOR} breaks the lease of {holder.words}")
    report = mine.resume(found.run_id, found.digest)
    act.look_again()
    rebuild(act)
    wait_out(act)
    with mine.ledger() as ledger:
        entries, is_sound, runs = ledger.entries(), ledger.verify().is_sound, len(ledger.runs())
    names = {entry.operator for entry in entries if entry.run_id == found.run_id}
    restore(act)
    broken = [_broken(one) for one in entries if one.kind is EntryKind.LEASE_BROKEN]
    taken = [one.payload["owner"] for one in entries if one.kind is EntryKind.LEASE_TAKEN]
    twice = _made_twice(mine.actual)
    act.told = {
        "held": is_sound
        and names == {FIRST_OPERATOR, SECOND_OPERATOR}
        and [(one["of"], one["by"]) for one in broken] == [(FIRST_OPERATOR, SECOND_OPERATOR)]
        and not taken
        and not twice,
        "run": found.run_id,
        "operators": sorted(names),
        "refused_before": refusal,
        "leases_broken": broken,
        "leases_taken_over": taken,
        "state": report.state.value,
        "runs": runs,
        "made_twice": twice,
    }
    return act


def _refused(mine: Rehearsal, run: RunSummary) -> str:
    """That nobody goes on under a lease of somebody else's, in words. Raises GuardError where one can."""
    try:
        mine.resume(run.run_id, run.digest)
    except LeaseHeldError as refusal:
        return str(refusal)
    raise GuardError(f"The run {run.run_id} was gone on with while its lease was held elsewhere.")


def _broken(entry: Entry) -> JsonObject:
    """A lease that was broken, as the ledger has it."""
    told = entry.payload
    return {
        "of": told["owner"],
        "on": told["host"],
        "last_heard_of": told["heartbeat"],
        "by": entry.operator,
        "reason": told["reason"],
    }


def _made_twice(found: ActualInventory | None) -> list[str]:
    """What is there more than once under one name: a domain below its parent, a user or network in one."""
    assert found is not None
    names = Counter(("domain", one.parent_id or "", one.name.casefold()) for one in found.domains)
    names.update(
        ("user", account.domain_id, user.username.casefold())
        for account in found.accounts
        for user in account.users
    )
    names.update(("network", f"{one.domain_id} {one.account}", one.name.casefold()) for one in found.networks)
    return sorted(f"{what} {name}" for (what, _, name), count in names.items() if count > 1)


PLAYS: Mapping[str, Callable[[Drill, Say, float], Act]] = {
    "july28": july28,
    "aborted-early": aborted_early,
    "hollow": hollow,
    "while-you-watch": while_you_watch,
    "second-operator": second_operator,
    "no-capture": no_capture,
    "second-wave": second_wave,
}
