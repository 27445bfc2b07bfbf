"""`abreast retire`: shows a retirement and does its next step; proposes, signs, undoes, lists, campaigns."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.changing import stop_on_interrupt
from console.cli.idle_options import refuse_idle
from console.cli.output import ask, result, result_json, say, say_lines
from console.cli.record import moment
from console.cli.sessions import session_of
from console.session import Session
from sync.errors import EXIT_DONE, GuardError, UsageError

if TYPE_CHECKING:
    from sync.model import ActionResult
    from sync.retirement import Evidence, Retirement
    from sync.retirement_calls import Call
    from sync.retiring import Retiring


_OPTIONS = (
    *("empty", "no_archive", "no_files", "reason", "until"),
    *("key", "signature", "print", "start", "confirm"),
)
_USED = {
    "list": (),
    "show": (),
    "propose": ("empty", "no_archive", "no_files", "reason", "key"),
    "approve": ("key", "signature", "print", "confirm"),
    "undo": ("start", "confirm"),
    "campaign": ("until", "reason"),
}
"""Which options say something with which."""


def retire(arguments: argparse.Namespace) -> int:
    """Without an option: show the state and do the next step, when it is due, approved and confirmed.

    Raises GuardError for whatever speaks against it, UsageError for options that do not belong together.
    """
    _refuse_idle(arguments)
    with session_of(arguments) as session:
        if arguments.list:
            return _list(session, arguments)
        if not arguments.projects:
            raise UsageError("Which project?", next_step="`abreast retire --list` shows those under way.")
        if arguments.propose:
            return _propose(session, arguments)
        if arguments.campaign:
            return _campaign(session, arguments)
        (name,) = _only(arguments.projects)
        if arguments.approve:
            return _approve(session, arguments, name)
        if arguments.undo:
            return _undo(session, arguments, name)
        if arguments.show:
            return _show(session, arguments, name)
        return _go_on(session, arguments, name)


def _refuse_idle(arguments: argparse.Namespace) -> None:
    what = next((name for name in _USED if getattr(arguments, name)), None)
    if what is None:
        refuse_idle(arguments, _OPTIONS, used=("confirm",), here="at a step")
        return
    refuse_idle(arguments, _OPTIONS, used=_USED[what], here=f"with --{what}")
    if what == "list" and arguments.projects:
        raise UsageError("--list shows all of them.", next_step="One is shown with --show.")
    if what == "propose" and arguments.reason is None:
        refuse_idle(arguments, ("key",), used=(), here="with --propose and without --reason")
    if what == "approve" and arguments.print:
        refuse_idle(arguments, ("key", "signature", "confirm"), used=(), here="with --print")
    if what == "approve" and arguments.signature is not None:
        refuse_idle(arguments, ("confirm",), used=(), here="with --signature")


def _only(names: list[str]) -> list[str]:
    if len(names) > 1:
        raise UsageError("One project at a time.", next_step="Only --empty and --campaign take several.")
    return names


# --- showing ------------------------------------------------------------------------------------------------


def _list(session: Session, arguments: argparse.Namespace) -> int:
    from console.cli.retiring_text import list_json, show_list

    history, now = session.retiring.history(), session.clock()
    limits = session.environment.retirement
    if arguments.format == "json":
        result_json(list_json(history, limits, now))
    else:
        show_list(history, limits, now)
    return EXIT_DONE


def _show(session: Session, arguments: argparse.Namespace, name: str) -> int:
    retiring = session.retiring
    _print(session, arguments, retiring.of(name), in_full=True)
    return EXIT_DONE


def _print(
    session: Session, arguments: argparse.Namespace, retirement: Retirement, *, in_full: bool = False
) -> None:
    from console.cli.retiring_text import retirement_json, show_retirement

    standing = session.retiring.standing(retirement)
    if arguments.format == "json":
        result_json(retirement_json(retirement, standing, session.clock()))
    else:
        show_retirement(retirement, standing, session.clock(), in_full=in_full)


# --- proposing and signing ----------------------------------------------------------------------------------


def _propose(session: Session, arguments: argparse.Namespace) -> int:
    by_hand = _record_by_hand(session, arguments)
    say("Reading both sides …")
    made = session.retiring.propose(
        arguments.projects,
        is_empty=arguments.empty,
        with_archive=not arguments.no_archive,
        with_files=not arguments.no_files,
        by_hand=by_hand,
    )
    _print(session, arguments, made, in_full=True)
    say(f"Next: abreast retire {made.proposal.projects[0]} --approve --print")
    return EXIT_DONE


def _record_by_hand(session: Session, arguments: argparse.Namespace) -> dict[str, Evidence]:
    """The record that the operator signs, where the CI database has none; nothing without a reason."""
    if arguments.reason is None:
        return {}
    if arguments.key is None:
        raise UsageError("A record made by hand is signed.", next_step="Name the SSH key with --key.")
    from sync.model import project_key
    from sync.retirement_approval import sign_record

    environment = session.environment
    return {
        project_key(name): sign_record(
            environment.name,
            name,
            by=session.operator,
            reason=arguments.reason,
            key=arguments.key,
            rules=environment.approvals,
            now=session.clock(),
        )
        for name in arguments.projects
    }


def _campaign(session: Session, arguments: argparse.Namespace) -> int:
    if arguments.until is None or not arguments.reason:
        raise UsageError("A campaign has an end and a reason.", next_step="Give --until and --reason.")
    from console.cli.retiring_text import campaign_json, show_campaign

    until = moment(arguments.until, session.clock())
    made = session.retiring.propose_campaign(arguments.projects, until=until, reason=arguments.reason)
    if arguments.format == "json":
        result_json(campaign_json(made))
    else:
        show_campaign(made)
    say(f"Next, by somebody else: abreast retire {made.id} --approve --key KEY")
    return EXIT_DONE


def _approve(session: Session, arguments: argparse.Namespace, name: str) -> int:
    """Sign the text of a retirement or of a campaign, or hand in a signature, or only write the text."""
    from sync.retirement_steps import word_for
    from sync.retirement_text import campaign_text, loss_text

    retiring = session.retiring
    campaign = next((one for one in retiring.history().campaigns if one.id == name), None)
    if campaign is not None:
        text, word = campaign_text(campaign), campaign.id
    else:
        retirement = retiring.of(name)
        text, word = loss_text(retirement.proposal), word_for(retirement)
    if arguments.print:
        return _write_text(text, name)
    if arguments.format == "text":
        for line in text.splitlines():
            result(f"| {line}")
    content = _signature(arguments, text, word)
    judged = (
        retiring.sign_campaign(campaign, content)
        if campaign is not None
        else retiring.sign(retirement, content)
    )
    say(f"Signed by {judged.name} ({judged.fingerprint}); it is in the ledger.")
    if campaign is None:
        _print(session, arguments, retiring.of(name))
    return EXIT_DONE


def _signature(arguments: argparse.Namespace, text: str, word: str) -> bytes:
    """Made now, once the word is given, or elsewhere. Raises GuardError, UsageError."""
    if (arguments.key is None) == (arguments.signature is None):
        raise UsageError("Sign with --key, hand in with --signature, or write the text with --print.")
    if arguments.key is not None:
        from sync.ssh_signature import sign

        if arguments.format == "json" and arguments.confirm is None:
            say_lines(text)
        if (arguments.confirm or ask(f"Type {word} to sign all of it, anything else to leave:")) != word:
            raise GuardError("Not confirmed: nothing was signed.")
        return sign(text.encode(), arguments.key)
    from sync.approval_intake import signature_in

    return signature_in(arguments.signature)


def _write_text(text: str, name: str) -> int:
    """The text for people who have ssh-keygen and nothing else, and the line with which they sign it."""
    import shlex

    from sync import atomic_file
    from sync.ssh_signature import NAMESPACE

    file = Path(f"{name.replace('/', '-')}.retire.txt")
    atomic_file.share(file, text)
    result(f"ssh-keygen -Y sign -f ~/.ssh/id_ed25519 -n {NAMESPACE} {shlex.quote(str(file))}")
    say(f"{file} is what they read and sign; {file}.sig comes back:")
    say(f"abreast retire {shlex.quote(name)} --approve --signature {shlex.quote(str(file))}.sig")
    return EXIT_DONE


# --- going on -----------------------------------------------------------------------------------------------


def _go_on(session: Session, arguments: argparse.Namespace, name: str) -> int:
    from sync.retirement import CLOSED

    retiring = session.retiring
    retirement = retiring.of(name)
    if arguments.format == "text":
        _print(session, arguments, retirement)
    if retirement.stage not in CLOSED:
        while True:
            retirement = _step(session, arguments, retiring, retirement)
            # An empty domain has nothing to wait for: one confirmation is for all of its steps.
            if not retirement.proposal.is_empty or retirement.next_step is None:
                break
    if retirement.stage not in CLOSED or arguments.format == "json":
        _print(session, arguments, retirement)
    return EXIT_DONE


def _step(
    session: Session, arguments: argparse.Namespace, retiring: Retiring, retirement: Retirement
) -> Retirement:
    """The next step, shown and confirmed. Raises GuardError before anything is asked, when it cannot be."""
    from console.retirement_words import step_words
    from sync.retirement_approval import refuse_unapproved
    from sync.retirement_rules import refuse_early
    from sync.retirement_steps import Confirmation, word_for

    clocks = retiring.agreed_clocks()
    refuse_early(retirement, clocks.earliest, latest=clocks.latest)
    refuse_unapproved(retirement, retiring.standing(retirement))
    step = retirement.next_step
    assert step is not None
    say(f"Next in {session.environment.heading}: {step_words(step)}")
    word = arguments.confirm
    if word is None:
        word = ask(f"Type {word_for(retirement)} to do it, anything else to leave:")
        arguments.confirm = word if retirement.proposal.is_empty else None
    with stop_on_interrupt() as stop:
        return retiring.steps.step(
            retirement.proposal.projects[0],
            confirmed=Confirmation(step, word),
            stop=stop,
            report=_report(),
        )


def _report() -> Callable[[Call, ActionResult], None]:
    def report(call: Call, ended: ActionResult) -> None:
        detail = f": {ended.detail}" if ended.detail else ""
        say(f"{ended.outcome.value:9} {call.command} {call.name} ({call.id}){detail}")

    return report


def _undo(session: Session, arguments: argparse.Namespace, name: str) -> int:
    retiring = session.retiring
    retirement = retiring.of(name)
    word = arguments.confirm or ask(f"Type {retirement.proposal.name} to undo it, anything else to leave:")
    if word != retirement.proposal.name:
        raise GuardError("Not confirmed: nothing was done.")
    with stop_on_interrupt() as stop:
        after = retiring.steps.undo(name, start=arguments.start, stop=stop, report=_report())
    _print(session, arguments, after)
    return EXIT_DONE
