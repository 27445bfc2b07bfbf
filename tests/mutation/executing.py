"""Guards of executing: what was confirmed, what is still so, what was recorded, what may be sent."""

from __future__ import annotations

from tests.mutation.guard import guard

PINS = "tests/test_pins.py"
EXECUTOR = "tests/test_executor.py"
SCHEDULE = "tests/test_schedule.py"
APPROVAL = "tests/test_approval.py"
WRITER = "tests/test_cloudstack_writer.py"
ALLOW_LIST = "tests/test_writer_allow_list.py"
LEASE = "tests/test_lease.py"
LEDGER = "tests/test_ledger.py"
CONTAIN = "tests/test_contain.py"

EXECUTION = (
    guard(
        "what was confirmed is this plan",
        "sync/executor.py",
        "if not confirmed.by or confirmed.digest != plan.digest:",
        "if False:",
        EXECUTOR,
    ),
    guard(
        "a confirmation expires",
        "sync/executor.py",
        "if abs(self._clock() - confirmed.at) > CONFIRMATION_AGE:",
        "if False:",
        EXECUTOR,
    ),
    guard(
        "the executor seals the plan again",
        "sync/executor.py",
        "        plans.refuse_changed(plan)\n",
        "",
        EXECUTOR,
    ),
    guard(
        "the executor refuses an expired plan",
        "sync/executor.py",
        "            plans.refuse_expired(plan, self._clock())\n",
        "",
        EXECUTOR,
    ),
    guard(
        "the plan is for this environment",
        "sync/executor.py",
        "if plan.environment != self._ledger.environment:",
        "if False:",
        EXECUTOR,
    ),
    guard(
        "the plan was made for this server",
        "sync/executor.py",
        "is_same = (plan.endpoint, plan.root_id) == (found.endpoint, found.root_id)",
        "is_same = True",
        EXECUTOR,
    ),
    guard(
        "the server's ROOT is there",
        "sync/executor.py",
        "if not is_same or self._reader.domain_by_id(plan.root_id) is None:",
        "if not is_same:",
        EXECUTOR,
    ),
    guard(
        "the executor compares the pin",
        "sync/executor.py",
        "        self._ledger.pins.recognise(Server(found.endpoint, found.root_id))\n",
        "",
        EXECUTOR,
        PINS,
    ),
    guard(
        "an action without a precondition is not run",
        "sync/executor.py",
        "if not action.precondition and not action.needs:",
        "if False:",
        EXECUTOR,
    ),
    guard(
        "an action that lacks what it sends is refused",
        "sync/executor.py",
        "    if missing:\n        raise GuardError(",
        "    if False:\n        raise GuardError(",
        EXECUTOR,
    ),
    guard(
        "an action whose target and parameters name two places is refused",
        "sync/executor.py",
        "    if contradicting:\n        raise GuardError(",
        "    if False:\n        raise GuardError(",
        EXECUTOR,
    ),
    guard(
        "a precondition that cannot be checked is refused",
        "sync/executor.py",
        "    if unknown:\n        raise GuardError(",
        "    if False:\n        raise GuardError(",
        EXECUTOR,
    ),
    guard(
        "approvals are asked for when a run begins",
        "sync/executor.py",
        "            self._guard_approved(plan, approved)\n",
        "",
        EXECUTOR,
    ),
    guard(
        "approvals are asked for when a run is resumed",
        "sync/executor.py",
        "            self._guard_approved(plan, _approval_of(started))\n",
        "",
        EXECUTOR,
    ),
    guard(
        "a run that another followed is not resumed",
        "sync/executor.py",
        "if newest is None or newest.run_id != run_id:",
        "if False:",
        EXECUTOR,
    ),
    guard(
        "preconditions are read again",
        "sync/attempt.py",
        "        if changed:\n",
        "        if False:\n",
        EXECUTOR,
    ),
    guard(
        "what is there already is not made again",
        "sync/attempt.py",
        "if is_reached(self.action, now) or (self.operation.is_creation and now.object_id is not None):\n"
        "            return self._already_there(now)",
        "if False:\n            return self._already_there(now)",
        EXECUTOR,
    ),
    guard(
        "an operation's own objections count",
        "sync/attempt.py",
        "        if objection:\n",
        "        if False:\n",
        EXECUTOR,
    ),
    guard(
        "after a stop nothing more is sent",
        "sync/attempt.py",
        "        if self.p._stop.is_set():\n"
        '            return self._result(Outcome.NOT_RUN, "Stopped before it was sent.")\n'
        "        return None",
        "        return None",
        EXECUTOR,
    ),
    guard(
        "a stop between intent and call is heeded",
        "sync/attempt.py",
        "        if self.p._stop.is_set():\n            self.intent = had_intent",
        "        if False:\n            self.intent = had_intent",
        EXECUTOR,
    ),
    guard(
        "the intent is written before the call",
        "sync/attempt.py",
        "        entry = self.p._journal.intent(\n            self.action, self.operation.command, "
        "parameters=parameters, attempt=self.sent\n        )\n        had_intent, self.intent = self.intent, "
        "Intent(self.action.id, entry.at)",
        "        had_intent, self.intent = self.intent, Intent(self.action.id, self.p._clock())",
        EXECUTOR,
    ),
    guard(
        "an unknown outcome is resolved by reading",
        "sync/attempt.py",
        "result = self._resolve() if self.intent is not None else None",
        "result: ActionResult | None = None",
        f"{EXECUTOR}::test_a_job_of_an_earlier_process_is_followed_and_its_call_not_sent_again",
        EXECUTOR,
    ),
    guard(
        "a call of unknown outcome is not repeated where names are not unique",
        "sync/attempt.py",
        "if result is None and not self.operation.is_repeatable:",
        "if False:",
        EXECUTOR,
    ),
    guard(
        "what was sent is read back",
        "sync/attempt.py",
        "        missing = shortfall(self.action, now)\n        if missing:",
        "        missing = shortfall(self.action, now)\n        if False:",
        EXECUTOR,
    ),
    guard(
        "canary: one alone until one has succeeded",
        "sync/schedule.py",
        "limit = self.concurrency if self._has_proven_itself else 1",
        "limit = self.concurrency",
        SCHEDULE,
    ),
    guard(
        "failure budget",
        "sync/schedule.py",
        "if len(self._failed) >= self._budget:",
        "if False:",
        SCHEDULE,
    ),
    guard(
        "the first failure closes its kind",
        "sync/schedule.py",
        "if action.kind not in self._closed_kinds:\n                self._running",
        "if True:\n                self._running",
        SCHEDULE,
    ),
    guard(
        "what needs something waits for it",
        "sync/schedule.py",
        "            if not unmet and action.id not in self.results and action.id not in self._aside:",
        "            if action.id not in self.results and action.id not in self._aside:",
        SCHEDULE,
    ),
    guard(
        "nothing is sent in a pause",
        "sync/execution.py",
        "        return self._pause.is_set() or bool(",
        "        return bool(",
        "tests/test_execution.py",
    ),
    guard(
        "a server that is gone stops the run",
        "sync/execution.py",
        "        if self._patience.ended_because:\n",
        "        if False:\n",
        "tests/test_execution.py",
    ),
    guard(
        "a rebuild never exceeds its ceiling",
        "sync/concurrency.py",
        "self.limit = min(self.ceiling, wanted, self.limit + more)",
        "self.limit = min(wanted, self.limit + more)",
        "tests/test_concurrency.py",
    ),
    guard(
        "the lease: one execution at a time",
        "sync/lease.py",
        "            if standing is not Standing.GONE:\n                raise",
        "            if False:\n                raise",
        LEASE,
    ),
    guard(
        "the lease: whoever lost it writes nothing more",
        "sync/ledger.py",
        "            self._lease.check(connection)\n",
        "            pass\n",
        LEASE,
    ),
    guard(
        "the lease: not broken from somebody who runs here",
        "sync/lease.py",
        "    if standing is Standing.ALIVE:\n        raise",
        "    if False:\n        raise",
        LEASE,
    ),
    guard(
        "the lease: not broken while heartbeats arrive",
        "sync/lease.py",
        "    if standing is Standing.BEATING:\n        silent",
        "    if False:\n        silent",
        LEASE,
    ),
    guard(
        "the lease: broken by its owner's name only",
        "sync/lease.py",
        "    if holder.owner != owner:",
        "    if False:",
        LEASE,
    ),
    guard(
        "the lease: breaking needs a reason",
        "sync/ledger.py",
        '        if not reason.strip():\n            raise UsageError("Breaking',
        '        if False:\n            raise UsageError("Breaking',
        LEASE,
    ),
)

SENDING = (
    guard(
        "the Writer's allow-list",
        "sync/cloudstack/writer.py",
        "if command not in self.ALLOWED:",
        "if False:",
        WRITER,
        ALLOW_LIST,
    ),
    guard(
        "the Writer refuses `cleanup`, however it is spelled",
        "sync/cloudstack/writer.py",
        'if "cleanup" in _NOT_A_LETTER.sub("", folded):',
        "if False:",
        WRITER,
        ALLOW_LIST,
    ),
    guard(
        "the Writer sends no parameter of the protocol",
        "sync/cloudstack/writer.py",
        "if folded in _RESERVED or not _PARAMETER.fullmatch(name):",
        "if False:",
        WRITER,
        ALLOW_LIST,
    ),
    guard(
        "the Writer's parameters of calls that could change much else",
        "sync/cloudstack/writer.py",
        "if name not in self.ONLY_WITH.get(command, {name}):",
        "if False:",
        WRITER,
    ),
    guard(
        "the fence's allow-list",
        "sync/cloudstack/fence.py",
        "if command not in self.ALLOWED:",
        "if command not in self.PARAMETERS and False:",
        WRITER,
        ALLOW_LIST,
        CONTAIN,
    ),
    guard(
        "the fence's parameters",
        "sync/cloudstack/fence.py",
        "if frozenset(parameters) != self.PARAMETERS[command]:",
        "if False:",
        WRITER,
        ALLOW_LIST,
        CONTAIN,
    ),
    guard(
        "the fence changes one setting only",
        "sync/cloudstack/fence.py",
        'if command == "updateConfiguration" and parameters["name"] != SOURCE_LIST:',
        "if False:",
        WRITER,
        ALLOW_LIST,
        CONTAIN,
    ),
    guard(
        "the fence sends no empty value",
        "sync/cloudstack/fence.py",
        'if not all(parameters[name] for name in parameters if name != "value"):',
        "if False:",
        WRITER,
        ALLOW_LIST,
        CONTAIN,
    ),
    guard(
        "a changing call is sent once, whatever happens",
        "sync/cloudstack/client.py",
        "answer = self._attempt(command, parameters, changes=True)\n",
        "answer = self._attempt(command, parameters, changes=True)\n"
        "        if isinstance(answer, AbreastError):\n"
        "            answer = self._attempt(command, parameters, changes=True)\n",
        WRITER,
        "tests/test_cloudstack_faults.py",
    ),
    guard(
        "an answer that leads elsewhere is not followed",
        "sync/cloudstack/client.py",
        "session.max_redirects = 0",
        "session.max_redirects = 30",
        WRITER,
        "tests/test_cloudstack_faults.py",
    ),
)

RECORD = (
    guard(
        "ledger: a changed entry",
        "sync/ledger_check.py",
        "if _computed(row) != row.hash:",
        "if False:",
        LEDGER,
    ),
    guard(
        "ledger: a removed entry",
        "sync/ledger_check.py",
        "if row.seq != expected:",
        "if False:",
        LEDGER,
    ),
    guard(
        "ledger: entries that were cut off",
        "sync/ledger_check.py",
        "if head == (chain.count, chain.last_hash):",
        "if True:",
        LEDGER,
    ),
    guard(
        "ledger: an entry that follows another one",
        "sync/ledger_check.py",
        "if row.previous_hash != self.last_hash and row.seq == expected:",
        "if False:",
        LEDGER,
    ),
    guard(
        "ledger: a pin that was changed behind it",
        "sync/ledger_check.py",
        "if by_entry == kept:",
        "if True:",
        LEDGER,
        PINS,
    ),
    guard(
        "ledger: a run's state that was changed behind it",
        "sync/ledger_check.py",
        "if states.get(run_id) != chain.states.get(run_id)",
        "if False",
        LEDGER,
    ),
    guard(
        "ledger: an entry that was changed after it had been verified",
        "sync/ledger_check.py",
        "if chain.count:",
        "if False:",
        f"{LEDGER}::test_a_watched_ledger_is_verified_from_the_last_entry_on",
    ),
    guard(
        "ledger: rewritten as a whole",
        "sync/ledger_check.py",
        "if chain.noted is not None:",
        "if False:",
        LEDGER,
        "tests/test_record.py",
    ),
)
