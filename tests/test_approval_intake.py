"""A plan is written with its text beside it; signatures that come back are put there, replacing nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from console.retirements import _take_in
from sync.approval import assess, objects_file
from sync.approval_court import Verdict
from sync.approval_intake import signature_in, take_in, write_plan
from sync.approval_text import objects_text
from sync.errors import UsageError
from sync.plan_file import from_json
from sync.ssh_signature import LONGEST_SIGNATURE
from tests.examples import NOON
from tests.signing import Signers, plan_of

PLAN = plan_of()


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    made = Signers(tmp_path)
    for name in ("jmartin", "alice", "bob"):
        made.allow(f"{name}@example.org", name)
    return made


def test_the_plan_and_its_text_are_written_and_a_second_time_are_the_same(tmp_path: Path) -> None:
    file = write_plan(PLAN, tmp_path / "plans" / "production")
    assert file.name == f"plan-{PLAN.digest[:12]}.json"
    assert from_json(json.loads(file.read_text())) == PLAN
    assert objects_file(file).read_text() == objects_text(PLAN)
    beside = file.with_name(f"{file.name}.alice.sig")
    beside.write_bytes(b"signature")
    assert write_plan(PLAN, file.parent) == file
    assert beside.read_bytes() == b"signature"
    assert not stat.S_IMODE(file.stat().st_mode) & stat.S_IWOTH


def test_what_comes_back_is_put_beside_it_and_counts(signers: Signers, tmp_path: Path) -> None:
    """Bob's mail program called it otherwise; alice sent a folder."""
    sent = signers.sign(PLAN, "bob")
    mail = tmp_path / "mail"
    mail.mkdir()
    (mail / "attachment (1).sig").write_bytes(sent.read_bytes())
    (mail / "broken.sig").write_bytes(sent.read_bytes()[:100])
    sent.unlink()
    file = write_plan(PLAN, tmp_path / "plans")
    (first,) = take_in(file, mail / "attachment (1).sig")
    assert first.parent == file.parent
    assert take_in(file, mail) == (first, file.with_name(f"{file.name}.broken.sig"))
    standing = assess(PLAN, file, signers.rules(2), now=NOON)
    assert standing.people == ("bob@example.org",)
    assert [one.verdict for one in standing.signatures] == [Verdict.VALID, Verdict.DAMAGED]


def test_nothing_is_replaced_by_something_else(tmp_path: Path) -> None:
    file = write_plan(PLAN, tmp_path / "plans")
    for number, content in enumerate((b"one", b"two", b"one", b"three")):
        source = tmp_path / str(number) / "signed.sig"
        source.parent.mkdir()
        source.write_bytes(content)
        take_in(file, source)
    found = {path.name: path.read_bytes() for path in file.parent.glob("*.sig")}
    assert found == {
        f"{file.name}.signed.sig": b"one",
        f"{file.name}.signed-2.sig": b"two",
        f"{file.name}.signed-3.sig": b"three",
    }


def test_a_name_from_outside_makes_no_path(tmp_path: Path) -> None:
    file = write_plan(PLAN, tmp_path / "plans")
    source = tmp_path / f"..\\..%2f{'x' * 180}.sig"
    source.write_bytes(b"x")
    (made,) = take_in(file, source)
    assert made.parent == file.parent
    assert len(made.name) < 200


def test_what_is_none_is_refused(tmp_path: Path) -> None:
    file = write_plan(PLAN, tmp_path / "plans")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        take_in(file, tmp_path / "none.sig")
    with pytest.raises(UsageError, match=r"no file that ends in \.sig"):
        take_in(file, tmp_path)
    long = tmp_path / "long.sig"
    long.write_bytes(b"x" * (LONGEST_SIGNATURE + 1))
    with pytest.raises(UsageError, match="is no signature: it is longer than 64 KiB"):
        take_in(file, long)
    with pytest.raises(UsageError, match="is no signature: it is longer than 64 KiB"):
        signature_in(long)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        write_plan(PLAN, tmp_path / "file" / "plans")


def test_a_retirement_takes_in_no_more_than_a_plan_does(tmp_path: Path) -> None:
    """A folder that was named by mistake is not read whole, however large its files are."""
    retirement = SimpleNamespace(id="r-1")
    history = SimpleNamespace(find=lambda _: retirement, campaigns=())
    signed: list[bytes] = []

    def sign(_: object, content: bytes) -> SimpleNamespace:
        signed.append(content)
        return SimpleNamespace(name="anna")

    retiring: Any = SimpleNamespace(history=lambda: history, sign=sign)
    long = tmp_path / "long.sig"
    long.write_bytes(b"x" * (LONGEST_SIGNATURE + 1))
    with pytest.raises(UsageError, match="is no signature: it is longer than 64 KiB"):
        _take_in(retiring, "r-1", long)
    long.unlink()
    for number in range(51):
        (tmp_path / f"{number}.sig").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"51 files that end in \.sig: too many"):
        _take_in(retiring, "r-1", tmp_path)
    assert signed == []
    assert _take_in(retiring, "r-1", tmp_path / "0.sig").startswith("Signed by anna")
