"""Guards of reading: completeness, whose eyes these are, which server it is."""

from __future__ import annotations

from tests.mutation.guard import guard

PAGING = "tests/test_cloudstack_paging.py"
GATHERING = "tests/test_cloudstack_gathering.py"
PROOF = "tests/test_cloudstack_proof.py"
CAPABILITIES = "tests/test_cloudstack_capabilities.py"
READER = "tests/test_cloudstack_reader.py"
PINS = "tests/test_pins.py"
CLI_CONTAIN = "tests/test_cli_contain.py"
ALTERED = "tests/test_cli_altered_ledger.py"
ROWS = "tests/test_rows.py"
WRONG = "tests/scenarios/test_wrong_environment.py"
SETTINGS = "tests/test_settings.py"
MAPPING = "tests/test_mapping.py"

COVERAGE = (
    guard(
        "domains that were listed without a path are no complete list",
        "sync/cloudstack/gathering.py",
        "        if nowhere:\n",
        "        if False:\n",
        GATHERING,
    ),
    guard(
        "a column of the mapping that is no field is refused",
        "sync/mapping.py",
        "    if there and not is_whole_table:",
        "    if False:",
        MAPPING,
    ),
    guard(
        "a misspelt column of the CI database is refused",
        "sync/mapping.py",
        "        if name in fields.required or misspelt:",
        "        if name in fields.required:",
        MAPPING,
    ),
    guard(
        "rows, ids and both counts of a list agree",
        "sync/cloudstack/paging.py",
        "if not len(self._rows) == unique == before == after:",
        "if False:",
        PAGING,
    ),
    guard(
        "nothing stands behind the last row of a list",
        "sync/cloudstack/paging.py",
        "if set(behind.ids) <= set(self._ids):",
        "if True:",
        PAGING,
    ),
    guard(
        "ids are distinct where `count` is a page's own",
        "sync/cloudstack/paging.py",
        "if unique != len(self._rows):",
        "if False:",
        PAGING,
    ),
    guard(
        "an answer without the list is no empty list",
        "sync/cloudstack/paging.py",
        "if others:\n            raise IncompleteError(",
        "if False:\n            raise IncompleteError(",
        PAGING,
    ),
    guard(
        "an unproven list is not used for a single object",
        "sync/cloudstack/paging.py",
        "if self.proof.problem:\n            raise IncompleteError(",
        "if False:\n            raise IncompleteError(",
        PAGING,
    ),
    guard(
        "what CloudStack Projects own (projectid=-1)",
        "sync/cloudstack/gathering.py",
        'united = base.with_parameters(projectid="-1")',
        "united = base",
        GATHERING,
    ),
    guard(
        "a list with projectid=-1 that lacks the others",
        "sync/cloudstack/gathering.py",
        "is_union = any(not one.is_of_project for one in everyone)",
        "is_union = True",
        GATHERING,
    ),
    guard(
        "rows that are not displayed",
        "sync/cloudstack/gathering.py",
        "if owned.hidden and result.error is None and self._server.has(base.command, owned.hidden):",
        "if False:",
        GATHERING,
    ),
    guard(
        "a list that is not proven makes the side partial",
        "sync/cloudstack/gathering.py",
        "unproven = _reasons(results)",
        "unproven: list[str] = []",
        GATHERING,
    ),
    guard(
        "ROOT in sight",
        "sync/cloudstack/gathering.py",
        "if root_id and not any(domain.id == root_id for domain in self._listed()):",
        "if False:",
        GATHERING,
    ),
    guard(
        "the caller is among the accounts and users",
        "sync/cloudstack/gathering.py",
        "if all(getattr(one, called) != own for one in here):",
        "if False:",
        GATHERING,
    ),
    guard(
        "running VMs have volumes and networks",
        "sync/cloudstack/gathering.py",
        "if running and self._is_empty(name):",
        "if False:",
        GATHERING,
    ),
    guard(
        "volumes of VMs have VMs",
        "sync/cloudstack/gathering.py",
        'if self._is_empty("vms") and any("virtualmachineid" in one.thing.details for one in attached):',
        "if False:",
        GATHERING,
    ),
    guard(
        "an empty list of what CloudStack counts",
        "sync/cloudstack/gathering.py",
        "                if most:\n",
        "                if False:\n",
        GATHERING,
    ),
    guard(
        "nothing unproven is taken over from an earlier reading",
        "sync/cloudstack/gathering.py",
        "everything = everything or (previous is not None and not previous.coverage.is_complete)",
        "everything = everything or False",
        f"{READER}::test_nothing_is_taken_over_where_there_is_nothing_to_take",
    ),
    guard(
        "role proof: the role type is Admin",
        "sync/cloudstack/capabilities.py",
        ' and self.role_type == "Admin"\n\n    def blind_spots',
        "\n\n    def blind_spots",
        CAPABILITIES,
    ),
    guard(
        "role proof: the caller is in ROOT",
        "sync/cloudstack/capabilities.py",
        "return bool(self.root_id) and self.domain_id == self.root_id and",
        "return bool(self.root_id) and",
        CAPABILITIES,
    ),
    guard(
        "role proof: the calls that are needed",
        "sync/cloudstack/capabilities.py",
        'missing = [call for call in ("getUser", *calls) if not self.has(call)]',
        "missing: list[str] = []",
        CAPABILITIES,
    ),
    guard(
        "role proof: ROOT is told by its level",
        "sync/cloudstack/capabilities.py",
        'if isinstance(row, dict) and row.get("level") == 0:',
        "if isinstance(row, dict):",
        CAPABILITIES,
    ),
    guard(
        "what cannot be seen is not absent (single objects)",
        "sync/cloudstack/reader.py",
        "if not found.is_root_admin:",
        "if False:",
        f"{PROOF}::test_a_domain_admin_sees_a_small_world_and_it_is_said",
    ),
)

ENVIRONMENT = (
    guard(
        "pin: another server is refused",
        "sync/pins.py",
        "if pin is not None and not server.is_pinned_by(pin):",
        "if False:",
        PINS,
    ),
    guard(
        "pin: the endpoint counts",
        "sync/pins.py",
        "return same_endpoint(self.endpoint, pin.endpoint) and self.root_id == pin.root_id",
        "return self.root_id == pin.root_id",
        PINS,
    ),
    guard(
        "pin: the ROOT id counts",
        "sync/pins.py",
        "return same_endpoint(self.endpoint, pin.endpoint) and self.root_id == pin.root_id",
        "return same_endpoint(self.endpoint, pin.endpoint)",
        PINS,
    ),
    guard(
        "pin: a ROOT that cannot be seen proves nothing",
        "sync/pins.py",
        "if not server.root_id:",
        "if False:",
        PINS,
    ),
    guard(
        "one server has one name",
        "sync/pins.py",
        "if same_endpoint(endpoint, other.endpoint) or (",
        "if False and (",
        PINS,
    ),
    guard(
        "a restored dump of production is refused",
        "sync/pins.py",
        "if other.name not in accepted and not (other.pin and environment in other.pin.shares):",
        "if False:",
        PINS,
    ),
    guard(
        "pinning anew needs a reason",
        "sync/pins.py",
        '        if not reason.strip():\n            raise UsageError(\n                "Pinning',
        '        if False:\n            raise UsageError(\n                "Pinning',
        PINS,
    ),
    guard(
        "another server's reading is never complete",
        "console/recognition.py",
        "state = CoverageState.PARTIAL if earlier.is_complete else earlier.state",
        "state = earlier.state",
        f"{WRONG}::test_a_new_server_at_the_same_address_is_refused",
    ),
    guard(
        "nothing is armed at another server",
        "console/session.py",
        "        self.recogniser.admit()\n        from sync.cloudstack import Writer",
        "        from sync.cloudstack import Writer",
        f"{WRONG}::test_a_new_server_at_the_same_address_is_refused",
    ),
    guard(
        "nothing is armed on an altered ledger",
        "console/recognition.py",
        "        require_sound(self._ledger())",
        "        assert require_sound",
        f"{ALTERED}::test_neither_armed_nor_run_nor_retired_by_a_session",
        f"{ALTERED}::test_nothing_is_executed_on_an_altered_ledger",
    ),
    guard(
        "nothing is run on a ledger that was altered since it was armed",
        "console/session.py",
        "        self.recogniser.admit()\n        return Executor(",
        "        self.recogniser.require()\n        return Executor(",
        f"{ALTERED}::test_neither_armed_nor_run_nor_retired_by_a_session",
    ),
    guard(
        "nothing is retired on an altered ledger",
        "console/session.py",
        "            recognise=self.recogniser.admit,",
        "            recognise=self.recogniser.require,",
        f"{ALTERED}::test_neither_armed_nor_run_nor_retired_by_a_session",
    ),
    guard(
        "what stood in an altered ledger is not forgotten",
        "sync/containment_journal.py",
        "joined(self._earlier or (), found)",
        "joined((), found)",
        f"{ALTERED}::test_containment_goes_on_in_a_file_of_its_own_and_undoes_what_stood",
    ),
    guard(
        "what stood in a ledger that went away is not forgotten",
        "sync/containment_journal.py",
        "self._ledger, self._earlier, self._own = own.open(), self._known, None",
        "self._ledger, self._earlier, self._own = own.open(), [], None",
        "tests/test_merging.py::test_it_goes_on_in_its_own_file_where_the_database_goes_away",
    ),
    guard(
        "a capture without any of what was deleted is no basis of the losses",
        "sync/loss_basis.py",
        "if not last_seen and vanished(situation):",
        "if False:",
        "tests/test_loss_basis.py",
    ),
    guard(
        "a zone of which CloudStack says nothing may be closed still",
        "sync/freezes.py",
        'if allocations.get(one.zone, "").casefold() != "enabled"',
        'if allocations.get(one.zone, "").casefold() == "disabled"',
        "tests/test_freezes.py::test_only_a_reading_of_the_zone_says_for_certain_that_it_is_closed_now",
    ),
    guard(
        "check warns of an altered ledger",
        "console/cli/reading.py",
        "if tampering or kinds - {DriftKind.IN_SYNC}:",
        "if kinds - {DriftKind.IN_SYNC}:",
        f"{ALTERED}::test_check_tells_drift_where_only_the_ledger_is_wrong",
    ),
    guard(
        "a name that a terminal would obey is a problem",
        "sync/rows.py",
        "if obeyed := obeyed_words(name):",
        "if (obeyed := obeyed_words(name)) and False:",
        f"{ROWS}::test_names_that_cloudstack_would_refuse_are_a_problem",
    ),
    guard(
        "the keys for reading and writing are of one server",
        "sync/settings.py",
        "if writing is not None and writing.endpoint != reading.endpoint:",
        "if False:",
        SETTINGS,
    ),
    guard(
        "nothing is contained at another server",
        "sync/containment.py",
        "        if self.journal.is_recognising:\n",
        "        if False:\n",
        f"{CLI_CONTAIN}::test_nothing_is_sent_to_another_server_than_the_pinned_one",
    ),
)
