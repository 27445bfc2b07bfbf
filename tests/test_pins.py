"""Which server an environment is: pinned at first use, refused when another, moved only with a reason."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync.errors import (
    EXIT_DRIFT,
    AbreastError,
    ConfigurationError,
    GuardError,
    IncompleteError,
    LedgerError,
    UsageError,
)
from sync.ledger import EntryKind, Ledger
from sync.ledger_entries import Pin
from sync.pins import Neighbour, Server, peek, refuse, same_endpoint
from tests.fake_cloudstack import START

if TYPE_CHECKING:
    from tests.stores import Store

pytest_plugins = ["tests.stores"]

HERE = Server("https://cloud.example.org/client/api", "root-1")
THERE = Server("https://other.example.org/client/api", "root-2")
COPY = Server("https://copy.example.org/client/api", "root-1")
"""A restored dump: the ROOT id is production's."""


@pytest.fixture
def ledger(store: Store) -> Iterator[Ledger]:
    with store.open(environment="production") as made:
        yield made


def pinned(name: str, server: Server, *, shares: tuple[str, ...] = ()) -> Neighbour:
    pin = Pin(name, server.endpoint, server.root_id, START, "anna", shares=shares)
    return Neighbour(name, server.endpoint, pin)


# --- first use, and afterwards ------------------------------------------------------------------------------


def test_it_is_pinned_at_first_use_with_who_and_when(store: Store, ledger: Ledger) -> None:
    assert ledger.pins.current() is None
    pin = ledger.pins.recognise(HERE)
    assert pin == ledger.pins.current()
    assert pin == Pin("production", HERE.endpoint, "root-1", START, "ops@console")

    (entry,) = ledger.entries()
    assert (entry.kind, entry.run_id, entry.operator) == (EntryKind.PINNED, None, "ops@console")
    assert entry.payload == {"endpoint": HERE.endpoint, "root_id": "root-1", "reason": "", "shares": []}
    assert entry.summary == "https://cloud.example.org/client/api with ROOT domain root-1, at first use"
    with store.open(environment="qualification") as other:
        assert other.pins.current() is None
    assert ledger.verify().is_sound


def test_it_is_recognised_afterwards_without_another_entry(ledger: Ledger) -> None:
    first = ledger.pins.recognise(HERE)
    assert ledger.pins.recognise(HERE) == first
    assert ledger.pins.recognise(Server("https://CLOUD.example.org:443/client/api/", "root-1")) == first
    assert len(ledger.entries()) == 1


@pytest.mark.parametrize("other", [THERE, COPY, Server(HERE.endpoint, "root-2")])
def test_another_server_is_refused_with_both_values_and_what_to_do(ledger: Ledger, other: Server) -> None:
    ledger.pins.recognise(HERE)
    with pytest.raises(GuardError) as caught:
        ledger.pins.recognise(other)
    text = str(caught.value)
    assert f"pinned to {HERE.endpoint} with ROOT domain root-1 (2026-07-28, ops@console)" in text
    assert f"this is {other.endpoint} with ROOT domain {other.root_id}" in text
    assert "`abreast ledger pin --environment production --reason …`" in caught.value.next_step
    assert caught.value.exit_code == EXIT_DRIFT
    pin = ledger.pins.current()
    assert pin is not None and HERE.is_pinned_by(pin)


def test_a_server_whose_root_is_not_seen_is_neither_pinned_nor_recognised(ledger: Ledger) -> None:
    for _ in range(2):
        with pytest.raises(IncompleteError, match="cannot be seen with this key"):
            ledger.pins.recognise(Server(HERE.endpoint, ""))
    assert ledger.pins.current() is None
    with pytest.raises(IncompleteError, match="cannot be seen"):
        ledger.pins.move(Server(HERE.endpoint, ""), reason="I know it")


def test_of_two_first_uses_at_once_one_pins_and_the_other_is_refused(store: Store) -> None:
    """Every time: whoever comes second is held to what the first one pinned."""
    start, answers = threading.Barrier(4), []

    def use(server: Server) -> None:
        with store.open() as ledger:
            start.wait()
            try:
                answers.append(ledger.pins.recognise(server).endpoint)
            except AbreastError as error:
                answers.append(type(error).__name__)

    threads = [threading.Thread(target=use, args=(server,)) for server in (HERE, THERE) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.open() as ledger:
        pin = ledger.pins.current()
        assert pin is not None
        assert sorted(answers) == sorted([pin.endpoint] * 2 + ["GuardError"] * 2)
        assert len(ledger.entries()) == 1
        assert ledger.verify().is_sound


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("https://c.example.org/client/api", "https://c.example.org:443/client/api/", True),
        ("http://C.example.org./client/api", "http://c.example.org:80/client/api", True),
        ("http://c.example.org/client/api", "https://c.example.org/client/api", False),
        ("http://c.example.org:8080/client/api", "http://c.example.org/client/api", False),
        ("http://c.example.org/client/api", "http://c.example.org/other/api", False),
    ],
)
def test_an_endpoint_is_one_however_it_is_spelled(one: str, other: str, *, is_same: bool) -> None:
    assert same_endpoint(one, other) is is_same


# --- beside other environments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "neighbour",
    [
        Neighbour("production", HERE.endpoint, None),
        pinned("production", HERE),
        Neighbour("production", THERE.endpoint, pinned("production", HERE).pin),
    ],
)
def test_two_environments_with_one_endpoint_are_refused(ledger: Ledger, neighbour: Neighbour) -> None:
    with pytest.raises(GuardError, match="qualification and production have the same endpoint") as caught:
        refuse("qualification", HERE, pin=None, neighbours=[neighbour])
    assert str(caught.value).count(HERE.endpoint) == 1, "an endpoint is named once"
    with pytest.raises(GuardError, match="same endpoint"):
        refuse("qualification", HERE, pin=pinned("qualification", HERE).pin, neighbours=[neighbour])
    with pytest.raises(GuardError, match="same endpoint"):
        ledger.pins.move(HERE, reason="I want two names", neighbours=[neighbour])
    assert ledger.entries() == []


def test_a_restored_dump_is_refused_at_first_use(store: Store) -> None:
    with store.open(environment="qualification") as ledger:
        with pytest.raises(GuardError) as caught:
            ledger.pins.recognise(COPY, [pinned("production", HERE)])
        assert ledger.pins.current() is None
    text = str(caught.value)
    assert f"qualification ({COPY.endpoint}) has the ROOT domain root-1" in text
    assert f"as production has, pinned to {HERE.endpoint}" in text
    assert "restored dump" in text
    assert "`abreast ledger pin --environment qualification --reason …`" in text


def test_the_original_is_not_kept_from_its_work_by_a_copy_that_nobody_accepted(ledger: Ledger) -> None:
    ledger.pins.recognise(HERE)
    ledger.pins.recognise(HERE, [Neighbour("qualification", COPY.endpoint, None)])


def test_a_restored_dump_can_be_accepted_with_a_reason_and_then_both_work(store: Store) -> None:
    production = pinned("production", HERE)
    with store.open(environment="qualification") as ledger:
        pin = ledger.pins.move(COPY, reason="restored on Monday", neighbours=[production])
        assert pin.shares == ("production",)
        assert ledger.pins.recognise(COPY, [production]) == pin
        assert ledger.entries()[-1].payload["shares"] == ["production"]
        refuse(
            "production",
            HERE,
            pin=production.pin,
            neighbours=[Neighbour("qualification", COPY.endpoint, pin)],
        )
        third = pinned("staging", Server("https://third.example.org/client/api", "root-1"))
        with pytest.raises(GuardError, match="as staging has"):
            ledger.pins.recognise(COPY, [production, third])


def test_two_that_were_pinned_apart_are_both_refused_until_somebody_says_which_is_which() -> None:
    for name, mine, other in (("production", HERE, COPY), ("qualification", COPY, HERE)):
        with pytest.raises(GuardError, match="restored dump"):
            refuse(name, mine, pin=pinned(name, mine).pin, neighbours=[pinned("the other", other)])


# --- anew ---------------------------------------------------------------------------------------------------


def test_it_is_pinned_anew_only_with_a_reason_which_is_recorded(ledger: Ledger) -> None:
    ledger.pins.recognise(HERE)
    with pytest.raises(UsageError, match="needs a reason"):
        ledger.pins.move(THERE, reason="  ")
    moved = ledger.pins.move(THERE, reason=" new hardware ")
    assert ledger.pins.recognise(THERE) == moved == ledger.pins.current()
    assert (moved.reason, moved.pinned_by) == ("new hardware", "ops@console")
    with pytest.raises(GuardError, match="pinned to https://other"):
        ledger.pins.recognise(HERE)
    assert [entry.payload["reason"] for entry in ledger.entries()] == ["", "new hardware"]
    assert ledger.verify().is_sound


# --- from beside --------------------------------------------------------------------------------------------


def test_another_environments_pin_can_be_read_without_making_anything(store: Store, ledger: Ledger) -> None:
    assert peek(store.url, "production") is None
    pin = ledger.pins.recognise(HERE)
    assert peek(store.url, "production") == pin
    assert peek(store.url, "qualification") is None
    store.tamper("DROP TABLE pins")
    with pytest.raises(LedgerError, match="Its ledger cannot be read"):
        peek(store.url, "production")


def test_a_ledger_that_is_not_there_was_never_used_and_is_not_made(tmp_path: Path) -> None:
    assert peek(f"sqlite:///{tmp_path / 'none.sqlite'}", "production") is None
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_cannot_be_read_is_not_taken_for_one_that_was_never_used(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="cannot be read"):
        peek("postgresql://nobody@127.0.0.1:9/none", "production")
    with pytest.raises(ConfigurationError):
        peek("nonsense", "production")
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    with pytest.raises(LedgerError, match="cannot be read"):
        peek(f"sqlite:///{broken}", "production")


def test_beside_one_that_cannot_be_read_nothing_is_pinned_at_first_use(ledger: Ledger) -> None:
    """It may be that one's server, or a copy of it."""
    unread = Neighbour("qualification", THERE.endpoint, None, unread="The disk is gone.")
    with pytest.raises(LedgerError) as caught:
        ledger.pins.recognise(HERE, [unread])
    assert "what qualification is pinned to cannot be read (The disk is gone)" in str(caught.value)
    assert "`abreast ledger pin --environment production --reason …`" in caught.value.next_step
    assert ledger.pins.current() is None

    pin = ledger.pins.move(HERE, reason="I know it", neighbours=[unread])
    assert ledger.pins.recognise(HERE, [unread]) == pin, "what is pinned is known without the others"
