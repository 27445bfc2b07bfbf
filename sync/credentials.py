"""The file of new users' passwords: JSON lines, mode 0600, on the disk before CloudStack hears of them.

One user keeps one password: whoever asks again, after a retry or a crash, gets the one already written.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import string
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from sync.errors import ConfigurationError, LedgerError
from sync.private_file import refuse_others

_LENGTH = 20
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.+")
"""One of each, because a server's password policy may ask for it; nothing that a shell or URL would eat."""

_TAIL = 4096
"""Bytes that are read at a time from the end of the file."""

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Credential:
    """The password drawn for one user."""

    domain_path: str
    account: str
    username: str
    password: str = field(repr=False)


class CredentialFile:
    """All passwords that abreast has drawn for one environment. Threads may share it."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened or made yet."""
        self.path = path
        self._lock = threading.Lock()
        self._known: dict[_Key, Credential] = {}
        self._seen: tuple[int, int, int] | None = None
        """Inode, mode and size of the file when it was last read or written."""

    def __repr__(self) -> str:
        return f"CredentialFile({str(self.path)!r})"

    def open(self) -> None:
        """Read the file if it is there; ConfigurationError when others can read it or it is damaged."""
        with self._lock:
            self._load()

    def credentials(self) -> list[Credential]:
        """All of them, in the order in which they were drawn."""
        with self._lock:
            return list(self._load().values())

    def password_for(self, domain_path: str, account: str, username: str) -> str:
        """The password already written for this user, or a new one once it is safely on the disk.

        ConfigurationError when the file is open to others; LedgerError when it cannot be written.
        """
        with self._lock:
            known = self._load()
            key = _key(domain_path, account, username)
            credential = known.get(key)
            if credential is None:
                credential = Credential(domain_path, account, username, generate())
                self._append(credential)
            return credential.password

    def _load(self) -> dict[_Key, Credential]:
        """What the file says now; read again only when something was written to it meanwhile."""
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            self._known, self._seen = {}, None
            return self._known
        except OSError as error:
            raise self._unusable(f"cannot be opened: {error.strerror}") from None
        if self._seen != (status.st_ino, status.st_mode, status.st_size):
            self._known = {_key_of(item): item for item in _parse(self._read(), self.path)}
            self._seen = (status.st_ino, status.st_mode, status.st_size)
        return self._known

    def _read(self) -> bytes:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                self._check_mode(descriptor)
                # A process killed between writing and syncing may have left a line not yet on the disk.
                os.fsync(descriptor)
                return file.read()
        except OSError as error:
            raise self._unusable(f"cannot be opened: {error.strerror}") from None

    def _append(self, credential: Credential) -> None:
        line = json.dumps(
            {
                "domain": credential.domain_path,
                "account": credential.account,
                "username": credential.username,
                "password": credential.password,
            }
        )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o600)
            with os.fdopen(descriptor, "rb+") as file:
                self._check_mode(descriptor)
                # A process killed while writing leaves half a line, whose password was never sent.
                end = _end_of_lines(file)
                file.truncate(end)
                file.seek(end)
                file.write(line.encode("ascii") + b"\n")
                file.flush()
                os.fsync(descriptor)
                status = os.fstat(descriptor)
            _sync_folder(self.path.parent)
        except OSError as error:
            raise LedgerError(
                f"The password for {credential.username} cannot be written to {self.path}: {error.strerror}.",
                next_step="The user is not created without it. Check the disk's space and permissions.",
            ) from None

        self._known[_key_of(credential)] = credential
        self._seen = (status.st_ino, status.st_mode, status.st_size)

    def _check_mode(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise self._unusable("is not a plain file")
        if status.st_uid != os.geteuid():
            raise self._unusable("belongs to another user")
        refuse_others(self.path, status.st_mode, what="the file of new users' passwords")

    def _unusable(self, why: str) -> ConfigurationError:
        return ConfigurationError(
            f"The credentials file {self.path} {why}.", next_step="Move it away or name another one."
        )


def generate() -> str:
    """A random password of 20 characters with one of every class in it."""
    random = secrets.SystemRandom()
    characters = [secrets.choice(one) for one in _CLASSES]
    characters += [secrets.choice("".join(_CLASSES)) for _ in range(_LENGTH - len(characters))]
    random.shuffle(characters)
    return "".join(characters)


def _parse(content: bytes, path: Path) -> list[Credential]:
    credentials = []
    complete = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(complete.splitlines(), start=1):
        try:
            fields = json.loads(line)
            credentials.append(
                Credential(fields["domain"], fields["account"], fields["username"], fields["password"])
            )
        except (ValueError, KeyError, TypeError):
            raise ConfigurationError(
                f"Line {number} of the credentials file {path} is damaged.",
                next_step="Mend or remove that line by hand; every line is one JSON object.",
            ) from None
    return credentials


def _key(domain_path: str, account: str, username: str) -> _Key:
    """CloudStack compares names of domains without regard to case."""
    return (domain_path.casefold(), account, username)


def _key_of(credential: Credential) -> _Key:
    return _key(credential.domain_path, credential.account, credential.username)


def _end_of_lines(file: BinaryIO) -> int:
    """Where the last whole line ends; looks from the end, because a file of many thousands is long."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _TAIL)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
