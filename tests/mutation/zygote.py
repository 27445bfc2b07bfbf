"""Runs pytest again and again in a tree, each time in a fork of a process that has imported what never
changes.

Speaks JSON lines: a list of pytest's arguments in, exit code and output out. Runs with the tree as its
working folder, and imports nothing of the tree itself: guards are removed from it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile

PRELOADED = (
    "_pytest.terminal", "aiohttp", "alembic.command", "cs", "hypothesis", "psycopg", "pymysql",
    "pytest_asyncio", "pytest_timeout", "requests", "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite", "textual.app", "xdist",
)  # fmt: skip


def main() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        code, said = run(json.loads(line))
        print(json.dumps([code, said]), flush=True)


def run(arguments: list[str]) -> tuple[int, str]:
    """pytest's exit code and output; -1 when it did not come to its end."""
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            _end(arguments)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read()


def _end(arguments: list[str]) -> None:
    """The child's whole life."""
    import pytest

    code = 70
    try:
        code = int(pytest.main(arguments))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
