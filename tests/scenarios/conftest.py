"""What bad input is put to: the commands' desk, and a cloud as the drill's world is before the incident."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import reference_schema
from tests.cli import Access, configure
from tests.cloudstack_cloud import Cloud, cloud_of
from tests.scenarios.desk import DUNE, Desk, MakeDesk


@pytest.fixture
def make_desk(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> MakeDesk:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    def make(
        access: Access, rows: reference_schema.Rows = DUNE, *, database: str = "", more: str = ""
    ) -> Desk:
        url = database or reference_schema.create_sqlite(tmp_path / "ci.sqlite", rows)
        configured = configure(tmp_path, access, url, more=more)
        return Desk(configured, (access.key, access.secret), capsys, monkeypatch)

    return make


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with cloud_of("4.23") as one:
        yield one


@pytest.fixture
def access(cloud: Cloud) -> Iterator[Access]:
    """Where the drill's world is, before the incident."""
    yield Access(cloud.box.ready.url, cloud.box.ready.key, cloud.box.ready.secret)
    cloud.box.control.clear_faults()
