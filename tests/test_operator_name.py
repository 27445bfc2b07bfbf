"""Who is said to have done what: login and host, also where the system has no name for the user."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path
from typing import NoReturn

import pytest

from console.session import Session
from sync.operator_name import current_operator
from sync.settings import load
from tests.cli import Access, configure

NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> str:
    """A user without a line in /etc/passwd and without a word about it, as in a container."""

    def unknown(uid: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    return f"uid {os.getuid()}@{socket.gethostname()}"


def test_the_operator_is_user_and_host_wherever_the_session_came_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOGNAME", "anna")
    monkeypatch.setenv("SSH_CLIENT", "192.0.2.7 50000 22")
    assert current_operator() == f"anna@{socket.gethostname()}"


def test_a_user_without_a_name_is_its_number(nameless: str) -> None:
    assert current_operator() == nameless


def test_a_session_and_its_ledger_name_the_same_operator(nameless: str, tmp_path: Path) -> None:
    lab = configure(tmp_path, Access("http://127.0.0.1:1/client/api", "k", "s"), "sqlite:///ci.sqlite")
    session = Session(load(lab.config).environment("lab"))
    assert (session.operator, session.ledger.operator) == (nameless, nameless)
    session.close()
