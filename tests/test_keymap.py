"""The configuration's keys: proven when they are read, so that no command silently loses its key."""

from __future__ import annotations

import pytest

from console.commands import COMMANDS
from console.keymap import checked_keymap
from sync.errors import ConfigurationError


def test_the_table_itself_has_no_key_twice() -> None:
    assert checked_keymap({"stage": "space"}) == {"stage": "space"}
    assert checked_keymap({one.id: one.keys for one in COMMANDS})


@pytest.mark.parametrize(
    ("keys", "first", "second", "key"),
    [
        ({"stage": "s"}, "stage", "staged", "s"),
        ({"stage": "/"}, "stage", "filter", "/"),
        ({"stage": "slash"}, "stage", "filter", "/"),
        ({"stage": "m", "history": "m"}, "stage", "history", "m"),
        ({"rebuild": "A"}, "rebuild", "arm", "A"),
        ({"quit": "v"}, "recover-vms", "quit", "v"),
        ({"arm": "t"}, "arm", "theme", "t"),
        ({"take-out": "delete,x"}, "run", "take-out", "x"),
    ],
)
def test_a_key_for_two_commands_of_a_screen_is_refused(
    keys: dict[str, str], first: str, second: str, key: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked_keymap(keys)
    assert f"'{key}' would be '{first}' and '{second}' on" in str(caught.value)


def test_keys_may_be_swapped_and_shared_by_screens_that_do_not_meet() -> None:
    assert checked_keymap({"stage": "s", "staged": "space"})
    assert checked_keymap({"verify": "x"})


@pytest.mark.parametrize("key", ["j", "up", "pagedown", "tab", "ctrl+q"])
def test_a_key_of_every_list_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{key.replace('+', '.')}' of 'arm'"):
        checked_keymap({"arm": key})


@pytest.mark.parametrize("key", ["", " ", "a,,b", "nokey", "nokey+", "ctrl+", "ctlr+x", "x,nokey"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="'arm' is no key"):
        checked_keymap({"arm": key})


@pytest.mark.parametrize("key", ["f5", "ctrl+f5", "alt+é", "at", "backslash", "ctrl+underscore", "insert"])
def test_keys_by_every_name_that_a_terminal_has(key: str) -> None:
    assert checked_keymap({"arm": key})


def test_an_unknown_command_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'stage'"):
        checked_keymap({"stagee": "x"})
