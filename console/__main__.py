"""The command line: parses, calls one command, turns errors into one line and an exit code.

Nothing heavy is imported here: each command imports what it needs when it runs.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from sync.errors import EXIT_DONE, EXIT_STOPPED, EXIT_UNKNOWN, EXIT_USAGE, AbreastError, UsageError

Command = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """argparse with the exit code for wrong usage that the product documents (64)."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def build_parser() -> Parser:
    parser = Parser(
        prog="abreast",
        description="The CI database and CloudStack abreast: see drift, stage, confirm, rebuild.",
        epilog="Exit codes: 0 done or in sync, 1 drift or refused, 2 critical, 3 unknown or unreadable, "
        "64 usage, 78 configuration, 130 stopped.",
    )
    _version_option(parser)
    _environment_options(parser)
    parser.set_defaults(command=_console)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    _add_screens(commands)
    _add_readers(commands)
    _add_changers(commands)
    _add_containment(commands)
    _add_retirement(commands)
    return parser


def _version_option(parser: Parser) -> None:
    parser.add_argument("--version", action="store_true", help="print the version and exit")


def _environment_options(parser: argparse.ArgumentParser, *, nested: bool = False) -> None:
    """Given before or after the command; after it, a default must not overwrite what stood before."""
    default = argparse.SUPPRESS if nested else None
    parser.add_argument(
        "--environment",
        metavar="NAME",
        default=default,
        help="which configured environment (default: the file's)",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=default,
        help="configuration file (default: ABREAST_CONFIG)",
    )


def _format_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result")


def _add(commands: argparse._SubParsersAction[Parser], name: str, command: Command, text: str) -> Parser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    _environment_options(parser, nested=True)
    parser.set_defaults(command=command)
    return parser


def _add_screens(commands: argparse._SubParsersAction[Parser]) -> None:
    watch = _add(
        commands, "watch", _watch, "read-only monitoring: refreshes by itself, rings on critical drift"
    )
    watch.add_argument(
        "--headless", action="store_true", help="no screen: one JSON line a refresh, until interrupted"
    )
    _add(commands, "recover", _recover, "open the console in recovery mode")
    replay = _add(commands, "replay", _replay, "the console on a capture: what was, read-only")
    replay.add_argument("file", metavar="FILE", type=Path, help="as `abreast capture` writes it")
    replay.add_argument(
        "--at", metavar="T", help="of a file with several captures, the newest then: 12h, 2026-07-28T03:12"
    )
    drill = _add(commands, "drill", _drill, "the practice incident, with nothing to configure")
    drill.add_argument("--scenario", choices=("july28",), default="july28", help="which incident")
    drill.add_argument(
        "--from",
        dest="capture",
        metavar="FILE",
        type=Path,
        help="no incident: a practice cloud as this capture was",
    )
    drill.add_argument(
        "--script", action="store_true", help="play it through without a terminal and print a JSON summary"
    )
    sandbox = _add(commands, "sandbox", _sandbox, "the stand-in CloudStack alone, for other tools")
    sandbox.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    sandbox.add_argument("--state", metavar="FILE", type=Path, help="keep its state here over a restart")
    sandbox.add_argument(
        "--world",
        default="drill",
        metavar="empty|drill|large|FILE",
        help="what it is seeded with (FILE may be a capture)",
    )
    sandbox.add_argument("--release", choices=("4.23", "4.18"), default="4.23", help="which CloudStack it is")
    sandbox.add_argument("--speed", type=float, default=1.0, help="how much faster its time runs")


def _add_readers(commands: argparse._SubParsersAction[Parser]) -> None:
    check = _add(commands, "check", _check, "one comparison: 0 in sync, 1 drift, 2 critical, 3 unknown")
    _format_option(check)
    _add_report(commands)
    relink = _add(commands, "relink", _relink, "stored ids that no domain has any more, and what mends them")
    relink.add_argument("-o", "--output", metavar="FOLDER", type=Path, help="write CSV and SQL there")
    _format_option(relink)
    inventory = _add(commands, "inventory", _inventory, "one side as JSON lines")
    inventory.add_argument("side", choices=("desired", "actual"))
    capture = _add(commands, "capture", _capture, "both sides into a file: to replay, compare, rehearse on")
    capture.add_argument("file", metavar="FILE", type=Path, help="where to; must not be there yet")
    capture.add_argument(
        "--at", metavar="T", help="what was captured by itself then: 12h, 3d, 2026-07-28T03:12 (UTC)"
    )
    _format_option(capture)
    _add_ledger(commands)


def _add_report(commands: argparse._SubParsersAction[Parser]) -> None:
    text = "the incident report, from the ledger, the captures and a reading"
    report = _add(commands, "report", _report_incident, text)
    report.add_argument(
        "--since", metavar="T", help="when it began: 12h, 3d, 2026-07-28T03:12 (default: 24h)"
    )
    report.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        type=Path,
        help="there, also as HTML, and the letters",
    )
    report.add_argument(
        "--template", metavar="FILE", type=Path, help="of the letters: $project, $lost, $kept and others"
    )
    _format_option(report)


def _add_ledger(commands: argparse._SubParsersAction[Parser]) -> None:
    ledger = commands.add_parser(
        "ledger", help="the record of what was done", description="The record of what was done."
    )
    _environment_options(ledger, nested=True)
    verbs = ledger.add_subparsers(title="verbs", metavar="VERB", parser_class=Parser, required=True)
    show = _add(verbs, "show", _ledger_show, "every intent, job and outcome, the oldest first")
    show.add_argument("--run", metavar="ID", help="only this run")
    show.add_argument("--since", metavar="T", help="only since then: 12h, 3d, 2026-07-28T03:12 (UTC)")
    show.add_argument("--limit", type=int, metavar="N", help="only the newest N entries")
    _format_option(show)
    verify = _add(
        verbs, "verify", _ledger_verify, "recompute the chain of hashes: 0 sound, 2 changed, cut or reordered"
    )
    verify.add_argument(
        "--head", metavar="HASH", help="a last hash noted down elsewhere, which must still be in it"
    )
    _format_option(verify)
    _add(verbs, "export", _ledger_export, "all of it as JSON lines, each as it was hashed")
    merge = _add(
        verbs, "merge", _ledger_merge, "take in what was recorded while the ledger could not be reached"
    )
    merge.add_argument(
        "--file", metavar="FILE", type=Path, help="another machine's journal (default: this one's own)"
    )
    lease = _add(
        verbs, "break-lease", _ledger_break_lease, "end the lease of an execution whose machine is gone"
    )
    lease.add_argument(
        "--owner", metavar="NAME", required=True, help="who holds it, as the refusal names them"
    )
    lease.add_argument("--reason", metavar="TEXT", required=True, help="why; it is recorded")
    accept = _add(
        verbs, "accept", _ledger_accept, "whether a side has less in it than before, and that this is right"
    )
    accept.add_argument("side", choices=("desired", "actual"))
    accept.add_argument(
        "--reason", metavar="TEXT", help="take what is there now for all of it; the reason is recorded"
    )
    acknowledge = _add(
        verbs,
        "acknowledge",
        _ledger_acknowledge,
        "deletions that are not in the ledger: list them, or say that somebody has looked at them",
    )
    acknowledge.add_argument("events", nargs="*", metavar="EVENT", help="the event's id, or its beginning")
    acknowledge.add_argument("--all", action="store_true", help="all of them")
    acknowledge.add_argument("--reason", metavar="TEXT", help="what was found; it is recorded")
    pin = _add(
        verbs, "pin", _ledger_pin, "which server the environment is pinned to, and whether it is the one"
    )
    pin.add_argument(
        "--reason", metavar="TEXT", help="pin it anew to the server that answers now; the reason is recorded"
    )


def _add_changers(commands: argparse._SubParsersAction[Parser]) -> None:
    plan = _add(commands, "plan", _plan, "write the plan of repairs (never deletions)")
    plan.add_argument("projects", nargs="*", metavar="PROJECT", help="only these (default: all)")
    plan.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to (default: stdout)")
    review = _add(commands, "review", _review, "show a plan, its blast radius, and who signed it")
    review.add_argument("file", metavar="FILE", type=Path)
    review.add_argument(
        "--fresh", action="store_true", help="compute the blast radius from both sides, read now"
    )
    _format_option(review)
    approve = _add(commands, "approve", _approve, "sign a plan's list of objects with an SSH key")
    approve.add_argument("file", metavar="FILE", type=Path)
    signing = approve.add_mutually_exclusive_group(required=True)
    signing.add_argument(
        "--key",
        metavar="KEY",
        type=Path,
        help="private key, or the .pub of a key that an agent or a device holds",
    )
    signing.add_argument(
        "--print", action="store_true", help="sign nothing: write the text and print the command for others"
    )
    _format_option(approve)
    apply = _add(commands, "apply", _apply, "execute a plan after showing it")
    apply.add_argument("file", metavar="FILE", type=Path)
    apply.add_argument(
        "--confirm", metavar="DIGEST", help="confirm the plan of this digest without being asked"
    )
    _format_option(apply)
    rebuild = _add(commands, "rebuild", _rebuild, "headless recovery: assess, plan, confirm, execute, verify")
    rebuild.add_argument("projects", nargs="*", metavar="PROJECT", help="only these (default: all)")
    rebuild.add_argument(
        "--map", metavar="FILE", type=Path, help="where the identity map goes (CSV; JSON beside it)"
    )
    _format_option(rebuild)


def _add_containment(commands: argparse._SubParsersAction[Parser]) -> None:
    contain = _add(commands, "contain", _contain, "what is being deleted and by whom; fence, brake, shield")
    contain.add_argument("--all", action="store_true", help="take every rung that is possible here")
    contain.add_argument("--fence", action="store_true", help="take the deleting user's access away")
    contain.add_argument(
        "--caller", metavar="USER", action="append", default=[], help="fence this one: ACCOUNT/USER, or an id"
    )
    contain.add_argument("--brake", action="store_true", help="hold CloudStack's database lock until ctrl+c")
    contain.add_argument("--hold", metavar="SECONDS", type=float, help="hold the brake for so long only")
    contain.add_argument("--shield", action="store_true", help="protect one VM in every domain")
    contain.add_argument(
        "--evidence", metavar="FILE", type=Path, help="write events, jobs, servers and limits to a file"
    )
    contain.add_argument("--lift-fence", metavar="USER", help="undo the fence on this one")
    contain.add_argument("--reason", metavar="TEXT", help="why a fence is lifted; it is recorded")
    contain.add_argument(
        "--second", metavar="NAME", help="who else wants it lifted although stored ids are gone"
    )
    _word_option(contain)
    _format_option(contain)
    shield = _add(commands, "shield", _shield, "a tripwire in every domain that can have one")
    shield.add_argument("projects", nargs="*", metavar="PROJECT", help="only these (default: all)")
    shield.add_argument("--lift", action="store_true", help="take down exactly what was put up")
    _word_option(shield)
    _format_option(shield)


def _add_retirement(commands: argparse._SubParsersAction[Parser]) -> None:
    retire = _add(
        commands, "retire", _retire, "a retirement, step by step: propose, approve, quarantine … delete"
    )
    retire.add_argument("projects", nargs="*", metavar="PROJECT", help="which project (or a campaign's id)")
    what = retire.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="every retirement and campaign, and the ceiling")
    what.add_argument("--show", action="store_true", help="only show it, its loss list and who has signed")
    what.add_argument(
        "--propose", action="store_true", help="propose it, from two readings that are ten minutes apart"
    )
    what.add_argument("--approve", action="store_true", help="sign the loss list, or hand a signature in")
    what.add_argument("--undo", action="store_true", help="take back what was done, as far as it can be")
    what.add_argument("--campaign", action="store_true", help="ask for these projects beyond the ceiling")
    retire.add_argument("--empty", action="store_true", help="propose them as empty domains, in a batch")
    retire.add_argument("--no-archive", action="store_true", help="propose it without keeping root volumes")
    retire.add_argument("--reason", metavar="TEXT", help="why: of a record made by hand, or of a campaign")
    retire.add_argument("--until", metavar="T", help="when a campaign ends (2026-12-31, in UTC)")
    retire.add_argument(
        "--key", metavar="KEY", type=Path, help="SSH key that signs: the loss list, or a record made by hand"
    )
    retire.add_argument("--signature", metavar="FILE", type=Path, help="what ssh-keygen made elsewhere")
    retire.add_argument("--print", action="store_true", help="write the text to be signed, sign nothing")
    retire.add_argument("--start", action="store_true", help="with --undo: start the VMs that ran before")
    retire.add_argument(
        "--confirm", metavar="WORD", help="the name and the number of what is lost, instead of typing it"
    )
    _format_option(retire)


def _word_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--confirm", metavar="WORD", help="the environment's name, instead of typing it")


def _console(arguments: argparse.Namespace) -> int:
    from console.cli.screens import open_console

    return open_console(arguments)


def _watch(arguments: argparse.Namespace) -> int:
    from console.cli.screens import open_watch

    return open_watch(arguments)


def _recover(arguments: argparse.Namespace) -> int:
    from console.cli.screens import open_recovery

    return open_recovery(arguments)


def _replay(arguments: argparse.Namespace) -> int:
    from console.cli.capturing import replay

    return replay(arguments)


def _drill(arguments: argparse.Namespace) -> int:
    from console.cli.practice import drill

    return drill(arguments)


def _sandbox(arguments: argparse.Namespace) -> int:
    from console.cli.practice import sandbox

    return sandbox(arguments)


def _check(arguments: argparse.Namespace) -> int:
    from console.cli.reading import check

    return check(arguments)


def _inventory(arguments: argparse.Namespace) -> int:
    from console.cli.reading import inventory

    return inventory(arguments)


def _capture(arguments: argparse.Namespace) -> int:
    from console.cli.capturing import capture

    return capture(arguments)


def _ledger_show(arguments: argparse.Namespace) -> int:
    from console.cli.record import show

    return show(arguments)


def _ledger_verify(arguments: argparse.Namespace) -> int:
    from console.cli.record import verify

    return verify(arguments)


def _ledger_export(arguments: argparse.Namespace) -> int:
    from console.cli.record import export

    return export(arguments)


def _ledger_merge(arguments: argparse.Namespace) -> int:
    from console.cli.record import merge

    return merge(arguments)


def _ledger_accept(arguments: argparse.Namespace) -> int:
    from console.cli.accepting import accept

    return accept(arguments)


def _ledger_acknowledge(arguments: argparse.Namespace) -> int:
    from console.cli.acknowledging import acknowledge

    return acknowledge(arguments)


def _ledger_break_lease(arguments: argparse.Namespace) -> int:
    from console.cli.record import break_lease

    return break_lease(arguments)


def _ledger_pin(arguments: argparse.Namespace) -> int:
    from console.cli.record import pin

    return pin(arguments)


def _plan(arguments: argparse.Namespace) -> int:
    from console.cli.planning import plan

    return plan(arguments)


def _review(arguments: argparse.Namespace) -> int:
    from console.cli.planning import review

    return review(arguments)


def _approve(arguments: argparse.Namespace) -> int:
    from console.cli.approving import approve

    return approve(arguments)


def _apply(arguments: argparse.Namespace) -> int:
    from console.cli.changing import apply

    return apply(arguments)


def _report_incident(arguments: argparse.Namespace) -> int:
    from console.cli.reporting import report

    return report(arguments)


def _relink(arguments: argparse.Namespace) -> int:
    from console.cli.relinking import relink

    return relink(arguments)


def _rebuild(arguments: argparse.Namespace) -> int:
    from console.cli.rebuilding import rebuild

    return rebuild(arguments)


def _contain(arguments: argparse.Namespace) -> int:
    from console.cli.containing import contain

    return contain(arguments)


def _shield(arguments: argparse.Namespace) -> int:
    from console.cli.containing import shield

    return shield(arguments)


def _retire(arguments: argparse.Namespace) -> int:
    from console.cli.retiring import retire

    return retire(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Expected errors become one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding does not have is shown escaped, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else EXIT_USAGE
    if arguments.version:
        from importlib.metadata import version

        print(f"abreast {version('abreast')}")  # noqa: T201
        return EXIT_DONE
    try:
        return int(arguments.command(arguments))
    except AbreastError as error:
        return _report(error)
    except KeyboardInterrupt:
        print("abreast: stopped.", file=sys.stderr)  # noqa: T201
        return EXIT_STOPPED
    except BrokenPipeError:
        # The reader of our output went away (`| head`); nothing more can be said to it.
        from console.cli.output import silence

        silence()
        return EXIT_UNKNOWN


def _report(error: AbreastError) -> int:
    from console.cli.output import say

    say(f"abreast: {error}")
    if isinstance(error, UsageError):
        say("`abreast --help` lists the commands.")
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
