"""The file of passwords: on the disk before they are used, one for each user, closed to others."""

from __future__ import annotations

import json
import os
import string
import threading
from pathlib import Path

import pytest

import sync.credentials
from sync.credentials import CredentialFile, generate
from sync.errors import ConfigurationError, LedgerError

DUNE = "ROOT/ci/dune"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "passwords.jsonl"


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_new_password_is_in_the_file_when_it_is_handed_out(path: Path) -> None:
    password = CredentialFile(path).password_for(DUNE, "dune", "anna")
    assert lines(path) == [{"domain": DUNE, "account": "dune", "username": "anna", "password": password}]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0


def test_file_and_folder_are_synced_before_the_password_is_handed_out(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    plain = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        plain(descriptor)

    monkeypatch.setattr(sync.credentials.os, "fsync", fsync)
    CredentialFile(path).password_for(DUNE, "dune", "anna")
    assert synced == ["passwords.jsonl", "deep"]


def test_a_user_keeps_the_password_over_restarts(path: Path) -> None:
    first = CredentialFile(path).password_for(DUNE, "dune", "anna")
    again = CredentialFile(path)
    assert again.password_for(DUNE, "dune", "anna") == first
    assert again.password_for("ROOT/CI/Dune", "dune", "anna") == first, "names of domains ignore case"
    assert len(lines(path)) == 1


def test_users_of_one_name_in_two_domains_have_two_passwords(path: Path) -> None:
    file = CredentialFile(path)
    passwords = {
        file.password_for(domain, account, username)
        for domain, account, username in [
            (DUNE, "dune", "anna"),
            (DUNE, "dune", "Anna"),
            ("ROOT/ci/x", "x", "anna"),
        ]
    }
    assert len(passwords) == 3


def test_two_open_files_never_draw_two_passwords_for_one_user(path: Path) -> None:
    one, other = CredentialFile(path), CredentialFile(path)
    one.open()
    other.open()
    assert one.password_for(DUNE, "dune", "anna") == other.password_for(DUNE, "dune", "anna")


def test_threads_share_it(path: Path) -> None:
    file = CredentialFile(path)
    drawn: list[tuple[str, str]] = []

    def draw() -> None:
        for number in range(20):
            drawn.append((f"user{number}", file.password_for(DUNE, "dune", f"user{number}")))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 80
    assert len(set(drawn)) == 20
    assert len(lines(path)) == 20


def test_half_a_line_of_a_killed_process_is_overwritten(path: Path) -> None:
    first = CredentialFile(path).password_for(DUNE, "dune", "anna")
    with path.open("a") as file:
        file.write('{"domain": "ROOT/ci/dune", "account": "du')
    after = CredentialFile(path)
    second = after.password_for(DUNE, "dune", "ben")
    assert [(line["username"], line["password"]) for line in lines(path)] == [
        ("anna", first),
        ("ben", second),
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    CredentialFile(path).password_for(DUNE, "dune", "anna")
    path.chmod(mode)
    file = CredentialFile(path)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        file.open()
    with pytest.raises(ConfigurationError, match="chmod 600"):
        file.password_for(DUNE, "dune", "ben")


def test_a_file_that_was_opened_to_others_meanwhile_is_refused(path: Path) -> None:
    file = CredentialFile(path)
    file.password_for(DUNE, "dune", "anna")
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        file.password_for(DUNE, "dune", "anna")


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    (tmp_path / "elsewhere").write_text("")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        CredentialFile(path).open()


def test_a_damaged_line_is_named(path: Path) -> None:
    file = CredentialFile(path)
    file.password_for(DUNE, "dune", "anna")
    path.write_text(path.read_text() + "nonsense\n")
    with pytest.raises(ConfigurationError, match="Line 2"):
        CredentialFile(path).open()


def test_a_password_that_cannot_be_written_is_not_handed_out(path: Path) -> None:
    path.parent.parent.joinpath("deep").write_text("in the way")
    with pytest.raises((LedgerError, ConfigurationError), match="cannot be"):
        CredentialFile(path).password_for(DUNE, "dune", "anna")


def test_a_full_disk_leaves_the_file_usable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = CredentialFile(path)
    first = file.password_for(DUNE, "dune", "anna")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(sync.credentials.os, "fsync", full)
        with pytest.raises(LedgerError, match="No space left"):
            file.password_for(DUNE, "dune", "ben")
    second = file.password_for(DUNE, "dune", "ben")
    assert CredentialFile(path).password_for(DUNE, "dune", "anna") == first
    assert CredentialFile(path).password_for(DUNE, "dune", "ben") == second


def test_nothing_shows_a_password(path: Path) -> None:
    file = CredentialFile(path)
    password = file.password_for(DUNE, "dune", "anna")
    assert password not in repr(file)
    assert password not in repr(file.credentials())


def test_passwords_have_one_of_every_class_and_are_not_alike() -> None:
    drawn = {generate() for _ in range(300)}
    assert len(drawn) == 300
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.+")
    for password in drawn:
        assert len(password) == 20
        assert all(set(password) & set(one) for one in classes)
