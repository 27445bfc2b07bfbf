"""Guards of retirements: the only code that may delete."""

from __future__ import annotations

from tests.mutation.guard import guard

RULES = "tests/test_retirement_rules.py"
RETIRING = "tests/test_retiring.py"
CONTAINED = "tests/test_retiring_contained.py"
ARCHIVE = "tests/test_retiring_archive.py"
DOWNLOAD = "tests/test_download.py"
ALLOW_LIST = "tests/test_writer_allow_list.py"
EXAMPLE = "tests/test_retirement_guard.py"

RETIREMENT = (
    guard(
        "retirement: readings that are complete",
        "sync/retirement_proposal.py",
        "    if not coverage.is_complete:\n",
        "    if False:\n",
        RULES,
    ),
    guard(
        "retirement: readings of the pinned server",
        "sync/retirement_proposal.py",
        "    if coverage.is_foreign:\n",
        "    if False:\n",
        RULES,
    ),
    guard(
        "retirement: readings that have not shrunk",
        "sync/retirement_proposal.py",
        "    if coverage.shrunk:\n",
        "    if False:\n",
        RULES,
    ),
    guard(
        "retirement: readings that agree with those before",
        "sync/retirement_proposal.py",
        "    if not coverage.agreed:\n",
        "    if False:\n",
        RULES,
    ),
    guard(
        "retirement: readings of the whole environment",
        "sync/retirement_proposal.py",
        "    if not one.scope.is_full:\n",
        "    if False:\n",
        RULES,
    ),
    guard(
        "retirement: readings that are fresh",
        "sync/retirement_proposal.py",
        "    if not -AHEAD <= now - one.taken_at <= FRESH:\n",
        "    if False:\n",
        RULES,
    ),
    guard(
        "retirement: absence is no evidence",
        "sync/retirement_proposal.py",
        '    if key in by_hand:\n        return by_hand[key]\n    raise GuardError(\n        f"Nothing says',
        '    if key in by_hand:\n        return by_hand[key]\n    return Evidence(key, "", "", "")\n'
        '    raise GuardError(\n        f"Nothing says',
        RULES,
    ),
    guard(
        "retirement: unexpected in two readings",
        "sync/retirement_proposal.py",
        "if now.desired_at - one.desired_at >= APART and now.actual_at - one.actual_at >= APART:",
        "if True:",
        RULES,
    ),
    guard(
        "retirement: only what nobody else has",
        "sync/retirement_proposal.py",
        "def _refuse_expected(key: str, now: Sighting, view: View) -> None:\n",
        "def _refuse_expected(key: str, now: Sighting, view: View) -> None:\n    return\n",
        RULES,
    ),
    guard(
        "retirement: one project at a time",
        "sync/retirement_proposal.py",
        "if len(set(wish.keys)) > 1 and not wish.is_empty:",
        "if False:",
        RULES,
    ),
    guard(
        "retirement: waits have to pass",
        "sync/retirement_rules.py",
        "if due is not None and now < due:",
        "if False:",
        RULES,
    ),
    guard(
        "retirement: a proposal expires",
        "sync/retirement_rules.py",
        "if until is not None and retirement.done(step) is None and now >= until:",
        "if False:",
        RULES,
    ),
    guard(
        "retirement: still unexpected before each step",
        "sync/retirement_rules.py",
        "if now.kind != DriftKind.UNEXPECTED.value:",
        "if False:",
        RULES,
    ),
    guard(
        "retirement: still the very domain before each step",
        "sync/retirement_rules.py",
        "    if now.domain_id != target.domain_id:\n",
        "    if False:\n",
        RULES,
    ),
    guard(
        "retirement: what was not signed stops it",
        "sync/retirement_rules.py",
        "        if earlier is None:\n",
        "        if False:\n",
        RULES,
    ),
    guard(
        "retirement: what changed hands stops it",
        "sync/retirement_rules.py",
        "elif earlier.owner.casefold() != loss.owner.casefold():",
        "elif False:",
        RULES,
    ),
    guard(
        "retirement: what left the quarantine stops it",
        "sync/retirement_rules.py",
        "        if is_awake:\n",
        "        if False:\n",
        RULES,
    ),
    guard(
        "retirement: delete protection stops it",
        "sync/retirement_rules.py",
        "    if step is Step.DESTROY:\n",
        "    if False:\n",
        RULES,
    ),
    guard(
        "retirement: a record that was withdrawn stops it",
        "sync/retirement_rules.py",
        "if not target.evidence.is_by_hand and not _has_record(view.desired, target.project):",
        "if False:",
        RULES,
    ),
    guard(
        "retirement: nothing is destroyed while somebody else deletes",
        "sync/retirement_rules.py",
        "    others = [one for one in situation.busy if (one.kind, one.target_id) not in own]\n",
        "    others = [one for one in situation.busy if False]\n",
        CONTAINED,
    ),
    guard(
        "retirement: nothing is destroyed while a rung is held",
        "sync/retirement_rules.py",
        "    found += held\n",
        "    found += ()\n",
        CONTAINED,
    ),
    guard(
        "retirement: nothing is destroyed while deletions cannot be read",
        "sync/retirement_rules.py",
        "    if situation.problems:\n",
        "    if False:\n",
        CONTAINED,
    ),
    guard(
        "retirement: each destroying step waits for the containment",
        "sync/retirement_steps.py",
        "            self._refuse_containment(retirement, step, told, view)\n",
        "",
        CONTAINED,
    ),
    guard(
        "retirement: the ceiling over time",
        "sync/retirement_rules.py",
        "if len(others) < limits.ceiling or any(covers(one, project, now) for one in campaigns):",
        "if True:",
        RULES,
    ),
    guard(
        "retirement: a campaign is for its list and its time",
        "sync/retirement_rules.py",
        "return campaign.starts_at <= now < campaign.ends_at and project in campaign.projects",
        "return True",
        RULES,
    ),
    guard(
        "retirement: no call that the server would not do as it is meant",
        "sync/retirement_steps.py",
        "            self._refuse_not_offered(retirement, step, calls, view)\n",
        "",
        f"{RETIRING}::test_no_project_is_deleted_where_its_cleanup_could_not_be_forbidden",
    ),
    guard(
        "retirement: no parameter that the server would ignore",
        "sync/retirement_calls.py",
        "            if not has(call.command, name):\n",
        "            if False:\n",
        f"{RETIRING}::test_no_project_is_deleted_where_its_cleanup_could_not_be_forbidden",
    ),
    guard(
        "retirement: what is not in the archive stops the destruction",
        "sync/retirement_steps.py",
        "            if archiving is None or not archiving.has(file):\n",
        "            if False:\n",
        f"{ARCHIVE}::test_data_volumes_templates_and_isos_are_fetched_before_anything_is_destroyed",
    ),
    guard(
        "retirement: a file in the archive is whole",
        "sync/archiving.py",
        "            return (self.folder / found.file).stat().st_size == found.size\n",
        "            return (self.folder / found.file).stat().st_size >= 0\n",
        f"{ARCHIVE}::test_data_volumes_templates_and_isos_are_fetched_before_anything_is_destroyed",
    ),
    guard(
        "download: CloudStack's checksum is compared",
        "sync/download.py",
        "                if self.hashes[1].hexdigest() != self._digest:\n",
        "                if False:\n",
        DOWNLOAD,
    ),
    guard(
        "download: a file of unknown length is not whole",
        "sync/download.py",
        "        if not length.isdigit():\n",
        "        length = length or str(1000)\n        if False:\n",
        DOWNLOAD,
    ),
    guard(
        "retirement: the client's allow-list",
        "sync/cloudstack/retirer.py",
        '        if command not in self.ALLOWED:\n            raise GuardError(f"{command} is not',
        '        if False:\n            raise GuardError(f"{command} is not',
        ALLOW_LIST,
    ),
    guard(
        "retirement: the client's parameters, all and no other",
        "sync/cloudstack/retirer.py",
        "if frozenset(parameters) != self.PARAMETERS[command] or not all(parameters.values()):",
        "if False:",
        ALLOW_LIST,
    ),
    guard(
        "retirement: `cleanup` is false, whoever asks",
        "sync/cloudstack/retirer.py",
        "            if parameters[name] != value:\n",
        "            if False:\n",
        ALLOW_LIST,
    ),
    guard(
        "retirement: only objects of the permit",
        "sync/cloudstack/retirer.py",
        "if (command, target) not in self._permit.calls:",
        "if False:",
        ALLOW_LIST,
    ),
    guard(
        "retirement: no client without a permit",
        "sync/cloudstack/retirer.py",
        "if not (permit.retirement and permit.step and permit.calls):",
        "if False:",
        ALLOW_LIST,
    ),
)
