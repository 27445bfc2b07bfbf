"""From the command line's options to a session."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from console.recognition import Other
from console.session import Session
from sync.errors import ConfigurationError
from sync.settings import Configuration, load


def open_session(arguments: argparse.Namespace) -> Session:
    """The session of the chosen environment, read-only. Raises ConfigurationError."""
    configuration = load(arguments.config)
    environment = configuration.environment(arguments.environment)
    return Session(environment, others=lambda: _others(configuration, environment.name))


def options_of(arguments: argparse.Namespace, environment: str | None = None) -> list[str]:
    """The options that named environment and configuration, for a command that is to be run next; the
    environment also where it is the file's default, if it is given here."""
    given = {"environment": environment or arguments.environment, "config": arguments.config}
    return [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]


def _others(configuration: Configuration, name: str) -> Iterator[Other]:
    """The other environments, or why one cannot be read."""
    for other in configuration.environments:
        if other != name:
            try:
                yield other, configuration.environments[other]
            except ConfigurationError as error:
                yield other, error


@contextmanager
def session_of(arguments: argparse.Namespace) -> Iterator[Session]:
    session = open_session(arguments)
    try:
        yield session
    finally:
        session.close()
