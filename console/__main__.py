"""The command line: parses, calls one command, turns errors into one line and an exit code.

Nothing heavy is imported here: each command imports what it needs when it runs.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from console.daily_parsers import add_changers, add_readers, add_screens
from console.guarded_parsers import add_containment, add_ledger, add_retirement
from console.parsing import Lazy, Parser, environment_options
from sync.errors import EXIT_DONE, EXIT_STOPPED, EXIT_UNKNOWN, EXIT_USAGE, AbreastError, UsageError


def build_parser() -> Parser:
    parser = Parser(
        prog="abreast",
        description="The CI database and CloudStack abreast: see drift, stage, confirm, rebuild.",
        epilog="Exit codes: 0 done or in sync, 1 drift or refused, 2 critical, 3 unknown or unreadable, "
        "64 usage, 78 configuration, 130 stopped.",
    )
    _version_option(parser)
    environment_options(parser)
    parser.set_defaults(command=Lazy("screens:open_console"))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    add_screens(commands)
    add_readers(commands)
    add_ledger(commands)
    add_changers(commands)
    add_containment(commands)
    add_retirement(commands)
    return parser


def _version_option(parser: Parser) -> None:
    parser.add_argument("--version", action="store_true", help="print the version and exit")


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
