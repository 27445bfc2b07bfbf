"""Real PostgreSQL and MariaDB servers for the tests: one of each a session, on a loopback port, thrown away.

Never skipped: without the Debian packages of tests/debian-packages.txt the tests that need a server fail and
say which package is missing.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pymysql
import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

SECONDS_TO_START = 90


@dataclass(frozen=True)
class Server:
    """A running server and the account that may do everything on it."""

    admin: URL

    def create_database(self) -> URL:
        """A new, empty database; answers the administrator's URL of it."""
        name = f"ci_{secrets.token_hex(4)}"
        words = "CHARACTER SET utf8mb4" if self.admin.get_backend_name() == "mysql" else "ENCODING 'UTF8'"
        engine = create_engine(self.admin, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} {words}"))
        return self.admin.set(database=name)


def find_program(name: str, package: str, *folders: str) -> str:
    """The path of a server's program. Fails the test, naming the Debian package, when there is none."""
    versions = [
        str(folder) for pattern in folders for folder in sorted(Path("/").glob(pattern), reverse=True)
    ]
    found = shutil.which(name, path=os.pathsep.join([*versions, os.environ.get("PATH", "")]))
    if found is None:
        pytest.fail(f"{name} is not installed: apt-get install {package} (see tests/debian-packages.txt)")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class _Account:
    """Who runs a server: root may not, so then the package's own account does."""

    name: str | None

    def run(self, *command: str, log: Path) -> None:
        with log.open("ab") as output:
            done = subprocess.run(command, stdout=output, stderr=output, check=False, **self._options)
        if done.returncode != 0:
            pytest.fail(f"{command[0]} failed:\n{log.read_text(errors='replace')[-3000:]}")

    def start(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output, **self._options)

    def own(self, folder: Path) -> None:
        if self.name is not None:
            shutil.chown(folder, self.name)

    @property
    def _options(self) -> dict[str, object]:
        options: dict[str, object] = {"stdin": subprocess.DEVNULL, "cwd": "/", "start_new_session": True}
        if self.name is not None:
            entry = pwd.getpwnam(self.name)
            options |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        return options


def _account(name: str) -> _Account:
    return _Account(name if os.geteuid() == 0 else None)


@contextmanager
def _folder(account: _Account) -> Iterator[Path]:
    """A folder of its own for a server's data: pytest's would be closed to another account."""
    folder = Path(tempfile.mkdtemp(prefix="abreast-db-"))
    account.own(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _wait(process: subprocess.Popen[bytes], connect: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            connect()
        except (psycopg.OperationalError, pymysql.err.OperationalError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start: {error}\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)
        else:
            return


@contextmanager
def _stopping(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server with password authentication."""
    places = "usr/lib/postgresql/*/bin"
    initdb = find_program("initdb", "postgresql", places)
    postgres = find_program("postgres", "postgresql", places)
    account, password, port = _account("postgres"), secrets.token_urlsafe(18), free_port()
    with _folder(account) as folder:
        log, data, words = folder / "log", folder / "data", folder / "password"
        words.write_text(password)
        account.own(words)
        account.run(
            initdb, "-D", str(data), "-U", "admin", "--auth=scram-sha-256", f"--pwfile={words}",
            "--encoding=UTF8", "--locale=C", "--no-sync", log=log,
        )  # fmt: skip
        process = account.start(
            postgres, "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
            "-c", f"unix_socket_directories={folder}", "-c", "fsync=off", log=log,
        )  # fmt: skip
        admin = URL.create(
            "postgresql+psycopg", "admin", password, host="127.0.0.1", port=port, database="postgres"
        )

        def connect() -> None:
            psycopg.connect(
                host="127.0.0.1", port=port, user="admin", password=password, dbname="postgres"
            ).close()

        with _stopping(process):
            _wait(process, connect, log)
            yield Server(admin)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A MariaDB server."""
    places = ("usr/sbin", "usr/bin")
    install = find_program("mariadb-install-db", "mariadb-server", *places)
    mariadbd = find_program("mariadbd", "mariadb-server", *places)
    account, password, port = _account("mysql"), secrets.token_urlsafe(18), free_port()
    with _folder(account) as folder:
        log, data, start = folder / "log", folder / "data", folder / "start.sql"
        start.write_text(
            f"CREATE USER admin@'%' IDENTIFIED BY '{password}';\n"
            "GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;\n"
        )
        temporary = folder / "tmp"
        temporary.mkdir()
        for mine in (start, temporary):
            account.own(mine)
        # In the shared /tmp two servers that are installed at once delete each other's temporary tables.
        account.run(
            install, "--no-defaults", f"--datadir={data}", f"--tmpdir={temporary}",
            "--auth-root-authentication-method=normal", "--skip-test-db", log=log,
        )  # fmt: skip
        process = account.start(
            mariadbd, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1",
            f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}", f"--init-file={start}",
            f"--tmpdir={temporary}",
            "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", "--skip-log-bin", log=log,
        )  # fmt: skip
        admin = URL.create("mysql+pymysql", "admin", password, host="127.0.0.1", port=port, database="mysql")

        def connect() -> None:
            pymysql.connect(host="127.0.0.1", port=port, user="admin", password=password).close()

        with _stopping(process):
            _wait(process, connect, log)
            yield Server(admin)
