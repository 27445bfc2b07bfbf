"""Guards of containment: fence, shield, brake, and what is said of deletions."""

from __future__ import annotations

from tests.mutation.guard import guard

RELINK = "tests/test_relink.py"
CONTAIN = "tests/test_contain.py"
LIFTING = "tests/test_lifting.py"
FENCE_CHECK = "tests/test_fence_check.py"
CLI_CONTAIN = "tests/test_cli_contain.py"
SHIELD = "tests/test_shield.py"
DELETIONS = "tests/test_deletions.py"
UNRECORDED = "tests/test_unrecorded.py"
BRAKE = "tests/test_brake.py"

CONTAINMENT = (
    guard(
        "fence: never one's own user",
        "sync/contain.py",
        "if one.domain_id == caller.domain_id and one.user.casefold() == caller.username.casefold():",
        "if False:",
        CONTAIN,
    ),
    guard(
        "fence: whom abreast calls as is known",
        "sync/contain.py",
        "if not one.user or not one.domain_id:",
        "if False:",
        CONTAIN,
    ),
    guard(
        "fence: never the last root admin",
        "sync/contain.py",
        "if root_admins <= {caller.user_id}:",
        "if False:",
        CONTAIN,
    ),
    guard(
        "fence: not where root admins cannot be listed",
        "sync/contain.py",
        "if not root_admins:",
        "if False:",
        CONTAIN,
    ),
    guard(
        "fence: never `system`",
        "sync/contain.py",
        'if caller.username.casefold() == "system":',
        "if False:",
        CONTAIN,
    ),
    guard(
        "fence: no source list on abreast's own account",
        "sync/contain.py",
        "if method is not Method.SOURCE:\n        return True\n    return not any(",
        "if True:\n        return True\n    return not any(",
        CONTAIN,
    ),
    guard(
        "fence: ways follow listApis",
        "sync/contain.py",
        "if not offered.has(facts.command, facts.parameter or None):",
        "if False:",
        CONTAIN,
    ),
    guard(
        "fence: claimed only where reading back shows it",
        "sync/contain.py",
        "        if is_fenced(METHODS[method].command, now):\n            return Outcome.SUCCEEDED",
        "        if True:\n            return Outcome.SUCCEEDED",
        CONTAIN,
    ),
    guard(
        "fence: one that is read to be gone is told as gone",
        "sync/fence_check.py",
        "    if holding:\n        hold",
        "    if True:\n        hold",
        FENCE_CHECK,
    ),
    guard(
        "fence: what cannot be read does not hold",
        "sync/fence_check.py",
        "if holds is True)",
        "if holds)",
        FENCE_CHECK,
    ),
    guard(
        "fence: lifting enables no account that is disabled",
        "sync/contain.py",
        'if account_state.casefold() == "disabled" or standing.before.get("account_state") == "disabled":',
        "if False:",
        CONTAIN,
    ),
    guard(
        "fence: recorded before it is sent",
        "sync/contain.py",
        '        self._journal.intent(\n            action,\n            kind="fence",',
        '        (lambda *_, **__: None)(\n            action,\n            kind="fence",',
        CONTAIN,
    ),
    guard(
        "fence: a caller that events and jobs disagree on is asked for",
        "sync/callers.py",
        "if is_in_events and is_in_jobs:",
        "if True:",
        DELETIONS,
    ),
    guard(
        "fence: kept while stored ids are gone",
        "sync/relink.py",
        "    if not found.dead:\n",
        "    if True:\n",
        RELINK,
    ),
    guard(
        "fence: lifted only from complete readings",
        "sync/relink.py",
        "    if found.unproven:\n",
        "    if False:\n",
        RELINK,
    ),
    guard(
        "fence: the second name is somebody else's",
        "sync/lifting.py",
        "if login(second.strip()) == login(operator.strip()):",
        "if False:",
        LIFTING,
    ),
    guard(
        "fence: a second name where stored ids are gone",
        "sync/lifting.py",
        "if not login(second.strip()):",
        "if False:",
        LIFTING,
    ),
    guard(
        "fence: containment itself asks for the second person",
        "sync/containment.py",
        "        refuse_alone(why_keep, self._operator, second)\n",
        "",
        LIFTING,
    ),
    guard(
        "containing needs the environment's word",
        "console/cli/containing.py",
        "    if given != word:\n        raise",
        "    if False:\n        raise",
        f"{CLI_CONTAIN}::test_the_word_is_the_environments_name",
    ),
    guard(
        "shield: listApis names the parameter",
        "sync/shield.py",
        "if not offered.has(COMMAND, PARAMETER):",
        "if False:",
        SHIELD,
    ),
    guard(
        "shield: the release honours it",
        "sync/shield.py",
        "if not honours(offered.release):",
        "if False:",
        SHIELD,
    ),
    guard(
        "shield: reading back shows it",
        "sync/shield.py",
        "if (now.get(PARAMETER) is True) == wanted:",
        "if True:",
        SHIELD,
    ),
    guard(
        "shield: none is put up where none counts",
        "sync/containment.py",
        "        if why_not:\n            raise GuardError(why_not)",
        "        if False:\n            raise GuardError(why_not)",
        SHIELD,
    ),
    guard(
        "shield: too late for what is submitted",
        "sync/shield.py",
        "if domain.id in submitted or any(above in dying for above in _ancestors(domain.path)):",
        "if False:",
        SHIELD,
    ),
    guard(
        "shield: no VM of a CloudStack Project",
        "sync/shield.py",
        "if vm.state.casefold() in WORKING and vm.project is None]",
        "if vm.state.casefold() in WORKING]",
        SHIELD,
    ),
    guard(
        "shield: somebody else's is not taken for one's own",
        "sync/shield.py",
        'if now.get(PARAMETER) is True or now.get("domainid") != candidate.domain_id:',
        "if False:",
        SHIELD,
    ),
    guard(
        "shield: recorded before it is sent",
        "sync/shield.py",
        '        self._journal.intent(\n            action,\n            kind="shield",',
        '        (lambda *_, **__: None)(\n            action,\n            kind="shield",',
        SHIELD,
    ),
    guard(
        "shield: lost ones are told from a complete reading only",
        "sync/shield.py",
        "    if not world.coverage.is_complete:\n        return ()",
        "    if False:\n        return ()",
        SHIELD,
    ),
    guard(
        "brake: its loss is an alarm",
        "sync/brake.py",
        'if _ask(watch, "SELECT IS_USED_LOCK(%s)", self.lock) != self._session_id:',
        "if False:",
        f"{BRAKE}::test_a_lock_that_another_session_holds_is_lost_at_once",
    ),
    guard(
        "deletions: leftovers are told from a complete reading only",
        "sync/deletions.py",
        "        if not (self.reading.coverage.is_complete or self.reading.world.has_all_domains):\n"
        "            return []",
        "        if False:\n            return []",
        DELETIONS,
    ),
    guard(
        "deletions: a refused attempt that left nothing is told",
        "sync/deletions.py",
        "if self.children.get(domain.id) or not all(_is_made_since(one, attempt) for one in owners):",
        "if True:",
        DELETIONS,
    ),
    guard(
        "deletions: accounts that were made since do not turn what is half deleted into refused",
        "sync/deletions.py",
        "return attempt.at is not None and is_made_since(account, attempt.at)",
        "return False",
        DELETIONS,
    ),
    guard(
        "evidence: of another server it is refused",
        "sync/evidence.py",
        "if theirs != endpoint:",
        "if False:",
        "tests/test_evidence.py",
    ),
    guard(
        "evidence: what is no file is not opened",
        "sync/evidence.py",
        "if not path.is_file():",
        "if not path.exists():",
        "tests/test_evidence.py",
    ),
    guard(
        "report: whether what only evidence tells of has ended is not known",
        "sync/report_deletions.py",
        "is_open=one.is_open and not known_from,",
        "is_open=one.is_open,",
        "tests/test_report_deletions.py",
    ),
    guard(
        "unrecorded: a deletion past the ledger is critical",
        "console/cli/reading.py",
        "is_told = bool(drift.deletions.found) or (",
        "is_told = False or (",
        UNRECORDED,
    ),
    guard(
        "unrecorded: events that cannot be read prove no peace",
        "console/cli/reading.py",
        " or drift.deletions.problem:\n",
        ":\n",
        UNRECORDED,
    ),
    guard(
        "unrecorded: an intent that failed explains nothing",
        "sync/unrecorded.py",
        "        and not one.failed\n",
        "",
        UNRECORDED,
    ),
    guard(
        "unrecorded: an intent of another time explains nothing",
        "sync/unrecorded.py",
        "        and one.at - SKEW <= at\n",
        "",
        UNRECORDED,
    ),
    guard(
        "unrecorded: acknowledging needs a reason",
        "sync/deletion_record.py",
        "if not reason.strip():",
        "if False:",
        UNRECORDED,
    ),
)
