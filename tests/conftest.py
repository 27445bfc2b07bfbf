"""The whole suite: kept apart from the machine's configuration, and every sandbox's access log judged.

No run can pass while something of the product deletes: the logs of all sandboxes, also of those started by
children of children, are read when the session ends, and a wrong entry fails it (see tests/deletions.py).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from sync.sandbox.access_log import VARIABLE, AccessLog
from sync.sandbox.engine import Engine
from sync.sandbox.records import AccessEntry
from tests.deletions import Offence, offences

ROOT = "ABREAST_TESTS"
"""Environment variable with the folder of one session; xdist's workers inherit it."""
FOREIGN = ("ABREAST_", "CLOUDSTACK_", "XDG_")
"""Variables of the machine that the product would obey."""

hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")
# How long an example takes says something about the machine, not about the code.

_found = pytest.StashKey[tuple[int, list[Offence]]]()
_open: dict[Path, AccessLog] = {}


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    if not _is_worker(config):
        for name in [name for name in os.environ if name.startswith(FOREIGN)]:
            del os.environ[name]
        os.environ.pop("NO_COLOR", None)
        os.environ[ROOT] = tempfile.mkdtemp(prefix="abreast-tests-")
        for name in ("home", "logs"):
            (Path(os.environ[ROOT]) / name).mkdir()
        os.environ["HOME"] = str(Path(os.environ[ROOT]) / "home")
    Engine.on_access = staticmethod(_log_in_process)
    _log_into("tests")


def _log_into(module: str) -> None:
    """Whatever sandbox is started from now on logs into the folder of this module."""
    folder = Path(os.environ[ROOT]) / "logs" / module
    folder.mkdir(exist_ok=True)
    os.environ[VARIABLE] = str(folder)


def _log_in_process(entry: AccessEntry) -> None:
    """Of sandboxes that live in the tests' own process."""
    file = Path(os.environ[VARIABLE]) / f"in-process-{os.getpid()}.jsonl"
    if file not in _open:
        _open[file] = AccessLog(file)
    _open[file](entry)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    module = item.getparent(pytest.Module)
    _log_into(module.obj.__name__ if module is not None else "tests")
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In the process that started the session, after its workers have ended."""
    for log in _open.values():
        log.close()
    _open.clear()
    if _is_worker(session.config):
        return
    found = session.config.stash[_found] = offences(Path(os.environ[ROOT]) / "logs")
    if found[1]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    judged, found = config.stash.get(_found, (0, []))
    if found:
        terminalreporter.section("calls that only the naive sync may send", red=True)
        for offence in found:
            terminalreporter.line(str(offence))
    elif judged:
        terminalreporter.line(f"{judged} calls to sandboxes: nothing was deleted but by the naive sync.")


def pytest_unconfigure(config: pytest.Config) -> None:
    Engine.on_access = None
    if not _is_worker(config):
        shutil.rmtree(os.environ.pop(ROOT))
