"""What the parsers of all commands share: wrong usage's exit code, common options, and what they run.

A command is named as `MODULE:FUNCTION` and imported when it runs: nothing heavy is loaded to parse.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sync.errors import EXIT_USAGE

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]

Command = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """argparse with the exit code for wrong usage that the product documents (64)."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


@dataclass(frozen=True, slots=True)
class Lazy:
    """The command `MODULE:FUNCTION` of `console.cli`, imported when it is called or asked for."""

    path: str

    def __call__(self, arguments: argparse.Namespace) -> int:
        return self.function(arguments)

    @property
    def function(self) -> Command:
        module, _, name = self.path.partition(":")
        found: Command = getattr(import_module(f"console.cli.{module}"), name)
        return found


def environment_options(parser: argparse.ArgumentParser, *, nested: bool = False) -> None:
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


def above_zero(text: str) -> int:
    """A number of things to show; wrong usage where it is none, or would show nothing."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return number


def format_option(parser: argparse.ArgumentParser) -> None:
    """How the result is printed."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result")


def word_option(parser: argparse.ArgumentParser) -> None:
    """The confirmation, for scripts."""
    parser.add_argument("--confirm", metavar="WORD", help="the environment's name, instead of typing it")


def add(commands: Commands, name: str, path: str, text: str) -> Parser:
    """Add the command `name` that runs `path` (as `Lazy` takes it), with one line of help."""
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    environment_options(parser, nested=True)
    parser.set_defaults(command=Lazy(path))
    return parser
