"""Guards of comparing and proposing: nothing is concluded from what was not read, or changed on its way."""

from __future__ import annotations

from tests.mutation.guard import guard

DRIFT = "tests/test_drift.py"
PLAN = "tests/test_plan.py"
RECOVERY = "tests/test_recovery.py"
AGREEMENT = "tests/test_agreement.py"
IGNORE = "tests/test_ignore.py"
CLI_READING = "tests/test_cli_reading.py"
RESTORE = "tests/test_restore.py"
NAMED = "tests/test_named.py"
CLI_REBUILD = "tests/test_cli_rebuild_again.py"

COMPARISON = (
    guard(
        "a side that is not complete makes rows unknown",
        "sync/drift.py",
        "self.unproven = _why_unproven(desired, actual)",
        'self.unproven = ""',
        DRIFT,
    ),
    guard(
        "both sides are of one parent",
        "sync/drift.py",
        "if project_key(desired.scope.parent) != project_key(actual.scope.parent):",
        "if False:",
        DRIFT,
    ),
    guard(
        "scope: rows exist only where both sides looked",
        "sync/drift.py",
        "projects = {key: project for key, project in desired.projects.items() if scope.covers(key)}",
        "projects = dict(desired.projects)",
        DRIFT,
    ),
    guard(
        "scope: what lies outside of the parent is nobody's",
        "sync/actual_index.py",
        "        if not scope.covers(key):\n            continue\n        if len(names) > 1:",
        "        if len(names) > 1:",
        DRIFT,
    ),
    guard(
        "dying domains are told from a complete CloudStack only",
        "sync/drift.py",
        "corpses = self.world.corpses.get(key, []) if self.sees_deletions else []",
        "corpses = self.world.corpses.get(key, [])",
        DRIFT,
    ),
    guard(
        "jobs that could not be read may delete",
        "sync/actual_index.py",
        "return jobs is None or any(",
        "return jobs is not None and any(",
        DRIFT,
    ),
    guard(
        "a project with a problem is compared with nothing",
        "sync/drift.py",
        'why = project.problem if project is not None else ""',
        'why = ""',
        DRIFT,
    ),
    guard(
        "two domains for one key are not told apart by guessing",
        "sync/drift.py",
        '    if len(tops) < 2:\n        return ""',
        '    return ""\n    if len(tops) < 2:\n        return ""',
        DRIFT,
    ),
    guard(
        "a side that shrank is noticed",
        "sync/agreement.py",
        "if lost < LEAST or lost <= SHARE * of:",
        "if True:",
        AGREEMENT,
    ),
    guard(
        "a CI database that shrank is partial",
        "sync/agreement.py",
        "state = CoverageState.PARTIAL if side is Side.DESIRED else coverage.state",
        "state = coverage.state",
        AGREEMENT,
    ),
    guard(
        "while a side is shrunk nothing new in it is believed",
        "sync/agreement.py",
        "name: one if shrunk else _settled(one, lists.get(name, frozenset()), at)",
        "name: _settled(one, lists.get(name, frozenset()), at)",
        AGREEMENT,
    ),
    guard(
        "losses are summed up over a day",
        "sync/agreement.py",
        "gone = {key: at for key, at in before.gone.items() if key not in now}",
        "gone: dict[str, datetime] = {}",
        AGREEMENT,
    ),
    guard(
        "an empty CI database is never believed at first",
        "sync/agreement.py",
        "is_empty = bool(names) and not desired.projects",
        "is_empty = False",
        AGREEMENT,
    ),
    guard(
        "a CI database that knows half of the domains is not believed at first",
        "sync/agreement.py",
        "if not is_empty and (len(unknown) < LEAST or 2 * len(unknown) <= len(names)):",
        "if not is_empty:",
        AGREEMENT,
    ),
    guard(
        "accepting a side that shrank needs a reason",
        "sync/extents.py",
        "if not reason.strip():",
        "if False:",
        AGREEMENT,
    ),
    guard(
        "ignore rules hide nothing critical",
        "sync/ignore.py",
        "if not mine or row.kind not in (DriftKind.UNEXPECTED, DriftKind.DIFFERS):",
        "if not mine:",
        IGNORE,
    ),
    guard(
        "an ignore rule that has expired hides nothing",
        "sync/ignore.py",
        "valid = tuple(rule for rule in rules.rules if today <= rule.expires)",
        "valid = rules.rules",
        IGNORE,
    ),
    guard(
        "what is hidden is counted",
        "sync/ignore.py",
        "return replace(drift, rows=tuple(rows), hidden=tuple(hidden), rule_problems=problems)",
        "return replace(drift, rows=tuple(rows), rule_problems=problems)",
        IGNORE,
    ),
)

REPAIRS = (
    guard(
        "an address that somebody has is not planned",
        "sync/restore_addresses.py",
        "if holder is not None:\n            raise NotPossibleError(",
        "if False:\n            raise NotPossibleError(",
        f"{RESTORE}::test_public_addresses_are_taken_again_by_value_and_in_their_role",
    ),
    guard(
        "an address is taken by its value only where the release heeds it",
        "sync/restore_addresses.py",
        "if found is None or (int(found[1]), int(found[2])) < BY_VALUE_SINCE:",
        "if False:",
        f"{RESTORE}::test_where_another_address_might_come_none_is_taken",
    ),
    guard(
        "an address is free when it is taken",
        "sync/restore.py",
        'precondition={"holder": None},\n            reason=taking.reason',
        "precondition={},\n            reason=taking.reason",
        f"{RESTORE}::test_an_address_taken_by_somebody_after_the_plan_is_not_asked_for",
    ),
    guard(
        "an address comes in the role that it had",
        "sync/restore_operations.py",
        "        objection=_role_cannot_be_had,\n",
        "",
        f"{RESTORE}::test_without_its_old_source_nat_address_the_others_wait_for_a_vm",
    ),
    guard(
        "nothing is proposed for what is unexpected or unknown",
        "sync/repairs.py",
        "_NEVER_REPAIRED = frozenset({DriftKind.UNEXPECTED, DriftKind.UNKNOWN, DriftKind.IN_SYNC})",
        "_NEVER_REPAIRED = frozenset({DriftKind.IN_SYNC})",
        PLAN,
    ),
    guard(
        "nothing is proposed for a row that is blocked",
        "sync/repairs.py",
        "row.kind in _NEVER_REPAIRED or is_blocked(row):",
        "row.kind in _NEVER_REPAIRED:",
        PLAN,
    ),
    guard(
        "nothing counts as repairable where a side is not complete",
        "sync/repairs.py",
        "if not (drift.desired.is_complete and drift.actual.is_complete):",
        "if False:",
        PLAN,
        RECOVERY,
    ),
    guard(
        "no rebuild from readings that are not complete",
        "sync/recovery.py",
        "    if unproven:\n        raise GuardError(",
        "    if False:\n        raise GuardError(",
        RECOVERY,
    ),
    guard(
        "no plan is written from readings that are not complete",
        "console/cli/reading.py",
        '        if not coverage.is_complete:\n            raise IncompleteError(f"{name} is',
        '        if False:\n            raise IncompleteError(f"{name} is',
        CLI_READING,
    ),
    guard(
        "digest: a changed plan is noticed",
        "sync/plan_file.py",
        "if not _is_sealed(plan) or not _is_all(plan, content):",
        "if False:",
        PLAN,
    ),
    guard(
        "digest: nothing stands in the file besides the plan",
        "sync/plan_file.py",
        " or not _is_all(plan, content):",
        ":",
        PLAN,
    ),
    guard(
        "no plan carries a secret or a clean-up",
        "sync/plan_file.py",
        "if any(word in name.casefold() for word in _FORBIDDEN):",
        "if False:",
        PLAN,
    ),
    guard(
        "a name that CloudStack does not have is found before anything is sent",
        "sync/named.py",
        "    if missing:\n        raise GuardError(",
        "    if False:\n        raise GuardError(",
        NAMED,
    ),
    guard(
        "the names of a rebuild are asked for before its question",
        "console/rebuild_plan.py",
        "    refuse_unnamed(plan.actions, session.reader)\n",
        "",
        CLI_REBUILD,
        select="does_not_have",
    ),
    guard(
        "the names of repairs are asked for when they are planned",
        "console/session.py",
        "        refuse_unnamed(actions, self.reader)\n",
        "",
        CLI_REBUILD,
        select="does_not_have",
    ),
    guard(
        "the names of a plan file are asked for before the question",
        "console/cli/changing.py",
        "        refuse_unnamed(plan.actions, session.reader)\n",
        "",
        CLI_REBUILD,
        select="elsewhere",
    ),
    guard(
        "expiry of a plan",
        "sync/plan.py",
        "if now >= plan.expires_at:",
        "if False:",
        PLAN,
    ),
    guard(
        "a plan of the future",
        "sync/plan.py",
        "if now < plan.created_at - CLOCK_TOLERANCE:",
        "if False:",
        PLAN,
    ),
    guard(
        "a plan names its environment, endpoint and ROOT id",
        "sync/plan.py",
        "        if not value:\n            raise GuardError(",
        "        if False:\n            raise GuardError(",
        PLAN,
    ),
    guard(
        "two different actions of one id",
        "sync/plan.py",
        "if first.setdefault(action.id, action) != action:",
        "if first.setdefault(action.id, action) is None:",
        PLAN,
    ),
)
