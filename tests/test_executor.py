"""Executing: every step recorded before it is made, nothing twice, nothing that was not confirmed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sync.approval_rules import ApprovalRules, Approved
from sync.credentials import CredentialFile
from sync.errors import (
    AbreastError,
    GuardError,
    IncompleteError,
    LeaseHeldError,
    LedgerError,
    OutcomeUnknownError,
    RefusedError,
    StaleError,
    ThrottledError,
    UnreachableError,
)
from sync.executor import Confirmation, ExecutionEvent, ExecutionPolicy, Executor, RunReport
from sync.ledger import EntryKind, Ledger, RunState
from sync.model import Action, ActionKind, Outcome, Plan, Reversibility
from sync.operations import contradictions
from tests.fake_cloudstack import (
    PARENT,
    START,
    Clock,
    FakeCloudStack,
    Fault,
    Job,
    Limits,
    action,
    create_account,
    create_domain,
    create_user,
    plan,
    project,
)

S, F, K, U, N = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SKIPPED, Outcome.UNKNOWN, Outcome.NOT_RUN

LOST = OutcomeUnknownError("No answer came.")


class Bench:
    """An executor with everything around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.cloud = FakeCloudStack()
        self.ledger = self.new_ledger()
        self.vault = CredentialFile(folder / "passwords.jsonl")
        self.stop = threading.Event()
        self.events: list[ExecutionEvent] = []
        self.approvals: ApprovalRules | None = None
        self.approved: Approved | None = None

    def new_ledger(self) -> Ledger:
        url = f"sqlite:///{self.folder / 'ledger.sqlite'}"
        return Ledger(url, environment="drill", operator="ops@console", clock=self.clock).open()

    def executor(self, *, policy: ExecutionPolicy = ExecutionPolicy.STAGED, **limits: float) -> Executor:
        return Executor(
            reader=self.cloud,
            writer=self.cloud,
            ledger=self.ledger,
            vault=self.vault,
            limits=Limits(**limits),  # type: ignore[arg-type]
            policy=policy,
            approvals=self.approvals,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def confirmation(self, made: Plan) -> Confirmation:
        return Confirmation(digest=made.digest, by="ops@console", at=self.clock())

    def run(
        self, *actions: Action, policy: ExecutionPolicy = ExecutionPolicy.STAGED, **limits: float
    ) -> RunReport:
        made = plan(*actions, now=self.clock())
        return self.executor(policy=policy, **limits).run(
            made, confirmed=self.confirmation(made), on_event=self.events.append, stop=self.stop
        )

    def resume(self, *, digest: str | None = None) -> RunReport:
        interrupted = self.ledger.interrupted_run()
        assert interrupted is not None
        word = Confirmation(digest=digest or interrupted.digest, by="ops@console", at=self.clock())
        return self.executor().resume(
            interrupted.run_id, confirmed=word, on_event=self.events.append, stop=self.stop
        )

    def kinds(self) -> list[str]:
        return [entry.kind.value for entry in self.ledger.entries()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.ledger.close()


def outcomes(report: RunReport) -> list[Outcome]:
    return [result.outcome for result in report.results]


def details(report: RunReport) -> list[str]:
    return [result.detail for result in report.results]


# --- one action after another -------------------------------------------------------------------------------


def test_rebuilds_a_project_and_records_every_step(bench: Bench) -> None:
    report = bench.run(*project("dune", "jmartin"))

    assert outcomes(report) == [S, S, S]
    assert report.state is RunState.FINISHED
    assert report.counts[S] == 3
    assert report.calls > 6
    account = next(iter(bench.cloud.accounts.values()))
    assert [user.username for user in account.users] == ["dune-owner", "jmartin"]
    step = ["intent", "submitted", "outcome"]
    assert bench.kinds() == ["environment pinned", "run started", *step * 3, "run ended"]
    assert bench.ledger.verify().is_sound
    assert bench.ledger.interrupted_run() is None


def test_the_intent_and_the_password_are_on_disk_before_the_call(bench: Bench) -> None:
    seen = []

    def look(command: str, parameters: object) -> None:
        last = bench.ledger.entries()[-1]
        assert last.kind is EntryKind.INTENT
        assert last.payload["command"] == command
        if command in ("createAccount", "createUser"):
            on_disk = [item.password for item in CredentialFile(bench.vault.path).credentials()]
            assert parameters["password"] in on_disk  # type: ignore[index]
        seen.append(command)

    bench.cloud.before_submit = look
    assert outcomes(bench.run(*project("dune", "jmartin"))) == [S, S, S]
    assert seen == ["createDomain", "createAccount", "createUser"]


def test_no_password_is_in_the_ledger_nor_in_any_event(bench: Bench) -> None:
    report = bench.run(*project("dune", "jmartin"))
    bench.ledger.close()

    passwords = [item.password for item in bench.vault.credentials()]
    assert len(passwords) == 2
    assert sorted(passwords) == sorted(bench.cloud.passwords.values())
    written = b"".join(path.read_bytes() for path in bench.folder.glob("ledger.sqlite*"))
    for password in passwords:
        assert password.encode() not in written
        assert password not in repr((report, bench.events))


def test_events_tell_the_phases_and_the_count(bench: Bench) -> None:
    bench.run(create_domain("dune"))

    assert [(event.phase, event.done, event.total) for event in bench.events] == [
        ("reading", 0, 1),
        ("submitting", 0, 1),
        ("verifying", 0, 1),
        ("done", 1, 1),
        ("finished", 1, 1),
    ]
    assert bench.events[3].result is not None
    assert bench.events[3].result.outcome is S


def test_updates_enables_limits_and_networks(bench: Bench) -> None:
    domain = bench.cloud.add_project("dune", "anna")
    account = bench.cloud.account(domain.id, "dune")
    assert account is not None
    user = account.users[0]
    path = f"{PARENT}/dune"
    report = bench.run(
        action(
            ActionKind.UPDATE_DOMAIN,
            path,
            target_id=domain.id,
            parameters={"networkdomain": "dune.example.org"},
            precondition={"networkdomain": None},
        ),
        action(
            ActionKind.UPDATE_USER,
            f"{path}:dune:anna",
            target_id=user.id,
            parameters={"email": "anna@lab.example.org"},
            precondition={"email": "anna@example.org"},
        ),
        action(
            ActionKind.UPDATE_LIMIT,
            f"{path}#vm",
            target_id=domain.id,
            parameters={"max": "10"},
            precondition={"max": "-1"},
        ),
        action(
            ActionKind.CREATE_NETWORK,
            f"{path}/dune-net",
            parameters={"name": "dune-net", "zone": "z", "offering": "o", "account": "dune"},
        ),
        action(
            ActionKind.DISABLE_USER,
            f"{path}:dune:anna",
            target_id=user.id,
            precondition={"state": "enabled"},
        ),
    )

    assert outcomes(report) == [S] * 5, details(report)
    read = bench.cloud.domain_by_path(path, limits=True)
    assert read is not None and read.limits is not None
    assert (read.network_domain, read.limits["vm"]) == ("dune.example.org", 10)
    changed = bench.cloud.user(domain.id, "anna")
    assert changed is not None
    assert (changed.email, changed.state) == ("anna@lab.example.org", "disabled")
    assert [network.name for network in bench.cloud.networks] == ["dune-net"]
    assert report.results[4].job_id is not None


# --- what has changed meanwhile -----------------------------------------------------------------------------


def test_a_precondition_that_no_longer_holds_is_skipped_with_what_changed(bench: Bench) -> None:
    domain = bench.cloud.add_project("dune", "anna")
    account = bench.cloud.account(domain.id, "dune")
    assert account is not None
    report = bench.run(
        action(
            ActionKind.UPDATE_USER,
            f"{PARENT}/dune:dune:anna",
            target_id=account.users[0].id,
            parameters={"email": "new@example.org"},
            precondition={"email": "old@example.org"},
        )
    )

    assert outcomes(report) == [K]
    assert "email is “anna@example.org” instead of “old@example.org”" in details(report)[0]
    assert bench.cloud.log == []


def test_another_object_under_the_same_name_is_left_alone(bench: Bench) -> None:
    bench.cloud.add_project("dune", "anna")
    report = bench.run(
        action(
            ActionKind.DISABLE_USER,
            f"{PARENT}/dune:dune:anna",
            target_id="user-of-before",
            precondition={"state": "enabled"},
        )
    )

    assert outcomes(report) == [K]
    assert "another object" in details(report)[0]
    assert bench.cloud.log == []


def test_what_exists_already_is_skipped_and_what_needs_it_goes_on(bench: Bench) -> None:
    bench.cloud.add_project("dune")
    report = bench.run(*project("dune"))

    assert outcomes(report) == [K, S]
    assert "exists already" in details(report)[0]
    assert bench.cloud.sent("createDomain") == []


def test_what_is_so_already_is_skipped(bench: Bench) -> None:
    domain = bench.cloud.add_project("dune")
    report = bench.run(
        action(
            ActionKind.UPDATE_LIMIT,
            f"{PARENT}/dune#vm",
            target_id=domain.id,
            parameters={"max": "-1"},
            precondition={"max": "5"},
        )
    )
    assert outcomes(report) == [K]
    assert "is so already" in details(report)[0]


def test_a_user_is_not_enabled_while_the_account_is_disabled(bench: Bench) -> None:
    domain = bench.cloud.add_project("dune", "anna")
    account = bench.cloud.account(domain.id, "dune")
    assert account is not None
    user = account.users[0]
    bench.cloud._do_disableuser({"id": user.id})
    bench.cloud.accounts[account.id] = replace(bench.cloud.accounts[account.id], state="disabled")
    report = bench.run(
        action(
            ActionKind.ENABLE_USER,
            f"{PARENT}/dune:dune:anna",
            target_id=user.id,
            precondition={"state": "disabled"},
        )
    )
    assert outcomes(report) == [K]
    assert "the account dune is disabled" in details(report)[0]
    assert bench.cloud.log == []


def test_a_user_from_ldap_is_never_updated(bench: Bench) -> None:
    domain = bench.cloud.add_project("dune", "anna")
    account = bench.cloud.account(domain.id, "dune")
    assert account is not None
    users = tuple(replace(user, source="ldap") for user in account.users)
    bench.cloud.accounts[account.id] = replace(account, users=users)
    report = bench.run(
        action(
            ActionKind.UPDATE_USER,
            f"{PARENT}/dune:dune:anna",
            target_id=users[0].id,
            parameters={"email": "new@example.org"},
            precondition={"email": "anna@example.org"},
        )
    )
    assert outcomes(report) == [K]
    assert "ldap" in details(report)[0]
    assert bench.cloud.log == []


# --- a dying domain that holds a name -----------------------------------------------------------------------


def rename(name: str, id: str) -> Action:
    return action(
        ActionKind.RENAME_DOMAIN,
        f"{PARENT}/{name}",
        target_id=id,
        parameters={"name": f"{name}-deleted"},
        precondition={"listed": "no"},
    )


def needing(one: Action, other: Action) -> Action:
    return replace(one, needs=(other.id,))


def test_a_dying_domain_is_renamed_and_its_name_taken(bench: Bench) -> None:
    dying = bench.cloud.start_dying("aurora")
    away = rename("aurora", dying.id)
    report = bench.run(away, needing(create_domain("aurora"), away))

    assert outcomes(report) == [S, S], details(report)
    assert bench.cloud.dying[dying.id].name == "aurora-deleted"


def test_a_dying_domain_of_which_no_vm_is_left_is_renamed_by_its_id(bench: Bench) -> None:
    dying = bench.cloud.start_dying("aurora")
    bench.cloud.vms.clear()
    away = replace(rename("aurora", dying.id), precondition={"listed": "no", "name": "aurora"})
    report = bench.run(away, needing(create_domain("aurora"), away))

    assert outcomes(report) == [S, S], details(report)
    assert bench.cloud.dying[dying.id].name == "aurora-deleted"


def test_a_domain_that_came_back_is_not_renamed(bench: Bench) -> None:
    alive = bench.cloud.add_project("aurora")
    away = rename("aurora", alive.id)
    report = bench.run(away, needing(create_domain("aurora"), away))

    assert outcomes(report) == [K, N]
    assert bench.cloud.log == []


def test_a_domain_that_is_gone_by_now_is_no_obstacle(bench: Bench) -> None:
    away = rename("aurora", "domain-gone")
    report = bench.run(away, needing(create_domain("aurora"), away))

    assert outcomes(report) == [K, S]
    assert "gone by now" in details(report)[0]


def test_the_row_of_an_orphan_is_gone_and_no_obstacle(bench: Bench) -> None:
    """After a hard kill of the server the row goes and the VMs stay: nothing tells if it holds a name."""
    dying = bench.cloud.start_dying("aurora")
    del bench.cloud.dying[dying.id]
    away = replace(rename("aurora", dying.id), precondition={"listed": "no", "name": "aurora"})
    report = bench.run(away, needing(create_domain("aurora"), away))

    assert outcomes(report) == [K, S]
    assert "gone by now" in details(report)[0]


def test_a_lost_rename_is_told_by_its_vms(bench: Bench) -> None:
    dying = bench.cloud.start_dying("aurora")
    bench.cloud.faults.append(Fault("updateDomain", LOST, has_effect=True))
    report = bench.run(rename("aurora", dying.id))

    assert outcomes(report) == [S]
    assert len(bench.cloud.log) == 1


# --- calls of unknown outcome -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["createDomain", "createAccount", "createUser"])
def test_a_call_that_worked_without_an_answer_is_found_by_reading(bench: Bench, command: str) -> None:
    bench.cloud.faults.append(Fault(command, LOST, has_effect=True))
    report = bench.run(*project("dune", "jmartin"))

    assert outcomes(report) == [S, S, S]
    assert len(bench.cloud.sent(command)) == 1


@pytest.mark.parametrize("command", ["createDomain", "createAccount", "createUser"])
def test_a_call_that_never_worked_is_sent_again_once_reading_has_proven_it(
    bench: Bench, command: str
) -> None:
    bench.cloud.faults.append(Fault(command, LOST))
    report = bench.run(*project("dune", "jmartin"))

    assert outcomes(report) == [S, S, S]
    first, second = bench.cloud.sent(command)
    assert first == second, "the second try carries the same password"
    assert bench.clock() - START >= timedelta(seconds=5)


def test_a_call_without_effect_is_given_up_after_three_times(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createDomain", LOST, times=9))
    report = bench.run(create_domain("dune"))

    assert outcomes(report) == [F]
    assert len(bench.cloud.log) == 3


def test_what_cannot_be_read_stays_unknown_and_is_resolved_at_the_next_start(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createAccount", LOST, has_effect=True))
    bench.cloud.before_submit = lambda command, _: go_dark(bench, command == "createAccount")
    report = bench.run(*project("dune", "jmartin"))

    assert outcomes(report) == [S, U, N]
    assert report.state is RunState.STOPPED
    bench.cloud.is_readable = True
    bench.cloud.before_submit = lambda command, _: None
    resumed = bench.resume()

    assert outcomes(resumed) == [S, S, S]
    assert resumed.run_id == report.run_id
    assert len(bench.cloud.sent("createAccount")) == 1
    assert bench.ledger.interrupted_run() is None


def go_dark(bench: Bench, is_time: bool) -> None:
    if is_time:
        bench.cloud.is_readable = False


def test_an_unknown_call_that_had_no_effect_is_sent_again_at_the_next_start(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createAccount", LOST))
    bench.cloud.before_submit = lambda command, _: go_dark(bench, command == "createAccount")
    assert outcomes(bench.run(*project("dune"))) == [S, U]
    bench.cloud.is_readable = True
    bench.cloud.before_submit = lambda command, _: None

    assert outcomes(bench.resume()) == [S, S]
    first, second = bench.cloud.sent("createAccount")
    assert first["password"] == second["password"] == bench.cloud.passwords[f"{PARENT}/dune:dune-owner"]


def test_a_new_run_also_resolves_what_an_earlier_one_left_unknown(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createDomain", LOST, has_effect=True))
    bench.cloud.before_submit = lambda *_: go_dark(bench, True)
    assert outcomes(bench.run(create_domain("dune"))) == [U]
    bench.cloud.is_readable = True
    bench.clock.sleep(60)

    report = bench.run(create_domain("dune"))
    assert outcomes(report) == [S]
    assert len(bench.cloud.log) == 1


def test_a_network_is_never_sent_twice_in_one_run(bench: Bench) -> None:
    bench.cloud.add_project("dune", "anna")
    bench.cloud.faults.append(Fault("createNetwork", LOST))
    network = action(
        ActionKind.CREATE_NETWORK,
        f"{PARENT}/dune/dune-net",
        parameters={"name": "dune-net", "zone": "z", "offering": "o", "account": "dune"},
    )
    assert outcomes(bench.run(network)) == [U]
    assert len(bench.cloud.log) == 1

    assert outcomes(bench.resume()) == [S]
    assert len(bench.cloud.log) == 2
    assert bench.clock() - START >= timedelta(seconds=30)


def test_a_refusal_as_existing_after_a_lost_call_is_our_own_work(bench: Bench) -> None:
    """The first call takes effect only after it was given up and the second one is under way."""
    bench.cloud.faults.append(Fault("createDomain", LOST))

    def late(command: str, parameters: object) -> None:
        if len(bench.cloud.log) == 1:
            bench.cloud._do_createdomain(dict(parameters))  # type: ignore[call-overload]

    bench.cloud.before_submit = late
    report = bench.run(create_domain("dune"))
    assert outcomes(report) == [S]
    assert [domain.name for domain in bench.cloud.domains.values()].count("dune") == 1


# --- a server that is busy, and jobs ------------------------------------------------------------------------


def test_a_throttled_call_is_sent_again_after_the_wait(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createDomain", ThrottledError("Too fast.", retry_after_seconds=7)))
    assert outcomes(bench.run(create_domain("dune"))) == [S]
    assert bench.clock() - START >= timedelta(seconds=7)


def test_a_call_that_was_never_sent_is_sent_again(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createDomain", UnreachableError("Refused.")))
    assert outcomes(bench.run(create_domain("dune"))) == [S]


def test_a_refusal_fails_with_its_text(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createDomain", RefusedError("A bad name.", code=431)))
    report = bench.run(create_domain("dune"))
    assert outcomes(report) == [F]
    assert details(report) == ["A bad name."]


def disable_anna(bench: Bench) -> Action:
    domain = bench.cloud.add_project("dune", "anna")
    account = bench.cloud.account(domain.id, "dune")
    assert account is not None
    return action(
        ActionKind.DISABLE_USER,
        f"{PARENT}/dune:dune:anna",
        target_id=account.users[0].id,
        precondition={"state": "enabled"},
    )


def with_job(bench: Bench, *states: Job, has_effect: bool = True) -> None:
    plain = bench.cloud._do_disableuser

    def disable(parameters: dict[str, str]) -> str:
        if has_effect:
            plain(parameters)
        if states:
            bench.cloud.jobs["the-job"] = list(states)
        return "the-job"

    bench.cloud._do_disableuser = disable  # type: ignore[method-assign]


def test_what_cloudstack_took_and_did_not_do_is_no_success(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = bench.cloud.add_project("dune", "anna")
    monkeypatch.setattr(bench.cloud, "_do_updateresourcelimit", lambda _parameters: None)
    report = bench.run(
        action(
            ActionKind.UPDATE_LIMIT,
            f"{PARENT}/dune#vm",
            target_id=domain.id,
            parameters={"max": "10"},
            precondition={"max": "-1"},
        )
    )
    assert outcomes(report) == [F]
    assert details(report) == ["It is there, but not as it was sent: max is “-1” instead of “10”."]


def test_a_job_is_followed_with_growing_waits(bench: Bench) -> None:
    with_job(bench, *[Job("pending")] * 5, Job("succeeded"))
    report = bench.run(disable_anna(bench))
    assert outcomes(report) == [S]
    assert report.results[0].job_id == "the-job"
    assert bench.clock() - START == timedelta(seconds=0.25 + 0.5 + 1 + 2 + 2)


def test_a_failed_job_fails_with_its_text(bench: Bench) -> None:
    with_job(bench, Job("failed", 530, "No."), has_effect=False)
    report = bench.run(disable_anna(bench))
    assert outcomes(report) == [F]
    assert "No." in details(report)[0]


def test_a_job_of_an_earlier_process_is_followed_and_its_call_not_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died after CloudStack had given the job; the job fails, and nothing is disabled."""
    with_job(bench, Job("failed", 530, "No."), has_effect=False)
    written = bench.ledger.append

    def append(kind: EntryKind, payload: Any, *, run_id: str | None) -> Any:
        if kind is EntryKind.OUTCOME:
            raise LedgerError("The machine lost its power.")
        return written(kind, payload, run_id=run_id)

    with monkeypatch.context() as dying:
        dying.setattr(bench.ledger, "append", append)
        with pytest.raises(LedgerError):
            bench.run(disable_anna(bench))
    report = bench.resume()
    assert outcomes(report) == [F]
    assert "No." in details(report)[0]
    assert [command for command, _ in bench.cloud.log] == ["disableUser"]


def test_a_lost_job_is_resolved_by_reading(bench: Bench) -> None:
    with_job(bench)
    assert outcomes(bench.run(disable_anna(bench))) == [S]
    assert len(bench.cloud.log) == 1


def test_an_answer_that_reading_does_not_confirm_is_a_failure(bench: Bench) -> None:
    bench.cloud._do_createdomain = lambda parameters: None  # type: ignore[method-assign]
    report = bench.run(create_domain("dune"))
    assert outcomes(report) == [F]
    assert "is not there" in details(report)[0]


# --- order, concurrency, failures ---------------------------------------------------------------------------


def test_one_alone_until_it_has_worked_then_up_to_four_at_once(bench: Bench) -> None:
    barrier = threading.Barrier(4, timeout=20)
    in_flight_at_first = []

    def look(command: str, parameters: object) -> None:
        if not bench.cloud.log:
            time.sleep(0.2)
            in_flight_at_first.append(bench.cloud.in_flight)
        else:
            barrier.wait()

    bench.cloud.before_submit = look
    report = bench.run(*(create_domain(f"p{number}") for number in range(9)))
    assert outcomes(report) == [S] * 9
    assert in_flight_at_first == [1]
    assert bench.cloud.most_in_flight == 4


def test_staged_the_first_failure_of_a_kind_stops_that_kind(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createAccount", RefusedError("No.", code=431), about="boreal"))
    names = ("aurora", "boreal", "cirrus")
    actions = [*(create_domain(name) for name in names), *(create_account(name) for name in names)]
    report = bench.run(*actions, concurrency=1)

    assert outcomes(report) == [S, S, S, S, F, N]
    assert "No further “create account”" in details(report)[5]
    assert report.state is RunState.FINISHED


def test_what_needs_a_failed_action_is_not_run_and_says_so(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createDomain", RefusedError("No.", code=431)))
    report = bench.run(*project("dune", "jmartin"))

    assert outcomes(report) == [F, N, N]
    assert details(report)[1] == f"Needs “create-domain {PARENT}/dune”, which is failed."
    assert details(report)[2] == f"Needs “create-account {PARENT}/dune:dune”, which is not run."


def test_rebuilding_sets_a_bad_project_aside_and_tries_it_once_more(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createDomain", RefusedError("Busy.", code=530), about="aurora"))
    actions = [one for name in ("aurora", "boreal", "cirrus") for one in project(name, f"{name}-user")]
    report = bench.run(*actions, policy=ExecutionPolicy.REBUILD, concurrency=1)

    assert outcomes(report) == [S] * 9
    ended = [event.done for event in bench.events if event.result is not None]
    assert ended == [1, 2, 3, 4, 5, 6, 7, 7, 8, 9], "what failed first is counted, and once"
    assert [sent["name"] for sent in bench.cloud.sent("createDomain")] == [
        "aurora",
        "boreal",
        "cirrus",
        "aurora",
    ]


def test_rebuilding_leaves_what_fails_twice_and_finishes_the_others(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createDomain", RefusedError("No.", code=530), about="aurora", times=9))
    actions = [one for name in ("aurora", "boreal") for one in project(name)]
    report = bench.run(*actions, policy=ExecutionPolicy.REBUILD)

    assert outcomes(report) == [F, N, S, S]
    assert len([sent for sent in bench.cloud.sent("createDomain") if sent["name"] == "aurora"]) == 2
    assert report.state is RunState.FINISHED


def test_more_failures_than_the_budget_stop_everything(bench: Bench) -> None:
    for number in range(4):
        bench.cloud.faults.append(
            Fault("createDomain", RefusedError("No.", code=530), about=f"p{number}", times=9)
        )
    actions = [create_domain(f"p{number}") for number in range(10)]
    report = bench.run(*actions, policy=ExecutionPolicy.REBUILD, concurrency=1)

    assert outcomes(report) == [F] * 3 + [N] * 7
    assert "budget is 3" in report.why
    assert "budget is 3" in details(report)[9]
    assert report.state is RunState.STOPPED

    bench.cloud.faults.clear()
    assert outcomes(bench.resume()) == [S] * 10


def test_the_budget_grows_with_the_plan(bench: Bench) -> None:
    for number in range(4):
        bench.cloud.faults.append(
            Fault("createDomain", RefusedError("No.", code=530), about=f"p{number}", times=9)
        )
    actions = [create_domain(f"p{number}") for number in range(20)]
    report = bench.run(*actions, policy=ExecutionPolicy.REBUILD, budget_fraction=0.25)
    assert report.counts[S] == 16


# --- stopping and going on ----------------------------------------------------------------------------------


def test_stop_follows_what_runs_and_sends_nothing_more(bench: Bench) -> None:
    is_sent, may_answer = threading.Event(), threading.Event()

    def hold(command: str, parameters: object) -> None:
        is_sent.set()
        assert may_answer.wait(20)

    bench.cloud.before_submit = hold
    reports: list[RunReport] = []
    actions = [create_domain(f"p{number}") for number in range(5)]
    thread = threading.Thread(target=lambda: reports.append(bench.run(*actions)))
    thread.start()
    assert is_sent.wait(20)
    bench.stop.set()
    may_answer.set()
    thread.join(20)

    assert outcomes(reports[0]) == [S, N, N, N, N]
    assert "the operator stopped" in details(reports[0])[1]
    assert "stopping" in [event.phase for event in bench.events]
    assert len(bench.cloud.log) == 1

    bench.stop.clear()
    bench.cloud.before_submit = lambda command, _: None
    resumed = bench.resume()
    assert outcomes(resumed) == [S] * 5
    assert len(bench.cloud.log) == 5


def test_a_stop_while_it_is_read_again_leaves_no_intent(bench: Bench) -> None:
    made = plan(create_domain("dune"))

    def stop_at_once(event: ExecutionEvent) -> None:
        if event.phase == "reading":
            bench.stop.set()

    report = bench.executor().run(
        made, confirmed=bench.confirmation(made), on_event=stop_at_once, stop=bench.stop
    )
    assert [result.outcome for result in report.results] == [Outcome.NOT_RUN]
    assert bench.ledger.entries(kinds=[EntryKind.INTENT]) == []
    assert bench.cloud.log == []


def test_a_stop_between_the_intent_and_the_call_is_heeded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = bench.ledger.append

    def append(kind: EntryKind, payload: Any, *, run_id: str | None) -> Any:
        if kind is EntryKind.INTENT:
            bench.stop.set()
        return written(kind, payload, run_id=run_id)

    monkeypatch.setattr(bench.ledger, "append", append)
    report = bench.run(create_domain("dune"))
    assert [result.outcome for result in report.results] == [Outcome.NOT_RUN]
    assert len(bench.ledger.entries(kinds=[EntryKind.INTENT])) == 1
    assert bench.cloud.log == []


def test_a_stop_before_the_start_sends_nothing(bench: Bench) -> None:
    bench.stop.set()
    report = bench.run(create_domain("dune"))
    assert outcomes(report) == [N]
    assert bench.cloud.log == []


def test_an_intent_of_a_killed_process_is_resolved_by_reading(bench: Bench) -> None:
    """Killed between the call's effect and its record: the intent is all that the ledger has."""

    class KilledError(Exception):
        pass

    def kill(command: str, parameters: object) -> None:
        if command == "createAccount":
            bench.cloud._do_createaccount(dict(parameters))  # type: ignore[call-overload]
            raise KilledError

    bench.cloud.before_submit = kill
    with pytest.raises(KilledError):
        bench.run(*project("dune", "jmartin"))
    bench.cloud.before_submit = lambda command, _: None

    assert outcomes(bench.resume()) == [S, S, S]
    assert bench.cloud.sent("createAccount") == []


def test_a_finished_run_is_not_resumed(bench: Bench) -> None:
    report = bench.run(create_domain("dune"))
    word = Confirmation(report.digest, "ops", bench.clock())
    with pytest.raises(GuardError, match="finished"):
        bench.executor().resume(report.run_id, confirmed=word, on_event=print, stop=bench.stop)


def test_a_run_that_the_ledger_does_not_have_is_not_resumed(bench: Bench) -> None:
    word = Confirmation("x", "ops", bench.clock())
    with pytest.raises(LedgerError, match="no run"):
        bench.executor().resume("nothing", confirmed=word, on_event=print, stop=bench.stop)


# --- the record ---------------------------------------------------------------------------------------------


class FailingLedger(Ledger):
    """Cannot write entries of one kind."""

    failing: EntryKind | None = None

    def append(self, kind, payload, *, run_id):  # type: ignore[no-untyped-def]
        if kind is self.failing:
            raise LedgerError("The disk is full.")
        return super().append(kind, payload, run_id=run_id)


@pytest.mark.parametrize(
    ("failing", "sent"), [(EntryKind.INTENT, 0), (EntryKind.SUBMITTED, 1), (EntryKind.OUTCOME, 1)]
)
def test_without_a_record_nothing_runs(bench: Bench, failing: EntryKind, sent: int) -> None:
    url = f"sqlite:///{bench.folder / 'other.sqlite'}"
    ledger = FailingLedger(url, environment="drill", operator="ops", clock=bench.clock).open()
    bench.ledger = ledger
    ledger.failing = failing
    with pytest.raises(LedgerError, match="disk is full"):
        bench.run(*(create_domain(f"p{number}") for number in range(5)))
    assert len(bench.cloud.log) == sent

    ledger.failing = None
    assert outcomes(bench.resume()) == [S] * 5
    assert len(bench.cloud.log) == 5


def test_a_ledger_that_cannot_be_written_at_all_stops_before_the_first_call(bench: Bench) -> None:
    bench.ledger._engine.dispose()
    path = bench.folder / "ledger.sqlite"
    path.write_bytes(b"this is no database" * 400)
    with pytest.raises(LedgerError):
        bench.run(create_domain("dune"))
    assert bench.cloud.log == []


def test_a_password_file_open_to_others_stops_before_the_first_call(bench: Bench) -> None:
    bench.vault.password_for(PARENT, "a", "b")
    bench.vault.path.chmod(0o644)
    with pytest.raises(AbreastError, match="chmod 600"):
        bench.run(*project("dune"))
    assert bench.cloud.log == []


def test_only_one_execution_at_a_time(bench: Bench) -> None:
    other = bench.new_ledger()
    with other.lease("somebody@elsewhere"), pytest.raises(LeaseHeldError, match="somebody@elsewhere"):
        bench.run(create_domain("dune"))
    other.close()
    assert bench.cloud.log == []


# --- guards -------------------------------------------------------------------------------------------------


def refused(bench: Bench, made: Plan, confirmed: Confirmation) -> str:
    with pytest.raises(GuardError) as caught:
        bench.executor().run(made, confirmed=confirmed, on_event=bench.events.append, stop=bench.stop)
    assert bench.cloud.log == []
    assert bench.ledger.entries() == []
    return str(caught.value)


def test_refuses_a_confirmation_of_another_plan(bench: Bench) -> None:
    made = plan(create_domain("dune"))
    assert "not this plan" in refused(bench, made, Confirmation("0" * 64, "ops", START))


def test_refuses_a_confirmation_without_a_name(bench: Bench) -> None:
    made = plan(create_domain("dune"))
    assert "not this plan" in refused(bench, made, Confirmation(made.digest, "", START))


def test_refuses_a_confirmation_without_a_digest(bench: Bench) -> None:
    made = replace(plan(create_domain("dune")), digest="")
    refused(bench, made, Confirmation("", "ops", START))


def test_refuses_a_plan_that_was_changed_after_it_was_confirmed(bench: Bench) -> None:
    made = plan(create_domain("dune"))
    changed = replace(made, actions=(create_domain("other"),))
    assert "changed" in refused(bench, changed, bench.confirmation(made))


def test_refuses_an_old_confirmation(bench: Bench) -> None:
    made = plan(create_domain("dune"))
    old = Confirmation(made.digest, "ops", START - timedelta(minutes=61))
    assert "older than 60 minutes" in refused(bench, made, old)


def test_refuses_an_expired_plan(bench: Bench) -> None:
    made = plan(create_domain("dune"))
    bench.clock.sleep(3600)
    with pytest.raises(StaleError, match="expired"):
        bench.executor().run(
            made, confirmed=bench.confirmation(made), on_event=bench.events.append, stop=bench.stop
        )
    assert bench.cloud.log == []


def test_refuses_a_plan_for_another_environment(bench: Bench) -> None:
    made = plan(create_domain("dune"), environment="production")
    assert "production" in refused(bench, made, bench.confirmation(made))


def test_refuses_another_server(bench: Bench) -> None:
    made = plan(create_domain("dune"))
    bench.cloud.root_id = "another"
    assert "another" in refused(bench, made, bench.confirmation(made))


def test_refuses_a_server_that_does_not_show_its_root(bench: Bench) -> None:
    made = plan(create_domain("dune"))
    del bench.cloud.domains[made.root_id]
    assert "The plan was made for" in refused(bench, made, bench.confirmation(made))


def test_begins_nothing_where_the_server_could_not_be_recognised(bench: Bench) -> None:
    """That is no reason to make another plan: what was not read is not another server."""
    made = plan(create_domain("dune"))
    bench.cloud.root_id = ""
    word = bench.confirmation(made)
    with pytest.raises(IncompleteError, match="could not be read"):
        bench.executor().run(made, confirmed=word, on_event=bench.events.append, stop=bench.stop)
    assert bench.cloud.log == []
    assert bench.ledger.entries() == []


def test_refuses_a_precondition_that_it_cannot_check(bench: Bench) -> None:
    made = plan(replace(create_domain("dune"), precondition={"exists": "no", "colour": "red"}))
    assert "colour" in refused(bench, made, bench.confirmation(made))


def test_refuses_an_action_that_lacks_what_it_sends(bench: Bench) -> None:
    made = plan(replace(create_user("dune", "jmartin"), parameters={"command": "anything"}, needs=()))
    said = refused(bench, made, bench.confirmation(made))
    assert "lacks email, firstname, lastname, username" in said


PERSON = {"username": "anna", "email": "a@example.org", "firstname": "A", "lastname": "B"}
OWNER = {"domain": f"{PARENT}/dune", "account": "dune", "zone": "Z"}
NET = {"domain": f"{PARENT}/dune", "account": "dune", "name": "net", "zone": "Z", "offering": "O"}
IMAGE = {**OWNER, "name": "tpl", "format": "QCOW2", "hypervisor": "KVM"}
MACHINE = {**OWNER, "name": "ci-1", "serviceofferingid": "1", "networks": "net", "template": "tpl"}
ADDRESS = {**OWNER, "network": "net", "sourcenat": "no"}
SOUND: dict[ActionKind, tuple[str, dict[str, str]]] = {
    ActionKind.CREATE_DOMAIN: (f"{PARENT}/dune", {"name": "dune", "parentdomain": PARENT}),
    ActionKind.CREATE_ACCOUNT: (
        f"{PARENT}/dune:dune",
        {"domain": f"{PARENT}/dune", "account": "dune", "role": "User", **PERSON},
    ),
    ActionKind.CREATE_USER: (
        f"{PARENT}/dune:dune:anna", {"domain": f"{PARENT}/dune", "account": "dune", **PERSON}
    ),
    ActionKind.UPDATE_LIMIT: (
        f"{PARENT}/dune#vm", {"domain": f"{PARENT}/dune", "resourcetype": "0", "max": "5"}
    ),
    ActionKind.CREATE_NETWORK: (f"{PARENT}/dune/net", NET),
    ActionKind.TAKE_ADDRESS: (f"{PARENT}/dune:dune:192.0.2.7", ADDRESS),
    ActionKind.REGISTER_TEMPLATE: (f"{PARENT}/dune:dune:tpl", IMAGE),
    ActionKind.REGISTER_ISO: (f"{PARENT}/dune:dune:tpl", IMAGE),
    ActionKind.DEPLOY_VM: (f"{PARENT}/dune:dune:ci-1", MACHINE),
}  # fmt: skip
"""Of each kind that sends where or as what something is made: a target, and parameters that agree with it."""

TWO_PLACES = [
    (ActionKind.CREATE_DOMAIN, {"parentdomain": "ROOT/other"}),
    (ActionKind.CREATE_DOMAIN, {"name": "fjord"}),
    (ActionKind.CREATE_ACCOUNT, {"domain": f"{PARENT}/fjord"}),
    (ActionKind.CREATE_ACCOUNT, {"account": "admin"}),
    (ActionKind.CREATE_USER, {"domain": f"{PARENT}/fjord"}),
    (ActionKind.CREATE_USER, {"account": "admin"}),
    (ActionKind.CREATE_USER, {"username": "eve"}),
    (ActionKind.UPDATE_LIMIT, {"domain": f"{PARENT}/fjord"}),
    (ActionKind.UPDATE_LIMIT, {"resourcetype": "9"}),
    (ActionKind.CREATE_NETWORK, {"domain": PARENT}),
    (ActionKind.CREATE_NETWORK, {"name": "other"}),
    (ActionKind.TAKE_ADDRESS, {"account": "admin"}),
    (ActionKind.REGISTER_TEMPLATE, {"account": "admin"}),
    (ActionKind.REGISTER_TEMPLATE, {"name": "other"}),
    (ActionKind.REGISTER_ISO, {"domain": PARENT}),
    (ActionKind.DEPLOY_VM, {"account": "admin"}),
    (ActionKind.DEPLOY_VM, {"name": "other"}),
]


@pytest.mark.parametrize(
    ("kind", "otherwise"), TWO_PLACES, ids=[f"{kind.name}-{'-'.join(one)}" for kind, one in TWO_PLACES]
)
def test_refuses_an_action_whose_target_and_parameters_name_two_places(
    bench: Bench, kind: ActionKind, otherwise: dict[str, str]
) -> None:
    target, parameters = SOUND[kind]
    sound = action(kind, target, parameters=parameters)
    assert contradictions(sound) == []
    made = plan(replace(sound, parameters={**parameters, **otherwise}))
    said = refused(bench, made, bench.confirmation(made))
    assert "says two things of what it is about" in said or "is no target" in said
    assert bench.cloud.log == []


def test_refuses_a_limit_of_what_cloudstack_does_not_limit(bench: Bench) -> None:
    made = plan(action(ActionKind.UPDATE_LIMIT, f"{PARENT}/dune#colour", parameters={"max": "5"}))
    assert "CloudStack limits no colour" in refused(bench, made, bench.confirmation(made))


def test_refuses_an_action_without_a_precondition(bench: Bench) -> None:
    made = plan(replace(create_domain("dune"), precondition={}))
    assert "no precondition" in refused(bench, made, bench.confirmation(made))


def test_refuses_a_target_that_is_none(bench: Bench) -> None:
    made = plan(replace(create_user("dune", "x", needs=()), target="dune"))
    assert "no target" in refused(bench, made, bench.confirmation(made))


# --- approvals ----------------------------------------------------------------------------------------------


def two_for_everything() -> ApprovalRules:
    return ApprovalRules(None, dict.fromkeys(Reversibility, 2))


def run_approved(bench: Bench, made: Plan, approved: Approved | None) -> RunReport:
    return bench.executor().run(
        made,
        confirmed=bench.confirmation(made),
        on_event=bench.events.append,
        stop=bench.stop,
        approved=approved,
    )


@pytest.mark.parametrize("grade", [grade for grade in Reversibility if grade is not Reversibility.UNDOABLE])
def test_refuses_what_cannot_be_undone_without_approval_whoever_made_the_executor(
    bench: Bench, grade: Reversibility
) -> None:
    made = plan(replace(create_domain("dune"), reversibility=grade))
    assert "needs the approval of" in refused(bench, made, bench.confirmation(made))


@pytest.mark.parametrize("digest", ["this", "another"])
@pytest.mark.parametrize("people", [(), ("alice",), ("alice", "bob")])
def test_runs_with_the_approval_of_enough_people_for_this_very_plan(
    bench: Bench, digest: str, people: tuple[str, ...]
) -> None:
    bench.approvals = two_for_everything()
    made = plan(*project("dune"), now=bench.clock())
    approved = Approved(made.digest if digest == "this" else "0" * 64, people, ("SHA256:k",) * len(people))
    if digest == "this" and len(people) == 2:
        report = run_approved(bench, made, approved)
        assert outcomes(report) == [S, S]
        started = bench.ledger.entries(kinds=[EntryKind.RUN_STARTED])[0].payload
        assert started["approved"]["people"] == ["alice", "bob"]
        return
    with pytest.raises(GuardError):
        run_approved(bench, made, approved)
    assert bench.cloud.log == []
    assert not bench.ledger.entries(kinds=[EntryKind.RUN_STARTED])


def interrupted(bench: Bench, approved: Callable[[Plan], Approved | None]) -> None:
    """A run that stops in its middle because CloudStack cannot be read any more."""
    bench.cloud.faults.append(Fault("createAccount", LOST, has_effect=True))
    bench.cloud.before_submit = lambda command, _: go_dark(bench, command == "createAccount")
    made = plan(*project("dune", "jmartin"), now=bench.clock())
    assert outcomes(run_approved(bench, made, approved(made))) == [S, U, N]
    bench.cloud.is_readable = True
    bench.cloud.before_submit = lambda command, _: None


def test_an_approved_run_goes_on_by_the_record_of_its_approval(bench: Bench) -> None:
    bench.approvals = two_for_everything()
    interrupted(bench, lambda made: Approved(made.digest, ("alice", "bob"), ("SHA256:a", "SHA256:b")))
    assert outcomes(bench.resume()) == [S, S, S]


def test_a_run_that_nobody_approved_does_not_go_on_where_approval_is_asked_for_now(bench: Bench) -> None:
    interrupted(bench, lambda made: None)
    bench.approvals = two_for_everything()
    before = len(bench.cloud.log)
    with pytest.raises(GuardError, match="needs the approval of 2 in drill and has 0"):
        bench.resume()
    assert len(bench.cloud.log) == before
