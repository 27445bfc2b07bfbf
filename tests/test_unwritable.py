"""Files that were asked for and cannot be written: one answer for all of them, and nothing half-written."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from console.cli.output import told_last
from console.reports import _put
from sync import atomic_file, evidence, relink
from sync.approval_intake import write_plan
from sync.capture import captured
from sync.capture_file import write_file
from sync.errors import EXIT_UNKNOWN, EXIT_USAGE, AbreastError, CaptureError, StorageError, UsageError
from sync.identities import Identity
from sync.identity_map import write as write_map
from tests.cli import Access, configure
from tests.examples import actual, desired
from tests.restore_states import planned, vm
from tests.test_relink import STALE, settings

NOW = datetime(2026, 7, 28, 3, 12, tzinfo=UTC)
IDENTITY = Identity("domain", "aurora", "ROOT/ci/aurora", "old", "new")
Writer = Callable[[Path], Any]
WRITERS: dict[str, Writer] = {
    "plan": lambda folder: atomic_file.share(folder / "plan.json", "{}"),
    "plan to sign": lambda folder: write_plan(planned(vm("a1")), folder),
    "capture": lambda folder: write_file(captured("lab", desired(), actual()), folder / "c.sqlite"),
    "evidence": lambda folder: evidence.write(
        folder / "evidence.json", {}, environment="lab", endpoint="https://cloud", at=NOW, by="anna@ops"
    ),
    "identity map": lambda folder: write_map([IDENTITY], folder),
    "re-link": lambda folder: relink.write(STALE, settings("sqlite:///x"), folder, environment="x", at=NOW),
    "report": lambda folder: _put(folder, {"incident-report.md": "Lost."}),
}
EACH = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@contextmanager
def no_room() -> Iterator[None]:
    """No file takes a byte more, in this process: as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@EACH
def test_a_place_that_takes_no_file_is_wrong_usage(write: Writer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be (written|made)") as caught:
        write(tmp_path / "file" / "below")
    assert caught.value.exit_code == EXIT_USAGE and caught.value.next_step


@EACH
def test_a_full_disk_is_none_and_leaves_no_half_of_a_file(write: Writer, tmp_path: Path) -> None:
    with no_room(), pytest.raises((StorageError, CaptureError), match="cannot be written") as caught:
        write(tmp_path)
    assert caught.value.exit_code == EXIT_UNKNOWN and caught.value.next_step
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    write(tmp_path)


def test_a_device_is_written_to_and_not_replaced() -> None:
    atomic_file.replace(Path("/dev/null"), "gone")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(StorageError, match="/dev/full cannot be written: No space left on device"):
        atomic_file.share(Path("/dev/full"), "x")
    assert Path("/dev/full").is_char_device()


def test_a_file_for_others_can_be_read_by_them_and_one_of_ours_cannot(tmp_path: Path) -> None:
    atomic_file.share(tmp_path / "plan", "x")
    atomic_file.replace(tmp_path / "map", b"x")
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("plan", "map")]
    assert modes == [0o644, 0o600]


def test_what_cannot_be_written_is_kept_until_the_rest_is_told_and_nothing_else_is() -> None:
    problems: list[AbreastError] = []
    with told_last(problems):
        raise StorageError("Full.")
    with told_last(problems):
        raise UsageError("No folder.")
    assert [str(one) for one in problems] == ["Full.", "No folder."]
    with pytest.raises(CaptureError), told_last(problems):
        raise CaptureError("Damaged.")


def test_a_result_on_a_full_disk_is_said_in_one_line(tmp_path: Path) -> None:
    lab = configure(tmp_path, Access("http://127.0.0.1:9/client/api", "k", "s"), "sqlite:///none.sqlite")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        command = [sys.executable, "-m", "console", "--config", str(lab.config), "check"]
        ran = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=lab.variables, check=False
        )
    assert ran.returncode == EXIT_UNKNOWN
    assert "The result cannot be written to stdout: No space left on device." in ran.stderr
    assert "Traceback" not in ran.stderr and "Exception ignored" not in ran.stderr
