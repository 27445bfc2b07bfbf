"""Saved evidence: written and read in one shape, refused where damaged, hostile or of another server."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sync import evidence
from sync.errors import DataError, GuardError, UsageError

ENDPOINT = "https://cloud.example.org/client/api"
AT = datetime(2026, 7, 28, 3, 12, tzinfo=UTC)
EVENT = {
    "id": "e-1", "type": "DOMAIN.DELETE", "state": "Scheduled", "level": "INFO", "username": "sync",
    "account": "aurora", "domainid": "d-1", "resourceid": "d-aurora", "resourcename": "aurora",
    "created": "2026-07-28T03:02:00+0000",
}  # fmt: skip
LISTS: dict[str, Any] = {
    "listEvents": {
        "rows": [EVENT, {**EVENT, "id": "e-2", "parentid": "e-1", "state": "Started"}, {"type": "VM.CREATE"}],
        "problem": "it grew",
    },
    "listDomains": {"rows": [{"id": "d-aurora", "path": "ROOT/ci/aurora"}], "problem": ""},
}


def saved(path: Path, *, at: datetime = AT, endpoint: str = ENDPOINT) -> Path:
    evidence.write(path, LISTS, environment="lab", endpoint=endpoint, at=at, by="anna@ops")
    return path


def test_what_is_read_is_what_was_saved_of_deletions(tmp_path: Path) -> None:
    path = saved(tmp_path / "evidence.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = evidence.read(path, endpoint=ENDPOINT)
    assert (found.taken_at, found.taken_by, found.problem) == (AT, "anna@ops", "it grew")
    assert [(one.id, one.state, one.parent_id) for one in found.events] == [
        ("e-1", "Scheduled", ""), ("e-2", "Started", "e-1")
    ]  # fmt: skip
    assert found.events[0].created == AT - timedelta(minutes=10)
    assert found.paths == {"d-aurora": "ROOT/ci/aurora"}


def test_of_another_server_it_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "evidence.json", endpoint="https://qualification/client/api")
    with pytest.raises(GuardError, match=r"of another server \(https://qualification/client/api\)"):
        evidence.read(path, endpoint=ENDPOINT)


def rows(of: str, *rows: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["lists"].__setitem__(of, {"rows": list(rows), "problem": ""})


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document.pop("taken_at"),
        lambda document: document.update(taken_at="2026-07-28T03:12:00"),
        lambda document: document.update(taken_at="0001-01-01T00:00:00+14:00"),
        lambda document: document.update(taken_at=["2026"]),
        lambda document: document.update(taken_by={"name": "anna"}),
        lambda document: document.update(endpoint=None),
        lambda document: document.update(lists=[]),
        lambda document: document["lists"].pop("listEvents"),
        lambda document: document["lists"].update(listEvents=[EVENT]),
        lambda document: document["lists"].update(listEvents={"rows": EVENT, "problem": ""}),
        lambda document: document["lists"].update(listEvents={"rows": [], "problem": 7}),
        rows("listEvents", "e-1"),
        rows("listEvents", {"type": "DOMAIN.DELETE"}),
        rows("listDomains", {"id": "d-1"}),
        rows("listDomains", {"id": "d-1", "path": ["ROOT"]}),
    ],
)
def test_what_has_another_shape_is_no_evidence(
    damage: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    path = saved(tmp_path / "evidence.json")
    document = json.loads(path.read_text())
    damage(document)
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match="is damaged, or no evidence: it does not have the shape"):
        evidence.read(path, endpoint=ENDPOINT)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"7", b"\xff\xfe", b"[" * 200_000, b"9" * 10_000, b'{"taken_at": ']
)
def test_what_is_not_whole_json_is_no_evidence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is damaged, or no evidence"):
        evidence.read(path, endpoint=ENDPOINT)


def test_what_is_no_file_or_too_large_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("nowhere", "pipe", "."):
        with pytest.raises(UsageError, match="There is no evidence"):
            evidence.read(tmp_path / name, endpoint=ENDPOINT)
    path = saved(tmp_path / "evidence.json")
    monkeypatch.setattr(evidence, "_LARGEST", 100)
    with pytest.raises(DataError, match="it is too large"):
        evidence.read(path, endpoint=ENDPOINT)


def test_times_and_texts_of_a_hostile_file_are_only_told(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    strange = [
        {**EVENT, "id": 7, "created": "9999-12-31T23:59:59-1400", "resourcename": "\ud800[/x]<b>\x1b[2J"},
        {**EVENT, "id": "e-3", "created": "soon", "username": None, "resourceid": ["a"]},
    ]
    lists = {**LISTS, "listEvents": {"rows": strange, "problem": ""}}
    evidence.write(path, lists, environment="lab", endpoint=ENDPOINT, at=AT, by="anna")
    first, second = evidence.read(path, endpoint=ENDPOINT).events
    assert (first.id, second.created) == ("7", None)


def test_the_environments_own_files_of_that_time_are_found_and_no_others(tmp_path: Path) -> None:
    assert evidence.saved_in(tmp_path / "nowhere", "lab", since=AT) == ()
    hours = [evidence.file_for(tmp_path, "lab", AT + timedelta(hours=number)) for number in (-1, 0, 1)]
    others = [evidence.file_for(tmp_path, "lab-evidence", AT), evidence.file_for(tmp_path, "la", AT)]
    for path in (*hours, *others, tmp_path / "lab-evidence-latest.json", tmp_path / "lab-evidence-9.json"):
        saved(path)
    (evidence.file_for(tmp_path, "lab", AT + timedelta(hours=2))).mkdir()
    local = AT.astimezone(timezone(timedelta(hours=9)))
    assert evidence.saved_in(tmp_path, "lab", since=local) == tuple(hours[1:])
