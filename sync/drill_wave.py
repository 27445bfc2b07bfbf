"""The second wave: the sync of every day is switched on again after a rebuild.

First on a copy, without the re-link, where it deletes what was rebuilt; then with the re-link, where it must
delete nothing. In between the fence is kept by the gate that keeps it in earnest.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from sync.capture import captured
from sync.captured_world import write_world
from sync.cloudstack import Reader
from sync.containment import Containment
from sync.drill import CI_DATABASE, Drill, environment_for
from sync.drill_losses import Destroyed, contradictions
from sync.drill_others import run_relink
from sync.drill_script import Act, Rehearsal, Say, recovered
from sync.errors import GuardError
from sync.loss_ledger import Fate, loss_ledger
from sync.model import JsonObject, Outcome
from sync.recovery import StaleId, stale_ids
from sync.relink import links, why_keep_fence, write
from sync.sandbox import incident
from sync.sandbox.incident import Access, client_of
from sync.sandbox.naive_sync import CallRefused, SyncLog, synchronize
from sync.sandbox.process import Control, SandboxProcess


def second_wave(drill: Drill, say: Say, since: float) -> Act:
    """Without the re-link the sync deletes what was rebuilt, on a copy; with it, it deletes nothing."""
    act = recovered(drill, say, since)
    refused = _refused_by_the_fence(drill)
    say(f"behind the fence the sync is refused: {refused}")
    why_keep = _gate(act.rehearsal)
    say(f"the gate: {why_keep}")
    stale = stale_ids(act.after)
    without = _on_a_copy(act, say)
    relinked = _relink(act, stale)
    with_it = _for_good(act) if relinked else {}
    act.told = {
        "held": bool(refused and why_keep and relinked)
        and without["deleted"] == len(stale) > 0
        and without["is_exact"]
        and not any(with_it[name] for name in ("deleted", "objects_lost", "destroyed_by_the_log")),
        "behind_the_fence": refused,
        "gate_before": why_keep,
        "relinked": len(stale),
        "without_relink": without,
        "with_relink": with_it,
    }
    return act


def _refused_by_the_fence(drill: Drill) -> str:
    """What the sync is told while the fence stands; empty where it gets through."""
    client = client_of(drill.keys)
    try:
        client.call("listDomains", listall="true")
    except CallRefused as refusal:
        return str(refusal)
    finally:
        client.close()
    return ""


def _gate(rehearsal: Rehearsal) -> str:
    """Why the fence may not be lifted by one person alone, by the last reading; empty when it may."""
    desired, actual = rehearsal.desired, rehearsal.actual
    assert desired is not None and actual is not None
    return why_keep_fence(links(desired, actual))


def _on_a_copy(act: Act, say: Say) -> JsonObject:
    """Switch the sync on in a second practice cloud that is as the first one is now, without the re-link."""
    drill, desired, actual = act.drill, act.rehearsal.desired, act.rehearsal.actual
    assert desired is not None and actual is not None
    folder = drill.folder / "copy"
    folder.mkdir()
    state = folder / "world.json"
    write_world(captured("copy", desired, actual), state, now=datetime.now(UTC), release=drill.release)
    shutil.copyfile(drill.ci_database, folder / CI_DATABASE)
    with SandboxProcess.start(state=state, release=drill.release, speed=drill.speed) as sandbox:
        ready = sandbox.ready
        keys = incident.before(Access(ready.url, ready.key, ready.secret, ready.token), sandbox.control)
        reader = Reader(environment_for(ready, folder).cloudstack.read)
        before = reader.inventory(actual.scope, limits=False)
        log = _switch_on(keys, sandbox.control, folder / CI_DATABASE, parent=actual.scope.parent)
        begun = tuple(sandbox.control.destroyed())
        losses = loss_ledger(before, reader.inventory(actual.scope, limits=False))
        reader.close()
        found = list(contradictions(losses, Destroyed(begun, tuple(sandbox.control.destroyed()))))
    lost, domains = losses.of(Fate.LOST), len(before.domains) - 1
    say(
        f"on a copy, without the re-link, the sync deletes {len(log.deleted)} of {domains} domains: "
        f"{len(lost)} objects"
    )
    return {
        "deleted": len(log.deleted),
        "domains": domains,
        "objects_lost": len(lost),
        "is_exact": not found,
        "contradictions": found,
    }


def _relink(act: Act, stale: tuple[StaleId, ...]) -> bool:
    """Write the SQL, run it as the CI database's owner, read anew: whether every stored id is alive then."""
    drill, rehearsal = act.drill, act.rehearsal
    now = datetime.now(UTC)
    environment = drill.environment
    write(stale, environment.ci_database, drill.folder, environment=environment.name, at=now)
    run_relink(environment, drill.ci_database)
    act.say(f"the owner of the CI database has run {len(stale)} updates")
    act.look_again()
    assert rehearsal.desired is not None and rehearsal.actual is not None
    return links(rehearsal.desired, rehearsal.actual).are_alive


def _for_good(act: Act) -> JsonObject:
    """Lift the fence, since the gate is open, and switch the sync on in the practice cloud itself."""
    drill, rehearsal = act.drill, act.rehearsal
    why_keep, rebuilt = _gate(rehearsal), rehearsal.actual
    if why_keep:
        raise GuardError(f"The fence stays: {why_keep}")
    assert rebuilt is not None
    _lift_the_fence(drill, operator=rehearsal.operator)
    before = len(drill.control.destroyed())
    log = _switch_on(drill.keys, drill.control, drill.ci_database, parent=drill.environment.parent)
    act.look_again()
    assert rehearsal.actual is not None
    lost = loss_ledger(rebuilt, rehearsal.actual).of(Fate.LOST)
    destroyed = len(drill.control.destroyed()) - before
    act.say(
        f"with the re-link the sync binds {len(log.bound)} domains, deletes {len(log.deleted)}: "
        f"{len(lost)} objects are lost, {destroyed} by the cloud's own log"
    )
    return {
        "bound": len(log.bound),
        "deleted": len(log.deleted),
        "objects_lost": len(lost),
        "destroyed_by_the_log": destroyed,
    }


def _lift_the_fence(drill: Drill, *, operator: str) -> None:
    reader = Reader(drill.environment.cloudstack.read)
    containment = Containment(drill.environment, reader=reader, operator=operator)
    try:
        steps = containment.lift_fences(lambda _: True, reason="every stored id is alive", why_keep="")
    finally:
        containment.close()
        reader.close()
    if not steps or any(step.outcome is not Outcome.SUCCEEDED for step in steps):
        raise GuardError("The fence could not be lifted.")


def _switch_on(keys: Access, control: Control, ci_database: Path, *, parent: str) -> SyncLog:
    """The sync of every day, to its end; the clock is moved while it waits."""
    client = client_of(keys)
    try:
        return synchronize(
            client,
            ci_database,
            parent=parent,
            spared=incident.SPARED,
            pause=lambda seconds, _: control.advance(seconds),
        )
    finally:
        client.close()
