"""Text from outside: fitted to terminal cells, without what moves the cursor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from widgets.cells import age, clean, counted, fit, size


@given(st.text(max_size=40), st.integers(min_value=0, max_value=30), st.booleans())
def test_fit_fills_exactly_the_width(text: str, width: int, keep_end: bool) -> None:
    assert cell_len(fit(text, width, keep_end=keep_end)) == width


@given(st.text(max_size=60))
def test_clean_leaves_one_printable_line(text: str) -> None:
    cleaned = clean(text)
    assert "\n" not in cleaned
    assert "\x1b" not in cleaned
    assert "\u202e" not in cleaned, "direction overrides make a name read as another one"


@pytest.mark.parametrize("text", ["👩\u200d💻 lab", "👨🏽\u200d🚀", "👨\u200d👩\u200d👧"])
def test_an_emoji_of_several_stays_one(text: str) -> None:
    assert clean(text) == text
    assert cell_len(fit(text, 12)) == 12
    for width in range(8):
        assert cell_len(fit(f"ROOT/{text}", width, keep_end=True)) == width


@pytest.mark.parametrize("text", ["du\u200dne", "\u200ddune", "👩\u200d", "👩\u200dx", "a\u200d💻"])
def test_a_joiner_that_joins_no_emoji_is_seen(text: str) -> None:
    assert clean(text) == text.replace("\u200d", "\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("unseen", ["\u200b", "\u200c", "\u2060", "\ufeff", "\u00ad", "\ufe0f", "\u3164"])
def test_what_takes_no_room_is_seen(unseen: str) -> None:
    assert clean(f"du{unseen}ne") == "du\N{REPLACEMENT CHARACTER}ne"


def test_letters_that_are_kept_from_joining_stay_as_they_are() -> None:
    assert clean("می\u200cخواهم") == "می\u200cخواهم"
    assert clean("❤\ufe0f") == "❤", "how wide it is then differs from terminal to terminal"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("dune", 6, "dune  "),
        ("dune", 4, "dune"),
        ("dunes", 4, "dun…"),
        ("vm-[/x]", 7, "vm-[/x]"),
        ("écluse", 7, "écluse "),
        ("雪雪雪", 4, "雪 …"),
        ("a\nb", 3, "a b"),
        ("\x1b[31mred", 8, "\N{REPLACEMENT CHARACTER}[31mred"),
    ],
)
def test_fit_by_example(text: str, width: int, expected: str) -> None:
    assert fit(text, width) == expected


def test_fit_can_keep_the_end() -> None:
    assert fit("ROOT/ci/boreal", 8, keep_end=True) == "…/boreal"


def test_fit_aligns_numbers_right() -> None:
    assert fit("12", 5, align="right") == "   12"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (99.9, "99 s"),
        (100, "1 min"),
        (5999, "99 min"),
        (7500, "2 h 05"),
        (5 * 86400, "5 d"),
        (-3, "0 s"),
    ],
)
def test_ages(seconds: float, expected: str) -> None:
    assert age(seconds) == expected


def test_counts_and_sizes_in_words() -> None:
    assert counted(1, "VM") == "1 VM"
    assert counted(0, "VM") == "0 VMs"
    assert counted(1200, "entry", "entries") == "1,200 entries"
    assert size(None) == "–"
    assert size(8 << 30) == "8 GiB"
    assert size(3 << 40) == "3.0 TiB"
