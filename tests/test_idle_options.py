"""Options that would do nothing are refused by every command, before it reads or asks anything."""

from __future__ import annotations

import pytest

from console.__main__ import main
from sync.errors import EXIT_USAGE

IDLE = {
    "restore --thaw z aurora": "naming projects does nothing with --thaw",
    "restore --thaw z --capture 1h": "--capture does nothing with --thaw",
    "restore --thaw z --archive a": "--archive does nothing with --thaw",
    "restore --thaw z --serve a": "--serve does nothing with --thaw",
    "restore --thaw z --freeze-zone z": "--freeze-zone does nothing with --thaw",
    "restore --thaw z --map m.csv": "--map does nothing with --thaw",
    "restore --thaw z --format json": "--format does nothing with --thaw",
    "rebuild --rehearse-only --map m.csv --anew": "--anew and --map do nothing with --rehearse-only",
    "report --template t": "--template does nothing without -o",
    "report -o folder --format json": "--format does nothing with -o",
    "drill --from f --scenario july28": "--scenario does nothing with --from",
}


@pytest.mark.parametrize("line", IDLE)
def test_an_option_that_would_do_nothing_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no configuration in a test: any of them that went further would end with 78."""
    assert main(line.split()) == EXIT_USAGE
    assert IDLE[line] in capsys.readouterr().err
