"""From the command line's options to a session."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from console.session import Session
from sync.settings import load


def open_session(arguments: argparse.Namespace) -> Session:
    """The session of the chosen environment, read-only. Raises ConfigurationError."""
    return Session(load(arguments.config).environment(arguments.environment))


@contextmanager
def session_of(arguments: argparse.Namespace) -> Iterator[Session]:
    session = open_session(arguments)
    try:
        yield session
    finally:
        session.close()
